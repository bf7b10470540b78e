"""Result files of load generators beside predictions for the very same load."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from suanli.api.model import find_model
from suanli.domain.measured import ComparedValue, Comparison, MeasuredRun
from suanli.domain.traffic import Fleet, Requests, Targets, TrafficResult
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.domain.model import Model
    from suanli.estimate.serving_replica import Replica

__all__ = ["ComparedValue", "Comparison", "ResultQuestion", "compare_results", "is_result"]


@dataclass(frozen=True, kw_only=True, slots=True)
class ResultQuestion:
    """What served the requests of result files, as people write it; files tell the load, and mostly the model.

    `model`, `concurrency` and `rate_per_s` stand in for what a file does not tell.
    """

    model: str = ""
    system: str = ""
    weight_format: str = "bf16"
    kv_format: str = "auto"
    engine: str = ""
    engine_version: str = ""
    tensor: int = 1
    pipeline: int = 1
    expert: int = 1
    attention_data: int = 1
    token_budget: int | None = None
    sequence_limit: int | None = None
    concurrency: float | None = None
    rate_per_s: float | None = None


FROM_ONE = {
    "tensor": "--tp", "pipeline": "--pp", "expert": "--ep", "attention_data": "--dp", "token_budget": "--token-budget",
    "sequence_limit": "--max-sequences", "concurrency": "--concurrency",
}  # fmt: skip


def is_result(path: str | Path) -> bool:
    """Say whether a file is a result of a load generator rather than a table of runs."""
    from suanli.validation.results.read import is_result as told

    return told(Path(path))


def compare_results(paths: Sequence[str | Path], question: ResultQuestion) -> Comparison:
    """Predict the load of every run of result files, and put measured and predicted values side by side.

    Raises InputError with every fault of the files and every option that is missing or wrong, all at once.
    """
    from suanli.catalogue.profile import resolve
    from suanli.validation.results.predict import Served, compare

    faults: list[Fault] = _number_faults(question)
    runs = [replace_load(run, question) for path in paths for run in _read(Path(path), faults)]
    models = _models(runs, question, faults)
    if not question.system:
        faults.append(_missing("--system", tr("the system or accelerator that served")))
    if not question.engine:
        faults.append(_missing("--engine", "vllm, sglang, trt-llm ..."))
    untold = [run.name for run in runs if not run.load_told]
    if untold:
        allowed = tr("how requests were sent; these files do not tell: {names}", names=", ".join(untold))
        faults.append(_missing("--concurrency, --rate", allowed))
    if faults:
        raise InputError(faults)
    system, kernels = resolve(question.system)
    layout = ServingLayout(
        tensor=question.tensor, pipeline=question.pipeline, expert=question.expert,
        attention_data=question.attention_data,
    )  # fmt: skip
    served = [
        (run, Served(setup=_setup(model, question), system=system, layout=layout, kernels=kernels))
        for run, model in zip(runs, models, strict=True)
    ]
    return compare(served, _play if importlib.util.find_spec("numba") else None)


def _play(replica: Replica, requests: Requests, concurrency: float | None) -> TrafficResult:
    """Play requests through one replica, with no more than so many on their way."""
    from suanli.estimate.serving_traffic import Pool, play_in_flight, play_traffic

    pool = Pool(replica=replica, fleet=Fleet())
    if concurrency is None:
        return play_traffic(pool, requests, Targets())
    return play_in_flight(pool, requests, max(int(concurrency), 1), Targets())


def _read(path: Path, faults: list[Fault]) -> list[MeasuredRun]:
    from suanli.validation.results.read import read_results

    try:
        return read_results(path)
    except InputError as error:
        faults.extend(error.faults)
        return []


def replace_load(run: MeasuredRun, question: ResultQuestion) -> MeasuredRun:
    """Let what was asked stand in for what a file does not tell."""
    if run.load_told or (question.concurrency is None and question.rate_per_s is None):
        return run
    return replace(run, concurrency=question.concurrency, rate_per_s=question.rate_per_s, load_told=True)


def _models(runs: Sequence[MeasuredRun], question: ResultQuestion, faults: list[Fault]) -> list[Model]:
    """Find the model of each run: the one that was asked for, else the one that the file tells."""
    found: list[Model] = []
    for run in runs:
        name = question.model or run.model
        if not name:
            faults.append(_missing("--model", tr("the model that served: {run} does not tell", run=run.name)))
            continue
        try:
            found.append(find_model(name))
        except InputError as error:
            faults += [replace(one, place="--model") for one in error.faults]
    return found


def _missing(place: str, allowed: str) -> Fault:
    return Fault(place=place, found=tr("nothing"), allowed=allowed)


def _number_faults(question: ResultQuestion) -> list[Fault]:
    faults = []
    for name, place in FROM_ONE.items():
        value = getattr(question, name)
        if value is not None and not value >= 1:
            faults.append(Fault(place=place, found=f"{value:g}", allowed=tr("a number of at least 1")))
    if question.rate_per_s is not None and not question.rate_per_s > 0:
        faults.append(Fault(place="--rate", found=f"{question.rate_per_s:g}", allowed=tr("a number above 0")))
    return faults


def _setup(model: Model, question: ResultQuestion) -> ServingSetup:
    return ServingSetup(
        model=model,
        input_tokens=1.0,
        output_tokens=1.0,
        weight_format=question.weight_format,
        kv_format=question.kv_format,
        engine=question.engine,
        engine_version=question.engine_version,
        token_budget=question.token_budget,
        sequence_limit=question.sequence_limit,
    )

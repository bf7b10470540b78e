"""Real small steps on this machine beside their predictions: how far off Suanli is here."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from suanli.domain.check import CheckedCase, CheckResult
from suanli.domain.validation import Summary, ValidationRow
from suanli.foundation.errors import Fault, InputError, did_you_mean
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.check.ranks import Ranks
    from suanli.check.run import Ran
    from suanli.domain.check import Case
    from suanli.estimate.checked import Predicted

__all__ = ["CheckQuestion", "CheckResult", "CheckedCase", "Summary", "check"]

KINDS = ("train", "lora", "prefill", "decode")
UNSTEADY = 0.1
"""Half the distance of the quartiles, as a share, from which on a case is told to be unsteady."""
QUICK_PROFILE = "measured-quickly.yaml"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, kw_only=True, slots=True)
class CheckQuestion:
    """What is checked: a profile of this machine as `measure` writes it, in whose shape, which kinds of steps.

    Without `system` the machine is measured first, quickly. `model` is a config.json or a name (none: several known
    ones), `kinds` words with commas, `device` a kind of device of PyTorch (none: the first accelerator, else the
    processor), `most` how many cases of each kind at most.
    """

    system: str = ""
    model: str = ""
    kinds: str = ",".join(KINDS)
    device: str = ""
    most: int | None = None


def check(question: CheckQuestion, progress: Progress | None = None) -> CheckResult:
    """Run real steps and predict each of them. Under torchrun every rank trains and one tells.

    Raises InputError with every fault at once, where torch is not installed, or where the profile is of another device.
    """
    kinds = _kinds(question)
    from suanli.api.model import find_model
    from suanli.catalogue.profile import resolve
    from suanli.check.plan import ACCELERATOR, PROCESSOR, held_out, load_sizes, planned
    from suanli.domain.check import Kind
    from suanli.measure.backends import torch_module

    torch_module()
    from suanli.check.ranks import open_ranks, said_by_one
    from suanli.check.run import run
    from suanli.estimate.checked import predict

    with open_ranks(question.device) as ranks:
        machine = PROCESSOR if ranks.backend.kind == PROCESSOR else ACCELERATOR
        own = find_model(question.model) if question.model else None
        cases = _few(planned(machine, find_model, own, tuple(Kind(one) for one in kinds)), question.most)
        profile = question.system or said_by_one(ranks, lambda: _measured(ranks.backend.kind))
        system, kernels = resolve(profile)
        apart, told = held_out(cases), []
        for place, case in enumerate(cases):
            if progress and ranks.first:
                progress(case.name, place, len(cases))
            predicted = predict(case, system, kernels, ranks.count)
            told.append(_checked(case, run(case, ranks, load_sizes().step_seconds), predicted, case.name in apart))
        return _result(told, system.accelerator.name, ranks, Path(profile).name)


def _measured(kind: str) -> str:
    """Measure a kind of device quickly and return the profile's path."""
    from suanli.api.measure import measure

    path = Path(tempfile.mkdtemp()) / QUICK_PROFILE
    measure(path, quick=True, device=kind)
    return str(path)


def _kinds(question: CheckQuestion) -> list[str]:
    words = [word.strip() for word in question.kinds.split(",") if word.strip()]
    faults = [
        Fault(place="--kinds", found=f"'{word}'", allowed=", ".join(KINDS), hint=did_you_mean(word, KINDS))
        for word in words
        if word not in KINDS
    ]
    if not words:
        faults.append(Fault(place="--kinds", found=tr("nothing"), allowed=", ".join(KINDS)))
    if question.most is not None and question.most < 1:
        faults.append(Fault(place="--most", found=str(question.most), allowed=tr("a whole number from 1 on")))
    if faults:
        raise InputError(faults)
    return words


def _few(cases: tuple[Case, ...], most: int | None) -> tuple[Case, ...]:
    """Keep the first cases of each kind."""
    if most is None:
        return cases
    return tuple(case for case in cases if [one for one in cases if one.kind is case.kind].index(case) < most)


def _checked(case: Case, ran: Ran, predicted: Predicted, apart: bool) -> CheckedCase:
    return CheckedCase(
        name=case.name,
        kind=case.kind.value,
        shape_of=case.model.name,
        held_out=apart,
        steps=ran.steps,
        spread=ran.spread,
        measured_seconds=ran.seconds,
        predicted_seconds=predicted.seconds,
        seconds_low=predicted.seconds_band.low,
        seconds_high=predicted.seconds_band.high,
        seconds_error=predicted.seconds / ran.seconds - 1,
        seconds_by_cause=predicted.seconds_by_cause,
        measured_peak_bytes=float(ran.peak_bytes),
        predicted_peak_bytes=predicted.peak_bytes,
        peak_low_bytes=predicted.peak_band.low,
        peak_high_bytes=predicted.peak_band.high,
        peak_error=predicted.peak_bytes / ran.peak_bytes - 1,
    )


def _result(cases: list[CheckedCase], machine: str, ranks: Ranks, profile: str) -> CheckResult:
    unsteady = [one.name for one in cases if one.spread > UNSTEADY]
    warnings = (
        (tr("{count} case(s) were unsteady: is the machine busy with something else?", count=len(unsteady)),)
        if unsteady
        else ()
    )
    return CheckResult(
        machine=machine,
        ranks=ranks.count,
        torch=ranks.version,
        profile=profile,
        cases=tuple(cases),
        seconds=_summaries(cases, "seconds"),
        peaks=_summaries(cases, "peak"),
        warnings=warnings,
    )


def _summaries(cases: list[CheckedCase], what: str) -> dict[str, Summary]:
    """Sum up errors over all cases, those held out and not, and by kind."""
    from suanli.validation.summary import summarise

    groups: dict[str, list[CheckedCase]] = {
        "all": cases,
        "held_out": [one for one in cases if one.held_out],
        "seen": [one for one in cases if not one.held_out],
        **{kind: [one for one in cases if one.kind == kind] for kind in KINDS},
    }
    return {name: summarise(list(_rows(group, what))) for name, group in groups.items() if group}


def _rows(cases: Iterable[CheckedCase], what: str) -> Iterable[ValidationRow]:
    for one in cases:
        ends = ("seconds_low", "seconds_high") if what == "seconds" else ("peak_low_bytes", "peak_high_bytes")
        unit = "seconds" if what == "seconds" else "peak_bytes"
        yield ValidationRow(
            id=one.name,
            quantity=what,
            measured=getattr(one, f"measured_{unit}"),
            predicted=getattr(one, f"predicted_{unit}"),
            low=getattr(one, ends[0]),
            high=getattr(one, ends[1]),
            error=getattr(one, f"{what}_error"),
        )

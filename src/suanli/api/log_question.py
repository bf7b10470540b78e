"""The training question that a run's own files ask: what they tell, what options stand in for, what is assumed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from suanli.api.model import find_model
from suanli.api.training_question import TrainingQuestion, option_of
from suanli.domain.hardware import Cluster, System
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr

if TYPE_CHECKING:
    from suanli.domain.model import Model
    from suanli.validation.logs.merge import RunLog

TUNED_SUFFIX = re.compile(r"[-_](?:instruct|chat|base|it|hf|bf16|fp16|bnb|4bit|\d{4})(?=$|[-_])", re.IGNORECASE)
"""Words at the end of a checkpoint's name that its shape does not depend on."""
FEW_TRAINED = 0.5
"""With fewer of its parameters trained a model is tuned by adapters."""
HUGGING_FACE = ("accelerate", "llama-factory", "axolotl")
EAGER = "torch_eager"
DEEPSPEED_ALONE = "zero_flash"
"""The class of software that DeepSpeed under a user's own loop is nearest to."""


@dataclass(kw_only=True, slots=True)
class Asking:
    """A question being put together: faults and assumptions are gathered on the way."""

    log: RunLog
    said: Mapping[str, Any]
    faults: list[Fault] = field(default_factory=list)
    assumed: list[str] = field(default_factory=list)

    def value(self, name: str) -> Any:
        """Return what an option says, else what the files tell; None where neither does."""
        asked = self.said.get(name)
        if asked is not None and asked != "":
            return asked
        told = self.log.settings.get(name)
        return None if told is None else told.value

    def missing(self, place: str, allowed: str) -> None:
        """Note that neither an option nor a file tells something."""
        self.faults.append(Fault(place=place, found=tr("nothing"), allowed=allowed))


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A question with its model and cluster; accelerators beyond those in use are left out of the cluster."""

    question: TrainingQuestion
    model: Model
    cluster: Cluster
    assumed: tuple[str, ...]


def asked_by(log: RunLog, said: Mapping[str, Any]) -> Asked:
    """Put together what a run's files ask; options count before what files tell.

    Raises InputError with everything that neither tells, at once.
    """
    asking = Asking(log=log, said=said)
    model = _model(asking)
    cluster = _cluster(asking)
    if asking.faults or model is None or cluster is None:
        _batch(asking, 1)
        raise InputError(asking.faults)
    accelerators = cluster.nodes * cluster.system.accelerators
    question = _question(asking, model, accelerators)
    if asking.faults:
        raise InputError(asking.faults)
    return Asked(question=question, model=model, cluster=cluster, assumed=tuple(asking.assumed))


def _model(asking: Asking) -> Model | None:
    """Find the model: by the option, by the name that files tell, else by the shape that they tell."""
    asked = asking.said.get("model")
    if asked:
        try:
            return find_model(str(asked))
        except InputError as error:
            asking.faults += [replace(one, place="--model") for one in error.faults]
            return None
    told = asking.log.settings.get("model")
    known = packaged_model(str(told.value)) if told is not None else None
    if known is not None:
        return known
    if asking.log.shape:
        return _shaped(asking)
    name = tr("; the files call it '{name}', which is no packaged model", name=told.value) if told is not None else ""
    asking.missing("--model", tr("the model that was trained") + name)
    return None


def packaged_model(name: str) -> Model | None:
    """Find a packaged model by a checkpoint's name, whoever published it and however it was tuned; None if unknown."""
    from suanli.parts.architectures.read import known_models, named_model

    names = {_folded(one): one for one in known_models()}
    last = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    tries = [
        name,
        last,
        TUNED_SUFFIX.sub("", last),
        TUNED_SUFFIX.sub("", TUNED_SUFFIX.sub("", last)),
        name.split(" ", maxsplit=1)[0],
    ]
    for one in tries:
        found = names.get(_folded(one))
        if found is not None:
            return named_model(found)
    return None


def _folded(name: str) -> str:
    """Fold a name to the letters and digits of its last part."""
    return re.sub(r"[^a-z0-9]", "", name.rsplit("/", 1)[-1].lower().removeprefix("meta-"))


def _shaped(asking: Asking) -> Model | None:
    """Make the model of the shape that Megatron's arguments tell."""
    from suanli.validation.reading import load_reading
    from suanli.validation.rows import Record
    from suanli.validation.run_model import model_of_columns

    record = Record(file="", line=0, cells={**asking.log.shape, "model_name": tr("model of the log's own shape")})
    model = model_of_columns(record, load_reading())
    if record.faults or model is None:
        asking.faults += record.faults
        asking.missing("--model", tr("the model that was trained"))
        return None
    return model


def _system(asking: Asking) -> System | None:
    """Find the system: by the option, else by the product that exports of devices name."""
    from suanli.catalogue.find import system as find_system

    asked = asking.said.get("system")
    if asked:
        try:
            return find_system(str(asked), place="--system")
        except InputError as error:
            asking.faults += error.faults
            return None
    for use in asking.log.devices:
        found = product_system(use.product)
        if found is None:
            continue
        asking.assumed.append(
            tr("system: {name}, by the devices' product {product}", name=found.name, product=use.product)
        )
        return found
    asking.missing("--system", tr("the system or accelerator that trained"))
    return None


def product_system(product: str) -> System | None:
    """Return the usual system of a product as nvidia-smi names it; None where it is not known."""
    from suanli.catalogue.find import accelerator, default_system

    try:
        return default_system(accelerator(product.removeprefix("NVIDIA ")).id) if product else None
    except InputError:
        return None


def _cluster(asking: Asking) -> Cluster | None:
    """Find the cluster: nodes by the option, else by how many accelerators files tell or show."""
    system = _system(asking)
    if system is None:
        return None
    nodes = asking.said.get("nodes")
    if nodes is not None:
        return Cluster(system=system, nodes=int(nodes))
    count = _accelerators(asking)
    if count is None:
        asking.missing("--nodes", tr("how many systems the run spans"))
        return None
    if count < system.accelerators:
        return Cluster(system=replace(system, accelerators=count), nodes=1)
    if count % system.accelerators:
        found = tr("{count} accelerators", count=count)
        allowed = tr("whole systems of {size}", size=system.accelerators)
        asking.faults.append(Fault(place="--system", found=found, allowed=allowed))
        return None
    return Cluster(system=system, nodes=count // system.accelerators)


def _accelerators(asking: Asking) -> int | None:
    """Count the accelerators: as told, else by the degrees, else by the batch, else by the devices in the exports."""
    value = asking.value
    told = value("accelerators")
    if told:
        return int(told)
    split = int(value("tensor") or 1) * int(value("pipeline") or 1) * int(value("context") or 1)
    if value("data"):
        return int(value("data")) * split
    parts = [value(name) for name in ("global_batch", "micro_batch", "accumulation")]
    if all(parts) and parts[0] % (parts[1] * parts[2]) == 0:
        return int(parts[0] // (parts[1] * parts[2])) * split
    shown = len(asking.log.devices)
    if shown:
        asking.assumed.append(tr("{count} accelerators, as many as the exports show", count=shown))
    return shown or None


def _batch(asking: Asking, data: int) -> tuple[int | None, int | None]:
    """Return the global batch and the micro-batch; each follows from the other and what is accumulated."""
    value = asking.value
    batch, micro = value("global_batch"), value("micro_batch")
    steps = int(value("accumulation") or 1)
    samples = value("samples_a_step")
    if batch is None and micro is not None:
        batch = int(micro) * steps * data
        if value("accumulation") is None and samples:
            batch = max(round(float(samples) / (micro * data)), 1) * micro * data
        elif value("accumulation") is None:
            asking.assumed.append(tr("one micro-batch a step: global batch {batch}", batch=batch))
    elif batch is None and samples:
        batch = round(float(samples))
    if micro is None and batch is not None:
        micro = max(int(batch) // (data * steps), 1) if value("accumulation") else 1
        asking.assumed.append(tr("micro-batches of {micro}", micro=micro))
    if batch is None:
        asking.missing("--global-batch", tr("sequences in a step"))
    return batch, micro


def _sequence(asking: Asking, batch: int | None) -> int | None:
    """Return the tokens of a sequence: as told, or their mean where samples of other lengths were not packed."""
    if asking.said.get("sequence_tokens") is not None:
        return int(asking.said["sequence_tokens"])
    told, packed = asking.value("sequence_tokens"), asking.value("packed")
    seen, steps = asking.log.tokens_seen, asking.log.last_step
    if seen and steps and batch and packed is not True:
        mean = max(round(seen / (steps * batch)), 1)
        asking.assumed.append(tr("sequences of {tokens} tokens, the mean that the log counted", tokens=mean))
        return mean
    if told is None:
        asking.missing("--seq-len", tr("tokens of a sequence"))
        return None
    if packed is False:
        asking.assumed.append(
            tr(
                "every sequence as long as the cutoff, {tokens} tokens: say --seq-len where they are shorter",
                tokens=told,
            )
        )
    return int(told)


def _question(asking: Asking, model: Model, accelerators: int) -> TrainingQuestion:
    value = asking.value
    split = int(value("tensor") or 1) * int(value("pipeline") or 1) * int(value("context") or 1)
    data = max(accelerators // split, 1)
    batch, micro = _batch(asking, data)
    told = {one.name: value(one.name) for one in fields(TrainingQuestion) if one.name in READ}
    if asking.said.get("data") is None and any(asking.said.get(name) is not None for name in SPLITS):
        told["data"] = None
    told |= {"global_batch": batch, "micro_batch": micro, "sequence_tokens": _sequence(asking, batch)}
    told |= {"framework": _framework(asking), **_method(asking, model)}
    if told.get("sharding") is None and told["framework"] in HUGGING_FACE:
        told["sharding"] = "none"
    for name in ("recompute", "sharding", "precision"):
        if told.get(name) is None:
            option = option_of(name)
            asking.assumed.append(tr("{option}: its default, as no file tells it", option=option))
    kept = {name: one for name, one in told.items() if one is not None}
    kept["tensor"] = kept.get("tensor", 1)
    return TrainingQuestion(model=model.name, system="", **kept)


READ = frozenset({
    "precision", "tensor", "pipeline", "data", "context", "expert", "interleave", "recompute", "sharding",
    "sharding_ranks",
    "sequence_parallel", "schedule", "offload", "optimizer", "attention", "split_tensor", "software_date", "lora_rank",
    "context_exchange", "document_tokens", "capacity", "balanced_experts", "calibration",
})  # fmt: skip
"""Fields of a question that an option or a file tells as it is."""


SPLITS = ("nodes", "tensor", "pipeline", "context")
"""Options beside which the replicas that a file tells are no longer the rest."""


def _framework(asking: Asking) -> str:
    """Return the class of software: the one asked for, else that of the tool that wrote the log, compiled or not."""
    asked = asking.said.get("framework")
    if asked:
        return str(asked)
    told = asking.log.settings.get("framework")
    name = str(told.value) if told is not None else "accelerate"
    compiled = asking.value("compiled")
    if name == "deepspeed":
        asking.assumed.append(
            tr("framework: {name}, the nearest to DeepSpeed under a loop of one's own", name=DEEPSPEED_ALONE)
        )
        return DEEPSPEED_ALONE
    if name == "torchtitan" and compiled is not True:
        return EAGER
    return name


def _method(asking: Asking, model: Model) -> dict[str, Any]:
    """Return how the model is tuned; few trained parameters tell of adapters where no file does."""
    method = asking.value("method")
    if method is not None:
        return {"method": method}
    trained = asking.value("trained_parameters")
    if trained is None:
        return {}
    from suanli.parts.architectures.count import parameters

    if int(trained) >= FEW_TRAINED * parameters(model):
        return {}
    asking.assumed.append(
        tr("tuned by adapters: {count:,} parameters are trained; say --method, --lora-rank", count=int(trained))
    )
    return {"method": "lora"}

"""What a tuning run may ask for beside its method: adapters, what is quantised how, what stays as it is."""

from __future__ import annotations

from dataclasses import dataclass

from suanli.domain.tuning import ExpertAdapters, Freezing, LowRank
from suanli.domain.workload import TuningMethod
from suanli.foundation.errors import Fault, did_you_mean
from suanli.foundation.language import tr

MOST_RANK = 2**14
MOST_LAYERS = 10_000
FORMATS = ("nf4", "nf4-dq")
"""What frozen weights may be quantised to under QLoRA: 4 bits with plain scales, or with scales quantised once more."""


@dataclass(frozen=True, kw_only=True, slots=True)
class TuningOptions:
    """Adapters and frozen parts as people write them; None and nothing leave the choice to the documented default.

    `targets` are words for the matrices that have adapters, `dora` gives them magnitudes, `experts` says whether each
    expert has its own. `frozen_format` is of weights under QLoRA. The first `freeze_layers` layers, the embeddings,
    or all but the head stay as they are.
    """

    targets: tuple[str, ...] = ()
    dora: bool = False
    experts: str | None = None
    frozen_format: str | None = None
    freeze_layers: int | None = None
    freeze_embeddings: bool = False
    head_only: bool = False


def tuning_faults(options: TuningOptions, method: str | None) -> list[Fault]:
    """Name everything wrong in what is asked of adapters and frozen parts that shows without the model."""
    faults = []
    for place, said, known in (
        ("--expert-adapters", options.experts, tuple(ExpertAdapters)),
        ("--quantisation", options.frozen_format, FORMATS),
    ):
        if said is not None and said not in known:
            hint = did_you_mean(said, known)
            faults.append(Fault(place=place, found=f"'{said}'", allowed=", ".join(known), hint=hint))
    frozen = options.freeze_layers
    if frozen is not None and not 0 <= frozen <= MOST_LAYERS:
        span = tr("a whole number from 0 to {most}", most=MOST_LAYERS)
        faults.append(Fault(place="--freeze-layers", found=str(frozen), allowed=span))
    own = {
        "--lora-targets": options.targets, "--dora": options.dora, "--expert-adapters": options.experts,
    }  # fmt: skip
    if method == TuningMethod.FULL:
        faults += [_belongs(place, method, "lora, qlora") for place, asked in own.items() if asked]
    if options.frozen_format is not None and method != TuningMethod.QLORA:
        faults.append(_belongs("--quantisation", method or "", "qlora"))
    if method in (TuningMethod.LORA, TuningMethod.QLORA):
        whole = {"--freeze-embeddings": options.freeze_embeddings, "--head-only": options.head_only}
        faults += [_belongs(place, method, "full") for place, asked in whole.items() if asked]
    return faults


def _belongs(place: str, method: str, allowed: str) -> Fault:
    return Fault(
        place=place, found=tr("method {method}", method=method), allowed=tr("method {allowed}", allowed=allowed)
    )


def low_rank(options: TuningOptions, rank: int | None) -> LowRank:
    """Make adapters of what is asked; a rank of 0 leaves it to the calibration."""
    plain = LowRank(rank=rank or 0, dora=options.dora, experts=ExpertAdapters(options.experts or ExpertAdapters.EACH))
    if not options.targets:
        return plain
    return LowRank(rank=plain.rank, targets=options.targets, dora=plain.dora, experts=plain.experts)


def freezing(options: TuningOptions) -> Freezing:
    """Say what stays as it is beside what the method leaves alone."""
    return Freezing(
        layers=options.freeze_layers or 0, embeddings=options.freeze_embeddings, all_but_head=options.head_only
    )

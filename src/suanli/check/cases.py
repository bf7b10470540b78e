"""What is really run on a machine: steps of training, of adapters, of prefill and of decode on small models."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from suanli.domain.model import Model


class Kind(StrEnum):
    """What one case does."""

    TRAIN = "train"
    LORA = "lora"
    PREFILL = "prefill"
    DECODE = "decode"

    @property
    def tunes(self) -> bool:
        """Whether it ends in an update of weights."""
        return self in (Kind.TRAIN, Kind.LORA)


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One case: a small model and a shape of work.

    `tokens` are those of a sequence in training, of a prompt in prefill, in the cache before a decode step.
    `rank` is that of the adapters, 0 without.
    """

    kind: Kind
    model: Model
    batch: int
    tokens: int
    number_format: str
    rank: int = 0

    @property
    def name(self) -> str:
        """What the case is, in a line."""
        layers = sum(run.count for run in self.model.runs)
        rank = f" r{self.rank}" if self.rank else ""
        shape = f"{self.model.name} h{self.model.hidden} l{layers}"
        return f"{self.kind.value}{rank} {shape} {self.batch}x{self.tokens} {self.number_format}"

"""Fine-tuning on a cluster: full, LoRA or QLoRA; the same question and answer as training."""

from __future__ import annotations

from dataclasses import replace

from suanli.api.train import TrainingQuestion, TrainingSearch, train_told
from suanli.domain.result import TrainingEstimate
from suanli.domain.workload import TuningMethod


def finetune(question: TrainingQuestion) -> list[TrainingEstimate]:
    """Answer a tuning question: the asked layout alone, or the best layouts, best first; LoRA unless told otherwise.

    Raises InputError with every fault at once, InfeasibleError where nothing fits.
    """
    return list(finetune_told(question).estimates)


def finetune_told(question: TrainingQuestion) -> TrainingSearch:
    """Answer as `finetune` does, and tell of a search why the other layouts were rejected.

    Raises InputError with every fault at once, InfeasibleError where nothing fits.
    """
    return train_told(replace(question, method=question.method or TuningMethod.LORA.value))

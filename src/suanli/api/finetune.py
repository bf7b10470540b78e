"""Fine-tuning on a cluster: full, LoRA or QLoRA; the same question and answer as training, and the job as a whole."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from suanli.api.market_question import MarketQuestion, market_faults
from suanli.api.model import find_model
from suanli.api.run_cost import RunCost, train_priced
from suanli.api.train import TrainingQuestion, TrainingSearch, sizes_of, train_told
from suanli.api.training_question import faults_of
from suanli.api.tuning_text import TextQuestion, text_faults, text_of, work_of
from suanli.api.wall_clock import RunQuestion, WallClock, run_faults
from suanli.domain.result import TrainingEstimate
from suanli.domain.tuning import TuningWork
from suanli.domain.workload import TuningMethod
from suanli.foundation.errors import Fault, InputError
from suanli.foundation.language import tr

__all__ = [
    "TextQuestion", "TuningAnswer", "TuningJobQuestion", "TuningWork", "finetune", "finetune_job", "finetune_told",
    "tuning",
]  # fmt: skip


@dataclass(frozen=True, kw_only=True, slots=True)
class TuningJobQuestion:
    """A tuning step, the text that the job goes through, how its fleet is kept, and the market that prices it."""

    step: TrainingQuestion
    text: TextQuestion = field(default_factory=TextQuestion)
    run: RunQuestion = field(default_factory=RunQuestion)
    market: MarketQuestion = field(default_factory=MarketQuestion)


@dataclass(frozen=True, kw_only=True, slots=True)
class TuningAnswer:
    """The layouts of a step; of a job whose length is told, what it computes, its time on the wall and its cost."""

    search: TrainingSearch
    work: TuningWork | None = None
    clock: WallClock | None = None
    cost: RunCost | None = None


def tuning(question: TrainingQuestion) -> TrainingQuestion:
    """Make a question one of tuning: LoRA unless told otherwise."""
    return replace(question, method=question.method or TuningMethod.LORA.value)


def finetune(question: TrainingQuestion) -> list[TrainingEstimate]:
    """Answer a tuning question: the asked layout alone, or the best layouts, best first; LoRA unless told otherwise.

    Raises InputError with every fault at once, InfeasibleError where nothing fits.
    """
    return list(finetune_told(question).estimates)


def finetune_told(question: TrainingQuestion) -> TrainingSearch:
    """Answer as `finetune` does, and tell of a search why the other layouts were rejected.

    Raises InputError with every fault at once, InfeasibleError where nothing fits.
    """
    return train_told(tuning(question))


def finetune_job(question: TuningJobQuestion) -> TuningAnswer:
    """Answer a tuning question, and where the text is told put the whole job on the wall's clock and price it.

    Raises InputError with every fault at once, InfeasibleError where nothing fits or the job never ends.
    """
    step, run = tuning(question.step), question.run
    if faults := job_faults(question):
        raise InputError(faults)
    work = None
    if question.text.asked:
        step, work = job_work(step, question.text)
        run = replace(run, steps=work.steps)
    search, clock, cost = train_priced(step, run, question.market)
    return TuningAnswer(search=search, work=work, clock=clock, cost=cost)


def job_faults(question: TuningJobQuestion) -> list[Fault]:
    """Name everything wrong in any part of a job's question."""
    faults = [*faults_of(tuning(question.step)), *text_faults(question.text), *run_faults(question.run)]
    faults += market_faults(question.market)
    if question.text.asked and question.run.asked:
        place, allowed = "--data-tokens, --tokens, --steps", tr("one of them")
        faults.append(Fault(place=place, found=tr("the job's length twice"), allowed=allowed))
    return faults


def job_work(step: TrainingQuestion, text: TextQuestion) -> tuple[TrainingQuestion, TuningWork]:
    """Count a job's text and say what it computes; packed examples do not see each other."""
    counted = text_of(text)
    sequence, batch = sizes_of(step, find_model(step.model))
    packed = not text.padded and counted.mean_tokens is not None and step.document_tokens is None
    if packed and counted.mean_tokens is not None:
        step = replace(step, document_tokens=max(round(min(counted.mean_tokens, sequence)), 1))
    return step, work_of(text, counted, sequence, batch)

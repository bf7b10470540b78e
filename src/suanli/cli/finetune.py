"""`suanli finetune`: full, LoRA and QLoRA tuning, answered as training is; preference and reinforcement tuning."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from suanli.api.finetune import finetune_told
from suanli.api.posttraining import PostOptions, PostQuestion, is_posttraining, over_memory, posttrain, stray_faults
from suanli.api.run_cost import MarketQuestion, today
from suanli.api.train import TrainingQuestion, over_a_limit
from suanli.cli.app import app
from suanli.cli.output import CalibrationOption, JsonFlag, LangOption, guarded
from suanli.cli.posttraining_options import USUAL, takes_post_options, tell_posttraining
from suanli.cli.train import tell_search
from suanli.cli.train_options import (
    AsOfOption,
    AttentionOption,
    BalancedOption,
    BatchOption,
    CapacityOption,
    ContextOption,
    CurrencyOption,
    DataOption,
    DateOption,
    DocumentOption,
    ExchangeOption,
    ExpertOption,
    FrameworkOption,
    InterleaveOption,
    KeepOption,
    MicroBatchOption,
    ModelOption,
    NodesOption,
    OffloadOption,
    OptimizerOption,
    PipelineOption,
    PrecisionOption,
    RecomputeOption,
    RegionOption,
    ScheduleOption,
    SearchFlag,
    SequenceOption,
    SequenceParallelOption,
    ShardingOption,
    ShardingRanksOption,
    SplitTensorFlag,
    SystemOption,
    TensorOption,
)
from suanli.foundation.errors import InputError

METHODS = "full, lora, qlora; dpo, orpo, kto, reward, ppo, grpo, distill."
RankOption = Annotated[int | None, typer.Option("--lora-rank", help="Rank of the adapters.", show_default=False)]


@app.command("finetune")
@guarded
@takes_post_options
def finetune_command(
    model: ModelOption,
    system: SystemOption,
    nodes: NodesOption = 1,
    method: Annotated[str, typer.Option("--method", help=METHODS)] = "lora",
    lora_rank: RankOption = None,
    seq_len: SequenceOption = None,
    global_batch: BatchOption = None,
    precision: PrecisionOption = "bf16",
    framework: FrameworkOption = "megatron",
    tp: TensorOption = None,
    pp: PipelineOption = None,
    dp: DataOption = None,
    cp: ContextOption = None,
    ep: ExpertOption = None,
    vp: InterleaveOption = None,
    micro_batch: MicroBatchOption = None,
    recompute: RecomputeOption = None,
    sharding: ShardingOption = None,
    sharding_ranks: ShardingRanksOption = None,
    sequence_parallel: SequenceParallelOption = None,
    schedule: ScheduleOption = None,
    offload: OffloadOption = None,
    optimizer: OptimizerOption = None,
    attention: AttentionOption = None,
    capacity: CapacityOption = None,
    balanced_experts: BalancedOption = False,
    split_tensor: SplitTensorFlag = False,
    context_exchange: ExchangeOption = None,
    document_tokens: DocumentOption = None,
    search: SearchFlag = False,
    keep: KeepOption = 20,
    software_date: DateOption = None,
    calibration: CalibrationOption = None,
    post: PostOptions = USUAL,
    as_of: AsOfOption = "",
    region: RegionOption = "world",
    currency: CurrencyOption = "USD",
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Estimate a tuning step: seconds and memory by cause, with the 80 % band.

    Preference and reinforcement tuning (dpo, orpo, kto, reward, ppo, grpo, distill) tell the whole step by part:
    rollout, scoring, training, weights on their way, who waits.
    """
    question = TrainingQuestion(
        model=model, system=system, nodes=nodes, sequence_tokens=seq_len, global_batch=global_batch,
        precision=precision, framework=framework, tensor=tp, pipeline=pp, data=dp, context=cp, expert=ep,
        interleave=vp, micro_batch=micro_batch, recompute=recompute, sharding=sharding, search=search, keep=keep,
        method=method, lora_rank=lora_rank, software_date=software_date, calibration=calibration,
        schedule=schedule, offload=offload, optimizer=optimizer, sharding_ranks=sharding_ranks,
        sequence_parallel=sequence_parallel, attention=attention, capacity=capacity, balanced_experts=balanced_experts,
        split_tensor=split_tensor, context_exchange=context_exchange, document_tokens=document_tokens,
    )  # fmt: skip
    if is_posttraining(method):
        market = MarketQuestion(as_of=as_of or today(), region=region, currency=currency)
        answer = posttrain(PostQuestion(job=replace(question, method=None), method=method, options=post, market=market))
        tell_posttraining(answer, json_output)
        if (short := over_memory(answer)) is not None:
            raise short
        return
    if faults := stray_faults(post):
        raise InputError(faults)
    found = finetune_told(question)
    tell_search(found, json_output)
    if (refused := over_a_limit(found)) is not None:
        raise refused

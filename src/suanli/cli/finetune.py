"""`suanli finetune`: full, LoRA and QLoRA tuning, what fits, the ways to a task; preference and RL tuning."""

from __future__ import annotations

from dataclasses import replace

from suanli.api.finetune import TextQuestion, TuningJobQuestion, finetune_job
from suanli.api.posttraining import PostOptions, PostQuestion, is_posttraining, over_memory, posttrain, stray_faults
from suanli.api.run_cost import MarketQuestion, today
from suanli.api.train import TrainingQuestion, over_a_limit
from suanli.api.tuning_layers import LayersQuestion, PromptQuestion, tuning_layers
from suanli.api.tuning_limits import LargestQuestion
from suanli.api.tuning_limits import largest as find_largest
from suanli.api.tuning_options import TuningOptions
from suanli.api.wall_clock import RunQuestion
from suanli.cli.app import app
from suanli.cli.output import CalibrationOption, JsonFlag, LangOption, guarded
from suanli.cli.posttraining_options import USUAL, takes_post_options, tell_posttraining
from suanli.cli.run_options import (
    CheckpointsOption,
    FailuresOption,
    RecoveryOption,
    SparesOption,
    StepsOption,
    TokensOption,
)
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
from suanli.cli.tuning_options import (
    CardsOption,
    CompareFlag,
    ContinueTokensOption,
    DataFileOption,
    DataTokensOption,
    DoraFlag,
    EpochsOption,
    ExampleOption,
    ExpertAdaptersOption,
    FreezeEmbeddingsFlag,
    FreezeLayersOption,
    HeadOnlyFlag,
    InputOption,
    LargestOption,
    MethodOption,
    OutputOption,
    PaddedFlag,
    PretrainTokensOption,
    QuantisationOption,
    RankOption,
    RequestsOption,
    ShotsOption,
    TargetsOption,
    TokenizerOption,
    words,
)
from suanli.cli.tuning_told import tell_largest, tell_layers, tell_tuning
from suanli.foundation.errors import InputError


def tell_post(question: PostQuestion, json_output: bool) -> None:
    """Answer preference and reinforcement tuning, and refuse what does not fit."""
    answer = posttrain(question)
    tell_posttraining(answer, json_output)
    if (short := over_memory(answer)) is not None:
        raise short


@app.command("finetune")
@guarded
@takes_post_options
def finetune_command(
    model: ModelOption,
    system: SystemOption,
    nodes: NodesOption = 1,
    cards: CardsOption = None,
    method: MethodOption = "lora",
    lora_rank: RankOption = None,
    lora_targets: TargetsOption = "",
    dora: DoraFlag = False,
    expert_adapters: ExpertAdaptersOption = None,
    quantisation: QuantisationOption = None,
    freeze_layers: FreezeLayersOption = None,
    freeze_embeddings: FreezeEmbeddingsFlag = False,
    head_only: HeadOnlyFlag = False,
    data: DataFileOption = None,
    data_tokens: DataTokensOption = None,
    tokenizer: TokenizerOption = None,
    epochs: EpochsOption = 1.0,
    padded: PaddedFlag = False,
    example_tokens: ExampleOption = None,
    tokens: TokensOption = None,
    steps: StepsOption = None,
    largest: LargestOption = None,
    compare: CompareFlag = False,
    pretrain_tokens: PretrainTokensOption = None,
    continue_tokens: ContinueTokensOption = None,
    shots: ShotsOption = 8,
    requests: RequestsOption = 1e6,
    input_tokens: InputOption = 512.0,
    output_tokens: OutputOption = 256.0,
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
    failures: FailuresOption = "middle",
    recovery: RecoveryOption = "automatic",
    checkpoints: CheckpointsOption = "asynchronous",
    spares: SparesOption = None,
    post: PostOptions = USUAL,
    as_of: AsOfOption = "",
    region: RegionOption = "world",
    currency: CurrencyOption = "USD",
    json_output: JsonFlag = False,
    lang: LangOption = "",
) -> None:
    """Estimate a tuning step: seconds and memory by cause, with the 80 % band; and the job, where its text is told.

    --largest asks what still fits, --compare puts pretraining, tuning and prompting side by side. Preference and
    reinforcement tuning (dpo, orpo, kto, reward, ppo, grpo, distill) tell the whole step by part: rollout, scoring,
    training, weights on their way, who waits.
    """
    options = TuningOptions(
        targets=words(lora_targets), dora=dora, experts=expert_adapters, frozen_format=quantisation,
        freeze_layers=freeze_layers, freeze_embeddings=freeze_embeddings, head_only=head_only,
    )  # fmt: skip
    question = TrainingQuestion(
        model=model, system=system, nodes=nodes, sequence_tokens=seq_len, global_batch=global_batch,
        precision=precision, framework=framework, tensor=tp, pipeline=pp, data=dp, context=cp, expert=ep,
        interleave=vp, micro_batch=micro_batch, recompute=recompute, sharding=sharding, search=search, keep=keep,
        method=method, lora_rank=lora_rank, tuning=options, accelerators=cards, software_date=software_date,
        calibration=calibration,
        schedule=schedule, offload=offload, optimizer=optimizer, sharding_ranks=sharding_ranks,
        sequence_parallel=sequence_parallel, attention=attention, capacity=capacity, balanced_experts=balanced_experts,
        split_tensor=split_tensor, context_exchange=context_exchange, document_tokens=document_tokens,
    )  # fmt: skip
    market = MarketQuestion(as_of=as_of or today(), region=region, currency=currency)
    if is_posttraining(method):
        tell_post(
            PostQuestion(job=replace(question, method=None), method=method, options=post, market=market), json_output
        )
        return
    if faults := stray_faults(post):
        raise InputError(faults)
    if largest is not None:
        tell_largest(find_largest(LargestQuestion(step=question, asked=largest)), json_output)
        return
    job = TuningJobQuestion(
        step=question,
        text=TextQuestion(
            tokens=data_tokens, file=data, tokenizer=tokenizer, epochs=epochs, padded=padded, mean_tokens=example_tokens
        ),
        run=RunQuestion(
            tokens=tokens, steps=steps, failures=failures, recovery=recovery, checkpoints=checkpoints, spares=spares
        ),
        market=market,
    )
    if compare:
        prompt = PromptQuestion(shots=shots, requests=requests, input_tokens=input_tokens, output_tokens=output_tokens)
        asked = LayersQuestion(job=job, pretrain_tokens=pretrain_tokens, continue_tokens=continue_tokens, prompt=prompt)
        tell_layers(tuning_layers(asked), json_output)
        return
    found = finetune_job(job)
    tell_tuning(found, json_output)
    if (refused := over_a_limit(found.search)) is not None:
        raise refused

"""Small jobs of preference and reinforcement tuning."""

from dataclasses import replace

from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of

from suanli.domain.layout import Layout
from suanli.domain.posttraining import Answers, Beside, Passes, Placement, PostMethod, Rollout, Scored
from suanli.domain.workload import TrainingSetup
from suanli.estimate.posttraining import PostJob
from suanli.estimate.reinforcement import packed
from suanli.parts.architectures.read import named_model

POLICY = named_model("Qwen/Qwen3-0.6B")


def answers_of(**fields):
    """Make answers with short ones for defaults."""
    usual = {"prompts": 32, "group": 8, "prompt_tokens": 128.0, "answer_tokens": 256.0, "spread": 0.5,
             "longest_tokens": 1024.0}  # fmt: skip
    return Answers(**(usual | fields))


def job_of(method=PostMethod.GRPO, nodes=1, answers=None, **fields):
    """Make a job on some nodes of eight; without answers its samples are 64 sequences of 2048 tokens."""
    cluster = fields.pop("cluster", cluster_of(nodes))
    accelerators = fields.pop("accelerators", cluster.nodes * cluster.system.accelerators)
    setup = TrainingSetup(model=fields.pop("model", POLICY), sequence_tokens=2048, global_batch=64)
    setup = replace(setup, framework="megatron_core", **fields.pop("setup", {}))
    layout = fields.pop("layout", Layout(data=accelerators))
    passes = fields.pop("passes", Passes())
    if answers is not None:
        setup = packed(setup, answers, passes.updates, layout.data if layout else accelerators)
    return PostJob(
        method=method, setup=setup, cluster=cluster, accelerators=accelerators, kernels=KERNELS,
        calibration=CALIBRATION, layout=layout, answers=answers, passes=passes, **fields,
    )  # fmt: skip


def apart(lag=0, accelerators=8, **fields):
    """Say that answers are generated on other devices, in one layout."""
    return Rollout(placement=Placement.SEPARATE, accelerators=accelerators, tensor=1, lag=lag, **fields)


TOGETHER = Rollout(tensor=1)
REFERENCE = Beside(reference=Scored.RESIDENT)

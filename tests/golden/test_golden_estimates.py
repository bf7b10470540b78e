"""A dozen layouts, a dozen replicas, kernels of every class of device, frozen to nine digits: the diff is the review.

Whoever moves a number on purpose writes the files anew with

    SUANLI_WRITE_GOLDEN=1 python -m pytest tests/golden

looks at the diff, and lists what moved and why in CHANGELOG.md. Never to silence a test.
"""

import json
import os
from pathlib import Path

import pytest
from tests.estimate.jobs import KERNELS, cluster_of, setup_of
from tests.estimate.posts import REFERENCE, TOGETHER, answers_of, apart, job_of
from tests.estimate.replicas import setup as serving_setup
from tests.estimate.replicas import system as serving_system

from suanli.catalogue.find import system as known_system
from suanli.catalogue.load import catalogue
from suanli.domain.layout import Layout, Recompute, Sharding
from suanli.domain.posttraining import Beside, Passes, PostMethod, Scored
from suanli.domain.workload import Attention, ServingLayout, TuningMethod
from suanli.estimate.finetuning import estimate_tuning
from suanli.estimate.reinforcement import post_step
from suanli.estimate.serving import estimate_serving
from suanli.estimate.training import estimate_layout, training_flop
from suanli.parts.architectures.read import named_model
from suanli.parts.devices.open import open_device, open_fabric

FOLDER = Path(__file__).parent / "estimates"
WRITING = bool(os.environ.get("SUANLI_WRITE_GOLDEN"))
TOLERANCE = 1e-9
FULL, WHOLE = Recompute.FULL, Sharding.FULL

TRAINING = {  # model, system, nodes, layout, what else the setup says
    "llama2-7b, 16 A100, data alone": (
        "LLaMA2-7B", "dgx-a100-640", 2, Layout(data=16), {"batch": 64, "sequence": 4096}),
    "llama2-7b, 16 A100, fully sharded, all recomputed": (
        "LLaMA2-7B", "dgx-a100-640", 2, Layout(data=16, sharding=WHOLE, recompute=FULL),
        {"batch": 64, "sequence": 4096}),
    "llama2-70b, 64 H100, tensor and pipeline": (
        "LLaMA2-70B", "dgx-h100", 8, Layout(data=2, tensor=8, pipeline=4), {"batch": 256, "sequence": 4096}),
    "llama2-70b, 64 H100, interleaved": (
        "LLaMA2-70B", "dgx-h100", 8, Layout(data=2, tensor=8, pipeline=4, interleave=5),
        {"batch": 256, "sequence": 4096}),
    "llama2-70b, 64 H100, fp8, sharded in nodes": (
        "LLaMA2-70B", "dgx-h100", 8, Layout(data=64, sharding=WHOLE, sharding_ranks=8, recompute=FULL),
        {"batch": 128, "sequence": 4096, "number_format": "fp8"}),
    "gpt-3, 1024 A100, as published": (
        "GPT-3-175B", "dgx-a100-640", 128, Layout(data=16, tensor=8, pipeline=8, interleave=2), {"batch": 1536}),
    "gpt-3, 1024 A100, unfused attention recomputed": (
        "GPT-3-175B", "dgx-a100-640", 128, Layout(data=16, tensor=8, pipeline=8, recompute=Recompute.SELECTIVE),
        {"batch": 1536, "attention": Attention.UNFUSED, "framework": "eager_unfused"}),
    "llama3-8b, 64 H100, long context": (
        "meta-llama/Llama-3.1-8B", "dgx-h100", 8, Layout(data=4, context=8, tensor=2),
        {"batch": 32, "sequence": 131072}),
    "qwen3-30b, 32 H100, experts spread": (
        "Qwen/Qwen3-30B-A3B", "dgx-h100", 4, Layout(data=32, expert=8, recompute=FULL),
        {"batch": 256, "sequence": 4096}),
    "deepseek-v3, 1024 H100, experts and pipeline": (
        "DeepSeekV3", "dgx-h100", 128, Layout(data=64, pipeline=16, expert=64, recompute=FULL),
        {"batch": 4096, "sequence": 4096, "number_format": "fp8"}),
    "llama2-13b, 32 Ascend, tensor": (
        "LLaMA2-13B", "atlas-800t-a2", 4, Layout(data=4, tensor=8), {"batch": 128, "sequence": 4096}),
    "llama2-7b, 8 A800 on PCIe": (
        "LLaMA2-7B", "pcie-a800-8", 1, Layout(data=8, sharding=WHOLE), {"batch": 32, "sequence": 2048}),
}  # fmt: skip
TUNING = {
    "llama2-7b, 8 A100, lora": ("LLaMA2-7B", TuningMethod.LORA, Layout(data=8)),
    "llama2-70b, 8 A100, qlora": ("LLaMA2-70B", TuningMethod.QLORA, Layout(data=8, recompute=FULL)),
    "llama2-13b, 8 A100, full": ("LLaMA2-13B", TuningMethod.FULL, Layout(data=8, sharding=WHOLE, recompute=FULL)),
}
SERVING = {  # model, accelerator, layout, in flight, what else the setup says
    "llama-8b, H100": ("meta-llama/Llama-3.1-8B", "H100-SXM", ServingLayout(), 32.0, {}),
    "llama-8b, H100, fp8, 256 in flight": (
        "meta-llama/Llama-3.1-8B", "H100-SXM", ServingLayout(), 256.0, {"weight_format": "fp8"}),
    "llama-8b, RTX PRO 6000, int4": (
        "meta-llama/Llama-3.1-8B", "RTX-PRO-6000", ServingLayout(), 16.0, {"weight_format": "int4_weight"}),
    "llama-70b, 8 A100": ("meta-llama/Llama-3.1-70B", "A100-80GB-SXM", ServingLayout(tensor=8), 64.0, {}),
    "llama-70b, 4 H200, two stages": (
        "meta-llama/Llama-3.1-70B", "H200-SXM", ServingLayout(tensor=2, pipeline=2), 64.0, {"weight_format": "fp8"}),
    "llama-70b, 8 MI300X, long prompts": (
        "meta-llama/Llama-3.1-70B", "MI300X", ServingLayout(tensor=8), 32.0, {"input_tokens": 30000.0}),
    "qwen3-30b, H100, drafts": ("Qwen/Qwen3-30B-A3B", "H100-SXM", ServingLayout(), 8.0, {"draft_tokens": 3.0}),
    "qwen3-30b, 4 L40S": ("Qwen/Qwen3-30B-A3B", "L40S", ServingLayout(tensor=4), 64.0, {"weight_format": "fp8"}),
    "deepseek-r1, 8 H200": (
        "deepseek-ai/DeepSeek-R1", "H200-SXM", ServingLayout(tensor=8), 64.0, {"weight_format": "fp8"}),
    "deepseek-r1, 8 H200, experts and data": (
        "deepseek-ai/DeepSeek-R1", "H200-SXM", ServingLayout(attention_data=8, expert=8), 256.0,
        {"weight_format": "fp8"}),
    "llama-8b, B200, prefix cache": (
        "meta-llama/Llama-3.1-8B", "B200-SXM", ServingLayout(), 64.0, {"prefix_hit_share": 0.8}),
    "llama-8b, H100, other engines": (
        "meta-llama/Llama-3.1-8B", "H100-SXM", ServingLayout(), 32.0, {"engine": "trt-llm", "usable_share": 0.8}),
}  # fmt: skip
SMALL = named_model("facebook/opt-125m")
POSTTRAINING = {  # method, answers, what else the job says
    "dpo, a reference beside": (PostMethod.DPO, None, {"beside": REFERENCE}),
    "dpo, adapters": (
        PostMethod.DPO, None, {"beside": REFERENCE, "setup": {"tuning": TuningMethod.LORA, "lora_rank": 16}}),
    "kto, log-probabilities from a file": (PostMethod.KTO, None, {"beside": Beside(reference=Scored.CACHED)}),
    "reward": (PostMethod.REWARD, None, {}),
    "grpo on the same devices": (PostMethod.GRPO, answers_of(), {"beside": REFERENCE, "rollout": TOGETHER}),
    "grpo on others, in turn": (PostMethod.GRPO, answers_of(), {"rollout": apart(), "passes": Passes(updates=2)}),
    "grpo on others, two ahead": (PostMethod.GRPO, answers_of(spread=1.0), {"rollout": apart(lag=2, in_flight=True)}),
    "ppo": (
        PostMethod.PPO, answers_of(group=1, prompts=256),
        {"beside": Beside(reference=Scored.RESIDENT, critic=SMALL, reward=SMALL), "rollout": TOGETHER}),
}  # fmt: skip
CLASSES = (
    "nv-a100-80-sxm", "nv-h100-sxm", "nv-b200-sxm", "nv-l40s", "nv-rtxpro6000", "nv-rtx5090", "nv-v100-sxm2-32",
    "nv-h20", "amd-mi300x", "intel-gaudi3", "ascend-910b2", "tpu-v5e",
)  # fmt: skip
FABRICS = ("dgx-a100-640", "dgx-h100", "atlas-800t-a2", "pcie-a800-8", "cl-deepseek-v3")


def trained(name):
    """Tell a layout's step and memory by cause."""
    model, box, nodes, layout, more = TRAINING[name]
    setup = setup_of(named_model(model), **more)
    found = estimate_layout(setup, cluster_of(nodes, box), layout, KERNELS)
    return {
        "step_seconds": found.step_seconds,
        "memory_bytes": found.memory_bytes,
        "mfu": found.mfu,
        "flop": training_flop(setup),
        "seconds": dict(found.seconds_by_cause),
        "bytes": dict(found.bytes_by_cause),
    }


def adapted(name):
    """Tell a tuning run's step and memory by cause."""
    model, method, layout = TUNING[name]
    setup = setup_of(named_model(model), batch=64, sequence=2048)
    found = estimate_tuning(setup, method, cluster_of(1), layout, KERNELS)
    return {
        "step_seconds": found.step_seconds,
        "seconds": dict(found.seconds_by_cause),
        "bytes": dict(found.bytes_by_cause),
    }


def served(name):
    """Tell a replica's rates, latencies and memory by cause."""
    model, accelerator, layout, flight, more = SERVING[name]
    found = estimate_serving(serving_setup(model, **more), serving_system(accelerator), layout, flight, KERNELS)
    return {
        "ttft_seconds": found.ttft_seconds,
        "tpot_seconds": found.tpot_seconds,
        "requests_per_s": found.requests_per_s,
        "kv_capacity_tokens": found.kv_capacity_tokens,
        "seconds": dict(found.seconds_by_cause),
        "bytes": dict(found.bytes_by_cause),
    }


def posttrained(name):
    """Tell a step of preference or reinforcement tuning by pool, and its memory by cause."""
    method, answers, more = POSTTRAINING[name]
    found = post_step(job_of(method, answers=answers, **more))
    return {
        "step_seconds": found.step_seconds,
        "low_seconds": found.band.low,
        "high_seconds": found.band.high,
        **{pool.name: dict(pool.seconds_by_part) for pool in found.pools},
        "bytes": dict(found.bytes_by_cause),
        "rollout_bytes": {} if found.generated is None else dict(found.generated.bytes_by_cause),
    }


def timed(name):
    """Tell a few kernels of a product in microseconds."""
    device = open_device(catalogue().accelerators[name], KERNELS)
    told = {
        f"matmul {rows:.0f} {form}": float(device.matmul_seconds(rows, 4096.0, 14336.0, form))
        for rows in (1.0, 64.0, 4096.0)
        for form in ("bf16", "fp8", "int4_weight")
    }
    told["experts"] = float(device.matmul_seconds(32.0, 4096.0, 1536.0, "bf16", 64.0))
    for phase, queries in (("prefill", 4096.0), ("decode", 1.0), ("backward", 4096.0)):
        told[phase] = float(device.attention_seconds(phase, queries, 4096.0, 32.0, 8.0, 128.0, 128.0, 8.0))
    told["pass"] = float(device.pass_seconds(1e8))
    return told


def sent(name):
    """Tell the collectives of a system inside a node and over eight."""
    fabric = open_fabric(known_system(name), KERNELS)
    return {
        f"{op} {ranks:.0f} {size:.0e}": float(fabric.collective_seconds(op, size, ranks, 8.0))
        for op in ("all_reduce", "all_gather", "reduce_scatter", "all_to_all", "send")
        for ranks in (2.0, 8.0, 64.0)
        for size in (1e5, 1e9)
    }


GOLDEN = {
    "training": (TRAINING, trained),
    "tuning": (TUNING, adapted),
    "serving": (SERVING, served),
    "posttraining": (POSTTRAINING, posttrained),
    "kernels": (CLASSES, timed),
    "fabrics": (FABRICS, sent),
}
CASES = [(kind, name) for kind, (names, _) in GOLDEN.items() for name in names]


def flat(told, before=""):
    """Name every number of a nested answer."""
    for name, value in told.items():
        if isinstance(value, dict):
            yield from flat(value, f"{before}{name}.")
        else:
            yield before + name, value


def kept(kind):
    """Read the frozen answers of a kind."""
    return json.loads((FOLDER / f"{kind}.json").read_text("utf-8"))


@pytest.mark.skipif(not WRITING, reason="golden numbers are written on purpose only")
@pytest.mark.parametrize("kind", sorted(GOLDEN))
def test_golden_numbers_are_written_when_asked(kind):
    names, tell = GOLDEN[kind]
    text = json.dumps({name: tell(name) for name in names}, indent=1) + "\n"
    (FOLDER / f"{kind}.json").write_text(text, "utf-8")


@pytest.mark.parametrize(("kind", "name"), CASES, ids=[f"{kind}: {name}" for kind, name in CASES])
def test_an_answer_is_what_it_was(kind, name):
    told, frozen = dict(flat(GOLDEN[kind][1](name))), dict(flat(kept(kind)[name]))
    assert list(told) == list(frozen), "causes come by the same names in the same order"
    moved = {
        one: (frozen[one], told[one])
        for one in told
        if told[one] != pytest.approx(frozen[one], rel=TOLERANCE, abs=1e-15)
    }
    assert not moved, f"moved (before, now): {moved}"


@pytest.mark.parametrize("kind", sorted(GOLDEN))
def test_no_golden_number_is_without_its_case(kind):
    assert list(kept(kind)) == list(GOLDEN[kind][0])


def test_golden_pools_are_busy_or_wait_for_the_whole_step():
    for name, told in kept("posttraining").items():
        for pool in {"trainer", "rollout", "together"} & set(told):
            assert sum(told[pool].values()) == pytest.approx(told["step_seconds"], rel=1e-12), name
        assert all(value >= 0 for _, value in flat(told)), name


@pytest.mark.parametrize("kind", ["training", "tuning", "serving"])
def test_golden_answers_are_possible(kind):
    """A frozen number may be wrong, but never absurd: causes sum up, nothing is negative, the peak is not passed."""
    for name, told in kept(kind).items():
        assert all(value >= -1e-12 for _, value in flat(told)), name
        if "step_seconds" in told:
            assert sum(told["seconds"].values()) == pytest.approx(told["step_seconds"], rel=1e-12), name
        assert 0 < told.get("mfu", 0.5) < 1, name

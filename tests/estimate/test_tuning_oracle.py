"""Bytes that tuning holds, by cause, against torch: transformers' models with peft's adapters on storage-less tensors.

    pytest tests/estimate/test_tuning_oracle.py -m oracle -s

prints the agreement of every cause. Real widths of published models, eight layers of them.
"""

import warnings
from dataclasses import dataclass, field, replace

import pytest
from tests.estimate.jobs import CALIBRATION, KERNELS, cluster_of, setup_of

from suanli.domain.layout import Layout, Recompute, Sharding
from suanli.domain.tuning import LowRank
from suanli.domain.workload import TuningMethod
from suanli.estimate.finetuning import tuned
from suanli.estimate.memory import memory_columns
from suanli.estimate.step import job_of, open_machine
from suanli.estimate.tables import to_table
from suanli.parts.architectures.read import read_model

pytestmark = pytest.mark.oracle

TOKENS = 1024
ALL = ("all-linear",)
ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
CAUSES = ("weights", "gradients", "optimizer", "activations")
PEFT = CALIBRATION.software["torch_peft"]


def shape(model_type, hidden, inner, heads, kv_heads, vocabulary, **more):
    """Write a config.json at published widths, cut to eight layers; dropout is off, as tuning recipes have it."""
    return {"model_type": model_type, "hidden_size": hidden, "intermediate_size": inner,
            "num_hidden_layers": 8, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
            "vocab_size": vocabulary, **more}  # fmt: skip


LLAMA = shape("llama", 4096, 14336, 32, 8, 128256)
QWEN2 = shape("qwen2", 3584, 18944, 28, 4, 152064, tie_word_embeddings=False)
QWEN3 = shape("qwen3", 4096, 12288, 32, 8, 151936, head_dim=128, tie_word_embeddings=False)
MISTRAL = shape("mistral", 4096, 14336, 32, 8, 32000)
GEMMA = shape("gemma", 3072, 24576, 16, 16, 256000, head_dim=256)
GEMMA2 = shape("gemma2", 3584, 14336, 16, 8, 256000, head_dim=256)
GEMMA3 = shape("gemma3_text", 2560, 10240, 8, 4, 262208, head_dim=256)
PHI = shape("phi", 2560, 10240, 32, 32, 51200)
PHI3 = shape("phi3", 3072, 8192, 32, 32, 32064)
NEOX = shape("gpt_neox", 4096, 16384, 32, 32, 50432)
FALCON = shape("falcon", 4544, 18176, 71, 1, 65024, multi_query=True, parallel_attn=True, bias=False)
GPT2 = {"model_type": "gpt2", "n_embd": 1600, "n_layer": 8, "n_head": 25, "vocab_size": 50257, "n_positions": 1024,
        "resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}  # fmt: skip
STARCODER = shape("starcoder2", 3072, 12288, 24, 2, 49152, bos_token_id=0, eos_token_id=0)
GLM = shape("glm4", 4096, 13696, 32, 2, 151552, head_dim=128)
OLMO = shape("olmo2", 4096, 11008, 32, 32, 100352)
GRANITE = shape("granite", 2048, 8192, 32, 8, 49155)
MIXTRAL = shape("mixtral", 4096, 14336, 32, 8, 32000, num_local_experts=8, num_experts_per_tok=2)
QWEN_EXPERTS = shape("qwen3_moe", 2048, 6144, 32, 4, 151936, head_dim=128, moe_intermediate_size=768, num_experts=128,
                     num_experts_per_tok=8)  # fmt: skip
DEEPSEEK = shape("deepseek_v2", 2048, 10944, 16, 16, 102400, moe_intermediate_size=1408, n_routed_experts=64,
                 n_shared_experts=2, num_experts_per_tok=6, q_lora_rank=None, kv_lora_rank=512, qk_rope_head_dim=64,
                 qk_nope_head_dim=128, v_head_dim=128, first_k_dense_replace=1, head_dim=64)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """A config, what is trained of it and how what stays is stored."""

    config: dict = field(hash=False)
    targets: tuple = ALL
    rank: int = 16
    dora: bool = False
    form: str | None = None
    again: bool = False


CASES = {
    "Llama-3-8B, full": Case(LLAMA, rank=0),
    "Llama-3-8B, LoRA q, v": Case(LLAMA, ("q_proj", "v_proj"), 8),
    "Llama-3-8B, LoRA": Case(LLAMA),
    "Llama-3-8B, LoRA, checkpointed": Case(LLAMA, again=True),
    "Llama-3-8B, DoRA": Case(LLAMA, dora=True),
    "Llama-3-8B, QLoRA": Case(LLAMA, form="nf4-dq", rank=64),
    "Qwen2.5-7B, LoRA": Case(QWEN2, rank=32),
    "Qwen2.5-7B, DoRA q, v": Case(QWEN2, ("q_proj", "v_proj"), dora=True),
    "Qwen3-8B, QLoRA": Case(QWEN3, form="nf4"),
    "Mistral-7B, QLoRA attention": Case(MISTRAL, ATTENTION, 64, form="nf4"),
    "Mistral-7B, full": Case(MISTRAL, rank=0),
    "Gemma-7B, LoRA": Case(GEMMA),
    "Gemma-2-9B, QLoRA": Case(GEMMA2, form="nf4-dq"),
    "Gemma-3-4B, LoRA": Case(GEMMA3),
    "Phi-2, LoRA": Case(PHI),
    "Phi-3-mini, QLoRA": Case(PHI3, form="nf4-dq"),
    "GPT-NeoX (Pythia-6.9B), LoRA": Case(NEOX),
    "Falcon-7B, QLoRA": Case(FALCON, form="nf4"),
    "GPT-2-XL, LoRA c_attn": Case(GPT2, ("c_attn",), 8),
    "StarCoder2-3B, LoRA": Case(STARCODER),
    "GLM-4-9B, LoRA": Case(GLM),
    "OLMo-2-7B, DoRA": Case(OLMO, dora=True),
    "Granite-2B, LoRA": Case(GRANITE),
    "Mixtral-8x7B, LoRA attention": Case(MIXTRAL, ATTENTION),
    "Qwen3-30B-A3B, LoRA attention": Case(QWEN_EXPERTS, ATTENTION),
    "DeepSeek-V2-Lite, LoRA q, o": Case(DEEPSEEK, ("q_proj", "o_proj")),
}


def torchs(case):
    """Torch's account of a case."""
    torch_tuned = pytest.importorskip("tests.estimate.torch_tuned", exc_type=ImportError)
    targets = "all-linear" if case.targets == ALL else list(case.targets)
    adapters = {"r": case.rank, "target_modules": targets, "use_dora": case.dora} if case.rank else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch_tuned.held(case.config, adapters, case.form, TOKENS, again=case.again)


def told(case):
    """Our bytes by cause of the same."""
    setup = setup_of(read_model(case.config, "model"), sequence=TOKENS, batch=1, framework="torch_peft")
    method = TuningMethod.FULL
    if case.rank:
        method = TuningMethod.QLORA if case.form else TuningMethod.LORA
        low = LowRank(rank=case.rank, targets=case.targets, dora=case.dora)
        setup = replace(setup, adapters=low, frozen_format=case.form or "")
    setup = tuned(setup, method, CALIBRATION)
    layout = Layout(sharding=Sharding.NONE, recompute=Recompute.FULL if case.again else Recompute.NONE)
    frozen = CALIBRATION.frozen_bytes[case.form] if case.form else 2.0
    job = job_of(setup, open_machine(cluster_of(1), KERNELS))
    found = memory_columns(setup, job, PEFT, to_table([layout]), frozen)
    return {name: float(one[0]) for name, one in found.causes.items()}


def compared(case):
    """Ours and torch's by cause; gradients and moments of full tuning are of the class's bytes a parameter."""
    ours, theirs = told(case), torchs(case)
    states = {"gradients": theirs.gradients, "optimizer": theirs.optimizer}
    if not case.rank:
        states = {
            "gradients": theirs.trained * PEFT.gradient_bytes, "optimizer": theirs.trained * PEFT.optimizer_bytes,
        }  # fmt: skip
    torch = {"weights": theirs.weights, **states, "activations": theirs.activations}
    return {name: (ours[name], torch[name]) for name in CAUSES}


@pytest.mark.parametrize("name", CASES)
def test_tuning_holds_what_torch_says(name):
    """The whole within 2 %, and what trains to the parameter."""
    found = compared(CASES[name])
    whole = [sum(pair[at] for pair in found.values()) for at in (0, 1)]
    said = ", ".join(f"{cause} {ours / torch - 1:+.2%}" for cause, (ours, torch) in found.items())
    print(f"{name}: {whole[1] / 2**30:.2f} GiB, {whole[0] / whole[1] - 1:+.2%} ({said})")
    assert found["gradients"][0] == pytest.approx(found["gradients"][1], rel=1e-9), "adapters are peft's"
    assert whole[0] == pytest.approx(whole[1], rel=0.02)
    assert found["activations"][0] == pytest.approx(found["activations"][1], rel=0.06, abs=0.005 * whole[1])

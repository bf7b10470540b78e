"""Replicas to try rules on: packaged models on catalogued systems, and hardware that is better in one respect."""

from dataclasses import fields, replace
from functools import cache

from suanli.catalogue.engines import load_engines
from suanli.catalogue.find import accelerator, default_system
from suanli.catalogue.kernels import load_kernels
from suanli.domain.workload import ServingLayout, ServingSetup
from suanli.estimate.serving_open import open_replica
from suanli.parts.architectures.read import named_model, read_model

LLAMA = "meta-llama/Llama-3.1-8B"
LLAMA_70B = "meta-llama/Llama-3.1-70B"
DEEPSEEK = "deepseek-ai/DeepSeek-R1"
MIXTURE = "Qwen/Qwen3-30B-A3B"


@cache
def system(name="H100-SXM"):
    return default_system(accelerator(name).id)


def setup(model=LLAMA, **changes):
    told = {"input_tokens": 1000.0, "output_tokens": 500.0, "kv_format": "auto", **changes}
    return ServingSetup(model=named_model(model) if isinstance(model, str) else model, **told)


def replica(model=LLAMA, accelerator_name="H100-SXM", layout=None, box=None, **changes):
    return open_replica(
        setup(model, **changes),
        box or system(accelerator_name),
        layout or ServingLayout(),
        load_kernels(),
        load_engines(),
    )


def times(figure, factor):
    """Return a figure so many times as large."""
    return replace(figure, value=figure.value * factor, low=figure.low * factor, high=figure.high * factor)


def better(box, *, memory_speed=1.0, peaks=1.0, link=1.0, memory=1.0):
    """Return a system whose accelerators are so many times better in one respect."""
    inside = box.accelerator
    faster = replace(
        inside,
        memory_bytes_per_s=times(inside.memory_bytes_per_s, memory_speed),
        memory_bytes=times(inside.memory_bytes, memory),
        peak_flop_per_s={name: times(peak, peaks) for name, peak in inside.peak_flop_per_s.items()},
        link=replace(inside.link, bytes_per_s=times(inside.link.bytes_per_s, link)),
    )
    return replace(box, accelerator=faster, link=replace(box.link, bytes_per_s=times(box.link.bytes_per_s, link)))


def _perfect(kernel):
    """Return a kernel family that reaches the peaks and costs nothing to start."""
    best = {
        "ceiling_share": 1.0, "memory_share": 1.0, "wave_softness": 0.0, "inner_ramp": 0.0, "key_ramp": 0.0,
        "floor_seconds": 0.0, "root_step_seconds": 0.0, "dressing_bytes": 0.0, "softmax_dims": 0.0,
    }  # fmt: skip
    return replace(kernel, **{field.name: best[field.name] for field in fields(kernel) if field.name in best})


def perfect(one):
    """Return the replica with infinite arithmetic, memory at its data-sheet speed, and an engine that costs nothing."""
    kernels = one.device.kernels
    families = {
        name: {key: _perfect(kernel) for key, kernel in getattr(kernels, name).items()}
        for name in ("matmul", "prefill", "decode", "backward")
    }
    inside = one.device.accelerator
    endless = replace(inside, peak_flop_per_s={key: times(peak, 1e9) for key, peak in inside.peak_flop_per_s.items()})
    device = replace(
        one.device,
        accelerator=endless,
        kernels=replace(kernels, **families, element_pass=_perfect(kernels.element_pass)),
    )
    free = replace(
        one.engine, kernel_slack=1.0, host_seconds=0.0, rank_host_seconds=0.0, layer_seconds=0.0, sequence_seconds=0.0,
        request_seconds=0.0, front_seconds=0.0,
    )  # fmt: skip
    return replace(one, device=device, engine=free)


def small_model(**changes):
    """Read a small dense model from a config written in place."""
    config = {
        "model_type": "llama", "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 8,
        "num_attention_heads": 16, "num_key_value_heads": 4, "vocab_size": 32000, "max_position_embeddings": 8192,
        "tie_word_embeddings": False, "torch_dtype": "bfloat16", **changes,
    }  # fmt: skip
    return read_model(config, "small")


def small_mixture(experts=8, chosen=2, **changes):
    """Read a small mixture of experts."""
    return small_model(model_type="mixtral", num_local_experts=experts, num_experts_per_tok=chosen, **changes)

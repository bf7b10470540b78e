"""Bring the odd configs into the common form: what they say in nested mappings, codes or flags, said in counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from suanli.foundation.registry import Registry
from suanli.parts.architectures.families import table

Config = Mapping[str, Any]
PREPARERS: Registry[Callable[[Config], dict[str, Any]]] = Registry("config form")


def _part(config: Config, name: str) -> Config:
    value = config.get(name)
    return value if isinstance(value, Mapping) else {}


def _whole(value: object) -> int | None:
    """Return a whole number that a config may say; any other value is left to its reader, which refuses it."""
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) <= table()["limits"]["largest_count"]
    return value if whole and isinstance(value, int) else None


def _wholes(value: object) -> list[int]:
    listed = value if isinstance(value, list) else []
    return [whole for whole in map(_whole, listed) if whole is not None]


def _layers(config: Config) -> int | None:
    """Return the number of layers where it is one that a model may have; a wrong one is told later, by its reader."""
    number = _whole(config.get("num_hidden_layers"))
    return number if number is not None and 0 < number <= table()["limits"]["most_layers"] else None


def _renamed(config: Config, section: str, names: Mapping[str, str]) -> dict[str, Any]:
    """Lift keys of a nested mapping to the top under other names, where the top does not say them."""
    part = _part(config, section)
    lifted = {new: part[old] for old, new in names.items() if part.get(old) is not None}
    return {**lifted, **config}


def multi_query(config: Config) -> dict[str, Any]:
    """GPT-BigCode: one key head for all queries, unless multi_query is false."""
    return {"num_key_value_heads": 1, **config} if config.get("multi_query", True) is True else dict(config)


def falcon(config: Config) -> dict[str, Any]:
    """Falcon: key heads by its three flags, and the norms of a layer by two more."""
    new = config.get("new_decoder_architecture") is True
    parallel = config.get("parallel_attn", True) is not False
    many = config.get("multi_query", True) is not True
    norms = config.get("num_ln_in_parallel_attn")
    two = norms == 2 if norms is not None else new
    made = {key: value for key, value in config.items() if key not in {"num_kv_heads", "n_head_kv"}}
    if new:
        made["num_key_value_heads"] = config.get("num_kv_heads", config.get("n_head_kv"))
    elif not many:
        made["num_key_value_heads"] = 1
    made["two_norms"] = two if new or parallel else True
    return made


def chatglm(config: Config) -> dict[str, Any]:
    """ChatGLM: as many key heads as heads, unless multi_query_attention groups them."""
    grouped = config.get("multi_query_attention") is True
    return {key: value for key, value in config.items() if grouped or key != "multi_query_group_num"}


def qwen(config: Config) -> dict[str, Any]:
    """Qwen 1: the config says twice the width of the gated block."""
    made, width = dict(config), _whole(config.get("intermediate_size"))
    if width is not None:
        made["intermediate_size"] = width // 2
    made.pop("num_key_value_heads", None)
    return made


def mpt(config: Config) -> dict[str, Any]:
    """MPT: the width of the block as a ratio; key heads inside attn_config."""
    made = _renamed(config, "attn_config", {"kv_n_heads": "num_key_value_heads"})
    ratio, hidden = _whole(config.get("expansion_ratio", 4)), _whole(config.get("d_model"))
    if ratio is not None and hidden is not None:
        made.setdefault("intermediate_size", ratio * hidden)
    return made


def dbrx(config: Config) -> dict[str, Any]:
    """DBRX: attention and experts in mappings of their own."""
    made = _renamed(config, "attn_config", {"kv_n_heads": "num_key_value_heads"})
    names = {"ffn_hidden_size": "moe_intermediate_size", "moe_num_experts": "num_experts", "moe_top_k": "moe_top_k"}
    return _renamed(made, "ffn_config", names)


def minimax_m3(config: Config) -> dict[str, Any]:
    """MiniMax M3: the sparse index in a mapping of its own, its layers as flags."""
    names = {
        "sparse_num_index_heads": "index_n_heads",
        "sparse_index_dim": "index_head_dim",
        "sparse_block_size": "index_block_size",
        "sparse_topk_blocks": "index_topk_blocks",
    }
    made = _renamed(config, "sparse_attention_config", names)
    flags = _part(config, "sparse_attention_config").get("sparse_attention_freq")
    if isinstance(flags, list) and not config.get("layer_types"):
        made["layer_types"] = ["minimax_m3_sparse" if flag else "full_attention" for flag in flags]
    return made


def kimi_linear(config: Config) -> dict[str, Any]:
    """Kimi Linear: the linear layers' sizes in a mapping of their own, layers numbered from 1."""
    names = {"head_dim": "linear_head_dim", "num_heads": "linear_num_heads"}
    names |= {"short_conv_kernel_size": "linear_conv_kernel_dim", "use_full_rank_gate": "use_full_rank_gate"}
    part = _part(config, "linear_attn_config")
    made = {**config, **{new: part[old] for old, new in names.items() if part.get(old) is not None}}
    full, linear, layers = _wholes(part.get("full_attn_layers")), _wholes(part.get("kda_layers")), _layers(config)
    if layers is not None and layers <= len(full) + len(linear):
        made["layer_types"] = [
            "full_attention" if number in full else "linear_attention" for number in range(1, layers + 1)
        ]
    return made


def hunyuan(config: Config) -> dict[str, Any]:
    """Hunyuan: one count for each layer where all are the same; experts as wide as the block unless said."""
    made = dict(config)
    for name in ("moe_topk", "num_shared_expert", "moe_intermediate_size", "num_experts"):
        value = config.get(name)
        if isinstance(value, list) and value and all(item == value[0] for item in value):
            made[name] = value[0]
    if made.get("moe_intermediate_size") is None and "intermediate_size" in made:
        made["moe_intermediate_size"] = made["intermediate_size"]
    return made


def mimo_v2(config: Config) -> dict[str, Any]:
    """MiMo V2: windowed layers have twice the key heads, unless the config says how many."""
    keys = _whole(config.get("num_key_value_heads"))
    return dict(config) if keys is None else {"swa_num_key_value_heads": 2 * keys, **config}


def step(config: Config) -> dict[str, Any]:
    """Step 3.5 and 3.7: windowed layers' heads in a mapping of their own, expert layers in a list or a text."""
    made = _renamed(config, "attention_other_setting", {"num_attention_heads": "num_sliding_attention_heads"})
    layers, named = _layers(config), config.get("moe_layers_enum")
    if layers is None or config.get("mlp_layer_types"):
        return made
    items = named.split(",") if isinstance(named, str) else named if isinstance(named, list) else None
    chosen = {str(item).strip() for item in items or range(3, layers)}
    made["mlp_layer_types"] = ["sparse" if str(index) in chosen else "dense" for index in range(layers)]
    return made


STRIDES: dict[int | None, str] = {
    0: "sliding_attention",
    4: "compressed_sparse_attention",
    128: "heavily_compressed_attention",
}
"""What DeepSeek V4's older configs say as a number of tokens for each cached entry."""


def deepseek_v4(config: Config) -> dict[str, Any]:
    """DeepSeek V4: layers as the number of tokens that share an entry, or the family's own alternation."""
    made, strides, layers = dict(config), config.get("compress_ratios"), _layers(config)
    if config.get("layer_types"):
        return made
    if isinstance(strides, list):
        made["layer_types"] = [STRIDES.get(_whole(stride), str(stride)) for stride in strides]
    elif layers is not None:
        far = [STRIDES[4 if index % 2 and index > 1 else 128] for index in range(layers)]
        made["layer_types"] = far
    return made


CODES = {"M": "mamba", "*": "attention", "-": "mlp", "E": "moe"}
"""The letters of Nemotron-H's layer pattern."""


def nemotron_h(config: Config) -> dict[str, Any]:
    """Nemotron-H: one letter for each layer, which has either a mixer or a feed-forward."""
    made, letters = dict(config), config.get("hybrid_override_pattern")
    if isinstance(letters, str) and not config.get("layers_block_type"):
        made["layers_block_type"] = [CODES.get(letter, letter) for letter in letters]
    drafts = config.get("mtp_hybrid_override_pattern")
    if isinstance(drafts, str) and not config.get("mtp_layers_block_type"):
        made["mtp_layers_block_type"] = [CODES.get(letter, letter) for letter in drafts]
    if isinstance(made.get("layers_block_type"), list):
        made["num_hidden_layers"] = len(made["layers_block_type"])
    return made


PREPARERS.add("multi_query", multi_query)
PREPARERS.add("falcon", falcon)
PREPARERS.add("chatglm", chatglm)
PREPARERS.add("qwen", qwen)
PREPARERS.add("mpt", mpt)
PREPARERS.add("dbrx", dbrx)
PREPARERS.add("minimax_m3", minimax_m3)
PREPARERS.add("kimi_linear", kimi_linear)
PREPARERS.add("hunyuan", hunyuan)
PREPARERS.add("mimo_v2", mimo_v2)
PREPARERS.add("step", step)
PREPARERS.add("nemotron_h", nemotron_h)
PREPARERS.add("deepseek_v4", deepseek_v4)

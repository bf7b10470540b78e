"""Parameter totals of families written out as one formula each, from their papers and published modelling code.

They are written anew here, by hand and without the blocks of the package, so that the two can be held to each other.
"""

from collections.abc import Callable, Mapping
from typing import Any

from suanli.parts.architectures.read import TEXT_SECTIONS

Config = Mapping[str, Any]
SWIGLU, PLAIN = 3, 2


def text_part(config: Config) -> dict[str, Any]:
    """Return the language part of a config, with what it takes from the whole."""
    for section in TEXT_SECTIONS:
        if isinstance(config.get(section), Mapping):
            return {**config, **config[section]}
    return dict(config)


def first(config: Config, *names: str, default: Any = None) -> Any:
    """Return what stands under the first of these names that says anything."""
    return next((config[name] for name in names if config.get(name) is not None), default)


def sizes(config: Config) -> tuple[int, int, int, int, int]:
    """Return hidden width, layers, vocabulary, query width and key width."""
    hidden = first(config, "hidden_size", "n_embd", "d_model")
    heads = first(config, "num_attention_heads", "n_head", "n_heads")
    width = first(config, "head_dim", "attention_head_dim", "kv_channels", default=hidden // heads)
    keys = first(config, "num_key_value_heads", "num_kv_heads", default=heads)
    layers = first(config, "num_hidden_layers", "n_layer", "n_layers", "num_layers")
    return hidden, layers, first(config, "vocab_size", "padded_vocab_size"), heads * width, keys * width


def tables(config: Config, tied: bool = False) -> int:
    """Count the token table, and the head where it is a matrix of its own."""
    hidden, _, vocabulary, _, _ = sizes(config)
    return vocabulary * hidden * (1 if first(config, "tie_word_embeddings", default=tied) else 2)


def grouped(config: Config) -> int:
    """Count the four projections of grouped attention, without biases."""
    hidden, _, _, queries, keys = sizes(config)
    return hidden * (2 * queries + 2 * keys)


def llama(config: Config) -> int:
    """Touvron 2023: grouped attention, SwiGLU, two scales a layer and one at the end, no bias."""
    hidden, layers, *_ = sizes(config)
    block = grouped(config) + SWIGLU * hidden * config["intermediate_size"] + 2 * hidden
    return tables(config) + layers * block + hidden


def qwen2(config: Config) -> int:
    """Llama with biases on queries, keys and values."""
    _, layers, _, queries, keys = sizes(config)
    return llama(config) + layers * (queries + 2 * keys)


def qwen3(config: Config) -> int:
    """Llama with a norm of one head's width on queries and one on keys."""
    return llama(config) + sizes(config)[1] * 2 * config["head_dim"]


def internlm(config: Config) -> int:
    """Llama with biases on all four projections where the config says bias."""
    hidden, layers, _, queries, keys = sizes(config)
    return llama(config) + config["bias"] * layers * (queries + 2 * keys + hidden)


def mixtral(config: Config) -> int:
    """Llama with as many SwiGLU blocks as experts, and a router."""
    hidden, layers, *_ = sizes(config)
    experts, block = config["num_local_experts"], SWIGLU * hidden * config["intermediate_size"]
    return llama(config) + layers * ((experts - 1) * block + experts * hidden)


def grok(config: Config) -> int:
    """Mixtral with four norms a layer, and the head tied to the token table."""
    hidden, layers, vocabulary, _, _ = sizes(config)
    return mixtral(config) + layers * 2 * hidden - vocabulary * hidden


def gpt_oss(config: Config) -> int:
    """Mixtral with biases everywhere, a learned sink for each head, and no shared expert."""
    hidden, layers, _, queries, keys = sizes(config)
    experts, width = config["num_local_experts"], config["intermediate_size"]
    biases = queries + 2 * keys + hidden + experts + experts * (2 * width + hidden)
    return mixtral(config) + layers * (biases + config["num_attention_heads"])


def minimax_m2(config: Config) -> int:
    """Mixtral with norms over the whole width of queries and of keys."""
    _, layers, _, queries, keys = sizes(config)
    return mixtral(config) + layers * (queries + keys)


def qwen3_moe(config: Config) -> int:
    """Qwen 3 with experts in every layer."""
    hidden, layers, *_ = sizes(config)
    experts = config["num_experts"] * (SWIGLU * hidden * config["moe_intermediate_size"] + hidden)
    block = grouped(config) + 2 * config["head_dim"] + experts + 2 * hidden
    return tables(config) + layers * block + hidden


def glm4_moe(config: Config) -> int:
    """GLM 4.5: biased queries, dense first layers, then routed experts beside a shared one."""
    hidden, layers, _, queries, keys = sizes(config)
    dense = config["first_k_dense_replace"]
    norms = 2 * config["head_dim"] if config["use_qk_norm"] else 0
    attention = grouped(config) + queries + 2 * keys + norms + 2 * hidden
    expert = SWIGLU * hidden * config["moe_intermediate_size"]
    mixture = (config["n_routed_experts"] + config["n_shared_experts"]) * expert + config["n_routed_experts"] * hidden
    plain = SWIGLU * hidden * config["intermediate_size"]
    return tables(config) + layers * attention + dense * plain + (layers - dense) * mixture + hidden


def deepseek(config: Config) -> int:
    """DeepSeek V2 and V3: latent attention, dense first layers, routed and shared experts; V3.2's index where said."""
    hidden, layers, *_ = sizes(config)
    heads, rank, queries = config["num_attention_heads"], config["kv_lora_rank"], config["q_lora_rank"]
    rotary, plain, value = config["qk_rope_head_dim"], config["qk_nope_head_dim"], config["v_head_dim"]
    attention = hidden * queries + queries + queries * heads * (plain + rotary)
    attention += hidden * (rank + rotary) + rank + rank * heads * (plain + value) + heads * value * hidden
    if config.get("index_topk"):
        index, width = config["index_n_heads"], config["index_head_dim"]
        attention += queries * index * width + hidden * width + hidden * index + 2 * width
    expert, dense = SWIGLU * hidden * config["moe_intermediate_size"], config["first_k_dense_replace"]
    mixture = (config["n_routed_experts"] + config["n_shared_experts"]) * expert + config["n_routed_experts"] * hidden
    feeds = dense * SWIGLU * hidden * config["intermediate_size"] + (layers - dense) * mixture
    return tables(config) + layers * (attention + 2 * hidden) + feeds + hidden


def gpt2(config: Config) -> int:
    """Radford 2019: full attention, two matrices four times as wide, biases everywhere, learned positions, tied."""
    hidden, layers, vocabulary, *_ = sizes(config)
    block = 12 * hidden * hidden + 13 * hidden
    return vocabulary * hidden + config["n_positions"] * hidden + layers * block + 2 * hidden


def gptj(config: Config) -> int:
    """GPT-J: attention without bias beside a biased feed-forward under one norm; the head has a bias."""
    hidden, layers, vocabulary, *_ = sizes(config)
    block = 12 * hidden * hidden + 5 * hidden + 2 * hidden
    return 2 * vocabulary * hidden + vocabulary + layers * block + 2 * hidden


def phi(config: Config) -> int:
    """Phi 1 and 2: GPT-J with biased attention."""
    return gptj(config) + sizes(config)[1] * 4 * sizes(config)[0]


def gpt_neox(config: Config) -> int:
    """GPT-NeoX: GPT-2's block without learned positions, with a head of its own."""
    hidden, layers, vocabulary, *_ = sizes(config)
    block = 4 * hidden * hidden + 4 * hidden + PLAIN * hidden * config["intermediate_size"]
    block += config["intermediate_size"] + hidden + 4 * hidden
    return 2 * vocabulary * hidden + layers * block + 2 * hidden


def bloom(config: Config) -> int:
    """BLOOM: GPT-2's block without positions, with a norm after the token table."""
    hidden, layers, vocabulary, *_ = sizes(config)
    return vocabulary * hidden + layers * (12 * hidden * hidden + 13 * hidden) + 2 * hidden + 2 * hidden


def opt(config: Config) -> int:
    """OPT: GPT-2's block; positions are two rows longer than said."""
    hidden, layers, vocabulary, *_ = sizes(config)
    width = config["ffn_dim"]
    block = 4 * hidden * hidden + 4 * hidden + PLAIN * hidden * width + width + hidden + 4 * hidden
    return (vocabulary + config["max_position_embeddings"] + 2) * hidden + layers * block + 2 * hidden


def mpt(config: Config) -> int:
    """MPT: full attention and two matrices without any bias, norms with a scale alone, tied."""
    hidden, layers, vocabulary, *_ = sizes(config)
    block = (4 + PLAIN * config["expansion_ratio"]) * hidden * hidden + 2 * hidden
    return vocabulary * hidden + layers * block + hidden


def falcon(config: Config) -> int:
    """Falcon: one key head, or groups with two norms in the new decoder; no bias but the norms', tied."""
    new = config["new_decoder_architecture"]
    keys = config["num_kv_heads"] if new else 1
    hidden, layers, vocabulary, queries, key_width = sizes({**config, "num_key_value_heads": keys})
    block = hidden * (2 * queries + 2 * key_width) + PLAIN * 4 * hidden * hidden + (2 if new else 1) * 2 * hidden
    return vocabulary * hidden + layers * block + 2 * hidden


def gemma2(config: Config) -> int:
    """Gemma 2: Llama with four norms a layer, tied."""
    hidden, layers, *_ = sizes(config)
    return llama({**config, "tie_word_embeddings": True}) + layers * 2 * hidden


def gemma3(config: Config) -> int:
    """Gemma 3: Gemma 2 with norms of queries and keys; sizes that its config leaves out are its defaults."""
    whole = {"num_attention_heads": 8, "num_key_value_heads": 4, "vocab_size": 262208, "head_dim": 256, **config}
    return gemma2(whole) + sizes(whole)[1] * 2 * whole["head_dim"]


def chatglm(config: Config) -> int:
    """ChatGLM 3 and GLM 4: Llama with two key groups and biased queries, keys and values."""
    groups = {"num_key_value_heads": config["multi_query_group_num"], "intermediate_size": config["ffn_hidden_size"]}
    return qwen2({**config, **groups})


def qwen(config: Config) -> int:
    """Qwen 1: Llama with biased queries, keys and values; the config says twice the width."""
    return qwen2({**config, "intermediate_size": config["intermediate_size"] // 2})


def llama4(config: Config) -> int:
    """Llama 4: a routed and a shared expert in every n-th layer, a wider dense block in the others."""
    hidden, layers, *_ = sizes(config)
    every = first(config, "interleave_moe_layer_step", default=1)
    sparse = layers // every
    expert = SWIGLU * hidden * config["intermediate_size"]
    mixture = (config["num_local_experts"] + 1) * expert + config["num_local_experts"] * hidden
    feeds = sparse * mixture + (layers - sparse) * SWIGLU * hidden * config.get("intermediate_size_mlp", 0)
    return tables(config) + layers * (grouped(config) + 2 * hidden) + feeds + hidden


def _delta(config: Config, hidden: int) -> int:
    keys = config["linear_num_key_heads"] * config["linear_key_head_dim"]
    heads, width = config["linear_num_value_heads"], config["linear_value_head_dim"]
    values = heads * width
    entry = hidden * (2 * keys + 2 * values) + hidden * 2 * heads
    return entry + (2 * keys + values) * config["linear_conv_kernel_dim"] + values * hidden + 2 * heads + width


def qwen3_next(config: Config) -> int:
    """Qwen 3 Next and 3.5: three layers of the gated delta rule for one of gated attention; dense or with experts."""
    hidden, layers, _, queries, _ = sizes(config)
    full = layers // config["full_attention_interval"]
    attention = grouped(config) + hidden * queries + 2 * config["head_dim"]
    if config.get("num_experts"):
        expert = SWIGLU * hidden * config["moe_intermediate_size"]
        shared = SWIGLU * hidden * config["shared_expert_intermediate_size"] + hidden
        feed = config["num_experts"] * (expert + hidden) + shared
    else:
        feed = SWIGLU * hidden * config["intermediate_size"]
    mixers = full * attention + (layers - full) * _delta(config, hidden)
    return tables(config) + mixers + layers * (feed + 2 * hidden) + hidden


def _mamba2(config: Config, hidden: int) -> int:
    heads = config["mamba_num_heads"]
    inner, sides = heads * config["mamba_head_dim"], 2 * config["n_groups"] * config["ssm_state_size"]
    convolved = (inner + sides) * (config["conv_kernel"] + 1)
    return hidden * (2 * inner + sides + heads) + convolved + inner * hidden + 3 * heads + inner


def nemotron_h(config: Config) -> int:
    """Nemotron-H: one block a layer under one norm: Mamba 2, attention, two matrices, or experts in a narrow space."""
    hidden, _, _, queries, keys = sizes(config)
    letters = config["hybrid_override_pattern"]
    total = letters.count("M") * _mamba2(config, hidden) + letters.count("*") * hidden * (2 * queries + 2 * keys)
    if "-" in letters:
        total += letters.count("-") * PLAIN * hidden * config["intermediate_size"]
    if "E" in letters:
        narrow, experts = config.get("moe_latent_size", hidden), config["n_routed_experts"]
        mixture = experts * PLAIN * narrow * config["moe_intermediate_size"] + experts * hidden
        mixture += PLAIN * hidden * config["moe_shared_expert_intermediate_size"]
        mixture += PLAIN * hidden * narrow if narrow != hidden else 0
        total += letters.count("E") * mixture
    return tables(config) + total + len(letters) * hidden + hidden


def _compressor(hidden: int, width: int, stride: int, series: int) -> int:
    return 2 * hidden * series * width + stride * series * width + width


def deepseek_v4(config: Config) -> int:
    """DeepSeek V4: one key head that is also value, compressors of 4 or 128 tokens, streams mixed around each block."""
    hidden, layers, _, queries, _ = sizes(config)
    width, rank, streams = config["head_dim"], config["q_lora_rank"], config["hc_mult"]
    out_rank, groups = config["o_lora_rank"], config["o_groups"]
    attention = hidden * rank + rank * queries + hidden * width + queries * out_rank + groups * out_rank * hidden
    attention += rank + width + config["num_attention_heads"]
    index_heads, index_width = config["index_n_heads"], config["index_head_dim"]
    fine = _compressor(hidden, width, 4, 2) + _compressor(hidden, index_width, 4, 2)
    fine += rank * index_heads * index_width + hidden * index_heads
    coarse = _compressor(hidden, width, 128, 1)
    strides = config["compress_ratios"][:layers]
    mixers = layers * attention + strides.count(4) * fine + strides.count(128) * coarse
    expert, experts = SWIGLU * hidden * config["moe_intermediate_size"], config["n_routed_experts"]
    feed = (experts + config["n_shared_experts"]) * expert + experts * hidden
    mixed = streams * streams + 2 * streams
    extra = 2 * (streams * hidden * mixed + mixed) + 2 * (1 + 2)
    head = streams * hidden * streams + streams + 1
    return tables(config) + mixers + layers * (feed + extra + 2 * hidden) + hidden + head


RULES: Mapping[str, Callable[[Config], int]] = {
    "llama": llama, "yi": llama, "mistral": llama, "phi3": llama, "internlm2": llama, "qwen2": qwen2, "qwen3": qwen3,
    "internlm": internlm, "mixtral": mixtral, "grok-1": grok, "gpt_oss": gpt_oss, "minimax_m2": minimax_m2,
    "qwen3_moe": qwen3_moe, "glm4_moe": glm4_moe, "deepseek_v2": deepseek, "deepseek_v3": deepseek, "gpt2": gpt2,
    "gptj": gptj, "phi": phi, "gpt_neox": gpt_neox, "bloom": bloom, "opt": opt, "mpt": mpt, "falcon": falcon,
    "gemma2": gemma2, "gemma3_text": gemma3, "chatglm": chatglm, "qwen": qwen, "llama4_text": llama4,
    "qwen3_next": qwen3_next, "qwen3_5_text": qwen3_next, "qwen3_5_moe_text": qwen3_next, "nemotron_h": nemotron_h,
    "deepseek_v4": deepseek_v4,
}  # fmt: skip

"""Seconds of one step of a replica, by cause: prompts in prefill, sequences in decode, what the engine adds."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from suanli.domain.model import Core, CoreKind, Layer, Role
from suanli.equations import batching
from suanli.estimate.serving_adapters import adapter_seconds
from suanli.estimate.serving_context import earlier_terms, exchange_seconds, gather_seconds
from suanli.estimate.serving_launch import least_seconds
from suanli.estimate.serving_replica import (
    DENSE_ROLES,
    EXPERT_ROLES,
    Drafting,
    Product,
    Replica,
    layers_of,
)
from suanli.foundation.equation import Real

CAUSES = ("matmul", "experts", "attention", "passes", "communication", "head", "engine")
WIDE_BYTES = 2.0
"""Bytes of an activation element between kernels (16-bit by convention of all engines)."""
STATE_BYTES = 4.0
"""Bytes of an element of a recurrent state (kept in fp32)."""
SCAN_TOKENS = 64.0
"""Tokens that a chunked scan takes between two visits of its state."""


@dataclass(frozen=True, kw_only=True, slots=True)
class StepLoad:
    """What one step of a replica carries.

    `decoding` sequences with `context` cached positions get `verified` tokens each; `prompt_tokens` of `prompts`
    prompts are prefilled, whose keys end on average at `prompt_context`.
    """

    decoding: Real = 0.0
    context: Real = 1.0
    prompt_tokens: Real = 0.0
    prompts: Real = 0.0
    prompt_context: Real = 1.0
    verified: Real = 1.0

    @property
    def rows(self) -> Real:
        """Tokens that pass the matrices."""
        return self.decoding * self.verified + self.prompt_tokens


def step_causes(replica: Replica, load: StepLoad) -> dict[str, Real]:
    """Return the seconds of one step by cause; `engine` is what the engine adds to its kernels.

    `draft`, `adapters` and `context` are causes only of replicas that have such. An engine that schedules ahead works
    beside the kernels: a step takes at least what it spends on it, as it takes at least its launches without a graph.
    """
    told = kernel_causes(replica, load)
    gaps, host = engine_seconds(replica, (load.decoding + load.prompts) / replica.layout.attention_data)
    told["engine"] = gaps if replica.hides_host else gaps + host
    if replica.draft is not None:
        told["draft"] = _draft_seconds(replica, replica.draft, load)
    if replica.adapters is not None:
        sequences = np.maximum((load.decoding + load.prompts) / replica.layout.attention_data, 1.0)
        spent = adapter_seconds(replica, _own_rows(replica, own_part(replica, load)), sequences)
        told["adapters"] = replica.engine.kernel_slack * spent
    least = np.maximum(gaps + host, least_seconds(replica)) if replica.hides_host else least_seconds(replica)
    told["engine"] = told["engine"] + np.maximum(least - sum(told.values()), 0.0)
    return told


def kernel_causes(replica: Replica, load: StepLoad) -> dict[str, Real]:
    """Return the seconds of a step's kernels by cause, as the engine's own kernels take."""
    seconds: dict[str, Real] = dict.fromkeys(CAUSES[:-1], 0.0)
    for run in replica.setup.model.runs:
        for cause, spent in _layer_causes(replica, run.layer, load).items():
            seconds[cause] = seconds.get(cause, 0.0) + run.count * spent
    seconds["head"] = _head_seconds(replica, load)
    stages = replica.layout.pipeline
    if stages > 1:
        hop = replica.fabric.collective_seconds(
            "send",
            own_part(replica, load).rows * _hidden_bytes(replica),
            replica.group * stages,
            replica.ranks_per_node,
        )
        seconds["communication"] = seconds["communication"] + (stages - 1) * hop
    slack = replica.engine.kernel_slack
    return {cause: slack * spent for cause, spent in seconds.items()}


def own_part(replica: Replica, load: StepLoad) -> StepLoad:
    """Return what one context rank computes of a load: its part of the prompts' tokens, and every decoding sequence."""
    ranks = replica.layout.context
    return load if ranks == 1 else replace(load, prompt_tokens=load.prompt_tokens / ranks)


def _draft_seconds(replica: Replica, draft: Drafting, load: StepLoad) -> Real:
    """Time to draft: a first pass over all that the step computes, further ones over one token of each sequence."""
    host = draft.passes * draft.host_seconds + draft.sequence_seconds * load.decoding / replica.layout.attention_data
    spent = _present(load.decoding) * host
    if draft.replica is None:
        return spent
    one_each = replace(load, verified=1.0, prompt_tokens=0.0, prompts=0.0)
    later = sum(kernel_causes(draft.replica, one_each).values()) * _present(load.decoding)
    launches = layers_of(draft.replica.setup) * draft.replica.engine.layer_seconds
    spent = spent + _present(load.decoding) * draft.passes * launches
    if not draft.reads_prompts:
        return spent + draft.passes * later
    first = kernel_causes(draft.replica, load)
    first["head"] = replica.engine.kernel_slack * _head_seconds(draft.replica, replace(load, verified=1.0))
    return spent + sum(first.values()) + (draft.passes - 1) * later


def step_seconds(replica: Replica, load: StepLoad) -> Real:
    """Return the seconds of one step."""
    causes = step_causes(replica, load)
    total: Real = 0.0
    for spent in causes.values():
        total = total + spent
    return total


def _hidden_bytes(replica: Replica) -> float:
    return replica.setup.model.hidden * WIDE_BYTES


def engine_seconds(replica: Replica, sequences: Real) -> tuple[Real, Real]:
    """Return what the engine adds to a step of so many sequences of a rank: gaps of kernels, and the host's work."""
    engine = replica.engine
    shared = engine.rank_host_seconds if replica.layout.accelerators > 1 else 0.0
    gaps = batching.step_overhead_seconds(layers_of(replica.setup), 0.0, engine.layer_seconds, 0.0, 0.0)
    host = batching.step_overhead_seconds(0.0, sequences, 0.0, engine.host_seconds + shared, engine.sequence_seconds)
    return gaps, host


def _layer_causes(replica: Replica, layer: Layer, load: StepLoad) -> dict[str, Real]:
    """Return the kernel seconds of one layer by cause."""
    seconds: dict[str, Real] = {"matmul": 0.0, "experts": 0.0}
    part = own_part(replica, load)
    for product in replica.products(layer):
        if product.role in EXPERT_ROLES:
            seconds["experts"] = seconds["experts"] + _expert_seconds(replica, product, part)
        else:
            seconds["matmul"] = seconds["matmul"] + _product_seconds(replica, product, part)
    seconds["attention"] = _attention_seconds(replica, layer.core, load)
    seconds["passes"] = replica.engine.pass_factor * _pass_seconds(replica, layer, part)
    seconds["communication"] = _layer_communication(replica, layer, part)
    if replica.layout.cache_shards > 1:
        seconds["context"] = _context_seconds(replica, layer.core, load)
    return seconds


def _own_rows(replica: Replica, load: StepLoad) -> Real:
    """Tokens on one attention-data rank."""
    ranks = replica.layout.attention_data
    return np.maximum(load.rows / ranks, np.minimum(load.rows, 1.0)) if ranks > 1 else load.rows


def _product_seconds(replica: Replica, product: Product, load: StepLoad) -> Real:
    rows = _own_rows(replica, load)
    if product.role in DENSE_ROLES:
        rows = rows * replica.layout.feed_forward
    spent = replica.device.matmul_seconds(rows, product.inner, product.columns, product.number_format, product.copies)
    return spent + _library_seconds(replica, product, rows) if replica.engine.wide_rows else spent


def _library_seconds(replica: Replica, product: Product, rows: Real) -> Real:
    """Time that a product of many rows spends on its way through a library: its start, weights written out wide."""
    engine, form = replica.engine, replica.device.number_format(product.number_format)
    wide = product.inner * product.columns * WIDE_BYTES if form.weight_bytes < WIDE_BYTES else 0.0
    expanded = batching.expansion_seconds(wide, engine.expand_bytes_per_s) if engine.expand_bytes_per_s else 0.0
    return np.where(np.asarray(rows) > engine.wide_rows, engine.wide_product_seconds + expanded, 0.0)


def _expert_seconds(replica: Replica, product: Product, load: StepLoad) -> Real:
    """Time of one grouped product over the experts of a rank that the batch touches."""
    ranks, whole = replica.layout.expert, load.rows * replica.layout.context
    touched = np.maximum(batching.touched_experts(product.copies, product.chosen, np.maximum(whole, 1.0)), 1.0)
    rows = whole * product.chosen / touched
    groups = np.maximum(touched / ranks, 1.0)
    form = product.number_format
    if replica.scheme.name in replica.engine.experts_in_turn:
        held = product.copies / ranks
        return held * replica.device.matmul_seconds(
            whole * product.chosen / product.copies, product.inner, product.columns, form
        )
    even = replica.device.matmul_seconds(rows, product.inner, product.columns, form, groups)
    return even * replica.device.moe_imbalance(float(ranks), whole / ranks)


def _attention_seconds(replica: Replica, core: Core, load: StepLoad) -> Real:
    """Time of a layer's mixing core over the decoding sequences and the prompt chunk of one attention rank."""
    if core.attends:
        spent: Real = 0.0
        if np.any(np.asarray(load.decoding) > 0):
            spent = _decode_attention(replica, core, load)
        return spent + _prefill_attention(replica, core, load) if np.any(np.asarray(load.prompt_tokens) > 0) else spent
    if core.state_elements:
        return _state_seconds(replica, core, load)
    return 0.0


def _present(amount: Real) -> Real:
    """Return 1 where there is any of it, else 0."""
    return np.where(np.asarray(amount) > 0, 1.0, 0.0)


def _decode_attention(replica: Replica, core: Core, load: StepLoad) -> Real:
    tensor, ranks = replica.layout.tensor, replica.layout.attention_data
    own = np.maximum(load.decoding / ranks, np.minimum(load.decoding, 1.0))
    shards = replica.layout.cache_shards
    keys = _visible(core, load.context, shards)
    latent = core.kind is CoreKind.LATENT
    wide = core.attended_elements if latent else float(core.qk_head_dim)
    narrow = wide - (core.qk_head_dim - core.v_head_dim)
    kv_heads = 1.0 if latent else max(core.kv_heads / tensor, 1.0)
    spent = replica.device.attention_seconds(
        "decode",
        load.verified,
        keys,
        decode_heads(replica, core),
        kv_heads,
        wide,
        narrow,
        own,
        "bf16",
        replica.kv_format,
        causal=False,
        latent=latent,
    )
    return _present(load.decoding) * (spent + _index_seconds(replica, core, load.context / shards, own))


def decode_heads(replica: Replica, core: Core) -> float:
    """Query heads that a rank decodes: its own, and those of ranks that hold other positions of its cache."""
    return max(core.heads / replica.layout.tensor, 1.0) * replica.layout.decode_context


def _visible(core: Core, keys: Real, shards: float) -> Real:
    """Positions of one shard of the cache that a token attends to, under a window or a sparse choice."""
    reach = min(bound for bound in (core.window, core.selected, math.inf) if bound is not None)
    return np.asarray(np.clip(keys / shards, 1.0, reach / shards), dtype=float)


def _index_seconds(replica: Replica, core: Core, keys: Real, sequences: Real, queries: Real = 1.0) -> Real:
    """Time to score every cached position by a sparse index."""
    if not core.index_heads:
        return 0.0
    return replica.device.attention_seconds(
        "decode", queries, np.maximum(keys, 1.0), core.index_heads, 1.0, core.index_head_dim, 0.0, sequences,
        "fp8", "fp8", True, False,
    )  # fmt: skip


def _prefill_attention(replica: Replica, core: Core, load: StepLoad) -> Real:
    tensor, ranks = replica.layout.tensor, replica.layout.attention_data
    prompts, shared = np.maximum(load.prompts, 1.0), replica.layout.context
    whole = np.maximum(load.prompt_tokens / prompts, 1.0)
    queries = np.maximum(whole / shared, 1.0)
    keys = np.maximum(load.prompt_context, whole) - (whole - queries) / 2
    reach = keys
    for bound in (core.window, core.selected):
        if bound is not None:
            reach = np.minimum(reach, bound + (queries - 1) / 2)
    kv_heads = core.heads if core.kind is CoreKind.LATENT else core.kv_heads
    spent = replica.device.attention_seconds(
        "prefill", queries, reach, max(core.heads / tensor, 1.0), max(kv_heads / tensor, 1.0),
        core.qk_head_dim, core.v_head_dim, np.maximum(prompts / ranks, 1.0), "bf16", "bf16",
        replica.engine.fused_attention,
    )  # fmt: skip
    index = _index_seconds(replica, core, keys / 2, np.maximum(prompts / ranks, 1.0), queries)
    return _present(load.prompt_tokens) * (spent + index)


def _state_seconds(replica: Replica, core: Core, load: StepLoad) -> Real:
    """Time of a recurrent core: the state read and written for each decoded token, scanned by chunks in prefill."""
    tensor, ranks = replica.layout.tensor, replica.layout.attention_data
    state_bytes = core.state_elements * STATE_BYTES / tensor
    visits = load.decoding / ranks + load.prompt_tokens / ranks / SCAN_TOKENS
    scan = replica.device.matmul_seconds(
        np.maximum(load.prompt_tokens / ranks, 1.0), SCAN_TOKENS, core.state_elements * 2 / SCAN_TOKENS / tensor, "bf16"
    )
    return replica.device.pass_seconds(2 * visits * state_bytes) + _present(load.prompt_tokens) * scan


def _pass_seconds(replica: Replica, layer: Layer, load: StepLoad) -> Real:
    """Time of the fused passes of a layer: norms with residuals, rotation and cache write, gating, routing."""
    constants, device = replica.constants, replica.device
    rows = _own_rows(replica, load)
    hidden = rows * _hidden_bytes(replica)
    spent = layer.norms * device.pass_seconds(constants.hidden_moves * hidden)
    dense = rows * replica.layout.feed_forward
    inward = {Role.ATTENTION_IN: 0.0, Role.MLP_IN: 0.0, Role.SHARED_IN: 0.0, Role.EXPERT_IN: 0.0, Role.MIXER: 0.0}
    for product in replica.products(layer):
        if product.role in inward:
            inward[product.role] += product.columns * product.chosen
    for role, columns in inward.items():
        if columns:
            share = dense if role in DENSE_ROLES else rows
            if role is Role.EXPERT_IN:
                share = load.rows * replica.layout.context / replica.layout.expert
            spent = spent + device.pass_seconds(constants.inward_moves * share * columns * WIDE_BYTES)
    if layer.experts > 1:
        spent = spent + constants.expert_passes * device.pass_seconds(hidden * 2)
    return spent


def _layer_communication(replica: Replica, layer: Layer, load: StepLoad) -> Real:
    """Time of a layer's collectives: all-reduces over tensor ranks, and tokens' way to experts and back."""
    layout = replica.layout
    if replica.group == 1:
        return 0.0
    own = _own_rows(replica, load) * _hidden_bytes(replica)
    reduces = 1.0 if layer.parallel else float(layer.core.kind is not CoreKind.NONE) + float(_has_mlp(layer))
    spread = layout.attention_data * layout.context > 1 and layer.experts > 0
    spent: Real = 0.0
    if layout.tensor > 1:
        one = replica.fabric.collective_seconds("all_reduce", own, layout.tensor, replica.ranks_per_node, one_shot=True)
        spent = (reduces - float(spread)) * one
    if layout.feed_forward > 1 and any(matrix.role in DENSE_ROLES for matrix in layer.matrices):
        spent = spent + _shared_dense_seconds(replica, own)
    return spent + _exchange_seconds(replica, layer, load) if spread else spent


def _context_seconds(replica: Replica, core: Core, load: StepLoad) -> Real:
    """Time of what ranks that share out positions send each other in a layer."""
    ranks = replica.layout.attention_data
    each, reach = earlier_terms(replica, core)
    earlier = np.maximum(load.prompt_context * load.prompts - load.prompt_tokens, 0.0)
    seen = np.minimum(earlier, load.prompts * reach)
    decoded = load.decoding * load.verified
    spent = exchange_seconds(replica, core, np.maximum(decoded / ranks, np.minimum(decoded, 1.0)))
    return spent + gather_seconds(replica, core, load.prompt_tokens / ranks) + each * seen


def _shared_dense_seconds(replica: Replica, own_bytes: Real) -> Real:
    """Time to bring the tokens of ranks that share a dense feed-forward together, and its sums back to each."""
    ranks, node = float(replica.layout.feed_forward), replica.ranks_per_node
    gather = replica.fabric.collective_seconds("all_gather", own_bytes * ranks, ranks, node)
    return gather + replica.fabric.collective_seconds("reduce_scatter", own_bytes * ranks, ranks, node)


def _has_mlp(layer: Layer) -> bool:
    return any(matrix.role in (Role.MLP_OUT, Role.SHARED_OUT, Role.EXPERT_OUT) for matrix in layer.matrices)


def _exchange_seconds(replica: Replica, layer: Layer, load: StepLoad) -> Real:
    """Time to bring tokens to their experts and back: all to all ranks, or each to its own, whichever is less."""
    ranks, node = float(replica.group), replica.ranks_per_node
    whole = load.rows * replica.layout.context * _hidden_bytes(replica)
    gather = replica.fabric.collective_seconds("all_gather", whole, ranks, node)
    scatter = replica.fabric.collective_seconds("reduce_scatter", whole, ranks, node)
    copies = min(layer.experts_per_token, replica.layout.expert)
    each = 2 * replica.fabric.collective_seconds("all_to_all", whole / ranks * copies, ranks, node)
    return np.minimum(gather + scatter, each)


def _head_seconds(replica: Replica, load: StepLoad) -> Real:
    """Time of the vocabulary's product and of sampling, for the sequences that get a token."""
    model, layout = replica.setup.model, replica.layout
    sequences = load.decoding * load.verified + load.prompts
    rows = np.maximum(sequences / layout.attention_data, np.minimum(sequences, 1.0))
    columns = model.vocabulary / layout.tensor
    product = replica.device.matmul_seconds(rows, float(model.hidden), columns, replica.scheme.head)
    return product + replica.device.pass_seconds(rows * columns * WIDE_BYTES * 2)

"""Bytes of a replica by cause on its fullest accelerator, and how many tokens and sequences its cache holds."""

from __future__ import annotations

import math

import numpy as np

from suanli.domain.engine import Claim
from suanli.domain.model import Core, Layer, Role
from suanli.estimate.serving_adapters import adapter_bytes
from suanli.estimate.serving_replica import Replica, cache_ways
from suanli.estimate.serving_step import STATE_BYTES, WIDE_BYTES
from suanli.foundation.equation import Real
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

HELD = ("weights", "draft", "adapters")
"""What a share of memory that is claimed for weights and cache holds beside the cache."""
INDEX_BYTES = 1.0
"""Bytes of an element of a sparse index's keys, which stand in the cache beside what they choose among (fp8)."""
BLOCK_TOKENS = 16
"""Tokens of one block of a paged cache (the default of vLLM; others are smaller, which changes little)."""


def visible_memory_bytes(replica: Replica) -> float:
    """Bytes of device memory that software sees. Raises InputError where the accelerator's memory is unknown."""
    memory = replica.device.accelerator.memory_bytes
    if memory is None:
        raise InputError.single(
            place=replica.device.accelerator.id,
            found=tr("no memory size"),
            allowed=tr("an accelerator whose memory is known"),
        )
    exact = replica.chip is not None and replica.chip.placement.exact_memory
    return memory.value * (1.0 if exact else replica.constants.physical_share)


def _layer_weight_bytes(replica: Replica, layer: Layer) -> float:
    """Bytes of one layer's weights on one accelerator."""
    total = layer.vector_parameters * WIDE_BYTES
    for product in replica.products(layer):
        ways = replica.layout.expert if product.role in (Role.EXPERT_IN, Role.EXPERT_OUT) else 1
        copies = math.ceil(product.copies / ways)
        kept = replica.device.number_format(product.number_format).weight_bytes
        total += product.inner * product.columns * copies * kept
    return total


def weight_bytes(replica: Replica) -> float:
    """Bytes of weights on the fullest accelerator: its stage's layers, and the vocabulary's tables where they stand."""
    model, stages = replica.setup.model, replica.layout.pipeline
    layers = sum(run.count for run in model.runs)
    total = sum(run.count * _layer_weight_bytes(replica, run.layer) for run in model.runs)
    anywhere = replica.chip is not None and replica.chip.placement.cut_anywhere
    fullest = 1 / stages if anywhere else math.ceil(layers / stages) / layers
    head_bytes = replica.device.number_format(replica.scheme.head).weight_bytes
    table = model.embedding_parameters * head_bytes / replica.layout.tensor
    head = 0.0 if model.tied_head else model.vocabulary * model.hidden * head_bytes / replica.layout.tensor
    if anywhere:
        return (total + table + head) * fullest
    return total * fullest + (table + head if stages == 1 else max(table, head))


def _cached_entries(replica: Replica, core: Core, length: Real) -> Real:
    """Count cached entries of one sequence in one layer: all, or a window (strided layers keep on growing)."""
    if core.window is None or core.stride > 1 or not replica.bounded_windows:
        return length
    return np.minimum(length, core.window)


def sequence_cache_bytes(replica: Replica, length: Real) -> Real:
    """Bytes that one sequence of a length occupies in the cache of the fullest accelerator."""
    kept = replica.device.number_format(replica.kv_format).activation_bytes
    total: Real = 0.0
    for run in replica.setup.model.runs:
        core = run.layer.core
        ways = cache_ways(core, replica.layout.tensor) * replica.layout.cache_shards
        entries = _cached_entries(replica, core, length) * core.attended_elements * kept / ways
        index = length * core.index_head_dim * INDEX_BYTES / replica.layout.cache_shards
        state = core.state_elements * STATE_BYTES / replica.layout.tensor
        total = total + run.count * (entries + index + state)
    total = total / replica.layout.pipeline
    if replica.draft is not None and replica.draft.replica is not None and replica.draft.reads_prompts:
        total = total + sequence_cache_bytes(replica.draft.replica, length)
    return total


def short_bytes(replica: Replica) -> float:
    """Bytes that one accelerator lacks for one request beside the weights; below 0 what is to spare."""
    length = replica.setup.input_tokens + replica.setup.output_tokens
    return float(sequence_cache_bytes(replica, length)) - cache_pool_bytes(replica)


def _widest_elements(replica: Replica) -> float:
    """Elements of the widest activations of one token on one accelerator."""
    widest = 0.0
    for run in replica.setup.model.runs:
        inward = sum(
            product.columns * product.chosen
            for product in replica.products(run.layer)
            if product.role in (Role.MLP_IN, Role.SHARED_IN, Role.EXPERT_IN)
        )
        widest = max(widest, inward)
    return widest + 2 * replica.setup.model.hidden


def activation_bytes(replica: Replica) -> float:
    """Bytes of activations at the peak: a full step's widest ones, or the logits of all sequences in fp32."""
    engine, constants = replica.engine, replica.constants
    tokens = engine.token_budget / replica.layout.context
    step = tokens * _widest_elements(replica) * WIDE_BYTES * constants.activation_copies
    if replica.layout.pipeline > 1:
        return step
    logits = engine.sequence_limit * replica.setup.model.vocabulary * 2 * WIDE_BYTES
    return max(step, engine.logit_copies * logits)


def runtime_bytes(replica: Replica) -> float:
    """Bytes that the runtime and the buffers of collectives take on one accelerator."""
    engine = replica.engine
    return engine.runtime_bytes + (engine.rank_runtime_bytes if replica.group > 1 else 0.0)


def fixed_bytes(replica: Replica) -> dict[str, float]:
    """Bytes by cause that do not grow with the sequences."""
    held = {
        "weights": weight_bytes(replica),
        "activations": activation_bytes(replica),
        "runtime": runtime_bytes(replica),
    }
    if replica.draft is not None and replica.draft.replica is not None:
        held["draft"] = replica.draft.copies * weight_bytes(replica.draft.replica)
    if replica.adapters is not None:
        held["adapters"] = replica.adapters.slots * adapter_bytes(replica)
    return held


def cache_pool_bytes(replica: Replica) -> float:
    """Bytes left for the cache on the fullest accelerator; negative where the weights alone do not fit."""
    visible, fixed = visible_memory_bytes(replica), fixed_bytes(replica)
    share, claim = replica.engine.usable_share, replica.engine.claim
    whole = visible - sum(fixed.values())
    if claim is Claim.FREE:
        return share * whole
    if claim is Claim.STATIC:
        return min(share * visible - sum(fixed[name] for name in HELD if name in fixed), whole)
    return share * visible - sum(fixed.values())


def cache_capacity_tokens(replica: Replica, length: float) -> float:
    """Tokens that the replica's cache holds in sequences of a length, over all attention-data ranks."""
    each = float(sequence_cache_bytes(replica, length))
    pool = max(cache_pool_bytes(replica), 0.0)
    return math.inf if each <= 0 else pool / each * length * replica.layout.attention_data

"""A small decoder in plain PyTorch, built matrix by matrix from a model as Suanli reads it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from suanli.domain.model import CoreKind, Layer, Matrix, Model, Role
from suanli.foundation.errors import InputError
from suanli.foundation.language import tr

BUILT_CORES = (CoreKind.SOFTMAX,)
BUILT_ROLES = (
    Role.ATTENTION_IN, Role.ATTENTION_OUT, Role.MLP_IN, Role.MLP_OUT, Role.ROUTER, Role.EXPERT_IN, Role.EXPERT_OUT,
)  # fmt: skip
ROTARY_BASE = 10000.0
"""Base of rotary positions; it decides no time and no byte."""
Cache = tuple[torch.Tensor, torch.Tensor]


def refuse_unbuilt(model: Model) -> None:
    """Raise InputError naming every part of a model that the small decoder does not have."""
    kinds = {run.layer.core.kind.value for run in model.runs if run.layer.core.kind not in BUILT_CORES}
    roles = {one.role.value for run in model.runs for one in run.layer.matrices if one.role not in BUILT_ROLES}
    index = {"sparse index" for run in model.runs if run.layer.core.selected}
    found = sorted(kinds | roles | index)
    if found or model.outer_matrices:
        raise InputError.single(
            place="--model",
            found=", ".join(found) or tr("matrices outside the layers"),
            allowed=tr("layers of softmax attention with dense or routed feed-forward"),
        )


class LowRank(nn.Module):
    """A frozen linear map with a low-rank adapter beside it: W x + B A x, all in one type."""

    def __init__(self, base: nn.Linear, rank: int) -> None:
        super().__init__()
        self.base = base
        self.down = nn.Linear(base.in_features, rank, bias=False)
        self.up = nn.Linear(rank, base.out_features, bias=False)
        nn.init.zeros_(self.up.weight)
        self.to(base.weight.dtype)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x[..., inputs] to [..., outputs]."""
        told: torch.Tensor = self.base(x) + self.up(self.down(x))
        return told


def linear(matrix: Matrix) -> nn.Linear:
    """Make the map of one matrix."""
    return nn.Linear(matrix.inputs, matrix.outputs, bias=matrix.bias > 0)


def norm_of(layer_is_gated: bool, hidden: int) -> nn.Module:
    """Make a norm: by root mean square in gated layers, by mean and variance in the others."""
    return nn.RMSNorm(hidden, eps=1e-6) if layer_is_gated else nn.LayerNorm(hidden)


def rotary_tables(positions: int, width: int, device: torch.device, dtype: torch.dtype) -> Cache:
    """Cosines and sines [positions x width] of rotary positions."""
    half = torch.arange(0, width, 2, device=device, dtype=torch.float32) / width
    angles = torch.arange(positions, device=device, dtype=torch.float32)[:, None] * ROTARY_BASE ** -half[None, :]
    both = torch.cat([angles, angles], dim=-1)
    return both.cos().to(dtype), both.sin().to(dtype)


def rotated(x: torch.Tensor, tables: Cache) -> torch.Tensor:
    """Turn x[batch, heads, positions, width] by its positions."""
    first, second = x.chunk(2, dim=-1)
    return x * tables[0] + torch.cat([-second, first], dim=-1) * tables[1]


class Attention(nn.Module):
    """Softmax attention: products of queries, keys, values, rotary positions, the fused kernel, the product out."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.core = layer.core
        own = {one.name: one for one in layer.matrices if one.role in (Role.ATTENTION_IN, Role.ATTENTION_OUT)}
        self.maps = nn.ModuleDict({name: linear(one) for name, one in own.items()})

    def forward(self, x: torch.Tensor, tables: Cache, cache: Cache | None, at: int) -> torch.Tensor:
        """Attend from x[batch, tokens, hidden], whose first token stands at a position; keys go into the cache."""
        core, (batch, tokens, _) = self.core, x.shape
        asked = self.maps["query"](x).view(batch, tokens, core.heads, core.qk_head_dim).transpose(1, 2)
        keys = self.maps["key"](x).view(batch, tokens, core.kv_heads, core.qk_head_dim).transpose(1, 2)
        values = self.maps["value"](x).view(batch, tokens, core.kv_heads, core.v_head_dim).transpose(1, 2)
        here = (tables[0][at : at + tokens], tables[1][at : at + tokens])
        asked, keys = rotated(asked, here), rotated(keys, here)
        if cache is not None:
            cache[0][:, :, at : at + tokens] = keys
            cache[1][:, :, at : at + tokens] = values
            keys, values = cache[0][:, :, : at + tokens], cache[1][:, :, : at + tokens]
        mixed = functional.scaled_dot_product_attention(
            asked, keys, values, is_causal=tokens > 1, enable_gqa=core.kv_heads < core.heads
        )
        told: torch.Tensor = self.maps["attention_out"](mixed.transpose(1, 2).reshape(batch, tokens, -1))
        return told


class FeedForward(nn.Module):
    """A feed-forward network, gated or not: one expert, or the whole of a dense layer."""

    def __init__(self, entering: list[Matrix], leaving: Matrix) -> None:
        super().__init__()
        self.entering = nn.ModuleList([linear(one) for one in entering])
        self.leaving = linear(leaving)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x[..., hidden] to the same shape."""
        first = self.entering[0](x)
        mixed = functional.silu(first) * self.entering[1](x) if len(self.entering) > 1 else functional.gelu(first)
        told: torch.Tensor = self.leaving(mixed)
        return told


class Experts(nn.Module):
    """Routed experts, one after another over the tokens that chose them."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        by_role = {
            role: [one for one in layer.matrices if one.role is role] for role in (Role.EXPERT_IN, Role.EXPERT_OUT)
        }
        router = next(one for one in layer.matrices if one.role is Role.ROUTER)
        self.chosen = layer.experts_per_token
        self.router = linear(router)
        self.experts = nn.ModuleList(
            [FeedForward(by_role[Role.EXPERT_IN], by_role[Role.EXPERT_OUT][0]) for _ in range(layer.experts)]
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Map x[batch, tokens, hidden] to the same shape."""
        flat = x.reshape(-1, x.shape[-1])
        weight, chosen = functional.softmax(self.router(flat), dim=-1).topk(self.chosen, dim=-1)
        told = torch.zeros_like(flat)
        for at, expert in enumerate(self.experts):
            rows, place = torch.where(chosen == at)
            told.index_add_(0, rows, expert(flat[rows]) * weight[rows, place, None])
        return told.view_as(x)


class Block(nn.Module):
    """One layer: norm, attention, norm, feed-forward, with a residual around each."""

    def __init__(self, layer: Layer, hidden: int) -> None:
        super().__init__()
        self.parallel = layer.parallel
        self.norms = nn.ModuleList([norm_of(layer.gated, hidden) for _ in range(1 if layer.parallel else 2)])
        self.attention = Attention(layer)
        entering = [one for one in layer.matrices if one.role is Role.MLP_IN]
        leaving = [one for one in layer.matrices if one.role is Role.MLP_OUT]
        self.mixture: nn.Module = Experts(layer) if layer.experts > 1 else FeedForward(entering, leaving[0])

    def forward(self, x: torch.Tensor, tables: Cache, cache: Cache | None, at: int) -> torch.Tensor:
        """Map x[batch, tokens, hidden] to the same shape."""
        first = self.norms[0](x)
        mixed = self.attention(first, tables, cache, at)
        if self.parallel:
            told: torch.Tensor = x + mixed + self.mixture(first)
            return told
        x = x + mixed
        whole: torch.Tensor = x + self.mixture(self.norms[1](x))
        return whole


class Decoder(nn.Module):
    """A decoder-only language model."""

    def __init__(self, model: Model, positions: int) -> None:
        super().__init__()
        refuse_unbuilt(model)
        layers = [run.layer for run in model.runs for _ in range(run.count)]
        self.model, self.positions = model, positions
        self.embedding = nn.Embedding(model.vocabulary, model.hidden)
        self.blocks = nn.ModuleList([Block(layer, model.hidden) for layer in layers])
        self.norm = norm_of(layers[-1].gated, model.hidden)
        self.head = nn.Linear(model.hidden, model.vocabulary, bias=model.head_bias > 0)
        if model.tied_head:
            self.head.weight = self.embedding.weight
        widest = layers[0].core.qk_head_dim
        tables = rotary_tables(positions, widest, torch.device("cpu"), torch.float32)
        self.register_buffer("cosine", tables[0], persistent=False)
        self.register_buffer("sine", tables[1], persistent=False)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=1 / math.sqrt(model.hidden))

    def forward(
        self, tokens: torch.Tensor, caches: list[Cache] | None = None, at: int = 0, last_only: bool = False
    ) -> torch.Tensor:
        """Return logits [batch, tokens, vocabulary] of tokens [batch, tokens] that begin at a position."""
        tables = (self.cosine, self.sine)
        x = self.embedding(tokens)
        for place, block in enumerate(self.blocks):
            x = block(x, tables, caches[place] if caches else None, at)
        x = self.norm(x[:, -1:] if last_only else x)
        told: torch.Tensor = self.head(x)
        return told

    def caches(self, batch: int, positions: int) -> list[Cache]:
        """Make an empty cache of every layer: keys and values [batch, heads, positions, width]."""
        like = self.embedding.weight
        made = []
        blocks: Any = self.blocks
        for block in blocks:
            core: Any = block.attention.core
            keys, values = (
                torch.zeros(batch, core.kv_heads, positions, width, dtype=like.dtype, device=like.device)
                for width in (core.qk_head_dim, core.v_head_dim)
            )
            made.append((keys, values))
        return made


def adapt(decoder: Decoder, rank: int, targets: tuple[str, ...]) -> None:
    """Freeze a decoder and put adapters beside the attention maps that are named."""
    for parameter in decoder.parameters():
        parameter.requires_grad_(False)
    blocks: Any = decoder.blocks
    for block in blocks:
        maps: Any = block.attention.maps
        for name in targets:
            maps[name] = LowRank(maps[name], rank)

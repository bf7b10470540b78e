"""Recurrent mixers, which keep a state of fixed size: delta rule, lightning attention, Mamba 1 and 2."""

from __future__ import annotations

from dataclasses import dataclass

from suanli.domain.model import Core, CoreKind, Matrix, Role
from suanli.parts.architectures.families import Family
from suanli.parts.architectures.fields import Fields
from suanli.parts.architectures.pieces import MIXERS, Piece, Spot

UPDATE_AND_READ = 2
READ_UPDATE_AND_READ = 3
"""How often a token passes over the state: the delta rule reads before it writes."""


def _in(name: str, inputs: int, outputs: int, bias: int = 0) -> Matrix:
    return Matrix(name=name, role=Role.MIXER, inputs=inputs, outputs=outputs, bias=bias * outputs)


def _out(inputs: int, outputs: int, bias: int = 0) -> Matrix:
    return Matrix(name="mixer_out", role=Role.ATTENTION_OUT, inputs=inputs, outputs=outputs, bias=bias * outputs)


def _convolution(channels: int, kernel: int, bias: int = 0) -> Matrix:
    """Make a depth-wise convolution: each channel has a kernel of its own."""
    return Matrix(name="convolution", role=Role.CONVOLUTION, inputs=kernel, outputs=channels, bias=bias * channels)


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """The size of a recurrent state: heads, the widths of a key and a value, and the short convolution's memory."""

    kind: CoreKind
    heads: int
    key_width: int
    value_width: int
    convolved: int = 0
    passes: int = UPDATE_AND_READ

    def core(self) -> Core:
        """Return the core that keeps this state."""
        return Core(
            kind=self.kind,
            heads=self.heads,
            kv_heads=self.heads,
            qk_head_dim=self.key_width,
            v_head_dim=self.value_width,
            state_elements=self.heads * self.key_width * self.value_width + self.convolved,
            state_passes=self.passes,
        )


def gated_delta(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make the gated delta rule of Qwen3-Next: keys shared by groups of values, a decay and a rate for each head."""
    hidden, kernel = fields.count("hidden_size"), fields.count("linear_conv_kernel_dim")
    key_heads, heads = fields.count("linear_num_key_heads"), fields.count("linear_num_value_heads")
    key_width, width = fields.count("linear_key_head_dim"), fields.count("linear_value_head_dim")
    keys, values = key_heads * key_width, heads * width
    channels = 2 * keys + values
    state = State(
        kind=CoreKind.LINEAR,
        heads=heads,
        key_width=key_width,
        value_width=width,
        convolved=channels * (kernel - 1),
        passes=READ_UPDATE_AND_READ,
    )
    matrices = (
        _in("query_key_value_gate", hidden, channels + values),
        _in("rate_decay", hidden, 2 * heads),
        _convolution(channels, kernel),
        _out(values, hidden),
    )
    return Piece(matrices=matrices, vectors=2 * heads + width, core=state.core())


def delta_attention(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make Kimi's delta attention: a decay for each channel through a narrow matrix, and a gate of its own."""
    hidden, kernel = fields.count("hidden_size"), fields.count("linear_conv_kernel_dim")
    heads, width = fields.count("linear_num_heads"), fields.count("linear_head_dim")
    channels = heads * width
    full_gate = fields.flag("use_full_rank_gate")
    gate = (
        (_in("gate", hidden, channels),)
        if full_gate
        else (_in("gate_down", hidden, width), _in("gate_up", width, channels))
    )
    state = State(
        kind=CoreKind.LINEAR,
        heads=heads,
        key_width=width,
        value_width=width,
        convolved=3 * channels * (kernel - 1),
        passes=READ_UPDATE_AND_READ,
    )
    matrices = (
        *(_in(name, hidden, channels) for name in ("query", "key", "value")),
        _convolution(3 * channels, kernel),
        _in("decay_down", hidden, width),
        _in("decay_up", width, channels),
        _in("rate", hidden, heads),
        *gate,
        _out(channels, hidden),
    )
    return Piece(matrices=matrices, vectors=channels + heads + width, core=state.core())


def lightning(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make MiniMax's lightning attention: linear attention with a fixed decay, a norm and a gate on its output."""
    hidden, heads = fields.count("hidden_size"), fields.count("num_attention_heads")
    width = fields.count("head_dim", max(hidden // heads, 1))
    channels = heads * width
    state = State(kind=CoreKind.LINEAR, heads=heads, key_width=width, value_width=width)
    matrices = (
        *(_in(name, hidden, channels) for name in ("query", "key", "value", "gate")),
        _out(channels, hidden),
    )
    return Piece(matrices=matrices, vectors=channels, core=state.core())


def mamba(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make Mamba 1: a diagonal state space for each channel, its step and its two sides read from the input."""
    hidden, states, kernel = fields.count("hidden_size"), fields.count("state_size"), fields.count("conv_kernel")
    channels = fields.count("mamba_inner_size", fields.count("expand", 2) * hidden)
    rank = hidden_share(fields, hidden)
    bias, convolution_bias = int(fields.flag("use_bias")), int(fields.flag("use_conv_bias", True))
    state = State(
        kind=CoreKind.STATE_SPACE,
        heads=channels,
        key_width=states,
        value_width=1,
        convolved=channels * (kernel - 1),
    )
    matrices = (
        _in("input_gate", hidden, 2 * channels, bias),
        _convolution(channels, kernel, convolution_bias),
        _in("step_sides", channels, rank + 2 * states),
        _in("step_up", rank, channels, 1),
        _out(channels, hidden, bias),
    )
    norms = rank + 2 * states if family.state_norm else 0
    return Piece(matrices=matrices, vectors=channels * states + channels + norms, core=state.core())


STEP_SHARE = 16
"""Mamba's own default: the rank of the step is a sixteenth of the hidden width, rounded up (Gu and Dao 2023, 3.6)."""


def hidden_share(fields: Fields, hidden: int) -> int:
    """Return the rank of Mamba's step: as the config says, or its own default where it says 'auto' or nothing."""
    if fields.value("time_step_rank") in (None, "auto"):
        return -(-hidden // STEP_SHARE)
    return fields.count("time_step_rank")


def mamba2(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make Mamba 2: heads with one decay each, sides shared by groups, a gated norm before the output."""
    hidden, states, kernel = fields.count("hidden_size"), fields.count("state_size"), fields.count("conv_kernel")
    heads, width = fields.count("mamba_num_heads"), fields.count("mamba_head_dim")
    groups = fields.count("n_groups", 1)
    channels = heads * width
    convolved = channels + 2 * groups * states
    bias, convolution_bias = int(fields.flag("use_bias")), int(fields.flag("use_conv_bias", True))
    state = State(
        kind=CoreKind.STATE_SPACE,
        heads=heads,
        key_width=states,
        value_width=width,
        convolved=convolved * (kernel - 1),
    )
    matrices = (
        _in("input_gate_sides_step", hidden, channels + convolved + heads, bias),
        _convolution(convolved, kernel, convolution_bias),
        _out(channels, hidden, bias),
    )
    return Piece(matrices=matrices, vectors=3 * heads + channels, core=state.core())


MIXERS.add("gated_delta", gated_delta)
MIXERS.add("delta_attention", delta_attention)
MIXERS.add("lightning", lightning)
MIXERS.add("mamba", mamba)
MIXERS.add("mamba2", mamba2)

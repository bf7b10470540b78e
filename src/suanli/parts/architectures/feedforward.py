"""Feed-forward blocks: dense ones, gated or not, and mixtures of experts with shared ones."""

from __future__ import annotations

from suanli.domain.model import Matrix, Role
from suanli.parts.architectures.families import Family
from suanli.parts.architectures.fields import Fields
from suanli.parts.architectures.pieces import FEEDS, Piece, Spot

IN, OUT = 0, 1
PLAIN = (Role.MLP_IN, Role.MLP_OUT)
EXPERT = (Role.EXPERT_IN, Role.EXPERT_OUT)
SHARED = (Role.SHARED_IN, Role.SHARED_OUT)


def block(
    hidden: int,
    width: int,
    roles: tuple[Role, Role],
    *,
    gated: bool,
    bias: int = 0,
    copies: int = 1,
    active: int = 1,
    name: str = "mlp",
) -> tuple[Matrix, ...]:
    """Make the two matrices of a feed-forward block, or its three where it is gated."""

    def matrix(part: str, role: Role, inputs: int, outputs: int) -> Matrix:
        return Matrix(
            name=f"{name}_{part}",
            role=role,
            inputs=inputs,
            outputs=outputs,
            bias=bias * outputs,
            copies=copies,
            active=float(active),
        )

    gate = (matrix("gate", roles[IN], hidden, width),) if gated else ()
    return (*gate, matrix("up", roles[IN], hidden, width), matrix("down", roles[OUT], width, hidden))


def dense(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make the dense feed-forward at a spot."""
    hidden = fields.count("hidden_size")
    own = dict(spot.own).get("intermediate_size")
    width = own or fields.count(family.dense_width, family.widening * hidden or None)
    if spot.reuses_keys and fields.flag("use_double_wide_mlp"):
        width = 2 * width
    gated = bool(fields.rule(family.gated))
    bias = fields.rule(family.mlp_bias)
    return Piece(matrices=block(hidden, width, PLAIN, gated=gated, bias=bias), gated=gated)


def shared_width(fields: Fields, family: Family) -> int:
    """Return the width of the shared experts together: 'a * b' multiplies two keys; 0 where there are none."""
    if not family.shared:
        return 0
    width = 1
    for name in family.shared.split(" * "):
        width *= fields.count(name, 0, least=0)
    return width


def _shared(fields: Fields, family: Family, hidden: int, gated: bool) -> tuple[Matrix, ...]:
    width = shared_width(fields, family)
    if not width:
        return ()
    bias = fields.rule(family.mlp_bias)
    matrices = block(hidden, width, SHARED, gated=gated, bias=bias, name="shared")
    if family.shared_gate:
        matrices += (Matrix(name="shared_gate", role=Role.ROUTER, inputs=hidden, outputs=1),)
    return matrices


def experts(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make the mixture of experts at a spot: router, experts (in a narrower space, maybe), shared ones."""
    hidden = fields.count("hidden_size")
    number, chosen = fields.count("num_experts"), fields.count("num_experts_per_tok")
    if chosen > number:
        fields.fault("num_experts_per_tok", chosen, f"no more than the {number} experts there are")
    width = fields.count(family.expert_width)
    gated = bool(fields.rule(family.gated))
    inner = fields.count("moe_latent_size", hidden)
    bias = fields.rule(family.expert_bias)
    router_bias = fields.rule(family.router_bias) * number
    matrices: tuple[Matrix, ...] = (
        Matrix(name="router", role=Role.ROUTER, inputs=hidden, outputs=number, bias=router_bias),
    )
    if inner != hidden:
        matrices += (
            Matrix(name="latent_down", role=Role.SHARED_IN, inputs=hidden, outputs=inner),
            Matrix(name="latent_up", role=Role.SHARED_OUT, inputs=inner, outputs=hidden),
        )
    matrices += block(inner, width, EXPERT, gated=gated, bias=bias, copies=number, active=chosen, name="expert")
    matrices += _shared(fields, family, hidden, gated)
    router_vectors = {"": 0, "experts": number, "hidden+experts": hidden + number}[family.router_vectors]
    return Piece(matrices=matrices, vectors=router_vectors, experts=number, experts_per_token=chosen, gated=gated)


def absent(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make no feed-forward at all: the layer is a mixer alone."""
    return Piece()


def dense_or_experts(fields: Fields, family: Family, spot: Spot) -> Piece:
    """Make a mixture where the config says experts, else the dense block alone (Granite's hybrids)."""
    return experts(fields, family, spot) if fields.count("num_experts", 0, least=0) else dense(fields, family, spot)


FEEDS.add("dense_or_experts", dense_or_experts)
FEEDS.add("dense", dense)
FEEDS.add("experts", experts)
FEEDS.add("none", absent)

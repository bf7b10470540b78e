"""Rules of fabrics: tiers, hosts and wiring, and what a collective may never do."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suanli.catalogue.kernels import load_kernels
from suanli.catalogue.load import catalogue
from suanli.foundation.errors import InputError
from suanli.parts.devices.fabric import PASSES, time_tier
from suanli.parts.devices.open import open_fabric

KERNELS = load_kernels()
SYSTEMS = catalogue().systems
NAMES = (
    "dgx-a100-640",
    "dgx-h100",
    "dgx-a800-640",
    "atlas-800t-a2",
    "pcie-a800-8",
    "cloudmatrix-384",
    "fireflyer2-node",
)
JOINED = {name: open_fabric(SYSTEMS[name], KERNELS) for name in NAMES if name in SYSTEMS}
OPS = sorted(PASSES)
EXACT = 1e-12
MESSAGES = st.floats(1.0, 1e11)
quick = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
fabrics = st.sampled_from(sorted(JOINED)).map(JOINED.__getitem__)
ops = st.sampled_from(OPS)
groups = st.sampled_from([(2.0, 2.0), (8.0, 8.0), (16.0, 8.0), (64.0, 8.0), (64.0, 1.0), (512.0, 4.0), (8.0, 1.0)])


def with_rates(fabric, **factors):
    """Return the same fabric with the bandwidth of a tier (`links`, `host`, `network`) so many times as large."""
    changed = {}
    for tier, factor in factors.items():
        one = getattr(fabric, tier)
        changed[tier] = dataclasses.replace(one, link_bytes_per_s=one.link_bytes_per_s * factor)
    return dataclasses.replace(fabric, **changed)


@quick
@given(fabric=fabrics, op=ops, message=MESSAGES, group=groups)
def test_a_collective_takes_a_finite_time_and_no_less_than_none(fabric, op, message, group):
    assert 0 < fabric.collective_seconds(op, message, *group) < 1e6


@quick
@given(fabric=fabrics, op=ops, message=MESSAGES, group=groups, more=st.floats(1, 100),
       tier=st.sampled_from(["links", "host", "network"]))  # fmt: skip
def test_no_tier_slows_a_collective_by_being_faster(fabric, op, message, group, more, tier):
    plain = fabric.collective_seconds(op, message, *group)
    assert with_rates(fabric, **{tier: more}).collective_seconds(op, message, *group) <= plain * (1 + EXACT)


@quick
@given(fabric=fabrics, op=ops, message=MESSAGES, group=groups, more=st.floats(0, 1e11))
def test_more_bytes_are_never_quicker_on_any_fabric(fabric, op, message, group, more):
    plain = fabric.collective_seconds(op, message, *group)
    assert fabric.collective_seconds(op, message + more, *group) >= plain * (1 - EXACT)


@quick
@given(fabric=fabrics, op=ops, message=MESSAGES, ranks=st.sampled_from([2.0, 4.0, 8.0]), wide=st.floats(1, 1000))
def test_more_room_in_a_node_than_ranks_changes_nothing(fabric, op, message, ranks, wide):
    exact, roomy = (fabric.collective_seconds(op, message, ranks, local) for local in (ranks, ranks * wide))
    assert exact == roomy


@quick
@given(fabric=fabrics, op=ops, message=MESSAGES, group=groups)
def test_endless_bandwidth_leaves_a_latency_that_no_message_moves(fabric, op, message, group):
    endless = with_rates(fabric, links=1e30, host=1e30, network=1e30)
    small, large = (endless.collective_seconds(op, size, *group) for size in (1.0, message))
    assert small == pytest.approx(large, rel=1e-6)


@quick
@given(fabric=fabrics, message=MESSAGES, group=groups)
def test_the_bytes_of_an_all_reduce_are_those_of_its_two_halves(fabric, message, group):
    """By time they differ, each being measured; by traffic on ideal links they are the same."""
    kernel = dataclasses.replace(
        fabric.links.kernels["all_reduce"], base_seconds=0.0, hop_seconds=0.0, half_bytes=0.0,
        share_ranks=(2.0,), link_shares=(1.0,),
    )  # fmt: skip
    whole = time_tier(kernel, PASSES["all_reduce"], message, group[0], 1e9)
    halves = sum(time_tier(kernel, PASSES[op], message, group[0], 1e9) for op in ("reduce_scatter", "all_gather"))
    assert whole == pytest.approx(halves, rel=1e-12)


@pytest.mark.parametrize(("name", "op"), list(itertools.product(sorted(JOINED), OPS)))
def test_a_table_of_groups_reads_like_its_rows(name, op):
    fabric = JOINED[name]
    ranks, local = np.array([1.0, 2.0, 8.0, 16.0, 64.0]), np.array([1.0, 2.0, 8.0, 8.0, 1.0])
    message = np.array([1e3, 1e6, 1e7, 1e8, 1e9])
    told = fabric.collective_seconds(op, message, ranks, local)
    alone = [fabric.collective_seconds(op, *row) for row in zip(message, ranks, local, strict=True)]
    assert told.tolist() == pytest.approx(alone, rel=1e-14)


@pytest.mark.parametrize("name", sorted(JOINED))
def test_nothing_to_send_costs_the_latency_alone(name):
    for op in OPS:
        nothing = JOINED[name].collective_seconds(op, 0.0, 8.0, 8.0)
        assert 0 <= nothing <= JOINED[name].collective_seconds(op, 1.0, 8.0, 8.0)


@pytest.mark.parametrize("name", sorted(JOINED))
def test_a_message_to_a_neighbour_does_not_care_how_many_others_there_are(name):
    fabric = JOINED[name]
    near = [fabric.collective_seconds("send", 1e8, ranks, ranks) for ranks in (2.0, min(fabric.linked, fabric.node))]
    assert near[1] == pytest.approx(near[0], rel=0.5)
    far = fabric.collective_seconds("send", 1e8, 2.0, 1.0)
    assert far >= 1e8 / fabric.network.link_bytes_per_s


@pytest.mark.parametrize("name", sorted(JOINED))
def test_ranks_of_a_node_share_the_way_out(name):
    """Each sends its shard through its own port: eight ports carry an all-reduce eight times as wide as one."""
    fabric = JOINED[name]
    slow = with_rates(fabric, network=1e-3)
    one, eight = (slow.collective_seconds("all_reduce", 1e10, 64.0, local) for local in (1.0, min(8.0, slow.node)))
    assert eight < one


@pytest.mark.parametrize("name", sorted(JOINED))
def test_beyond_its_links_a_group_takes_the_host(name):
    fabric = JOINED[name]
    if fabric.linked >= fabric.node:
        return
    slower = with_rates(fabric, host=0.5)
    inside, across = fabric.linked, fabric.node
    assert slower.collective_seconds("all_reduce", 1e9, across, across) > fabric.collective_seconds(
        "all_reduce", 1e9, across, across
    )
    assert slower.collective_seconds("all_reduce", 1e9, inside, inside) == fabric.collective_seconds(
        "all_reduce", 1e9, inside, inside
    )


@pytest.mark.parametrize("name", sorted(JOINED))
def test_the_engines_own_all_reduce_helps_small_messages_and_harms_none(name):
    fabric = JOINED[name]
    sizes, ranks = np.geomspace(1e3, 1e9, 25), min(8.0, fabric.linked)
    plain, quick_one = (
        fabric.collective_seconds("all_reduce", sizes, ranks, ranks, one_shot=flag) for flag in (False, True)
    )
    assert np.all(quick_one <= plain)
    if fabric.one_shot is not None:
        assert quick_one[0] < plain[0]
        assert np.all(np.diff(quick_one) >= -1e-15)


@pytest.mark.parametrize("op", OPS)
def test_only_all_reduces_have_a_kernel_of_the_engines_own(op):
    fabric = JOINED["dgx-h100"]
    plain, own = (fabric.collective_seconds(op, 1e4, 8.0, 8.0, one_shot=flag) for flag in (False, True))
    assert (own < plain) == (op == "all_reduce")


def test_an_unknown_collective_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="all_gather"):
        JOINED["dgx-h100"].collective_seconds("all_gathr", 1.0, 8.0, 8.0)


def test_fewer_links_of_the_same_silicon_are_slower():
    """An A800 box is an A100 box whose links were cut by a third."""
    whole, cut = (
        JOINED[name].collective_seconds("all_reduce", 1e9, 8.0, 8.0) for name in ("dgx-a100-640", "dgx-a800-640")
    )
    assert cut == pytest.approx(1.5 * whole, rel=0.01)


def bare(tier):
    """Return a tier that starts at once and reaches all of its link at any size."""
    free = {
        op: dataclasses.replace(
            kernel, base_seconds=0.0, hop_seconds=0.0, half_bytes=0.0, share_ranks=(2.0,), link_shares=(1.0,)
        )
        for op, kernel in tier.kernels.items()
    }
    return dataclasses.replace(tier, kernels=free, pair_share=1.0)


@pytest.mark.parametrize(("op", "inside", "across"), [
    ("all_reduce", 2 * 7 / 8, 2 * (1 / 8) * 3 / 4), ("all_gather", 7 / 8, (1 / 8) * 3 / 4),
    ("reduce_scatter", 7 / 8, (1 / 8) * 3 / 4), ("all_to_all", 7 / 32, 3 / 4), ("send", 1, 0),
])  # fmt: skip
def test_each_rank_sends_its_part_inside_and_its_shard_across(op, inside, across):
    """Four nodes of eight on ideal tiers, one tier slow at a time: the traffic of each is what the book says."""
    fabric = JOINED["dgx-h100"]
    ideal = dataclasses.replace(fabric, links=bare(fabric.links), network=bare(fabric.network), ring_steps=(0.0, 0.0))
    for tier, share in (("links", inside), ("network", across)):
        rates = {"links": 1e20, "network": 1e20, tier: 1e9}
        slow = dataclasses.replace(
            ideal,
            links=dataclasses.replace(ideal.links, link_bytes_per_s=rates["links"]),
            network=dataclasses.replace(ideal.network, link_bytes_per_s=rates["network"]),
        )
        assert slow.collective_seconds(op, 1e9, 32.0, 8.0) == pytest.approx(share, abs=1e-9), tier


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize(
    ("ranks", "local", "steps"), [(32.0, 8.0, (28, 3)), (512.0, 4.0, (384, 127)), (8.0, 8.0, (0, 0))]
)
def test_gathering_and_scattering_over_nodes_waits_for_every_step_of_the_ring(op, ranks, local, steps):
    """By hand: in each node one step less than it has ranks, and one less between nodes than there are nodes."""
    fabric = JOINED["dgx-h100"]
    rings, trees = (dataclasses.replace(fabric, ring_steps=pair) for pair in ((3e-6, 14e-6), (0.0, 0.0)))
    waited = rings.collective_seconds(op, 1e6, ranks, local) - trees.collective_seconds(op, 1e6, ranks, local)
    due = steps[0] * 3e-6 + steps[1] * 14e-6 if op in ("all_gather", "reduce_scatter") else 0.0
    assert waited == pytest.approx(due, abs=1e-12)


def test_copies_that_travel_once_load_the_network_by_their_share_alone():
    fabric = dataclasses.replace(JOINED["dgx-h100"], links=bare(JOINED["dgx-h100"].links))
    endless = dataclasses.replace(fabric.links, link_bytes_per_s=1e30)
    narrow = dataclasses.replace(fabric, links=endless, network=bare(fabric.network))
    whole, half = (narrow.collective_seconds("all_to_all", 1e9, 16.0, 8.0, across_share=share) for share in (1.0, 0.5))
    assert half == pytest.approx(whole / 2)


def test_what_stays_in_a_node_knows_no_copies_between_nodes():
    fabric = JOINED["dgx-h100"]
    times = {fabric.collective_seconds("all_to_all", 1e8, 8.0, 8.0, across_share=share) for share in (1.0, 0.5, 0.1)}
    assert len(times) == 1

"""Fabrics: one rank is free, measured all-reduces are met, tiers stream, wiring decides what a pair gets."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from suanli.domain.hardware import Topology
from suanli.foundation.errors import InputError
from suanli.parts.devices.fabric import PASSES

OPS = tuple(PASSES)
BYTES = st.floats(min_value=1.0, max_value=1e10)
quick = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
MIB = 2.0**20


@pytest.mark.parametrize("op", OPS)
def test_one_rank_is_free(fabric, op):
    assert fabric.collective_seconds(op, 1e9, 1.0, 1.0) == 0.0


@pytest.mark.parametrize(("ranks", "mib", "micro"), [
    (2, 1, 14.7), (2, 256, 881.3), (4, 16, 99.0), (4, 256, 1181.0), (8, 1, 25.4), (8, 16, 121.9), (8, 256, 1092.1),
])  # fmt: skip
def test_nccl_on_eight_h100_is_met_within_a_fifth(fabric, ranks, mib, micro):
    told = fabric.collective_seconds("all_reduce", mib * MIB, float(ranks), float(ranks))
    assert told == pytest.approx(micro * 1e-6, rel=0.2)


@pytest.mark.parametrize(("ranks", "kib", "micro"), [(2, 8, 2.6), (4, 8, 2.8), (8, 8, 3.5), (8, 1024, 13.5)])
def test_the_engines_own_all_reduce_is_met_within_a_fifth(fabric, ranks, kib, micro):
    told = fabric.collective_seconds("all_reduce", kib * 1024.0, float(ranks), float(ranks), one_shot=True)
    assert told == pytest.approx(micro * 1e-6, rel=0.2)


@quick
@given(message=BYTES, ranks=st.sampled_from([2.0, 4.0, 8.0]))
def test_the_engines_own_all_reduce_is_never_slower(fabric, message, ranks):
    plain, own = (fabric.collective_seconds("all_reduce", message, ranks, ranks, one_shot=one) for one in (False, True))
    assert own <= plain


def test_the_engines_own_all_reduce_stays_in_the_node(fabric):
    plain, own = (fabric.collective_seconds("all_reduce", MIB, 16.0, 1.0, one_shot=one) for one in (False, True))
    assert own == plain


@quick
@given(op=st.sampled_from(OPS), message=BYTES, more=st.floats(1.0, 100.0), ranks=st.sampled_from([2.0, 8.0, 64.0]))
def test_more_bytes_are_never_quicker(fabric, op, message, more, ranks):
    local = min(ranks, 8.0)
    small = fabric.collective_seconds(op, message, ranks, local)
    assert fabric.collective_seconds(op, message * more, ranks, local) >= small * (1 - 1e-9)


@quick
@given(op=st.sampled_from(OPS), message=BYTES, more=st.floats(1.0, 100.0), ranks=st.sampled_from([2.0, 8.0, 64.0]))
def test_more_bandwidth_is_never_slower(make_fabric, op, message, more, ranks):
    local = min(ranks, 8.0)
    plain = make_fabric().collective_seconds(op, message, ranks, local)
    wider = make_fabric(link=450e9 * more, network=50e9 * more).collective_seconds(op, message, ranks, local)
    assert wider <= plain * (1 + 1e-9)


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize(("ranks", "local"), [(8.0, 8.0), (16.0, 8.0), (64.0, 1.0)])
def test_endless_links_leave_the_latency(make_fabric, op, ranks, local):
    endless = make_fabric(link=1e30, network=1e30, host=1e30)
    small, large = (endless.collective_seconds(op, message, ranks, local) for message in (1.0, 1e9))
    assert large == pytest.approx(small, rel=1e-6)
    assert small > 1e-6


def test_an_all_reduce_costs_about_a_reduce_scatter_and_an_all_gather(fabric):
    whole, scatter, gather = (
        fabric.collective_seconds(op, 1e9, 8.0, 8.0) for op in ("all_reduce", "reduce_scatter", "all_gather")
    )
    assert whole == pytest.approx(scatter + gather, rel=0.35)


def test_all_ports_of_a_node_carry_its_shards(fabric):
    """Eight ranks in a node cross by eight network ports, one rank by one."""
    crowded = fabric.collective_seconds("all_gather", 8e9, 64.0, 8.0)
    alone = fabric.collective_seconds("all_gather", 8e9, 64.0, 1.0)
    assert alone > 5 * crowded


def test_leaving_the_node_is_slower_for_small_messages(fabric):
    inside, outside = (
        fabric.collective_seconds("all_reduce", 1e5, 8.0, 8.0),
        fabric.collective_seconds("all_reduce", 1e5, 16.0, 8.0),
    )
    assert outside > inside


def test_a_message_in_the_node_takes_the_link_and_outside_the_network(fabric):
    inside, outside = (fabric.collective_seconds("send", 1e8, 2.0, local) for local in (2.0, 1.0))
    assert 1e8 / inside < 450e9
    assert 25e9 < 1e8 / outside < 50e9


def test_a_pair_on_a_mesh_gets_one_of_its_links(make_fabric):
    switched, mesh = (make_fabric(topology=topology) for topology in (Topology.SWITCHED, Topology.MESH))
    assert mesh.links.pair_share == pytest.approx(1 / 7)
    assert mesh.collective_seconds("send", 1e9, 2.0, 2.0) > 5 * switched.collective_seconds("send", 1e9, 2.0, 2.0)
    assert mesh.collective_seconds("all_reduce", 1e9, 8.0, 8.0) == switched.collective_seconds(
        "all_reduce", 1e9, 8.0, 8.0
    )


def test_a_bridge_joins_two_and_more_go_through_the_host(make_fabric):
    bridged = make_fabric("nv-a100-80-pcie", link=300e9, domain=2, topology=Topology.PAIR_BRIDGE, host=32e9)
    two, four = (bridged.collective_seconds("all_reduce", 1e9, ranks, ranks) for ranks in (2.0, 4.0))
    assert four > 5 * two


def test_cards_without_links_go_through_the_host(make_fabric):
    cards = make_fabric("nv-l40s", link=None, domain=1, topology=Topology.PCIE, host=32e9)
    assert cards.links is cards.host
    assert cards.one_shot is None
    assert 1e9 / cards.collective_seconds("send", 1e9, 2.0, 2.0) < 32e9


def test_a_rack_of_72_is_one_domain(make_fabric):
    rack = make_fabric("nv-gb200", link=900e9, domain=72, accelerators=72)
    node = make_fabric("nv-b200-sxm", link=900e9, domain=8, accelerators=8)
    assert (
        rack.collective_seconds("all_to_all", 1e9, 64.0, 64.0)
        < node.collective_seconds("all_to_all", 1e9, 64.0, 8.0) / 3
    )


def test_ranks_beyond_a_node_are_on_others(fabric):
    assert fabric.collective_seconds("all_reduce", 1e9, 64.0, 64.0) == fabric.collective_seconds(
        "all_reduce", 1e9, 64.0, 8.0
    )


def test_without_network_figures_a_default_stands_in(make_fabric, kernels):
    assert make_fabric(network=None).network.link_bytes_per_s == kernels.network_bytes_per_s


@pytest.mark.parametrize("op", OPS)
def test_a_column_is_its_numbers(fabric, op):
    message, ranks = np.array([1e3, 1e6, 1e9, 1e9, 1e9]), np.array([1.0, 2.0, 8.0, 64.0, 48.0])
    local = np.minimum(ranks, 8.0)
    column = fabric.collective_seconds(op, message, ranks, local)
    assert column.tolist() == [
        fabric.collective_seconds(op, *point) for point in zip(message, ranks, local, strict=True)
    ]


def test_an_unknown_collective_names_the_nearest(fabric):
    with pytest.raises(InputError, match="Did you mean 'all_reduce'"):
        fabric.collective_seconds("allreduce", 1.0, 2.0, 2.0)

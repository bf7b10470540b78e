"""On a mesh one pair gets a part of the link figure, on a switch all of it; nothing is lost between them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from suanli.catalogue.load import catalogue
from suanli.domain.hardware import Link, Topology
from suanli.equations.topology import mesh_pair_bytes_per_s, pair_bytes_per_s, routed_places


def link(topology, domain=8):
    return Link(name="", topology=topology, bytes_per_s=None, domain=domain)


@given(st.floats(1e9, 1e12), st.integers(2, 64))
def test_the_shares_of_a_mesh_sum_to_the_link(bandwidth, domain):
    assert mesh_pair_bytes_per_s(bandwidth, domain) * (domain - 1) == pytest.approx(bandwidth)


@given(st.integers(2, 64))
def test_a_mesh_by_shares_is_the_mesh_by_domain(domain):
    shares = link(Topology.MESH, domain).shares
    assert pair_bytes_per_s(448e9, shares) == pytest.approx(mesh_pair_bytes_per_s(448e9, domain))


@pytest.mark.parametrize(
    ("topology", "shares"),
    [
        (Topology.SWITCHED, 1),
        (Topology.PAIR_BRIDGE, 1),
        (Topology.PCIE, 1),
        (Topology.MESH, 7),
        (Topology.CUBE_MESH, 6),
        (Topology.TORUS_2D, 4),
        (Topology.TORUS_3D, 6),
    ],
)
def test_a_wiring_splits_its_lanes_into_so_many_shares(topology, shares):
    assert link(topology).shares == shares


@pytest.mark.parametrize("topology", [item for item in Topology if item not in (Topology.MESH, Topology.UNKNOWN)])
def test_the_kernel_tables_split_a_wiring_alike(topology):
    from suanli.catalogue.figures import DATA
    from suanli.catalogue.plain_yaml import read_plain

    said = read_plain(DATA / "kernels" / "network.yaml").data["wiring"]
    assert said[topology.value] == pytest.approx(1 / link(topology).shares, rel=1e-3)


def test_a_mesh_of_one_divides_by_nothing():
    assert link(Topology.MESH, 1).shares == 1


@pytest.mark.parametrize(("name", "expected"), [("mi300x-8", 64e9), ("atlas-800t-a2", 28e9), ("dgx-h100", 450e9)])
def test_a_pair_gets_what_the_makers_say(name, expected):
    wiring = catalogue().systems[name].link
    assert pair_bytes_per_s(wiring.bytes_per_s.value, wiring.shares) == pytest.approx(expected)


def test_more_bandwidth_is_never_less_for_a_pair():
    assert pair_bytes_per_s(2e9, 7.0) > pair_bytes_per_s(1e9, 7.0)


@pytest.mark.parametrize(("chosen", "places"), [(1, 4), (2, 2), (2, 8), (3, 4), (4, 3)])
def test_experts_that_fall_anywhere_sit_on_so_many_places(chosen, places):
    """Every way to drop the chosen experts on places, written out and counted."""
    ways = [len(set(fell)) for fell in itertools.product(range(places), repeat=chosen)]
    assert routed_places(float(chosen), float(places)) == pytest.approx(sum(ways) / len(ways))


@given(chosen=st.integers(1, 16).map(float), places=st.integers(1, 512).map(float))
def test_a_token_goes_to_no_more_places_than_it_has_experts_or_there_are(chosen, places):
    assert 1 - 1e-12 <= routed_places(chosen, places) <= min(chosen, places) * (1 + 1e-12)

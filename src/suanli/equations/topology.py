"""What one pair of accelerators gets of the link figure: all of it on a switch, a part of it on a mesh."""

from __future__ import annotations

from suanli.foundation.equation import Real, equation


@equation(unit="1", source="deepseek2024v3")
def routed_places(chosen: Real, places: Real) -> Real:
    """Places (ranks, or nodes) that a token's experts sit on, on average, where its experts fall anywhere alike.

    d = N (1 - (1 - 1/N)^k), k experts chosen for a token, N places that share the experts out. A place takes a token
    once for all of its experts there. Source: deepseek2024v3.

    >>> routed_places(8.0, 1.0), round(routed_places(2.0, 2.0), 6)
    (1.0, 1.5)
    """
    return places * (1 - (1 - 1 / places) ** chosen)


@equation(unit="B/s", source="ml_engineering_network")
def mesh_pair_bytes_per_s(link_bytes_per_s: Real, domain: Real) -> Real:
    """Bandwidth between one pair on a full mesh: the device's lanes are split among all its neighbours.

    w = W / (n - 1).

    `link_bytes_per_s` W is what one device sends in one direction over all its lanes; `domain` n is how many devices
    the mesh joins (n > 1). Source: ml_engineering_network.

    >>> float(mesh_pair_bytes_per_s(448e9, 8.0))
    64000000000.0
    """
    return link_bytes_per_s / (domain - 1)


@equation(unit="B/s", source="ml_engineering_network")
def pair_bytes_per_s(link_bytes_per_s: Real, shares: Real) -> Real:
    """Bandwidth between one pair of any wiring that splits a device's lanes into equal shares.

    w = W / k.

    `shares` k is 1 on a switch or a bridge, n - 1 on a full mesh of n, 4 and 6 on a torus of two and three dimensions
    (two neighbours in each), 6 on the cube mesh of eight (six lanes, of which a pair is sure of one).
    Source: ml_engineering_network.

    >>> float(pair_bytes_per_s(450e9, 1.0))
    450000000000.0
    """
    return link_bytes_per_s / shares

"""The map of clusters: every dot beside the others, every name readable."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic_assessment import assessment

from headroom.report import cluster_map


@pytest.mark.slow
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1, max_size=8), st.integers(0, 1000))
def test_names_on_the_map_never_cover_each_other_and_stay_inside(anchors: list[tuple[float, float]], seed: int) -> None:
    points = np.random.default_rng(seed).uniform(0, 1, (200, 2))
    sizes = np.full((len(anchors), 2), [0.18, 0.06])
    places = cluster_map.place_labels(points, np.array(anchors), sizes)
    assert (places >= sizes / 2).all() and (places <= 1 - sizes / 2).all()
    for i in range(len(places)):
        for j in range(i):
            assert (np.abs(places[i] - places[j]) >= sizes[i]).any()


def test_a_line_to_a_name_on_the_map_crosses_no_other_name_and_no_other_line() -> None:
    # Typical servers of a fleet whose groups crowd one corner.
    anchors = np.array([[0.2, 0.24], [0.94, 0.42], [0.07, 0.94], [0.59, 0.28], [0.15, 0.1], [0.15, 0.06], [0.16, 0.12],
                        [0.17, 0.19]])  # fmt: skip
    sizes = np.array([[0.24, 0.09]] * len(anchors))
    places = cluster_map.place_labels(anchors, anchors, sizes)
    along = np.linspace(0, 1, 50)[:, None]
    for i, (anchor, place) in enumerate(zip(anchors, places, strict=True)):
        line = anchor + along * (place - anchor)
        for j, other in enumerate(places):
            if i != j:
                assert not (np.abs(line - other) < sizes[j] / 2).all(axis=1).any()
                assert not cluster_map._crosses(anchor, place[None], anchors[j], other).any()


@pytest.mark.slow
@pytest.mark.parametrize("servers", [30, 700])
def test_servers_that_behave_the_same_stand_side_by_side_on_the_map(servers: int) -> None:
    found = assessment(servers, ("cpu",))
    piled = found.clusters.assign(x=found.clusters["cluster"] * 10.0, y=0.0)
    spots = cluster_map.on_map(piled) * [1, cluster_map.MAP_SHAPE]
    apart = np.hypot(*(spots[:, None] - spots[None]).transpose(2, 0, 1)) + np.eye(servers)
    assert apart.min() > 0.98 * cluster_map.dot_width(servers)
    assert cluster_map.on_map(piled).min() >= 0 and cluster_map.on_map(piled).max() <= 1

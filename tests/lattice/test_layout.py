"""The layout: spans, blocks, and what is written over or summed per leaf."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrograd.errors import ArgumentError
from retrograd.lattice import Layout
from retrograd.lattice.layout import STRETCH, WHOLE

shapes = st.lists(st.lists(st.integers(1, 5), max_size=3).map(tuple), min_size=1, max_size=6)


@given(shapes)
def test_split_and_join_are_inverse(shapes: list[tuple[int, ...]]) -> None:
    layout = Layout(shapes)
    flat = np.arange(layout.size)
    leaves = layout.split(flat)
    assert [leaf.shape for leaf in leaves] == shapes
    assert all(np.shares_memory(leaf, flat) for leaf in leaves)
    np.testing.assert_array_equal(layout.join(leaves), flat)
    out = np.zeros(layout.size)
    assert layout.join(leaves, out) is out
    np.testing.assert_array_equal(out, flat)


@given(shapes, st.integers(1, 20))
def test_blocks_and_pieces_cover_the_vector_once(shapes: list[tuple[int, ...]], block: int) -> None:
    layout = Layout(shapes, block=block)
    indices = np.arange(layout.size)
    spans = [indices[b.span] for b in layout.blocks]
    np.testing.assert_array_equal(np.concatenate(spans), indices)
    assert all(len(span) <= block for span in spans)
    for b in layout.blocks:
        pieces = [indices[piece.span] for piece in b.pieces]
        np.testing.assert_array_equal(np.concatenate(pieces), indices[b.span])
        assert [layout.locate(int(piece[0]))[0] for piece in pieces] == b.leaves.tolist()
        assert [layout.locate(int(piece[-1]))[0] for piece in pieces] == b.leaves.tolist()
        assert [len(piece) for piece in pieces] == b.lengths.tolist()


LARGE = Layout([(40_000,), *[(3_000,)] * 15, (2, 4), (70_001,), (5,)])


@pytest.mark.parametrize("layout", [LARGE, Layout([(9_000,), (3,), (2,), (8_500,), (1,)])])
@pytest.mark.parametrize("alike", [True, False])
def test_a_walk_meets_every_element_once_with_its_numbers(layout: Layout, alike: bool) -> None:
    """Whatever the columns: one number, one per leaf, one per element."""
    rng = np.random.default_rng(0)
    by_leaf, by_element = rng.random(1 if alike else len(layout)), rng.random(layout.size)
    spread = by_leaf if alike else layout.spread(by_leaf, np.empty(layout.size))
    whole = layout.size <= WHOLE
    met = 0
    for run, one, leaf, element in layout.walk(np.array([0.5]), by_leaf, by_element):
        assert run.span.start == met
        met = run.span.stop
        assert whole or met - run.span.start <= STRETCH
        assert one == 0.5
        there = np.broadcast_to(spread, (layout.size,))[run.span]
        np.testing.assert_array_equal(np.broadcast_to(leaf, there.shape), there)
        np.testing.assert_array_equal(element, by_element[run.span])
    assert met == layout.size


@given(shapes)
def test_a_walk_along_leaves_of_any_sizes(shapes: list[tuple[int, ...]]) -> None:
    layout = Layout(shapes)
    values = np.arange(1.0, len(layout) + 1)
    found = [np.broadcast_to(x, (r.span.stop - r.span.start,)) for r, x in layout.walk(values)]
    np.testing.assert_array_equal(np.concatenate(found), np.repeat(values, layout.sizes))


@given(shapes)
def test_spread_then_collect_weighs_by_size(shapes: list[tuple[int, ...]]) -> None:
    layout = Layout(shapes)
    values = np.arange(1, len(layout) + 1)
    flat = layout.spread(values, np.empty(layout.size, np.int64))
    np.testing.assert_array_equal(flat, np.repeat(values, layout.sizes))
    np.testing.assert_array_equal(layout.collect(flat), values * layout.sizes)


def test_collect_sums_pairwise() -> None:
    layout = Layout([(2**20,), (3,)])
    flat = np.full(layout.size, 0.1)
    np.testing.assert_allclose(layout.collect(flat), [0.1 * 2**20, 0.3], rtol=1e-15)


def test_spread_keeps_large_integers() -> None:
    values = np.array([2**62 - 1, -(2**62) + 1])
    spread = Layout([(1,), (2,)]).spread(values, np.empty(3, np.int64))
    assert spread.tolist() == [values[0], values[1], values[1]]


def test_sizes_offsets_and_leaves() -> None:
    layout = Layout([(2, 3), (), (4,)], names=["W", "s", "b"])
    assert (len(layout), layout.size) == (3, 11)
    assert layout.sizes == (6, 1, 4)
    assert layout.offsets == (0, 6, 7)
    assert layout.leaves == (slice(0, 6), slice(6, 7), slice(7, 11))
    assert repr(layout) == "Layout([(2, 3), (), (4,)], names=['W', 's', 'b'])"


@pytest.mark.parametrize(
    ("index", "place", "words"),
    [(0, (0, 0), "W[0, 0]"), (5, (0, 5), "W[1, 2]"), (6, (1, 0), "s"), (10, (2, 3), "b[3]")],
)
def test_locate_and_describe(index: int, place: tuple[int, int], words: str) -> None:
    layout = Layout([(2, 3), (), (4,)], names=["W", "s", "b"])
    assert layout.locate(index) == place
    assert layout.describe(index) == words


def test_leaves_have_names_by_default() -> None:
    assert Layout([(2,), (3,)]).describe(3) == "leaf 1[1]"


@pytest.mark.parametrize("index", [-1, 5])
def test_locate_refuses_other_indices(index: int) -> None:
    with pytest.raises(ArgumentError, match=rf"index {index} is outside.*0 to 4"):
        Layout([(2,), (3,)]).locate(index)


def test_refusals_name_the_cure() -> None:
    with pytest.raises(ArgumentError, match="shapes is empty; give"):
        Layout([])
    with pytest.raises(ArgumentError, match=r"b has shape \(0,\) and no elements; leave it out"):
        Layout([(2,), (0,)], names=["W", "b"])
    with pytest.raises(ArgumentError, match="names has 1 entries for 2 leaves; give one per leaf"):
        Layout([(2,), (2,)], names=["W"])
    with pytest.raises(ArgumentError, match="block is 0; give at least 1"):
        Layout([(2,)], block=0)
    layout = Layout([(2,), (3,)], names=["W", "b"])
    with pytest.raises(ArgumentError, match=r"values has shape \(3,\); give shape \(2,\)"):
        layout.spread(np.ones(3), np.empty(5))
    with pytest.raises(ArgumentError, match=r"out has shape \(4,\); give shape \(5,\)"):
        layout.spread(np.ones(2), np.empty(4))
    with pytest.raises(ArgumentError, match=r"flat has shape \(4,\); give shape \(5,\)"):
        layout.collect(np.ones(4))
    with pytest.raises(ArgumentError, match=r"flat has shape \(4,\); give shape \(5,\)"):
        layout.split(np.ones(4))
    with pytest.raises(ArgumentError, match="join got 1 arrays for 2 leaves"):
        layout.join([np.ones(2)])
    with pytest.raises(ArgumentError, match=r"array for b has shape \(2,\); give shape \(3,\)"):
        layout.join([np.ones(2), np.ones(2)])


def test_the_whole_vector_is_one_run_that_meets_every_column() -> None:
    layout = Layout([(2,), (3, 1), (9000,)])
    whole = layout.whole
    assert whole.span == slice(0, layout.size)
    assert [part.stop - part.start for part in whole.parts] == [2, 3, 9000]
    by_leaf = np.array([1.0, 2.0, 3.0])
    assert np.array_equal(layout.met(whole, by_leaf), layout.spread(by_leaf, np.empty(layout.size)))
    assert layout.met(whole, np.array([4.0])) == 4.0
    element = np.arange(float(layout.size))
    assert np.array_equal(layout.met(whole, element), element)

"""The bounds on the digits: tight, above every value, and exactly invertible."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from retrograd.lattice import Layout
from retrograd.lattice.bounds import grow, shrink

LAYOUT = Layout([(3,), (1,), (4,)], block=5)

bounds = st.lists(st.integers(0, 2**32 - 1), min_size=3, max_size=3)
smaller = st.integers(2, 2**16).flatmap(lambda d: st.tuples(st.integers(1, d - 1), st.just(d)))
pairs = smaller | st.just((1, 1))
factors = st.sampled_from([1, 3, 8]).flatmap(
    lambda size: st.lists(pairs, min_size=size, max_size=size)
)


@given(bounds, factors)
def test_grow_is_the_largest_that_the_digits_can_become(
    bounds: list[int], factors: list[tuple[int, int]]
) -> None:
    n, d = np.array(factors, np.int64).T
    spread = {1: lambda v: np.full(8, v), 3: lambda v: np.repeat(v, LAYOUT.sizes), 8: np.asarray}
    each_n, each_d = spread[len(n)](n).tolist(), spread[len(n)](d).tolist()
    # The digits at their bound take in the largest remainder, d - 1.
    most = [
        max((bounds[leaf] * each_d[i] + each_d[i] - 1) // each_n[i] for i in range(8)[span])
        for leaf, span in enumerate(LAYOUT.leaves)
    ]
    assert grow(np.array(bounds), n, d, LAYOUT).tolist() == most


@given(bounds, factors)
def test_shrink_inverts_grow(bounds: list[int], factors: list[tuple[int, int]]) -> None:
    n, d = np.array(factors, np.int64).T
    after = grow(np.array(bounds), n, d, LAYOUT)
    assert shrink(after, n, d, LAYOUT).tolist() == bounds

"""`r_` and `c_` of traced arrays."""

from __future__ import annotations

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.errors import MissingRuleError
from retrograd.testing import check_grads

X, Y = np.array([0.3, -1.2]), np.array([0.7, 0.1])


@pytest.mark.parametrize("name", ["r_", "c_"])
def test_traced_parts_are_joined_as_numpy_joins_them(name) -> None:
    def f(x, y):
        return getattr(rnp, name)[x, y * 2]

    np.testing.assert_array_equal(rg.vjp(f, X, Y)[0], getattr(np, name)[X, Y * 2])
    check_grads(f, X, Y)


def test_slices_are_ranges() -> None:
    value = rg.vjp(lambda x: rnp.r_[x, 0:3, 1.5], X)[0]
    np.testing.assert_array_equal(value, np.r_[X, 0:3, 1.5])


def test_plain_parts_are_left_to_numpy() -> None:
    assert type(rnp.r_[X, 1]) is np.ndarray


def test_directives_are_refused() -> None:
    with pytest.raises(MissingRuleError, match="directive '0,2'"):
        rg.vjp(lambda x: rnp.r_["0,2", x, x], X)

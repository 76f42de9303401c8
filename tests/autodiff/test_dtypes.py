from __future__ import annotations

import numpy as np

import retrograd as rg
from retrograd.autodiff.dtypes import cast, floats, in_double, is_complex


def test_complex_numbers_are_known_whatever_holds_them() -> None:
    assert is_complex(1j)
    assert is_complex(np.complex64(1))
    assert not is_complex(1.0)
    assert not is_complex(np.ones(2))
    seen = []
    rg.vjp(lambda x, y: seen.extend([is_complex(x), is_complex(y)]) or x, np.array([1j]), 2.0)
    assert seen == [True, False]


def test_cast_leaves_alone_what_has_the_dtype() -> None:
    x = np.ones(2, np.float32)
    assert cast(x, np.float32) is x
    assert cast(x, None) is x
    assert cast(x, float).dtype == np.float64
    assert cast(2, np.float32).dtype == np.float32
    assert type(cast(2, np.float32)) is np.float32


def test_cast_of_a_traced_value_has_a_derivative() -> None:
    g = rg.grad(lambda x: 3 * np.sum(cast(x, np.float64)))(np.ones(2, np.float32))
    assert g.dtype == np.float32
    np.testing.assert_array_equal(g, [3, 3])


def test_only_whole_numbers_become_floats() -> None:
    assert floats([1, 2]).dtype == np.float64
    assert floats(np.ones(2, np.float32)).dtype == np.float32
    assert floats(1j).dtype == np.complex128


def test_double_precision_or_higher() -> None:
    assert in_double(np.ones(2, np.float32)).dtype == np.float64
    assert in_double(np.ones(2, np.complex64)).dtype == np.complex128
    assert in_double(np.ones(2, np.longdouble)).dtype == np.longdouble

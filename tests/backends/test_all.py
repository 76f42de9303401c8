"""Every backend passes the tests that all of them must pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retrograd import tree
from retrograd.backends import Backend, NumpyBackend
from retrograd.testing import check_backend


def torch_backend() -> Backend:
    pytest.importorskip("torch")
    from retrograd.backends import TorchBackend

    return TorchBackend()


BACKENDS = pytest.mark.parametrize("make", [NumpyBackend, torch_backend], ids=["numpy", "torch"])


@BACKENDS
def test_everything_that_training_relies_on(make: Any) -> None:
    check_backend(make())


@BACKENDS
@pytest.mark.parametrize("dtypes", [["f4", "f4", "f4"], ["f8", "f8", "f8"], ["f4", "f8", "f2"]])
def test_leaves_lie_in_one_flat_vector(make: Any, dtypes: list[str]) -> None:
    """They have their shapes and dtypes; packing gives all bits back, and adding adds them."""
    backend, kinds = make(), [np.dtype(d) for d in dtypes]
    flat = np.arange(8.0)
    packing = backend.packing([(2, 3), (), (1,)], kinds)
    leaves = packing.unpack(flat.copy())
    host = [backend.to_host(leaf) for leaf in leaves]
    assert [x.shape for x in host] == [(2, 3), (), (1,)]
    assert [x.dtype for x in host] == kinds
    assert host[0].tolist() == [[0, 1, 2], [3, 4, 5]]
    packed = packing.pack(leaves)
    assert np.array_equal(packed, flat)
    assert packed.dtype == (kinds[0] if len(set(kinds)) == 1 else float)
    total = flat + 1
    packing.add(leaves, total)
    assert np.array_equal(total, 2 * flat + 1)
    leaves[0][0, 0] = 9
    assert packed[0] == 0


@BACKENDS
def test_arrays_go_to_the_host_and_back(make: Any) -> None:
    backend = make()
    given = [np.arange(6.0).reshape(2, 3), np.array(2.0, np.float32)]
    there = backend.from_host(given)
    assert all(backend.is_smooth(x) and not backend.is_traced(x) for x in there)
    assert [backend.dtype_of(x) for x in there] == [np.float64, np.float32]
    for x, y in zip(given, map(backend.to_host, there), strict=True):
        assert x.dtype == y.dtype
        assert np.array_equal(x, y)
    assert backend.dtype_of("text") is None


@BACKENDS
def test_cotangents_add_up_in_the_dtype_of_their_leaf(make: Any) -> None:
    backend = make()
    (like,) = backend.from_host([np.zeros(2, np.float32)])
    parts = backend.from_host([np.full(2, x, np.float64) for x in (1.0, 2.0)])
    total = None
    for part in parts:
        total = backend.accumulated(total, part, like)
    assert backend.to_host(total).tolist() == [3.0, 3.0]
    assert backend.dtype_of(total) == np.float32
    assert backend.to_host(parts[0]).tolist() == [1.0, 1.0]
    assert backend.to_host(backend.zeros_like(like)).tolist() == [0.0, 0.0]


@BACKENDS
def test_the_bytes_that_a_derivative_keeps(make: Any) -> None:
    """At least those of the factors of a product of 1,000 numbers with themselves."""
    backend = make()
    (x,) = backend.from_host([np.ones(1000)])
    with backend.kept_by_derivative() as kept:
        result, pullback = backend.vjp(lambda x: (x * x) * (x * x), x)
    assert 8_000 <= kept.nbytes < 80_000
    assert tree.leaves(pullback(result))

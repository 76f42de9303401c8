"""Between a flat vector and tensors: there, back, and what is given out stays as it is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from retrograd.backends.torch_packing import Packing  # noqa: E402

SHAPES = [(3, 2), (), (4,)]
F32, F64 = np.dtype(np.float32), np.dtype(np.float64)


def packing(*dtypes: np.dtype[Any]) -> Packing:
    return Packing(SHAPES, dtypes or [F32] * 3, torch.device("cpu"))


def vector(start: float = 0.0) -> np.ndarray[Any, Any]:
    return start + np.arange(11.0)


def address(leaves: Any) -> int:
    return leaves[0].untyped_storage().data_ptr()


@pytest.mark.parametrize("dtypes", [(F32, F32, F32), (F64, F64, F64), (F32, F64, F32)])
def test_there_and_back(dtypes: Any) -> None:
    given = packing(*dtypes)
    leaves = given.unpack(vector())
    assert [tuple(x.shape) for x in leaves] == SHAPES
    assert [x.numpy().dtype for x in leaves] == list(dtypes)
    flat = given.pack(leaves)
    assert flat.dtype == (F32 if dtypes == (F32, F32, F32) else F64)
    assert flat.tolist() == vector().tolist()


@pytest.mark.parametrize("first", [0, 1, 4, 16])
def test_memory_is_aligned_alike(first: int) -> None:
    """A vector may lie anywhere, and not in one piece; strides that are assumed must fit it."""
    given = packing()
    flat = torch.zeros(64).numpy()[first : first + 11]
    apart = torch.zeros(64).numpy()[first : first + 22 : 2]
    for numbers in (flat, apart):
        numbers[:] = vector()
        leaves = given.unpack(numbers)
        assert leaves[0].data_ptr() % 64 == 0
        assert given.pack(leaves).tolist() == vector().tolist()


@pytest.mark.parametrize("dtypes", [(F32, F32, F32), (F32, F64, F32)])
def test_leaves_are_added(dtypes: Any) -> None:
    given = packing(*dtypes)
    out = vector(100.0)
    given.add([x.requires_grad_() for x in given.unpack(vector())], out)
    assert out.tolist() == (vector(100.0) + vector()).tolist()
    transposed = [torch.arange(6.0).view(2, 3).T, torch.tensor(1.0), torch.tensor([7.0]).expand(4)]
    given.add(transposed, out)
    assert (out - vector(100.0) - vector()).tolist() == [0, 3, 1, 4, 2, 5, 1, 7, 7, 7, 7]


def test_leaves_that_are_not_contiguous() -> None:
    leaves = [torch.arange(6.0).view(2, 3).T, torch.tensor(1.0), torch.tensor([7.0]).expand(4)]
    assert packing().pack(leaves).tolist() == [0, 3, 1, 4, 2, 5, 1, 7, 7, 7, 7]


@pytest.mark.parametrize(
    "hold",
    [
        lambda leaves: leaves[2],
        lambda leaves: leaves[0][1:],
        lambda leaves: leaves[0].numpy(),
    ],
    ids=["leaf", "view", "array"],
)
def test_what_somebody_has_stays_as_it_is(hold: Any) -> None:
    given = packing()
    first = given.unpack(vector())
    place, held = address(first), hold(first)
    del first
    later = [given.unpack(vector(100.0)) for _ in range(9)]
    assert place not in map(address, later)
    assert len(set(map(address, later))) == 9
    assert float(held.max()) < 11


def test_what_a_graph_needs_stays_as_it_is() -> None:
    given = packing()
    begun = given.unpack(vector())[2].requires_grad_()
    value = (begun**3).sum()
    x = torch.autograd.graph.get_gradient_edge(begun)
    del begun
    for _ in range(9):
        given.unpack(vector(100.0))
    (gradient,) = torch.autograd.grad(value, [x])
    assert gradient.tolist() == [3.0 * i**2 for i in range(7, 11)]


def test_a_packed_vector_stays_as_it_is() -> None:
    given = packing()
    flat = given.pack(given.unpack(vector()))
    part = flat[3:]
    del flat
    for _ in range(9):
        given.pack(given.unpack(vector(100.0)))
    assert part.tolist() == vector()[3:].tolist()

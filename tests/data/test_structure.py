from __future__ import annotations

import numpy as np
import pytest

from retrograd.data.structure import parse_structure, structure_of
from retrograd.errors import ArgumentError

BATCHES = {
    "array": np.arange(6.0).reshape(2, 3),
    "dict": {"y": np.array([1, 2]), "x": (np.float32([[1.5]]), [True, 2, 3.5, 1j])},
    "scalars": (np.float32(0.1), np.array(7), b"ab"[0]),
    "empty": {"none": np.empty((0, 3)), "nothing": [], "unit": ()},
    "foreign": np.arange(3, dtype=">i2"),
    "strided": np.arange(12.0).reshape(3, 4).T[::2],
    "words": np.array(["red", "green"]),
    "days": np.array(["2026-01-02"], "datetime64[D]"),
}


def aligned(size):
    room = np.zeros(size + 64, np.uint8)
    start = -room.ctypes.data % 64
    return room[start : start + size]


def packed(batch):
    structure = structure_of(batch)
    room = aligned(structure.nbytes)
    structure.pack(batch, room)
    return structure, room


def same(a, b):
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return type(a) is type(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    a = np.asarray(a)
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("name", BATCHES)
def test_a_batch_comes_back_as_it_was(name):
    structure, room = packed(BATCHES[name])
    assert same(BATCHES[name], structure.unpack(room))


@pytest.mark.parametrize("name", BATCHES)
def test_the_text_says_all(name):
    structure, room = packed(BATCHES[name])
    again = parse_structure(structure.text)
    assert again.text == structure.text
    assert same(BATCHES[name], again.unpack(room))


def test_arrays_come_back_read_only_and_aligned():
    structure, room = packed([np.ones(3, np.int8), np.ones(5), np.ones(1)])
    for array in structure.unpack(room):
        assert not array.flags.writeable
        assert array.ctypes.data % 64 == 0


def test_the_order_of_a_dict_means_nothing():
    assert structure_of({"a": 1.0, "b": 2}).text == structure_of({"b": 2, "a": 1.0}).text


@pytest.mark.parametrize(
    ("batch", "said"),
    [
        ({"x": [np.array([object()])]}, r"batch\['x'\]\[0\] is an array of dtype object"),
        ({1: np.ones(2)}, "the key 1"),
        ("text", "batch is str"),
        ([None], r"batch\[0\] is NoneType"),
        (np.zeros(2, [("a", "f8")]), "dtype"),
        (10**40, "object"),
    ],
)
def test_what_cannot_be_written_is_refused(batch, said):
    with pytest.raises(ArgumentError, match=said):
        structure_of(batch)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"x": np.ones((2, 4)), "y": [1]}, r"batch\['x'\] is float64 \(2, 4\), and was float64"),
        ({"x": np.ones((2, 3), np.float32), "y": [1]}, "is float32"),
        ({"x": np.ones((2, 3)), "y": [1, 2]}, r"batch\['y'\]\[1\] is int64 \(\), and was absent"),
        ({"x": np.ones((2, 3)), "y": []}, r"batch\['y'\]\[0\] is absent"),
        ({"x": np.ones((2, 3)), "y": (1,)}, "tuple"),
    ],
)
def test_a_change_is_refused_by_name(other, said):
    first = structure_of({"x": np.ones((2, 3)), "y": [1]})
    with pytest.raises(ArgumentError, match=said):
        first.check(structure_of(other))

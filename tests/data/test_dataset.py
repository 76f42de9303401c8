"""Splits and one-hot labels."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from retrograd.data import Split, one_hot
from retrograd.errors import ArgumentError


def test_split_is_read_only_and_leaves_the_given_arrays_writeable() -> None:
    images, labels = np.zeros((3, 4)), np.array([1, 0, 2])
    split = Split(images, labels)
    with pytest.raises(ValueError, match="read-only"):
        split.images[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        split.labels[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        split.labels = labels  # pyright: ignore[reportAttributeAccessIssue]
    assert images.flags.writeable
    assert labels.flags.writeable
    assert len(split) == 3


@pytest.mark.parametrize("images", [np.zeros(4), np.zeros((3, 2, 2)), np.zeros((3, 4), np.uint8)])
def test_split_refuses_images_that_are_not_float_rows(images: np.ndarray) -> None:
    with pytest.raises(ArgumentError, match=r"images must be floats of shape \(N, D\), got"):
        Split(images, np.zeros(len(images), np.int64))


@pytest.mark.parametrize(
    "labels", [np.zeros(2, np.int64), np.zeros((3, 1), np.int64), np.zeros(3, np.uint8)]
)
def test_split_refuses_labels_that_do_not_match(labels: np.ndarray) -> None:
    with pytest.raises(ArgumentError, match=r"labels must be int64 of shape \(3,\)"):
        Split(np.zeros((3, 4)), labels)


def test_one_hot() -> None:
    rows = one_hot(np.array([3, 0, 9], np.uint8), dtype=np.float32)
    assert rows.dtype == np.float32
    np.testing.assert_array_equal(rows, np.eye(10)[[3, 0, 9]])


def test_one_hot_of_nothing() -> None:
    assert one_hot([], classes=4).shape == (0, 4)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 3], r"labels must lie in 0\.\.2, got 0\.\.3"),
        ([-1, 2], r"labels must lie in 0\.\.2, got -1\.\.2"),
        ([0.0, 1.0], r"labels must be integers of shape \(N,\), got float64 \(2,\)"),
        ([[0, 1]], r"labels must be integers of shape \(N,\), got int64 \(1, 2\)"),
        ([True], r"labels must be integers of shape \(N,\), got bool"),
    ],
)
def test_one_hot_refuses(labels: list, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        one_hot(labels, classes=3)


@pytest.mark.parametrize("dtype", [np.int64, "float1", None, complex])
def test_one_hot_refuses_a_type_that_is_not_floating(dtype: object) -> None:
    with pytest.raises(ArgumentError, match="dtype must be a floating point type, got"):
        one_hot([0], dtype=dtype)  # pyright: ignore[reportArgumentType]

"""What a data set is: three splits of images with labels, and labels as one-hot rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from retrograd.errors import ArgumentError

__all__ = ["Dataset", "Split", "floating", "one_hot"]


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Images with their labels; both are read-only views of what was given.

    Args:
        images: shape (N, D), floating point; for MNIST D = 784, row by row,
            0 is paper and 1 is ink.
        labels: shape (N,), int64, the class of each image, counted from 0.

    Raises:
        ArgumentError: the arrays have other dimensions, or not one label per image.

    Example:
        >>> split = Split(images=np.zeros((3, 784)), labels=np.array([7, 2, 1]))
        >>> len(split), split
        (3, Split(images=float64 (3, 784), labels=int64 (3,)))
    """

    images: NDArray[np.floating]
    labels: NDArray[np.int64]

    def __post_init__(self) -> None:
        _check_pairs(self.images, self.labels)
        for name in ("images", "labels"):
            object.__setattr__(self, name, _read_only(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Split(images={_describe(self.images)}, labels={_describe(self.labels)})"


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in three splits: to train on, to choose by, and to report.

    Args:
        name: the name that `load` knows it by.
        train: the examples whose loss training descends.
        valid: the examples whose loss the hyperparameters descend.
        test: the examples that nothing descends.
        classes: how many classes there are; labels are below it.

    Example:
        >>> from retrograd.data import load
        >>> data = load("mnist-10k")
        >>> len(data.train), len(data.valid), len(data.test), data.classes
        (6000, 2000, 2000, 10)
    """

    name: str
    train: Split
    valid: Split
    test: Split
    classes: int


def one_hot(
    labels: ArrayLike, classes: int = 10, *, dtype: DTypeLike = np.float64
) -> NDArray[np.floating]:
    """Labels as rows with a single one: `one_hot(y)[i, j]` is 1 where `y[i] == j`, else 0.

    Args:
        labels: shape (N,), integers, 0 <= label < classes.
        classes: how many columns.
        dtype: floating point type of the result.

    Returns:
        Shape (N, classes), of `dtype`.

    Raises:
        ArgumentError: a label is not an integer or is out of range, or `dtype` is not a float.

    Example:
        >>> one_hot([1, 0], classes=3)
        array([[0., 1., 0.],
               [1., 0., 0.]])
    """
    columns = _checked_labels(np.asarray(labels), classes)
    rows = np.zeros((len(columns), classes), floating(dtype))
    rows[np.arange(len(columns)), columns] = 1
    return rows


def floating(dtype: DTypeLike) -> np.dtype[Any]:
    """`dtype` as a NumPy type, or an `ArgumentError` where it is not floating point."""
    try:
        resolved = np.dtype(dtype)
    except TypeError:
        resolved = None
    if dtype is None or resolved is None or resolved.kind != "f":
        raise ArgumentError(
            f"dtype must be a floating point type, got {dtype!r}; give np.float64 or np.float32"
        )
    return resolved


def _checked_labels(labels: NDArray[Any], classes: int) -> NDArray[Any]:
    if labels.ndim != 1 or (labels.dtype.kind not in "iu" and labels.size):
        raise ArgumentError(
            f"labels must be integers of shape (N,), got {_describe(labels)}; "
            "give the class of each example, counted from 0"
        )
    if labels.size and not 0 <= labels.min() <= labels.max() < classes:
        raise ArgumentError(
            f"labels must lie in 0..{classes - 1}, got {labels.min()}..{labels.max()}; "
            "give classes= the number of classes"
        )
    return labels.astype(np.int64, copy=False)


def _check_pairs(images: NDArray[Any], labels: NDArray[Any]) -> None:
    if images.ndim != 2 or images.dtype.kind != "f":
        raise ArgumentError(
            f"images must be floats of shape (N, D), got {_describe(images)}; "
            "flatten each image to a row and scale it to 0..1"
        )
    if labels.shape != images.shape[:1] or labels.dtype != np.int64:
        raise ArgumentError(
            f"labels must be int64 of shape {images.shape[:1]} to match images "
            f"{images.shape}, got {_describe(labels)}; give one label for each image"
        )


def _read_only(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _describe(array: NDArray[Any]) -> str:
    return f"{array.dtype} {array.shape}"

"""MNIST: the part that comes with the package, and the whole as the paper divides it.

The splits follow the order of the files. The halves of the 10,000 test images, of which `mnist-10k`
consists, were written by different people and the first is the harder one to classify; so on
`mnist-10k` a validation loss may well lie below the training loss.

References:
    Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits.
    D. Maclaurin, D. Duvenaud, R. P. Adams: Gradient-based hyperparameter optimization through
    reversible learning. ICML 2015, section 3.1.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

import numpy as np
from numpy.typing import DTypeLike, NDArray

from retrograd.errors import ArgumentError

from . import fetch, idx
from .dataset import Dataset, Split, floating

__all__ = ["NAMES", "load"]

CLASSES = 10

Pixels = NDArray[np.uint8]
Source = Callable[[str], bytes]


def load(
    name: str, *, dtype: DTypeLike = np.float64, progress: fetch.Progress | None = None
) -> Dataset:
    """A data set by its name.

    ============ ======= ======= ======= ===============================================
    name         train   valid   test    where from
    ============ ======= ======= ======= ===============================================
    mnist-10k      6,000   2,000   2,000 MNIST's test images, part of the package
    mnist         10,000  10,000  10,000 `$RETROGRAD_DATA`, the cache, or a download
    ============ ======= ======= ======= ===============================================

    Args:
        name: one of the names above.
        dtype: floating point type of the images.
        progress: told of the progress of a download: file, bytes received, bytes in all or None.

    Returns:
        A `Dataset`; images are (N, 784) of `dtype` in [0, 1], labels (N,) int64 in 0..9, all of
        them read-only.

    Raises:
        ArgumentError: the name is unknown, or `dtype` is not floating point.
        DataError: a file is damaged, or lies nowhere and cannot be downloaded.

    Example:
        >>> data = load("mnist-10k", dtype=np.float32)
        >>> data.train
        Split(images=float32 (6000, 784), labels=int64 (6000,))
        >>> data.train.labels[:5]
        array([7, 2, 1, 0, 4])
    """
    build = _BUILDERS.get(name)
    if build is None:
        raise ArgumentError(f"data must be one of {', '.join(NAMES)}; got {name!r}")
    train, valid, test = build(floating(dtype), progress)
    return Dataset(name, train, valid, test, CLASSES)


def _ten_thousand(dtype: np.dtype, progress: fetch.Progress | None) -> tuple[Split, Split, Split]:
    images, labels = _pair("t10k", _shipped)
    bounds = (slice(0, 6_000), slice(6_000, 8_000), slice(8_000, 10_000))
    train, valid, test = (_split(images[part], labels[part], dtype) for part in bounds)
    return train, valid, test


def _whole(dtype: np.dtype, progress: fetch.Progress | None) -> tuple[Split, Split, Split]:
    def found(file: str) -> bytes:
        return fetch.obtain(file, progress=progress).contents

    images, labels = _pair("train", found)
    train = _split(images[:10_000], labels[:10_000], dtype)
    valid = _split(images[10_000:20_000], labels[10_000:20_000], dtype)
    return train, valid, _split(*_pair("t10k", found), dtype)


_BUILDERS = {"mnist-10k": _ten_thousand, "mnist": _whole}
NAMES = tuple(_BUILDERS)


def _shipped(file: str) -> bytes:
    place = resources.files("retrograd.data") / "files" / "mnist-10k" / file
    return fetch.verified(place.read_bytes(), file, str(place), "install retrograd again")


def _pair(part: str, source: Source) -> tuple[Pixels, Pixels]:
    """Images (N, 28, 28) and labels (N,) of the files of `part`, as bytes."""
    images, labels = f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz"
    return (
        idx.parse(source(images), images, dtype=np.uint8, ndim=3),
        idx.parse(source(labels), labels, dtype=np.uint8, ndim=1),
    )


def _split(images: Pixels, labels: Pixels, dtype: np.dtype) -> Split:
    rows = images.reshape(len(images), -1)
    return Split(np.divide(rows, 255, dtype=dtype), labels.astype(np.int64))

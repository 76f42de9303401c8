"""Read IDX files, the format of MNIST: a typed array of any number of dimensions, gzipped or not.

    byte 0, 1      zero
    byte 2         type code (a row of `TYPES`)
    byte 3         number of dimensions d
    4 d bytes      the dimensions, big-endian unsigned 32 bits each
    the rest       the elements, big-endian, last dimension fastest

Every byte is accounted for: a file that is a byte too short or too long is an error.

References:
    Y. LeCun, C. Cortes, C. J. C. Burges: The MNIST database of handwritten digits.
"""

from __future__ import annotations

import gzip
import io
import math
import zlib
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from retrograd.errors import DataError

__all__ = ["parse", "read", "unpack"]

TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
GZIP = b"\x1f\x8b"
CURE = "replace it by an undamaged copy"


def read(
    path: str | PathLike[str], *, dtype: DTypeLike | None = None, ndim: int | None = None
) -> NDArray[Any]:
    """The array in an IDX file, gzipped or not.

    Args:
        path: the file.
        dtype: the element type that must be found; None takes any.
        ndim: the number of dimensions that must be found; None takes any.

    Returns:
        The array, of the file's shape, in the machine's byte order, read-only.

    Raises:
        DataError: the file is missing, unreadable, damaged, truncated, or of another type or shape.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "labels.idx")
        ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 2, 1]))
        ...     read(path, dtype=np.uint8, ndim=1)
        array([7, 2, 1], dtype=uint8)
    """
    try:
        packed = Path(path).read_bytes()
    except OSError as reason:
        raise DataError(f"{path} cannot be read ({reason}); give a file that exists") from reason
    return parse(unpack(packed, str(path)), str(path), dtype=dtype, ndim=ndim)


def unpack(packed: bytes, name: str, *, most: int = -1, cure: str = CURE) -> bytes:
    """`packed` itself, or what it holds where it is gzipped: at most `most` bytes of it.

    Args:
        packed: the bytes of the file.
        name: the name of the file, for the error.
        most: where to stop, so that a hostile file cannot fill the memory; -1 does not stop.
        cure: what to do about a damaged file, for the error.

    Raises:
        DataError: the gzip stream is damaged or truncated.
    """
    if not packed.startswith(GZIP):
        return packed
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(packed)) as stream:
            return stream.read(most)
    except (OSError, EOFError, zlib.error) as reason:
        raise DataError(f"{name} is damaged: {reason}; {cure}") from reason


def parse(
    data: bytes, name: str, *, dtype: DTypeLike | None = None, ndim: int | None = None
) -> NDArray[Any]:
    """The array in the unpacked bytes of an IDX file; see `read`, whose errors call it `name`."""
    found, shape = _header(data, name)
    _expect("element type", dtype and np.dtype(dtype), found.newbyteorder("="), name)
    _expect("number of dimensions", ndim, len(shape), name)
    start = 4 + 4 * len(shape)
    _expect_length(data, start + math.prod(shape) * found.itemsize, shape, name)
    array = np.frombuffer(data, found, offset=start).reshape(shape)
    array = array.astype(found.newbyteorder("="), copy=False)
    array.flags.writeable = False
    return array


def _header(data: bytes, name: str) -> tuple[np.dtype[Any], tuple[int, ...]]:
    """Element type and shape."""
    if len(data) < 4 or data[:2] != b"\0\0" or data[2] not in TYPES:
        raise DataError(
            f"{name} is not an IDX file: its first bytes are {data[:4].hex(' ') or 'missing'}, "
            f"expected 00 00, a type (08, 09, 0b..0e) and the number of dimensions; {CURE}"
        )
    dimensions = data[4 : 4 + 4 * data[3]]
    if data[3] == 0 or len(dimensions) < 4 * data[3]:
        raise DataError(
            f"{name} is damaged: its header announces {data[3]} dimensions "
            f"and holds {len(dimensions) // 4}; {CURE}"
        )
    return np.dtype(TYPES[data[2]]), tuple(np.frombuffer(dimensions, ">u4").tolist())


def _expect(what: str, expected: object, found: object, name: str) -> None:
    if expected is not None and expected != found:
        raise DataError(
            f"{name} holds the wrong array: {what} {found}, expected {expected}; "
            "give the file of that content (images have 3 dimensions, labels 1)"
        )


def _expect_length(data: bytes, length: int, shape: tuple[int, ...], name: str) -> None:
    if len(data) != length:
        fault = "truncated" if len(data) < length else "too long"
        raise DataError(
            f"{name} is {fault}: {len(data)} bytes, where shape {shape} needs {length}; {CURE}"
        )

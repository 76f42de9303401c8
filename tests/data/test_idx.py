"""IDX files: what is written is read, and every kind of damage is named."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from retrograd.data import idx
from retrograd.errors import DataError

CODES = {code: np.dtype(text) for code, text in idx.TYPES.items()}


def idx_bytes(array: np.ndarray) -> bytes:
    """The file that holds `array`, written by the format's description."""
    code = {dtype.newbyteorder("="): code for code, dtype in CODES.items()}[array.dtype]
    header = struct.pack(f">BBBB{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
    return header + array.astype(CODES[code]).tobytes()


arrays = st.sampled_from([dtype.newbyteorder("=") for dtype in CODES.values()]).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(max_dims=4, min_side=0, max_side=4))
)
SMALL = idx_bytes(np.arange(6, dtype=np.uint8).reshape(2, 3))


@given(arrays)
def test_what_is_written_is_read(array: np.ndarray) -> None:
    found = idx.parse(idx_bytes(array), "some file")
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()
    assert not found.flags.writeable


@given(st.data())
def test_no_damaged_length_is_read(data: st.DataObject) -> None:
    raw = idx_bytes(data.draw(arrays))
    cut = data.draw(st.integers(0, len(raw) - 1))
    for damaged in (raw[:cut], raw + b"\0"):
        with pytest.raises(DataError, match="some file"):
            idx.parse(damaged, "some file")


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_read_gzipped_or_not(pack: type, tmp_path: Path) -> None:
    path = tmp_path / "array.idx"
    path.write_bytes(pack(SMALL))
    np.testing.assert_array_equal(idx.read(path, dtype=np.uint8, ndim=2), [[0, 1, 2], [3, 4, 5]])


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "is not an IDX file: its first bytes are missing"),
        (b"\x89PNG", "is not an IDX file: its first bytes are 89 50 4e 47, expected 00 00"),
        (b"\0\0\x07\x01", "is not an IDX file: its first bytes are 00 00 07 01"),
        (b"\0\0\x08\0", "is damaged: its header announces 0 dimensions"),
        (SMALL[:9], "is damaged: its header announces 2 dimensions and holds 1"),
        (SMALL[:-1], r"is truncated: 17 bytes, where shape \(2, 3\) needs 18"),
        (SMALL + b"\0", r"is too long: 19 bytes, where shape \(2, 3\) needs 18"),
        (b"\0\0\x08\x02" + b"\xff" * 8, "is truncated: 12 bytes, where shape"),
    ],
)
def test_damage_is_named(raw: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "array.idx"
    path.write_bytes(raw)
    with pytest.raises(DataError, match=rf"array\.idx {message}.*; replace it by an undamaged"):
        idx.read(path)


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"dtype": np.int8}, "element type uint8, expected int8"),
        ({"ndim": 3}, "number of dimensions 2, expected 3"),
    ],
)
def test_unexpected_content_is_named(expected: dict, message: str) -> None:
    with pytest.raises(DataError, match=f"some file holds the wrong array: {message}; give the"):
        idx.parse(SMALL, "some file", **expected)


def _flipped(packed: bytes, place: int) -> bytes:
    return packed[:place] + bytes([packed[place] ^ 0xFF]) + packed[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[:-1],
        lambda packed: packed[: len(packed) // 2],
        lambda packed: packed[:2],
        lambda packed: _flipped(packed, 2),
        lambda packed: _flipped(packed, len(packed) // 2),
        lambda packed: _flipped(packed, len(packed) - 8),
        lambda packed: packed + b"rest",
    ],
    ids=["short", "half", "stub", "method", "middle", "checksum", "rest"],
)
def test_damaged_gzip_is_named(damage: type, labels: bytes, tmp_path: Path) -> None:
    path = tmp_path / "labels.gz"
    path.write_bytes(damage(labels))
    with pytest.raises(DataError, match=r"labels\.gz is damaged: .*; replace it by an undamaged"):
        idx.read(path)


def test_unpacking_stops_where_told() -> None:
    assert idx.unpack(gzip.compress(bytes(10**6)), "some file", most=10) == bytes(10)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nothing\.idx cannot be read .*give a file that exists"):
        idx.read(tmp_path / "nothing.idx")

"""Batches in files: one folder, one file for each batch, and a manifest.

In a folder that is kept, each file is written beside its place and moved there whole, so that after
a crash it is either complete or absent.

    spool.json              format, structure of a batch, number of batches once the stream has
                            ended, SHA-256 of all this
    batch-000000041.spool   SHA-256 (32 bytes) of step, structure and the rest; 32 zeros; the
                            arrays, each padded to a multiple of 64 bytes

Arrays start at multiples of 64 bytes in memory too, when they come from the stream and when they
come from disk: the bits of a matrix product can depend on where its factors lie.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import DataError
from retrograd.files import replacing, sealed, unsealed

from .structure import ALIGNMENT, Structure, parse_structure

__all__ = ["Manifest", "Packed", "pack", "read", "read_manifest", "sizes", "unpack", "write"]

FORMAT = "retrograd.data.Spool 1"
MANIFEST = "spool.json"
HEAD = ALIGNMENT  # bytes before the arrays: a digest, and zeros up to the alignment
DIGEST = 32
CURE = "spool the stream again, or restore the folder from a copy"

Packed = NDArray[np.uint8]
"""The bytes of the file of a batch."""


class Manifest(NamedTuple):
    """What is known of all batches.

    Attributes:
        structure: of each of them; None before the first.
        batches: how many there are; None before the end of the stream.
    """

    structure: Structure | None
    batches: int | None

    def write(self, folder: Path, *, durable: bool) -> None:
        """Write it to the folder, in place of an earlier one.

        Raises:
            DataError: the folder cannot be written to.
        """
        text = None if self.structure is None else self.structure.text
        fields = {"format": FORMAT, "batch": text, "batches": self.batches}
        _save(folder / MANIFEST, sealed(fields), durable=durable)


def read_manifest(folder: Path) -> Manifest:
    """The manifest of a folder.

    Raises:
        DataError: there is none, or it is damaged.
    """
    path = folder / MANIFEST
    try:
        fields = unsealed(path.read_bytes(), FORMAT)
    except OSError as reason:
        raise DataError(f"no spool is in {folder} ({reason}); name its folder") from reason
    if fields is None:
        raise DataError(f"{path} is damaged, or not of the format {FORMAT!r}; {CURE}")
    text = fields["batch"]
    return Manifest(None if text is None else parse_structure(text), fields["batches"])


def pack(batch: Any, step: int, structure: Structure) -> Packed:
    """A batch of this structure as the bytes of its file."""
    packed = _aligned(HEAD + structure.nbytes)
    structure.pack(batch, packed[HEAD:])
    packed[:DIGEST] = np.frombuffer(_digest(packed, step, structure), np.uint8)
    return packed


def unpack(packed: Packed, structure: Structure) -> Any:
    """The batch in the bytes of a file: read-only views of them."""
    return structure.unpack(packed[HEAD:])


def write(packed: Packed, folder: Path, step: int, *, durable: bool) -> None:
    """Write the file of the batch of `step`; `durable` where it must outlive a crash.

    Raises:
        DataError: it cannot be written.
    """
    _save(_path(folder, step), packed.data, durable=durable)


def read(folder: Path, step: int, structure: Structure) -> Packed:
    """The bytes of the file of the batch of `step`, checked.

    Raises:
        DataError: the file is missing or damaged, or belongs to another step.
    """
    path = _path(folder, step)
    packed = _aligned(HEAD + structure.nbytes)
    try:
        with path.open("rb") as file:
            got, rest = file.readinto(packed.data), file.read(1)
            length = os.fstat(file.fileno()).st_size
    except OSError as reason:
        raise DataError(f"the batch of step {step} cannot be read ({reason}); {CURE}") from reason
    if got < len(packed) or rest:
        raise DataError(
            f"{path} is damaged: it holds {length} bytes, where a batch needs {len(packed)}; {CURE}"
        )
    if packed[:DIGEST].tobytes() != _digest(packed, step, structure):
        raise DataError(
            f"{path} is damaged: its SHA-256 is not that of the batch of step {step}; {CURE}"
        )
    return packed


def sizes(folder: Path) -> dict[int, int]:
    """The bytes of the file of each batch in a folder, by step."""
    return dict(_batches(folder))


def _batches(folder: Path) -> Iterator[tuple[int, int]]:
    with os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name.removeprefix("batch-").removesuffix(".spool")
            if name.isdecimal() and entry.name == _path(folder, int(name)).name:
                yield int(name), entry.stat().st_size


def _path(folder: Path, step: int) -> Path:
    return folder / f"batch-{step:09d}.spool"


def _digest(packed: Packed, step: int, structure: Structure) -> bytes:
    """SHA-256 of a batch; step and structure enter, so that files cannot change places."""
    digest = hashlib.sha256(f"{step} {structure.text}\n".encode())
    digest.update(packed[DIGEST:].data)
    return digest.digest()


def _aligned(size: int) -> Packed:
    """Zeros, `size` of them, the first at a multiple of `ALIGNMENT`."""
    room = np.zeros(size + ALIGNMENT, np.uint8)
    start = -room.ctypes.data % ALIGNMENT
    return room[start : start + size]


def _save(path: Path, contents: bytes | memoryview, *, durable: bool) -> None:
    """Write a file; whole or not at all, and through to the disk, if it is to outlive us."""
    try:
        if durable:
            with replacing(path) as file:
                file.write(contents)
        else:
            path.write_bytes(contents)
    except OSError as reason:
        raise DataError(
            f"{path} cannot be written ({reason}); make room, then ask again"
        ) from reason

"""A state that is kept between the forward run and the sweep: in memory, or in a file.

A file is written beside its place and then moved there, so it is whole or absent. Its SHA-256 stays
in memory and is compared before anything is read from it. Files hold plain arrays, never pickles.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import weakref
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import numpy as np

from retrograd.adjoints.adjoint import Snapshot, bytes_of
from retrograd.errors import DataError

__all__ = ["Folder", "InFile", "InMemory", "KeptState"]


class KeptState(Protocol):
    """A copy of a state.

    Attributes:
        mark: the state's fingerprint.
        nbytes: the bytes of memory that it takes.
        file_nbytes: the bytes that it takes on the disk.
    """

    mark: int
    nbytes: int
    file_nbytes: int

    def read(self) -> Snapshot:
        """The state."""
        ...

    def discard(self) -> None:
        """It is no longer needed."""


class InMemory:
    """A state kept in memory."""

    def __init__(self, state: Snapshot, mark: int) -> None:
        self.state = state
        self.mark = mark
        self.nbytes = bytes_of(state)
        self.file_nbytes = 0

    def read(self) -> Snapshot:
        return self.state

    def discard(self) -> None:
        self.state = {}


class InFile:
    """A state kept in a file.

    Args:
        state: its arrays.
        mark: its fingerprint.
        path: the file to be written.

    Raises:
        DataError: it cannot be written.
    """

    def __init__(self, state: Snapshot, mark: int, path: Path) -> None:
        self.mark = mark
        self.path = path
        self.names = list(state)
        self.nbytes = 0
        self.file_nbytes = bytes_of(state)
        self.digest = _write(path, state)

    def read(self) -> Snapshot:
        """The state.

        Raises:
            DataError: the file is gone, or not what was written.
        """
        try:
            with open(self.path, "rb") as file:
                self._compare(file)
                return {name: np.load(file, allow_pickle=False) for name in self.names}
        except FileNotFoundError as error:
            raise DataError(
                f"{self.path}: the checkpoint that was written there is gone. Give "
                "Checkpointed(folder=...) a folder that nothing else clears, and run again"
            ) from error

    def _compare(self, file: BufferedReader) -> None:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != self.digest:
            raise DataError(
                f"{self.path} is damaged: a checkpoint with SHA-256 {self.digest} was written, "
                f"{found} was read. Check the disk, and run again"
            )
        file.seek(0)

    def discard(self) -> None:
        self.path.unlink(missing_ok=True)


class Folder:
    """A folder of our own for the files of one run, removed when it is closed or forgotten.

    Args:
        parent: where it is made; the system's folder for temporary files if None.

    Raises:
        DataError: it cannot be made.
    """

    def __init__(self, parent: str | os.PathLike[str] | None = None) -> None:
        try:
            self.path = Path(tempfile.mkdtemp(prefix="retrograd-checkpoints-", dir=parent))
        except OSError as error:
            raise DataError(
                f"no folder for checkpoints can be made in {parent}: {error}. Give "
                "Checkpointed(folder=...) an existing folder that may be written to"
            ) from error
        self.close = weakref.finalize(self, shutil.rmtree, self.path, ignore_errors=True)

    def keep(self, t: int, state: Snapshot, mark: int) -> InFile:
        """Write the state at step t to a file."""
        return InFile(state, mark, self.path / f"state-{t}.npy")


def _write(path: Path, state: Snapshot) -> str:
    """Write arrays one after the other; the SHA-256 of what was written.

    The files do not outlive the process, so there is no wait until they are on the disk.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with open(partial, "wb") as file:
            hashing = _Hashing(file)
            for array in state.values():
                np.save(hashing, array, allow_pickle=False)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise DataError(
            f"{path}: a checkpoint cannot be written there: {error}. Make room, give "
            "Checkpointed(folder=...) a folder on another disk, or keep fewer states on disk"
        ) from error
    return hashing.digest.hexdigest()


class _Hashing:
    """A file that takes in what is written to it, for a digest of it."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.digest = hashlib.sha256()

    def write(self, data: Any) -> int:
        self.digest.update(data)
        return self.file.write(data)

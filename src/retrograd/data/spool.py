"""A stream that cannot be asked again, spooled to disk, so that its batches can be."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from os import PathLike
from pathlib import Path
from threading import Lock
from types import TracebackType
from typing import Any, SupportsIndex

from retrograd.errors import ArgumentError, DataError

from . import batch_files
from .batch_files import Manifest, Packed
from .minibatch import integer
from .structure import Structure, structure_of

__all__ = ["Spool"]


class Spool:
    """Batches by step, from a stream that gives each of them once.

    `spool(step)` reads on from the stream as far as needed, and writes what it reads to disk; what
    has been read before comes back from there, bit for bit. So a loss may ask for the batch of its
    step, forwards and in the sweep.

    A batch is an array, or nested dicts (of string keys), lists and tuples of arrays; all batches
    have the structure, shapes and dtypes of the first. They come back read-only, numbers as NumPy
    scalars, dicts in the order of their sorted keys. Calls from several threads take turns.

    Args:
        stream: an iterable of batches; it is asked for one batch at a time, never twice.
        folder: an empty or new folder, which stays when the spool is closed; None takes a temporary
            one, which does not.

    Raises:
        ArgumentError: `stream` is not iterable, or `step` is no number from 0.
        DataError: `folder` is not empty or cannot be written to; the stream ended before the batch
            of `step`, failed, or changed the shape of its batches; a file is damaged or missing;
            the spool is closed.

    Example:
        >>> import numpy as np
        >>> noise = np.random.default_rng(0)
        >>> with Spool(noise.normal(size=3) for _ in range(100)) as spool:
        ...     forward = [spool(step) for step in range(4)]
        ...     again = [spool(step) for step in reversed(range(4))]
        ...     len(spool), all(map(np.array_equal, forward, reversed(again)))
        (4, True)
    """

    def __init__(self, stream: Iterable[Any], folder: str | PathLike[str] | None = None) -> None:
        source = _iterator(stream)
        self._begin(source, _made(folder), Manifest(None, None), temporary=folder is None)
        self._write_manifest()

    @classmethod
    def open(cls, folder: str | PathLike[str], stream: Iterable[Any] | None = None) -> Spool:
        """The spool in a folder, finished or interrupted.

        Args:
            folder: what an earlier `Spool(stream, folder)` has written.
            stream: what comes after the batches in the folder; None if nothing does.

        Raises:
            ArgumentError: `stream` is given, and the folder's stream has already ended.
            DataError: the folder holds no spool, or its manifest is damaged.

        Example:
            >>> import tempfile
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     with Spool(iter("abc".encode()), folder) as spool:
            ...         _ = spool(1)
            ...     with Spool.open(folder) as spool:
            ...         len(spool), spool(0)
            (2, np.int64(97))
        """
        place = Path(folder)
        manifest = batch_files.read_manifest(place)
        if stream is not None and manifest.batches is not None:
            raise ArgumentError(
                f"Spool.open: stream was given, but the stream in {place} has ended after "
                f"{manifest.batches} batches; leave stream out, or spool the new one to another "
                "folder"
            )
        spool = object.__new__(cls)
        source = None if stream is None else _iterator(stream)
        spool._begin(source, place, manifest, temporary=False)
        sizes = batch_files.sizes(place)
        spool._length = max(sizes, default=-1) + 1 if manifest.batches is None else manifest.batches
        spool._nbytes = sum(sizes.values())
        return spool

    def _begin(
        self, stream: Iterator[Any] | None, folder: Path, manifest: Manifest, *, temporary: bool
    ) -> None:
        self.folder = folder
        self._stream = stream
        self._structure, self._count = manifest
        self._length = self._nbytes = 0
        self._latest: tuple[int, Packed] | None = None
        self._unwritten: Packed | None = None
        self._failure: str | None = None
        self._closed = False
        self._lock = Lock()
        self._durable = not temporary
        # Not TemporaryDirectory, which warns when a spool is dropped instead of closed.
        self._remove = weakref.finalize(self, shutil.rmtree, folder, True) if temporary else None

    def __call__(self, step: SupportsIndex) -> Any:
        """The batch of `step`, counted from 0."""
        number = integer("step", step)
        if number < 0:
            raise ArgumentError(f"step must be at least 0, got {number}; count steps from 0")
        with self._lock:
            if self._closed:
                raise DataError(
                    f"the spool in {self.folder} is closed; keep it open during the run"
                )
            while number >= self._length:
                self._read_on(number)
            return self._recall(number)

    def __len__(self) -> int:
        """How many batches have been read from the stream so far."""
        return self._length

    @property
    def finished(self) -> bool:
        """Whether the stream has ended, so that no batch is to come."""
        return self._count is not None

    @property
    def nbytes(self) -> int:
        """The bytes of the batches on disk."""
        return self._nbytes

    def close(self) -> None:
        """Stop reading; a temporary folder is removed."""
        with self._lock:
            self._closed, self._latest, self._unwritten = True, None, None
            if self._remove is not None:
                self._remove()

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else "finished" if self.finished else "open"
        return f"Spool({self._length} batches, {self._nbytes} bytes, {state}, {str(self.folder)!r})"

    def _read_on(self, wanted: int) -> None:
        """Move one batch from the stream to the disk."""
        # A batch that could not be written is kept: the stream will not give it again.
        if self._unwritten is None:
            self._unwritten = self._next(wanted)
        if self._length == 0:
            self._write_manifest()
        batch_files.write(self._unwritten, self.folder, self._length, durable=self._durable)
        self._latest, self._unwritten = (self._length, self._unwritten), None
        self._length += 1
        self._nbytes += len(self._latest[1])

    def _next(self, wanted: int) -> Packed:
        """The next batch of the stream, packed."""
        step = self._length
        if self._failure is not None:
            raise DataError(self._failure)
        if self._count is not None or self._stream is None:
            raise DataError(self._too_short(wanted))
        try:
            return self._packed(next(self._stream))
        except StopIteration:
            self._count = step
            self._write_manifest()
            raise DataError(self._too_short(wanted)) from None
        except ArgumentError as error:
            self._failure = f"the stream's batch of step {step} cannot be spooled: {error}"
            raise DataError(self._failure) from None
        except BaseException as error:
            # Asked once more, a generator that has failed says that it has ended.
            self._failure = (
                f"the stream failed at step {step} ({type(error).__name__}: {error}) and cannot go "
                f"on; open {self.folder} with the rest of the stream (Spool.open)"
            )
            raise

    def _packed(self, batch: Any) -> Packed:
        structure = structure_of(batch)
        if self._structure is None:
            self._structure = structure
        self._structure.check(structure)
        return batch_files.pack(batch, self._length, structure)

    def _recall(self, step: int) -> Any:
        """The batch of `step`, which has been read from the stream before."""
        structure: Structure | None = self._structure
        assert structure is not None
        if self._latest is None or self._latest[0] != step:
            self._latest = step, batch_files.read(self.folder, step, structure)
        return batch_files.unpack(self._latest[1], structure)

    def _too_short(self, wanted: int) -> str:
        if self._count is not None:
            return (
                f"the stream ended after {self._length} batches, and step {wanted} was asked for; "
                f"take at most {self._length} steps, or spool a longer stream"
            )
        return (
            f"{self.folder} holds the first {self._length} batches of a stream, and step {wanted} "
            "was asked for; open it with the rest of the stream, Spool.open(folder, stream)"
        )

    def _write_manifest(self) -> None:
        Manifest(self._structure, self._count).write(self.folder, durable=self._durable)


def _iterator(stream: Iterable[Any]) -> Iterator[Any]:
    try:
        return iter(stream)
    except TypeError:
        raise ArgumentError(
            f"Spool: stream must be an iterable of batches, got {stream!r:.60}; give a generator, "
            "or a list"
        ) from None


def _made(folder: str | PathLike[str] | None) -> Path:
    """An empty folder: a temporary one, or the given one."""
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="retrograd-spool-"))
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
        occupied = next(place.iterdir(), None)
    except OSError as reason:
        raise DataError(f"folder {place} cannot be used ({reason}); give another one") from reason
    if occupied is not None:
        raise DataError(
            f"folder {place} is not empty ({occupied.name}); give an empty one, or open the spool "
            "that is in it with Spool.open"
        )
    return place

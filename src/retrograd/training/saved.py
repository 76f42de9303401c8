"""Sweeps that can be interrupted: a run on disk, and the place that its sweep has come to.

    saved.json        what the run is a run of (one digest for each input), and the two files below
                      with their SHA-256; sealed by its own
    forward.npz       the last state, what the adjoint kept, and the checksums of the forward run
    sweep-000420.npz  the state, the adjoints and what is still kept at step 420

The manifest is replaced when a file that it names is whole and on the disk. So a crash at any
moment leaves the run as it was last saved. Files hold plain arrays, never pickles.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from retrograd.adjoints import Snapshot
from retrograd.counts import check_count
from retrograd.errors import ArgumentError, DataError
from retrograd.files import file_sha256, replace_file, replacing, sealed, unsealed
from retrograd.training.trajectory import arrays_of

__all__ = ["Saved", "SavedRun", "digest_of", "names_of", "saved_run"]

_FORMAT = "retrograd saved run 1"
_MANIFEST = "saved.json"
_FORWARD = "forward.npz"
_CURE = "delete the folder and run again, from the start"


class Saved:
    """Save a run that is differentiated, so that its sweep can be continued after an interruption.

    Pass it as `saved=` to `train` or `iterate`. After the forward run the last state and all that
    the adjoint kept are written to the folder, and during the sweep the place that it has come to.
    When the same call is made again after an interruption, the forward run is skipped, and the
    sweep goes on from the last place that was saved. The gradient is the same, bit for bit. When
    the sweep ends, the files are removed.

    The same call is one with the same weights, hyperparameters, steps, optimizer, adjoint and
    version of retrograd; they are compared by SHA-256. The loss (or the step of `iterate`) is
    compared by its name alone, and by the bits of what it returns in the sweep. If what the result
    is used for is another (another validation loss), the sweep begins again from the last state.

    Args:
        folder: where the files are; made if it does not exist. One folder serves one call at a
            time.
        every: how many steps of the sweep lie between two saves; a sixteenth of the run by default.

    Raises:
        ArgumentError: `every` is no whole number of at least 1; or, in a run, the folder holds a
            run with other inputs.
        DataError: in a run, a file is damaged or cannot be written.

    Example:
        >>> Saved("runs/long", every=100)
        Saved('runs/long', every=100)
    """

    def __init__(self, folder: str | os.PathLike[str], every: int | None = None) -> None:
        if not isinstance(folder, str | os.PathLike):
            raise ArgumentError(f"Saved: folder={folder!r:.60} was given; give a folder's path")
        if every is not None:
            every = check_count("every", every, caller="Saved")
        self.folder = Path(folder)
        self.every = every

    def __repr__(self) -> str:
        every = "" if self.every is None else f", every={self.every}"
        return f"Saved({str(self.folder)!r}{every})"


def saved_run(
    saved: Saved | None, call: Mapping[str, str], inputs: Sequence[str]
) -> SavedRun | None:
    """The files of one run, if it is to be saved.

    Args:
        saved: where they are.
        call: what the run is a run of: a text for each part of it, by name.
        inputs: the names of the numbered inputs.

    Raises:
        ArgumentError: `saved` is something else.
    """
    if saved is None:
        return None
    if not isinstance(saved, Saved):
        raise ArgumentError(
            f"saved: {saved!r:.60} was given; give an instance, retrograd.Saved(folder)"
        )
    from retrograd import __version__

    return SavedRun(saved, {**call, "version of retrograd": __version__}, inputs)


def names_of(name: str, leaves: Sequence[str]) -> list[str]:
    """The names of the leaves of an argument, for messages: `w0['bias']`."""
    return [name if leaf == "value" else f"{name}{leaf}" for leaf in leaves]


class SavedRun:
    """The files of one run.

    Args:
        saved: where they are.
        call: what the run is a run of: a text for each part of it, by name.
        inputs: the names of the numbered inputs.

    Attributes:
        every: how many steps lie between two saves, if that was given.
    """

    def __init__(self, saved: Saved, call: Mapping[str, str], inputs: Sequence[str]) -> None:
        self.folder = saved.folder
        self.every = saved.every
        self._call = dict(call)
        self._inputs = inputs
        self._manifest: dict[str, Any] = {}

    def open(self, inputs: Sequence[Any]) -> Snapshot | None:
        """The forward run of these inputs as it was saved; None if it was not.

        Raises:
            ArgumentError: the folder holds another run.
            DataError: a file is missing or damaged.
        """
        digests = {name: digest_of(x) for name, x in zip(self._inputs, inputs, strict=True)}
        call = {**self._call, **digests}
        found = self._read_manifest()
        if found is None:
            self._manifest = {"format": _FORMAT, "call": call, "forward": None, "sweep": None}
            return None
        self._compare(found["call"], call)
        self._manifest = found
        return self._read(found["forward"])

    def keep_forward(self, arrays: Snapshot) -> None:
        """Save a forward run."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise self._unwritable(error) from error
        self._remove_files()
        self._manifest["forward"] = self._write(_FORWARD, arrays)
        self._write_manifest()

    def place(self, purpose: str) -> tuple[int, Snapshot] | None:
        """The step that a sweep has come to, and what was saved there; None if nothing was.

        Args:
            purpose: a digest of what the sweep starts with.
        """
        found = self._manifest["sweep"]
        if found is None or found["purpose"] != purpose:
            return None
        return found["step"], self._read(found)

    def keep_place(self, t: int, purpose: str, arrays: Snapshot) -> None:
        """Save the place that the sweep has come to, instead of an earlier one."""
        before = self._manifest["sweep"]
        written = self._write(f"sweep-{t:06d}.npz", arrays)
        self._manifest["sweep"] = {**written, "step": t, "purpose": purpose}
        self._write_manifest()
        if before is not None and before["file"] != written["file"]:
            (self.folder / before["file"]).unlink(missing_ok=True)

    def finish(self) -> None:
        """Remove all files, and the folder if nothing else is in it."""
        (self.folder / _MANIFEST).unlink(missing_ok=True)
        self._remove_files()
        if not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _compare(self, saved: Mapping[str, str], now: Mapping[str, str]) -> None:
        names = [name for name in {**saved, **now} if saved.get(name) != now.get(name)]
        if names:
            raise ArgumentError(
                f"saved: {self.folder} holds an interrupted run with another {', '.join(names)}; "
                "make the same call to continue it, delete the folder to give it up, or save this "
                "run in another folder"
            )

    def _read_manifest(self) -> dict[str, Any] | None:
        path = self.folder / _MANIFEST
        try:
            fields = unsealed(path.read_bytes(), _FORMAT)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise DataError(f"{path} cannot be read ({error}); {_CURE}") from error
        if fields is None:
            raise DataError(f"{path} is damaged, or not of the format {_FORMAT!r}; {_CURE}")
        return fields

    def _write_manifest(self) -> None:
        try:
            replace_file(self.folder / _MANIFEST, sealed(self._manifest))
        except OSError as error:
            raise self._unwritable(error) from error

    def _write(self, name: str, arrays: Snapshot) -> dict[str, Any]:
        """Write arrays to a file: its name and SHA-256."""
        path = self.folder / name
        try:
            with replacing(path) as file:
                np.savez(file, allow_pickle=False, **arrays)
            return {"file": name, "sha256": file_sha256(path)}
        except OSError as error:
            raise self._unwritable(error) from error

    def _read(self, named: Mapping[str, str]) -> Snapshot:
        path = self.folder / named["file"]
        try:
            found = file_sha256(path)
            if found != named["sha256"]:
                raise DataError(
                    f"{path} is damaged: a file with SHA-256 {named['sha256']} was written, and "
                    f"{found} was read; {_CURE}"
                )
            with np.load(path, allow_pickle=False) as arrays:
                return dict(arrays)
        except FileNotFoundError as error:
            raise DataError(f"{path} is gone; {_CURE}") from error

    def _remove_files(self) -> None:
        for pattern in (_FORWARD, "sweep-*.npz", ".*.partial"):
            for path in self.folder.glob(pattern):
                path.unlink(missing_ok=True)

    def _unwritable(self, error: OSError) -> DataError:
        return DataError(
            f"saved: the run cannot be written to {self.folder} ({error}); make room, or give "
            "Saved another folder"
        )


def digest_of(x: Any) -> str:
    """The SHA-256 of an input: of dtype, shape and bytes, or its type's name where it has none."""
    arrays = arrays_of([x])
    if not arrays:
        return f"{type(x).__module__}.{type(x).__qualname__}"
    array = arrays[0]
    digest = hashlib.sha256(f"{array.dtype.str} {array.shape} ".encode())
    digest.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return digest.hexdigest()

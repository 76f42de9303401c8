"""The record of a study on disk: written as the study runs, readable at any moment.

    settings.json       what the study was asked to do; written first
    record.jsonl        one line of JSON per entry, appended when the entry is complete
    arrays/00012.npz    the arrays of entry 12, written before its line
    summary.json        what came out; written last

A crash at any point leaves a record that reads as the entries completed before it. Every line
carries the SHA-256 of itself and of its arrays, so that damage is an error and never a result.
Numbers that are not finite are `null` in the JSON. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from retrograd.errors import ArgumentError, DataError
from retrograd.files import replace_file, write_through

__all__ = ["Record", "Recorder", "discard", "holds_record", "read", "summarize"]

SETTINGS = "settings.json"
LINES = "record.jsonl"
SUMMARY = "summary.json"
ARRAYS = "arrays"

_OWN_KEYS = ("arrays", "arrays_sha256", "line_sha256")


class Recorder:
    """Writes the record of one study.

    Args:
        out: Folder of the record; created where it does not exist.
        settings: What the study was asked to do; goes to `settings.json`.
        overwrite: Replace a record that the folder already holds.

    Raises:
        ArgumentError: The folder holds a record and `overwrite` is false, or `out` is a file.

    Example:
        >>> import tempfile
        >>> out = Path(tempfile.mkdtemp()) / "study"
        >>> recorder = Recorder(out, {"steps": 3})
        >>> recorder.append({"meta_step": 0, "train_loss": 0.5}, {"rates": np.ones(3)})
        >>> recorder.finish({"meta_steps_done": 1})
        >>> record = read(out)
        >>> record.entries
        [{'meta_step': 0, 'train_loss': 0.5}]
        >>> record.arrays(0)["rates"]
        array([1., 1., 1.])
    """

    def __init__(
        self, out: str | Path, settings: Mapping[str, Any], *, overwrite: bool = False
    ) -> None:
        self.out = Path(out)
        self._count = 0
        self._size = 0
        self._claim_folder(overwrite)
        replace_file(self.out / LINES, b"")
        replace_file(self.out / SETTINGS, _document(settings))

    def _claim_folder(self, overwrite: bool) -> None:
        if self.out.exists() and not self.out.is_dir():
            raise ArgumentError(f"out is {self.out}, which is a file: give the name of a folder.")
        if holds_record(self.out):
            if not overwrite:
                raise ArgumentError(
                    f"out is {self.out}, which already holds a record: "
                    "give another folder, or overwrite=True to replace that record."
                )
            _remove_record(self.out)
        try:
            (self.out / ARRAYS).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ArgumentError(
                f"out is {self.out}, where no folder can be made ({error.strerror}): give the "
                "name of a folder that can be written to."
            ) from error

    def append(self, entry: Mapping[str, Any], arrays: Mapping[str, Any]) -> None:
        """Add one entry: its arrays first, then its line, each safely on disk before the next.

        Args:
            entry: Names to numbers, strings, booleans, None, or lists and mappings of these.
            arrays: Names to arrays of real numbers; the names may contain `/`.

        Raises:
            ArgumentError: A name is taken by the record itself, a value has no JSON form, or an
                array is not of real numbers.
        """
        if taken := [key for key in _OWN_KEYS if key in entry]:
            raise ArgumentError(
                f"entry has the key {taken[0]!r}, which the record itself needs: rename it."
            )
        fields = _plain(entry)
        packed = _pack(arrays)
        name = _arrays_name(self._count)
        fields["arrays"] = name
        fields["arrays_sha256"] = _sha256(packed)
        line = _sealed_line(fields)
        replace_file(self.out / name, packed)
        self._append_line(line)
        self._size += len(line)
        self._count += 1

    def _append_line(self, line: bytes) -> None:
        # An append that an interrupt broke off is written over, so no line is ever half of two.
        with open(self.out / LINES, "r+b") as file:
            file.truncate(self._size)
            file.seek(self._size)
            write_through(file, line)

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write what came out to `summary.json`."""
        replace_file(self.out / SUMMARY, _document(summary))


@dataclass(frozen=True)
class Record:
    """The record of a study, finished, interrupted or still running.

    Attributes:
        out: Folder of the record.
        settings: What the study was asked to do.
        entries: The complete entries, in order, as they were appended.
        summary: What came out; None until the study has ended.
    """

    out: Path
    settings: dict[str, Any]
    entries: list[dict[str, Any]]
    summary: dict[str, Any] | None
    _digests: list[str] = field(repr=False)

    def arrays(self, index: int) -> dict[str, np.ndarray]:
        """The arrays of one entry.

        Args:
            index: Position of the entry; negative counts from the end.

        Raises:
            IndexError: There is no such entry.
            DataError: The file is missing, or is not the one that was written.
        """
        count = len(self.entries)
        if not -count <= index < count:
            raise IndexError(f"index: {index} of a record that holds {count} entries")
        index %= count
        path = self.out / _arrays_name(index)
        packed = _bytes_of(path)
        if _sha256(packed) != self._digests[index]:
            raise DataError(
                f"{path} is damaged: its SHA-256 is not the recorded one. Run the study again."
            )
        with np.load(io.BytesIO(packed), allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}

    def series(self, key: str) -> np.ndarray:
        """One number of every entry, NaN where there is none; `(entries,)`, float64."""
        values = [entry.get(key) for entry in self.entries]
        return np.array([np.nan if value is None else float(value) for value in values])


def holds_record(out: str | Path) -> bool:
    """Whether the folder holds a record, or a part of one."""
    return any((Path(out) / name).exists() for name in (SETTINGS, LINES, SUMMARY))


def discard(out: str | Path) -> None:
    """Remove a record, and its folder if nothing else is in it."""
    folder = Path(out)
    if not folder.is_dir():
        return
    _remove_record(folder)
    for empty in (folder / ARRAYS, folder):
        if empty.is_dir() and not any(empty.iterdir()):
            empty.rmdir()


def read(out: str | Path) -> Record:
    """Read the record of a study, also while it is being written.

    Args:
        out: Folder of the record.

    Raises:
        DataError: There is no record, or a complete part of it is damaged or missing. A last
            line that a crash cut short is not damage; it is left out.
    """
    out = Path(out)
    if not (out / SETTINGS).is_file():
        raise DataError(f"{out} holds no record of a study: give the folder that a study wrote.")
    lines = [_opened_line(line, i, out) for i, line in enumerate(_complete_lines(out / LINES))]
    return Record(
        out=out,
        settings=_parsed(out / SETTINGS),
        entries=[{k: v for k, v in line.items() if k not in _OWN_KEYS} for line in lines],
        summary=_parsed(out / SUMMARY) if (out / SUMMARY).exists() else None,
        _digests=[line["arrays_sha256"] for line in lines],
    )


LOSSES = ("train_loss", "valid_loss", "test_loss", "train_error", "valid_error", "test_error")


def summarize(entries: Sequence[Mapping[str, Any]], *, interrupted: bool = False) -> dict[str, Any]:
    """What came out of a study, from the entries that it has so far.

    Times are medians over the meta-steps; bytes are the largest of any meta-step.

    Args:
        entries: The entries of the record so far. Those with a `hypergradient_norm` are
            meta-steps that were made; a last one without it evaluates the result.
        interrupted: Whether the study was stopped before its end.

    Returns:
        The losses and errors `before` and `after`, `seconds` and `bytes` with their ratios,
        `bits_per_element_step`, `exact`, `adjoint`, `sweeps`, `meta_steps_done` and
        `interrupted`. What the entries do not tell is None.
    """
    sweeps = [entry for entry in entries if entry.get("hypergradient_norm") is not None]
    first, last = (entries[0], entries[-1]) if entries else ({}, {})
    training = _median(sweeps, "seconds_training")
    hypergradient = _median(sweeps, "seconds_hypergradient")
    kept, trajectory = _largest(sweeps, "bytes_kept"), _largest(sweeps, "bytes_trajectory")
    return {
        "interrupted": interrupted,
        "meta_steps_done": len(sweeps),
        "before": {key: first.get(key) for key in LOSSES},
        "after": {key: last.get(key) for key in LOSSES},
        "seconds": {
            "training": training,
            "hypergradient": hypergradient,
            "ratio": _ratio(hypergradient, training),
            "total": sum(entry.get("seconds") or 0.0 for entry in entries),
        },
        "bytes": {"kept": kept, "trajectory": trajectory, "ratio": _ratio(trajectory, kept)},
        "bits_per_element_step": _median(sweeps, "bits_per_element_step"),
        "exact": all(exact) if (exact := _known(sweeps, "exact")) else None,
        "adjoint": ", ".join(dict.fromkeys(_known(sweeps, "adjoint"))) or None,
        "sweeps": len(sweeps),
    }


def _known(entries: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    return [entry[key] for entry in entries if entry.get(key) is not None]


def _median(entries: Sequence[Mapping[str, Any]], key: str) -> float | None:
    values = _known(entries, key)
    return statistics.median(values) if values else None


def _largest(entries: Sequence[Mapping[str, Any]], key: str) -> int | None:
    return max(_known(entries, key), default=None)


def _ratio(numerator: float | None, denominator: float | None) -> float | None:
    return numerator / denominator if numerator is not None and denominator else None


def _arrays_name(index: int) -> str:
    return f"{ARRAYS}/{index:05d}.npz"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _plain(value: Any) -> Any:
    """The JSON form of a value: NumPy scalars become Python's, what is not finite None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, Mapping):
        return {_plain_key(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    raise ArgumentError(
        f"a record cannot hold {value!r} of type {type(value).__name__}: "
        "give numbers, strings, booleans, None, or lists and mappings of these."
    )


def _plain_key(key: Any) -> str:
    if not isinstance(key, str):
        raise ArgumentError(f"a record has the key {key!r}: give a string.")
    return key


def _json(value: Any) -> str:
    return json.dumps(value, allow_nan=False)


def _document(value: Mapping[str, Any]) -> bytes:
    text = json.dumps(_plain(value), allow_nan=False, indent=2)
    return (text + "\n").encode()


def _sealed_line(fields: dict[str, Any]) -> bytes:
    sealed = {**fields, "line_sha256": _sha256(_json(fields).encode())}
    return (_json(sealed) + "\n").encode()


def _opened_line(line: bytes, index: int, out: Path) -> dict[str, Any]:
    where = f"line {index + 1} of {out / LINES}"
    try:
        fields = json.loads(line)
        seal = fields.pop("line_sha256")
        intact = seal == _sha256(_json(fields).encode())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{where} is damaged. Run the study again.") from error
    if not intact:
        raise DataError(f"{where} is damaged: its SHA-256 does not fit. Run the study again.")
    if fields["arrays"] != _arrays_name(index):
        raise DataError(
            f"{where} belongs to {fields['arrays']}: a line is missing. Run the study again."
        )
    return fields


def _complete_lines(path: Path) -> list[bytes]:
    # What follows the last line feed was cut short by a crash, or is being written just now.
    return _bytes_of(path).split(b"\n")[:-1]


def _parsed(path: Path) -> dict[str, Any]:
    try:
        parsed = json.loads(_bytes_of(path))
    except ValueError as error:
        raise DataError(f"{path} is damaged: it is not JSON. Run the study again.") from error
    if not isinstance(parsed, dict):
        raise DataError(f"{path} is damaged: it holds no JSON object. Run the study again.")
    return parsed


def _bytes_of(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}). Run the study again."
        ) from error


def _pack(arrays: Mapping[str, Any]) -> bytes:
    buffer = io.BytesIO()
    # `Any`: NumPy's stub takes the keywords for its own options.
    named: dict[str, Any] = {name: _real_array(name, value) for name, value in arrays.items()}
    np.savez(buffer, **named)
    return buffer.getvalue()


def _real_array(name: str, value: Any) -> np.ndarray:
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise ArgumentError(f"array {name!r} is of {array.dtype}: give an array of real numbers.")
    return array


def _remove_record(out: Path) -> None:
    for path in (out / SUMMARY, out / LINES, out / SETTINGS, *sorted((out / ARRAYS).glob("*.npz"))):
        path.unlink(missing_ok=True)

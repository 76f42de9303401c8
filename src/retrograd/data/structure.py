"""The structure of a batch: which containers, and the dtype and shape of each array in them.

It is written as JSON, so that it can be read again without running code:

    ["<f8", [200, 784]]                     an array
    {"dict": {"images": ..., "labels": ...}}    {"list": [...]}    {"tuple": [...]}
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import ArgumentError

__all__ = ["Structure", "parse_structure", "structure_of"]

ALIGNMENT = 64


@dataclass(frozen=True)
class Structure:
    """What batches of one kind have in common.

    Args:
        described: what `json.loads` gives for the text above.
    """

    described: Any

    @cached_property
    def text(self) -> str:
        """The structure as JSON, the same for the same structure."""
        return json.dumps(self.described, sort_keys=True)

    @cached_property
    def nbytes(self) -> int:
        """The bytes of a packed batch."""
        return sum(_padded(_size(leaf)) for _, leaf in _arrays(self.described, "batch"))

    def check(self, other: Structure) -> None:
        """Refuse another structure than this one.

        Raises:
            ArgumentError: it differs; the message names where.
        """
        if other.text == self.text:
            return
        mine, theirs = (dict(_arrays(s.described, "batch")) for s in (self, other))
        for name in [*mine, *theirs]:
            if mine.get(name) != theirs.get(name):
                raise ArgumentError(
                    f"{name} is {_said(theirs.get(name))}, and was {_said(mine.get(name))} in the "
                    "first batch; give all batches the same structure, shapes and dtypes"
                )
        raise ArgumentError(
            f"it is {other.text:.200}, and the first batch was {self.text:.200}; give all batches "
            "the same containers"
        )

    def pack(self, batch: Any, room: NDArray[np.uint8]) -> None:
        """Copy the arrays of a batch of this structure into `room`, shape (nbytes,)."""
        parts = self._places(room)
        for (leaf, part), array in zip(parts, _values(batch), strict=True):
            if _size(leaf):
                part.view(leaf[0]).reshape(leaf[1])[...] = array

    def unpack(self, packed: NDArray[np.uint8]) -> Any:
        """The batch that was packed: read-only views of `packed`."""
        arrays = iter([self._read_only(leaf, part) for leaf, part in self._places(packed)])
        return _rebuilt(self.described, lambda: next(arrays))

    def _places(self, room: NDArray[np.uint8]) -> Iterator[tuple[Any, NDArray[np.uint8]]]:
        start = 0
        for _, leaf in _arrays(self.described, "batch"):
            yield leaf, room[start : start + _size(leaf)]
            start += _padded(_size(leaf))

    @staticmethod
    def _read_only(leaf: Any, part: NDArray[np.uint8]) -> Any:
        array = part.view(leaf[0]).reshape(leaf[1])
        array.flags.writeable = False
        return array[()] if array.ndim == 0 else array


def structure_of(batch: Any) -> Structure:
    """The structure of a batch.

    Raises:
        ArgumentError: it holds something else than arrays, numbers, dicts with string keys, lists
            and tuples.
    """
    return Structure(_described(batch, "batch"))


def parse_structure(text: str) -> Structure:
    """The structure of which `text` is the JSON."""
    return Structure(json.loads(text))


def _described(part: Any, name: str) -> Any:
    if type(part) is dict:
        strange = [key for key in part if not isinstance(key, str)]
        if strange:
            raise ArgumentError(f"{name} has the key {strange[0]!r}; give dicts string keys")
        return {"dict": {key: _described(part[key], f"{name}[{key!r}]") for key in sorted(part)}}
    if type(part) in (list, tuple):
        items = [_described(item, f"{name}[{i}]") for i, item in enumerate(part)]
        return {type(part).__name__: items}
    array = _array(part)
    if array is None or array.dtype.hasobject or np.dtype(array.dtype.str) != array.dtype:
        kind = type(part).__name__ if array is None else f"an array of dtype {array.dtype}"
        raise ArgumentError(f"{name} is {kind}; give arrays or numbers, in dicts, lists and tuples")
    return [array.dtype.str, list(array.shape)]


def _array(part: Any) -> NDArray[Any] | None:
    known = isinstance(part, np.ndarray | np.generic | bool | int | float | complex)
    return np.asarray(part) if known else None


def _arrays(described: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Name and description of each array."""
    if isinstance(described, list):
        yield name, described
    elif "dict" in described:
        for key, entry in sorted(described["dict"].items()):
            yield from _arrays(entry, f"{name}[{key!r}]")
    else:
        for i, item in enumerate(next(iter(described.values()))):
            yield from _arrays(item, f"{name}[{i}]")


def _values(part: Any) -> Iterator[Any]:
    """The arrays of a batch, in the order of `_arrays`."""
    if isinstance(part, dict):
        for key in sorted(part):
            yield from _values(part[key])
    elif isinstance(part, list | tuple):
        for item in part:
            yield from _values(item)
    else:
        yield part


def _rebuilt(described: Any, array: Callable[[], Any]) -> Any:
    if isinstance(described, list):
        return array()
    if "dict" in described:
        return {key: _rebuilt(entry, array) for key, entry in sorted(described["dict"].items())}
    kind, items = next(iter(described.items()))
    rebuilt = [_rebuilt(item, array) for item in items]
    return tuple(rebuilt) if kind == "tuple" else rebuilt


def _size(leaf: Any) -> int:
    return np.dtype(leaf[0]).itemsize * math.prod(leaf[1])


def _padded(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


def _said(leaf: Any) -> str:
    return "absent" if leaf is None else f"{np.dtype(leaf[0])} {tuple(leaf[1])}"

"""Files that a crash leaves whole, the old content or the new, and seals by which damage shows."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["file_sha256", "replace_file", "replacing", "sealed", "unsealed", "write_through"]


def replace_file(path: Path, content: bytes) -> None:
    """Write a file beside its place, then move it there.

    Args:
        path: The file; its folder exists.
        content: All of its bytes.
    """
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A file to be written beside its place; it is moved there when all has been written.

    Args:
        path: The file; its folder exists.

    Yields:
        The file, open for writing.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    _flush_folder(path.parent)


def write_through(file: BinaryIO, content: bytes) -> None:
    """Write bytes and wait until they are on the disk."""
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def file_sha256(path: Path) -> str:
    """The SHA-256 of the bytes of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sealed(fields: Mapping[str, Any]) -> bytes:
    """Fields as JSON, with a SHA-256 of themselves, by which damage shows.

    Example:
        >>> content = sealed({"format": "notes 1", "count": 3})
        >>> unsealed(content, "notes 1")
        {'format': 'notes 1', 'count': 3}
        >>> unsealed(content.replace(b"3", b"4"), "notes 1") is None
        True
    """
    return json.dumps({**fields, "sha256": _seal(fields)}, indent=1).encode()


def unsealed(content: bytes, kind: str) -> dict[str, Any] | None:
    """The fields of sealed JSON; None if it is damaged, or its "format" is another one."""
    try:
        fields = json.loads(content)
        seal = fields.pop("sha256")
        return fields if seal == _seal(fields) and fields["format"] == kind else None
    except (ValueError, AttributeError, TypeError, KeyError):
        return None


def _seal(fields: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


def _flush_folder(folder: Path) -> None:
    """Make a rename in a folder durable, where the system can do that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

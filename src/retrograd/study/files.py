"""Files that a crash leaves whole: the old content or the new, never a part of either."""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

__all__ = ["replace_file", "write_through"]


def replace_file(path: Path, content: bytes) -> None:
    """Write a file beside its place, then move it there.

    Args:
        path: The file; its folder exists.
        content: All of its bytes.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(partial, "wb") as file:
            write_through(file, content)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)
    _flush_folder(path.parent)


def write_through(file: BinaryIO, content: bytes) -> None:
    """Write bytes and wait until they are on the disk."""
    file.write(content)
    file.flush()
    os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Make a rename in a folder durable, where the system can do that."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

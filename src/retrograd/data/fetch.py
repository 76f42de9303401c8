"""Find the four files of MNIST, and download them where they are nowhere to be found.

The order is `$RETROGRAD_DATA` (in it, or in its folder `mnist`), then the cache
(`$XDG_CACHE_HOME/retrograd/mnist`, else `~/.cache/retrograd/mnist`), then the mirrors. Whatever
is found is checked before it is used; a download enters the cache only after the check, in one
move.

The digests are those of the *unpacked* files: mirrors compress the same images in different ways,
and a copy that somebody has unpacked is as good as the original.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import NamedTuple

from retrograd.errors import ArgumentError, DataError

from . import idx

__all__ = ["FILES", "MIRRORS", "Found", "Progress", "find", "obtain", "verified"]

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://ossci-datasets.s3.amazonaws.com/mnist/",
)
TIMEOUT = 30.0  # seconds without a byte
CHUNK = 1 << 16
VARIABLE = "RETROGRAD_DATA"

Progress = Callable[[str, int, int | None], None]
"""Called as a download goes on: file, bytes received, bytes in all (None where not announced)."""


class Unpacked(NamedTuple):
    """What a file holds once unpacked: its length in bytes and its SHA-256."""

    length: int
    sha256: str


FILES = {
    "train-images-idx3-ubyte.gz": Unpacked(
        47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"
    ),
    "train-labels-idx1-ubyte.gz": Unpacked(
        60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"
    ),
    "t10k-images-idx3-ubyte.gz": Unpacked(
        7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"
    ),
    "t10k-labels-idx1-ubyte.gz": Unpacked(
        10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"
    ),
}


class Found(NamedTuple):
    """A file that was found and checked, with its unpacked contents."""

    path: Path
    contents: bytes


def find(file: str, *, progress: Progress | None = None, mirrors: Sequence[str] = MIRRORS) -> Path:
    """Where a file of MNIST lies, after checking it; downloads it where it lies nowhere.

    Args:
        file: a name in `FILES`.
        progress: told of the progress of a download.
        mirrors: addresses of folders with the files, each ending in a slash, tried in order.

    Returns:
        The path of a file whose contents have the right SHA-256.

    Raises:
        ArgumentError: `file` is not one of MNIST's.
        DataError: the file is damaged where it was found, or lies nowhere and cannot be downloaded.
    """
    return obtain(file, progress=progress, mirrors=mirrors).path


def obtain(
    file: str, *, progress: Progress | None = None, mirrors: Sequence[str] = MIRRORS
) -> Found:
    """As `find`, with the unpacked contents that the check has read anyway."""
    if file not in FILES:
        raise ArgumentError(f"file must be one of {', '.join(FILES)}; got {file!r}")
    for path in _candidates(file):
        if path.is_file():
            return Found(path, _read(path, file))
    return _download(file, cache() / file, mirrors, progress)


def verified(packed: bytes, file: str, where: str, cure: str) -> bytes:
    """The unpacked contents of `packed`, once they are known to be those of `file`.

    Args:
        packed: the bytes found, gzipped or not.
        file: a name in `FILES`.
        where: the path or address that they came from, for the error.
        cure: what to do about damage, for the error.

    Raises:
        DataError: they are something else.
    """
    expected = FILES[file]
    contents = idx.unpack(packed, where, most=expected.length + 1, cure=cure)
    got = hashlib.sha256(contents).hexdigest()
    if got != expected.sha256:
        raise DataError(
            f"{where} is damaged: expected SHA-256 {expected.sha256}, got {got} (unpacked); {cure}"
        )
    return contents


def cache() -> Path:
    """The folder that downloads go to."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if not base.is_absolute():  # the XDG specification: relative paths are to be ignored
        base = Path("~/.cache").expanduser()
    return base / "retrograd" / "mnist"


def _own_folder() -> Path | None:
    given = os.environ.get(VARIABLE)
    return Path(given).expanduser() if given else None


def _candidates(file: str) -> Iterator[Path]:
    own = _own_folder()
    folders = [own / "mnist", own, cache()] if own else [cache()]
    for folder in folders:
        yield folder / file
        yield folder / file.removesuffix(".gz")


def _read(path: Path, file: str) -> bytes:
    cure = f"delete it, or point {VARIABLE} at a folder with undamaged files"
    try:
        packed = path.read_bytes()
    except OSError as reason:
        raise DataError(f"{path} cannot be read ({reason}); {cure}") from reason
    return verified(packed, file, str(path), cure)


def _download(file: str, target: Path, mirrors: Sequence[str], progress: Progress | None) -> Found:
    """The file from the first mirror that gives it, checked and moved to `target` in one go."""
    failures: list[str] = []
    with _beside(target) as part:
        for mirror in mirrors:
            try:
                contents = _from_mirror(mirror + file, file, part, progress or _silent)
            except DataError as failure:
                failures.append(str(failure))
            else:
                os.replace(part, target)
                return Found(target, contents)
    raise DataError(_nowhere(file, failures))


def _nowhere(file: str, failures: Sequence[str]) -> str:
    own = _own_folder()
    absent = f"{VARIABLE}={own} and " if own else ""
    tried = "".join(f"\n  {failure}" for failure in failures)
    return (
        f"{file} is not in {absent}{cache()}, and could not be downloaded:{tried}\n"
        f"Set {VARIABLE} to a folder that holds {', '.join(FILES)}; "
        "or use `--data mnist-10k`, which needs no download."
    )


def _from_mirror(address: str, file: str, part: Path, progress: Progress) -> bytes:
    _save(address, part, most=2 * FILES[file].length, tell=partial(progress, file))
    return verified(part.read_bytes(), file, address, "nothing of it was kept")


def _silent(file: str, received: int, total: int | None) -> None:
    """Nobody asked to be told of the progress."""


@contextmanager
def _beside(target: Path) -> Iterator[Path]:
    """An empty temporary file in the folder of `target`, gone afterwards unless moved away."""
    part = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        os.close(handle)
        yield Path(part)
    except OSError as reason:
        raise DataError(
            f"{target.parent} cannot be written to ({reason}); "
            "set XDG_CACHE_HOME to a folder that can"
        ) from reason
    finally:
        if part is not None:
            Path(part).unlink(missing_ok=True)


def _save(address: str, part: Path, *, most: int, tell: Callable[[int, int | None], None]) -> None:
    with part.open("wb") as stream:
        for chunk, total in _chunks(address, most=most):
            stream.write(chunk)
            tell(stream.tell(), total)
        stream.flush()
        os.fsync(stream.fileno())


def _chunks(address: str, *, most: int) -> Iterator[tuple[bytes, int | None]]:
    """The bytes at `address`, piece by piece, each with the length that the server announced."""
    # Imported here since it drags in TLS and the mail parser, which most runs never need.
    import http.client
    import urllib.request

    received = 0
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT) as reply:
            total = reply.length
            while chunk := reply.read(CHUNK):
                received += len(chunk)
                if received > most:
                    raise DataError(f"{address}: sends more than {most} bytes")
                yield chunk, total
    except DataError:
        raise
    except (OSError, http.client.HTTPException) as reason:
        raise DataError(f"{address}: {reason}") from reason
    if total is not None and received < total:
        raise DataError(f"{address}: the connection ended after {received} of {total} bytes")

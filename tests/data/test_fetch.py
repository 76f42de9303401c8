"""Finding, checking and downloading, with mirrors on this machine only."""

from __future__ import annotations

import gzip
import hashlib
import os
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from retrograd.data import fetch
from retrograd.errors import ArgumentError, DataError

if TYPE_CHECKING:
    from .conftest import Mirror

FILE = "t10k-labels-idx1-ubyte.gz"
DIGEST = fetch.FILES[FILE].sha256
NOWHERE = ("http://127.0.0.1:0/never-asked/",)


def put(path: Path, contents: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(contents)
    return path


def entries(folder: Path) -> list[str]:
    return sorted(os.listdir(folder)) if folder.exists() else []


@pytest.mark.parametrize("place", [FILE, f"mnist/{FILE}", FILE[:-3], f"mnist/{FILE[:-3]}"])
def test_own_folder_comes_first(place: str, own: Path, cache: Path, labels: bytes) -> None:
    put(cache / FILE, b"damaged, and not looked at")
    path = put(own / place, labels if place.endswith(".gz") else gzip.decompress(labels))
    assert fetch.find(FILE, mirrors=NOWHERE) == path


def test_own_folder_may_start_at_home(
    own: Path, labels: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(own.parent))
    monkeypatch.setenv("USERPROFILE", str(own.parent))
    monkeypatch.setenv("RETROGRAD_DATA", "~/own")
    path = put(own / FILE, labels)
    assert fetch.find(FILE, mirrors=NOWHERE) == path


def test_other_compression_of_the_same_file_is_taken(own: Path, labels: bytes) -> None:
    contents = gzip.decompress(labels)
    path = put(own / FILE, gzip.compress(contents, compresslevel=1))
    assert path.read_bytes() != labels
    assert fetch.obtain(FILE, mirrors=NOWHERE) == (path, contents)


@pytest.mark.parametrize("variable", ["", None])
def test_cache_comes_second(
    variable: str | None, cache: Path, labels: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    if variable is not None:
        monkeypatch.setenv("RETROGRAD_DATA", variable)
    path = put(cache / FILE, labels)
    assert fetch.find(FILE, mirrors=NOWHERE) == path


def test_own_folder_without_the_file_is_passed_over(own: Path, cache: Path, labels: bytes) -> None:
    path = put(cache / FILE, labels)
    assert fetch.find(FILE, mirrors=NOWHERE) == path


@pytest.mark.parametrize("base", ["", "relative/cache"])
def test_cache_without_absolute_xdg_is_in_the_home(
    base: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", base)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert fetch.cache() == tmp_path / ".cache" / "retrograd" / "mnist"


@pytest.mark.parametrize("place", ["own", "cache"])
def test_wrong_digest_is_an_error_and_the_file_is_kept(place: str, own: Path, cache: Path) -> None:
    path = put((own if place == "own" else cache) / FILE, gzip.compress(b"something else"))
    with pytest.raises(DataError) as caught:
        fetch.find(FILE, mirrors=NOWHERE)
    message = str(caught.value)
    assert f"{path} is damaged: expected SHA-256 {DIGEST}, got " in message
    assert "delete it, or point RETROGRAD_DATA at a folder with undamaged files" in message
    assert path.exists()


def test_truncated_file_is_damaged(own: Path, labels: bytes) -> None:
    put(own / FILE, labels[:-100])
    with pytest.raises(DataError, match=r"is damaged: .*; delete it, or point RETROGRAD_DATA at"):
        fetch.find(FILE, mirrors=NOWHERE)


def test_hostile_file_is_not_unpacked_whole(own: Path) -> None:
    put(own / FILE, gzip.compress(bytes(10**7)))
    one_byte_too_many = bytes(fetch.FILES[FILE].length + 1)
    with pytest.raises(DataError, match=hashlib.sha256(one_byte_too_many).hexdigest()):
        fetch.find(FILE, mirrors=NOWHERE)


def test_unreadable_file(own: Path, labels: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    put(own / FILE, labels)
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(DataError, match=r"cannot be read .*Permission denied.*; delete it, or"):
        fetch.find(FILE, mirrors=NOWHERE)


def test_unknown_file() -> None:
    with pytest.raises(ArgumentError, match=r"file must be one of train-images.*got 'emnist'"):
        fetch.find("emnist")


def test_download(mirror: Mirror, cache: Path, labels: bytes) -> None:
    told: list[tuple[str, int, int | None]] = []
    mirror.answer(FILE, labels, len(labels))
    path = fetch.find(FILE, mirrors=[mirror.address], progress=lambda *args: told.append(args))
    assert path == cache / FILE
    assert path.read_bytes() == labels
    assert told[-1] == (FILE, len(labels), len(labels))
    assert entries(cache) == [FILE]
    assert fetch.find(FILE, mirrors=[mirror.address]) == path
    assert mirror.asked == [FILE]


def test_download_in_pieces_without_announced_length(
    mirror: Mirror, cache: Path, labels: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[tuple[str, int, int | None]] = []
    monkeypatch.setattr(fetch, "CHUNK", 1000)
    mirror.answer(FILE, labels)
    fetch.find(FILE, mirrors=[mirror.address], progress=lambda *args: told.append(args))
    received = [count for _, count, _ in told]
    assert received == sorted(set(received))
    assert len(received) >= len(labels) // 1000
    assert told[-1] == (FILE, len(labels), None)


def test_next_mirror_is_asked(mirror: Mirror, refusing: str, cache: Path, labels: bytes) -> None:
    mirror.answer(FILE, labels, len(labels))
    assert fetch.find(FILE, mirrors=[refusing, mirror.address]) == cache / FILE


WRONG = gzip.compress(b"the page of a captive portal")
BROKEN = {
    "truncated": (
        lambda good: {"body": good[:1000], "announced": len(good)},
        "1000 of 45|IncompleteRead",
    ),
    "truncated, unannounced": (lambda good: {"body": good[:1000]}, "is damaged"),
    "wrong bytes": (
        lambda good: {"body": WRONG, "announced": len(WRONG)},
        f"expected SHA-256 {DIGEST}, got",
    ),
    "absent": (lambda good: {"status": 404}, "HTTP Error 404"),
    "broken": (lambda good: {"status": 500}, "HTTP Error 500"),
    "endless": (lambda good: {"body": bytes(30_000)}, "sends more than 20016 bytes"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_download_names_address_reason_and_cures(
    kind: str, mirror: Mirror, cache: Path, labels: bytes
) -> None:
    make, reason = BROKEN[kind]
    mirror.answer(FILE, **make(labels))
    with pytest.raises(DataError, match=reason) as caught:
        fetch.find(FILE, mirrors=[mirror.address])
    message = str(caught.value)
    assert f"{FILE} is not in {cache}, and could not be downloaded" in message
    assert f"\n  {mirror.address}{FILE}" in message
    assert "Set RETROGRAD_DATA to a folder that holds " + ", ".join(fetch.FILES) in message
    assert "`--data mnist-10k`, which needs no download" in message
    assert entries(cache) == []


def test_every_mirror_that_failed_is_named(mirror: Mirror, refusing: str, cache: Path) -> None:
    with pytest.raises(DataError) as caught:
        fetch.find(FILE, mirrors=[mirror.address, refusing])
    message = str(caught.value)
    assert f"{mirror.address}{FILE}: HTTP Error 404" in message
    assert f"{refusing}{FILE}: <urlopen error" in message
    assert "refused" in message
    assert entries(cache) == []


def test_own_folder_without_the_file_is_named_in_the_end(own: Path, refusing: str) -> None:
    with pytest.raises(DataError, match="is not in RETROGRAD_DATA=") as caught:
        fetch.find(FILE, mirrors=[refusing])
    assert f"RETROGRAD_DATA={own} and " in str(caught.value)


def test_silence_ends_after_a_time(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def silent(address: str, *, timeout: float) -> None:
        raise TimeoutError(f"timed out after {timeout} s")

    monkeypatch.setattr(urllib.request, "urlopen", silent)
    with pytest.raises(DataError, match=r"timed out after 30\.0 s"):
        fetch.find(FILE, mirrors=["http://127.0.0.1/"])


def test_interrupted_download_leaves_nothing(mirror: Mirror, cache: Path, labels: bytes) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    mirror.answer(FILE, labels, len(labels))
    with pytest.raises(KeyboardInterrupt):
        fetch.find(FILE, mirrors=[mirror.address], progress=interrupt)
    assert entries(cache) == []


def test_cache_that_cannot_be_written(tmp_path: Path, mirror: Mirror, cache: Path) -> None:
    put(tmp_path / "cache", b"a file where the folder should be")
    with pytest.raises(DataError, match=r"cannot be written to .*; set XDG_CACHE_HOME to a folder"):
        fetch.find(FILE, mirrors=[mirror.address])
    assert mirror.asked == []


def test_full_disk(
    mirror: Mirror, cache: Path, labels: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    mirror.answer(FILE, labels, len(labels))
    with pytest.raises(DataError, match=r"cannot be written to \(.*No space left on device\); set"):
        fetch.find(FILE, mirrors=[mirror.address])
    assert entries(cache) == []


def test_mirrors_are_encrypted_folders() -> None:
    for address in fetch.MIRRORS:
        assert address.startswith("https://")
        assert address.endswith("/")

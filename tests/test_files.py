"""Files that are whole or absent."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from retrograd.files import file_sha256, replace_file, replacing, sealed, unsealed


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")
    replace_file(path, b"new")
    assert path.read_bytes() == b"new"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_what_is_interrupted_leaves_the_old_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    replace_file(path, b"old")

    def write() -> None:
        with replacing(path) as file:
            file.write(b"ne")
            assert path.read_bytes() == b"old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write()
    assert path.read_bytes() == b"old"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_the_digest_is_that_of_the_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    replace_file(tmp_path / "file", content)
    assert file_sha256(tmp_path / "file") == hashlib.sha256(content).hexdigest()


def test_a_seal_tells_of_every_damaged_byte() -> None:
    fields = {"format": "notes 1", "count": 3, "files": ["a", "b"]}
    content = sealed(fields)
    assert unsealed(content, "notes 1") == fields
    assert unsealed(content, "notes 2") is None
    assert unsealed(content[:-1], "notes 1") is None
    for place in range(len(content)):
        damaged = bytearray(content)
        damaged[place] ^= 4
        assert unsealed(bytes(damaged), "notes 1") is None


@pytest.mark.parametrize("content", [b"", b"[]", b"3", b"{}", b'{"format": "notes 1"}', b"\xff"])
def test_what_was_never_sealed_is_damaged(content: bytes) -> None:
    assert unsealed(content, "notes 1") is None

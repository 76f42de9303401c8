from __future__ import annotations

import pytest

from retrograd.adjoints.byte_count import byte_count
from retrograd.errors import ArgumentError


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        (4096, 4096),
        (2.5e6, 2_500_000),
        ("1B", 1),
        ("10 kB", 10_000),
        ("3MB", 3_000_000),
        ("2 GB", 2 * 10**9),
        ("1.5 KiB", 1536),
        (" 256 MiB ", 256 * 2**20),
        ("4GiB", 2**32),
        ("1 TiB", 2**40),
    ],
)
def test_what_is_meant(given, meant: int) -> None:
    assert byte_count(given, "Auto") == meant


@pytest.mark.parametrize(
    "given",
    ["", "MiB", "12", "1 mib", "1 KB", "-3 MB", "0 B", "1 MiB more", 0, -1, 0.5, True, None,
     float("inf"), float("nan")],
)  # fmt: skip
def test_what_is_refused(given) -> None:
    with pytest.raises(ArgumentError, match=r"Auto: memory=.* was given; .*\"256 MiB\""):
        byte_count(given, "Auto")

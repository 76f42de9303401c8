"""Amounts of memory as people write them: "256 MiB"."""

from __future__ import annotations

import math
import re

from retrograd.errors import ArgumentError

__all__ = ["byte_count"]

_UNITS = {"B": 1} | {
    f"{prefix}{infix}B": base**power
    for infix, base in (("", 1000), ("i", 1024))
    for power, prefix in enumerate("kMGT" if not infix else "KMGT", start=1)
}
_AMOUNT = re.compile(r"\s*(\d+(?:\.\d*)?)\s*([A-Za-z]+)\s*")


def byte_count(memory: str | int | float, asked_by: str) -> int:
    """The number of bytes that is meant.

    Args:
        memory: a number of bytes, or a text such as "256 MiB": a number and one of B, kB, MB, GB,
            TB (powers of 1000), KiB, MiB, GiB, TiB (powers of 1024).
        asked_by: whose argument `memory` is, for the message.

    Raises:
        ArgumentError: it is neither, or less than one byte.

    Example:
        >>> byte_count("256 MiB", "Auto"), byte_count("1.5kB", "Auto"), byte_count(1e6, "Auto")
        (268435456, 1500, 1000000)
    """
    found = _bytes(memory)
    if found is None or not 1 <= found < math.inf:
        raise ArgumentError(
            f'{asked_by}: memory={memory!r} was given; give bytes, or a text such as "256 MiB" '
            f"(units: {', '.join(_UNITS)})"
        )
    return int(found)


def _bytes(memory: object) -> float | None:
    if isinstance(memory, int | float) and not isinstance(memory, bool):
        return memory
    match = _AMOUNT.fullmatch(memory) if isinstance(memory, str) else None
    if match is None or match[2] not in _UNITS:
        return None
    return float(match[1]) * _UNITS[match[2]]

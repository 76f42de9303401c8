"""The tape of spilled digits: last in, first out, by count."""

from __future__ import annotations

import numpy as np

from retrograd.lattice.spills import Spill, Spills


def spill(count: int, leaf: int, size: int = 2) -> Spill:
    return Spill(count, leaf, 0, np.zeros(size, np.uint16))


def test_pops_what_was_written_at_a_count_last_first() -> None:
    spills = Spills()
    for count, leaf in [(3, 0), (3, 2), (5, 1)]:
        spills.push(spill(count, leaf))
    assert spills.pop(4) == []
    assert [taken.leaf for taken in spills.pop(5)] == [1]
    assert [taken.leaf for taken in spills.pop(3)] == [2, 0]
    assert len(spills) == 0


def test_counts_its_bytes() -> None:
    spills = Spills()
    spills.push(spill(0, 0, size=5))
    spills.push(spill(1, 1, size=7))
    assert (len(spills), spills.nbytes) == (2, 24)
    spills.pop(1)
    assert (len(spills), spills.nbytes) == (1, 10)

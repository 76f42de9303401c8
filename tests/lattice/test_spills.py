"""The tape of spilled digits: last in, first out, by count."""

from __future__ import annotations

import numpy as np

from retrograd.lattice.spills import Spill, Spills

ENDS = np.array([0, 2, 5, 9])


def spill(count: int, first: int, stop: int, bound: int = 0) -> Spill:
    return Spill(count, first, stop, bound, np.arange(ENDS[first], ENDS[stop]) + 2**16 * 5)


def test_pops_what_was_written_at_a_count_last_first() -> None:
    spills = Spills()
    for count, first, stop in [(3, 0, 1), (3, 2, 3), (5, 1, 3)]:
        spills.push(spill(count, first, stop))
    assert spills.pop(4, ENDS) is None
    assert (len(spills), spills.words.nbytes) == (3, 2 * (2 + 4 + 7))
    seen = []
    for count in (5, 5, 4, 3, 3, 3):
        taken = spills.pop(count, ENDS)
        seen.append(taken and (taken.first, taken.stop, taken.words.tolist()))
    assert seen == [
        (1, 3, [2, 3, 4, 5, 6, 7, 8]),
        None,
        None,
        (2, 3, [5, 6, 7, 8]),
        (0, 1, [0, 1]),
        None,
    ]
    assert len(spills) == spills.nbytes == 0


def test_marks_hold_the_largest_numbers() -> None:
    spills, leaves = Spills(), 2**31 - 1
    many = Spill(2**31 - 1, leaves - 1, leaves, 2**32 - 1, np.zeros(0, np.uint16))
    spills.push(many)
    high, low = spills.marks.export().tolist()
    assert (high >> 32, high & (2**32 - 1)) == (many.after, many.bound)
    assert (low >> 32, low & (2**32 - 1)) == (many.first, many.stop)


def test_counts_its_bytes() -> None:
    spills = Spills()
    spills.push(spill(0, 0, 1))
    spills.push(spill(1, 1, 3))
    assert (len(spills), spills.words.nbytes, spills.nbytes) == (2, 18, 18 + 32)
    spills.clear()
    assert (len(spills), spills.nbytes) == (0, 0)

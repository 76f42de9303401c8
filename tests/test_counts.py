"""Counts that users give: what is accepted, and what the refusal says."""

from __future__ import annotations

import numpy as np
import pytest

from retrograd.counts import check_count
from retrograd.errors import ArgumentError


@pytest.mark.parametrize(("given", "least"), [(1, 1), (0, 0), (np.int32(7), 1), (10**30, 2)])
def test_whole_numbers_are_accepted(given: object, least: int) -> None:
    found = check_count("steps", given, least)
    assert (found, type(found)) == (given, int)


@pytest.mark.parametrize("given", [0, -1, True, 1.0, "3", None, np.float64(2), np.array([1])])
def test_all_else_is_refused(given: object) -> None:
    with pytest.raises(ArgumentError, match=r"^steps: .* was given; .* at least 1$"):
        check_count("steps", given)


def test_a_refusal_names_the_caller_and_shortens_what_was_given() -> None:
    with pytest.raises(ArgumentError, match=r"^Stored: slots='x{59} was given; .* at least 5$"):
        check_count("slots", "x" * 200, 5, caller="Stored")

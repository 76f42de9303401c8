"""Two processes over loopback, four devices each: one program on eight devices."""

from __future__ import annotations

import socket
from functools import cache

import pytest
from sharded_program import Outcomes, check_numbers, outcomes_of


@cache
def outcomes() -> list[Outcomes]:
    """What each of the two processes printed."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
    return outcomes_of(4, ["0", "2", address], ["1", "2", address])


def test_both_processes_have_the_same_numbers() -> None:
    first, second = outcomes()
    assert first.keys() == second.keys()
    for key, outcome in first.items():
        assert outcome["numbers"] == second[key]["numbers"]
        assert outcome["devices"] == 8


@pytest.mark.parametrize("kind", ["parameters", "batches", "both"])
def test_weights_and_gradients_are_those_of_the_unsharded_run(kind: str) -> None:
    first = outcomes()[0]
    expected = first["Reversible()", "nothing"]["numbers"]
    check_numbers(first["Reversible()", kind]["numbers"], expected)


@pytest.mark.parametrize("kind", ["nothing", "parameters", "batches", "both"])
def test_the_way_back_meets_the_states_of_the_way_forwards(kind: str) -> None:
    compared = [found["Reversible()", kind]["compared"] for found in outcomes()]
    assert any(count is not None and count >= 2 for count in compared)

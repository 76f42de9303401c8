"""Eight devices in one process: `train` as one SPMD program, with the same bits both ways."""

from __future__ import annotations

from functools import cache

import pytest
from sharded_program import Outcomes, check_numbers, outcomes_of


@cache
def outcomes() -> Outcomes:
    (found,) = outcomes_of(8, [])
    return found


@pytest.mark.parametrize("kind", ["nothing", "parameters", "batches", "both"])
def test_the_way_back_meets_the_states_of_the_way_forwards(kind: str) -> None:
    """The certificate is there only if all bits were the same; its fingerprints are all of them."""
    assert outcomes()["Reversible()", kind]["compared"] >= 2


@pytest.mark.parametrize("kind", ["parameters", "batches", "both"])
def test_weights_and_gradients_are_those_of_the_unsharded_run(kind: str) -> None:
    expected = outcomes()["Reversible()", "nothing"]["numbers"]
    check_numbers(outcomes()["Reversible()", kind]["numbers"], expected)


@pytest.mark.parametrize("adjoint", ["Stored()", "Checkpointed(slots=3)"])
def test_other_adjoints_give_the_same(adjoint: str) -> None:
    expected = outcomes()["Reversible()", "nothing"]["numbers"]
    check_numbers(outcomes()[adjoint, "both"]["numbers"], expected)


@pytest.mark.parametrize("kind", ["parameters", "both"])
def test_weights_and_their_gradient_stay_where_the_weights_were(kind: str) -> None:
    assert outcomes()["Reversible()", kind]["kept"]
    assert outcomes()["Reversible()", kind]["devices"] == 8

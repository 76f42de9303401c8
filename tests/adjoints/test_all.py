"""Every adjoint strategy passes the tests that those of others must pass."""

from __future__ import annotations

import pytest

from retrograd.adjoints import (
    Adjoint,
    Auto,
    Checkpointed,
    Reversible,
    Stored,
    StraightLine,
    Truncated,
)
from retrograd.testing import check_adjoint

STRATEGIES = [
    Stored(),
    Reversible(),
    Reversible(checkpoints=1),
    Reversible(checkpoints=3),
    Checkpointed(),
    Checkpointed(1),
    Checkpointed(3),
    Checkpointed(memory="100 KiB"),
    Checkpointed(1, on_disk=2),
    StraightLine(),
    Truncated(1),
    Truncated(3),
    Auto(memory="1 MiB"),
]


@pytest.mark.parametrize("adjoint", STRATEGIES, ids=repr)
def test_every_adjoint(adjoint: Adjoint) -> None:
    check_adjoint(adjoint)


@pytest.mark.parametrize("checkpoints", [None, 3])
def test_coded(checkpoints: int | None) -> None:
    pytest.importorskip("constriction")
    from retrograd.adjoints.coded import Coded
    from retrograd.adjoints.reverse_models.optimizer_inverse import OptimizerInverse

    check_adjoint(Coded(checkpoints=checkpoints))
    check_adjoint(Coded(OptimizerInverse(), checkpoints))

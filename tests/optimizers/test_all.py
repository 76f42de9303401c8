"""Every optimizer and every wrapper passes the tests that those of others must pass."""

from __future__ import annotations

import pytest

from retrograd.optimizers import Adam, Averaged, ClippedByNorm, CoupledDecay, Momentum, RMSprop
from retrograd.testing import check_optimizer
from retrograd.testing.optimizers import every_optimizer

OTHERS = {
    "RMSprop without momentum": RMSprop(0.05, smoothing=0.875, momentum=None, epsilon=0.05),
    "wrapped three times": Averaged(
        CoupledDecay(ClippedByNorm(Adam(0.05, epsilon=0.05), 0.5), 0.125), 0.5
    ),
    "averaged twice": Averaged(Averaged(Adam(0.05, epsilon=0.05), 0.5), 0.25),
    "with a momentum of zero": Momentum(0.1, 0.0),
}


@pytest.mark.parametrize("name", every_optimizer())
def test_every_optimizer(name: str) -> None:
    check_optimizer(every_optimizer()[name])


@pytest.mark.parametrize("name", OTHERS)
def test_what_optimizers_can_be_made_into(name: str) -> None:
    check_optimizer(OTHERS[name])

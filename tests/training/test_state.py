"""The state on the lattice: the numbers of a slot in narrower dtypes, and what bounds them."""

from __future__ import annotations

import numpy as np
import pytest

from retrograd.backends import NumpyBackend
from retrograd.lattice import Layout
from retrograd.optimizers import Averaged, Momentum
from retrograd.optimizers.hyperparameters import table
from retrograd.training.factors import factors_of
from retrograd.training.rows import Row
from retrograd.training.state import State

LAYOUT = Layout([(40, 5), (7,)])
OPTIMIZER = Averaged(Momentum(0.1, 0.9), 0.99)
SLOTS = ["weights", "velocity", "average"]


def make_state() -> State:
    structure = NumpyBackend.flatten([np.zeros(shape) for shape in LAYOUT.shapes])[1]
    rows = {
        name: Row(
            table(name, given, layout=LAYOUT, structure=structure, steps=1, backend=NumpyBackend())[
                0
            ],
            LAYOUT,
        )
        for name, given in OPTIMIZER.hyperparameters().items()
    }
    return State(LAYOUT, OPTIMIZER, factors_of(OPTIMIZER.program, lambda t: rows, 1, LAYOUT))


def wide_numbers(seed: int, largest: float) -> list[np.ndarray]:
    """Numbers of all sizes, many of them halfway between two float32."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=LAYOUT.size) * 2.0 ** rng.integers(-44, 6, LAYOUT.size)
    halfway = x.astype(np.float32)
    x[::3] = (halfway.astype(float) + np.nextafter(halfway, np.float32(np.inf)))[::3] / 2
    x[0] = largest
    return LAYOUT.split(x)


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize("largest", [0.0, 511.0, 513.0, 200_000.3])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_narrower_numbers_are_the_values_rounded(
    slot: str, largest: float, dtype: type[np.floating]
) -> None:
    state = make_state()
    state.set(slot, wide_numbers(len(slot), min(largest, 1000.0 if slot == "velocity" else 1e9)))
    with np.errstate(over="ignore"):
        found = state.value_in(slot, np.dtype(dtype)).astype(dtype)
        np.testing.assert_array_equal(found, state.value(slot).astype(dtype), strict=True)


@pytest.mark.parametrize("slot", SLOTS)
def test_the_bound_holds_when_it_is_known(slot: str) -> None:
    state = make_state()
    state.set(slot, wide_numbers(3, 100.0))
    assert state.largest(slot) == np.inf
    state.add(slot, np.full(LAYOUT.size, 3.0), -2.0, step=0)
    if slot in state.decays:
        state.decay(slot)
    assert np.abs(state.value(slot)).max() <= state.largest(slot) < np.inf

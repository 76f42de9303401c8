"""A translation held against optax itself: some steps of both, on random gradients, in float64.

What is compared is the form, so the numbers of the chain are replaced by others that show every
term (a rate of 1e-12 would show none): each chain of a form is tried out once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from retrograd.errors import NotReversibleError
from retrograd.jax.chain import Part
from retrograd.jax.translation import AS_IT_IS
from retrograd.lattice import Layout
from retrograd.optimizers import Optimizer, PerStep

__all__ = ["TRIED", "prove"]

TRIED = 5  # steps
_SHAPES = ((3,), (2, 2))
_SIZES = (1.0, 30.0, 0.01, 3.0, 0.3)  # of the gradients, so that clipping is seen on and off
_TOLERANCE = 1e-9

_NUMBERS = {
    "step_size": -0.3,
    "weight_decay": 0.11,
    "b1": 0.6,
    "b2": 0.8,
    "decay": 0.7,
    "eps": 0.013,
    "eps_root": 0.017,
    "max_delta": 0.4,
    "max_norm": 1.2,
    "initial_scale": 0.23,
    "initial_accumulator_value": 0.19,
}

_proven: set[Hashable] = set()


def prove(parts: Sequence[Part], translated: Callable[[Sequence[Part]], Optimizer]) -> None:
    """Compare a translation with optax, unless a chain of this form was compared before.

    Args:
        parts: of the chain.
        translated: the optimizer that is made of parts.

    Raises:
        NotReversibleError: the two differ.
    """
    tried = [_with_numbers(part) for part in parts]
    key = tuple(map(_form, tried))
    if key in _proven:
        return
    # Also within a program that is being traced, this is computed at once.
    with jax.ensure_compile_time_eval(), jax.enable_x64(True):
        theirs, ours = _by_optax(tried), _by_statements(translated(tried))
    far = float(np.max(np.abs(theirs - ours)) / np.max(np.abs(theirs)))
    if not far <= _TOLERANCE:
        raise NotReversibleError(
            f"from_optax: the translation of {', '.join(map(str, parts))} differs from optax by "
            f"{far:.2g} of the weights: this version of optax does something else than is known "
            f"here. {AS_IT_IS}"
        )
    _proven.add(key)


def _with_numbers(part: Part) -> Part:
    """A part with the numbers of this comparison, but for zeros, which change a form."""
    found: dict[str, Any] = {}
    for name, value in part.settings.items():
        if name in _NUMBERS and not (isinstance(value, int | float) and value == 0):
            found[name] = _NUMBERS[name] * (1 + 0.01 * part.place)
    if "step_size_fn" in part.settings:
        found["step_size_fn"] = _schedule
    # Which leaves a mask is for is no part of the form.
    return replace(part.with_settings(found), mask=None)


def _schedule(step: Any) -> Any:
    return -0.4 / (step + 2.0)


def _form(part: Part) -> Hashable:
    settings = tuple(sorted((name, repr(value)) for name, value in part.settings.items()))
    code = getattr(part.update, "__code__", None)
    return part.name, code, settings


def _gradients() -> list[NDArray[np.float64]]:
    draw = np.random.default_rng(0)
    size = Layout(_SHAPES).size
    return [scale * draw.standard_normal(size) for scale in _SIZES[:TRIED]]


def _start() -> NDArray[np.float64]:
    return np.random.default_rng(1).standard_normal(Layout(_SHAPES).size)


def _by_optax(parts: Sequence[Part]) -> NDArray[np.float64]:
    """The weights after each step, (steps, N), by the functions of optax."""
    layout, path = Layout(_SHAPES), []
    w = [jnp.asarray(leaf) for leaf in layout.split(_start())]
    states = [part.init(w) for part in parts]
    for gradient in _gradients():
        updates: Any = [jnp.asarray(leaf) for leaf in layout.split(gradient)]
        for i, part in enumerate(parts):
            updates, states[i] = part.update(updates, states[i], w)
        w = [a + b for a, b in zip(w, updates, strict=True)]
        path.append(np.concatenate([np.asarray(leaf).ravel() for leaf in w]))
    return np.array(path)


def _by_statements(optimizer: Optimizer) -> NDArray[np.float64]:
    """The same by the statements of a program."""
    layout, path = Layout(_SHAPES), []
    slots = optimizer.start(_start())
    given = {"root": np.sqrt, "xp": np, "layout": layout}
    tables = {name: _table(value) for name, value in optimizer.hyperparameters().items()}
    for t, gradient in enumerate(_gradients()):
        row = {name: value[t] if value.ndim else value for name, value in tables.items()}
        slots = optimizer.update(slots, gradient, row, t, given)
        path.append(slots[optimizer.program.result])
    return np.array(path)


def _table(value: Any) -> NDArray[np.float64]:
    return np.asarray(value.values if isinstance(value, PerStep) else value, float)

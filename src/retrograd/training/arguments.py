"""What `train` accepts: every check that needs no step to be taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints import Adjoint
from retrograd.errors import ArgumentError
from retrograd.lattice import Layout, rational
from retrograd.optimizers import Decay, Optimizer, table
from retrograd.training.columns import Row, aligned
from retrograd.training.diagnostics import Diagnostics

__all__ = ["check_decays", "check_run", "check_strategy", "layout_of", "tables_of"]


def check_run(loss: Any, optimizer: Any, steps: Any) -> None:
    """Refuse what is no training run."""
    if not callable(loss):
        raise ArgumentError(f"loss: {loss!r:.60} was given; give a function loss(w, hyper, step)")
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(
            f"optimizer: {optimizer!r:.60} was given; give one of retrograd's, such as "
            "Momentum(rate=0.1, momentum=0.9)"
        )
    if not isinstance(steps, int | np.integer) or isinstance(steps, bool) or steps < 1:
        raise ArgumentError(f"steps: {steps!r} was given; give a whole number of at least 1")


def check_strategy(adjoint: Any, diagnostics: Any, optimizer: Optimizer) -> None:
    """Refuse what is no adjoint, or one that cannot work with the optimizer."""
    if not isinstance(adjoint, Adjoint):
        raise ArgumentError(
            f"adjoint: {adjoint!r:.60} was given; give an instance such as Reversible() or Stored()"
        )
    if diagnostics is not None and not isinstance(diagnostics, Diagnostics):
        raise ArgumentError(
            f"diagnostics: {diagnostics!r:.60} was given; give an instance, Diagnostics()"
        )
    adjoint.check(optimizer.name, optimizer.program.obstacle())


def layout_of(leaves: Sequence[Any], names: Sequence[str]) -> Layout:
    """The layout of the weights, which must be real floats, at least one of them.

    Args:
        leaves: the leaves of the weights' container.
        names: the leaves' names, for messages.
    """
    if not leaves:
        raise ArgumentError("w0: it holds no array; give the weights to train")
    for leaf, name in zip(leaves, names, strict=True):
        dtype = getattr(leaf, "dtype", np.asarray(leaf).dtype if isinstance(leaf, float) else None)
        if dtype is None or dtype.kind != "f":
            raise ArgumentError(
                f"w0: {name} is {leaf!r:.40} ({dtype or type(leaf).__name__}); give real float "
                "arrays (x.astype(float))"
            )
        shape = getattr(leaf, "shape", ())
        if 0 in shape:
            raise ArgumentError(
                f"w0: {name} has shape {shape} and no elements; leave it out of the weights"
            )
    return Layout([getattr(leaf, "shape", ()) for leaf in leaves], names=names)


def tables_of(
    optimizer: Optimizer, layout: Layout, structure: Any, steps: int, backend: Any
) -> dict[str, Any]:
    """The table of each of the optimizer's hyperparameters, (steps or 1, columns), by name."""
    tables: dict[str, Any] = {}
    for name, given in optimizer.hyperparameters().items():
        tables[name] = table(
            name, given, layout=layout, structure=structure, steps=steps, backend=backend
        )
        optimizer.check(name, backend.value_of(tables[name]))
    return tables


def check_decays(
    optimizer: Optimizer,
    tables: Mapping[str, NDArray[Any]],
    layout: Layout,
    steps: int,
    adjoint: Adjoint,
) -> None:
    """Refuse factors that the lattice cannot multiply by, before the first step is taken.

    Args:
        optimizer: whose decays are looked at.
        tables: the plain tables of its hyperparameters.
        layout: the layout of the weights.
        steps: how many steps.
        adjoint: whether a factor of 0 is allowed.
    """
    for decay in {s: None for s in optimizer.program.statements if isinstance(s, Decay)}:
        given = [tables[name] for name in decay.reads]
        count = steps if any(len(values) > 1 for values in given) else 1
        # Rounding to a rational is monotone, so the smallest and the largest stand for all.
        extremes = [_extremes(_factors(decay, given, layout, t), adjoint) for t in range(count)]
        lows, highs = zip(*extremes, strict=True)
        for t in sorted({int(np.argmin(lows)), int(np.argmax(highs))}):
            _check_factors(decay, _factors(decay, given, layout, t), t, optimizer.name, adjoint)


def _factors(decay: Decay, tables: Sequence[NDArray[Any]], layout: Layout, t: int) -> NDArray[Any]:
    """The factors of a decay at step t, (K,)."""
    rows = [Row(values[t if len(values) > 1 else 0], layout) for values in tables]
    return decay.factor(*aligned(rows))


def _extremes(factors: NDArray[Any], adjoint: Adjoint) -> tuple[float, float]:
    """The smallest and the largest of the factors that are looked at."""
    if adjoint.restores_from_zero:
        return float(np.min(factors, where=factors != 0, initial=1.0)), float(factors.max())
    return float(factors.min()), float(factors.max())


def _check_factors(
    decay: Decay, factors: NDArray[Any], t: int, name: str, adjoint: Adjoint
) -> None:
    """Refuse the factors of one step."""
    nonzero = factors[factors != 0]
    where = f"{', '.join(decay.reads)}: at step {t}, {name} multiplies slot {decay.slot!r} by"
    if nonzero.size < factors.size and not adjoint.restores_from_zero:
        raise ArgumentError(
            f"{where} 0, and {adjoint!r} cannot undo that: give a number in (0, 1), or use "
            "adjoint=Stored()"
        )
    if nonzero.size:
        extremes = np.array([nonzero.min(), nonzero.max()])
        try:
            rational(extremes)
        except ArgumentError as error:
            low, high = extremes.tolist()
            wrong = high if low > 0 and 1 - high < low else low
            raise ArgumentError(f"{where} {wrong:.12g}: {error}") from None

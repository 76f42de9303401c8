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
from retrograd.training.columns import Row
from retrograd.training.diagnostics import Diagnostics
from retrograd.training.factors import factor_of

__all__ = [
    "check_adjoint",
    "check_decays",
    "check_run",
    "check_steps",
    "layout_of",
    "tables_of",
]


def check_run(loss: Any, optimizer: Any, steps: Any) -> None:
    """Refuse what is no training run."""
    if not callable(loss):
        raise ArgumentError(f"loss: {loss!r:.60} was given; give a function loss(w, hyper, step)")
    if not isinstance(optimizer, Optimizer):
        raise ArgumentError(
            f"optimizer: {optimizer!r:.60} was given; give one of retrograd's, such as "
            "Momentum(rate=0.1, momentum=0.9)"
        )
    check_steps(steps)


def check_steps(steps: Any) -> None:
    """Refuse what is no number of steps."""
    if not isinstance(steps, int | np.integer) or isinstance(steps, bool) or steps < 1:
        raise ArgumentError(f"steps: {steps!r} was given; give a whole number of at least 1")


def check_adjoint(adjoint: Any, diagnostics: Any) -> None:
    """Refuse what is no adjoint strategy, or no diagnostics."""
    if not isinstance(adjoint, Adjoint):
        raise ArgumentError(
            f"adjoint: {adjoint!r:.60} was given; give an instance such as Reversible() or Stored()"
        )
    if diagnostics is not None and not isinstance(diagnostics, Diagnostics):
        raise ArgumentError(
            f"diagnostics: {diagnostics!r:.60} was given; give an instance, Diagnostics()"
        )


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
    optimizer: Optimizer, tables: Mapping[str, NDArray[Any]], layout: Layout, steps: int
) -> None:
    """Refuse factors that the lattice cannot multiply by, before the first step is taken.

    Args:
        optimizer: whose decays are looked at.
        tables: the plain tables of its hyperparameters.
        layout: the layout of the weights.
        steps: how many steps.
    """
    for decay in {s: None for s in optimizer.program.statements if isinstance(s, Decay)}:
        varies = "step" in decay.reads or any(
            len(tables[name]) > 1 for name in decay.reads if name in tables
        )
        factors = [_factors(decay, tables, layout, t) for t in range(steps if varies else 1)]
        # Rounding to a rational is monotone, so the smallest and the largest stand for all.
        lows = [float(np.min(f, where=f != 0, initial=1.0)) for f in factors]
        highs = [float(f.max()) for f in factors]
        for t in sorted({int(np.argmin(lows)), int(np.argmax(highs))}):
            _check_factors(decay, factors[t], t, optimizer.name)


def _factors(
    decay: Decay, tables: Mapping[str, NDArray[Any]], layout: Layout, t: int
) -> NDArray[Any]:
    """The factors of a decay at step t, (K,)."""
    rows = {
        name: Row(values[t if len(values) > 1 else 0], layout) for name, values in tables.items()
    }
    return factor_of(decay, rows, t, layout).values


def _check_factors(decay: Decay, factors: NDArray[Any], t: int, name: str) -> None:
    """Refuse the factors of one step; a factor of 0 is kept whole, and is none of them."""
    nonzero = factors[factors != 0]
    if not nonzero.size:
        return
    extremes = np.array([nonzero.min(), nonzero.max()])
    try:
        rational(extremes)
    except ArgumentError as error:
        low, high = extremes.tolist()
        wrong = high if low > 0 and 1 - high < low else low
        reads = ", ".join(decay.reads)
        raise ArgumentError(
            f"{reads}: at step {t}, {name} multiplies slot {decay.slot!r} by {wrong:.12g}: {error}"
        ) from None

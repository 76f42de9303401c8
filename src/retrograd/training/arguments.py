"""What `train` accepts: every check that needs no step to be taken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints import Adjoint
from retrograd.backends import Arrays, Backend
from retrograd.counts import check_count
from retrograd.errors import ArgumentError
from retrograd.lattice import Layout, rational
from retrograd.optimizers import Decay, Optimizer, table
from retrograd.training.diagnostics import Diagnostics
from retrograd.training.factors import factors_of
from retrograd.training.rows import Row

__all__ = [
    "check_adjoint",
    "check_compiled",
    "check_decays",
    "check_run",
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
    check_count("steps", steps)


def check_adjoint(adjoint: Any, diagnostics: Any) -> None:
    """Refuse what is no adjoint strategy, or no diagnostics; None stands for neither."""
    if adjoint is not None and not isinstance(adjoint, Adjoint):
        raise ArgumentError(
            f"adjoint: {adjoint!r:.60} was given; give an instance such as Reversible() or Stored()"
        )
    if diagnostics is not None and not isinstance(diagnostics, Diagnostics):
        raise ArgumentError(
            f"diagnostics: {diagnostics!r:.60} was given; give an instance, Diagnostics()"
        )


def check_compiled(saved: Any, progress: bool | None) -> None:
    """Refuse what a compiled run cannot do: it speaks to nobody on its way."""
    if saved is not None:
        raise ArgumentError(
            "saved: a compiled run in JAX writes no files on its way; leave it out, or train on "
            "NumPy arrays or PyTorch tensors"
        )
    if progress:
        raise ArgumentError(
            "progress: a compiled run in JAX is one program, which shows nothing on its way; leave "
            "it out"
        )


def layout_of(leaves: Sequence[Any], names: Sequence[str], backend: Arrays) -> Layout:
    """The layout of the weights, which must be real floats, at least one of them.

    Args:
        leaves: the leaves of the weights' container.
        names: the leaves' names, for messages.
        backend: the array library.
    """
    if not leaves:
        raise ArgumentError("w0: it holds no array; give the weights to train")
    for leaf, name in zip(leaves, names, strict=True):
        dtype = backend.dtype_of(leaf)
        if dtype is None or dtype.kind != "f":
            raise ArgumentError(
                f"w0: {name} is {leaf!r:.40} ({_kind(leaf)}); give real float arrays "
                "(float64, float32 or float16)"
            )
        shape = getattr(leaf, "shape", ())
        if 0 in shape:
            raise ArgumentError(
                f"w0: {name} has shape {shape} and no elements; leave it out of the weights"
            )
    return Layout([getattr(leaf, "shape", ()) for leaf in leaves], names=names)


def _kind(leaf: Any) -> str:
    """What a leaf is, for messages: its dtype, or its type where it has none."""
    return str(getattr(leaf, "dtype", type(leaf).__name__))


def tables_of(
    optimizer: Optimizer, layout: Layout, structure: Any, steps: int, backend: Backend
) -> dict[str, Any]:
    """The table of each of the optimizer's hyperparameters, (steps or 1, columns), by name."""
    tables: dict[str, Any] = {}
    for name, given in optimizer.hyperparameters().items():
        tables[name] = table(
            name, given, layout=layout, structure=structure, steps=steps, backend=backend
        )
        optimizer.check(name, backend.to_host(backend.value_of(tables[name])))
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
    every = {name: [Row(row, layout) for row in values] for name, values in tables.items()}

    def rows(t: int) -> dict[str, Row]:
        return {name: found[t if len(found) > 1 else 0] for name, found in every.items()}

    for factors in factors_of(optimizer.program, rows, steps, layout).values():
        for i, decay in enumerate(factors.decays):
            for t in factors.varied(i):
                _check_factors(decay, factors.at(i, t), t, optimizer.name, factors.period == 1)


def _check_factors(decay: Decay, factors: NDArray[Any], t: int, name: str, at_once: bool) -> None:
    """Refuse the factors of one step; a factor of 0 is kept whole, and one of 1 does nothing."""
    where = (
        f"{', '.join(decay.reads) or name}: at step {t}, {name} multiplies slot {decay.slot!r} by"
    )
    low, high = float(factors.min()), float(factors.max())
    if not (low >= 0 and high <= 1):
        wrong = low if not low >= 0 else high
        raise ArgumentError(f"{where} {wrong:.12g}; give what makes it a number from 0 to 1")
    middle = factors[(factors > 0) & (factors < 1)]
    if not (at_once and middle.size):
        return
    # Rounding to a rational is monotone, so the smallest and the largest stand for all.
    extremes = np.array([middle.min(), middle.max()])
    low, high = extremes.tolist()
    try:
        n, d = rational(extremes)
        far = np.abs(n / d - extremes)
        if far[0] > 0.01 * low:
            raise ArgumentError(
                "no n/d with d up to 65,536 is that to 1 %; give 0, or what makes it 1.53e-05"
            )
        if far[1] > 0.01 * (1 - high):
            raise ArgumentError(
                "as a factor for each element, that is met by no n/d with d up to 65,536 so that "
                "1 - n/d is right to 1 %; give one for all or one per leaf, which are met exactly"
            )
    except ArgumentError as error:
        raise ArgumentError(f"{where} {high if 1 - high < low else low:.12g}: {error}") from None

"""What a sweep of a training run gathers: the adjoints of the slots and of the wanted inputs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.backends import Backend, host_array
from retrograd.errors import NonFiniteError
from retrograd.lattice import Layout

__all__ = ["NOT_FINITE", "Results", "finite", "norm_of"]

Floats = NDArray[np.float64]

NOT_FINITE = (
    "the adjoint is not finite{where}: the derivative of the loss (or of the run, if it is chaotic "
    "over this many steps) is NaN or infinite. Look whether the result of the run is finite, and "
    "at its losses and adjoint_norms with diagnostics=retrograd.Diagnostics()"
)


class Results:
    """The adjoints of a training run.

    Args:
        wanted: the numbers of the inputs that are asked for. Inputs are numbered: the leaves of
            the weights, then those of `hyper`, then the tables of the optimizer's hyperparameters.
        layout: the layout of the weights.
        dtypes: the dtypes of the weights' leaves.
        hyper_leaves: the leaves of `hyper`.
        tables: the tables by name, in order.
        slots: the names of the slots.
        backend: the array library, whose arrays the leaves of `hyper` and their adjoints are.

    Attributes:
        bars: (N,) float64 for each slot, of the step at hand, and for the "gradient": zero between
            steps.
        active: the numbers of the wanted leaves of `hyper`.
        names: the wanted hyperparameters of the optimizer.
    """

    def __init__(
        self,
        wanted: Sequence[int],
        layout: Layout,
        dtypes: Sequence[np.dtype[Any]],
        hyper_leaves: Sequence[Any],
        tables: Mapping[str, Floats],
        slots: Sequence[str],
        backend: Backend,
    ) -> None:
        self.wanted = wanted
        self.layout = layout
        self.dtypes = dtypes
        self.hyper_leaves = hyper_leaves
        self.backend = backend
        self.order = list(tables)
        leaves, hypers = len(layout), len(hyper_leaves)
        self.active = [i - leaves for i in wanted if leaves <= i < leaves + hypers]
        self.names = {self.order[i - leaves - hypers] for i in wanted if i >= leaves + hypers}
        self.bars = {name: np.zeros(layout.size) for name in (*slots, "gradient")}
        self.tables = {name: np.zeros(tables[name].shape) for name in self.names}
        self.hyper_bars: list[Any] = [None] * len(self.active)

    def note(self, name: str, t: int, bar: Floats) -> None:
        """A part of the adjoint of an optimizer's hyperparameter at step t."""
        table = self.tables[name]
        table[t if len(table) > 1 else 0] += bar

    def note_hyper(self, bars: Sequence[Any]) -> None:
        """A part of the adjoint of the active leaves of `hyper`."""
        self.hyper_bars = [
            self.backend.accumulated(old, bar, self.hyper_leaves[i])
            for old, bar, i in zip(self.hyper_bars, bars, self.active, strict=True)
        ]

    def add_to(self, slot: str, leaves: Sequence[Any]) -> None:
        """Add arrays in the leaves' shapes (None is zero) to the adjoint of a slot."""
        flat = self.bars[slot]
        for span, leaf in zip(self.layout.leaves, leaves, strict=True):
            if leaf is not None:
                flat[span] += np.reshape(leaf, -1)

    def of_wanted(self) -> list[Any]:
        """The adjoints in the order of `wanted`."""
        leaves = len(self.layout)
        parts = self.layout.split(self.bars["weights"])
        bars: list[Any] = []
        for i in self.wanted:
            if i < leaves:
                bars.append(parts[i].astype(self.dtypes[i], copy=False))
            elif i - leaves < len(self.hyper_leaves):
                bar = self.hyper_bars[self.active.index(i - leaves)]
                leaf = self.hyper_leaves[i - leaves]
                bars.append(self.backend.zeros_like(leaf) if bar is None else bar)
            else:
                bars.append(self.tables[self.order[i - leaves - len(self.hyper_leaves)]])
        return finite(bars)

    def export(self) -> dict[str, NDArray[Any]]:
        """A copy of everything gathered, as named arrays."""
        arrays = {f"slot/{name}": bar.copy() for name, bar in self.bars.items()}
        arrays |= {f"table/{name}": table.copy() for name, table in self.tables.items()}
        return arrays | {
            f"hyper/{i}": np.array(self.backend.to_host(bar))
            for i, bar in enumerate(self.hyper_bars)
            if bar is not None
        }

    def load(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Put what `export` gave in place."""
        for name, bar in self.bars.items():
            bar[...] = arrays[f"slot/{name}"]
        for name, table in self.tables.items():
            table[...] = arrays[f"table/{name}"]
        copies = [arrays.get(f"hyper/{i}") for i in range(len(self.active))]
        self.hyper_bars = [
            None if bar is None else self.backend.from_host([np.array(bar)])[0] for bar in copies
        ]


def finite(bars: list[Any]) -> list[Any]:
    """The adjoints, which must be finite."""
    for bar in bars:
        if not np.all(np.isfinite(host_array(bar))):
            raise NonFiniteError(NOT_FINITE.format(where=""))
    return bars


def norm_of(adjoint: Floats, t: int) -> float:
    """The norm of a flat adjoint at the start of step t, which must be finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        norm = float(np.sqrt(adjoint @ adjoint))
    if not (math.isfinite(norm) or np.isfinite(adjoint).all()):
        raise NonFiniteError(NOT_FINITE.format(where=f" at step {t}"))
    return norm

"""What a sweep finds: the adjoints of the wanted inputs of a run, summed over its steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import NonFiniteError

if TYPE_CHECKING:
    from retrograd.training.run import Run

__all__ = ["NOT_FINITE", "Results"]

Floats = NDArray[np.float64]

NOT_FINITE = (
    "the adjoint is not finite{where}: the derivative of the loss (or of the run, if it is chaotic "
    "over this many steps) is NaN or infinite. Look at the run's losses and adjoint_norms with "
    "diagnostics=retrograd.Diagnostics()"
)


class Results:
    """The adjoints of the wanted inputs.

    Args:
        run: whose inputs they are; they are numbered as in `Run.forward`.
        wanted: the numbers of the inputs that are asked for.
    """

    def __init__(self, run: Run, wanted: Sequence[int]) -> None:
        self.run = run
        self.wanted = wanted
        leaves, hypers = len(run.layout), len(run.hyper_leaves)
        self.hyper = [i - leaves for i in wanted if leaves <= i < leaves + hypers]
        self.names = {run.tables[i - leaves - hypers] for i in wanted if i >= leaves + hypers}
        self.tables = {name: np.zeros(run.values[name].shape) for name in self.names}
        self.hyper_bars: list[Any] = [None] * len(self.hyper)

    def note(self, name: str, t: int, bar: Floats) -> None:
        """A part of the adjoint of an optimizer's hyperparameter at step t."""
        table = self.tables[name]
        table[t if len(table) > 1 else 0] += bar

    def note_hyper(self, bars: Sequence[Any]) -> None:
        """A part of the adjoint of the active leaves of `hyper`."""
        self.hyper_bars = [
            bar if old is None else old + bar
            for old, bar in zip(self.hyper_bars, bars, strict=True)
        ]

    def of(self, weights: Floats) -> list[Any]:
        """The adjoints in the order of `wanted`, given that of the initial weights."""
        run, leaves = self.run, len(self.run.layout)
        parts = run.layout.split(weights)
        bars: list[Any] = []
        for i in self.wanted:
            if i < leaves:
                bars.append(parts[i].astype(run.dtypes[i], copy=False))
            elif i - leaves < len(run.hyper_leaves):
                bar = self.hyper_bars[self.hyper.index(i - leaves)]
                bars.append(np.zeros_like(run.hyper_leaves[i - leaves]) if bar is None else bar)
            else:
                bars.append(self.tables[run.tables[i - leaves - len(run.hyper_leaves)]])
        for bar in bars:
            if not np.all(np.isfinite(bar)):
                raise NonFiniteError(NOT_FINITE.format(where=""))
        return bars

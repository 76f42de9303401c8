"""Training in ordinary floating point: the same programs, on arrays of the weights' own dtype."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints import Snapshot, bytes_of
from retrograd.backends import NumpyBackend
from retrograd.errors import ArgumentError, NonFiniteError
from retrograd.lattice import checksum
from retrograd.training.gradients import Push
from retrograd.training.problem import Problem
from retrograd.training.training import Training

__all__ = ["FloatTraining"]

Floats = NDArray[Any]
Again = Callable[[str, Floats, NDArray[np.int64]], Floats]
Settle = Callable[[dict[str, Floats], tuple[str, ...], Again], None]


class FloatTraining(Training):
    """A training run in floats, such as the float32 Adam that everybody runs.

    Raises:
        ArgumentError: at `start`, where the weights are of several dtypes.
    """

    arithmetic = "floats"

    def __init__(self, problem: Problem, *, differentiated: bool) -> None:
        super().__init__(problem, differentiated=differentiated)
        self.obstacle = "floating-point arithmetic rounds, so a step has no exact inverse"
        self.given = {
            "root": NumpyBackend.root,
            "xp": NumpyBackend.xp,
            "layout": self.layout,
        }
        # The gradient of one step, kept until the step is taken or pulled.
        self._held: tuple[int, Floats, Push | None] | None = None

    def to_first(self) -> None:
        kinds = sorted({str(dtype) for dtype in self.dtypes})
        if len(kinds) > 1:
            raise ArgumentError(
                f"w0: its leaves are {' and '.join(kinds)}; training in floats keeps one flat "
                "array for all, so give weights of one dtype (x.astype(np.float32))"
            )
        self.dtype = self.dtypes[0]
        self.slots: dict[str, Floats] = {
            name: np.array(slot) for name, slot in self.optimizer.start(self._joined()).items()
        }

    def result(self) -> tuple[NDArray[Any], ...]:
        return tuple(np.array(x) for x in self.layout.split(self.slots[self.program.result]))

    def advance(self, t: int) -> None:
        gradient = self._cast(self.gradient_at(self._weights(), t))
        self._held = (t, gradient, None)
        self.slots = self._updated(self.slots, gradient, t)
        for name, slot in self.slots.items():
            if not np.isfinite(slot).all():
                raise self.blame(gradient, t) or NonFiniteError(
                    f"slot {name!r}, {self.layout.describe(int(np.argmin(np.isfinite(slot))))} at "
                    f"step {t}, is not finite: lower the rate or the scale of the initial weights"
                )
        self.meet(t + 1)

    def pull(self, t: int) -> None:
        results = self.results
        gradient, push = self._linearized(t)
        self._held = None
        rows = self.rows(t)
        wanted = [name for name in rows if name in results.names]
        fixed = {name: self._row(row.spread) for name, row in rows.items() if name not in wanted}
        names = list(self.slots)

        def update(slots: Any, gradient: Any, hyper: Any) -> Any:
            new = self.optimizer.update(
                dict(zip(names, slots, strict=True)),
                gradient,
                {**fixed, **dict(zip(wanted, hyper, strict=True))},
                t,
                self.given,
            )
            return [new[name] for name in names]

        after, pullback = NumpyBackend.vjp(
            update,
            [self.slots[name] for name in names],
            gradient,
            [self._row(rows[name].spread) for name in wanted],
        )
        self.meet(t + 1, checksum(*map(self._cast, after)))
        bars = [self._cast(results.bars[name]) for name in names]
        slot_bars, gradient_bar, hyper_bars = pullback(bars)
        for name, bar in zip(names, slot_bars, strict=True):
            results.bars[name][:] = bar
        for name, bar in zip(wanted, hyper_bars, strict=True):
            results.note(name, t, rows[name].collect(bar))
        self.carry(*push(self._cast(gradient_bar)))

    def downdate(self, after: Snapshot, t: int, settle: Settle) -> None:
        """Walk step t backwards, from the state after it, and ask for the exact values on the way.

        Args:
            after: the state after the step.
            t: the step.
            settle: `settle(slots, names, again)` puts exact values in the place of the predictions
                of the slots named: first of those that are complete when the gradient is needed,
                then of the others. `again(name, values, where)` is the step on other values of a
                slot, those of the elements numbered `where`.
        """

        def ask(slots: dict[str, Floats], names: tuple[str, ...], again: Again) -> Floats:
            settle(slots, names, again)
            rest.append((tuple(slot for slot in slots if slot not in names), again))
            if "weights" in names:
                return self._gradient_before(slots["weights"], t)
            # The forward run must see what the sweep will: the gradient where the sweep is then.
            weights = self.gradients.tree(slots["weights"].copy())
            return self._cast(self.gradients.elsewhere(weights, t))

        rest: list[tuple[tuple[str, ...], Again]] = []
        hyper = {name: self._row(row.spread) for name, row in self.rows(t).items()}
        before = self.optimizer.downdate(after, ask, hyper, t, self.given)
        before = {name: self._cast(slot) for name, slot in before.items()}
        for names, again in rest:
            settle(before, names, again)

    def _gradient_before(self, weights: Floats, t: int) -> Floats:
        """The gradient at the exact weights of step t; the forward run still has it."""
        if self._held is not None and self._held[0] == t:
            return self._held[1]
        current, self.slots = self.slots, {**self.slots, "weights": weights}
        gradient, _ = self._linearized(t)
        self.slots = current
        return gradient

    def snapshot(self) -> Snapshot:
        return {name: slot.copy() for name, slot in self.slots.items()}

    def restore(self, snapshot: Snapshot) -> None:
        self.slots = {name: np.array(snapshot[name]) for name in self.slots}

    def between(self, first: Snapshot, last: Snapshot, t: int) -> Snapshot:
        fraction = t / self.steps
        return {
            name: self._cast((1 - fraction) * first[name] + fraction * last[name])
            for name in self.slots
        }

    def fingerprint(self) -> int:
        return checksum(*self.slots.values())

    @property
    def state_nbytes(self) -> int:
        return bytes_of(self.slots)

    def cause(self, t: int) -> str:
        return self.gradients.cause(self._weights(), t)

    def describe(self, right: Snapshot, *, whole: bool) -> str:
        return self.differences(self.slots, right, whole=whole)

    def _joined(self) -> Floats:
        return self.layout.join(self.first)

    def _weights(self) -> Any:
        return self.gradients.tree(self.slots["weights"].copy())

    def _linearized(self, t: int) -> tuple[Floats, Push]:
        if self._held is not None and self._held[0] == t and self._held[2] is not None:
            return self._held[1], self._held[2]
        gradient, push = self.gradients.linearized(self._weights(), t, self.results.active)
        self._held = (t, self._cast(gradient), push)
        return self._held[1], push

    def _updated(self, slots: Mapping[str, Floats], gradient: Floats, t: int) -> dict[str, Floats]:
        hyper = {name: self._row(row.spread) for name, row in self.rows(t).items()}
        new = self.optimizer.update(slots, gradient, hyper, t, self.given)
        return {name: self._cast(slot) for name, slot in new.items()}

    def _row(self, value: Any) -> Any:
        """A hyperparameter that does not widen the arrays that it meets."""
        return value if isinstance(value, float) else self._cast(value)

    def _cast(self, flat: Any) -> Floats:
        return np.asarray(flat).astype(self.dtype, copy=False)

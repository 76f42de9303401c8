"""A map that is applied again and again, as a computation in steps that a run can go back over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints import Snapshot, bytes_of
from retrograd.backends import Backend
from retrograd.errors import (
    ArgumentError,
    DifferentiationError,
    NonFiniteError,
    ReversalError,
)
from retrograd.lattice import checksum
from retrograd.training.differences import differing_leaves
from retrograd.training.results import NOT_FINITE, finite
from retrograd.training.trajectory import Trajectory, arrays_of

__all__ = ["OBSTACLE", "Iteration"]

OBSTACLE = "a map given as a function has no known inverse"
"""Why an iteration cannot be run backwards exactly, as the end of a sentence."""


@dataclass(frozen=True)
class _Derivative:
    """The derivative of one step, ready to be pulled.

    Attributes:
        before: the leaves of the state before the step.
        pullback: from the adjoint of the next state to those of state and parameters.
        nbytes: the bytes of both, as measured at the first step that was kept.
    """

    before: list[NDArray[Any]]
    pullback: Callable[[Any], Any]
    nbytes: int


class Iteration(Trajectory):
    """The dynamics of a map on containers of float arrays.

    The inputs are numbered: the leaves of the state, then those of the parameters.

    Args:
        step: the map.
        backend: the array library.
        structure: the structure of the state.
        names: the names of its leaves, for messages.
        param_structure: the structure of the parameters.
        steps: how many steps.
        differentiated: whether a sweep will follow.

    Attributes:
        smooth: the numbers of the parameters that can have a derivative, those of floats.
    """

    name = "iterate"
    arithmetic = "floats"
    obstacle = OBSTACLE

    def __init__(
        self,
        step: Callable[[Any, Any, int], Any],
        backend: Backend,
        structure: Any,
        names: Sequence[str],
        param_structure: Any,
        steps: int,
        *,
        differentiated: bool,
    ) -> None:
        self.step = step
        self.backend = backend
        self.structure = structure
        self.names = names
        self.param_structure = param_structure
        self.steps = steps
        self.differentiated = differentiated
        self.checked = False
        self.keeping = False
        self.kept: _Derivative | None = None
        self._derivative_nbytes: int | None = None

    @property
    def library_notes(self) -> tuple[str, ...]:
        return self.backend.notes

    def start(self, inputs: Sequence[Any]) -> None:
        count = len(self.names)
        # Copies: the caller may write to the arrays between the two passes.
        self.first = [np.array(self.backend.to_host(leaf)) for leaf in inputs[:count]]
        self.to_first()
        self.param_leaves = [self.backend.value_of(leaf) for leaf in inputs[count:]]
        self.smooth = [i for i, x in enumerate(self.param_leaves) if self.backend.is_smooth(x)]
        self.params = self.backend.unflatten(self.param_structure, self.param_leaves)

    def to_first(self) -> None:
        self.leaves = self.first

    def result(self) -> tuple[NDArray[Any], ...]:
        # Copies: what the step returned may be an array of its own, or a parameter.
        return tuple(leaf.copy() for leaf in self.leaves)

    def advance(self, t: int) -> None:
        if self.keeping:
            self._advance_keeping(t)
            return
        leaves = self._checked(self._next(t), t)
        if t == 0 and self.differentiated and not self.checked:
            self._preflight(leaves)
            self.checked = True
        self.leaves = leaves
        self.meet(t + 1)

    def _advance_keeping(self, t: int) -> None:
        """Take a step and keep its derivative with respect to all that can be asked for."""
        before, every = self.leaves, self.smooth
        if self._derivative_nbytes is None:
            with self.backend.kept_by_derivative() as kept:
                after, pullback = self._linearized(t, every)
            self._derivative_nbytes = kept.nbytes
        else:
            after, pullback = self._linearized(t, every)
        self.leaves = after
        self.meet(t + 1)
        nbytes = self._derivative_nbytes + sum(leaf.nbytes for leaf in before)
        self.kept = _Derivative(before, pullback, nbytes)

    def pull_kept(self, kept: _Derivative) -> None:
        """Carry the adjoint back by a derivative that was kept, to the state it was taken at."""
        self.leaves = kept.before
        bars, param_bars = kept.pullback(self.bars)
        found = dict(zip(self.smooth, param_bars, strict=True))
        self._carry(bars, [found[i] for i in self.active])

    def pull(self, t: int) -> None:
        after, pullback = self._linearized(t, self.active)
        self.meet(t + 1, checksum(*after))
        self._carry(*pullback(self.bars))

    def _linearized(self, t: int, active: Sequence[int]) -> tuple[list[NDArray[Any]], Any]:
        """The next state, and the pullback of step t to the state and to the active parameters.

        Both ends of the state's part of the pullback are in the host's memory.
        """

        def taken(leaves: Any, values: Any) -> Any:
            given = list(self.param_leaves)
            for i, value in zip(active, values, strict=True):
                given[i] = value
            params = self.backend.unflatten(self.param_structure, given)
            leaves, structure = self.backend.flatten(self.step(self._x(leaves), params, t))
            self._check_structure(structure, t)
            return leaves

        values = [self.param_leaves[i] for i in active]
        with _named(t):
            after, pullback = self.backend.vjp(taken, self.backend.from_host(self.leaves), values)

        def pulled(bars: Sequence[NDArray[Any]]) -> tuple[list[NDArray[Any]], Sequence[Any]]:
            with _named(t):
                found, param_bars = pullback(self.backend.from_host(bars))
            self._refuse_traced([*found, *param_bars])
            return [self.backend.to_host(bar) for bar in found], param_bars

        return self._host(after, t), pulled

    def _carry(self, bars: Any, param_bars: Sequence[Any]) -> None:
        """Take over the adjoint of the state, and add those of the parameters."""
        self.bars = bars
        self.param_bars = [
            self.backend.accumulated(old, bar, self.param_leaves[i])
            for old, bar, i in zip(self.param_bars, param_bars, self.active, strict=True)
        ]

    def snapshot(self) -> Snapshot:
        return {str(i): leaf.copy() for i, leaf in enumerate(self.leaves)}

    def restore(self, snapshot: Snapshot) -> None:
        self.leaves = [np.array(snapshot[str(i)]) for i in range(len(self.leaves))]

    def between(self, first: Snapshot, last: Snapshot, t: int) -> Snapshot:
        fraction = t / self.steps
        point = {name: (1 - fraction) * x + fraction * last[name] for name, x in first.items()}
        return {name: np.asarray(x, first[name].dtype) for name, x in point.items()}

    def cut(self) -> None:
        self.bars = [np.zeros_like(bar) for bar in self.bars]

    def fingerprint(self) -> int:
        return checksum(*self.leaves)

    def begin(self, wanted: Sequence[int], cotangents: Sequence[Any]) -> None:
        self.wanted = wanted
        count = len(self.leaves)
        self.active = [i - count for i in wanted if i >= count]
        self.bars: list[Any] = [
            np.zeros_like(leaf) if bar is None else self.backend.to_host(bar).astype(leaf.dtype)
            for leaf, bar in zip(self.leaves, cotangents, strict=True)
        ]
        self.param_bars: list[Any] = [None] * len(self.active)

    def found(self) -> list[Any]:
        count = len(self.leaves)
        bars: list[Any] = []
        for i in self.wanted:
            if i < count:
                bars.append(self.bars[i])
            else:
                bar = self.param_bars[self.active.index(i - count)]
                leaf = self.param_leaves[i - count]
                bars.append(self.backend.zeros_like(leaf) if bar is None else bar)
        return finite(bars)

    def adjoint_norm(self, t: int) -> float:
        norm = float(np.sqrt(sum(float(np.vdot(bar, bar).real) for bar in self.bars)))
        if not np.isfinite(norm) and not all(np.isfinite(bar).all() for bar in self.bars):
            raise NonFiniteError(NOT_FINITE.format(where=f" at step {t}"))
        return norm

    def export_adjoint(self) -> Snapshot:
        arrays = {f"state/{i}": np.array(bar) for i, bar in enumerate(self.bars)}
        return arrays | {
            f"param/{i}": np.array(self.backend.to_host(bar))
            for i, bar in enumerate(self.param_bars)
            if bar is not None
        }

    def import_adjoint(self, arrays: Snapshot) -> None:
        self.bars = [np.array(arrays[f"state/{i}"]) for i in range(len(self.bars))]
        copies = [arrays.get(f"param/{i}") for i in range(len(self.active))]
        self.param_bars = [
            None if bar is None else self.backend.from_host([np.array(bar)])[0] for bar in copies
        ]

    def checksum_of_inputs(self) -> int:
        return checksum(*arrays_of(self.param_leaves))

    def cause(self, t: int) -> str:
        try:
            once, again = (checksum(*self._checked(self._next(t), t)) for _ in range(2))
        except Exception:  # whatever a map does at a state that is not its own
            return _CHANGED
        return _CHANGED if once == again else self._stochastic()

    def describe(self, right: Snapshot, *, whole: bool) -> str:
        kept = [right[str(i)] for i in range(len(self.leaves))]
        return differing_leaves(self.leaves, kept, self.names)

    @property
    def elements(self) -> int:
        return sum(leaf.size for leaf in self.leaves)

    @property
    def state_nbytes(self) -> int:
        return bytes_of(dict(zip(self.names, self.leaves, strict=True)))

    def _next(self, t: int) -> Any:
        """What the map makes of the state; it gets a copy, which it may write to."""
        copies = self.backend.from_host([leaf.copy() for leaf in self.leaves])
        with _named(t):
            return self.step(self._x(copies), self.params, t)

    def _x(self, leaves: Sequence[Any]) -> Any:
        return self.backend.unflatten(self.structure, leaves)

    def _checked(self, x: Any, t: int) -> list[NDArray[Any]]:
        """The leaves of a next state, which must be like those before."""
        leaves, structure = self.backend.flatten(x)
        self._check_structure(structure, t)
        return self._host(leaves, t)

    def _check_structure(self, structure: Any, t: int) -> None:
        if structure != self.structure:
            raise ArgumentError(
                f"step: at step {t} it returned another container than it was given ({structure} "
                f"instead of {self.structure}); return the next state in the form of x0"
            )

    def _host(self, leaves: Sequence[Any], t: int) -> list[NDArray[Any]]:
        """The leaves of a next state in the host's memory, which must be like those before."""
        self._refuse_traced(leaves)
        host = [self.backend.to_host(leaf) for leaf in leaves]
        for name, old, new in zip(self.names, self.leaves, host, strict=True):
            kind = f"{new.dtype} of shape {new.shape}"
            if kind != f"{old.dtype} of shape {old.shape}":
                raise ArgumentError(
                    f"step: at step {t} it returned {kind} for {name}, which was {old.dtype} of "
                    f"shape {old.shape}; keep shapes and dtypes (give x0 in those of the result)"
                )
        return host

    def _preflight(self, leaves: Sequence[NDArray[Any]]) -> None:
        """The first step as the sweep will take it: its bits must be the same."""
        again, _ = self._linearized(0, self.smooth)
        if checksum(*again) != checksum(*leaves):
            raise ReversalError(
                "step 0 has other bits when the sweep takes it, so the run cannot be gone back "
                f"over: {self._stochastic()}"
            )

    def _stochastic(self) -> str:
        return _STOCHASTIC.format(random=self.backend.random)

    def _refuse_traced(self, found: Sequence[Any]) -> None:
        if any(self.backend.is_traced(x) for x in found):
            raise ArgumentError(
                "step: it uses a traced value that it was not handed (by closure), so its "
                "derivative would be lost; pass that value to iterate as params"
            )


@contextmanager
def _named(t: int) -> Iterator[None]:
    """Errors of the array library say that it was the map, and when."""
    try:
        yield
    except DifferentiationError as error:
        raise type(error)(f"step, at step {t}: {error}") from error


_STOCHASTIC = (
    "the map is not a deterministic function of (x, params, t), or writes to them in place, or an "
    "operation gives its result another memory layout when it is differentiated. Draw noise from t "
    "and a seed ({random}), write to copies, and keep arrays contiguous."
)
_CHANGED = (
    "the step is repeatable now, so something changed between the two passes: arrays written to in "
    "place, the number of BLAS threads, or the map's own state. Keep them fixed until the "
    "derivative has been taken."
)

"""One training run on the lattice: the loop forwards, and the sweep back over it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints import Adjoint, Memory
from retrograd.errors import ArgumentError, LatticeOverflowError, NonFiniteError, ReversalError
from retrograd.lattice import Layout
from retrograd.optimizers import Decay, Optimizer
from retrograd.training.columns import Row
from retrograd.training.diagnostics import Certificate, Diagnostics
from retrograd.training.results import NOT_FINITE, Results
from retrograd.training.state import State
from retrograd.training.step import Step

__all__ = ["Run"]

Floats = NDArray[np.float64]

# How many states are fingerprinted between the first and the last.
_CHECKPOINTS = 16


@dataclass
class Run:
    """A training run; `forward` and then, if a derivative is wanted, `sweep`.

    The inputs of both are numbered: the leaves of the weights, then those of `hyper`, then the
    tables of the optimizer's hyperparameters.

    Attributes:
        loss: `loss(w, hyper, step)`.
        optimizer: whose program is run.
        steps: how many steps.
        adjoint: how the sweep gets the states back.
        backend: the array library.
        layout: the layout of the weights.
        structure: the structure of the weights' container.
        hyper_structure: the structure of the container of `hyper`.
        tables: the names of the optimizer's hyperparameters, in order.
        diagnostics: filled in.
        traced: the numbers of the leaves of `hyper` that a derivative may be asked for.
        differentiated: whether a sweep will follow.
    """

    loss: Callable[..., Any]
    optimizer: Optimizer
    steps: int
    adjoint: Adjoint
    backend: Any
    layout: Layout
    structure: Any
    hyper_structure: Any
    tables: Sequence[str]
    diagnostics: Diagnostics
    traced: Sequence[int]
    differentiated: bool

    def forward(self, *inputs: Any) -> tuple[NDArray[Any], ...]:
        """Train: the leaves of the weights after the last step."""
        started = perf_counter()
        self._take(inputs)
        self.fingerprints: dict[int, int] = {}
        self.diagnostics.losses.clear()
        self.diagnostics.adjoint_norms.clear()
        self.diagnostics.certificate = None
        for t in range(self.steps):
            self._note(t)
            value, gradient = self._value_and_gradient(t)
            if t == 0 and self.differentiated:
                self._preflight(gradient)
            self.diagnostics.losses.append(value)
            self._forward(t, gradient)
        self._note(self.steps)
        self.bytes_kept, self.tape_bits = self.memory.nbytes, self.memory.tape_bits
        self.diagnostics.seconds_forward = perf_counter() - started
        return tuple(self.state.leaves("weights", self.dtypes))

    def sweep(self, wanted: Sequence[int], cotangents: Sequence[Any]) -> list[Any]:
        """The cotangents of the inputs numbered `wanted`, given those of the trained leaves.

        Raises:
            ReversalError: a state on the way back is not that of the forward run.
            NonFiniteError: an adjoint is NaN or infinite.
        """
        started = perf_counter()
        self._begin_sweep()
        adjoint = self._start_adjoint(cotangents)
        results = Results(self, wanted)
        self.diagnostics.adjoint_norms.clear()
        self._compare(self.steps)
        for t in reversed(range(self.steps)):
            self._back(t, adjoint, results)
            self._compare(t)
        self._check_empty()
        self.diagnostics.adjoint_norms.reverse()
        self.diagnostics.seconds_sweep = perf_counter() - started
        found = results.of(adjoint["weights"])
        self.diagnostics.certificate = self._certificate()
        return found

    def _take(self, inputs: Sequence[Any]) -> None:
        """Sort the numbered inputs, and put the weights on the lattice."""
        leaves = len(self.layout)
        end = len(inputs) - len(self.tables)
        weights, self.hyper_leaves = inputs[:leaves], [_locked(x) for x in inputs[leaves:end]]
        # Copies: the caller may write to the arrays between the two passes.
        self.values = dict(zip(self.tables, (np.array(x) for x in inputs[end:]), strict=True))
        self.constants = {
            name: Row(values[0], self.layout)
            for name, values in self.values.items()
            if len(values) == 1
        }
        self.dtypes = [np.asarray(leaf).dtype for leaf in weights]
        self.hyper = self.backend.unflatten(self.hyper_structure, self.hyper_leaves)
        self.state = State(self.layout, self.optimizer.slot_radixes())
        self.state.set("weights", weights)
        decayed = {s.slot: None for s in self.optimizer.program.statements if isinstance(s, Decay)}
        self.memory: Memory = self.adjoint.memory(
            self.layout, list(decayed), sweeps=self.differentiated
        )
        self.swept = False

    def _step(self, t: int) -> Step:
        rows = {
            name: self.constants.get(name) or Row(values[t], self.layout)
            for name, values in self.values.items()
        }
        return Step(t, self.optimizer, self.state, self.memory, rows, self.backend)

    def _forward(self, t: int, gradient: Floats) -> None:
        try:
            self._step(t).forward(gradient)
        except NonFiniteError:
            if np.isfinite(gradient).all():
                raise
            raise NonFiniteError(
                f"the gradient is not finite at step {t}, "
                f"{self.layout.describe(int(np.argmin(np.isfinite(gradient))))}, though the loss "
                "is: look for a root, logarithm, quotient or norm at zero in the loss"
            ) from None

    def _weights(self) -> Any:
        return self.backend.unflatten(self.structure, self.state.leaves("weights", self.dtypes))

    def _value_and_gradient(self, t: int) -> tuple[float, Floats]:
        try:
            value, gradient = self.backend.value_and_gradient(
                self.loss, self._weights(), self.hyper, t
            )
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise ArgumentError(
                "loss: it writes to an array of hyper in place, which would change what the sweep "
                "asks for again; write to a copy (h = h.copy())"
            ) from error
        self._refuse_traced([value, *self.backend.flatten(gradient)[0]])
        if not math.isfinite(value):
            raise NonFiniteError(
                f"the loss is {float(value)} at step {t}: lower the rate or the scale of the "
                "initial weights, or look for a division by zero or logarithm in the loss"
            )
        return float(value), self._flat(gradient)

    def _refuse_traced(self, found: Sequence[Any]) -> None:
        if any(self.backend.is_traced(x) for x in found):
            raise ArgumentError(
                "loss: it uses a traced value that it was not handed (by closure), so its "
                "derivative would be lost; pass that value to train as hyper"
            )

    def _tree(self, flat: Floats) -> Any:
        """A flat vector as a container like the weights, in their dtypes."""
        parts = [
            part.astype(dtype, copy=False)
            for part, dtype in zip(self.layout.split(flat), self.dtypes, strict=True)
        ]
        return self.backend.unflatten(self.structure, parts)

    def _flat(self, gradient: Any) -> Floats:
        return self.layout.join(self.backend.flatten(gradient)[0], np.empty(self.layout.size))

    def _preflight(self, gradient: Floats) -> None:
        """Evaluate the first gradient as the sweep will: an exact way back needs equal bits."""
        active = [self.hyper_leaves[i] for i in self.traced]
        again, _ = self.backend.linearized_gradient(
            self.loss, self._weights(), active, self._rebuild(self.traced), 0
        )
        leaves = self.backend.flatten(again)[0]
        self._refuse_traced(leaves)
        if not _same_bits(gradient, self._flat(leaves)):
            raise ReversalError(
                "the gradient at step 0 has other bits when the sweep evaluates it, so training "
                "cannot be run backwards: "
                + (_LAYOUT if self._repeats(gradient, 0) else _STOCHASTIC)
            )

    def _repeats(self, gradient: Floats, t: int) -> bool:
        _, again = self._value_and_gradient(t)
        return _same_bits(gradient, again)

    def _back(self, t: int, adjoint: dict[str, Floats], results: Results) -> None:
        """Undo step t and carry the adjoint over it, with one derivative of the gradient."""
        hyper = results.hyper
        active, rebuild = [self.hyper_leaves[i] for i in hyper], self._rebuild(hyper)
        push: Callable[[Any], tuple[Any, list[Any]]] | None = None
        pushed: tuple[Any, list[Any]] | None = None

        def ask(direction: Floats | None) -> Floats:
            nonlocal push, pushed
            arguments = self.loss, self._weights(), active, rebuild, t
            if direction is None:
                gradient, push = self.backend.linearized_gradient(*arguments)
            else:
                gradient, along, mixed = self.backend.gradient_along(
                    *arguments, self._tree(direction)
                )
                pushed = along, mixed
            return self._flat(gradient)

        adjoint["gradient"].fill(0.0)
        try:
            self._step(t).backward(
                adjoint, ask, results.names, lambda name, bar: results.note(name, t, bar)
            )
        except (ReversalError, LatticeOverflowError, NonFiniteError) as error:
            # The forward run had no such trouble, so this is not its state.
            raise self._missed(t, str(error)) from error
        if push is not None:
            pushed = push(self._tree(adjoint["gradient"]))
        if pushed is not None:
            along, mixed = pushed
            self._refuse_traced([*self.backend.flatten(along)[0], *mixed])
            self._add_to(adjoint["weights"], self.backend.flatten(along)[0])
            results.note_hyper(mixed)
        self.diagnostics.adjoint_norms.append(_norm(adjoint["weights"], t))

    def _rebuild(self, active: Sequence[int]) -> Callable[[Sequence[Any]], Any]:
        def rebuild(values: Sequence[Any]) -> Any:
            leaves = list(self.hyper_leaves)
            for i, value in zip(active, values, strict=True):
                leaves[i] = value
            return self.backend.unflatten(self.hyper_structure, leaves)

        return rebuild

    def _begin_sweep(self) -> None:
        if self.swept:
            raise ReversalError(
                "this run has been swept already, and a sweep uses up what the run kept: pull one "
                "cotangent per run, or run train again"
            )
        self.swept = True

    def _start_adjoint(self, cotangents: Sequence[Any]) -> dict[str, Floats]:
        adjoint = {name: np.zeros(self.layout.size) for name in (*self.state.slots, "gradient")}
        self._add_to(adjoint["weights"], cotangents)
        return adjoint

    def _add_to(self, flat: Floats, leaves: Sequence[Any]) -> None:
        """Add arrays in the leaves' shapes (None is zero) to a flat vector, in place."""
        for span, leaf in zip(self.layout.leaves, leaves, strict=True):
            if leaf is not None:
                flat[span] += np.reshape(leaf, -1)

    def _note(self, t: int) -> None:
        """Fingerprint the state at the start, at the end, and at intervals."""
        if (self.differentiated and t % max(1, self.steps // _CHECKPOINTS) == 0) or t == self.steps:
            self.fingerprints[t] = self.state.fingerprint()

    def _compare(self, t: int) -> None:
        if t in self.fingerprints and self.state.fingerprint() != self.fingerprints[t]:
            raise self._missed(t, "its fingerprint differs")

    def _missed(self, t: int, how: str) -> ReversalError:
        later = [s for s in self.fingerprints if s > t]
        right = f"; the state at step {min(later)} was right" if later else ""
        return ReversalError(
            f"the sweep did not return to the forward run's state at step {t} ({how}{right}): "
            f"{self._cause(t)}"
        )

    def _check_empty(self) -> None:
        if not self.memory.is_empty():
            raise ReversalError(
                "the sweep came back to step 0, but what the run kept was not used up exactly: "
                + _CHANGED
            )

    def _cause(self, t: int) -> str:
        t = min(t, self.steps - 1)
        try:
            _, gradient = self._value_and_gradient(t)
            return _CHANGED if self._repeats(gradient, t) else _STOCHASTIC
        except Exception:  # whatever a loss does at a state that is not its own
            return _CHANGED

    def _certificate(self) -> Certificate:
        size, slots = self.layout.size, len(self.state.slots)
        return Certificate(
            steps=self.steps,
            hashes_compared=len(self.fingerprints),
            bytes_kept=self.bytes_kept,
            bytes_trajectory=8 * slots * size * self.steps,
            bits_per_element_step=self.tape_bits / (size * self.steps),
        )


_STOCHASTIC = (
    "the loss is not a deterministic function of (w, hyper, step). Draw batches and noise from the "
    "step and a seed (retrograd.data.minibatch, numpy.random.Philox), not from a global generator."
)
_LAYOUT = (
    "it repeats its bits without the second derivative, but not with it. An operation of the loss "
    "gives its result another memory layout there; keep arrays contiguous (np.ascontiguousarray)."
)
_CHANGED = (
    "the gradient there is repeatable now, so something changed between the two passes: data or "
    "weights written to in place, the number of BLAS threads, or the loss's own state. Keep them "
    "fixed until the derivative has been taken."
)


def _same_bits(a: Floats, b: Floats) -> bool:
    return bool(np.array_equal(a.view(np.int64), b.view(np.int64)))


def _locked(leaf: Any) -> Any:
    """A leaf of `hyper` as the loss may see it: an array that cannot be written to."""
    if not isinstance(leaf, np.ndarray):
        return leaf
    leaf = leaf.view()
    leaf.flags.writeable = False
    return leaf


def _norm(adjoint: Floats, t: int) -> float:
    """The norm of the adjoint at the start of step t, which must be finite."""
    with np.errstate(over="ignore", invalid="ignore"):
        norm = float(np.sqrt(adjoint @ adjoint))
    if not (math.isfinite(norm) or np.isfinite(adjoint).all()):
        raise NonFiniteError(NOT_FINITE.format(where=f" at step {t}"))
    return norm

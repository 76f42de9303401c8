"""The gradient of a run's loss: evaluated, watched, and recomputed with the same bits.

Each gradient leaves a checksum. Whoever evaluates it again is told if the bits are others.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.backends import Backend
from retrograd.errors import ArgumentError, DifferentiationError, NonFiniteError, ReversalError
from retrograd.lattice import Layout, checksum
from retrograd.training.differences import differing

__all__ = ["Gradients"]

Floats = NDArray[np.float64]
Flat = NDArray[Any]  # (N,), in the dtype of the weights
# From a direction, the leaves of the Hessian's product with it, and the mixed derivatives'.
Pushed = tuple[Sequence[Any], list[Any]]
Push = Callable[[Floats], Pushed]


class Gradients:
    """The loss of a run and its derivatives, at weights that the run hands in.

    Args:
        loss: `loss(w, hyper, step)`.
        backend: the array library.
        layout: the layout of the weights.
        structure: the structure of the weights' container.
        hyper_structure: the structure of the container of `hyper`.
        hyper_leaves: the leaves of `hyper`.
        dtypes: the dtypes of the weights' leaves.
        steps: how many steps.
        watched: whether gradients are evaluated twice, and must have the same bits.

    Attributes:
        comparing: whether bits are compared, where they are noted.
        dtype: that of flat vectors: the one of all leaves, or float64.
    """

    def __init__(
        self,
        loss: Callable[..., Any],
        backend: Backend,
        layout: Layout,
        structure: Any,
        hyper_structure: Any,
        hyper_leaves: Sequence[Any],
        dtypes: Sequence[np.dtype[Any]],
        steps: int,
        *,
        watched: bool,
    ) -> None:
        self.loss = loss
        self.backend = backend
        self.layout = layout
        self.structure = structure
        self.hyper_structure = hyper_structure
        self.hyper_leaves = [_locked(backend.value_of(leaf)) for leaf in hyper_leaves]
        self.hyper = backend.unflatten(hyper_structure, self.hyper_leaves)
        self.packing = backend.packing(layout.shapes, dtypes)
        self.dtype = dtypes[0] if len(set(dtypes)) == 1 else np.dtype(float)
        self.watched = watched
        self.comparing = True
        self._marks = array("Q", bytes(8 * steps if watched else 0))
        self._marked = 0

    def tree(self, flat: NDArray[Any]) -> Any:
        """A flat vector as a container like the weights, in their dtypes; it takes the vector over.

        Its arrays may be parts of the vector, so nobody else may use it from here on.
        """
        return self.backend.unflatten(self.structure, self.packing.unpack(flat))

    def flat(self, tree: Any) -> Flat:
        """A container like the weights as a flat vector in the host's memory: a copy."""
        return self.packing.pack(self._checked(self.backend.flatten(tree)[0]))

    def _checked(self, leaves: Sequence[Any]) -> Sequence[Any]:
        shapes = tuple(np.shape(leaf) for leaf in leaves)
        if shapes != self.layout.shapes:
            raise ArgumentError(
                f"the {self.backend.name} backend gave a gradient with leaves of the shapes "
                f"{shapes!s:.80} for weights of {self.layout.shapes!s:.80}; give one leaf for each "
                "of the weights, in its shape"
            )
        return leaves

    def value_and_gradient(self, w: Any, t: int) -> tuple[float, Flat]:
        """The loss at step t and its gradient, (N,), noted or compared with what was noted."""
        value, gradient = self._evaluate(w, t)
        return value, self._watched(t, gradient)

    def elsewhere(self, w: Any, t: int) -> Flat:
        """The gradient of step t at other weights than the run had then, (N,)."""
        return self._evaluate(w, t)[1]

    def linearized(self, w: Any, t: int, active: Sequence[int]) -> tuple[Flat, Push]:
        """The gradient at step t, and its derivative as a function of a direction.

        Args:
            w: the weights, a container.
            t: the step.
            active: the numbers of the leaves of `hyper` whose mixed derivatives are wanted.

        Returns:
            The gradient, (N,), and `push(direction)`: the leaves of the Hessian's product with a
            flat vector, (N,), and the mixed derivatives' products, one per active leaf.
        """
        with _named(t):
            gradient, along = self.backend.linearized_gradient(
                self.loss, w, self._active(active), self._rebuild(active), t
            )
        flat = self._watched(t, self.flat(gradient))

        def push(direction: Floats) -> Pushed:
            with _named(t):
                return self._plain(*along(self.tree(direction.copy())))

        return flat, push

    def along(
        self, w: Any, t: int, active: Sequence[int], direction: Floats
    ) -> tuple[Flat, Pushed]:
        """Both results of `linearized`, for a direction that is known before the gradient is.

        It takes the direction over, as `tree` does.
        """
        with _named(t):
            gradient, along, mixed = self.backend.gradient_along(
                self.loss, w, self._active(active), self._rebuild(active), t, self.tree(direction)
            )
        flat = self._watched(t, self.flat(gradient))
        return flat, self._plain(along, mixed)

    def preflight(self, w: Any, gradient: Flat, traced: Sequence[int]) -> Flat:
        """Evaluate the first gradient as the sweep will: an exact way back needs equal bits.

        Returns:
            The gradient, (N,), with the bits that it has in both passes.
        """
        with _named(0):
            again, _ = self.backend.linearized_gradient(
                self.loss, w, self._active(traced), self._rebuild(traced), 0
            )
        leaves = self.backend.flatten(again)[0]
        self._refuse_traced(leaves)
        flat = self.flat(leaves)
        if _same_bits(gradient, flat) or self._aligned(w, flat):
            return flat
        repeats = _same_bits(gradient, self._evaluate(w, 0)[1])
        where = differing(_wide(gradient), _wide(flat), self.layout)
        raise ReversalError(
            f"the gradient at step 0 has other bits when the sweep evaluates it ({where}), so the "
            "run cannot be gone back over: " + (_LAYOUT if repeats else self._stochastic())
        )

    def _aligned(self, w: Any, flat: Flat) -> bool:
        """Let the forward run evaluate the gradient as the sweep does, if that settles it."""
        if not self.backend.align() or not _same_bits(flat, self._evaluate(w, 0)[1]):
            return False
        if self._marked:
            self._marks[0] = checksum(flat)
        return True

    def _stochastic(self) -> str:
        found = f" {'; '.join(self.backend.notes)}." if self.backend.notes else ""
        return STOCHASTIC.format(random=self.backend.random) + found

    def export_marks(self) -> NDArray[np.uint64]:
        """The checksums that were noted."""
        return np.array(self._marks[: self._marked], np.uint64)

    def import_marks(self, marks: NDArray[np.uint64]) -> None:
        """Put the checksums of a whole run in place."""
        self._marks = array("Q", marks.tobytes())
        self._marked = len(marks)

    def cause(self, w: Any, t: int) -> str:
        """Why the gradient at step t may be another than in the forward run."""
        try:
            _, once = self._evaluate(w, t)
            same = _same_bits(once, self._evaluate(w, t)[1])
            return CHANGED if same else self._stochastic()
        except Exception:  # whatever a loss does at a state that is not its own
            return CHANGED

    def _evaluate(self, w: Any, t: int) -> tuple[float, Flat]:
        try:
            with _named(t):
                value, gradient = self.backend.value_and_gradient(self.loss, w, self.hyper, t)
        except ValueError as error:
            if "read-only" not in str(error):
                raise
            raise ArgumentError(
                "loss: it writes to an array of hyper in place, which would change what the sweep "
                "asks for again; write to a copy (h = h.copy())"
            ) from error
        self._refuse_traced([value, *self.backend.flatten(gradient)[0]])
        value = float(value)
        if not math.isfinite(value):
            raise NonFiniteError(
                f"the loss is {value} at step {t}: lower the rate or the scale of the "
                "initial weights, or look for a division by zero or logarithm in the loss"
            )
        return value, self.flat(gradient)

    def _watched(self, t: int, gradient: Flat) -> Flat:
        """The gradient at step t, its bits noted or compared with those noted."""
        if self.watched:
            self._watch(t, gradient)
        return gradient

    def _watch(self, t: int, gradient: Flat) -> None:
        mark = checksum(gradient)
        if t == self._marked:
            self._marks[t] = mark
            self._marked += 1
        elif self.comparing and mark != self._marks[t]:
            raise ReversalError(
                f"the gradient at step {t} has other bits than in the forward run", t, whole=False
            )

    def _active(self, numbers: Sequence[int]) -> list[Any]:
        return [self.hyper_leaves[i] for i in numbers]

    def _rebuild(self, active: Sequence[int]) -> Callable[[Sequence[Any]], Any]:
        def rebuild(values: Sequence[Any]) -> Any:
            leaves = list(self.hyper_leaves)
            for i, value in zip(active, values, strict=True):
                leaves[i] = value
            return self.backend.unflatten(self.hyper_structure, leaves)

        return rebuild

    def _plain(self, along: Any, mixed: list[Any]) -> Pushed:
        leaves = self._checked(self.backend.flatten(along)[0])
        self._refuse_traced([*leaves, *mixed])
        return leaves, mixed

    def _refuse_traced(self, found: Sequence[Any]) -> None:
        if any(self.backend.is_traced(x) for x in found):
            raise ArgumentError(
                "loss: it uses a traced value that it was not handed (by closure), so its "
                "derivative would be lost; pass that value to train as hyper"
            )


STOCHASTIC = (
    "the loss is not a deterministic function of (w, hyper, step). Draw batches and noise from the "
    "step and a seed ({random}), not from a global generator."
)
CHANGED = (
    "the gradient there is repeatable now, so something changed between the two passes: data or "
    "weights written to in place, the number of BLAS threads, or the loss's own state. Keep them "
    "fixed until the derivative has been taken."
)
_LAYOUT = (
    "it repeats its bits without the second derivative, but not with it. An operation of the loss "
    "gives its result another memory layout there; keep arrays contiguous (np.ascontiguousarray)."
)


@contextmanager
def _named(t: int) -> Iterator[None]:
    """Errors of the engine say that it was the loss, and when."""
    try:
        yield
    except DifferentiationError as error:
        raise type(error)(f"loss, at step {t}: {error}") from error


def _same_bits(a: Flat, b: Flat) -> bool:
    return np.array_equal(a.view(np.uint8), b.view(np.uint8))


def _wide(flat: Flat) -> Floats:
    return flat.astype(float, copy=False)


def _locked(leaf: Any) -> Any:
    """A leaf of `hyper` as the loss may see it: an array that cannot be written to."""
    if not isinstance(leaf, np.ndarray):
        return leaf
    leaf = leaf.view()
    leaf.flags.writeable = False
    return leaf

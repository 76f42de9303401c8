"""What training asks of an array library: the verbs of a run whose state is host memory.

A run keeps its state (the integers, the tape, the adjoints) in NumPy arrays. The library of the
user's arrays, which may lie on another device, evaluates the loss and its derivatives. So a backend
converts arrays, takes derivatives, and makes one differentiable operation of a run and its sweep.
The arithmetic of optimizers is no business of a backend.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Arrays", "Backend", "Bytes", "Packing"]

Loss = Callable[[Any, Any, int], Any]
Rebuild = Callable[[Sequence[Any]], Any]


class Bytes(Protocol):
    """A count of bytes, complete when the block that it counts is left."""

    @property
    def nbytes(self) -> int:
        """The bytes."""
        ...


class Packing(Protocol):
    """Between one flat vector in the host's memory and the leaves that a loss is given."""

    def unpack(self, flat: NDArray[Any]) -> list[Any]:
        """The leaves, in their dtypes and on their device, in memory that is aligned alike.

        They may be parts of the vector: nobody else may use it from here on.
        """
        ...

    def pack(self, leaves: Sequence[Any]) -> NDArray[Any]:
        """The flat vector, new, in the dtype that all leaves have, or in float64."""
        ...

    def add(self, leaves: Sequence[Any], out: NDArray[np.float64]) -> None:
        """Add leaves to a flat vector."""
        ...


class Arrays(Protocol):
    """The containers and arrays of a library: what must be known of them before a run.

    Attributes:
        name: of the library.
        xp: its functions, by NumPy's names.
    """

    name: str
    xp: Any

    def flatten(self, tree: Any) -> tuple[list[Any], Any]:
        """The leaves of a container, and its structure."""
        ...

    def unflatten(self, structure: Any, leaves: Sequence[Any]) -> Any:
        """The container of this structure with these leaves."""
        ...

    def leaf_names(self, tree: Any) -> Sequence[str]:
        """A readable name of each leaf."""
        ...

    def array(self, x: Any) -> Any:
        """An array of floats from a number, array or list of them, differentiably."""
        ...

    def concatenate(self, arrays: Sequence[Any], axis: int) -> Any:
        """Arrays of `array` joined, differentiably."""
        ...

    def broadcast_to(self, x: Any, shape: tuple[int, ...]) -> Any:
        """An array of `array` in another shape, differentiably."""
        ...

    def dtype_of(self, x: Any) -> np.dtype[Any] | None:
        """NumPy's dtype of an array or Python float; None if there is none."""
        ...


class Backend(Arrays, Protocol):
    """An array library, in one run whose state is host memory.

    Attributes:
        promotes: whether it takes operands of different float dtypes together.
        random: for error messages, how a loss draws its random numbers so that they come again.
        notes: for certificates and error messages, what the library cannot promise for this loss.
    """

    promotes: bool
    random: str

    @property
    def notes(self) -> tuple[str, ...]:
        """See above; known when the loss has been evaluated."""
        ...

    def root(self, x: Any) -> Any:
        """The square root, with the derivative 0 at 0."""
        ...

    def value_of(self, x: Any) -> Any:
        """An array without its derivative; anything else as it is."""
        ...

    def is_traced(self, x: Any) -> bool:
        """Whether a derivative with respect to `x` may be asked for."""
        ...

    def is_smooth(self, x: Any) -> bool:
        """Whether `x` could have a derivative: it is an array of floats."""
        ...

    def to_host(self, x: Any) -> NDArray[Any]:
        """The numbers of an array, as NumPy's array; it may share memory. One of those stays."""
        ...

    def from_host(self, arrays: Sequence[NDArray[Any]]) -> list[Any]:
        """NumPy arrays as those of the library, where the loss works; they may share memory."""
        ...

    def packing(
        self, shapes: Sequence[tuple[int, ...]], dtypes: Sequence[np.dtype[Any]]
    ) -> Packing:
        """How leaves of these shapes and dtypes lie in one flat vector."""
        ...

    def zeros_like(self, x: Any) -> Any:
        """Zeros in the place of a leaf."""
        ...

    def accumulated(self, total: Any, part: Any, like: Any) -> Any:
        """A sum of cotangents of the leaf `like`, with one more part; `total` may be None."""
        ...

    def kept_by_derivative(self) -> AbstractContextManager[Bytes]:
        """Counts the bytes that derivatives taken in the block keep for later."""
        ...

    def vjp(self, function: Callable[..., Any], *args: Any) -> tuple[Any, Callable[[Any], Any]]:
        """The result, and from its cotangent those of the arguments, as a sequence."""
        ...

    def value_and_gradient(self, loss: Loss, w: Any, hyper: Any, step: int) -> tuple[Any, Any]:
        """The loss and its gradient with respect to `w`."""
        ...

    def gradient_along(
        self,
        loss: Loss,
        w: Any,
        active: Sequence[Any],
        rebuild: Rebuild,
        step: int,
        direction: Any,
    ) -> tuple[Any, Any, list[Any]]:
        """The gradient at `w`, and its derivative in a direction.

        Args:
            loss: the loss.
            w: the weights.
            active: the leaves of the hyperparameters whose derivatives are wanted.
            rebuild: makes the hyperparameters from `active`.
            step: the step.
            direction: a container like `w`.

        Returns:
            The gradient, with the bits of `value_and_gradient`; the Hessian's product with the
            direction; for each active leaf the mixed second derivative's product with it.
        """
        ...

    def linearized_gradient(
        self, loss: Loss, w: Any, active: Sequence[Any], rebuild: Rebuild, step: int
    ) -> tuple[Any, Callable[[Any], tuple[Any, list[Any]]]]:
        """`gradient_along` in two halves, for a direction that depends on the gradient.

        Returns:
            `(gradient, along)`, where `along(direction)` gives the other two results. It is called
            once at most.
        """
        ...

    def align(self) -> bool:
        """Evaluate the forward run's gradients as the sweep does, if their bits differ otherwise.

        Returns:
            Whether anything was changed by this.
        """
        ...

    def differentiable(
        self, name: str, run: Callable[..., Any], sweep: Callable[..., Any], *inputs: Any
    ) -> tuple[Any, ...]:
        """Call `run(*inputs)`, which returns a tuple of arrays, as one differentiable operation.

        Args:
            name: for messages.
            run: the forward computation.
            sweep: `sweep(wanted, cotangents)`: the cotangents of the inputs with these numbers,
                given those of the results (None for zero).
            inputs: arrays, some of them traced.
        """
        ...

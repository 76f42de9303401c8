"""NumPy, with derivatives by retrograd's own engine."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.autodiff import grad, jvp, tree, value_and_grad, value_of, vjp
from retrograd.autodiff.box import Box
from retrograd.autodiff.own_rules import looking_for_rules
from retrograd.autodiff.primitive import Everywhere, Primitive, elementwise
from retrograd.autodiff.records import Record, tangents
from retrograd.autodiff.rules.joining import array
from retrograd.autodiff.trace import Traced
from retrograd.errors import DifferentiationError, MissingRuleError

__all__ = ["NumpyBackend"]


def _root(x: Any) -> Any:
    return np.sqrt(x)


def _root_slope(ans: Any, x: Any) -> Any:
    """1 / (2 * root), and 0 at 0: what multiplies it in an optimizer's step vanishes there."""
    if isinstance(ans, np.ndarray) and ans.min(initial=1.0) > 0:
        return 0.5 / ans
    zero = ans == 0
    return np.where(zero, 0.0, 0.5 / np.where(zero, 1.0, ans))


class NumpyBackend:
    """What training asks of NumPy. Loss functions are called as `loss(w, hyper, step)`."""

    name = "numpy"
    xp = np
    promotes = True
    random = "retrograd.data.minibatch, numpy.random.Philox"
    notes: tuple[str, ...] = ()

    flatten = staticmethod(tree.flatten)
    unflatten = staticmethod(tree.unflatten)
    leaf_names = staticmethod(tree.names)
    value_of = staticmethod(value_of)

    # sqrt, with the derivative 0 at 0.
    root = staticmethod(elementwise(_root, _root_slope))

    @staticmethod
    def vjp(function: Callable[..., Any], *args: Any) -> tuple[Any, Callable[[Any], Any]]:
        """The result, and from its cotangent those of the arguments, as a sequence."""
        return vjp(function, *args)

    @staticmethod
    def concatenate(arrays: Sequence[Any], axis: int = 0) -> Any:
        """Arrays joined."""
        return np.concatenate(arrays, axis)

    @staticmethod
    def broadcast_to(x: Any, shape: tuple[int, ...]) -> Any:
        """An array in another shape."""
        return np.broadcast_to(x, shape)

    @staticmethod
    def array(x: Any) -> Any:
        """A float array, differentiably."""
        x = array(x) if isinstance(x, list | tuple) else x
        return x if isinstance(x, Box) and x.ndim else np.reshape(_float(x), np.shape(x))

    @staticmethod
    def is_traced(x: Any) -> bool:
        """Whether a derivative with respect to `x` may be asked for."""
        return isinstance(x, Traced)

    @staticmethod
    def is_smooth(x: Any) -> bool:
        """Whether `x` could have a derivative: a number or an array of floats."""
        return tree.is_float(x)

    @staticmethod
    def dtype_of(x: Any) -> np.dtype[Any] | None:
        """The dtype of an array or Python float; None if there is none."""
        return getattr(x, "dtype", np.dtype(float) if isinstance(x, float) else None)

    @staticmethod
    def to_host(x: Any) -> NDArray[Any]:
        """The numbers of an array, as an array."""
        return np.asarray(x)

    @staticmethod
    def zeros_like(x: Any) -> Any:
        """Zeros in the place of a leaf."""
        return np.zeros_like(x)

    @staticmethod
    def from_host(arrays: Sequence[NDArray[Any]]) -> list[Any]:
        """The arrays themselves."""
        return list(arrays)

    @staticmethod
    def packing(shapes: Sequence[tuple[int, ...]], dtypes: Sequence[np.dtype[Any]]) -> NumpyPacking:
        """How leaves of these shapes and dtypes lie in one flat vector."""
        return NumpyPacking(shapes, dtypes)

    @staticmethod
    def accumulated(total: Any, part: Any, like: Any) -> Any:
        """A sum of cotangents of the leaf `like`, with one more part; `total` may be None."""
        # A plain number has the derivative of a float64, whatever it is multiplied with.
        part = np.asarray(part, np.asarray(like).dtype)
        return part if total is None else total + part

    @staticmethod
    def kept_by_derivative() -> _Traced:
        """Counts the bytes that Python holds at the end of a block, and did not at its start."""
        return _Traced()

    @staticmethod
    def align() -> bool:
        """Nothing to do: the sweep's gradient is that of the same operations."""
        return False

    @staticmethod
    def value_and_gradient(
        loss: Callable[..., Any], w: Any, hyper: Any, step: int
    ) -> tuple[Any, Any]:
        """The loss and its gradient with respect to `w`."""
        return value_and_grad(loss)(w, hyper, step)

    @staticmethod
    def gradient_along(
        loss: Callable[..., Any],
        w: Any,
        active: Sequence[Any],
        rebuild: Callable[[Sequence[Any]], Any],
        step: int,
        direction: Any,
    ) -> tuple[Any, Any, list[Any]]:
        """The gradient at `w`, and its derivative in a direction: forward over reverse mode.

        A loss with derivatives by rules of the user's is differentiated in reverse twice: its
        Hessian need not be symmetric.

        Args:
            loss: the loss.
            w: the weights.
            active: the leaves of the hyperparameters whose derivatives are wanted.
            rebuild: makes the hyperparameters from `active`.
            step: the step.
            direction: a container like `w`.

        Returns:
            The gradient, the Hessian's product with the direction, and for each active leaf the
            mixed second derivative's product with it. The gradient has the bits of
            `value_and_gradient`: the same operations on the same arrays in the same order.
        """
        gradients = _gradients(loss, active, rebuild, step)
        found = _unless_rules(lambda: jvp(gradients, (w,), (direction,)))
        if found is None:
            gradient, along = _pulled_back(loss, w, active, rebuild, step)
            return gradient, *along(direction)
        result, pushed = found
        return result[0], pushed[0], pushed[1] if active else []

    @staticmethod
    def linearized_gradient(
        loss: Callable[..., Any],
        w: Any,
        active: Sequence[Any],
        rebuild: Callable[[Sequence[Any]], Any],
        step: int,
    ) -> tuple[Any, Callable[[Any], tuple[Any, list[Any]]]]:
        """`gradient_along` in two halves, for a direction that depends on the gradient.

        Returns:
            `(gradient, along)`, where `along(direction)` gives the other two results.
        """
        gradients = _gradients(loss, active, rebuild, step)
        record = _unless_rules(lambda: Record(gradients, (w,), alone=True))
        if record is None:
            return _pulled_back(loss, w, active, rebuild, step)

        def along(direction: Any) -> tuple[Any, list[Any]]:
            pushed = record.push(tangents((direction,), record.given, (w,)))
            return pushed[0], pushed[1] if active else []

        return record.result()[0], along

    @staticmethod
    def differentiable(
        name: str, run: Callable[..., Any], sweep: Callable[..., Any], *inputs: Any
    ) -> tuple[Any, ...]:
        """Call `run(*inputs)`, which returns a tuple of arrays, as one operation of the engine.

        Args:
            name: for messages.
            run: the forward computation.
            sweep: `sweep(wanted, cotangents)`: the cotangents of the inputs with these numbers,
                given those of the results (None for zero).
            inputs: arrays, some of them traced.
        """
        primitive = Primitive(run, outputs=True)
        primitive.name = name

        def pullback(argnums: list[int], g: Any, ans: Any, *args: Any) -> Any:
            if any(isinstance(x, Traced) for x in (*args, *g)):
                raise DifferentiationError(
                    f"{name} was differentiated twice: its backward sweep has no derivative of its "
                    "own. Take one derivative through it, or apply the outer one to "
                    "retrograd.value_of what enters it"
                )
            return sweep(argnums, g)

        def push(argnum: int, *args: Any) -> Any:
            raise DifferentiationError(
                f"{name} has no forward-mode derivative, which jvp, linearize, hvp and jacobian "
                "ask for: its backward sweep is its only derivative. Use grad, value_and_grad or "
                "vjp"
            )

        primitive.pullback, primitive.jvps = pullback, Everywhere(push)
        return primitive(*inputs)


class NumpyPacking:
    """Between one flat vector and leaves.

    Args:
        shapes: of the leaves.
        dtypes: of the leaves.
    """

    def __init__(self, shapes: Sequence[tuple[int, ...]], dtypes: Sequence[np.dtype[Any]]) -> None:
        ends = list(accumulate(map(prod, shapes)))
        self.size = ends[-1]
        self.places = list(
            zip((slice(*span) for span in pairwise([0, *ends])), shapes, dtypes, strict=True)
        )
        self.dtype = dtypes[0] if len(set(dtypes)) == 1 else np.dtype(float)

    def unpack(self, flat: NDArray[Any]) -> list[NDArray[Any]]:
        """The leaves, which may be parts of the vector: it takes that over."""
        flat = flat.astype(self.dtype, copy=False)
        return [
            flat[span].reshape(shape).astype(dtype, copy=False)
            for span, shape, dtype in self.places
        ]

    def pack(self, leaves: Sequence[Any]) -> NDArray[Any]:
        """The flat vector, new."""
        flat = np.empty(self.size, self.dtype)
        for leaf, (span, shape, _) in zip(leaves, self.places, strict=True):
            flat[span].reshape(shape)[...] = leaf
        return flat

    def add(self, leaves: Sequence[Any], out: NDArray[Any]) -> None:
        """Add leaves to a flat vector."""
        for leaf, (span, shape, _) in zip(leaves, self.places, strict=True):
            part = out[span].reshape(shape)
            part += leaf


class _Traced:
    """The bytes that Python holds at the end of a block, and did not at its start."""

    nbytes = 0

    def __enter__(self) -> _Traced:
        self._mine = not tracemalloc.is_tracing()
        if self._mine:
            tracemalloc.start()
        self._before = tracemalloc.get_traced_memory()[0]
        return self

    def __exit__(self, *_: object) -> None:
        self.nbytes = max(tracemalloc.get_traced_memory()[0] - self._before, 0)
        if self._mine:
            tracemalloc.stop()


def _gradients(
    loss: Callable[..., Any],
    active: Sequence[Any],
    rebuild: Callable[[Sequence[Any]], Any],
    step: int,
) -> Callable[[Any], tuple[Any, ...]]:
    """w -> the gradients of the loss with respect to w and, if there are any, `active`."""

    def active_loss(w: Any, active: Sequence[Any]) -> Any:
        return loss(w, rebuild(active), step)

    both = value_and_grad(active_loss, (0, 1) if active else (0,))
    return lambda w: both(w, list(active))[1]


def _unless_rules(differentiate: Callable[[], Any]) -> Any:
    """A derivative in forward mode; None if rules of the user's own were met, or one is missing."""
    with looking_for_rules() as rules:
        try:
            found = differentiate()
        except MissingRuleError:
            found = None
    return None if rules.any else found


def _pulled_back(
    loss: Callable[..., Any],
    w: Any,
    active: Sequence[Any],
    rebuild: Callable[[Sequence[Any]], Any],
    step: int,
) -> tuple[Any, Callable[[Any], tuple[Any, list[Any]]]]:
    """`linearized_gradient` in reverse over reverse mode."""

    def gradient_of(w: Any, active: Sequence[Any]) -> Any:
        return grad(lambda w: loss(w, rebuild(active), step))(w)

    if not active:
        gradient, pull = vjp(lambda w: gradient_of(w, ()), w)
        return gradient, lambda direction: (pull(direction)[0], [])
    gradient, pull = vjp(gradient_of, w, list(active))

    def along(direction: Any) -> tuple[Any, list[Any]]:
        by_weights, by_active = pull(direction)
        return by_weights, by_active

    return gradient, along


def _float(x: Any) -> Any:
    if isinstance(x, Traced) or tree.is_float(x):
        return x
    return np.asarray(x, dtype=float)

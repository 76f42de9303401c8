"""NumPy, with derivatives by retrograd's own engine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from retrograd.autodiff import jvp, linearize, tree, value_and_grad, value_of, vjp
from retrograd.autodiff.box import Box
from retrograd.autodiff.primitive import Everywhere, Primitive, elementwise
from retrograd.autodiff.rules.joining import array
from retrograd.autodiff.trace import Traced
from retrograd.errors import DifferentiationError

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

    flatten = staticmethod(tree.flatten)
    unflatten = staticmethod(tree.unflatten)
    leaf_names = staticmethod(tree.names)
    value_of = staticmethod(value_of)
    concatenate = staticmethod(np.concatenate)
    broadcast_to = staticmethod(np.broadcast_to)
    vjp = staticmethod(vjp)

    # sqrt, with the derivative 0 at 0.
    root = staticmethod(elementwise(_root, _root_slope))

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
        result, pushed = jvp(gradients, (w,), (direction,))
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
        result, push = linearize(_gradients(loss, active, rebuild, step), w)

        def along(direction: Any) -> tuple[Any, list[Any]]:
            pushed = push(direction)
            return pushed[0], pushed[1] if active else []

        return result[0], along

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


def _float(x: Any) -> Any:
    if isinstance(x, Traced) or tree.is_float(x):
        return x
    return np.asarray(x, dtype=float)

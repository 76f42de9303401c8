"""Autograd's optimizers: plain loops over a gradient, for containers of arrays.

`grad(x, i)` is the gradient at the i-th step; `callback(x, i, g)` is called before each step. They
can be differentiated themselves. For training whose memory does not grow with the number of steps
when it is differentiated, see `retrograd.train`.

References:
    Polyak, "Some methods of speeding up the convergence of iteration methods" (1964); Tieleman &
    Hinton, "Lecture 6.5: RMSProp" (2012); Kingma & Ba, "Adam" (2015).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.compat.autograd.misc.flatten import flatten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Function = Callable[..., Any]

__all__ = ["adam", "rmsprop", "sgd"]


class _Steps:
    """A run of an optimizer on a vector in the place of a container."""

    def __init__(self, grad: Function, x0: Any, callback: Function | None) -> None:
        self.grad, self.callback = grad, callback
        self.x, self.container = flatten(x0)

    def gradients(self, count: int) -> Iterator[tuple[int, Any]]:
        """The number of each step and the gradient there."""
        for i in range(count):
            g = flatten(self.grad(self.container(self.x), i))[0]
            if self.callback:
                self.callback(self.container(self.x), i, self.container(g))
            yield i, g

    @property
    def result(self) -> Any:
        return self.container(self.x)


def sgd(
    grad: Function,
    x0: Any,
    callback: Function | None = None,
    num_iters: int = 200,
    step_size: float = 0.1,
    mass: float = 0.9,
) -> Any:
    """Gradient descent with momentum: v = mass v - (1 - mass) g, x = x + step_size v.

    Example:
        >>> from retrograd.compat.autograd.misc.optimizers import sgd
        >>> found = sgd(lambda x, i: {"a": 2 * (x["a"] - 3.0)}, {"a": 0.0})
        >>> round(float(found["a"]), 3)
        3.0
    """
    steps = _Steps(grad, x0, callback)
    velocity = 0.0
    for _, g in steps.gradients(num_iters):
        velocity = mass * velocity - (1.0 - mass) * g
        steps.x = steps.x + step_size * velocity
    return steps.result


def rmsprop(
    grad: Function,
    x0: Any,
    callback: Function | None = None,
    num_iters: int = 100,
    step_size: float = 0.1,
    gamma: float = 0.9,
    eps: float = 1e-8,
) -> Any:
    """Steps along g / (sqrt(mean of g^2) + eps), with a mean that forgets by `gamma`."""
    steps = _Steps(grad, x0, callback)
    square = 1.0
    for _, g in steps.gradients(num_iters):
        square = gamma * square + (1 - gamma) * g**2
        steps.x = steps.x - step_size * g / (np.sqrt(square) + eps)
    return steps.result


def adam(
    grad: Function,
    x0: Any,
    callback: Function | None = None,
    num_iters: int = 100,
    step_size: float = 0.001,
    b1: float = 0.9,
    b2: float = 0.999,
    eps: float = 1e-8,
) -> Any:
    """Adam: steps along m / (sqrt(v) + eps), with means m of g and v of g^2 without bias."""
    steps = _Steps(grad, x0, callback)
    m, v = 0.0, 0.0
    for i, g in steps.gradients(num_iters):
        m = b1 * m + (1 - b1) * g
        v = b2 * v + (1 - b2) * g**2
        unbiased = m / (1 - b1 ** (i + 1)), v / (1 - b2 ** (i + 1))
        steps.x = steps.x - step_size * unbiased[0] / (np.sqrt(unbiased[1]) + eps)
    return steps.result

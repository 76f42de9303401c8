"""Fixed points, differentiated by the implicit function theorem: no iteration is kept.

At x = f(a)(x), a cotangent g of x gives w = g + w df/dx, itself a fixed point, and w df/da is the
cotangent of a.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff import custom_vjp, tree, vjp

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]

__all__ = ["fixed_point"]


def fixed_point(f: Function, a: Any, x0: Any, distance: Function, tol: float) -> Any:
    """The limit of x = f(a)(x), iterated from `x0`; a differentiable function of `a`.

    Args:
        f: `f(a)` is a function from x to the next x.
        a: a container of parameters.
        x0: where to start; the derivative with respect to it is zero.
        distance: `distance(x, x_before)`, a number.
        tol: the iteration ends when the distance is not above it. The same is asked of the
            iteration for the derivative.

    Example:
        >>> import retrograd.compat.autograd.numpy as np
        >>> from retrograd.compat.autograd import grad
        >>> from retrograd.compat.autograd.misc.fixed_points import fixed_point
        >>> def heron(a):
        ...     return lambda x: (x + a / x) / 2
        >>> def square_root(a):
        ...     return fixed_point(heron, a, 1.0, lambda x, y: np.abs(x - y), 1e-12)
        >>> round(square_root(4.0), 12), round(float(grad(square_root)(4.0)), 12)
        (2.0, 0.25)
    """

    def find(a: Any, x0: Any) -> Any:
        step = f(a)
        x, before = step(x0), x0
        while distance(x, before) > tol:
            x, before = step(x), x
        return x

    def rule(a: Any, x0: Any) -> tuple[Any, Function]:
        x = limit(a, x0)

        def pullback(g: Any) -> tuple[Any, None]:
            w = fixed_point(_adjoint(f), (a, x, g), tree.map(np.zeros_like, x), distance, tol)
            return vjp(lambda a: f(a)(x), a)[1](w)[0], None

        return x, pullback

    limit = custom_vjp(find, rule)
    return limit(a, x0)


def _adjoint(f: Function) -> Function:
    """The step of w = g + w df/dx, for parameters `(a, x, g)`."""

    def step_of(parameters: Any) -> Function:
        a, x, g = parameters
        _, pullback = vjp(f(a), x)
        return lambda w: tree.map(lambda own, pulled: own + pulled, g, pullback(w)[0])

    return step_of

"""Add functions to the engine: say what computes the value, then state its derivatives.

A rule is plain NumPy code. Applied to traced values it is itself traced, so derivatives of
derivatives follow. `ans` is the value of the function, `g` a cotangent of it, `d` a tangent of
one argument, both for the rule to use as it likes:

    vjp(g, ans, *args, **kwargs) -> cotangent of the argument      (reverse mode)
    jvp(d, ans, *args, **kwargs) -> tangent of the result          (forward mode)

Check what you state with `retrograd.testing.check_grads`. For functions of containers, whose
derivatives are stated for all arguments together, see `retrograd.custom_vjp` and `custom_jvp`.

Example:
    >>> import numpy as np
    >>> import retrograd as rg
    >>> from retrograd.extend import defjvp, defvjp, primitive
    >>> @primitive
    ... def cube(x):
    ...     return x**3
    >>> defvjp(cube, lambda g, ans, x: g * 3 * x**2)
    >>> defjvp(cube, lambda d, ans, x: d * 3 * x**2)
    >>> rg.grad(rg.grad(cube))(2.0)
    12.0
"""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from retrograd.autodiff import primitive as _engine
from retrograd.autodiff.box import OPERATORS
from retrograd.autodiff.own_rules import counted
from retrograd.autodiff.primitive import Primitive, elementwise, linear, match, multilinear
from retrograd.autodiff.records import own
from retrograd.autodiff.tape import missing as _missing
from retrograd.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

    Rule = Callable[..., Any]

__all__ = [
    "Primitive",
    "defjvp",
    "defvjp",
    "elementwise",
    "linear",
    "match",
    "multilinear",
    "primitive",
]


def primitive(function: Callable[..., Any]) -> Primitive:
    """Make a function opaque to differentiation: from now on it is known by its rules alone.

    Args:
        function: called with plain arrays and numbers, never with traced values.

    Returns:
        What to call in its place; state its rules with `defvjp` and `defjvp`.

    Example:
        >>> import math
        >>> from retrograd.extend import primitive
        >>> gamma = primitive(math.gamma)
        >>> gamma(5.0)
        24.0
    """
    return Primitive(function)


def defvjp(function: Callable[..., Any], *vjps: Rule | None) -> None:
    """State the reverse mode: one `vjp(g, ans, *args, **kwargs)` for each argument.

    Args:
        function: a primitive, or a function of NumPy or SciPy, which is then intercepted wherever
            it is called with traced values.
        vjps: the rules by position. None: there is no rule for this argument, and differentiating
            with respect to it raises `MissingRuleError`. For an argument that was broadcast, end
            with `match(cotangent, argument)`.

    Raises:
        ArgumentError: a rule is not callable.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.extend import defvjp, match, primitive
        >>> @primitive
        ... def scaled(x, factor):
        ...     return x * factor
        >>> defvjp(
        ...     scaled,
        ...     lambda g, ans, x, factor: match(g * factor, x),
        ...     lambda g, ans, x, factor: match(g * x, factor),
        ... )
        >>> rg.grad(lambda f: np.sum(scaled(np.array([1.0, 2.0]), f)))(3.0)
        np.float64(3.0)
    """
    for known in _known(function):
        stated = [_stated(rule, known, i, "reverse") for i, rule in enumerate(vjps)]
        known.vjps = [_with_its_own(rule) for rule in stated]
        known.pullback = known.add_into = known.stackings = None
        known.reads = [_engine.reads_of(rule, -2) for rule in stated]
        known.plans.clear()
        known.keywords.clear()
        known.evaluate = counted(known.evaluate)


def defjvp(function: Callable[..., Any], *jvps: Rule | None) -> None:
    """State the forward mode: one `jvp(d, ans, *args, **kwargs)` for each argument.

    Arguments and errors are those of `defvjp`.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.extend import defjvp, primitive
        >>> sine = primitive(np.sin)
        >>> defjvp(sine, lambda d, ans, x: d * np.cos(x))
        >>> rg.jvp(sine, (0.0,), (2.0,))[1]
        np.float64(2.0)
    """
    for known in _known(function):
        stated = [_stated(rule, known, i, "forward") for i, rule in enumerate(jvps)]
        known.jvps = [_with_its_own(rule) for rule in stated]
        known.pushforward = None
        known.keywords.clear()
        known.evaluate = counted(known.evaluate)


def _known(function: Callable[..., Any]) -> list[Primitive]:
    """The primitive of a function; of a ufunc, that of Python's operator as well."""
    if isinstance(function, Primitive):
        return [function]
    operator = OPERATORS.get(function)  # type: ignore[call-overload]
    return [_engine.primitive_for(function), *([] if operator is None else [operator])]


def _stated(rule: Rule | None, known: Primitive, argnum: int, mode: str) -> Rule:
    if rule is None:

        def refuse(*args: Any, **kwargs: Any) -> Any:
            raise _missing(known, argnum, mode)

        return refuse
    if not callable(rule):
        raise ArgumentError(
            f"{known.name}: the {mode}-mode rule of argument {argnum} is {rule!r}; give a function"
        )
    return rule


def _with_its_own(rule: Rule) -> Rule:
    """The rule, given a cotangent or tangent that it may write to."""

    @wraps(rule)
    def given(g: Any, *args: Any, **kwargs: Any) -> Any:
        return rule(own(g), *args, **kwargs)

    return given

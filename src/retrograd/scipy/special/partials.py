"""What the rules of special functions are made of: refusals, and formulas chosen by place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.dtypes import is_complex
from retrograd.autodiff.primitive import REGISTRY, Primitive, elementwise, match, plain_array, rule
from retrograd.autodiff.trace import value_of
from retrograd.errors import MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["by_place", "plain", "real_only", "refused", "special", "with_outputs"]


def refused(function: str, argument: str) -> Callable[..., Any]:
    """The partial derivative that is not to be had: an error that names function and argument."""

    def partial(*_: Any) -> Any:
        raise MissingRuleError(
            f"{function}: there is no derivative rule with respect to {argument}. Pass a plain "
            "value there (retrograd.value_of), or state a rule with retrograd.extend."
        )

    return partial


def real_only(function: str, x: Any) -> None:
    """Refuse complex arguments where a function is not holomorphic.

    Raises:
        MissingRuleError: `x` is complex.
    """
    if is_complex(x):
        raise MissingRuleError(
            f"{function}: no derivative rule covers complex arguments, for which the function is "
            "not holomorphic. Use the function without exponential scaling."
        )


def plain(x: Any) -> Any:
    """The plain array behind a value, for decisions about places."""
    return plain_array(x)


def by_place(
    mask: Any, x: Any, inside: Callable[[Any], Any], outside: Callable[[Any], Any],
    *, at: tuple[float, float],
) -> Any:  # fmt: skip
    """`inside(x)` where the mask holds, `outside(x)` elsewhere, neither asked at other places.

    Args:
        mask: plain truth values.
        x: the argument of both formulas.
        inside: the formula where the mask holds.
        outside: the formula elsewhere.
        at: harmless arguments of the two, put in the places that are not theirs.
    """
    if np.all(mask):
        return inside(x)
    if not np.any(mask):
        return outside(x)
    return np.where(mask, inside(np.where(mask, x, at[0])), outside(np.where(mask, at[1], x)))


def special(function: Any, *partials: Callable[..., Any]) -> Primitive:
    """`elementwise`, with partial derivatives in the precision of the function's value.

    Many of SciPy's ufuncs go to double precision when a Python number meets float32.
    """
    return elementwise(function, *map(_in_precision, partials))


def _in_precision(partial: Callable[..., Any]) -> Callable[..., Any]:
    return lambda ans, *args: _alike(partial(ans, *map(_as_numpy, args)), ans)


def _as_numpy(x: Any) -> Any:
    """A Python number as NumPy's, which divides by zero as arrays do."""
    return x * np.float64(1.0) if type(value_of(x)) is float else x


def _alike(x: Any, ans: Any) -> Any:
    """`x` in the precision of `ans`."""
    wanted, given = getattr(ans, "dtype", None), getattr(x, "dtype", None)
    if wanted is None or given is None or given == wanted or given.kind != wanted.kind:
        return x
    return x.astype(wanted)


def with_outputs(function: Any, *slopes: Callable[..., Any]) -> None:
    """A function with several values, by their derivatives in the first argument.

    Args:
        function: the ufunc; further arguments have no derivative.
        slopes: for each value its derivative `slope(values, x, ...)`.
    """
    primitive = REGISTRY[function] = Primitive(function, outputs=True)

    def vjp(g: Any, ans: Any, x: Any, *rest: Any) -> Any:
        pairs = zip(g, slopes, strict=True)
        return match(sum(p * slope(ans, x, *rest) for p, slope in pairs if p is not None), x)

    def jvp(d: Any, ans: Any, x: Any, *rest: Any) -> Any:
        pairs = zip(ans, slopes, strict=True)
        return tuple(d * _alike(slope(ans, x, *rest), part) for part, slope in pairs)

    rule(primitive, [vjp], [jvp])

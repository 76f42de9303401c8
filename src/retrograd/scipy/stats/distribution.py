"""SciPy's distributions with methods that take traced values, and what such a method is made of.

A family states its methods in standard form, as formulas of functions that have derivative rules.
SciPy's own value decides where a formula holds (inside the support, for valid parameters): the
formula is asked there, and everywhere else the result is SciPy's, as a constant.
"""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.stats

from retrograd.autodiff.dtypes import cast
from retrograd.autodiff.primitive import REGISTRY, has_traced, on_plain, stands_for
from retrograd.autodiff.rules.joining import as_array
from retrograd.autodiff.trace import Traced, value_of
from retrograd.errors import MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Formula = Callable[..., Any]

__all__ = ["Distribution", "Frozen", "distribution_of", "register", "where_regular"]

# Of continuous, discrete and multivariate families; the class of the last is not public.
_ORIGINALS = (
    scipy.stats.rv_continuous, scipy.stats.rv_discrete, type(scipy.stats.dirichlet).__mro__[1],
)  # fmt: skip
# Methods of a frozen distribution that are those of the distribution, parameters last.
_PARAMETRIC = frozenset({
    "pdf", "logpdf", "pmf", "logpmf", "cdf", "logcdf", "sf", "logsf", "ppf", "isf", "mean",
    "var", "std", "entropy",
})  # fmt: skip


def _name(original: Any) -> str:
    return getattr(original, "name", type(original).__name__.removesuffix("_gen"))


class Distribution:
    """One of SciPy's distributions; methods with a rule work on traced values.

    Args:
        original: SciPy's object.

    Example:
        >>> import retrograd as rg
        >>> from retrograd.scipy import stats
        >>> rg.grad(stats.norm.logpdf)(1.5)
        np.float64(-1.5)
        >>> rg.grad(lambda scale: stats.norm(0.0, scale).logpdf(2.0))(1.0)
        np.float64(3.0)
    """

    def __init__(self, original: Any) -> None:
        self.original = original
        self.name = _name(original)

    def __call__(self, *args: Any, **kwargs: Any) -> Frozen:
        """The distribution with these parameters."""
        return Frozen(self, args, kwargs)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "original" not in self.__dict__:  # while it is being copied
            raise AttributeError(name)
        method = getattr(self.original, name)
        if not inspect.ismethod(method):
            return method
        return REGISTRY.get(method) or _guarded(f"{self.name}.{name}", method)

    def __dir__(self) -> list[str]:
        return dir(self.original)

    def __repr__(self) -> str:
        return f"<distribution {self.name}>"


class Frozen:
    """A distribution with given parameters.

    Args:
        distribution: the distribution.
        args: its parameters.
        kwargs: the same, by name.
    """

    def __init__(
        self, distribution: Distribution, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        self.distribution, self.args, self.kwargs = distribution, args, kwargs

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or "distribution" not in self.__dict__:
            raise AttributeError(name)
        if name in _PARAMETRIC:
            method = getattr(self.distribution, name)
            return lambda *args, **kwargs: method(*args, *self.args, **self.kwargs, **kwargs)
        if _any_traced(self.args, self.kwargs):
            raise _missing(f"{self.distribution.name}.{name}")
        found = getattr(self.distribution.original(*self.args, **self.kwargs), name)
        return _guarded(f"{self.distribution.name}.{name}", found) if callable(found) else found


_known: dict[int, Distribution] = {}


def distribution_of(original: Any) -> Any:
    """What stands for one of SciPy's distributions; anything else is returned as it is."""
    if not isinstance(original, _ORIGINALS):
        return original
    return _known.setdefault(id(original), Distribution(original))


def _any_traced(args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
    return has_traced(args) or has_traced(tuple(kwargs.values()))


def _missing(name: str) -> MissingRuleError:
    return MissingRuleError(
        f"scipy.stats: {name} has no derivative rule. Apply it to plain values "
        "(retrograd.value_of), or state a rule with retrograd.extend."
    )


def _guarded(name: str, method: Formula) -> Formula:
    """A method without a rule: SciPy's, which refuses traced values."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if _any_traced(args, kwargs):
            raise _missing(name)
        return method(*args, **kwargs)

    call.__name__ = name
    return call


def register(
    original: Any,
    name: str,
    parameters: Sequence[tuple[str, Any]],
    formula: Formula,
    *,
    counts: Sequence[str] = (),
) -> None:
    """Let a formula stand for a method of one of SciPy's distributions.

    Args:
        original: SciPy's distribution.
        name: of the method.
        parameters: names and defaults (`inspect.Parameter.empty` for none), in order.
        formula: `formula(plain, *arguments)` with SciPy's own value of the same arguments.
        counts: parameters in which the method has no derivative.
    """
    method, full = getattr(original, name), f"{_name(original)}.{name}"
    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    signature = inspect.Signature(
        [inspect.Parameter(p, kind, default=default) for p, default in parameters]
    )

    def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        for count in counts:
            if isinstance(given[count], Traced):
                raise MissingRuleError(
                    f"scipy.stats: {full} has no derivative with respect to {count}, a number of "
                    "steps. Pass a plain value there (retrograd.value_of)."
                )
        arguments = [_array(value) for value in given.values()]
        return formula(on_plain(method, *arguments), *arguments)

    call.__name__ = full
    stands_for(method)(call)


def _array(x: Any) -> Any:
    """Lists as arrays; Python's numbers stay as they are, so that they do not promote."""
    return as_array(x) if isinstance(x, list | tuple) else x


def where_regular(
    regular: Any, value: Any, formula: Formula, arguments: Sequence[Any], interior: Sequence[float]
) -> Any:
    """`formula(*arguments)` in the regular places, and the constant `value` elsewhere.

    Where the value is NaN, so is the derivative.

    Args:
        regular: plain truth values.
        value: plain, of the shape of the result.
        formula: an elementwise function.
        arguments: what it is called with.
        interior: arguments that it takes without harm, put in the other places.
    """
    plain = [value_of(x) for x in arguments]
    dtype = np.result_type(*plain, 0.0)  # formulas of Python's numbers alone are double
    if np.all(regular):
        return cast(formula(*arguments), dtype)
    some = np.any(regular)
    safe = [
        x if some and isinstance(x, int | float) else np.where(regular, x, at)
        for x, at in zip(arguments, interior, strict=True)
    ]
    found = np.where(regular, cast(formula(*safe), dtype), np.asarray(value).astype(dtype))
    unknown = np.isnan(value)
    if not np.any(unknown):
        return found
    return found + sum(np.where(unknown, np.nan, 0).astype(dtype) * x for x in arguments)

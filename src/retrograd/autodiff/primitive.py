"""Primitives: functions with derivative rules, and the four ways to state a rule.

A rule is a plain function in plain NumPy; applied to traced values it is itself traced, and that
is how derivatives of derivatives come about. `ans` is the value of the function, `g` a cotangent.

    vjps[i](g, ans, *args, **kwargs) -> cotangent of argument i     (reverse mode)
    jvps[i](d, ans, *args, **kwargs) -> tangent of the result       (forward mode), d in place i

`elementwise`, `linear` and `multilinear` state both at once; `rule` states them apart.
"""

from __future__ import annotations

import inspect
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.trace import Traced, innermost
from retrograd.errors import InterceptionError, MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Rule = Callable[..., Any]

# From a NumPy function to what stands for it on traced values: a primitive, or a function that
# rearranges its arguments and calls one.
REGISTRY: dict[Any, Callable[..., Any]] = {}


class Primitive:
    """A function with derivative rules; called like the function itself.

    Args:
        function: what computes the value, on plain arguments.
        differentiable: False for functions whose derivative is zero wherever it exists (`floor`,
            comparisons): their results are plain values.
        outputs: True for a function that returns a tuple of arrays.
    """

    __slots__ = (
        "differentiable", "function", "jvps", "keywords", "name", "outputs", "positional",
        "pullback", "vjps",
    )  # fmt: skip

    def __init__(
        self, function: Callable[..., Any], *, differentiable: bool = True, outputs: bool = False
    ) -> None:
        self.function = function
        self.name: str = getattr(function, "__name__", repr(function))
        self.differentiable = differentiable
        self.outputs = outputs
        self.vjps: Sequence[Rule] | Everywhere = ()
        self.jvps: Sequence[Rule] | Everywhere = ()
        # In place of `vjps`: `pullback(argnums, g, ans, *args)`, the cotangents of all of them.
        self.pullback: Rule | None = None
        # The keywords that have been checked against the rules' signatures.
        self.keywords: set[str] = set()
        # How many arguments may come by position: those that the rules know, and before `out`.
        self.positional = _position_of_out(function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The value of the function, recorded by the innermost trace among the arguments."""
        if kwargs or len(args) > self.positional:
            return self._call_with_keywords(args, kwargs)
        trace = innermost(args)
        return self.function(*args) if trace is None else trace.apply(self, args, kwargs)

    def _call_with_keywords(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if len(args) > self.positional:
            names = [*inspect.signature(self.function).parameters][self.positional :]
            kwargs = {**dict(zip(names, args[self.positional :], strict=False)), **kwargs}
            args = args[: self.positional]
        out = kwargs.pop("out", None)
        if isinstance(out, tuple):
            out = out[0]
        if any(isinstance(value, Traced) for value in kwargs.values()):
            args, kwargs = self._by_position(args, kwargs)
        trace = innermost(args)
        if trace is None:
            if out is not None and not isinstance(out, Traced):
                kwargs["out"] = out
                return self.function(*args, **kwargs)
            result = self.function(*args, **kwargs)
        else:
            if kwargs and self.differentiable and not self.keywords.issuperset(kwargs):
                kwargs = self._stated(kwargs)
                self._check_keywords(kwargs)
            result = trace.apply(self, args, kwargs)
        return result if out is None else written(out, result)

    def _stated(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """The keywords that say more than their defaults."""
        parameters = inspect.signature(self.function).parameters
        defaults = {name: p.default for name, p in parameters.items()}
        return {
            k: v for k, v in kwargs.items() if v is not defaults.get(k, inspect.Parameter.empty)
        }

    def _check_keywords(self, kwargs: dict[str, Any]) -> None:
        """Refuse a keyword that the derivative rule does not know, before it is ignored."""
        rules = self.vjps if len(self.vjps) else self.jvps
        known = inspect.signature(rules[0]).parameters.values() if len(rules) else ()
        if not any(p.kind is p.VAR_KEYWORD for p in known):
            for unknown in kwargs.keys() - {p.name for p in known}:
                raise self._uncovered(unknown)
        self.keywords.update(kwargs)

    def _by_position(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The traced keywords by position, so that rules find them by number."""
        parameters = [*inspect.signature(self.function).parameters.values()]
        places = {p.name: i for i, p in enumerate(parameters) if p.kind is not p.KEYWORD_ONLY}
        traced = [name for name, value in kwargs.items() if isinstance(value, Traced)]
        for name in traced:
            if name not in places:
                raise self._uncovered(name)
        by_position, rest = list(args), dict(kwargs)
        for p in parameters[len(args) : 1 + max(places[name] for name in traced)]:
            default = self.function if p.default is np._NoValue else p.default
            value = rest.pop(p.name, default)
            if value is p.empty or value is self.function:
                raise self._uncovered(traced[0])
            by_position.append(value)
        return tuple(by_position), rest

    def _uncovered(self, keyword: str) -> MissingRuleError:
        return MissingRuleError(
            f"{self.name}: no derivative rule covers the keyword {keyword}=. Leave it out, or "
            "apply the function to plain values (retrograd.value_of)."
        )

    def __getattr__(self, name: str) -> Any:
        """What the function itself has, such as a ufunc's `reduce`."""
        return getattr(self.function, name)

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


def _position_of_out(function: Callable[..., Any]) -> int:
    if isinstance(function, np.ufunc):
        return function.nin
    try:
        names = [*inspect.signature(function).parameters]
    except (TypeError, ValueError):  # some functions written in C have no signature
        return 1 << 30
    return names.index("out") if "out" in names else 1 << 30


def written(out: Any, result: Any) -> Any:
    """The effect of `out=`: the traced array that was handed in takes the result."""
    if not isinstance(out, Traced):
        raise InterceptionError(
            "a traced value was to be written into a plain array (out=, or a -= x with a plain "
            "array a), which cannot hold a derivative. Write a = a - x, or create a inside the "
            "function from traced values."
        )
    out.assign(result)  # type: ignore[attr-defined]  # every traced value with a face is a Box
    return out


class Everywhere:
    """One rule for every argument, for functions of any number of arrays: `rule(argnum, ...)`."""

    __slots__ = ("rule",)

    def __init__(self, rule: Rule) -> None:
        self.rule = rule

    def __getitem__(self, argnum: int) -> Rule:
        return partial(self.rule, argnum)

    def __len__(self) -> int:
        return 1 << 30


def primitive_for(function: Callable[..., Any]) -> Primitive:
    """The primitive of a function, registered at the first call; a primitive is its own."""
    if isinstance(function, Primitive):
        return function
    found = REGISTRY.get(function)
    if not isinstance(found, Primitive):
        found = REGISTRY[function] = Primitive(function)
    return found


def rule(
    function: Callable[..., Any],
    vjps: Sequence[Rule] | Everywhere,
    jvps: Sequence[Rule] | Everywhere,
) -> Primitive:
    """State both modes of a function apart, one rule an argument."""
    primitive = primitive_for(function)
    primitive.vjps, primitive.jvps = vjps, jvps
    primitive.positional = min(primitive.positional, _arity(vjps or jvps))
    return primitive


def _arity(rules: Sequence[Rule] | Everywhere) -> int:
    """How many of a function's arguments its rules take by position, after g (or d) and ans."""
    if isinstance(rules, Everywhere) or not rules:
        return 1 << 30
    kinds = [p.kind for p in inspect.signature(rules[0]).parameters.values()]
    if inspect.Parameter.VAR_POSITIONAL in kinds:
        return 1 << 30
    return kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD) - 2


def elementwise(function: Callable[..., Any], *partials: Rule | int) -> Primitive:
    """A broadcasting function, by its partial derivatives `partial(ans, *args)`.

    A partial may also be 1 or -1, for arguments that enter by themselves.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.extend import elementwise, primitive
        >>> softplus = elementwise(
        ...     primitive(lambda x: np.log1p(np.exp(x))), lambda ans, x: 1 - np.exp(-ans)
        ... )
        >>> rg.grad(softplus)(0.0).round(12)
        np.float64(0.5)
    """
    return rule(
        function,
        [_elementwise_vjp(i, partial) for i, partial in enumerate(partials)],
        [_elementwise_jvp(partial) for partial in partials],
    )


def linear(function: Callable[..., Any], transpose: Rule) -> Primitive:
    """A function linear in its first argument, by its transpose `(g, ans, x, ...)`.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.extend import linear, primitive
        >>> reverse = linear(primitive(lambda x: x[::-1]), lambda g, ans, x: g[::-1])
        >>> rg.jvp(reverse, (np.zeros(2),), (np.array([1.0, 2.0]),))[1]
        array([2., 1.])
    """
    primitive = primitive_for(function)

    def push(d: Any, ans: Any, x: Any, *args: Any, **kwargs: Any) -> Any:
        return primitive(d, *args, **kwargs)

    return rule(function, [transpose], [push])


def multilinear(function: Callable[..., Any], *transposes: Rule) -> Primitive:
    """A function linear in each of its first arguments apart, by one transpose an argument.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.extend import multilinear, primitive
        >>> inner = multilinear(
        ...     primitive(lambda x, y: x @ y),
        ...     lambda g, ans, x, y: g * y,
        ...     lambda g, ans, x, y: g * x,
        ... )
        >>> rg.grad(inner, 1)(np.array([1.0, 2.0]), np.zeros(2))
        array([1., 2.])
    """
    primitive = primitive_for(function)

    def push(argnum: int) -> Rule:
        def jvp(d: Any, ans: Any, *args: Any, **kwargs: Any) -> Any:
            return primitive(*args[:argnum], d, *args[argnum + 1 :], **kwargs)

        return jvp

    return rule(function, transposes, [push(i) for i in range(len(transposes))])


def constant(*functions: Callable[..., Any]) -> None:
    """Functions whose derivative is zero wherever it exists."""
    for function in functions:
        primitive_for(function).differentiable = False


def shape_of(x: Any) -> tuple[int, ...]:
    """The shape of an array or number, without NumPy's detour for traced values."""
    shape = getattr(x, "shape", None)
    return np.shape(x) if shape is None else shape


def match(g: Any, x: Any) -> Any:
    """Undo broadcasting and promotion: a cotangent with the shape and dtype of `x`.

    `x` was broadcast (and perhaps promoted) to the shape of `g` on the way forward; the transpose
    sums over what was repeated, takes the real part for a real `x`, and casts back.
    """
    shape = shape_of(x)
    if shape_of(g) != shape:
        g = _sum_to(g, shape)
    wanted = getattr(x, "dtype", None)
    given = getattr(g, "dtype", None)
    if wanted is given or given is None:
        return g
    kind = wanted.kind if wanted is not None else ("c" if isinstance(x, complex) else "f")
    if given.kind == "c" and kind != "c":
        g = np.real(g)
    if wanted is not None and kind in "fc" and g.dtype != wanted:
        g = g.astype(wanted)
    return g


def _sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    lead = len(shape_of(g)) - len(shape)
    if lead > 0:
        g = np.sum(g, axis=tuple(range(lead)))
    repeated = tuple(
        i for i, (n, m) in enumerate(zip(shape, shape_of(g), strict=True)) if n == 1 and m != 1
    )
    return np.sum(g, axis=repeated, keepdims=True) if repeated else g


def _elementwise_vjp(argnum: int, partial: Rule | int) -> Rule:
    if partial == 1:
        return lambda g, ans, *args: match(g, args[argnum])
    if partial == -1:
        return lambda g, ans, *args: match(-g, args[argnum])
    assert callable(partial)
    return lambda g, ans, *args: match(g * partial(ans, *args), args[argnum])


def _elementwise_jvp(partial: Rule | int) -> Rule:
    if partial == 1:
        return lambda d, ans, *args: d
    if partial == -1:
        return lambda d, ans, *args: -d
    assert callable(partial)
    return lambda d, ans, *args: d * partial(ans, *args)

"""Primitives: functions with derivative rules, and the four ways to state a rule.

A rule is a plain function in plain NumPy; applied to traced values it is itself traced, and that
is how derivatives of derivatives come about. `ans` is the value of the function, `g` a cotangent.

    vjps[i](g, ans, *args, **kwargs) -> cotangent of argument i     (reverse mode)
    jvps[i](d, ans, *args, **kwargs) -> tangent of the result       (forward mode), d in place i

`elementwise`, `linear` and `multilinear` state both at once. `rule` states them apart, or one of
them: the other follows by transposition. `stands_for` is for a function that needs no rule,
because it can be written with functions that have one.
"""

from __future__ import annotations

import inspect
import sys
from functools import lru_cache, partial, wraps
from importlib import import_module
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.capture import is_of_numpy
from retrograd.autodiff.constants import unboxed
from retrograd.autodiff.outputs import position_of_out, ufunc_call, written
from retrograd.autodiff.reads import MOST_ARGUMENTS, Plan, Reads, Shadow, reads_of
from retrograd.autodiff.trace import Traced, compilation_of, innermost, value_of
from retrograd.errors import CompilationError, InterceptionError, MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from retrograd.autodiff.stacked import Stacking

    Rule = Callable[..., Any]

# From a NumPy function to what stands for it on traced values: a primitive, or a function that
# rearranges its arguments and calls one.
REGISTRY: dict[Any, Callable[..., Any]] = {}


def lookup(function: Any) -> Callable[..., Any] | None:
    """What stands for a function on traced values, or None.

    SciPy's ufuncs reach us without anybody having asked for their rules: these are loaded here.
    """
    found = REGISTRY.get(function)
    if found is None and isinstance(function, np.ufunc) and "scipy.special" in sys.modules:
        import_module("retrograd.scipy.special")
        found = REGISTRY.get(function)
    return found


# Arguments beyond this many are kept, whoever reads them.
_ARGUMENTS = frozenset(range(MOST_ARGUMENTS))


# Kinds of keyword arguments that are neither traced, nor arrays, nor `numpy._NoValue`.
_SIMPLE = frozenset({bool, int, float, str, type(None)})


class OfFunction:
    """An attribute that a primitive has from its function, such as a ufunc's `reduce`.

    A `__getattr__` would do the same, and make every other attribute slow.
    """

    __slots__ = ("name",)

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, primitive: Primitive | None, owner: type | None = None) -> Any:
        if primitive is None:
            raise AttributeError(self.name)
        return getattr(primitive.function, self.name)


class Primitive:
    """A function with derivative rules; called like the function itself.

    Args:
        function: what computes the value, on plain arguments.
        differentiable: False for functions whose derivative is zero wherever it exists (`floor`,
            comparisons): their results are plain values.
        outputs: True for a function that returns a tuple of arrays.
    """

    __slots__ = (
        "add_into", "differentiable", "evaluate", "function", "jvps", "keywords", "name", "outputs",
        "plans", "positional", "pullback", "pushforward", "reads", "stackings", "vjps",
    )  # fmt: skip
    __name__ = OfFunction()
    __signature__ = OfFunction()
    __wrapped__ = OfFunction()
    accumulate = OfFunction()
    at = OfFunction()
    identity = OfFunction()
    nargs = OfFunction()
    nin = OfFunction()
    nout = OfFunction()
    ntypes = OfFunction()
    outer = OfFunction()
    reduce = OfFunction()
    reduceat = OfFunction()
    resolve_dtypes = OfFunction()
    signature = OfFunction()
    types = OfFunction()

    def __init__(
        self, function: Callable[..., Any], *, differentiable: bool = True, outputs: bool = False
    ) -> None:
        self.function = function
        # What computes the value; a faster way than the function itself, perhaps.
        self.evaluate = function
        self.name: str = getattr(function, "__name__", repr(function))
        self.differentiable = differentiable
        self.outputs = outputs
        self.vjps: Sequence[Rule] | Everywhere = ()
        self.jvps: Sequence[Rule] | Everywhere = ()
        # In place of `vjps`: `pullback(argnums, g, ans, *args)`, the cotangents of all of them.
        self.pullback: Rule | None = None
        # In place of `jvps`: `pushforward(tangents, ans, *args)`, tangents by number of argument.
        self.pushforward: Rule | None = None
        # Where a cotangent goes to a few elements: `add_into(total, g, ans, *args)` adds it there.
        self.add_into: Rule | None = None
        # Of a function of two arguments: how contributions to their cotangents can be stacked.
        self.stackings: tuple[Stacking, Stacking] | None = None
        # What each VJP reads, or what all of them do; None for everything.
        self.reads: Sequence[Reads] | frozenset[int] | None = None
        self.plans: dict[int, Plan] = {}
        # The keywords that have been checked against the rules' signatures.
        self.keywords: set[str] = set()
        # How many arguments may come by position: those that the rules know, and before `out`.
        self.positional = position_of_out(function)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """The value of the function, recorded by the innermost trace among the arguments."""
        try:
            if kwargs or len(args) > self.positional:
                return self._call_with_keywords(args, kwargs)
            if len(args) == 1:
                (x,) = args
                if isinstance(x, Traced):
                    return x.owner.unary(self, x)
            elif len(args) == 2:
                x, y = args
                if isinstance(x, Traced):
                    if isinstance(y, Traced) and y.owner is not x.owner:
                        trace = innermost(args)
                        assert trace is not None
                        return trace.binary(self, x, y)
                    return x.owner.binary(self, x, y)
                if isinstance(y, Traced):
                    return y.owner.binary(self, x, y)
            else:
                trace = innermost(args)
                if trace is not None:
                    return trace.apply(self, args, kwargs)
            try:
                return self.function(*args)
            except CompilationError:  # a value that is not known yet, inside an index
                compilation = compilation_of(args)
                if compilation is None:
                    raise
                return compilation.apply(self, args, kwargs)
        except InterceptionError:  # a list with traced numbers, perhaps, which NumPy refuses
            args, kwargs = arrays_of_lists(self.function, args, kwargs)
            return self(*args, **kwargs)

    def plan(self, traced: int, count: int) -> Plan:
        """What a tape may let go of a call with these arguments (bits) traced, of so many."""
        found = self.plans[traced] = Plan(self._reads_of(traced), count)
        return found

    def _reads_of(self, traced: int) -> Reads:
        if isinstance(self.reads, frozenset):
            return self.reads
        if self.reads is None or self.pullback is not None:
            return None
        needed: frozenset[int] = frozenset()
        for argnum in range(traced.bit_length()):
            if traced >> argnum & 1:
                some = self.reads[argnum] if argnum < len(self.reads) else None
                if some is None:
                    return None
                needed |= some
        return needed

    def takes(self, kwargs: dict[str, Any]) -> bool:
        """Whether keywords are known to the rules, and of kinds that need no further look."""
        return self.keywords.issuperset(kwargs) and _SIMPLE.issuperset(map(type, kwargs.values()))

    def _call_with_keywords(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        if len(args) <= self.positional and self.takes(kwargs):
            trace = innermost(args)
            if trace is None:
                return self.function(*args, **kwargs)
            return trace.apply(self, args, kwargs)
        if len(args) > self.positional:
            names = [*inspect.signature(self.function).parameters][self.positional :]
            kwargs = {**dict(zip(names, args[self.positional :], strict=False)), **kwargs}
            args = args[: self.positional]
        if isinstance(self.function, np.ufunc) and not kwargs.keys() <= {"out"}:
            return ufunc_call(self, args, **kwargs)
        kwargs = dict(kwargs)
        out = kwargs.pop("out", None)
        if isinstance(out, tuple):
            out = out[0]
        if any(isinstance(value, Traced) for value in kwargs.values()):
            kwargs = unboxed(kwargs)
        if any(isinstance(value, Traced) and not value.abstract for value in kwargs.values()):
            args, kwargs = self._by_position(args, kwargs)
        trace = innermost(args)
        if trace is None:
            if out is not None and not isinstance(out, Traced):
                kwargs["out"] = out
                return self.function(*args, **kwargs)
            result = self.function(*args, **kwargs)
        else:
            if kwargs and self.differentiable and not self.keywords.issuperset(kwargs):
                args = self._with_required(args, kwargs)
                kwargs = self._stated(kwargs)
                self._check_keywords(kwargs)
            result = trace.apply(self, args, kwargs)
        return result if out is None else written(out, result)

    def _with_required(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """The arguments that have no defaults by position: rules may name them otherwise."""
        for p in [*inspect.signature(self.function).parameters.values()][len(args) :]:
            if p.default is not p.empty or p.kind is p.KEYWORD_ONLY or p.name not in kwargs:
                break
            args = (*args, kwargs.pop(p.name))
        return args

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
                raise self.uncovered(unknown)
        self.keywords.update(kwargs)

    def _by_position(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The traced keywords by position, so that rules find them by number."""
        parameters = [*inspect.signature(self.function).parameters.values()]
        places = {p.name: i for i, p in enumerate(parameters) if p.kind is not p.KEYWORD_ONLY}
        traced = [
            n for n, value in kwargs.items() if isinstance(value, Traced) and not value.abstract
        ]
        for name in traced:
            if name not in places:
                raise self.uncovered(name)
        by_position, rest = list(args), dict(kwargs)
        for p in parameters[len(args) : 1 + max(places[name] for name in traced)]:
            default = self.function if p.default is np._NoValue else p.default
            value = rest.pop(p.name, default)
            if value is p.empty or value is self.function:
                raise self.uncovered(traced[0])
            by_position.append(value)
        return tuple(by_position), rest

    def uncovered(self, keyword: str) -> MissingRuleError:
        """The error for a keyword that no rule knows."""
        return MissingRuleError(
            f"{self.name}: no derivative rule covers the keyword {keyword}=. Leave it out, or "
            "apply the function to plain values (retrograd.value_of)."
        )

    def __repr__(self) -> str:
        return f"<primitive {self.name}>"


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
    vjps: Sequence[Rule] | Everywhere = (),
    jvps: Sequence[Rule] | Everywhere = (),
    *,
    reads: Sequence[Reads] | None = None,
) -> Primitive:
    """State the modes of a function apart, one rule an argument.

    Where one of them is left out, it is had from the other, as a linear map, by transposition.
    `reads` says for each VJP of which arguments it reads more than shape and dtype, where its
    code does not tell.
    """
    primitive = primitive_for(function)
    primitive.vjps = vjps or _derived(transposed_jvp, primitive, jvps)
    primitive.jvps = jvps or _derived(transposed_vjp, primitive, vjps)
    primitive.positional = min(primitive.positional, _arity(vjps or jvps))
    primitive.plans.clear()
    if reads is not None:
        primitive.reads = reads
    else:
        primitive.reads = None if isinstance(vjps, Everywhere) else [reads_of(v, -2) for v in vjps]
    return primitive


def _derived(
    transposed: Rule, primitive: Primitive, rules: Sequence[Rule] | Everywhere
) -> Sequence[Rule] | Everywhere:
    if isinstance(rules, Everywhere):
        return Everywhere(
            lambda argnum, g, ans, *args, **kwargs: transposed(
                primitive, rules[argnum], argnum, g, ans, *args, **kwargs
            )
        )
    derived = [partial(transposed, primitive, given, i) for i, given in enumerate(rules)]
    for one, given in zip(derived, rules, strict=True):
        one.__signature__ = inspect.signature(given)  # type: ignore[attr-defined]
    return derived


def transposed_jvp(*args: Any, **kwargs: Any) -> Any:
    """The VJP that a JVP implies; see `transpose.py`, which needs the tape and so comes later."""
    from retrograd.autodiff import transpose

    return transpose.vjp_of(*args, **kwargs)


def transposed_vjp(*args: Any, **kwargs: Any) -> Any:
    """The JVP that a VJP implies."""
    from retrograd.autodiff import transpose

    return transpose.jvp_of(*args, **kwargs)


def stands_for(*originals: Callable[..., Any]) -> Callable[[Rule], Rule]:
    """Let the decorated function, written with functions that have rules, stand for another one.

    It is called where an argument is traced (also inside lists); everywhere else the original is.
    A keyword that it does not know raises `MissingRuleError`.

    Args:
        originals: NumPy's or SciPy's functions; the first is called on plain values.
    """

    def register(function: Rule) -> Rule:
        known = inspect.signature(function).parameters
        any_keyword = any(p.kind is p.VAR_KEYWORD for p in known.values())

        @wraps(function)
        def composite(*args: Any, **kwargs: Any) -> Any:
            if not has_traced(args) and not has_traced(tuple(kwargs.values())):
                return originals[0](*args, **kwargs)
            for keyword in kwargs:
                if keyword not in known and not any_keyword:
                    raise MissingRuleError(
                        f"{function.__name__}: no derivative rule covers the keyword {keyword}=. "
                        "Leave it out, or apply the function to plain values (retrograd.value_of)."
                    )
            try:
                return function(*args, **kwargs)
            except InterceptionError:
                args, kwargs = arrays_of_lists(originals[0], args, kwargs)
                return function(*args, **kwargs)

        for original in originals:
            REGISTRY[original] = composite
        return composite

    return register


def on_plain(function: Callable[..., Any], *args: Any) -> Any:
    """A function of the plain values behind its arguments, which may not be known yet."""
    args = tuple(map(value_of, args))
    compilation = compilation_of(args)
    if compilation is None:
        return function(*args)
    return compilation.apply(Primitive(function, differentiable=False), args, {})


def plain_array(x: Any) -> Any:
    """The plain array behind a value; one that is not known yet as it is."""
    x = value_of(x)
    return x if isinstance(x, Traced) else np.asarray(x)


def has_traced(x: Any) -> bool:
    """Whether a value, or a nested list or tuple, holds a traced value."""
    return isinstance(x, Traced) or (isinstance(x, list | tuple) and any(map(has_traced, x)))


def arrays_of_lists(
    function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Arrays in the place of lists with traced numbers, after a function has refused the lists.

    It raises again what is being handled where there are none, or where a list may mean something
    else than an array: in functions that are neither NumPy's nor SciPy's.
    """
    if not is_of_numpy(function) or not any(map(_lists_traced, (*args, *kwargs.values()))):
        raise  # what the caller is handling
    return tuple(map(_as_array, args)), {name: _as_array(x) for name, x in kwargs.items()}


def _as_array(x: Any) -> Any:
    return REGISTRY[np.array](x) if _lists_traced(x) else x


def _lists_traced(x: Any) -> bool:
    return isinstance(x, list | tuple) and has_traced(x)


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
        [_elementwise_vjp(i, partial, len(partials)) for i, partial in enumerate(partials)],
        [_elementwise_jvp(partial) for partial in partials],
        reads=[reads_of(p) if callable(p) else frozenset() for p in partials],
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

    return rule(function, [transpose], [push], reads=[_ARGUMENTS - {0}])


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
        if argnum == 0:
            return lambda d, ans, x, *args, **kwargs: primitive(d, *args, **kwargs)

        def jvp(d: Any, ans: Any, *args: Any, **kwargs: Any) -> Any:
            return primitive(*args[:argnum], d, *args[argnum + 1 :], **kwargs)

        return jvp

    places = range(len(transposes))
    return rule(
        function, transposes, [push(i) for i in places], reads=[_ARGUMENTS - {i} for i in places]
    )


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
    kind = type(x)
    if type(g) is np.ndarray and (kind is np.ndarray or kind is Shadow):
        if g.dtype is x.dtype:
            shape = x.shape
            return g if g.shape == shape else _sum_to(g, shape)
    elif kind is float and type(g) in (float, np.float64):
        return g
    elif isinstance(g, Traced) and type(g.value) is np.ndarray:
        own = x.value if isinstance(x, Traced) else x
        if type(own) in (np.ndarray, Shadow) and g.value.dtype is own.dtype:
            shape = own.shape
            return g if g.value.shape == shape else _sum_to(g, shape)
    return _match_any(g, x)


def _match_any(g: Any, x: Any) -> Any:
    """`match` of whatever kinds."""
    shape = shape_of(x)
    if shape_of(g) != shape:
        g = _sum_to(g, shape)
    wanted = getattr(x, "dtype", None)
    given = getattr(g, "dtype", None)
    if given is None and isinstance(g, complex):  # Python's
        real = not isinstance(x, complex) if wanted is None else wanted.kind != "c"
        return g.real if real else g
    if wanted is given or given is None:
        return g
    kind = wanted.kind if wanted is not None else ("c" if isinstance(x, complex) else "f")
    if given.kind == "c" and kind != "c":
        g = np.real(g)
    if wanted is not None and kind in "fc" and g.dtype != wanted:
        g = g.astype(wanted)
    return g


def _sum_to(g: Any, shape: tuple[int, ...]) -> Any:
    given = shape_of(g)
    lead = len(given) - len(shape)
    if lead > 0:
        if lead == 1 and len(given) == 2:
            g = line_sums(g, 0)
        else:
            g = np.add.reduce(g, axis=0 if lead == 1 else tuple(range(lead)))
        given = given[lead:]
        if given == shape:
            return g
    repeated = tuple(
        i for i, (n, m) in enumerate(zip(shape, given, strict=True)) if n == 1 and m != 1
    )
    if len(repeated) == 1 and len(shape) == 2:
        return np.reshape(line_sums(g, repeated[0]), shape)
    return np.add.reduce(g, axis=repeated, keepdims=True) if repeated else g


def _line_sums(x: Any, axis: int) -> Any:
    """The sums of a matrix over one axis; as a product with ones several times as fast."""
    if type(x) is not np.ndarray or x.dtype.char not in "fd" or x.shape[axis] > _MOST_ONES:
        return np.add.reduce(x, axis=axis)
    ones = _ones(x.shape[axis], x.dtype)
    return np.dot(x, ones) if axis else np.dot(ones, x)


# Numbers of ones up to which they are kept for the next sum.
_MOST_ONES = 1 << 12


@lru_cache(maxsize=64)
def _ones(count: int, dtype: np.dtype[Any]) -> Any:
    return np.ones(count, dtype)


def _along_lines(g: Any, ans: Any, x: Any, axis: int) -> Any:
    return np.broadcast_to(np.expand_dims(g, axis), shape_of(x))


line_sums = linear(Primitive(_line_sums), _along_lines)


def _elementwise_vjp(argnum: int, partial: Rule | int, count: int) -> Rule:
    """The rule of one of `count` arguments; those of the commonest counts pack no tuples."""
    if partial == 1 and count == 2:
        if argnum == 0:
            return lambda g, ans, x, y: match(g, x)
        return lambda g, ans, x, y: match(g, y)
    if partial == 1:
        return lambda g, ans, *args: match(g, args[argnum])
    if partial == -1:
        return lambda g, ans, *args: -match(g, args[argnum])
    assert callable(partial)
    if count == 1:
        return lambda g, ans, x: match(g * partial(ans, x), x)
    if count == 2 and argnum == 0:
        return lambda g, ans, x, y: match(g * partial(ans, x, y), x)
    if count == 2:
        return lambda g, ans, x, y: match(g * partial(ans, x, y), y)
    return lambda g, ans, *args: match(g * partial(ans, *args), args[argnum])


def _elementwise_jvp(partial: Rule | int) -> Rule:
    if partial == 1:
        return lambda d, ans, *args: d
    if partial == -1:
        return lambda d, ans, *args: -d
    assert callable(partial)
    return lambda d, ans, *args: d * partial(ans, *args)

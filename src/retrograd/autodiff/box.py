"""The face of a traced array: a `Box` behaves as the ndarray inside it does.

Operators and methods call primitives; plain NumPy functions arrive through `__array_ufunc__` and
`__array_function__`. What Python or NumPy would turn into a plain number behind our back
(`float(x)`, `np.array([x])`) raises an error that names the cure.

In-place code rebinds the box to a new value, so that everybody who holds it sees the change, as
with an ndarray; the arrays of the caller are never written to. A `View` stands for a part of
another box: it looks again when its base has changed, and what is written to it reaches the base.
"""

from __future__ import annotations

import math
import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.primitive import REGISTRY, Primitive, primitive_for
from retrograd.autodiff.trace import Traced, value_of
from retrograd.errors import InterceptionError, MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def _get_item(x: Any, index: Any) -> Any:
    return x[index]


def _set_item(x: Any, index: Any, value: Any) -> Any:
    changed = np.array(x)
    changed[index] = value
    return changed


def _as_type(x: Any, dtype: Any) -> Any:
    return x.astype(dtype) if hasattr(x, "astype") else np.asarray(x).astype(dtype)[()]


set_item = primitive_for(_set_item)
as_type = primitive_for(_as_type)


class Box(Traced):
    """A traced array or number."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # as for an ndarray, == is elementwise

    @property
    def shape(self) -> tuple[int, ...]:
        return getattr(self.value, "shape", ())

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def dtype(self) -> np.dtype[Any]:
        value = self.value
        return value.dtype if hasattr(value, "dtype") else np.asarray(value).dtype

    @property
    def T(self) -> Any:  # noqa: N802  # ndarray's name
        return REGISTRY[np.transpose](self)

    @property
    def real(self) -> Any:
        return REGISTRY[np.real](self)

    @property
    def imag(self) -> Any:
        return REGISTRY[np.imag](self)

    @property
    def flat(self) -> Any:
        return flat_view(self)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        return get_item(self, index)

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, View) and value.base is self and value.args[0] is index:
            return  # the second half of `a[i] += b`: the view has written already
        self.rebind(set_item(self, index, value))

    def rebind(self, new: Any) -> None:
        """Make this box stand for another value: what in-place code does."""
        self.value, self.node, self.owner = new.value, new.node, new.owner

    def assign(self, result: Any) -> None:
        """Take a new value in place under NumPy's rules: shape and dtype stay."""
        if np.shape(result) != self.shape:
            raise ValueError(
                f"in-place operation: a result of shape {np.shape(result)} does not fit into an "
                f"array of shape {self.shape}"
            )
        if result.dtype != self.dtype:
            if not np.can_cast(result.dtype, self.dtype, "same_kind"):
                raise TypeError(
                    f"in-place operation: cannot cast from {result.dtype} to {self.dtype}; write "
                    "x = x + y instead of x += y"
                )
            result = as_type(result, self.dtype)
        if not isinstance(result, Traced):  # a constant: what was here has no influence any more
            result = set_item(self, ..., result)
        elif not self.shape:  # ufuncs make numbers of 0-d arrays, which could not change again
            result = REGISTRY[np.reshape](result, ())
        self.rebind(result)

    def snapshot(self) -> Box:
        """Another box with what this one stands for now."""
        return Box(self.value, self.node, self.owner)

    def __copy__(self) -> Any:
        return np.copy(self)

    def __deepcopy__(self, memo: Any) -> Any:
        return np.copy(self)

    def __reduce__(self) -> Any:
        raise _intercepted("pickling", "store retrograd.value_of(x)")

    def fill(self, value: Any) -> None:
        self[...] = value

    def astype(self, dtype: Any, **kwargs: Any) -> Any:
        if np.dtype(dtype).kind not in "fc":
            return np.asarray(value_of(self)).astype(dtype, **kwargs)[()]
        return as_type(self, dtype)

    def copy(self, order: str = "C") -> Any:
        return REGISTRY[np.copy](self, order=order)

    def item(self, *args: Any) -> Any:
        raise _intercepted("x.item()", "index it (x[0]) or reshape it (x.reshape(()))")

    def tolist(self) -> Any:
        if self.ndim == 0:
            return self
        return [row.tolist() if isinstance(row, Box) else row for row in self]

    def __bool__(self) -> bool:
        return bool(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __float__(self) -> float:
        raise _intercepted(
            "float(x), math.f(x) or an assignment into a plain array",
            "use the function of retrograd.numpy or NumPy instead of math's, create arrays with "
            "retrograd.numpy.array or stack,",
        )

    __complex__ = __float__

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise _intercepted(
            "np.array([x, ...]) or np.asarray(x)",
            "use retrograd.numpy.array, or np.stack and np.concatenate,",
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        if method == "__call__" and ufunc in REGISTRY:
            return REGISTRY[ufunc](*inputs, **kwargs)
        if method == "reduce" and ufunc in REDUCTIONS:
            return REDUCTIONS[ufunc](*inputs, **{"axis": 0, **kwargs})
        raise _unknown(ufunc.__name__ if method == "__call__" else f"{ufunc.__name__}.{method}")

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        if function not in REGISTRY:
            raise _unknown(getattr(function, "__name__", repr(function)))
        return REGISTRY[function](*args, **kwargs)

    def __repr__(self) -> str:
        return f"Box({value_of(self)!r})"

    def __str__(self) -> str:
        return str(value_of(self))

    def __format__(self, spec: str) -> str:
        return format(value_of(self), spec)


class View(Box):
    """A box that stands for a part of another one, made by `primitive(base, *args)`."""

    __slots__ = ("args", "base", "kwargs", "primitive", "seen", "seen_node")

    def __init__(
        self, box: Box, primitive: ViewPrimitive, base: Box, args: tuple[Any, ...], kwargs: Any
    ) -> None:
        super().__init__(box.value, box.node, box.owner)
        self.primitive, self.base, self.args, self.kwargs = primitive, base, args, kwargs
        self.seen, self.seen_node = base.value, base.node

    def rebind(self, new: Any) -> None:
        self.base.rebind(self.primitive.write(self.base, new, *self.args, **self.kwargs))

    def _fresh(self) -> None:
        """Look again if the base has been rebound since."""
        base = self.base
        if base.value is not self.seen or base.node is not self.seen_node:
            self.seen, self.seen_node = base.value, base.node
            new = Primitive.__call__(self.primitive, self.base, *self.args, **self.kwargs)
            self.value, self.node, self.owner = new.value, new.node, new.owner


def _fresh_slot(name: str) -> property:
    slot = getattr(Traced, name)

    def get(view: View) -> Any:
        view._fresh()
        return slot.__get__(view)

    return property(get, slot.__set__)


for _name in ("value", "node", "owner"):
    setattr(View, _name, _fresh_slot(_name))


class ViewPrimitive(Primitive):
    """A primitive whose result may share memory with its first argument.

    `write(base, new, *args)` is the base with `new` in the place that the view shows.
    """

    __slots__ = ("write",)

    def __init__(self, function: Callable[..., Any], write: Callable[..., Any]) -> None:
        super().__init__(function)
        self.write = write

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = super().__call__(*args, **kwargs)
        if isinstance(result, Box) and args:
            base = args[0]
            if isinstance(base, Box) and _shares(result, base):
                return View(result, self, base, args[1:], kwargs)
        return result


def view(function: Callable[..., Any], write: Callable[..., Any]) -> ViewPrimitive:
    """Register `function` as one that shows a part of its first argument."""
    primitive = REGISTRY[function] = ViewPrimitive(function, write)
    return primitive


get_item = view(_get_item, write=lambda base, new, index: set_item(base, index, new))


def _shares(result: Box, base: Box) -> bool:
    inner, outer = value_of(result), value_of(base)
    if not isinstance(inner, np.ndarray) or not isinstance(outer, np.ndarray):
        return False
    return inner is outer or (inner.base is not None and np.may_share_memory(inner, outer))


class Flat(View):
    """`x.flat`: writes reach `x` whatever its layout; what is read is a copy, as in NumPy."""

    __slots__ = ()

    def __getitem__(self, index: Any) -> Any:
        part = get_item(self.snapshot(), index)
        return np.copy(part) if part.ndim else part


def flat_view(box: Box) -> Flat:
    """The elements of a traced array in C order."""
    ravel = REGISTRY[np.ravel]
    assert isinstance(ravel, ViewPrimitive)
    return Flat(Primitive.__call__(ravel, box), ravel, box, (), {})


# ufunc.reduce(x, axis=0) on traced arrays; filled by rules/reductions.py
REDUCTIONS: dict[np.ufunc, Callable[..., Any]] = {}


def _intercepted(what: str, cure: str) -> InterceptionError:
    return InterceptionError(
        f"{what} of a traced value would drop its derivative: {cure} or take the plain value "
        "deliberately with retrograd.value_of(x)."
    )


def _unknown(name: str) -> MissingRuleError:
    return MissingRuleError(
        f"{name} has no derivative rule. State one with retrograd.extend (primitive, defvjp, "
        "defjvp), or apply it to the plain value, retrograd.value_of(x), if no derivative is meant."
    )


# The primitives of Python's operators, by the ufunc whose rules they share. Python's own `*` and
# `**` differ from NumPy's on numbers in speed, and in the last bit.
OPERATORS: dict[np.ufunc, Primitive] = {}


def _binary(name: str, ufunc: np.ufunc) -> None:
    primitive = OPERATORS[ufunc] = Primitive(getattr(operator, name))

    def forward(self: Box, other: Any) -> Any:
        if not isinstance(other, Traced) or other.owner is self.owner:
            return self.owner.apply(primitive, (self, other), {})
        return primitive(self, other)

    def reflected(self: Box, other: Any) -> Any:
        return self.owner.apply(primitive, (other, self), {})

    def in_place(self: Box, other: Any) -> Any:
        result = primitive(self, other)
        if not isinstance(value_of(self), np.ndarray):  # numbers are immutable
            return result
        self.assign(result)
        return self

    setattr(Box, f"__{name}__", forward)
    setattr(Box, f"__r{name}__", reflected)
    setattr(Box, f"__i{name}__", in_place)


def _unary(name: str, ufunc: np.ufunc) -> None:
    primitive = OPERATORS[ufunc] = Primitive(getattr(operator, name))
    setattr(Box, f"__{name}__", lambda self: self.owner.apply(primitive, (self,), {}))


def _comparison(name: str) -> None:
    compare = getattr(operator, name)
    setattr(Box, f"__{name}__", lambda self, other: compare(value_of(self), value_of(other)))


def _method(name: str, function: Callable[..., Any]) -> None:
    def method(self: Box, *args: Any, **kwargs: Any) -> Any:
        return REGISTRY.get(function, function)(self, *args, **kwargs)

    setattr(Box, name, method)


def _shape_method(name: str, function: Callable[..., Any]) -> None:
    def method(self: Box, *shape: Any, **kwargs: Any) -> Any:
        if len(shape) == 1 and not isinstance(shape[0], int | np.integer):
            return REGISTRY[function](self, shape[0], **kwargs)
        if not shape and (kwargs or function is np.transpose):
            return REGISTRY[function](self, **kwargs)
        return REGISTRY[function](self, shape, **kwargs)

    setattr(Box, name, method)


_BINARY = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "truediv": np.true_divide,
    "floordiv": np.floor_divide,
    "mod": np.remainder,
    "pow": np.power,
    "matmul": np.matmul,
}
_UNARY = {"neg": np.negative, "pos": np.positive, "abs": np.absolute}
_METHODS = (
    np.sum, np.mean, np.prod, np.std, np.var, np.max, np.min, np.argmax, np.argmin, np.argsort,
    np.any, np.all, np.ravel, np.squeeze, np.dot, np.clip, np.conj, np.cumsum, np.swapaxes,
    np.repeat, np.diagonal, np.trace, np.take, np.round, np.nonzero,
)  # fmt: skip

for _name, _ufunc in _BINARY.items():
    _binary(_name, _ufunc)
for _name, _ufunc in _UNARY.items():
    _unary(_name, _ufunc)
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    _comparison(_name)
for _function in _METHODS:
    _method(_function.__name__, _function)
_method("conj", np.conjugate)
_method("__divmod__", lambda x, y: (x // y, x % y))
_method("__rdivmod__", lambda x, y: (y // x, y % x))
_method("flatten", lambda x, *args: np.copy(np.ravel(x, *args)))
_shape_method("reshape", np.reshape)
_shape_method("transpose", np.transpose)

__all__ = ["OPERATORS", "REDUCTIONS", "Box", "View", "as_type", "get_item", "set_item", "view"]

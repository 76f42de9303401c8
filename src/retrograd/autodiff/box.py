"""A traced array: operators, NumPy's protocols, in-place code and views.

A `Box` behaves as the ndarray inside it does (attributes and methods are in `face.py`). Operators
call primitives; plain NumPy functions arrive through `__array_ufunc__` and `__array_function__`.

In-place code rebinds the box to a new value, so that everybody who holds it sees the change, as
with an ndarray; the arrays of the caller are never written to. A `View` stands for a part of
another box: it looks again when its base changes, and what is written to it reaches the base.
"""

from __future__ import annotations

import operator
import weakref
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff import culprits
from retrograd.autodiff.constants import CONSTANT
from retrograd.autodiff.face import Face
from retrograd.autodiff.interception import call_function, call_ufunc, intercepted
from retrograd.autodiff.places import places_of
from retrograd.autodiff.primitive import REGISTRY, Primitive, has_traced, primitive_for
from retrograd.autodiff.trace import Traced, stand_in_of, value_of
from retrograd.autodiff.ufunc_methods import REDUCTIONS
from retrograd.errors import InterceptionError

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


def _read_at(x: Any, places: Any) -> Any:
    return x.take(places)


# Held while a list of views changes.
_showing = Lock()

set_item = primitive_for(_set_item)
read_at = primitive_for(_read_at)
as_type = primitive_for(_as_type)


class Box(Face):
    """A traced array or number."""

    __slots__ = ()
    __hash__ = None  # type: ignore[assignment]  # as for an ndarray, == is elementwise
    view_class: type[View]

    def __len__(self) -> int:
        return len(self.value)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, Traced):
            return get_item(self, index)
        if type(index) is tuple and index and type(index[0]) is np.ndarray:
            places = places_of(index, self.value)
            if places is not None:
                return self.owner.binary(read_at, self, places)
        result = self.owner.binary(get_item, self, index)
        if isinstance(result, Box) and _shares(result, self):
            return result.view_class(result, get_item, self, (index,), {})
        return result

    def __setitem__(self, index: Any, value: Any) -> None:
        if isinstance(value, View) and value.base is self and value.shows(index):
            return  # the second half of `a[i] += b`: the view has written already
        if isinstance(value, list | tuple) and has_traced(value):
            value = REGISTRY[np.array](value)
        self.rebind(set_item(self, index, value))

    def rebind(self, new: Any) -> None:
        """Make this box stand for another value: what in-place code does."""
        if self.owner is CONSTANT and self.node is not None:
            _check_not_shared(self.node)
        if self.abstract is not new.abstract:  # a constant takes a value that is not known yet
            new = new.snapshot()
            self.__class__ = type(new)
        self.value, self.node, self.owner = new.value, new.node, new.owner
        self.tell_views()

    def show(self, view: View) -> None:
        """Note a view, which is to look again when this changes."""
        with _showing:  # threads may show parts of one box at a time
            views = getattr(self, "views", None)
            if views is None:
                self.views = [weakref.ref(view)]
                return
            views.append(weakref.ref(view))
            if len(views) & (len(views) - 1) == 0:  # at powers of two: let go of what is gone
                views[:] = [reference for reference in views if reference() is not None]

    def tell_views(self) -> None:
        """Let the views that are still alive, and their views, take the new value."""
        waiting: list[Box] = [self]
        while waiting:
            for reference in getattr(waiting.pop(), "views", ()):
                view = reference()
                if view is not None:
                    view.look_again()
                    waiting.append(view)

    def assign(self, result: Any) -> None:
        """Take a new value in place under NumPy's rules: shape and dtype stay."""
        if np.shape(result) != self.shape:
            if not _fits(np.shape(result), self.shape):
                raise ValueError(
                    f"in-place operation: a result of shape {np.shape(result)} does not fit into "
                    f"an array of shape {self.shape}"
                )
            result = np.copy(np.broadcast_to(result, self.shape))
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
            result = REGISTRY[np.copy](result)
        self.rebind(result)

    def snapshot(self) -> Any:
        """What this stands for now: another box, or the plain array of a constant."""
        if self.owner is CONSTANT:
            return self.value
        return Box(self.value, self.node, self.owner)

    def __divmod__(self, other: Any) -> tuple[Any, Any]:
        return operator.floordiv(self, other), operator.mod(self, other)

    def __rdivmod__(self, other: Any) -> tuple[Any, Any]:
        return operator.floordiv(other, self), operator.mod(other, self)

    @property
    def flat(self) -> Any:
        return flat_view(self)

    @flat.setter
    def flat(self, values: Any) -> None:
        values = np.ravel(values)
        flat_view(self)[...] = values[np.arange(self.size) % max(len(values), 1)]

    def fill(self, value: Any) -> None:
        self[...] = value

    def sort(self, axis: int = -1, **kwargs: Any) -> None:
        self.assign(call_function(np.sort, (self, axis), kwargs))

    def partition(self, kth: Any, axis: int = -1, **kwargs: Any) -> None:
        self.assign(call_function(np.partition, (self, kth, axis), kwargs))

    def astype(
        self, dtype: Any, order: str = "K", casting: Any = "unsafe", subok: bool = True,
        copy: bool = True,
    ) -> Any:  # fmt: skip
        dtype = np.dtype(dtype)
        if not np.can_cast(self.dtype, dtype, casting):
            raise TypeError(f"x.astype: cannot cast {self.dtype} to {dtype} with casting={casting}")
        if not copy and dtype == self.dtype:
            return self
        if dtype.kind not in "fc":
            known = value_of(self)
            if isinstance(known, Traced):
                return as_type(known, dtype)
            return np.asarray(known).astype(dtype)[()]
        return as_type(self, dtype)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        if self.owner is CONSTANT:
            return _shared(self, dtype, copy)
        raise intercepted(*culprits.of_an_array())

    @property
    def __jax_array__(self) -> Any:
        raise InterceptionError(
            "a function of JAX was given a value whose derivative NumPy's engine traces, which it "
            "cannot see. Give JAX arrays from the start (jax.numpy.asarray), or write the function "
            "with numpy"
        )

    def __array_ufunc__(self, ufunc: np.ufunc, method: str, *inputs: Any, **kwargs: Any) -> Any:
        return call_ufunc(ufunc, method, inputs, kwargs)

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Any:
        return call_function(function, args, kwargs)


def _fits(given: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether a result can be broadcast to a shape."""
    return len(given) <= len(shape) and all(
        n in (1, m) for n, m in zip(reversed(given), reversed(shape), strict=False)
    )


def _shared(box: Box, dtype: Any, copy: bool | None) -> Any:
    """The plain array of a constant, for those who cannot do with a box.

    Nobody may write to it, since the box would not know; and while it is alive the box may not be
    written to either, since in NumPy the two would be one array.
    """
    plain = np.array(box.value, dtype)
    if copy:
        return plain
    plain.flags.writeable = False
    while isinstance(box, View):
        box = box.base
    box.node = [*(box.node or ()), weakref.ref(plain)]
    return plain


def _check_not_shared(references: list[weakref.ref[Any]]) -> None:
    if any(reference() is not None for reference in references):
        raise InterceptionError(
            "an array was written to that np.asarray had made a plain array of, which cannot see "
            "the change. Use retrograd.numpy.asarray, or a copy (np.array(a), a.copy())."
        )


class View(Box):
    """A box that stands for a part of another one, made by `primitive(base, *args)`."""

    __slots__ = ("__weakref__", "args", "base", "kwargs", "primitive")

    def __init__(
        self, box: Box, primitive: ViewPrimitive, base: Box, args: tuple[Any, ...], kwargs: Any
    ) -> None:
        self.value, self.node, self.owner = box.value, box.node, box.owner
        self.primitive, self.base, self.args, self.kwargs = primitive, base, args, kwargs
        base.show(self)

    def shows(self, index: Any) -> bool:
        """Whether this is what the base has at an index."""
        return self.primitive is get_item and self.args[0] is index

    def rebind(self, new: Any) -> None:
        box: Box = self
        while isinstance(box, View):
            new = box.primitive.write(box.base, new, *box.args, **box.kwargs)
            box = box.base
        box.rebind(new)

    def look_again(self) -> None:
        """Take the new value of the base."""
        new = Primitive.__call__(self.primitive, self.base, *self.args, **self.kwargs)
        if new.abstract is not self.abstract:
            self.__class__ = new.view_class
        self.value, self.node, self.owner = new.value, new.node, new.owner


Box.view_class = View


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
                return result.view_class(result, self, base, args[1:], kwargs)
        return result


def view(function: Callable[..., Any], write: Callable[..., Any]) -> ViewPrimitive:
    """Register `function` as one that shows a part of its first argument."""
    primitive = REGISTRY[function] = ViewPrimitive(function, write)
    return primitive


get_item = view(_get_item, write=lambda base, new, index: set_item(base, index, new))


def _shares(result: Box, base: Box) -> bool:
    inner, outer = result.value, base.value
    if type(inner) is np.ndarray and type(outer) is np.ndarray:
        if inner.base is outer or (inner.base is not None and inner.base is outer.base):
            return True
    else:
        inner, outer = stand_in_of(result), stand_in_of(base)
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


# The primitives of Python's operators, by the ufunc whose rules they share. Python's own `*` and
# `**` differ from NumPy's on numbers in speed, and in the last bit.
OPERATORS: dict[np.ufunc, Primitive] = {}


def _binary(name: str, ufunc: np.ufunc) -> None:
    primitive = OPERATORS[ufunc] = Primitive(getattr(operator, name))

    def forward(self: Box, other: Any) -> Any:
        if not isinstance(other, Traced) or other.owner is self.owner:
            return self.owner.binary(primitive, self, other)
        return primitive(self, other)

    def reflected(self: Box, other: Any) -> Any:
        return self.owner.binary(primitive, other, self)

    def in_place(self: Box, other: Any) -> Any:
        result = primitive(self, other)
        if not isinstance(stand_in_of(self), np.ndarray):  # numbers are immutable
            return result
        self.assign(result)
        return self

    setattr(Box, f"__{name}__", forward)
    setattr(Box, f"__r{name}__", reflected)
    setattr(Box, f"__i{name}__", in_place)


def _unary(name: str, ufunc: np.ufunc) -> None:
    primitive = OPERATORS[ufunc] = Primitive(getattr(operator, name))
    setattr(Box, f"__{name}__", lambda self: self.owner.unary(primitive, self))


def _comparison(name: str) -> None:
    compare = getattr(operator, name)
    setattr(Box, f"__{name}__", lambda self, other: compare(value_of(self), value_of(other)))


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

for _name, _ufunc in _BINARY.items():
    _binary(_name, _ufunc)
for _name, _ufunc in _UNARY.items():
    _unary(_name, _ufunc)
for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    _comparison(_name)

__all__ = [
    "OPERATORS", "REDUCTIONS", "Box", "View", "as_type", "get_item", "set_item", "view",
]  # fmt: skip

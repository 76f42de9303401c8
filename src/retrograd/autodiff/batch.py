"""A mode for many directions at once: values with one axis more than the program sees.

A rule is linear in its tangent or cotangent. Given a `BatchBox`, which looks like one direction and
holds many, it computes all of them in one pass over the arrays: so a Jacobian costs the rules of
one derivative, not of one a row. How a primitive treats the hidden axis, which is the first, is
stated in `batching.py`; a primitive of which nothing is stated there is called once a direction.

What cannot be done for all directions together (a branch on a cotangent, a plain function applied
to it, writing in place) raises `UnbatchedError`, upon which the caller takes them one by one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from retrograd.autodiff.box import Box
from retrograd.autodiff.primitive import Primitive, primitive_for, shape_of
from retrograd.autodiff.trace import Trace, Traced, escaped
from retrograd.errors import InterceptionError

if TYPE_CHECKING:
    from collections.abc import Callable

# How a primitive treats the hidden axis: `rule(call, operands, kwargs)`; see batching.py.
BATCHING: dict[Any, Callable[..., Any]] = {}
# The key of the rule for every ufunc that acts on each element.
ELEMENTWISE = "elementwise"
# Functions of the shape and dtype, whose results are the same for all directions.
_DESCRIBING = frozenset({
    np.shape, np.ndim, np.size, np.zeros_like, np.ones_like, np.empty_like, np.result_type,
    np.iscomplexobj, np.isrealobj,
})  # fmt: skip


class UnbatchedError(InterceptionError):
    """Something that must be done for each direction apart."""


class _Hidden:
    """What stands for the value of a batch, which has none: any use of it is refused."""

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise UnbatchedError(
            "the plain value of many directions at once was asked for. Take them one by one"
        )

    __array__ = __bool__ = __len__ = __float__ = __int__ = __index__ = __iter__ = _refuse
    __getitem__ = _refuse

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("__"):  # Python's own questions
            raise AttributeError(name)
        self._refuse()


_HIDDEN = _Hidden()


class BatchBox(Box):
    """Many values of one shape: `node` holds them, stacked along the first axis."""

    __slots__ = ()

    def __init__(self, stacked: Any, owner: Trace) -> None:
        super().__init__(_HIDDEN, stacked, owner)

    @property
    def shape(self) -> tuple[int, ...]:  # type: ignore[override]
        """The shape of one of the values."""
        return self.node.shape[1:]

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of all of them."""
        return self.node.dtype

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of a number")
        return self.shape[0]

    def snapshot(self) -> BatchBox:
        """Another box with the same values."""
        return BatchBox(self.node, self.owner)


def _refused(box: BatchBox, *args: Any) -> NoReturn:
    _HIDDEN._refuse()


def _compared(ufunc: np.ufunc) -> Callable[..., Any]:
    return lambda self, other: primitive_for(ufunc)(self, other)


for _name, _ufunc in {
    "lt": np.less, "le": np.less_equal, "gt": np.greater, "ge": np.greater_equal,
    "eq": np.equal, "ne": np.not_equal,
}.items():  # fmt: skip
    setattr(BatchBox, f"__{_name}__", _compared(_ufunc))
for _name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"):
    setattr(BatchBox, f"__i{_name}__", _refused)
for _name in ("rebind", "assign", "__setitem__", "__repr__", "__str__", "__format__"):
    setattr(BatchBox, _name, _refused)
BatchBox.__hash__ = None  # type: ignore[assignment]


class Batch(Trace):
    """Many directions, of each value that belongs to it."""

    __slots__ = ("size",)

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def box(self, stacked: Any) -> BatchBox:
        """A batch whose values are stacked along the first axis."""
        return BatchBox(stacked, self)

    def stacked(self, x: Any) -> Any:
        """The values of a batch; those of something else are all the same."""
        if isinstance(x, BatchBox) and x.owner is self:
            return x.node
        return np.broadcast_to(x, (self.size, *shape_of(x)))

    def apply(self, primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Evaluate the primitive for all directions."""
        if self.closed:
            raise escaped("is used after its trace has ended")
        own = [isinstance(arg, Traced) and arg.owner is self for arg in args]
        values = [arg.node if mine else arg for arg, mine in zip(args, own, strict=True)]
        rule = _rule_of(primitive.function)
        # On the first level there is no outer trace to ask.
        call = primitive.function if self.level == 1 else primitive
        if rule is None:
            if primitive.function in _DESCRIBING:
                return call(*[v[0] if mine else v for v, mine in zip(values, own, strict=True)])
            return self._one_by_one(call, values, own, kwargs)
        found = rule(call, values, own, kwargs)
        if found is NotImplemented:
            return self._one_by_one(call, values, own, kwargs)
        return BatchBox(found, self)

    def _one_by_one(
        self, call: Callable[..., Any], values: list[Any], own: list[bool], kwargs: Any
    ) -> Any:
        results = [
            call(*[v[i] if mine else v for v, mine in zip(values, own, strict=True)], **kwargs)
            for i in range(self.size)
        ]
        if isinstance(results[0], tuple):
            return tuple(self._joined(part) for part in zip(*results, strict=True))
        return self._joined(results)

    def _joined(self, results: Any) -> Any:
        if all(result is None for result in results):
            return None
        return BatchBox(np.stack([_as_array(result) for result in results]), self)


def _rule_of(function: Any) -> Callable[..., Any] | None:
    found = BATCHING.get(function)
    if found is None and isinstance(function, np.ufunc) and function.nout == 1:
        return BATCHING[ELEMENTWISE] if function.signature is None else None
    return found


def _as_array(x: Any) -> Any:
    return x if isinstance(x, Traced) else np.asarray(x)

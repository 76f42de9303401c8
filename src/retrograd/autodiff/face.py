"""ndarray's attributes and methods on a traced array.

Methods call what stands for NumPy's function of the same name. What would hand the memory of the
array to somebody else, or bytes instead of numbers, is refused with the cure.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff import culprits
from retrograd.autodiff.constants import CONSTANT
from retrograd.autodiff.interception import call_function, intercepted
from retrograd.autodiff.trace import Traced, stand_in_of, value_of
from retrograd.errors import ArgumentError, InterceptionError

if TYPE_CHECKING:
    from collections.abc import Callable


class Face(Traced):
    """What a traced array has in common with an ndarray, apart from operators and indexing."""

    __slots__ = ()
    base: Any = None  # a View has one

    @property
    def shape(self) -> tuple[int, ...]:
        return getattr(self.value, "shape", ())

    @shape.setter
    def shape(self, shape: Any) -> None:
        raise InterceptionError(f"x.shape = {shape} of a traced value: write x = x.reshape(...)")

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
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        return np.asarray(stand_in_of(self)).strides

    @property
    def flags(self) -> Any:
        return np.asarray(stand_in_of(self)).flags

    @property
    def device(self) -> str:
        return "cpu"

    @property
    def T(self) -> Any:  # noqa: N802  # ndarray's name
        return call_function(np.transpose, (self,), {})

    @property
    def mT(self) -> Any:  # noqa: N802  # ndarray's name
        if self.ndim < 2:
            raise ArgumentError(
                f"x.mT: x has {self.ndim} axes; a matrix transpose needs at least 2"
            )
        return call_function(np.swapaxes, (self, -1, -2), {})

    @property
    def real(self) -> Any:
        return call_function(np.real, (self,), {})

    @real.setter
    def real(self, value: Any) -> None:
        self.real[...] = value

    @property
    def imag(self) -> Any:
        return call_function(np.imag, (self,), {})

    @imag.setter
    def imag(self, value: Any) -> None:
        if self.dtype.kind != "c":
            raise TypeError("x.imag = ...: a real array has no imaginary part to set")
        self.imag[...] = value

    def __array_namespace__(self, *, api_version: str | None = None) -> Any:
        return np

    def to_device(self, device: str, /, *, stream: Any = None) -> Any:
        if device != "cpu":
            raise ArgumentError(f"x.to_device: {device!r} was given; NumPy's arrays are on 'cpu'")
        return self

    def reshape(self, *shape: Any, **kwargs: Any) -> Any:
        return call_function(np.reshape, (self, _together(shape)), kwargs)

    def transpose(self, *axes: Any) -> Any:
        return call_function(np.transpose, (self, _together(axes)) if axes else (self,), {})

    def flatten(self, order: Any = "C") -> Any:
        return call_function(np.ravel, (self, order), {}).copy()

    def copy(self, order: Any = "C") -> Any:
        return call_function(np.copy, (self,), {"order": order})

    def compress(self, condition: Any, axis: Any = None, out: Any = None) -> Any:
        return call_function(np.compress, (condition, self, axis, out), {})

    def tolist(self) -> Any:
        """Nested lists of traced numbers."""
        return [row.tolist() for row in self] if self.ndim else self[()]  # type: ignore[attr-defined]

    def item(self, *args: Any) -> Any:
        if self.owner is CONSTANT:
            return self.value.item(*args)
        raise intercepted("x.item()", "index it (x[0]) or reshape it (x.reshape(()))")

    def __copy__(self) -> Any:
        return self.copy()

    def __deepcopy__(self, memo: Any) -> Any:
        return self.copy()

    def __reduce__(self) -> Any:
        if self.owner is CONSTANT:
            return self.value.__reduce__()
        raise intercepted("pickling", "store retrograd.value_of(x)")

    def __bool__(self) -> bool:
        return bool(self.value)

    def __contains__(self, item: Any) -> bool:
        return value_of(item) in value_of(self)

    # Steps are flat: what makes an integer of a number has the derivative zero, and drops nothing.
    def __int__(self) -> int:
        return int(self.value)

    def __trunc__(self) -> int:
        return math.trunc(self.value)

    def __floor__(self) -> int:
        return math.floor(self.value)

    def __ceil__(self) -> int:
        return math.ceil(self.value)

    def __round__(self, ndigits: int | None = None) -> Any:
        return round(value_of(self), ndigits)

    def __index__(self) -> int:
        raise InterceptionError(
            f"a traced value of dtype {self.dtype} was given where an integer is needed (an index, "
            "range, a shape): use int(x), whose derivative is zero"
        )

    def __float__(self) -> float:
        if self.owner is CONSTANT:
            return float(self.value)
        raise intercepted(*culprits.of_a_number())

    def __complex__(self) -> complex:
        if self.owner is CONSTANT:
            return complex(self.value)
        raise intercepted(*culprits.of_a_number())

    def __repr__(self) -> str:
        return f"Box({value_of(self)!r})"

    def __str__(self) -> str:
        return str(value_of(self))

    def __format__(self, spec: str) -> str:
        return format(value_of(self), spec)


def _together(numbers: tuple[Any, ...]) -> Any:
    """A shape or axes that were given one by one, or as one tuple."""
    return numbers[0] if len(numbers) == 1 else numbers


def _method(name: str, function: Callable[..., Any]) -> None:
    def method(self: Face, *args: Any, **kwargs: Any) -> Any:
        return call_function(function, (self, *args), kwargs)

    method.__name__ = name
    setattr(Face, name, method)


def _constant_method(name: str) -> None:
    """A method whose result are places or truth values, which have no derivative."""

    def method(self: Face, *args: Any, **kwargs: Any) -> Any:
        known = value_of(self)
        plain = known if isinstance(known, Traced) else np.asarray(known)
        args = tuple(map(value_of, args))
        return getattr(plain, name)(*args, **{k: value_of(v) for k, v in kwargs.items()})

    method.__name__ = name
    setattr(Face, name, method)


def _refusal(name: str, cure: str) -> None:
    def refuse(self: Face, *args: Any, **kwargs: Any) -> Any:
        raise intercepted(f"x.{name}", cure)

    refuse.__name__ = name
    setattr(Face, name, property(refuse) if name in ("ctypes", "data") else refuse)


for _function in (
    np.sum, np.mean, np.prod, np.std, np.var, np.max, np.min, np.ravel, np.squeeze, np.dot,
    np.clip, np.cumsum, np.cumprod, np.swapaxes, np.repeat, np.diagonal, np.trace, np.take,
    np.round, np.choose, np.put,
):  # fmt: skip
    _method(_function.__name__, _function)
_method("conj", np.conjugate)
_method("conjugate", np.conjugate)
for _name in ("all", "any", "argmax", "argmin", "argpartition", "argsort", "nonzero",
              "searchsorted"):  # fmt: skip
    _constant_method(_name)

# The documented refusals: what a traced array does not do, and what to do instead.
REFUSED: dict[str, str] = {
    "byteswap": "its numbers are calculated with, not its bytes;",
    "ctypes": "its memory may be read by the gradient later on;",
    "data": "its memory may be read by the gradient later on;",
    "dump": "store retrograd.value_of(x)",
    "dumps": "store retrograd.value_of(x)",
    "getfield": "its numbers are calculated with, not its bytes;",
    "resize": "write x = np.resize(x, shape), or concatenate zeros to it,",
    "setfield": "its numbers are calculated with, not its bytes;",
    "setflags": "write to a copy, x.copy(), where x has to stay as it is,",
    "tobytes": "store retrograd.value_of(x)",
    "tofile": "store retrograd.value_of(x)",
    "view": "write x.astype(dtype) for another dtype, x.real and x.imag for the parts, x[...],",
}
for _name, _cure in REFUSED.items():
    _refusal(_name, _cure)

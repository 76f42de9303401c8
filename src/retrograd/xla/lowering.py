"""From NumPy's functions to operations of XLA.

A function is lowered to the function of the same name in `jax.numpy` or `jax.scipy`; `LOWERINGS`
has those that differ: `lowering(trace, *args, **kwargs)`. Dtypes are NumPy's: the operands are
promoted by NumPy's rules before JAX sees them. A function that is the engine's or the user's own
is run as it is, and what it calls is lowered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import jax.scipy
import numpy as np

from retrograd.autodiff.box import OPERATORS
from retrograd.autodiff.trace import Traced
from retrograd.errors import CompilationError
from retrograd.xla import callback, layout

if TYPE_CHECKING:
    from collections.abc import Callable

    from retrograd.autodiff.primitive import Primitive

# What differs from the function of the same name: by function, the engine's own by name.
LOWERINGS: dict[Any, Callable[..., Any]] = {}

# What depends on shapes and dtypes alone.
_STATIC = {
    np.shape, np.ndim, np.size, np.iscomplexobj, np.isrealobj, np.result_type, np.can_cast,
    np.min_scalar_type,
}  # fmt: skip

# Functions, ufuncs aside, whose operands NumPy promotes to one dtype, by the places of these.
_PROMOTING: dict[str, slice] = {
    "dot": slice(0, 2), "vdot": slice(0, 2), "inner": slice(0, 2), "outer": slice(0, 2),
    "tensordot": slice(0, 2), "kron": slice(0, 2), "cross": slice(0, 2), "einsum": slice(1, None),
    "convolve": slice(0, 2), "correlate": slice(0, 2), "clip": slice(0, 3),
    "_clip": slice(0, 3), "_choose": slice(1, 3), "_joined": slice(1, None),
}  # fmt: skip

# Functions that JAX has with other shapes, dtypes or values of the result.
_DIFFERENT = frozenset({
    "lstsq", "polydiv", "poly", "polyfit", "roots", "poch", "take", "take_along_axis", "choose",
})  # fmt: skip

_UFUNC_OF = {primitive.function: ufunc for ufunc, primitive in OPERATORS.items()}
_MODULES = {
    "numpy": jnp,
    "numpy.linalg": jnp.linalg,
    "numpy.fft": jnp.fft,
    "scipy.special": jax.scipy.special,
    "scipy.linalg": jax.scipy.linalg,
}


def counterpart(function: Any) -> Callable[..., Any] | None:
    """The function of JAX with the name and the meaning of one of NumPy or SciPy."""
    name = getattr(function, "__name__", "")
    if name in _DIFFERENT or name in _OF_UNKNOWN_SHAPE:
        return None
    if isinstance(function, np.ufunc):
        return getattr(jnp, name, None) or getattr(jax.scipy.special, name, None)
    module = getattr(function, "__module__", None) or ""
    while module:
        if module in _MODULES:
            return getattr(_MODULES[module], name, None)
        module = module.rpartition(".")[0]
    return None


def lower(
    trace: Any,
    primitive: Primitive,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    plain_args: tuple[Any, ...],
    plain_kwargs: dict[str, Any],
) -> Any:
    """The result of a primitive in JAX's arrays; plain where the values have no part in it.

    Args:
        trace: the compilation.
        primitive: what to lower.
        args: its arguments, with boxes of this compilation.
        kwargs: its keyword arguments.
        plain_args: the arguments, with stand-ins in the place of boxes.
        plain_kwargs: the same of the keyword arguments.
    """
    function = primitive.function
    if function in _STATIC:
        return function(*plain_args, **plain_kwargs)
    if kwargs.get("out") is not None:
        raise without_counterpart(f"{primitive.name} with out=")
    if function in (np.ravel, np.reshape):
        args, kwargs = _with_order(function, args, kwargs, plain_args[0])
    ufunc = _UFUNC_OF.get(function, function)
    if isinstance(ufunc, np.ufunc):
        result = _elementwise(ufunc, args, kwargs, plain_args)
        if ufunc is np.remainder and isinstance(args[1], int | np.integer):
            _note_range(trace, result, int(args[1]))
        if ufunc is np.add:
            trace.sums.note_sum(result, *unboxed(args))
        elif ufunc is np.matmul:
            trace.sums.note_product(result, *unboxed(args))
        return result
    lowering = LOWERINGS.get(primitive.name if _is_engines(function) else function)
    if lowering is not None:
        args = _promoted(primitive.name, args, plain_args)
        return lowering(trace, *unboxed(args), **unboxed(kwargs))
    found = counterpart(function)
    if found is not None:
        promoted = _promoted(primitive.name, args, plain_args)
        try:
            return _called(found, primitive.name, unboxed(promoted), unboxed(kwargs))
        except (CompilationError, TypeError, ValueError, IndexError) as error:
            return _outside(primitive, args, kwargs, error)
    if _is_numpys(function):
        return _outside(primitive, args, kwargs, without_counterpart(primitive.name))
    try:
        return unboxed(function(*args, **kwargs))
    except CompilationError as error:
        return _outside(primitive, args, kwargs, error)


def _with_order(function: Any, args: Any, kwargs: dict[str, Any], plain: Any) -> Any:
    """The arguments of a reshape that asks for the order of the elements in memory."""
    order = kwargs.get("order", args[-1])
    if not isinstance(order, str) or order not in ("A", "K"):
        return args, kwargs
    flags = np.asarray(plain).flags
    if not flags.forc:
        raise without_counterpart(f"{function.__name__} with order={order!r}")
    rest = args if "order" in kwargs else args[:-1]
    return rest, {**kwargs, "order": "F" if flags.fnc else "C"}


def _outside(primitive: Primitive, args: Any, kwargs: dict[str, Any], error: Exception) -> Any:
    """What cannot be compiled is called back, if it can be."""
    if primitive.name in _OF_UNKNOWN_SHAPE:
        raise unknown_shape(primitive.name) from None
    try:
        return callback.call(primitive.function, primitive.name, args, kwargs)
    except Exception:  # whatever the function says about harmless numbers
        raise error from None


# Functions the shapes of whose results depend on values.
_OF_UNKNOWN_SHAPE = frozenset({
    "nonzero", "flatnonzero", "argwhere", "unique", "unique_all", "unique_counts",
    "unique_inverse", "unique_values", "compress", "extract", "trim_zeros", "bincount", "roots",
    "polydiv", "union1d", "intersect1d", "setdiff1d", "setxor1d",
})  # fmt: skip


def unknown_shape(name: str) -> CompilationError:
    """The error for a result whose shape depends on values."""
    return CompilationError(
        f"compile: {name}: the shape of its result depends on values, and programs of XLA have "
        "fixed shapes. Use np.where(mask, x, 0), or leave that part outside of the compiled "
        "function."
    )


def without_counterpart(name: str) -> CompilationError:
    """The error for a function that XLA does not have."""
    return CompilationError(
        f"compile: {name} has no counterpart in XLA. Leave the call outside of the compiled "
        "function, or write it with other functions."
    )


def foreign() -> CompilationError:
    """The error for a value of another trace."""
    return CompilationError(
        "compile: the compiled function uses a traced value of an outer derivative that is not one "
        "of its arguments. Pass it as an argument."
    )


def _is_engines(function: Any) -> bool:
    return (getattr(function, "__module__", None) or "").startswith("retrograd.")


def _is_numpys(function: Any) -> bool:
    module = getattr(function, "__module__", None) or ""
    return isinstance(function, np.ufunc) or module.split(".")[0] in ("numpy", "scipy")


def _called(found: Callable[..., Any], name: str, args: Any, kwargs: Any) -> Any:
    try:
        return found(*args, **kwargs)
    except (jax.errors.JAXTypeError, jax.errors.JAXIndexError, NotImplementedError) as error:
        raise CompilationError(
            f"compile: {name} cannot be compiled with these arguments: {_first_line(error)} Leave "
            "the call outside of the compiled function, or write it with other functions."
        ) from error


def _first_line(error: Exception) -> str:
    line = str(error).strip().partition("\n")[0]
    return line if line.endswith(".") else line + "."


def unboxed(x: Any) -> Any:
    """Arguments or results with JAX's arrays in the place of boxes."""
    if isinstance(x, Traced):
        return x.value
    if isinstance(x, tuple) and hasattr(x, "_fields"):
        return type(x)(*map(unboxed, x))
    if type(x) in (list, tuple):
        return type(x)(map(unboxed, x))
    if type(x) is dict:
        return {name: unboxed(value) for name, value in x.items()}
    return x


def cast(x: Any, dtype: Any) -> Any:
    """An operand as an array of this dtype."""
    if isinstance(x, Traced):
        x = x.value
    if not isinstance(x, jax.Array):
        return np.asarray(x, dtype)
    if x.dtype == dtype:
        return x
    if x.dtype.kind == "c" and np.dtype(dtype).kind != "c":
        x = jnp.real(x)
    return jax.lax.convert_element_type(x, dtype)


def _promoted(name: str, args: tuple[Any, ...], plain: tuple[Any, ...]) -> tuple[Any, ...]:
    places = _PROMOTING.get(name)
    if places is None or any(isinstance(x, list | tuple) for x in plain[places]):
        return args
    operands = [x for x in plain[places] if x is not None]
    dtype = np.result_type(*operands)
    chosen = [x if x is None else cast(x, dtype) for x in args[places]]
    return (*args[: places.start], *chosen, *args[places][len(chosen) :], *_after(args, places))


def _after(args: tuple[Any, ...], places: slice) -> tuple[Any, ...]:
    return () if places.stop is None else args[places.stop :]


def _elementwise(ufunc: np.ufunc, args: Any, kwargs: dict[str, Any], plain: Any) -> Any:
    """A ufunc, with the operands and the result of the dtypes that NumPy would choose."""
    found = _UFUNCS.get(ufunc) or counterpart(ufunc)
    if kwargs:
        raise without_counterpart(f"{ufunc.__name__} with {', '.join(kwargs)}")
    wanted = ufunc.resolve_dtypes((*map(_kind, plain), *[None] * ufunc.nout))
    operands = [cast(x, dtype) for x, dtype in zip(args, wanted, strict=False)]
    if found is None:
        return callback.call_ufunc(ufunc, operands, wanted[ufunc.nin :])
    result = _called(found, ufunc.__name__, operands, {})
    if ufunc.nout == 1:
        return cast(result, wanted[-1])
    return tuple(cast(r, dtype) for r, dtype in zip(result, wanted[ufunc.nin :], strict=True))


def _note_range(trace: Any, result: Any, divisor: int) -> None:
    """Spare indices that have been wrapped around by `%` the checks of bounds."""
    if divisor > 0 and result.dtype.kind in "iu":
        trace.below[id(result)] = (result, divisor)


def _kind(x: Any) -> Any:
    return type(x) if layout.is_number(x) else np.result_type(x)


# Ufuncs whose counterpart has another name or meaning.
_UFUNCS: dict[np.ufunc, Callable[..., Any]] = {
    # 1/x, which XLA has as an operation; JAX's own reciprocal goes through powers.
    np.reciprocal: lambda x: jax.lax.integer_pow(x, -1) if x.dtype.kind in "fc" else 1 // x,
    np.square: lambda x: x * x,
    np.fabs: jnp.abs,
    np.sign: lambda x: jnp.sign(x),
    np.divmod: jnp.divmod,
}

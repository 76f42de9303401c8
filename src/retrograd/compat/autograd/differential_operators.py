"""Autograd's operators, with Autograd's arguments, by retrograd's own."""

from __future__ import annotations

import inspect
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np

import retrograd.autodiff as engine
from retrograd.autodiff import tree
from retrograd.autodiff.arguments import Argnum, Chosen, named_as
from retrograd.autodiff.operators import half_square
from retrograd.autodiff.trace import Traced, value_of

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]

__all__ = [
    "checkpoint",
    "deriv",
    "elementwise_grad",
    "grad",
    "grad_and_aux",
    "grad_named",
    "hessian",
    "hessian_tensor_product",
    "hessian_vector_product",
    "holomorphic_grad",
    "jacobian",
    "make_ggnvp",
    "make_hvp",
    "make_jvp",
    "make_jvp_reversemode",
    "make_vjp",
    "multigrad_dict",
    "tensor_jacobian_product",
    "value_and_grad",
    "vector_jacobian_product",
]

# These mean the same in both libraries.
checkpoint = engine.checkpoint
elementwise_grad = engine.elementwise_grad
holomorphic_grad = engine.holomorphic_grad
jacobian = engine.jacobian
tensor_jacobian_product = engine.tensor_jacobian_product
vector_jacobian_product = tensor_jacobian_product


def _one_number(y: Any) -> Any:
    """A result as Autograd's `grad` takes it: an array of one element is a number."""
    plain = value_of(y)
    is_one = isinstance(plain, np.ndarray) and plain.ndim and plain.size == 1
    return np.reshape(y, ()) if is_one else y


def _scalar(fun: Function) -> Function:
    return named_as(fun)(lambda *args, **kwargs: _one_number(fun(*args, **kwargs)))


def grad(fun: Function, argnum: Argnum = 0) -> Function:
    """The gradient of a function with one real number as result.

    Args:
        fun: the function; an array of one element is a number too.
        argnum: which argument, or several.

    Example:
        >>> import retrograd.compat.autograd.numpy as np
        >>> from retrograd.compat.autograd import grad
        >>> grad(lambda x: np.sum(x**2, keepdims=True))(np.array([1.0, 2.0]))
        array([2., 4.])
    """
    return engine.grad(_scalar(fun), argnum)


def value_and_grad(fun: Function, argnum: Argnum = 0) -> Function:
    """The function that returns the value of `fun`, as it is, and its gradient."""

    @named_as(fun)
    def twice(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        value = fun(*args, **kwargs)
        return _one_number(value), value

    both = engine.value_and_grad(twice, argnum, has_aux=True)

    @named_as(fun)
    def valued(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        (_, value), gradient = both(*args, **kwargs)
        return value, gradient

    return valued


def grad_and_aux(fun: Function, argnum: Argnum = 0) -> Function:
    """The gradient of the first output of `fun`, and its second one."""

    @named_as(fun)
    def first(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        value, aux = fun(*args, **kwargs)
        return _one_number(value), aux

    return engine.grad(first, argnum, has_aux=True)


def grad_named(fun: Function, argname: str) -> Function:
    """The gradient with respect to the argument of a name."""
    return grad(fun, argname)


def deriv(fun: Function, argnum: Argnum = 0) -> Function:
    """The derivative along ones: forward mode.

    Example:
        >>> from retrograd.compat.autograd import deriv
        >>> deriv(lambda x: x**3)(2.0)
        12.0
    """

    @named_as(fun)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        chosen = Chosen(fun, argnum, args, kwargs)
        return engine.jvp(chosen, chosen.values, tree.map(_one, chosen.values))[1]

    return derivative


def _one(leaf: Any) -> Any:
    return np.ones_like(leaf) if isinstance(leaf, np.ndarray | Traced) else 1.0


def hessian(fun: Function, argnum: Argnum = 0) -> Function:
    """All second derivatives; of a function with an array as result, its shape comes first."""
    return jacobian(jacobian(fun, argnum), argnum)


def hessian_tensor_product(fun: Function, argnum: Argnum = 0) -> Function:
    """The product of the Hessian with a tensor: a function `(*args, tensor)`."""
    return engine.hvp(_scalar(fun), argnum)


hessian_vector_product = hessian_tensor_product


def make_vjp(fun: Function, argnum: Argnum = 0) -> Function:
    """Reverse mode: `make_vjp(fun)(x)` is `(vjp, value)`.

    Example:
        >>> from retrograd.compat.autograd import make_vjp
        >>> vjp, value = make_vjp(lambda x, y: x * y, argnum=(0, 1))(2.0, 5.0)
        >>> vjp(1.0), value
        ((5.0, 2.0), 10.0)
    """

    @named_as(fun)
    def make(*args: Any, **kwargs: Any) -> tuple[Function, Any]:
        chosen = Chosen(fun, argnum, args, kwargs)
        value, pullback = engine.vjp(chosen, *chosen.values)
        return (lambda g: chosen.shaped(pullback(g))), value

    return make


def make_jvp(fun: Function, argnum: Argnum = 0) -> Function:
    """Forward mode: `make_jvp(fun)(x)(tangent)` is `(value, tangent of the result)`.

    For several argnums, the tangent is a tuple.
    """

    @named_as(fun)
    def make(*args: Any, **kwargs: Any) -> Function:
        chosen = Chosen(fun, argnum, args, kwargs)
        return lambda v: engine.jvp(chosen, chosen.values, v if chosen.several else (v,))

    return make


def make_jvp_reversemode(fun: Function, argnum: Argnum = 0) -> Function:
    """Directional derivatives from one evaluation: `make_jvp_reversemode(fun)(x)(tangent)`."""

    @named_as(fun)
    def make(*args: Any, **kwargs: Any) -> Function:
        chosen = Chosen(fun, argnum, args, kwargs)
        _, push = engine.linearize(chosen, *chosen.values)
        return lambda v: push(*v) if chosen.several else push(v)

    return make


def make_hvp(fun: Function, argnum: Argnum = 0) -> Function:
    """Hessian-vector products at one point: `make_hvp(fun)(x)` is `(product, gradient)`."""
    return make_vjp(grad(fun, argnum), argnum)


def make_ggnvp(f: Function, g: Function = half_square, f_argnum: Argnum = 0) -> Function:
    """Products with the generalised Gauss-Newton matrix of `g(f(x))`: `make_ggnvp(f, g)(x)(v)`."""
    product = engine.ggnvp(f, _scalar(g), f_argnum)

    @named_as(f)
    def make(*args: Any, **kwargs: Any) -> Function:
        return lambda v: product(*args, v, **kwargs)

    return make


def multigrad_dict(fun: Function) -> Function:
    """The gradients with respect to all arguments at once, by their names.

    Example:
        >>> from retrograd.compat.autograd import multigrad_dict
        >>> dict(multigrad_dict(lambda x, y=2.0: x * y)(3.0))
        {'x': 2.0, 'y': 3.0}
    """
    signature = inspect.signature(fun)

    def of_named(named: dict[str, Any]) -> Any:
        bound = inspect.BoundArguments(signature, OrderedDict(named))
        return fun(*bound.args, **bound.kwargs)

    @named_as(fun)
    def gradients(*args: Any, **kwargs: Any) -> OrderedDict[str, Any]:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        found = grad(of_named)(dict(bound.arguments))
        return OrderedDict((name, found[name]) for name in bound.arguments)

    return gradients

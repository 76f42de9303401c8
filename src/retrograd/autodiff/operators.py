"""The operators: `grad`, `value_and_grad`, `vjp`, `jvp`, `linearize`, `hvp`, `ggnvp`, ...

All of them take functions of nested containers and give derivatives of the same structure.
Jacobians and Hessians are in `jacobians.py`.

References:
    Maclaurin, Duvenaud & Adams, "Autograd: Effortless gradients in Numpy" (2015), for the
    interface; Griewank & Walther, "Evaluating Derivatives" (2008), for the two modes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff import records, tree
from retrograd.autodiff.arguments import Argnum, Chosen, named_as
from retrograd.autodiff.box import Box
from retrograd.autodiff.dtypes import is_complex
from retrograd.autodiff.dual import Dual
from retrograd.autodiff.own_rules import looking_for_rules
from retrograd.autodiff.records import Inputs, Record, own_node, own_value
from retrograd.autodiff.tape import Tape
from retrograd.autodiff.trace import Traced, value_of
from retrograd.errors import ArgumentError, DifferentiationError, MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]


def vjp(f: Function, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Evaluate `f` and return its transposed derivative: reverse mode.

    Args:
        f: a function of containers of arrays that returns a container of arrays.
        primals: where to evaluate it.
        has_aux: whether `f` returns `(result, aux)`; `aux` is handed through as plain values.

    Returns:
        `(result, pullback)`, or `(result, pullback, aux)`. `pullback(cotangent)`, with a container
        shaped like the result, is the tuple of cotangents of the primals. It can be called again,
        also from several threads. A cotangent of None stands for zero. In the places of leaves
        that are no floats, cotangents are None.

    Raises:
        DifferentiationError: a primal has no float or complex array or number in it.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> y, pullback = rg.vjp(lambda x: np.sin(x) * 2, np.array([0.0, np.pi]))
        >>> pullback(np.ones(2))
        (array([ 2., -2.]),)
    """
    record = Record(f, primals, has_aux=has_aux, lean=True)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        found = record.tape.pull(record.seeds(cotangent))
        return tuple(record.given.derivatives(records.cotangents(found, record.inputs)))

    result = record.result()
    return (result, pullback, record.aux) if has_aux else (result, pullback)


def linearize(f: Function, *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """Evaluate `f` once and return its derivative as a function of the direction.

    Args:
        f: a function of containers of arrays that returns a container of arrays.
        primals: where to evaluate it.
        has_aux: whether `f` returns `(result, aux)`.

    Returns:
        `(result, push)`, or `(result, push, aux)`. `push(*tangents)`, shaped like the primals, is
        the directional derivative; each call costs about one more evaluation. A tangent of None
        stands for zero.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> y, push = rg.linearize(np.sin, 0.0)
        >>> float(y), float(push(2.0))
        (0.0, 2.0)
    """
    record = Record(f, primals, has_aux=has_aux)

    def push(*tangents: Any) -> Any:
        return record.push(records.tangents(tangents, record.given, primals))

    result = record.result()
    return (result, push, record.aux) if has_aux else (result, push)


def jvp(
    f: Function, primals: Sequence[Any], tangents: Sequence[Any], *, has_aux: bool = False
) -> tuple[Any, ...]:
    """Evaluate `f` and its directional derivative together: forward mode, which keeps nothing.

    Args:
        f: a function of containers of arrays that returns a container of arrays.
        primals: its arguments, as a tuple or list.
        tangents: one direction an argument, of the same structure; None stands for zero, for an
            argument or a leaf.
        has_aux: whether `f` returns `(result, aux)`.

    Returns:
        `(result, tangent)`, of the same structure, or `(result, tangent, aux)`. In the places of
        leaves that are no floats, tangents are None.

    Raises:
        ArgumentError: the arguments or directions are in no tuple or list, or do not fit.

    Example:
        >>> import retrograd as rg
        >>> value, tangent = rg.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
        >>> float(value), float(tangent)
        (6.0, 3.0)
    """
    for name, given in (("primals", primals), ("tangents", tangents)):
        if not isinstance(given, tuple | list):
            raise ArgumentError(
                f"jvp: {name} is {given!r:.60}; give a tuple with one entry for each argument of "
                "the function, such as (x,)"
            )
    arguments = list(primals)
    moving = [i for i, (_, d) in enumerate(zip(primals, tangents, strict=False)) if d is not None]
    moved = [arguments[i] for i in moving]
    inputs = Inputs(moved)
    if len(tangents) != len(arguments):
        records.tangents(tangents, inputs, primals)  # raises
    directions = records.tangents([tangents[i] for i in moving], inputs, moved)
    with Dual() as trace:
        boxes = [
            leaf if d is None else Box(leaf, d, trace)
            for leaf, d in zip(inputs.values, directions, strict=True)
        ]
        for i, argument in zip(moving, inputs.with_values(boxes), strict=True):
            arguments[i] = argument
        result, aux = records.split(f(*arguments), has_aux)
        outputs, structure = tree.flatten(result)
        nodes = [own_node(leaf, trace) for leaf in outputs]
        values = [own_value(leaf, trace) for leaf in outputs]
        del boxes, arguments, result, outputs  # they hold tangents
    pushed = tree.unflatten(structure, records.pushed(nodes, values))
    result = tree.unflatten(structure, values)
    return (result, pushed, records.plain(aux, trace)) if has_aux else (result, pushed)


def value_and_grad(f: Function, argnum: Argnum = 0, *, has_aux: bool = False) -> Function:
    """The function that returns the value of `f` and its gradient.

    Args:
        f: a function with one real number as result.
        argnum: which argument to differentiate (a container of float or complex arrays): its
            position, or its name; or a sequence of several.
        has_aux: whether `f` returns `(result, aux)`; the new function returns
            `((result, aux), gradient)`.

    Returns:
        A function of the same arguments with result `(value, gradient)`; the gradient has the
        structure, shapes and dtypes of the argument (a tuple, if `argnum` is a sequence). Leaves
        that are no floats (integers, strings, arrays of labels) reach `f` unchanged, and None is in
        their place in the gradient. An argument of Python integers alone is converted to floats.

    Raises:
        DifferentiationError: the result is not one real number, or there is no float in an
            argument.

    Example:
        >>> import retrograd as rg
        >>> value, gradient = rg.value_and_grad(lambda p: p["a"] * p["b"])({"a": 2.0, "b": 5.0})
        >>> float(value), rg.tree.map(float, gradient)
        (10.0, {'a': 5.0, 'b': 2.0})
    """

    @named_as(f)
    def valued(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        chosen = Chosen(f, argnum, args, kwargs)
        given = Inputs(chosen.values)
        inputs = given.values
        with Tape(lean=True) as tape:
            boxes = [tape.watch(leaf) for leaf in inputs]
            result, aux = records.split(chosen(*given.with_values(boxes)), has_aux)
            value, node = own_value(result, tape), own_node(result, tape)
        _check_scalar(value)
        seeds = {} if node is None else {node: _one(value)}
        del boxes, result
        found = tape.pull(seeds, consume=True)
        gradient = chosen.shaped(given.derivatives(records.cotangents(found, inputs)))
        return ((value, records.plain(aux, tape)) if has_aux else value), gradient

    return valued


def grad(f: Function, argnum: Argnum = 0, *, has_aux: bool = False) -> Function:
    """The gradient of a function with one real number as result.

    Args and errors are those of `value_and_grad`. With `has_aux`, the new function returns
    `(gradient, aux)`.

    Example:
        >>> import retrograd as rg
        >>> import retrograd.numpy as np
        >>> rg.grad(rg.grad(np.sin))(np.pi / 2).round(12)
        np.float64(-1.0)
    """
    both = value_and_grad(f, argnum, has_aux=has_aux)

    @named_as(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, result = both(*args, **kwargs)
        return (result, value[1]) if has_aux else result

    return gradient


def grad_and_aux(f: Function, argnum: Argnum = 0) -> Function:
    """The gradient of a function that returns `(result, aux)`, together with `aux`.

    The same as `grad(f, argnum, has_aux=True)`.

    Example:
        >>> import retrograd as rg
        >>> gradient, aux = rg.grad_and_aux(lambda x: (x * x, "a note"))(3.0)
        >>> float(gradient), aux
        (6.0, 'a note')
    """
    return grad(f, argnum, has_aux=True)


def elementwise_grad(f: Function, argnum: Argnum = 0, *, has_aux: bool = False) -> Function:
    """The derivatives of a function that acts on each element apart, as an array.

    More exactly: the gradient of the sum of the result. The result may be complex, if the argument
    is real or the function complex-differentiable.

    Args:
        f: a function with one array as result.
        argnum: which argument, or several.
        has_aux: whether `f` returns `(result, aux)`; the new function returns
            `(derivatives, aux)`.

    Raises:
        DifferentiationError: the result is no float array, or the function of a complex argument
            is not complex-differentiable.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> rg.elementwise_grad(np.square)(np.array([1.0, 2.0]))
        array([2., 4.])
    """

    @named_as(f)
    def derivatives(*args: Any, **kwargs: Any) -> Any:
        chosen = Chosen(f, argnum, args, kwargs)
        value, pullback, *aux = vjp(chosen, *chosen.values, has_aux=has_aux)
        found = _derivatives_of_sum(value, pullback, "elementwise_grad")
        return (chosen.shaped(found), *aux) if has_aux else chosen.shaped(found)

    return derivatives


def holomorphic_grad(f: Function, argnum: Argnum = 0, *, has_aux: bool = False) -> Function:
    """The complex derivative of a function with one complex number as result.

    Args:
        f: complex-differentiable where it is evaluated.
        argnum: which argument (a container of complex arrays), or several.
        has_aux: whether `f` returns `(result, aux)`; the new function returns
            `(derivative, aux)`.

    Raises:
        DifferentiationError: the function is not complex-differentiable there, or its result is
            not one complex number.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> complex(rg.holomorphic_grad(lambda z: z * z)(1.0 + 2.0j))
        (2+4j)
        >>> rg.holomorphic_grad(np.conj)(1.0 + 2.0j)
        Traceback (most recent call last):
            ...
        retrograd.errors.DifferentiationError: holomorphic_grad: the function is not
        complex-differentiable here...
    """

    @named_as(f)
    def derivative(*args: Any, **kwargs: Any) -> Any:
        chosen = Chosen(f, argnum, args, kwargs)
        value, pullback, *aux = vjp(chosen, *chosen.values, has_aux=has_aux)
        if np.shape(value) != () or not is_complex(value):
            raise DifferentiationError(
                "holomorphic_grad needs a function with one complex number as result, got "
                f"{records.described(value_of(value))}: sum it, or use grad or jacobian"
            )
        found = _derivatives_of_sum(value, pullback, "holomorphic_grad")
        return (chosen.shaped(found), *aux) if has_aux else chosen.shaped(found)

    return derivative


def hvp(f: Function, argnum: Argnum = 0, *, has_aux: bool = False) -> Function:
    """The Hessian-vector product of a function with one real number as result.

    Returns:
        A function `(*args, vector)`, with a vector shaped like the argument (a tuple, if `argnum`
        is a sequence), whose result is the product, at the cost of about two gradients: the
        gradient of the slope along the vector, reverse mode over forward mode (Pearlmutter, "Fast
        exact multiplication by the Hessian", 1994). Where that is not the derivative of the
        gradient, by rules of your own or at complex arguments, it is forward mode over reverse
        mode. With `has_aux`, it is `(product, aux)`.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> rg.hvp(lambda x: np.sum(x**3))(np.array([1.0, 2.0]), np.array([1.0, 0.0]))
        array([6., 0.])
    """

    @named_as(f)
    def product(*args: Any, **kwargs: Any) -> Any:
        *primals, vector = args
        chosen = Chosen(f, argnum, primals, kwargs)
        direction = tuple(vector) if chosen.several else (vector,)
        pushed, *aux = missing_rule(
            lambda: _gradient_of_slope(chosen, direction, has_aux=has_aux),
            lambda: _slope_of_gradient(chosen, direction, has_aux=has_aux),
        )
        return (chosen.shaped(pushed), *aux) if has_aux else chosen.shaped(pushed)

    return product


def _gradient_of_slope(chosen: Chosen, direction: Any, *, has_aux: bool) -> Any:
    """The Hessian's product with a direction, where the Hessian is symmetric, and the aux."""
    leaves = tree.leaves((chosen.values, direction))
    if any(is_complex(leaf) for leaf in leaves):
        return _slope_of_gradient(chosen, direction, has_aux=has_aux)

    def slope(*values: Any) -> Any:
        value, pushed, *aux = jvp(chosen, values, direction, has_aux=has_aux)
        _check_scalar(value)
        return (pushed, *aux) if has_aux else pushed

    with looking_for_rules() as rules:
        found = grad(slope, range(len(direction)), has_aux=has_aux)(*chosen.values)
    if rules.any:
        return _slope_of_gradient(chosen, direction, has_aux=has_aux)
    return found if has_aux else (found,)


def _slope_of_gradient(chosen: Chosen, direction: Any, *, has_aux: bool) -> Any:
    """The derivative of the gradient in a direction, and the aux."""
    gradient = grad(chosen, range(len(direction)), has_aux=has_aux)
    return missing_rule(
        lambda: jvp(gradient, chosen.values, direction, has_aux=has_aux)[1:],
        lambda: _pulled(vjp(gradient, *chosen.values, has_aux=has_aux), direction),
    )


def _pulled(evaluated: tuple[Any, ...], direction: Any) -> tuple[Any, ...]:
    """The transposed product, which is the same for a Hessian; and the auxiliary result."""
    _, pullback, *aux = evaluated
    return pullback(direction), *aux


def half_square(y: Any) -> Any:
    """Half the sum of squares of all elements of a container: the loss that `ggnvp` assumes."""
    leaves = [leaf for leaf in tree.leaves(y) if records.carries(leaf)]
    return sum(np.sum(np.real(leaf * np.conj(leaf))) for leaf in leaves) / 2


def ggnvp(f: Function, loss: Function = half_square, argnum: Argnum = 0) -> Function:
    """The product of a vector with the generalised Gauss-Newton matrix of `loss(f(x))`.

    That matrix is `J^T H J`, with the Jacobian J of `f` and the Hessian H of `loss` at `f(x)`: the
    Hessian of `loss(f(x))` without the curvature of `f`; positive semidefinite for a convex loss.

    Args:
        f: a function whose result is a container of arrays: a model.
        loss: a function of that result with one real number as result; by default half the sum of
            squares.
        argnum: which argument of `f`, or several.

    Returns:
        A function `(*args, vector)`, with a vector shaped like the argument, whose result is the
        product.

    References:
        Schraudolph, "Fast curvature matrix-vector products for second-order gradient descent"
        (2002).

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> rg.ggnvp(lambda x: x**2)(np.array([1.0, 3.0]), np.array([1.0, 1.0]))
        array([ 4., 36.])
    """

    @named_as(f)
    def product(*args: Any, **kwargs: Any) -> Any:
        *primals, vector = args
        chosen = Chosen(f, argnum, primals, kwargs)
        record = Record(chosen, chosen.values, lean=True)
        direction = tuple(vector) if chosen.several else (vector,)
        result, pushed = jvp(chosen, chosen.values, direction)
        curved = hvp(loss)(result, pushed)
        found = records.cotangents(record.tape.pull(record.seeds(curved)), record.inputs)
        return chosen.shaped(record.given.derivatives(found))

    return product


def vector_jacobian_product(f: Function, argnum: Argnum = 0) -> Function:
    """The product of a vector with the Jacobian: `vjp` in one call.

    Returns:
        A function `(*args, vector)`, with a vector shaped like the result of `f`, whose result is
        shaped like the argument.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> rg.vector_jacobian_product(np.sin)(np.zeros(2), np.array([1.0, 2.0]))
        array([1., 2.])
    """

    @named_as(f)
    def product(*args: Any, **kwargs: Any) -> Any:
        *primals, vector = args
        chosen = Chosen(f, argnum, primals, kwargs)
        return chosen.shaped(vjp(chosen, *chosen.values)[1](vector))

    return product


def _derivatives_of_sum(value: Any, pullback: Function, name: str) -> tuple[Any, ...]:
    """The derivatives of the sum of a result, which may be complex."""
    if not records.carries(value):
        raise DifferentiationError(
            f"{name} needs a function with one float array as result, got "
            f"{records.described(value)}"
        )
    one = _one(value)
    found = pullback(one)
    if not is_complex(value):
        return found
    return tree.map(_joined(name), found, pullback(1j * one))


def _joined(name: str) -> Function:
    """The complex derivative from the pullbacks of 1 and of 1j."""

    def join(along_real: Any, along_imaginary: Any) -> Any:
        if along_real is None or not is_complex(along_real):  # of a real argument
            return along_real if along_real is None else along_real - 1j * along_imaginary
        check_holomorphic(along_real, along_imaginary, name)
        return along_real

    return join


def check_holomorphic(along_real: Any, along_imaginary: Any, name: str) -> None:
    """Refuse a derivative that is not complex-linear."""
    first, second = np.asarray(value_of(along_real)), np.asarray(value_of(along_imaginary))
    tolerance = np.sqrt(np.finfo(first.dtype).eps)
    size = np.max(np.abs(first), initial=0) + np.max(np.abs(second), initial=0)
    if np.max(np.abs(second - 1j * first), initial=0) > tolerance * size:
        raise DifferentiationError(
            f"{name}: the function is not complex-differentiable here. Write it as a function of "
            "the real and imaginary parts of its argument, or use vjp"
        )


def missing_rule(run: Callable[[], Any], otherwise: Callable[[], Any]) -> Any:
    """`run`, or `otherwise` if a rule is missing; if one is missing there too, the first error."""
    try:
        return run()
    except MissingRuleError as error:
        try:
            return otherwise()
        except MissingRuleError:
            raise error from None


def _check_scalar(value: Any) -> None:
    plain = value_of(value)
    if type(plain) is float or type(plain) is np.float64:
        return
    if plain is None:
        raise DifferentiationError(
            "grad needs a function with one real number as result, got None: does it end without "
            "a return?"
        )
    if not hasattr(plain, "dtype") and not isinstance(plain, int | float | complex):
        raise DifferentiationError(
            f"grad needs a function with one real number as result, got a {type(plain).__name__}: "
            "return the number that is to be differentiated, with has_aux=True the pair of it and "
            "the rest, or use jacobian or vjp"
        )
    if np.shape(plain) != ():
        raise DifferentiationError(
            f"grad needs a function with one number as result, got an array of shape "
            f"{np.shape(plain)}: sum or average it, or use jacobian, elementwise_grad or vjp"
        )
    if np.result_type(plain).kind != "f":
        raise DifferentiationError(
            f"grad needs a function with one real number as result, got "
            f"{records.described(plain)}: return a float (for complex results use np.real, np.abs, "
            "holomorphic_grad or vjp)"
        )


def _one(value: Any) -> Any:
    plain = value_of(value)
    return np.ones_like(plain) if isinstance(plain, np.ndarray | Traced) else type(plain)(1)

"""The operators: `grad`, `value_and_grad`, `vjp`, `jvp`, `linearize`, `jacobian`, `hvp`, ...

All of them take functions of nested containers and give derivatives of the same shape.

References:
    Maclaurin, Duvenaud & Adams, "Autograd: Effortless gradients in Numpy" (2015), for the
    interface; Griewank & Walther, "Evaluating Derivatives" (2008), for the two modes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff import tree
from retrograd.autodiff.box import Box
from retrograd.autodiff.dual import Dual
from retrograd.autodiff.primitive import match
from retrograd.autodiff.tape import Tape
from retrograd.autodiff.trace import Traced, value_of
from retrograd.errors import ArgumentError, DifferentiationError

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
        shaped like the result, is the tuple of cotangents of the primals. It can be called again.

    Raises:
        DifferentiationError: a primal is not a float or complex array or number.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> y, pullback = rg.vjp(lambda x: np.sin(x) * 2, np.array([0.0, np.pi]))
        >>> pullback(np.ones(2))
        (array([ 2., -2.]),)
    """
    inputs, structure = tree.flatten(primals)
    tape = Tape()
    with tape.running():
        boxes = [tape.watch(_float(leaf)) for leaf in inputs]
        result, aux = _split(f(*tree.unflatten(structure, list(boxes))), has_aux)
        outputs, result_structure = tree.flatten(result)
        values = [_own_value(leaf, tape) for leaf in outputs]
        nodes = [_own_node(leaf, tape) for leaf in outputs]
    result = tree.unflatten(result_structure, values)

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        seeds = _seeds(nodes, _same_structure(cotangent, result_structure, "cotangent"), values)
        found = tape.pull(seeds)
        return tree.unflatten(
            structure, [_cotangent(found.get(i), leaf) for i, leaf in enumerate(inputs)]
        )

    return (result, pullback, _plain(aux, tape)) if has_aux else (result, pullback)


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
    inputs, structure = tree.flatten(primals)
    tape = Tape()
    with tape.running():
        boxes = [tape.watch(_float(leaf)) for leaf in inputs]
        result, aux = _split(f(*tree.unflatten(structure, list(boxes))), has_aux)
        outputs, result_structure = tree.flatten(result)
        values = [_own_value(leaf, tape) for leaf in outputs]
        nodes = [_own_node(leaf, tape) for leaf in outputs]

    def push(*tangents: Any) -> Any:
        directions = _tangents(tangents, primals, structure)
        found = tape.push({i: d for i, d in enumerate(directions) if d is not None})
        pushed = [
            _zeros(value) if node is None or node not in found else found[node]
            for node, value in zip(nodes, values, strict=True)
        ]
        return tree.unflatten(result_structure, pushed)

    result = tree.unflatten(result_structure, values)
    return (result, push, _plain(aux, tape)) if has_aux else (result, push)


def jvp(f: Function, primals: Sequence[Any], tangents: Sequence[Any]) -> tuple[Any, Any]:
    """Evaluate `f` and its directional derivative together: forward mode, which keeps nothing.

    Args:
        f: a function of containers of arrays that returns a container of arrays.
        primals: its arguments, as a tuple or list.
        tangents: one direction an argument, of the same structure; None stands for zero.

    Returns:
        `(result, tangent)`, of the same structure.

    Example:
        >>> import retrograd as rg
        >>> value, tangent = rg.jvp(lambda x, y: x * y, (2.0, 3.0), (1.0, 0.0))
        >>> float(value), float(tangent)
        (6.0, 3.0)
    """
    inputs, structure = tree.flatten(tuple(primals))
    directions = _tangents(tangents, tuple(primals), structure)
    trace = Dual()
    with trace.running():
        boxes = [
            _float(leaf) if d is None else Box(_float(leaf), d, trace)
            for leaf, d in zip(inputs, directions, strict=True)
        ]
        outputs, result_structure = tree.flatten(f(*tree.unflatten(structure, boxes)))
        values = [_own_value(leaf, trace) for leaf in outputs]
        pushed = [
            leaf.node if isinstance(leaf, Traced) and leaf.owner is trace else _zeros(leaf)
            for leaf in outputs
        ]
    return tree.unflatten(result_structure, values), tree.unflatten(result_structure, pushed)


def value_and_grad(
    f: Function, argnum: int | Sequence[int] = 0, *, has_aux: bool = False
) -> Function:
    """The function that returns the value of `f` and its gradient.

    Args:
        f: a function with one real number as result.
        argnum: which positional argument to differentiate (a container of float or complex
            arrays), or several.
        has_aux: whether `f` returns `(result, aux)`; the new function returns
            `((result, aux), gradient)`.

    Returns:
        A function of the same arguments with result `(value, gradient)`; the gradient has the
        structure, shapes and dtypes of the argument (a tuple, if `argnum` is a sequence).

    Raises:
        DifferentiationError: the result is not one real number, or an argument is no float.

    Example:
        >>> import retrograd as rg
        >>> value, gradient = rg.value_and_grad(lambda p: p["a"] * p["b"])({"a": 2.0, "b": 5.0})
        >>> float(value), rg.tree.map(float, gradient)
        (10.0, {'a': 5.0, 'b': 2.0})
    """

    @wraps(f)
    def valued(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        several = isinstance(argnum, Sequence)
        numbers = list(argnum) if isinstance(argnum, Sequence) else [argnum]
        _check_argnums(numbers, args)
        inputs, structure = tree.flatten([args[i] for i in numbers])
        tape = Tape()
        with tape.running():
            boxes = [tape.watch(_float(leaf)) for leaf in inputs]
            chosen = iter(tree.unflatten(structure, list(boxes)))
            mixed = list(args)
            for i in numbers:
                mixed[i] = next(chosen)
            result, aux = _split(f(*mixed, **kwargs), has_aux)
            value, node = _own_value(result, tape), _own_node(result, tape)
        _check_scalar(value)
        seeds = {} if node is None else {node: _one(value)}
        found = tape.pull(seeds, consume=True)
        gradient = tree.unflatten(
            structure, [_cotangent(found.get(i), leaf) for i, leaf in enumerate(inputs)]
        )
        gradient = tuple(gradient) if several else gradient[0]
        return ((value, _plain(aux, tape)) if has_aux else value), gradient

    return valued


def grad(f: Function, argnum: int | Sequence[int] = 0, *, has_aux: bool = False) -> Function:
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

    @wraps(f)
    def gradient(*args: Any, **kwargs: Any) -> Any:
        value, result = both(*args, **kwargs)
        return (result, value[1]) if has_aux else result

    return gradient


def elementwise_grad(f: Function, argnum: int = 0) -> Function:
    """The derivatives of a function that acts on each element apart, as an array.

    More exactly: the gradient of the sum of the result.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> rg.elementwise_grad(np.square)(np.array([1.0, 2.0]))
        array([2., 4.])
    """
    return grad(wraps(f)(lambda *args, **kwargs: np.sum(f(*args, **kwargs))), argnum)


def jacobian(f: Function, argnum: int = 0) -> Function:
    """All partial derivatives of an array-valued function of one array.

    Args:
        f: a function of arrays that returns one array of shape `S`.
        argnum: which argument, one array of shape `P`.

    Returns:
        A function whose result has shape `S + P`. Its rows are computed backwards or its columns
        forwards, whichever are fewer, from one evaluation of `f`.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> rg.jacobian(lambda x: x[:2] * x[2])(np.array([1.0, 2.0, 3.0]))
        array([[3., 0., 1.],
               [0., 3., 2.]])
    """

    @wraps(f)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        _check_argnums([argnum], args)

        def partial(x: Any) -> Any:
            return f(*args[:argnum], x, *args[argnum + 1 :], **kwargs)

        x = _float(args[argnum])
        y, push = linearize(partial, x)
        if np.size(x) < np.size(y):
            return _columns(push, x, y)
        _, pullback = vjp(partial, x)
        return _rows(pullback, x, y)

    return matrix


def hessian(f: Function, argnum: int = 0) -> Function:
    """All second derivatives of a function with one real number as result.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> rg.hessian(lambda x: x[0] ** 2 * x[1])(np.array([1.0, 3.0]))
        array([[6., 2.],
               [2., 0.]])
    """
    return jacobian(grad(f, argnum), argnum)


def hvp(f: Function, argnum: int = 0) -> Function:
    """The Hessian-vector product of a function with one real number as result.

    Returns:
        A function `(*args, vector)`, with a vector shaped like the argument, whose result is the
        product: forward mode over reverse mode, at the cost of about two gradients (Pearlmutter,
        "Fast exact multiplication by the Hessian", 1994).

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> rg.hvp(lambda x: np.sum(x**3))(np.array([1.0, 2.0]), np.array([1.0, 0.0]))
        array([6., 0.])
    """
    gradient = grad(f, argnum)

    @wraps(f)
    def product(*args: Any) -> Any:
        *primals, vector = args

        def partial(x: Any) -> Any:
            return gradient(*primals[:argnum], x, *primals[argnum + 1 :])

        return jvp(partial, (primals[argnum],), (vector,))[1]

    return product


def _columns(push: Function, x: Any, y: Any) -> Any:
    columns = [push(basis) for basis in _bases(x)]
    return np.reshape(np.stack(columns, axis=-1), np.shape(y) + np.shape(x))


def _rows(pullback: Function, x: Any, y: Any) -> Any:
    rows = [pullback(basis)[0] for basis in _bases(y)]
    if not rows:
        return np.zeros(np.shape(y) + np.shape(x))
    return np.reshape(np.stack(rows), np.shape(y) + np.shape(x))


def _bases(x: Any) -> list[Any]:
    x = value_of(x)
    shape, size = np.shape(x), np.size(x)
    unit = np.eye(size, dtype=np.result_type(x))
    return [row.reshape(shape) for row in unit]


def _split(result: Any, has_aux: bool) -> tuple[Any, Any]:
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise DifferentiationError(
            f"has_aux=True, but the function returned {type(result).__name__}: return a pair "
            "(result, aux)"
        )
    return result


def _float(leaf: Any) -> Any:
    """A leaf that can carry a derivative: Python integers become floats, the rest is refused."""
    if isinstance(leaf, Traced) or tree.is_float(leaf):
        return leaf
    if isinstance(leaf, int) and not isinstance(leaf, bool):
        return float(leaf)
    raise DifferentiationError(
        f"cannot differentiate with respect to {_describe(leaf)}: give floats (x.astype(float)), "
        "or choose another argument with argnum"
    )


def _describe(leaf: Any) -> str:
    dtype = getattr(leaf, "dtype", None)
    kind = f"an array of dtype {dtype}" if dtype is not None else f"a {type(leaf).__name__}"
    return f"{kind} ({leaf!r:.60})"


def _check_argnums(numbers: list[int], args: tuple[Any, ...]) -> None:
    for i in numbers:
        if not -len(args) <= i < len(args):
            raise ArgumentError(
                f"argnum: {i} was given, but the function was called with {len(args)} positional "
                "arguments; pass the differentiated argument by position"
            )


def _check_scalar(value: Any) -> None:
    plain = value_of(value)
    if np.shape(plain) != ():
        raise DifferentiationError(
            f"grad needs a function with one number as result, got an array of shape "
            f"{np.shape(plain)}: sum or average it, or use jacobian, elementwise_grad or vjp"
        )
    kind = np.asarray(plain).dtype.kind if not isinstance(plain, float) else "f"
    if kind != "f":
        raise DifferentiationError(
            f"grad needs a function with one real number as result, got {_describe(plain)}: return "
            "a float (for complex results use np.real, np.abs, or vjp)"
        )


def _own_value(leaf: Any, trace: Any) -> Any:
    return leaf.value if isinstance(leaf, Traced) and leaf.owner is trace else leaf


def _own_node(leaf: Any, trace: Any) -> Any:
    return leaf.node if isinstance(leaf, Traced) and leaf.owner is trace else None


def _plain(aux: Any, trace: Any) -> Any:
    if aux is None:
        return None
    return tree.map(lambda leaf: _own_value(leaf, trace), aux)


def _one(value: Any) -> Any:
    plain = value_of(value)
    return np.ones_like(plain) if isinstance(plain, np.ndarray) else type(plain)(1)


def _zeros(value: Any) -> Any:
    plain = value_of(value)
    return np.zeros_like(plain) if isinstance(plain, np.ndarray) else type(plain)(0)


def _cotangent(g: Any, leaf: Any) -> Any:
    """A finished cotangent, as the caller may keep it: of the leaf's kind, and writable."""
    leaf = _float(leaf)
    if g is None:
        return _zeros(leaf)
    g = match(g, leaf)
    if isinstance(g, np.ndarray) and not g.flags.writeable:
        return g.copy()
    return g


def _seeds(nodes: list[Any], cotangents: list[Any], values: list[Any]) -> dict[int, Any]:
    seeds: dict[int, Any] = {}
    for node, c, value in zip(nodes, cotangents, values, strict=True):
        if np.shape(c) != np.shape(value):
            raise ArgumentError(
                f"cotangent: shape {np.shape(c)} was given for a result of shape {np.shape(value)}"
            )
        if node is not None:
            seeds[node] = seeds[node] + c if node in seeds else c
    return seeds


def _same_structure(given: Any, structure: Any, name: str) -> list[Any]:
    found, actual = tree.flatten(given)
    if actual != structure:
        raise ArgumentError(f"{name}: structure {actual} was given where {structure} is needed")
    return found


def _tangents(tangents: Sequence[Any], primals: tuple[Any, ...], structure: Any) -> list[Any]:
    """One direction a leaf of `primals`; None where a whole argument stands still."""
    if len(tangents) != len(primals):
        raise ArgumentError(
            f"tangents: {len(tangents)} were given for {len(primals)} primals; give one each "
            "(None for zero)"
        )
    directions: list[Any] = []
    for tangent, primal in zip(tangents, primals, strict=True):
        inputs, one = tree.flatten(primal)
        if tangent is None:
            directions += [None] * len(inputs)
            continue
        found = _same_structure(tangent, one, "tangents")
        for d, leaf in zip(found, inputs, strict=True):
            if np.shape(d) != np.shape(leaf):
                raise ArgumentError(
                    f"tangents: shape {np.shape(d)} was given for a primal of shape "
                    f"{np.shape(leaf)}"
                )
        directions += found
    return directions

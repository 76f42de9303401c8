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
from retrograd.autodiff.trace import Traced, escaped, value_of
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
    record = _record(f, primals, has_aux)
    tape, inputs, nodes, values = record.tape, record.inputs, record.nodes, record.values

    def pullback(cotangent: Any) -> tuple[Any, ...]:
        found = tape.pull(_seeds(nodes, record.like_result(cotangent, "cotangent"), values))
        given = {id(_owner_of_memory(c)) for c in tree.leaves(cotangent)}
        return tree.unflatten(record.structure, _cotangents(found, inputs, given))

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
    record = _record(f, primals, has_aux)
    tape, nodes, values = record.tape, record.nodes, record.values

    def push(*tangents: Any) -> Any:
        directions = _tangents(tangents, primals)
        found = tape.push({i: d for i, d in enumerate(directions) if d is not None})
        pushed = [found.get(node) for node in nodes]
        return tree.unflatten(record.result_structure, _pushed(pushed, values, directions))

    result = record.result()
    return (result, push, record.aux) if has_aux else (result, push)


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
    directions = _tangents(tangents, tuple(primals))
    with Dual() as trace:
        boxes = [
            _float(leaf) if d is None else Box(_float(leaf), d, trace)
            for leaf, d in zip(inputs, directions, strict=True)
        ]
        outputs, result_structure = tree.flatten(f(*tree.unflatten(structure, boxes)))
        nodes = [_own_node(leaf, trace) for leaf in outputs]
        values = [_own_value(leaf, trace) for leaf in outputs]
    pushed = _pushed(nodes, values, directions)
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
        numbers = _argnums(argnum if isinstance(argnum, Sequence) else [argnum], args)
        inputs, structure = tree.flatten([args[i] for i in numbers])
        inputs = [_float(leaf) for leaf in inputs]
        with Tape() as tape:
            boxes = [tape.watch(leaf) for leaf in inputs]
            mixed = list(args)
            for i, chosen in zip(numbers, tree.unflatten(structure, boxes), strict=True):
                mixed[i] = chosen
            result, aux = _split(f(*mixed, **kwargs), has_aux)
            value, node = _own_value(result, tape), _own_node(result, tape)
        _check_scalar(value)
        seeds = {} if node is None else {node: _one(value)}
        found = tape.pull(seeds, consume=True)
        gradient = tree.unflatten(structure, _cotangents(found, inputs, set()))
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

    A complex argument needs a function that is complex-differentiable there.

    Args:
        f: a function of arrays that returns one array of shape `S`.
        argnum: which argument, one array of shape `P`.

    Returns:
        A function whose result has shape `S + P`. Its rows are computed backwards or its columns
        forwards, whichever are fewer, from one evaluation of `f`.

    Raises:
        DifferentiationError: argument or result is no array, or `f` is not complex-differentiable.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> rg.jacobian(lambda x: x[:2] * x[2])(np.array([1.0, 2.0, 3.0]))
        array([[3., 0., 1.],
               [0., 3., 2.]])
    """

    @wraps(f)
    def matrix(*args: Any, **kwargs: Any) -> Any:
        (number,) = _argnums([argnum], args)
        record = _record(_partial(f, number, args, kwargs), (args[number],), has_aux=False)
        return _matrix(record)

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

    @wraps(f)
    def product(*args: Any, **kwargs: Any) -> Any:
        *primals, vector = args
        (number,) = _argnums([argnum], primals)
        gradient = grad(_partial(f, number, primals, kwargs))
        return jvp(gradient, (primals[number],), (vector,))[1]

    return product


def _partial(f: Function, number: int, args: Sequence[Any], kwargs: dict[str, Any]) -> Function:
    """`f` as a function of one of its arguments."""
    return lambda x: f(*args[:number], x, *args[number + 1 :], **kwargs)


class _Record:
    """One evaluation of a function on a tape, with its containers taken apart."""

    __slots__ = ("aux", "inputs", "nodes", "result_structure", "structure", "tape", "values")

    def __init__(self, tape: Tape, inputs: list[Any], structure: Any) -> None:
        self.tape, self.inputs, self.structure = tape, inputs, structure
        self.aux: Any = None
        self.nodes: list[Any] = []
        self.values: list[Any] = []
        self.result_structure: Any = None

    def result(self) -> Any:
        """The result, in arrays of its own: the caller may write to them, the tape needs its."""
        return tree.unflatten(self.result_structure, [_apart(value) for value in self.values])

    def like_result(self, given: Any, name: str) -> list[Any]:
        """The leaves of a container that must be shaped as the result is."""
        return _same_structure(given, self.result_structure, name)


def _record(f: Function, primals: tuple[Any, ...], has_aux: bool) -> _Record:
    inputs, structure = tree.flatten(primals)
    with Tape() as tape:
        record = _Record(tape, [_apart(_float(leaf)) for leaf in inputs], structure)
        boxes = [tape.watch(leaf) for leaf in record.inputs]
        result, aux = _split(f(*tree.unflatten(structure, boxes)), has_aux)
        outputs, record.result_structure = tree.flatten(result)
        record.values = [_own_value(leaf, tape) for leaf in outputs]
        record.nodes = [_own_node(leaf, tape) for leaf in outputs]
    record.aux = _plain(aux, tape)
    return record


def _apart(x: Any) -> Any:
    """What the caller cannot change by writing in place."""
    if isinstance(x, Box):
        return x.snapshot()
    return x.copy(order="K") if isinstance(x, np.ndarray) else x


def _matrix(record: _Record) -> Any:
    """The Jacobian of a recorded function of one array, by the cheaper mode."""
    if len(record.inputs) != 1 or len(record.values) != 1:
        raise DifferentiationError(
            f"jacobian needs one array as argument and one as result, got {len(record.inputs)} and "
            f"{len(record.values)}: join them (np.concatenate), or use vjp or linearize"
        )
    (x,), (y,) = record.inputs, record.values
    if _is_complex(x) or _is_complex(y) or np.size(x) < np.size(y):
        parts = _columns(record, x, y)
    else:
        parts = _rows(record, x, y)
    shape = np.shape(y) + np.shape(x)
    return np.reshape(parts, shape) if parts is not None else np.zeros(shape)


def _columns(record: _Record, x: Any, y: Any) -> Any:
    """The Jacobian with one column a pushed basis vector; None if there are none."""
    (node,) = record.nodes

    def column(basis: Any) -> Any:
        found = record.tape.push({0: basis})
        return found[node] if node in found else _zeros(y)

    columns = [column(basis) for basis in _bases(x)]
    if _is_complex(x):
        turned = [column(1j * basis) for basis in _bases(x)]
        for a, b in zip(columns, turned, strict=True):
            if not np.allclose(value_of(b), 1j * value_of(a)):
                raise DifferentiationError(
                    "jacobian: the function of a complex argument is not complex-differentiable "
                    "here. Write it as a function of the real and imaginary parts, or use vjp"
                )
    return np.stack(columns, axis=-1) if columns else None


def _rows(record: _Record, x: Any, y: Any) -> Any:
    """The Jacobian with one row a pulled basis vector; None if there are none."""
    (node,) = record.nodes
    rows = []
    for basis in _bases(y):
        found = record.tape.pull({} if node is None else {node: basis})
        rows.append(_cotangent(found.get(0), x))
    return np.stack(rows) if rows else None


def _is_complex(x: Any) -> bool:
    return np.iscomplexobj(value_of(x))


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
    if isinstance(leaf, Box):
        return leaf.snapshot()
    if tree.is_float(leaf) and not isinstance(leaf, np.matrix | np.ma.MaskedArray):
        return leaf
    if isinstance(leaf, int) and not isinstance(leaf, bool):
        return float(leaf)
    raise DifferentiationError(
        f"cannot differentiate with respect to {_describe(leaf)}: give plain arrays of floats "
        "(x.astype(float)), or choose another argument with argnum"
    )


def _describe(leaf: Any) -> str:
    dtype = getattr(leaf, "dtype", None)
    kind = f"an array of dtype {dtype}" if dtype is not None else f"a {type(leaf).__name__}"
    return f"{kind} ({leaf!r:.60})"


def _argnums(numbers: Sequence[int], args: Sequence[Any]) -> list[int]:
    """Positions of arguments, counted from the front."""
    found: list[int] = []
    for i in numbers:
        if not isinstance(i, int | np.integer):
            raise ArgumentError(f"argnum: {i!r} was given; give the position of an argument")
        if not -len(args) <= i < len(args):
            raise ArgumentError(
                f"argnum: {i} was given, but the function was called with {len(args)} positional "
                "arguments; pass the differentiated argument by position"
            )
        found.append(int(i) % len(args))
    if len(set(found)) < len(found):
        raise ArgumentError(f"argnum: {numbers} names an argument twice; give each number once")
    return found


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
    """A result without its box; what belongs to an ended or a foreign trace is refused."""
    if not isinstance(leaf, Traced):
        return leaf
    owner = leaf.owner
    if owner is trace:
        return leaf.value
    if owner.closed or owner.level >= trace.level:
        raise escaped("of another trace is returned")
    return leaf


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
    if isinstance(plain, np.ndarray):
        return np.zeros_like(plain, dtype=None if plain.dtype.kind in "fc" else float)
    return type(plain)(0) if tree.is_float(plain) else 0.0


def _cotangents(found: dict[int, Any], inputs: list[Any], taken: set[int]) -> list[Any]:
    """The finished cotangents of the inputs, no two of which share memory.

    Args:
        found: cotangents by node; the nodes of the inputs are their numbers.
        inputs: the leaves.
        taken: the ids of arrays that belong to somebody else.
    """
    finished = []
    for i, leaf in enumerate(inputs):
        g = _cotangent(found.get(i), leaf)
        if isinstance(g, np.ndarray):
            if id(_owner_of_memory(g)) in taken:
                g = g.copy()
            taken.add(id(_owner_of_memory(g)))
        finished.append(g)
    return finished


def _pushed(tangents: list[Any], values: list[Any], given: list[Any]) -> list[Any]:
    """The finished tangents of the results: zeros for None, writable, and nobody else's memory."""
    taken = {id(_owner_of_memory(d)) for d in given}
    finished = []
    for d, value in zip(tangents, values, strict=True):
        if d is None:
            d = _zeros(value)
        elif isinstance(d, np.ndarray):
            if not d.flags.writeable or id(_owner_of_memory(d)) in taken:
                d = d.copy()
            taken.add(id(_owner_of_memory(d)))
        finished.append(d)
    return finished


def _owner_of_memory(x: Any) -> Any:
    base = getattr(x, "base", None)
    return x if base is None else base


def _cotangent(g: Any, leaf: Any) -> Any:
    """A finished cotangent, as the caller may keep it: of the leaf's kind, and writable."""
    if g is None:
        return _zeros(leaf)
    g = match(g, leaf)
    if isinstance(g, Box):
        return g.snapshot()
    if isinstance(g, np.ndarray) and not g.flags.writeable:
        return g.copy()
    return g


def _seeds(nodes: list[Any], cotangents: list[Any], values: list[Any]) -> dict[int, Any]:
    seeds: dict[int, Any] = {}
    for node, c, value in zip(nodes, cotangents, values, strict=True):
        c = _along(c, value, "cotangent")
        if node is not None:
            seeds[node] = seeds[node] + c if node in seeds else c
    return seeds


def _same_structure(given: Any, structure: Any, name: str) -> list[Any]:
    found, actual = tree.flatten(given)
    if actual != structure:
        raise ArgumentError(f"{name}: structure {actual} was given where {structure} is needed")
    return found


def _tangents(tangents: Sequence[Any], primals: tuple[Any, ...]) -> list[Any]:
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
        directions += [_along(d, leaf, "tangents") for d, leaf in zip(found, inputs, strict=True)]
    return directions


def _along(d: Any, x: Any, name: str) -> Any:
    """A tangent or cotangent checked against what it belongs to, and of its kind."""
    if np.shape(d) != np.shape(x):
        raise ArgumentError(
            f"{name}: shape {np.shape(d)} was given for a value of shape {np.shape(x)}"
        )
    if isinstance(d, Box):
        return d.snapshot()
    wanted = getattr(x, "dtype", None)
    if wanted is None or wanted.kind not in "fc":
        wanted = np.dtype(complex if isinstance(x, complex) else float)
    if getattr(d, "dtype", None) is wanted or (type(d) is float and type(x) is float):
        return d
    d = np.asarray(d)
    if not np.can_cast(d.dtype, wanted, "same_kind"):
        raise ArgumentError(f"{name}: dtype {d.dtype} was given for a value of dtype {wanted}")
    return d.astype(wanted)[()]

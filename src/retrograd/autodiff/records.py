"""What the operators share: arguments taken apart into leaves, one evaluation on a tape, results.

Only leaves that are floats or complex numbers take part in differentiation. The others (integers,
strings, arrays of labels) reach the function unchanged; in a derivative, None is in their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from sys import getrefcount
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff import tree
from retrograd.autodiff.box import Box
from retrograd.autodiff.constants import CONSTANT
from retrograd.autodiff.primitive import match
from retrograd.autodiff.tape import Tape
from retrograd.autodiff.trace import Trace, Traced, escaped, value_of
from retrograd.errors import ArgumentError, DifferentiationError

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]


class Inputs:
    """Arguments taken apart: their leaves, and which of them are differentiated."""

    __slots__ = ("active", "leaves", "structure")

    def __init__(self, arguments: Sequence[Any]) -> None:
        leaves, self.structure = tree.flatten(list(arguments))
        self.leaves = leaves
        if all(map(carries, leaves)):
            self.active = range(len(leaves))
        else:
            self.active = _active(arguments, leaves)
        for i in self.active:
            if isinstance(leaves[i], Box):
                leaves[i] = leaves[i].snapshot()

    @property
    def values(self) -> list[Any]:
        """The leaves that are differentiated."""
        return [self.leaves[i] for i in self.active]

    def with_values(self, values: Sequence[Any]) -> list[Any]:
        """The arguments with other values in the places of the differentiated leaves."""
        leaves = [*self.leaves]
        for i, value in zip(self.active, values, strict=True):
            leaves[i] = value
        return tree.unflatten(self.structure, leaves)

    def derivatives(self, found: Sequence[Any]) -> list[Any]:
        """Derivatives in the places of the differentiated leaves, None in those of the others."""
        if len(self.active) == len(self.leaves):
            return tree.unflatten(self.structure, found)
        leaves = [None] * len(self.leaves)
        for i, derivative in zip(self.active, found, strict=True):
            leaves[i] = derivative
        return tree.unflatten(self.structure, leaves)


def carries(leaf: Any) -> bool:
    """Whether a leaf can carry a derivative."""
    if type(leaf) is np.ndarray:
        return leaf.dtype.kind in "fc"
    if isinstance(leaf, Box):
        return not leaf.abstract or tree.is_float(leaf)
    return tree.is_float(leaf) and not isinstance(leaf, np.matrix | np.ma.MaskedArray)


def _active(arguments: Sequence[Any], leaves: list[Any]) -> list[int]:
    """The numbers of the float leaves; in an argument without any, Python integers become some."""
    active: list[int] = []
    start = 0
    for argument in arguments:
        stop = start + len(tree.leaves(argument))
        floats = [i for i in range(start, stop) if carries(leaves[i])]
        if not floats:
            for i in range(start, stop):
                leaves[i] = _converted(leaves[i])
            floats = list(range(start, stop))
        for i in range(start, stop):
            _refuse_foreign(leaves[i])
        active += floats
        start = stop
    return active


def _converted(leaf: Any) -> Any:
    if isinstance(leaf, int) and not isinstance(leaf, bool):
        return float(leaf)
    raise DifferentiationError(
        f"cannot differentiate with respect to {described(leaf)}: give plain arrays of floats "
        "(x.astype(float)), or choose another argument with argnum"
    )


def _refuse_foreign(leaf: Any) -> None:
    """Arrays with a multiplication of their own, and arrays of objects, may hide floats."""
    dtype = getattr(leaf, "dtype", None)
    if isinstance(leaf, np.matrix | np.ma.MaskedArray) or (dtype is not None and dtype.kind == "O"):
        _converted(leaf)


def described(leaf: Any) -> str:
    """A leaf, for messages."""
    dtype = getattr(leaf, "dtype", None)
    kind = f"an array of dtype {dtype}" if dtype is not None else f"a {type(leaf).__name__}"
    return f"{kind} ({leaf!r:.60})"


class Record:
    """One evaluation of a function on a tape, with its containers taken apart.

    Args:
        f: the function.
        primals: its arguments.
        has_aux: whether it returns `(result, aux)`.
        lean: whether the tape will be pulled only.
        alone: whether nobody else writes to the primals and the result while this is in use; they
            are not copied then.
    """

    __slots__ = ("_apart", "aux", "given", "inputs", "nodes", "result_structure", "tape", "values")

    def __init__(
        self,
        f: Function,
        primals: Sequence[Any],
        *,
        has_aux: bool = False,
        lean: bool = False,
        alone: bool = False,
    ) -> None:
        self.given = Inputs(primals)
        self._apart = _as_it_is if alone else apart
        self.inputs = [self._apart(leaf) for leaf in self.given.values]
        with Tape(lean=lean) as tape:
            boxes = [tape.watch(leaf) for leaf in self.inputs]
            result, aux = split(f(*self.given.with_values(boxes)), has_aux)
            outputs, self.result_structure = tree.flatten(result)
            self.values = [own_value(leaf, tape) for leaf in outputs]
            self.nodes = [own_node(leaf, tape) for leaf in outputs]
        self.tape = tape
        self.aux = plain(aux, tape)

    def result(self) -> Any:
        """The result; unless `alone`, in arrays of its own: the tape needs those that it has."""
        return tree.unflatten(self.result_structure, list(map(self._apart, self.values)))

    def seeds(self, cotangent: Any) -> dict[int, Any]:
        """The cotangents of the result by node."""
        parts = tree.like(self.result_structure, cotangent, "cotangent")
        seeds: dict[int, Any] = {}
        for node, c, value in zip(self.nodes, parts, self.values, strict=True):
            if c is not None and carries(value):
                c = along(c, value, "cotangent")
                if node is not None:
                    seeds[node] = seeds[node] + c if node in seeds else c
        return seeds

    def push(self, directions: Sequence[Any]) -> Any:
        """The tangent of the result from those of the differentiated leaves; None is zero."""
        found = self.tape.push({i: d for i, d in enumerate(directions) if d is not None})
        parts = [None if node is None else found[node] for node in self.nodes]
        del found
        return tree.unflatten(self.result_structure, pushed(parts, self.values))


def _as_it_is(x: Any) -> Any:
    return x


def apart(x: Any) -> Any:
    """What the caller cannot change by writing in place."""
    if isinstance(x, Box):
        return x.snapshot()
    return x.copy(order="K") if isinstance(x, np.ndarray) else x


def split(result: Any, has_aux: bool) -> tuple[Any, Any]:
    """The result and the auxiliary part of what a function returned."""
    if not has_aux:
        return result, None
    if not isinstance(result, tuple) or len(result) != 2:
        raise DifferentiationError(
            f"has_aux=True, but the function returned {type(result).__name__}: return a pair "
            "(result, aux)"
        )
    return result


def own_value(leaf: Any, trace: Trace) -> Any:
    """A result without its box; what belongs to an ended or a foreign trace is refused."""
    if not isinstance(leaf, Traced):
        return leaf
    owner = leaf.owner
    if owner is trace or owner is CONSTANT:
        return leaf.value
    if owner.closed or owner.level >= trace.level:
        raise escaped("of another trace is returned")
    return leaf


def own_node(leaf: Any, trace: Trace) -> Any:
    """The note that a mode has made of a result; None if the result does not depend."""
    return leaf.node if isinstance(leaf, Traced) and leaf.owner is trace else None


def plain(aux: Any, trace: Trace) -> Any:
    """An auxiliary result without the boxes of a trace."""
    if aux is None:
        return None
    return tree.map(lambda leaf: own_value(leaf, trace), aux)


def zeros(value: Any) -> Any:
    """The derivative of a float that does not depend."""
    plain_value = value_of(value)
    if isinstance(plain_value, np.ndarray | Traced):
        return np.zeros_like(plain_value)
    return type(plain_value)(0)


def cotangents(found: dict[int, Any], inputs: list[Any]) -> list[Any]:
    """The finished cotangents of the inputs, in memory that nobody else holds.

    Args:
        found: cotangents by node, which are taken out; the nodes of the inputs are their numbers.
        inputs: the leaves.
    """
    finished = []
    for i, leaf in enumerate(inputs):
        g = cotangent(found.pop(i, None), leaf)
        finished.append(_own(g))
    return finished


def _own(x: Any) -> Any:
    """An array, or a copy if its memory is held by somebody other than the caller's variable.

    A rule may return an array of its own or one of its arguments, or parts of one for several.
    """
    if isinstance(x, np.ndarray):
        base = x.base
        if getrefcount(x) > _UNSHARED[0] or (base is not None and getrefcount(base) > _UNSHARED[1]):
            return x.copy()
    return x


def _reference_counts(x: Any) -> tuple[int, int]:
    base = x.base
    return getrefcount(x), getrefcount(base)


def _unshared() -> tuple[int, int]:
    """What `_own` counts for an array and its base that nobody else holds; interpreters differ."""
    part = np.empty(2)[:1]
    return _reference_counts(part)


_UNSHARED = _unshared()


def cotangent(g: Any, leaf: Any) -> Any:
    """A finished cotangent, as the caller may keep it: of the leaf's kind, and writable."""
    if type(g) is np.ndarray is type(leaf) and g.dtype is leaf.dtype and g.shape == leaf.shape:
        return g if g.flags.writeable else g.copy()
    if g is None:
        return zeros(leaf)
    g = match(g, leaf)
    if type(leaf) is complex and not np.iscomplexobj(value_of(g)):
        g = g + 0j
    if isinstance(g, Box):
        return g.snapshot()
    if isinstance(g, np.ndarray):
        if g.ndim == 0 and not isinstance(leaf, np.ndarray | Box):
            return g[()]
        return g if g.flags.writeable else g.copy()
    return np.asarray(g, leaf.dtype) if isinstance(leaf, np.ndarray) else g


def pushed(tangents: list[Any], values: list[Any]) -> list[Any]:
    """The finished tangents of the results: writable, and in memory that nobody else holds.

    Zeros for results that do not depend, None for those that are no floats.

    Args:
        tangents: by result, which are taken out.
        values: the results.
    """
    finished = []
    for i, value in enumerate(values):
        d, tangents[i] = tangents[i], None
        if d is not None:
            d = match(d, value)  # an addition of float32 and float64 leaves the tangent float32
        elif carries(value):
            d = zeros(value)
        if isinstance(d, np.ndarray):
            d = _own(d) if d.flags.writeable else d.copy()
        finished.append(d.snapshot() if isinstance(d, Box) else d)
    return finished


def tangents(given: Sequence[Any], inputs: Inputs, primals: Sequence[Any]) -> list[Any]:
    """One direction for each differentiated leaf; None where a leaf stands still."""
    if len(given) != len(primals):
        raise ArgumentError(
            f"tangents: {len(given)} were given for {len(primals)} primals; give one each "
            "(None for zero)"
        )
    directions: list[Any] = []
    for tangent, primal in zip(given, primals, strict=True):
        parts, structure = tree.flatten(primal)
        if tangent is None:
            directions += [None] * len(parts)
        else:
            directions += tree.like(structure, tangent, "tangents")
    return [
        None if directions[i] is None else along(directions[i], inputs.leaves[i], "tangents")
        for i in inputs.active
    ]


def along(d: Any, x: Any, name: str) -> Any:
    """A tangent or cotangent checked against what it belongs to, and of its kind."""
    if np.shape(d) != np.shape(x):
        raise ArgumentError(
            f"{name}: shape {np.shape(d)} was given for a value of shape {np.shape(x)}"
        )
    if isinstance(d, Box):
        d = d.snapshot()
    wanted = getattr(x, "dtype", None)
    if wanted is None or wanted.kind not in "fc":
        wanted = np.dtype(complex if isinstance(x, complex) else float)
    if getattr(d, "dtype", None) is wanted or (type(d) is float and type(x) is float):
        return d
    if not isinstance(d, Box):
        d = np.asarray(d)
    if not np.can_cast(d.dtype, wanted, "same_kind"):
        raise ArgumentError(f"{name}: dtype {d.dtype} was given for a value of dtype {wanted}")
    return d.astype(wanted) if isinstance(d, Box) else d.astype(wanted)[()]


def own(x: Any) -> Any:
    """A cotangent or tangent for a user's rule, which may write to it: others hold the array."""
    return x.copy() if type(x) is np.ndarray else x

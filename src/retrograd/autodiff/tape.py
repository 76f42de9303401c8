"""Reverse mode: a trace that records, and the two ways to walk through the record.

A `Tape` notes every primitive that touches its values, in order of creation. `pull` walks it
backwards and carries cotangents (reverse mode); `push` walks it forwards and carries tangents:
the directional derivative of something that has already been evaluated. Both can be repeated.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.box import Box
from retrograd.autodiff.capture import keep, keep_array, operand, release
from retrograd.autodiff.primitive import Primitive, rule, shape_of
from retrograd.autodiff.trace import Trace, Traced, escaped
from retrograd.errors import InterceptionError, MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Kinds of arguments that cannot change after they have been recorded.
_IMMUTABLE = frozenset({float, int, bool, complex, str, type(None), slice, np.float64, np.float32})

# primitive, value, arguments, keyword arguments, and (argument number, node) of each parent.
Entry = tuple[Primitive, Any, list[Any], dict[str, Any], list[tuple[int, int]]]


class Tape(Trace):
    """The record of one evaluation; a node is a position in it."""

    __slots__ = ("entries", "locked")

    def __init__(self) -> None:
        super().__init__()
        self.entries: list[Entry | None] = []
        self.locked: list[int] = []

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> None:
        written = self.locked and isinstance(error, ValueError) and "read-only" in str(error)
        if self.locked:
            release(self.locked)
        super().__exit__(kind, error, traceback)
        if written:
            raise InterceptionError(
                "a plain array was written to after it had been used with traced values: the "
                "gradient needs its old values. Write to a copy (a = a.copy()), or make a new "
                "array (a = a + b instead of a += b)."
            ) from error

    def watch(self, value: Any) -> Box:
        """A box for an input: what it touches from now on is recorded."""
        self.entries.append(None)
        if type(value) is np.ndarray:
            value = keep_array(value, self.locked)
        return Box(value, len(self.entries) - 1, self)

    def apply(self, primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Evaluate the primitive, and record it."""
        if self.closed:
            raise escaped("is used after its trace has ended")
        values: list[Any] = []
        links: list[tuple[int, int]] = []
        for argnum, arg in enumerate(args):
            if isinstance(arg, Traced):
                if arg.owner is self:
                    values.append(arg.value)
                    links.append((argnum, arg.node))
                else:
                    values.append(Box(arg.value, arg.node, arg.owner))
            elif type(arg) in _IMMUTABLE:
                values.append(arg)
            elif type(arg) is np.ndarray:
                values.append(keep_array(arg, self.locked))
            else:
                values.append(keep(operand(primitive.function, arg), self.locked))
        if kwargs:
            kwargs = {name: keep(value, self.locked) for name, value in kwargs.items()}
        # On the first level there is no outer trace to ask.
        evaluate = primitive.function if self.level == 1 else primitive
        ans = evaluate(*values, **kwargs) if kwargs else evaluate(*values)
        if not primitive.differentiable:
            return ans
        entries = self.entries
        node = len(entries)
        entries.append((primitive, ans, values, kwargs, links))
        if primitive.outputs:
            return self._parts(ans, node)
        return Box(ans, node, self)

    def _parts(self, ans: tuple[Any, ...], node: int) -> tuple[Box, ...]:
        for index, part in enumerate(ans):
            self.entries.append((_part, part, [ans, index], {}, [(0, node)]))
        return tuple(Box(part, node + 1 + index, self) for index, part in enumerate(ans))

    def pull(self, cotangents: dict[int, Any], *, consume: bool = False) -> dict[int, Any]:
        """Cotangents of the inputs, given those of some nodes (both by node).

        With `consume`, entries are let go as the walk passes them, and their memory with them.
        """
        entries = self.entries
        last = max(cotangents, default=-1)
        found: list[Any] = [None] * (last + 1)
        for node, cotangent in cotangents.items():
            found[node] = cotangent
        summed: set[int] = set()  # nodes whose cotangent is an array of our own making
        inputs: dict[int, Any] = {}
        for node in range(last, -1, -1):
            entry = entries[node]
            g = found[node]
            found[node] = None
            if entry is None:
                if g is not None:
                    inputs[node] = g
                continue
            if consume:
                entries[node] = None
            if g is None:
                continue
            primitive, ans, args, kwargs, links = entry
            if primitive.pullback is not None:
                argnums = [argnum for argnum, _ in links]
                together = iter(primitive.pullback(argnums, g, ans, *args, **kwargs))
            else:
                together = None
            vjps = primitive.vjps
            for argnum, parent in links:
                if together is not None:
                    c = next(together)
                elif argnum >= len(vjps):
                    raise missing(primitive, argnum, "reverse")
                elif kwargs:
                    c = vjps[argnum](g, ans, *args, **kwargs)
                else:
                    c = vjps[argnum](g, ans, *args)
                p = found[parent]
                if p is None:
                    found[parent] = c
                elif c is None:
                    continue
                elif parent in summed and _addable(p, c):
                    np.add(p, c, out=p)
                else:
                    found[parent] = add(p, c)
                    summed.add(parent)
        return inputs

    def push(self, tangents: dict[int, Any]) -> dict[int, Any]:
        """Tangents of all nodes that depend on the inputs, given those of inputs (by node)."""
        found = dict(tangents)
        for node, entry in enumerate(self.entries):
            if entry is None:
                continue
            primitive, ans, args, kwargs, links = entry
            active = [(argnum, found[parent]) for argnum, parent in links if parent in found]
            if active:
                tangent = push_forward(primitive, active, ans, args, kwargs)
                if tangent is not None:
                    found[node] = tangent
        return found


def push_forward(
    primitive: Primitive,
    active: Sequence[tuple[int, Any]],
    ans: Any,
    args: Sequence[Any],
    kwargs: dict[str, Any],
) -> Any:
    """The tangent of a primitive's result from those of its arguments, `(argnum, tangent)`.

    None stands for zero.
    """
    total: Any = None
    jvps = primitive.jvps
    for argnum, tangent in active:
        if argnum >= len(jvps):
            raise missing(primitive, argnum, "forward")
        total = add(total, jvps[argnum](tangent, ans, *args, **kwargs))
    if not primitive.outputs and total is not None and shape_of(total) != shape_of(ans):
        total = np.broadcast_to(total, shape_of(ans))
    return total


def add(p: Any, c: Any) -> Any:
    """The sum of two cotangents or tangents; None is zero, tuples are summed part by part."""
    if p is None:
        return c
    if c is None:
        return p
    if type(p) is tuple:
        return tuple(add(a, b) for a, b in zip(p, c, strict=True))
    return p + c


def missing(primitive: Primitive, argnum: int, mode: str) -> MissingRuleError:
    """The error for a derivative that nobody has stated."""
    return MissingRuleError(
        f"{primitive.name} has no {mode}-mode derivative with respect to argument {argnum}. State "
        "one with retrograd.extend.defvjp and defjvp, or pass a plain value there "
        "(retrograd.value_of)."
    )


def _addable(p: Any, c: Any) -> bool:
    return (
        type(p) is np.ndarray
        and type(c) is np.ndarray
        and p.shape == c.shape
        and p.dtype is c.dtype
    )


def _part_of(values: tuple[Any, ...], index: int) -> Any:
    return values[index]


_part = rule(
    Primitive(_part_of),
    vjps=[lambda g, ans, values, i: tuple(g if j == i else None for j in range(len(values)))],
    jvps=[lambda d, ans, values, i: d[i]],
)

"""Reverse mode: a trace that records, and the two ways to walk through the record.

A `Tape` notes every primitive that touches its values, in order of creation. `pull` walks it
backwards and carries cotangents (reverse mode); `push` walks it forwards and carries tangents:
the directional derivative of something that has already been evaluated. Both can be repeated.
"""

from __future__ import annotations

from sys import getrefcount
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from retrograd.autodiff.box import Box
from retrograd.autodiff.capture import keep, keep_array, operand, release
from retrograd.autodiff.primitive import Primitive, rule, shape_of
from retrograd.autodiff.reads import SMALL, Plan, Shadow, shadow
from retrograd.autodiff.stacked import ENOUGH, Stack, Stacking
from retrograd.autodiff.trace import Trace, Traced, compilation_of, escaped
from retrograd.errors import InterceptionError, MissingRuleError

if TYPE_CHECKING:
    from collections.abc import Sequence

# Kinds of arguments that cannot change after they have been recorded.
_IMMUTABLE = frozenset(
    {float, int, bool, complex, str, type(None), slice, type(Ellipsis), np.float64, np.float32}
)

# primitive, value, arguments, keyword arguments, and the node of each argument (None: not traced).
Entry = tuple[Primitive, Any, "Sequence[Any]", dict[str, Any], "Sequence[int | None]"]
# The same of one argument and of two, laid out flat: primitive, value, x, its node; primitive,
# value, x, y, their nodes. A long tape is quicker to make, and to collect, of fewer objects.
Unary = tuple[Primitive, Any, Any, int]
Binary = tuple[Primitive, Any, Any, Any, "int | None", "int | None"]
_UNARY: Final = 4
_BINARY: Final = 6

_NO_KEYWORDS: dict[str, Any] = {}


def unpacked(entry: Unary | Binary | Entry) -> Entry:
    """An entry in the layout that all have in common."""
    if len(entry) == _UNARY:
        primitive, ans, x, node = entry
        return primitive, ans, (x,), _NO_KEYWORDS, (node,)
    if len(entry) == _BINARY:
        primitive, ans, x, y, first, second = entry
        return primitive, ans, (x, y), _NO_KEYWORDS, (first, second)
    return entry


class Tape(Trace):
    """The record of one evaluation; a node is a position in it.

    Args:
        lean: keep what `pull` reads only, so that `push` is not possible.
    """

    __slots__ = ("entries", "lean", "locked", "shadow", "stacks")

    def __init__(self, *, lean: bool = False) -> None:
        super().__init__()
        self.lean = lean
        self.entries: list[Unary | Binary | Entry | None] = []
        self.locked: set[int] = set()
        # Compilers see whole sums of products, and stack them better.
        self.stacks = True
        # That of the last array: most arrays are like the one before.
        self.shadow: Shadow | None = None

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
        elif compilation_of(value) is not None:
            self.stacks = False
        return Box(value, len(self.entries) - 1, self)

    def apply(self, primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Evaluate the primitive, and record it."""
        if self.closed:
            raise escaped("is used after its trace has ended")
        if not primitive.differentiable:
            return self._constant(primitive, args, kwargs)
        values, parents, traced, plain = self._taken_apart(args)
        plan = None
        if self.lean:
            plan = primitive.plans.get(traced) or primitive.plan(traced, len(args))
        if plain:
            self._keep_plain(primitive, values, parents, plan)
        if kwargs and not _IMMUTABLE.issuperset(map(type, kwargs.values())):
            kwargs = {name: keep(value, self.locked) for name, value in kwargs.items()}
        # On the first level there is no outer trace to ask.
        evaluate = primitive.evaluate if self.level == 1 else primitive
        ans = evaluate(*values, **kwargs) if kwargs else evaluate(*values)
        entries = self.entries
        node = len(entries)
        kept = ans
        if plan is not None:
            for argnum in plan.shadows:
                if argnum < len(values):
                    parent = parents[argnum]
                    # The shadow that the parent's entry has already, if it has one.
                    entry = None if parent is None else entries[parent]
                    values[argnum] = shadow(values[argnum]) if entry is None else entry[1]
            if plan.drops_ans and type(ans) is np.ndarray and ans.nbytes > SMALL:
                kept = self._shadow(ans)
        noted = (primitive, kept, values, kwargs, parents)
        entries.append(noted)
        if entries[node] is not noted:  # another thread has recorded something in between
            node = self._place_of(noted, node)
        if primitive.outputs:
            return self._parts(ans, node)
        return Box(ans, node, self)

    def unary(self, primitive: Primitive, x: Traced) -> Any:
        """`apply` to one value of this tape: most of a program, and so without loops and lists."""
        if self.closed or primitive.outputs or not primitive.differentiable:
            return self.apply(primitive, (x,), {})
        value, node = x.value, x.node
        ans = kept = primitive.evaluate(value) if self.level == 1 else primitive(value)
        entries = self.entries
        if self.lean:
            plan = primitive.plans.get(1) or primitive.plan(1, 1)
            if plan.drops_first:
                entry = entries[node]
                value = shadow(value) if entry is None else entry[1]
            if plan.drops_ans and type(ans) is np.ndarray and ans.nbytes > SMALL:
                kept = self._shadow(ans)
        noted = (primitive, kept, value, node)
        node = len(entries)
        entries.append(noted)
        if entries[node] is not noted:
            node = self._place_of(noted, node)
        return Box(ans, node, self)

    def binary(self, primitive: Primitive, x: Any, y: Any) -> Any:
        """`apply` to two values, one of this tape at least: most of a program, too."""
        if self.closed or primitive.outputs or not primitive.differentiable:
            return self.apply(primitive, (x, y), {})
        traced, first, second = 0, None, None
        if isinstance(x, Traced) and x.owner is self:
            traced, first, x = 1, x.node, x.value
        if isinstance(y, Traced) and y.owner is self:
            traced, second, y = traced + 2, y.node, y.value
        plan = None
        if self.lean:
            plan = primitive.plans.get(traced) or primitive.plan(traced, 2)
        if traced == 2 and type(x) not in _IMMUTABLE:
            x = self._plain(primitive, x, plan is None or not plan.drops_first)
        elif traced == 1 and type(y) not in _IMMUTABLE:
            y = self._plain(primitive, y, plan is None or not plan.drops_second)
        ans = kept = primitive.evaluate(x, y) if self.level == 1 else primitive(x, y)
        entries = self.entries
        if plan is not None:
            if plan.drops_first:
                entry = None if first is None else entries[first]
                x = shadow(x) if entry is None else entry[1]
            if plan.drops_second:
                entry = None if second is None else entries[second]
                y = shadow(y) if entry is None else entry[1]
            if plan.drops_ans and type(ans) is np.ndarray and ans.nbytes > SMALL:
                kept = self._shadow(ans)
        noted = (primitive, kept, x, y, first, second)
        node = len(entries)
        entries.append(noted)
        if entries[node] is not noted:
            node = self._place_of(noted, node)
        return Box(ans, node, self)

    def _shadow(self, x: np.ndarray[Any, Any]) -> Shadow:
        """What is kept of a result that no rule will read."""
        last = self.shadow
        if last is None or last.shape != x.shape or last.dtype is not x.dtype:
            last = self.shadow = Shadow(x)
        return last

    def _plain(self, primitive: Primitive, value: Any, read: bool) -> Any:
        """A value that is not of this tape, as it is now: the program may still write to it."""
        kind = type(value)
        if kind is np.ndarray:
            if not read and not value.dtype.hasobject:
                return value
            return keep_array(value, self.locked)
        if isinstance(value, Traced):
            return value.snapshot()  # type: ignore[attr-defined]
        if kind in _IMMUTABLE or (kind is tuple and _IMMUTABLE.issuperset(map(type, value))):
            return value
        return keep(operand(primitive.function, value), self.locked)

    def _taken_apart(self, args: tuple[Any, ...]) -> tuple[list[Any], list[int | None], int, bool]:
        """Values and nodes of arguments, which are traced (bits), and whether any needs keeping."""
        values: list[Any] = []
        parents: list[int | None] = []
        traced, bit, plain = 0, 1, False
        for arg in args:
            if isinstance(arg, Traced):
                if arg.owner is self:
                    values.append(arg.value)
                    parents.append(arg.node)
                    traced += bit
                    bit += bit
                    continue
                arg = arg.snapshot()  # type: ignore[attr-defined]
            elif type(arg) not in _IMMUTABLE:
                plain = True
            values.append(arg)
            parents.append(None)
            bit += bit
        return values, parents, traced, plain

    def _constant(self, primitive: Primitive, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """The result of a function without derivative: nothing is recorded."""
        values = [
            (arg.value if arg.owner is self else arg.snapshot())  # type: ignore[attr-defined]
            if isinstance(arg, Traced)
            else operand(primitive.function, arg)
            for arg in args
        ]
        evaluate = primitive.evaluate if self.level == 1 else primitive
        return evaluate(*values, **kwargs)

    def _keep_plain(
        self, primitive: Primitive, values: list[Any], parents: list[int | None], plan: Plan | None
    ) -> None:
        """Make sure of the values that are not traced: the program may still write to them."""
        unread = () if plan is None else plan.shadows
        for argnum, value in enumerate(values):
            if parents[argnum] is None and type(value) not in _IMMUTABLE:
                values[argnum] = self._plain(primitive, value, argnum not in unread)

    def _parts(self, ans: Any, node: int) -> tuple[Box, ...]:
        boxes = []
        for index, part in enumerate(ans):
            noted = (_part, part, [ans, index], {}, [node, None])
            self.entries.append(noted)
            boxes.append(Box(part, self._place_of(noted, node + 1 + index), self))
        return tuple(boxes)

    def _place_of(self, noted: Any, first: int) -> int:
        """The node of what has just been recorded: the first that it can be, or a later one."""
        while self.entries[first] is not noted:
            first += 1
        return first

    def pull(self, cotangents: dict[int, Any], *, consume: bool = False) -> dict[int, Any]:
        """Cotangents of the inputs, given those of some nodes (both by node).

        With `consume`, entries are let go as the walk passes them, and their memory with them.
        """
        entries = self.entries
        last = max(cotangents, default=-1)
        found: list[Any] = [None] * (last + 1)
        for node, cotangent in cotangents.items():
            found[node] = cotangent
        inputs: dict[int, Any] = {}
        waiting: dict[int, Stack] = {}
        for node in range(last, -1, -1):
            if node in waiting:
                stack = waiting.pop(node)
                if stack.rows:
                    c = stack.total()
                    _accumulate(found, node, c)
            g = found[node]
            entry = entries[node]
            if consume:
                entries[node] = None
            if g is None:
                continue
            found[node] = None
            if entry is None:
                inputs[node] = g
                continue
            primitive = entry[0]
            vjps = primitive.vjps
            try:
                if primitive.pullback is not None or primitive.add_into is not None:
                    _pull_any(found, g, *unpacked(entry))
                elif len(entry) == _UNARY:
                    _, ans, x, first = entry
                    c = vjps[0](g, ans, x)
                    if found[first] is None:
                        found[first] = c
                    else:
                        _accumulate(found, first, c)
                elif len(entry) == _BINARY:
                    _, ans, x, y, first, second = entry
                    stackings = primitive.stackings if self.stacks else None
                    if first is not None:
                        if found[first] is None:
                            found[first] = vjps[0](g, ans, x, y)
                        elif stackings is None or not _waits(
                            found, waiting, first, stackings[0], g, ans, x, y
                        ):
                            c = vjps[0](g, ans, x, y)
                            _accumulate(found, first, c)
                    if second is not None:
                        if found[second] is None:
                            found[second] = vjps[1](g, ans, x, y)
                        elif stackings is None or not _waits(
                            found, waiting, second, stackings[1], g, ans, x, y
                        ):
                            c = vjps[1](g, ans, x, y)
                            _accumulate(found, second, c)
                else:
                    _pull_any(found, g, *entry)
            except IndexError:
                _check_stated(primitive, unpacked(entry)[4])
                raise
        return inputs

    def push(self, tangents: dict[int, Any]) -> list[Any]:
        """Tangents of all nodes, given those of inputs (by node); None is zero."""
        found: list[Any] = [None] * len(self.entries)
        for node, tangent in tangents.items():
            found[node] = tangent
        for node, entry in enumerate(self.entries):
            if entry is None:
                continue
            primitive = entry[0]
            if len(entry) == _UNARY and len(primitive.jvps) > 0:
                _, ans, x, parent = entry
                d = found[parent]
                if d is not None:
                    found[node] = full(primitive.jvps[0](d, ans, x), ans)
            elif len(entry) == _BINARY and len(primitive.jvps) > 1:
                _, ans, x, y, first, second = entry
                d = None if first is None else found[first]
                e = None if second is None else found[second]
                found[node] = push_binary(primitive, d, e, ans, x, y)
            else:
                found[node] = _push_any(found, *unpacked(entry))
        return found


def _pull_any(
    found: list[Any],
    g: Any,
    primitive: Primitive,
    ans: Any,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    parents: Sequence[int | None],
) -> None:
    """Carry a cotangent on to the arguments of a call of whatever kind."""
    together = None
    if primitive.pullback is not None:
        argnums = [argnum for argnum, parent in enumerate(parents) if parent is not None]
        together = iter(primitive.pullback(argnums, g, ans, *args, **kwargs))
    for argnum, parent in enumerate(parents):
        if parent is None:
            continue
        if (
            primitive.add_into is not None
            and _is_own(found, parent)
            and primitive.add_into(found[parent], g, ans, *args, **kwargs)
        ):
            continue
        if together is not None:
            c = next(together)
        else:
            c = primitive.vjps[argnum](g, ans, *args, **kwargs)
        if found[parent] is None:
            found[parent] = c
        else:
            _accumulate(found, parent, c)


def _waits(
    found: list[Any],
    waiting: dict[int, Stack],
    node: int,
    stacking: Stacking,
    g: Any,
    ans: Any,
    x: Any,
    y: Any,
) -> bool:
    """Whether a contribution to the cotangent of a node has been put off, to be stacked."""
    factors = stacking.factors(g, ans, x, y)
    if factors is None:
        return False
    shape = factors[0].shape
    stack = waiting.get(node)
    if stack is None:
        stack = waiting[node] = Stack(stacking, len(shape))
    elif stack.stacking is not stacking or stack.ndim != len(shape):
        return False
    stack.parts.append(factors)
    stack.rows += shape[0] if len(shape) == 2 else 1
    if stack.rows >= ENOUGH:
        c = stack.total()
        _accumulate(found, node, c)
    return True


def _is_own(found: list[Any], node: int) -> bool:
    """Whether a cotangent is an array that nobody else holds."""
    p = found[node]
    return (
        type(p) is np.ndarray
        and getrefcount(p) <= _LISTED
        and p.base is None
        and p.flags.writeable
        and p.flags.c_contiguous
    )


def _accumulate(found: list[Any], node: int, c: Any) -> None:
    """Add to a cotangent that is there, in place where nobody else holds the array.

    The caller holds `c` in one variable.
    """
    p = found[node]
    # Of one layout, because the sum of two has another one when it is not taken in place, and what
    # a product makes of it then has other last bits: in place or not, the bits are to be the same.
    if (
        type(p) is np.ndarray is type(c)
        and p.shape == c.shape
        and p.strides == c.strides
        and p.dtype is c.dtype
    ):
        if getrefcount(p) <= _LISTED and p.base is None and p.flags.writeable:
            np.add(p, c, p)
        elif getrefcount(c) <= _HANDED and c.base is None and c.flags.writeable:
            found[node] = np.add(p, c, c)
        else:
            found[node] = p + c
    elif c is not None:
        found[node] = add(p, c)


def _check_stated(primitive: Primitive, parents: Sequence[int | None]) -> None:
    """Raise if an argument is traced for which there is no rule."""
    for argnum, parent in enumerate(parents):
        if parent is not None and argnum >= len(primitive.vjps):
            raise missing(primitive, argnum, "reverse") from None


def _push_any(
    found: list[Any],
    primitive: Primitive,
    ans: Any,
    args: Sequence[Any],
    kwargs: dict[str, Any],
    parents: Sequence[int | None],
) -> Any:
    """The tangent of the result of a call of whatever kind."""
    active = [
        (argnum, found[parent])
        for argnum, parent in enumerate(parents)
        if parent is not None and found[parent] is not None
    ]
    return push_forward(primitive, active, ans, args, kwargs) if active else None


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
    if primitive.pushforward is not None:
        return primitive.pushforward(dict(active), ans, *args, **kwargs)
    total: Any = None
    jvps = primitive.jvps
    for argnum, tangent in active:
        if argnum >= len(jvps):
            raise missing(primitive, argnum, "forward")
        total = add(total, jvps[argnum](tangent, ans, *args, **kwargs))
    return total if primitive.outputs else full(total, ans)


def push_binary(primitive: Primitive, first: Any, second: Any, ans: Any, x: Any, y: Any) -> Any:
    """`push_forward` of two arguments and their tangents, by rules alone; None is zero."""
    total = None if first is None else primitive.jvps[0](first, ans, x, y)
    if second is not None:
        total = add(total, primitive.jvps[1](second, ans, x, y))
    return full(total, ans)


def full(tangent: Any, ans: Any) -> Any:
    """A tangent in the shape of the value that it belongs to; None is zero."""
    if tangent is None:
        return None
    shape = ans.shape if type(ans) is np.ndarray else shape_of(ans)
    if (tangent.shape if type(tangent) is np.ndarray else shape_of(tangent)) != shape:
        return np.broadcast_to(tangent, shape)
    return tangent


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


def _reference_counts() -> tuple[int, int]:
    """What `getrefcount` says of an array in a list and a variable, and of an argument.

    The argument is in a variable of the caller. Interpreters differ: some lend a reference to a
    call, others count it.
    """

    def of_argument(c: Any) -> int:
        return getrefcount(c)

    listed = [np.empty(0)]
    p, c = listed[0], np.empty(0)
    return getrefcount(p), of_argument(c)


_LISTED, _HANDED = _reference_counts()


def _part_of(values: tuple[Any, ...], index: int) -> Any:
    return values[index]


_part = rule(
    Primitive(_part_of),
    vjps=[lambda g, ans, values, i: tuple(g if j == i else None for j in range(len(values)))],
    jvps=[lambda d, ans, values, i: d[i]],
)

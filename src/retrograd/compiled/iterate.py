"""`iterate` on JAX arrays: any map that is applied again and again, as compiled dynamics."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from retrograd.adjoints import Adjoint, StraightLine
from retrograd.backends.jax import JaxArrays
from retrograd.compiled.choice import chosen, strategy_for
from retrograd.compiled.dynamics import NO_ROOM, Computation, Dynamics, Room
from retrograd.compiled.isolated import isolated
from retrograd.compiled.problem import Function, array_inputs, traced_function
from retrograd.compiled.run import differentiable
from retrograd.errors import ArgumentError
from retrograd.training.diagnostics import Diagnostics
from retrograd.training.iteration import OBSTACLE

__all__ = ["Iteration", "IterationRun", "iterate"]

Leaves = list[Any]


def iterate(
    step: Callable[[Any, Any, Any], Any],
    x0: Any,
    params: Any,
    steps: int,
    adjoint: Adjoint,
    diagnostics: Diagnostics | None,
) -> Any:
    """The last state, an ordinary value of JAX; see `retrograd.iterate`."""
    run, inputs, state = _iteration_run(step, x0, params, steps)
    _check_line(adjoint, inputs[: len(state.keys)])
    adjoint = chosen(adjoint, run, inputs)
    strategy = strategy_for(adjoint, run, inputs, watched=diagnostics is not None)
    results = differentiable(run, strategy, inputs, diagnostics, adjoint)
    return state.rebuilt(results)


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Bars:
    """The adjoints of an iteration at one step.

    Attributes:
        state: of the leaves of the state that can have one, in their dtypes.
        inputs: of the wanted inputs of the map.
    """

    state: Leaves
    inputs: Leaves


class Iteration(Dynamics):
    """A map that is iterated, while JAX traces it. Its states are lists of arrays.

    Integers among them are carried along; they have no adjoints.

    Args:
        step: `step(leaves of x, inputs, t)`, the leaves of the next state.
        wide: whether the map is traced with 64-bit types, as in the caller's program.
        start: the leaves of the first state.
        inputs: what else enters the map.
        steps: how many steps.
        wanted: the numbers of what adjoints are wanted of: leaves and inputs in a row.
    """

    def __init__(
        self,
        step: Callable[[Leaves, Leaves, Any], Leaves],
        wide: bool,
        start: Sequence[Any],
        inputs: Sequence[Any],
        steps: int,
        wanted: Sequence[int] = (),
    ) -> None:
        self.step = step
        self.wide = wide
        self.start = start
        self.inputs = inputs
        self.steps = steps
        self.wanted = wanted
        self.smooth = [i for i, leaf in enumerate(start) if _is_smooth(leaf)]
        self.active = [i - len(start) for i in wanted if i >= len(start)]

    def first(self) -> Leaves:
        # With an explicit dtype: the type of a Python number would change within the loop.
        return [lax.convert_element_type(leaf, leaf.dtype) for leaf in self.start]

    def advance(self, state: Leaves, t: Any, after: Any = ()) -> tuple[Leaves, None]:
        def step(state: Leaves, inputs: Leaves, t: Any) -> tuple[Leaves, None]:
            return self.step(state, inputs, t), None

        # Steps that are taken again, in another loop, are to have their old bits.
        with jax.enable_x64(self.wide):
            state, _ = isolated(step, (state, list(self.inputs), t), after=after)
        return state, None

    def values(self, state: Leaves, t: Any) -> Leaves:
        return state

    def pull(self, values: Leaves, t: Any, bars: Bars, after: Any = None) -> Bars:
        def step(smooth: Leaves, wanted: Leaves) -> Leaves:
            given = _replaced(values, self.smooth, smooth)
            found = self.step(given, _replaced(self.inputs, self.active, wanted), t)
            return [found[i] for i in self.smooth]

        smooth, wanted = _taken(values, self.smooth), _taken(self.inputs, self.active)
        with jax.enable_x64(self.wide):
            _, pullback = jax.vjp(step, smooth, wanted)
            state, rises = pullback(bars.state)
        return Bars(state, [a + b for a, b in zip(bars.inputs, rises, strict=True)])

    def norm(self, bars: Bars) -> Any:
        squares = [jnp.sum(jnp.abs(bar) ** 2).astype(jnp.float64) for bar in bars.state]
        return jnp.sqrt(sum(squares))

    def result(self, state: Leaves) -> Leaves:
        """The last state."""
        return list(state)

    def start_of_bars(self, cotangents: Sequence[Any]) -> Bars:
        """The adjoints at the last step."""
        inputs = [jnp.zeros_like(x) for x in _taken(self.inputs, self.active)]
        return Bars(_taken(cotangents, self.smooth), inputs)

    def cut(self, bars: Bars) -> Bars:
        return replace(bars, state=[jnp.zeros_like(bar) for bar in bars.state])

    def found(self, bars: Bars) -> Leaves:
        of_leaves = dict(zip(self.smooth, bars.state, strict=True))
        wanted = [i for i in self.wanted if i < len(self.start)]
        return [*(of_leaves[i] for i in wanted), *bars.inputs]

    def differing(self, state: Leaves, other: Leaves) -> Any:
        pairs = zip(state, other, strict=True)
        return sum((jnp.sum(a != b, dtype=jnp.int32) for a, b in pairs), jnp.int32(0))


@dataclass(frozen=True)
class IterationRun(Computation):
    """An iteration before it is traced.

    Its inputs are the leaves of the first state, and what else enters the map.

    Attributes:
        step: traced.
        wide: whether the caller's program has 64-bit types.
        counts: how many leaves and how many other inputs there are.
        steps: how many steps.
    """

    step: Function
    wide: bool
    counts: tuple[int, int]
    steps: int
    name = "iterate"
    arithmetic = "floats"

    @property
    def obstacle(self) -> str | None:
        return OBSTACLE

    @property
    def key(self) -> tuple[Any, ...]:
        return ("iterate", self.step.key, self.wide, self.counts, self.steps)

    def dynamics(
        self, inputs: Sequence[Any], wanted: Sequence[int] = (), room: Room = NO_ROOM
    ) -> Iteration:
        leaves = self.counts[0]
        start, others = list(inputs[:leaves]), list(inputs[leaves:])
        return Iteration(self._step, self.wide, start, others, self.steps, wanted)

    def _step(self, leaves: Leaves, inputs: Leaves, t: Any) -> Leaves:
        count = len(inputs) - len(self.step.constants)
        return self.step(inputs[count:], *leaves, *inputs[:count], t)


@dataclass(frozen=True)
class _State:
    """How the container of the state and flat lists of numbers are made of each other.

    Attributes:
        structure: of the container.
        names: of its leaves, for messages.
        keys: for each leaf the generator that it is a key of, or None where it holds numbers.
    """

    structure: Any
    names: Sequence[str]
    keys: Sequence[Any]

    def rebuilt(self, leaves: Sequence[Any]) -> Any:
        """The container."""
        typed = [
            leaf if key is None else jax.random.wrap_key_data(leaf, impl=key)
            for leaf, key in zip(leaves, self.keys, strict=True)
        ]
        return jax.tree.unflatten(self.structure, typed)

    def flat(self, x: Any) -> Leaves:
        """The leaves of a next state, keys as numbers, which a compiled run can stack and compare.

        Raises:
            ArgumentError: the container is another one.
        """
        leaves, structure = jax.tree.flatten(x)
        if structure != self.structure:
            raise ArgumentError(
                f"step: it returned another container than it was given ({structure} instead of "
                f"{self.structure}); return the next state in the form of x0"
            )
        return [_bare(jnp.asarray(leaf)) for leaf in leaves]


def _iteration_run(
    step: Callable[[Any, Any, Any], Any], x0: Any, params: Any, steps: int
) -> tuple[IterationRun, Leaves, _State]:
    """The computation, its inputs, and the form of the state."""
    given, structure = jax.tree.flatten(x0)
    names = JaxArrays.leaf_names(x0)
    typed = [_array(leaf, name) for leaf, name in zip(given, names, strict=True)]
    state = _State(structure, names, [_generator(leaf) for leaf in typed])
    leaves = [_bare(leaf) for leaf in typed]
    if not any(map(_is_smooth, leaves)):
        raise ArgumentError("x0: it holds no float array; give the first state, in floats")
    others, rebuilt = array_inputs(params)

    def flat(*arrays: Any) -> Leaves:
        x = state.rebuilt(arrays[: len(leaves)])
        return state.flat(step(x, rebuilt(arrays[len(leaves) : -1]), arrays[-1]))

    function = traced_function(flat, step, *leaves, *others, jnp.int32(0))
    _check_next(function.closed.out_avals, leaves, names)
    inputs = [*others, *map(jnp.asarray, function.constants)]
    wide = bool(jax.config.read("jax_enable_x64"))
    run = IterationRun(function, wide, (len(leaves), len(inputs)), steps)
    return run, [*leaves, *inputs], state


def _array(leaf: Any, name: str) -> Any:
    try:
        return jnp.asarray(leaf)
    except TypeError as error:
        raise ArgumentError(
            f"x0: {name} is {leaf!r:.40} ({type(leaf).__name__}); give a state of arrays"
        ) from error


def _check_next(found: Sequence[Any], leaves: Sequence[Any], names: Sequence[str]) -> None:
    """Refuse a next state whose leaves are not like those before."""
    for name, before, after in zip(names, leaves, found, strict=True):
        if (before.dtype, before.shape) != (after.dtype, after.shape):
            raise ArgumentError(
                f"step: it returned {after.dtype} of shape {after.shape} for {name}, which was "
                f"{before.dtype} of shape {before.shape}; keep shapes and dtypes (give x0 in those "
                "of the result)"
            )


def _check_line(adjoint: Adjoint, leaves: Sequence[Any]) -> None:
    """Refuse a straight line between states that hold integers."""
    whole = [leaf for leaf in leaves if not _is_smooth(leaf)]
    if isinstance(adjoint, StraightLine) and whole:
        raise ArgumentError(
            f"adjoint: {adjoint!r} draws a line from the first state to the last, and x0 holds "
            f"{whole[0].dtype}; compute integers and keys from t, which step is given, or use "
            "another adjoint"
        )


def _is_smooth(leaf: Any) -> bool:
    """Whether a leaf can have a derivative."""
    return jnp.issubdtype(leaf.dtype, jnp.inexact)


def _is_key(leaf: Any) -> bool:
    return jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)


def _generator(leaf: Any) -> Any:
    return jax.random.key_impl(leaf) if _is_key(leaf) else None


def _bare(leaf: Any) -> Any:
    return jax.random.key_data(leaf) if _is_key(leaf) else leaf


def _taken(values: Sequence[Any], places: Sequence[int]) -> Leaves:
    return [values[i] for i in places]


def _replaced(values: Sequence[Any], places: Sequence[int], by: Sequence[Any]) -> Leaves:
    found = list(values)
    for i, value in zip(places, by, strict=True):
        found[i] = value
    return found

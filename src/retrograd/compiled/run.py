"""A compiled run as one differentiable function of JAX: forwards, the sweep, and what is checked.

The forward run and the sweep are compiled once for a computation, a strategy, and the shapes of
the inputs. Outside of transformations errors are raised at once. Inside `jax.jit` results become
NaN, and the compiled program fails with the error's text, so that no wrong number leaves it.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from time import perf_counter
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.custom_derivatives import SymbolicZero

from retrograd.adjoints import Adjoint
from retrograd.backends.jax import is_traced, own_types
from retrograd.compiled.dynamics import NO_ROOM, Computation, Room
from retrograd.compiled.known import known
from retrograd.compiled.report import Sizes, certificate, forward_error, sweep_error
from retrograd.compiled.scales import WORD, rows_for
from retrograd.compiled.strategies import Forward, ReversibleStrategy, Strategy, Sweep
from retrograd.compiled.words import narrowed, on_host, widened
from retrograd.errors import ArgumentError, DifferentiationError
from retrograd.training.diagnostics import Diagnostics

__all__ = ["CompiledRun", "differentiable"]

# How many computations keep their compiled programs.
_KEPT = 64


class CompiledRun:
    """The compiled programs of one computation and one strategy."""

    def __init__(self, computation: Computation, strategy: Strategy) -> None:
        self.computation = computation
        self.strategy = strategy

    def plain(self, inputs: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """The results without a sweep to follow, and the faults."""
        with own_types():
            return self._plain(list(inputs))

    def bits(self, inputs: Sequence[Any], starts: tuple[int, ...] = (0,)) -> dict[str, Any]:
        """The bits that tapes take, by slot; plain numbers where the factors are known."""
        with own_types():
            # Without their derivatives, numbers that `jax.grad` traces are known.
            plain = [lax.stop_gradient(x) for x in inputs]
            return known(lambda given: self._bits(given, starts), plain)

    def forward(
        self, inputs: Sequence[Any], wanted: tuple[int, ...], room: Room
    ) -> tuple[list[Any], dict[str, Any], Forward]:
        """The results, the faults, and what the sweep needs, in types of 32 bits.

        Which adjoints will be wanted decides about the code of the gradient, and so of its bits.
        """
        with own_types():
            return self._forward(list(inputs), wanted, room)

    def sweep(
        self,
        inputs: Sequence[Any],
        wanted: tuple[int, ...],
        room: Room,
        run: Forward,
        cotangents: Sequence[Any],
    ) -> tuple[list[Any], dict[str, Any]]:
        """The adjoints of the wanted inputs, and what was found on the way."""
        with own_types():
            return self._sweep(list(inputs), wanted, room, run, list(cotangents))

    @cached_property
    def _plain(self) -> Callable[..., Any]:
        def plain(inputs: list[Any]) -> Any:
            dynamics = self.computation.dynamics(inputs)

            def body(t: Any, state: Any) -> Any:
                return dynamics.advance(state, t)[0]

            steps = jnp.int32(dynamics.steps)
            state = lax.fori_loop(jnp.int32(0), steps, body, dynamics.first())
            return dynamics.result(state), dynamics.faults(state)

        return jax.jit(plain)

    @cached_property
    def _bits(self) -> Callable[..., Any]:
        @partial(jax.jit, static_argnums=1)
        def bits(inputs: list[Any], starts: tuple[int, ...]) -> Any:
            return self.computation.dynamics(inputs).bits(starts)

        return bits

    @cached_property
    def _forward(self) -> Callable[..., Any]:
        @partial(jax.jit, static_argnums=(1, 2))
        def forward(inputs: list[Any], wanted: tuple[int, ...], room: Room) -> Any:
            dynamics = self.computation.dynamics(inputs, wanted, room)
            run = self.strategy.forward(dynamics)
            return dynamics.result(run.state), dynamics.faults(run.state), narrowed(run)

        return forward

    @cached_property
    def _sweep(self) -> Callable[..., Any]:
        @partial(jax.jit, static_argnums=(1, 2))
        def sweep(
            inputs: list[Any],
            wanted: tuple[int, ...],
            room: Room,
            run: Forward,
            cotangents: list[Any],
        ) -> Any:
            dynamics = self.computation.dynamics(inputs, wanted, room)
            bars = dynamics.start_of_bars(cotangents)
            result: Sweep = self.strategy.back(dynamics, widened(run), bars)
            found = dynamics.found(result.bars)
            finite = jnp.stack([jnp.all(jnp.isfinite(bar)) for bar in found]).all()
            last, first = dynamics.norm(bars), dynamics.norm(result.bars)
            seen = {
                "wrong": result.wrong,
                "differing": result.differing,
                "finite": finite,
                "faults": dynamics.faults(widened(run).state),
                "growth": _growth(first, last).astype(jnp.float32),
                "norms": None if result.norms is None else result.norms.astype(jnp.float32),
            }
            return found, seen

        return sweep


def _growth(first: Any, last: Any) -> Any:
    """The quotient of two norms; -1 where that of the last adjoint is 0."""
    # Not NaN, which a user may have asked JAX to search for.
    return jnp.where(last > 0, first / jnp.where(last > 0, last, 1.0), -1.0)


_RUNS: OrderedDict[Any, CompiledRun] = OrderedDict()


def compiled_run(computation: Computation, strategy: Strategy) -> CompiledRun:
    """The run, compiled already if an equal one was asked for lately."""
    key = (computation.key, strategy.key)
    run = _RUNS.pop(key, None) or CompiledRun(computation, strategy)
    _RUNS[key] = run
    if len(_RUNS) > _KEPT:
        _RUNS.popitem(last=False)
    return run


@dataclass(frozen=True)
class _Residual:
    """What the sweep is handed by the forward run.

    Attributes:
        inputs: of the run.
        run: what it kept.
        results: of it.
        wanted: the numbers of the inputs whose adjoints are asked for.
        room: for tapes.
    """

    inputs: list[Any]
    run: Forward
    results: list[Any]
    wanted: tuple[int, ...]
    room: Room


jax.tree_util.register_dataclass(_Residual, ["inputs", "run", "results"], ["wanted", "room"])


def differentiable(
    computation: Computation,
    strategy: Strategy,
    inputs: Sequence[Any],
    diagnostics: Diagnostics | None,
    adjoint: Adjoint,
) -> list[Any]:
    """The results of a computation, as one differentiable operation of JAX.

    Args:
        computation: which.
        strategy: how the sweep gets the states back.
        inputs: numbered arrays.
        diagnostics: filled in, if given.
        adjoint: what the strategy stands for, for messages.
    """
    _check_places(inputs)
    compiled = compiled_run(computation, strategy)
    call = _Call(compiled, diagnostics, repr(adjoint))

    @jax.custom_vjp
    def results(inputs: list[Any]) -> list[Any]:
        return call.plain(inputs)

    def forward(inputs: list[Any]) -> tuple[list[Any], _Residual]:
        residual = call.forward(
            [x.value for x in inputs], tuple(i for i, x in enumerate(inputs) if x.perturbed)
        )
        return residual.results, residual

    def backward(residual: _Residual, cotangents: list[Any]) -> tuple[list[Any]]:
        given = [
            jnp.zeros(x.shape, x.dtype) if isinstance(bar, SymbolicZero) else bar
            for bar, x in zip(cotangents, residual.results, strict=True)
        ]
        found = dict(zip(residual.wanted, _once(call.sweep)(residual, given), strict=True))
        return ([found.get(i) for i in range(len(residual.inputs))],)

    results.defvjp(forward, backward, symbolic_zeros=True)
    try:
        return results(list(inputs))
    except TypeError as error:
        if "can't apply forward-mode" not in str(error):
            raise
        raise DifferentiationError(
            "train and iterate were differentiated in forward mode (jax.jvp, jax.jacfwd), which "
            "they do not have: take jax.grad, jax.vjp or jax.jacrev"
        ) from error


def _check_places(inputs: Sequence[Any]) -> None:
    """Refuse the parts that an uncompiled or checked `jax.shard_map` hands on."""
    if any(type(x).__name__ == "ShardMapTracer" or _varies(x) for x in inputs):
        raise ArgumentError(
            "train and iterate were called inside of jax.shard_map: give it check_vma=False, "
            "because JAX cannot tell what of a compiled run varies between devices, and put "
            "jax.jit around it"
        )


def _varies(x: Any) -> bool:
    kind = jax.typeof(x)
    axes = getattr(kind, "manual_axis_type", None)
    # Earlier versions of JAX call it so.
    return bool(getattr(kind, "vma", ()) if axes is None else axes.varying)


def _once(sweep: Callable[..., list[Any]]) -> Callable[..., list[Any]]:
    """The sweep, which refuses to be differentiated itself."""
    guarded = jax.custom_jvp(sweep)

    @guarded.defjvp
    def _refuse(primals: Any, tangents: Any) -> NoReturn:
        raise DifferentiationError(
            "train and iterate were differentiated twice: the backward sweep has no derivative of "
            "its own. Take one derivative through it, or hand the inner one its arguments through "
            "jax.lax.stop_gradient"
        )

    return guarded


class _Call:
    """One call: what its two passes share besides arrays."""

    def __init__(
        self, compiled: CompiledRun, diagnostics: Diagnostics | None, adjoint: str
    ) -> None:
        self.compiled = compiled
        self.computation = compiled.computation
        self.diagnostics = diagnostics
        self.adjoint = adjoint

    def plain(self, inputs: Sequence[Any]) -> list[Any]:
        _check_places(inputs)
        if self.diagnostics is not None:  # the run that a sweep can follow notes the losses
            return self.forward(list(inputs), ()).results
        results, faults = self.compiled.plain(inputs)
        return _settled(results, faults, self._forward_error(inputs))

    def forward(self, inputs: list[Any], wanted: tuple[int, ...]) -> _Residual:
        _check_places(inputs)
        started = perf_counter()
        strategy = self.compiled.strategy
        retreats = isinstance(strategy, ReversibleStrategy)
        room = self._room(inputs, strategy) if retreats else NO_ROOM
        results, faults, run = self.compiled.forward(inputs, wanted, room)
        results = _settled(results, faults, self._forward_error(inputs))
        if self.diagnostics is not None:
            _told(self._begin, (run.losses, perf_counter() - started), [*results, run.losses])
        return _Residual(inputs, run, results, wanted, room)

    def sweep(self, residual: _Residual, cotangents: Sequence[Any]) -> list[Any]:
        started = perf_counter()
        inputs, run, wanted = residual.inputs, residual.run, residual.wanted
        found, seen = self.compiled.sweep(inputs, wanted, residual.room, run, cotangents)
        found = [bar.astype(inputs[i].dtype) for i, bar in zip(wanted, found, strict=True)]
        found = _settled(found, seen, self._sweep_error)
        if self.diagnostics is not None:
            noted = {**seen, "marks": run.marks.bits}
            end = partial(self._end, Sizes.of(residual.results, run))
            _told(end, (noted, perf_counter() - started), [*found, noted])
        return found

    def _room(self, inputs: Sequence[Any], strategy: ReversibleStrategy) -> Room:
        """As much as the decays need, if they are known; else as much as was asked for."""
        steps = self.computation.steps
        starts = strategy.starts(steps)
        rows: dict[str, tuple[int, ...]] = {}
        for slot, bits in self.compiled.bits(inputs, starts).items():
            if is_traced(bits):
                count = math.ceil(strategy.room * math.ceil(steps / len(starts)) / WORD)
                rows[slot] = (count + 2,) * bits.shape[0]
            else:
                rows[slot] = rows_for(np.asarray(bits))
        return Room(starts, tuple(rows.items()))

    def _forward_error(self, inputs: Sequence[Any]) -> Callable[[dict[str, Any]], Exception | None]:
        if any(map(is_traced, inputs)):
            return self.computation.fault
        return partial(forward_error, self.computation, inputs)

    def _sweep_error(self, seen: dict[str, Any]) -> Exception | None:
        # Under `jit` nothing says which of the two passes is looked at first.
        fault = self.computation.fault(seen["faults"])
        return fault or sweep_error(seen, self.computation, self.adjoint)

    def _begin(self, losses: Any, seconds: float) -> None:
        assert self.diagnostics is not None
        self.diagnostics.begin([] if losses is None else on_host(losses).tolist(), seconds)

    def _end(self, sizes: Sizes, seen: dict[str, Any], seconds: float) -> None:
        assert self.diagnostics is not None
        strategy, steps = self.compiled.strategy, self.computation.steps
        norms = [] if seen["norms"] is None else np.asarray(seen["norms"]).tolist()
        found = certificate(seen, steps, self.adjoint, strategy, sizes)
        self.diagnostics.end(norms[:-1], seconds, found)


def _settled(
    results: list[Any], flags: dict[str, Any], error: Callable[[dict[str, Any]], Exception | None]
) -> list[Any]:
    """The results, if nothing is wrong; otherwise an error, or NaN and an error within `jit`."""
    if not flags:
        return results
    if not any(map(is_traced, jax.tree.leaves((results, flags)))):
        found = error(jax.tree.map(np.asarray, flags))
        if found is not None:
            raise found
        return results

    def check(flags: dict[str, Any]) -> Any:
        found = error(jax.tree.map(np.asarray, flags))
        if found is not None:
            raise found
        return np.bool_(True)

    kind = jax.ShapeDtypeStruct((), jnp.bool_)
    right = jax.pure_callback(check, kind, flags, vmap_method="sequential")
    return [
        jnp.where(right, x, jnp.nan) if jnp.issubdtype(x.dtype, jnp.inexact) else x for x in results
    ]


def _told(tell: Callable[..., None], what: tuple[Any, float], arrays: Any) -> None:
    """Hand numbers to the diagnostics: at once, or from within a compiled program."""
    numbers, seconds = what
    if any(map(is_traced, jax.tree.leaves(arrays))):
        jax.debug.callback(lambda numbers: tell(numbers, math.nan), numbers)
        return
    tell(jax.tree.map(np.asarray, jax.block_until_ready(numbers)), seconds)

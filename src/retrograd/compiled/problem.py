"""What is trained in a compiled run: `train`'s arguments as numbered arrays and a computation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, jaxpr_as_fun

from retrograd.backends.jax import JaxArrays, is_traced
from retrograd.compiled.dynamics import NO_ROOM, Computation, Room
from retrograd.compiled.parts import parts_of
from retrograd.compiled.programs import has_complex, has_own_rules, key_of
from retrograd.compiled.readings import Readings
from retrograd.compiled.scales import SMALLEST
from retrograd.compiled.training import Training
from retrograd.errors import ArgumentError, LatticeOverflowError, NonFiniteError
from retrograd.lattice import Layout
from retrograd.optimizers import Decay, Optimizer, table
from retrograd.optimizers.program import RaiseTo
from retrograd.training.arguments import layout_of

__all__ = ["Function", "TrainingRun", "array_inputs", "traced_function", "training_run"]


@dataclass(frozen=True)
class Function:
    """A user's function of pytrees, traced once: a program on flat lists of arrays.

    Attributes:
        closed: the program. Its constants are inputs, so that no array is compiled in.
        constants: the arrays that the function used without being handed them; some may be traced.
        key: what tells it from others.
    """

    closed: ClosedJaxpr
    constants: list[Any]
    key: tuple[Any, ...]

    def __call__(self, constants: Sequence[Any], *args: Any) -> list[Any]:
        """The results, given the constants and the flat arguments."""
        return jaxpr_as_fun(ClosedJaxpr(self.closed.jaxpr, list(constants)))(*args)


def traced_function(function: Callable[..., Any], who: Any, *args: Any) -> Function:
    """Trace a function of flat lists.

    Args:
        function: of these arguments.
        who: the user's function, which is a part of the key.
        args: lists of arrays.
    """
    closed = jax.make_jaxpr(function)(*args)
    # What is traced is not all of a function, so the function itself is a part of the key.
    return Function(closed, list(closed.consts), (_identity(who), *key_of(closed)))


def _identity(who: Any) -> Any:
    """The function where it can be a key, which keeps it alive; else its number."""
    try:
        hash(who)
    except TypeError:
        return id(who)
    return who


def array_inputs(tree: Any) -> tuple[list[Any], Callable[[Sequence[Any]], Any]]:
    """The leaves of a pytree that are arrays or floats, and how the tree is made of them again.

    Integers, booleans, strings and other objects stay what they are, so that a loss can loop over
    a count or choose by a name.
    """
    leaves, structure = jax.tree.flatten(tree)
    places = [i for i, leaf in enumerate(leaves) if _is_numeric(leaf)]

    def rebuilt(values: Sequence[Any]) -> Any:
        every = list(leaves)
        for i, value in zip(places, values, strict=True):
            every[i] = value
        return jax.tree.unflatten(structure, every)

    return [jnp.asarray(leaves[i]) for i in places], rebuilt


def _is_numeric(leaf: Any) -> bool:
    if isinstance(leaf, jax.Array | float | complex):
        return True
    return isinstance(leaf, np.ndarray | np.generic) and leaf.dtype.kind in "fciub"


@dataclass(frozen=True)
class TrainingRun(Computation):
    """A training run before it is traced.

    Its inputs are the leaves of the weights, what else enters the loss, and the tables of the
    optimizer's hyperparameters that transformations may see.

    Attributes:
        readings: of the optimizer.
        loss: traced.
        wide: whether the caller's program has 64-bit types.
        counts: how many leaves of weights and how many other inputs of the loss there are.
        tables: for each hyperparameter its plain table, or None where it is an input.
        steps: how many steps.
        name: the optimizer's.
    """

    readings: Readings
    loss: Function
    wide: bool
    counts: tuple[int, int]
    tables: Mapping[str, np.ndarray[Any, Any] | None]
    steps: int
    name: str

    @property
    def obstacle(self) -> str | None:
        program = self.readings.program
        if any(isinstance(statement, RaiseTo) for statement in program.statements):
            return (
                "in JAX the tape has one length for all elements, and how many bits its maximum "
                "loses differs from one to the next"
            )
        return program.obstacle()

    @property
    def key(self) -> tuple[Any, ...]:
        optimizer = self.readings.optimizer
        plain = tuple(
            (name, None if table is None else (table.shape, table.tobytes()))
            for name, table in self.tables.items()
        )
        radixes = tuple(sorted(optimizer.slot_radixes().items()))
        words = tuple(sorted(optimizer.slot_words().items()))
        program = (optimizer.program, tuple(optimizer.program.starts), radixes, words)
        return (self.loss.key, program, self.wide, self.counts, plain, self.steps, self.name)

    def dynamics(
        self, inputs: Sequence[Any], wanted: Sequence[int] = (), room: Room = NO_ROOM
    ) -> Training:
        leaves, others = self.counts
        traced = iter(inputs[leaves + others :])
        # The tables that are inputs come first, as they are numbered.
        order = sorted(self.tables, key=lambda name: self.tables[name] is not None)
        tables = {}
        for name in order:
            plain = self.tables[name]
            tables[name] = jnp.asarray(next(traced) if plain is None else plain)
        return Training(
            self.readings,
            self._loss,
            self.wide,
            inputs[:leaves],
            inputs[leaves : leaves + others],
            tables,
            self.steps,
            wanted,
            room,
            by_rules=has_own_rules(self.loss.closed) or has_complex(self.loss.closed),
        )

    def _loss(self, weights: list[Any], inputs: list[Any], t: Any) -> Any:
        count = self.counts[1] - len(self.loss.constants)
        return self.loss(inputs[count:], *weights, *inputs[:count], t)[0]

    def fault(self, faults: Mapping[str, Any]) -> Exception | None:
        low, high = faults["factors"].tolist()
        if not (low >= SMALLEST and high <= 1):
            wrong = low if not low >= SMALLEST else high
            return ArgumentError(
                f"{self.name}: a slot would be multiplied by {wrong:.6g}; give what makes every "
                f"factor a number from {SMALLEST:.2g} to 1 (without momentum, use SGD)"
            )
        if bool(faults["full"]):
            return ArgumentError(
                f"{self.name}: the tape is full. Inside jax.jit the factors are not known when "
                "memory is set aside for it: give Reversible(bits=...), the bits per element and "
                "step that there shall be room for, log2(1 / factor) on average"
            )
        return self._lost(faults["lost"])

    def first_fault(self, seen: Mapping[str, Any], t: int) -> Exception | None:
        if not np.isfinite(seen["loss"]):
            return NonFiniteError(
                f"the loss is {float(seen['loss'])} at step {t}: lower the rate or the scale of "
                "the initial weights, or look for a division by zero or logarithm in the loss"
            )
        if not np.all(seen["finite"]):
            part = self.readings.parts.name(int(np.argmin(seen["finite"])))
            return NonFiniteError(
                f"the gradient is not finite at step {t}, {part}, though the loss is: look for a "
                "root, logarithm, quotient or norm at zero in the loss"
            )
        return self._lost(seen["lost"], f" at step {t}" if t >= 0 else " at the start")

    def _lost(self, lost: Any, where: str = "") -> Exception | None:
        """The error of slots and parts that have left the range, named in the program's order."""
        if not np.any(lost):
            return None
        slots = list(self.readings.lattices)
        order = [slots.index(s.slot) for s in self.readings.program.statements]
        slot = next(i for i in (*order, *range(len(slots))) if np.any(lost[i]))
        lattice = self.readings.lattices[slots[slot]]
        return LatticeOverflowError(
            f"slot {slots[slot]!r}, {self.readings.parts.name(int(np.argmax(lost[slot])))}, was "
            f"NaN, infinite, or outside the lattice's range{where}: magnitudes below "
            f"{2.0**62 / lattice.unit:.6g} at radix {lattice.digits}. Lower the rate if the "
            "training diverges, look for a division by zero, logarithm or root at zero in the "
            "loss, or choose a smaller radix"
        )


def training_run(
    loss: Callable[[Any, Any, Any], Any], w0: Any, hyper: Any, optimizer: Optimizer, steps: int
) -> tuple[TrainingRun, list[Any], Any]:
    """The computation, its numbered inputs, and the structure of the weights.

    Args:
        loss: as in `train`.
        w0: as in `train`.
        hyper: as in `train`.
        optimizer: as in `train`.
        steps: as in `train`.
    """
    backend = JaxArrays()
    leaves, structure = jax.tree.flatten(w0)
    layout = layout_of(leaves, backend.leaf_names(w0), backend)
    weights = [jnp.asarray(leaf) for leaf in leaves]
    others, rebuilt = array_inputs(hyper)

    def flat(*arrays: Any) -> Any:
        w = jax.tree.unflatten(structure, arrays[: len(weights)])
        return loss(w, rebuilt(arrays[len(weights) : -1]), arrays[-1])

    function = traced_function(flat, loss, *weights, *others, jnp.int32(0))
    _check_loss(function)
    tables = _tables(optimizer, layout, structure, steps, backend)
    inputs = [jnp.asarray(x) for x in tables.values() if isinstance(x, jax.Array)]
    plain = {name: None if isinstance(x, jax.Array) else x for name, x in tables.items()}
    wide = bool(jax.config.read("jax_enable_x64"))
    everything = [*others, *map(jnp.asarray, function.constants)]
    run = TrainingRun(
        Readings(optimizer, parts_of(layout, [w.dtype for w in weights])),
        function,
        wide,
        (len(weights), len(everything)),
        plain,
        steps,
        optimizer.name,
    )
    return run, [*weights, *everything, *inputs], structure


def _check_loss(function: Function) -> None:
    found = function.closed.out_avals
    if len(found) != 1 or found[0].shape != () or not jnp.issubdtype(found[0].dtype, jnp.floating):
        shown = ", ".join(str(aval) for aval in found) or "nothing"
        raise ArgumentError(
            f"loss: it returned {shown}; give a function whose result is one real number, such as "
            "jnp.mean(...)"
        )


def _tables(
    optimizer: Optimizer, layout: Layout, structure: Any, steps: int, backend: Any
) -> dict[str, Any]:
    tables: dict[str, Any] = {}
    for name, given in optimizer.hyperparameters().items():
        found = table(name, given, layout=layout, structure=structure, steps=steps, backend=backend)
        _check_columns(optimizer, name, found, layout)
        if not is_traced(found):
            optimizer.check(name, np.asarray(found, np.float64))
        tables[name] = found
    return tables


def _check_columns(optimizer: Optimizer, name: str, found: Any, layout: Layout) -> None:
    """Refuse a decay for each element: the bits that it loses would differ from one to the next."""
    decays = {n for s in optimizer.program.statements if isinstance(s, Decay) for n in s.reads}
    if name in decays and found.shape[1] == layout.size > len(layout):
        raise ArgumentError(
            f"{name}: one number per element was given, and {optimizer.name} multiplies a slot by "
            "what is computed from it; in JAX give one number, or one per leaf (per_leaf), also "
            "per step"
        )

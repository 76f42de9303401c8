"""The compiled strategy that an adjoint stands for, and the planner's choice of an adjoint."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from retrograd.adjoints import (
    Adjoint,
    Auto,
    Checkpointed,
    Reversible,
    Stored,
    StraightLine,
    Truncated,
)
from retrograd.adjoints.planner import Choice, Needs, choose, in_units
from retrograd.adjoints.schedule import least_slots
from retrograd.backends.jax import is_traced
from retrograd.compiled.dynamics import Computation, Dynamics, Room
from retrograd.compiled.run import compiled_run
from retrograd.compiled.scales import rows_for
from retrograd.compiled.strategies import (
    CheckpointedStrategy,
    ReversibleStrategy,
    StoredStrategy,
    StraightLineStrategy,
    Strategy,
    TruncatedStrategy,
)
from retrograd.errors import ArgumentError

__all__ = ["chosen", "strategy_for"]


def strategy_for(
    adjoint: Adjoint, computation: Computation, inputs: Sequence[Any], *, watched: bool
) -> Strategy:
    """The strategy.

    Args:
        adjoint: as it was given, or as `chosen` made it.
        computation: of the run.
        inputs: of the computation.
        watched: whether losses and norms are noted.

    Raises:
        ArgumentError: the adjoint has no compiled form.
        NotReversibleError: the computation cannot be run backwards, as the adjoint would.
    """
    adjoint.check(computation.name, computation.obstacle)
    if isinstance(adjoint, Stored):
        return StoredStrategy(watched=watched)
    if isinstance(adjoint, Reversible):
        return ReversibleStrategy(adjoint.checkpoints, adjoint.bits, watched=watched)
    if isinstance(adjoint, Checkpointed):
        slots = _slots(adjoint, computation, inputs)
        return CheckpointedStrategy(min(slots, computation.steps), watched=watched)
    if isinstance(adjoint, StraightLine):
        return StraightLineStrategy(watched=watched)
    if isinstance(adjoint, Truncated):
        return TruncatedStrategy(adjoint.steps, watched=watched)
    raise ArgumentError(
        f"adjoint: {adjoint!r} has no compiled form for JAX; use Reversible(), Checkpointed(), "
        "Stored(), Auto(memory), StraightLine() or Truncated(k), or train on NumPy arrays"
    )


def _slots(adjoint: Checkpointed, computation: Computation, inputs: Sequence[Any]) -> int:
    if adjoint.on_disk:
        raise ArgumentError(
            f"adjoint: {adjoint!r} keeps states in files, which a compiled run cannot write; give "
            "slots or memory"
        )
    if adjoint.slots is not None:
        return adjoint.slots
    if adjoint.budget is None:
        return least_slots(computation.steps + 1, 2)
    size = computation.nbytes(inputs, _state)
    if size > adjoint.budget:
        raise ArgumentError(
            f"adjoint: {adjoint!r} does not hold one state of {size:,} bytes; give more memory"
        )
    return int(adjoint.budget // size)


def chosen(adjoint: Adjoint, computation: Computation, inputs: Sequence[Any]) -> Adjoint:
    """The adjoint itself; for `Auto`, the one that fits into its memory, which it prints.

    The bytes follow from the shapes and, for the tape, from the factors of the decays. Inside
    `jax.jit` factors that depend on its arguments are not known; then no tape is chosen, because it
    might turn out to be full in the middle of the run.

    Args:
        adjoint: as it was given.
        computation: of the run.
        inputs: of the computation.

    Raises:
        ArgumentError: not even one state fits.
    """
    if not isinstance(adjoint, Auto):
        return adjoint
    if not any(map(is_traced, inputs)):
        # Nothing follows that would need what is kept.
        return Stored()
    choice = choose(_needs(adjoint, computation, inputs), adjoint.budget)
    made = _made(choice)
    if not adjoint.quiet:
        print(
            f"Auto: {made!r} because {choice.because}; predicted {in_units(choice.nbytes)}, about "
            f"{choice.trainings:.1f} forward runs",
            file=sys.stderr,
            flush=True,
        )
    return made


def _needs(adjoint: Auto, computation: Computation, inputs: Sequence[Any]) -> Needs:
    """What the run would keep. There are only a few fingerprints, whatever the number of steps."""
    tape, obstacle = None, computation.obstacle
    if obstacle is None:
        tape = _tape_nbytes(computation, inputs)
        obstacle = "inside jax.jit the factors, which tell the length of its tape, are not known"
        if tape is not None and tape > adjoint.budget:
            tape, obstacle = None, f"its whole tape {in_units(tape)}"
    return Needs(
        steps=computation.steps,
        state_nbytes=computation.nbytes(inputs, _state),
        tape_nbytes=tape,
        arithmetic=computation.arithmetic,
        obstacle=obstacle,
        stored_nbytes=computation.nbytes(inputs, _values),
        mark_nbytes=0,
    )


def _state(dynamics: Dynamics) -> Any:
    return dynamics.first()


def _values(dynamics: Dynamics) -> Any:
    return dynamics.values(dynamics.first(), jnp.int32(0))


def _tape(dynamics: Dynamics) -> Any:
    return dynamics.blank_tape(0)


def _made(choice: Choice) -> Adjoint:
    if choice.strategy == "Stored":
        return Stored()
    return Reversible() if choice.strategy == "Reversible" else Checkpointed(choice.count)


def _tape_nbytes(computation: Computation, inputs: Sequence[Any]) -> int | None:
    """The bytes of the whole tape; None if the factors are not known."""
    bits = compiled_run(computation, ReversibleStrategy()).bits(inputs)
    if any(map(is_traced, bits.values())):
        return None
    rows = tuple((slot, rows_for(np.asarray(found))) for slot, found in bits.items())
    return computation.nbytes(inputs, _tape, Room(rows=rows))

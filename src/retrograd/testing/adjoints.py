"""`check_adjoint`: the tests that every adjoint strategy passes, for whoever writes another one."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints import Adjoint, Snapshot, Stored
from retrograd.errors import ArgumentError, NotReversibleError, RetrogradError, ReversalError
from retrograd.optimizers import Adam, Momentum
from retrograd.testing.trials import IterationTrial, TrainingTrial, Trial, far
from retrograd.training.run import Run

__all__ = ["check_adjoint"]

Array = NDArray[Any]


class _StoredFloats(Stored):
    """The reference for strategies that train in floats."""

    arithmetic = "floats"


def check_adjoint(adjoint: Adjoint) -> None:
    """Try an adjoint strategy out, on training and on a map that is iterated.

    Where it is exact, it finds the gradient that `Stored` finds, passes through the states of the
    forward run back to the first one, and notices a state that has changed. What it kept is used
    up. If it can be saved and loaded, the sweep after that gives the same bits. Its repr names it.

    Args:
        adjoint: an instance. It may refuse training, or the map, but not both.

    Raises:
        AssertionError: one of this is not so; the message says which.

    Example:
        >>> import retrograd as rg
        >>> check_adjoint(rg.Reversible(checkpoints=2))
    """
    name = repr(adjoint)
    if type(adjoint).__name__ not in name:
        raise AssertionError(f"{name}: its repr does not name its class {type(adjoint).__name__}")
    trials: dict[str, Trial] = {
        "training by Momentum": TrainingTrial(Momentum(0.1, 0.75), 9),
        "training by Adam": TrainingTrial(Adam(0.05, epsilon=0.01), 5),
        "iterate": IterationTrial(),
    }
    admitted = {what: trial for what, trial in trials.items() if _admits(adjoint, trial)}
    if not admitted:
        raise AssertionError(f"{name}: it refuses training and iterate; one of them must be taken")
    for what, trial in admitted.items():
        try:
            _check_trial(adjoint, trial, f"{name}, {what}")
        except RetrogradError as error:
            raise AssertionError(f"{name}, {what}: it failed: {error}") from error


def _admits(adjoint: Adjoint, trial: Trial) -> bool:
    """Whether the strategy takes a computation; if not, it has to say so before the first step."""
    trajectory = trial.run(adjoint).trajectory
    try:
        adjoint.check(trajectory.name, trajectory.obstacle)
        trajectory.start(trial.inputs)
        adjoint.memory(trajectory)
    except (NotReversibleError, ArgumentError):
        return False
    return True


def _check_trial(adjoint: Adjoint, trial: Trial, where: str) -> None:
    run, bars = trial.swept(adjoint)
    run.memory.check_used_up()
    if not all(np.isfinite(bar).all() for bar in bars):
        raise AssertionError(f"{where}: the gradient is not finite")
    if run.memory.returns:
        _check_states(run, where)
        _check_against_stored(trial, run, bars, where)
        _check_fault(trial, adjoint, where)
    elif adjoint.exact:
        raise AssertionError(
            f"{where}: it says that it is exact, and its memory that it does not return to the "
            "states; set `exact` to False, or `returns` to True"
        )
    _check_saved(trial, adjoint, bars, where)


def _check_states(run: Run, where: str) -> None:
    """The sweep has come back to the first state."""
    trajectory = run.trajectory
    back = trajectory.fingerprint()
    trajectory.to_first()
    if back != trajectory.fingerprint():
        raise AssertionError(f"{where}: the sweep does not end at the first state")


def _check_against_stored(trial: Trial, run: Run, bars: list[Array], where: str) -> None:
    stored = Stored() if run.trajectory.arithmetic == "lattice" else _StoredFloats()
    apart = far(bars, trial.swept(stored)[1], trial.names)
    if apart:
        raise AssertionError(
            f"{where}: the gradient is another than with Stored(), for {', '.join(apart)}; pull or "
            "retreat every step once, from the state that the forward run had there"
        )


def _check_fault(trial: Trial, adjoint: Adjoint, where: str) -> None:
    """A bit that flips when a state is gone to, or else in the last one, must be noticed."""
    run = trial.run(adjoint)
    results = run.forward(*trial.inputs)
    trajectory: Any = run.trajectory
    go_to = trajectory.restore
    gone_to: list[Snapshot] = []

    def damaged(snapshot: Snapshot) -> None:
        gone_to.append(snapshot)
        go_to({name: _flipped(array) for name, array in snapshot.items()})

    if run.memory.retreats:
        trajectory.state.slots["weights"][0] ^= 1
    else:
        trajectory.restore = damaged
    try:
        trial.sweep(run, results)
    except ReversalError:
        return
    if gone_to or run.memory.retreats:
        raise AssertionError(f"{where}: states that have changed were not noticed")


def _flipped(array: Array) -> Array:
    """A copy with the lowest bit of the first element flipped."""
    copy = np.array(array)
    if copy.size:
        copy.reshape(-1).view(np.uint8)[0] ^= 1
    return copy


def _check_saved(trial: Trial, adjoint: Adjoint, expected: list[Array], where: str) -> None:
    """What `export` gives goes through a file and back."""
    run = trial.run(adjoint)
    results = run.forward(*trial.inputs)
    try:
        arrays = run.memory.export()
    except NotImplementedError:
        return
    again = trial.run(adjoint)
    again.forward(*trial.inputs)
    again.memory.load(_through_a_file(arrays))
    bars = trial.sweep(again, results)
    if not all(np.array_equal(a, b) for a, b in zip(bars, expected, strict=True)):
        raise AssertionError(f"{where}: after export and load the gradient has other bits")


def _through_a_file(arrays: Snapshot) -> Snapshot:
    file = io.BytesIO()
    for array in arrays.values():
        np.save(file, array, allow_pickle=False)
    file.seek(0)
    return {name: np.load(file, allow_pickle=False) for name in arrays}

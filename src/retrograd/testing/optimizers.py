"""`check_optimizer`: the tests that every optimizer passes, for whoever writes another one."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints import Reversible, Stored
from retrograd.errors import ArgumentError, NotReversibleError, RetrogradError, ReversalError
from retrograd.optimizers import OPTIMIZERS, WRAPPERS, Momentum, Optimizer, Program
from retrograd.testing.differences import directional_derivative
from retrograd.testing.trials import TrainingTrial, cotangents, far

__all__ = ["check_optimizer", "every_optimizer"]

# How far training on the lattice may be from training in floats, relative to the largest weight.
_ROUNDING = 1e-6
# How far a slope may be from its numerical estimate, besides the error of that.
_SLOPE = 1e-5
_MARGIN = 20.0


# Where the defaults would make differences inaccurate, or hide what a hyperparameter does.
_VALUES = {
    "rate": 0.0625,
    "rest_rate": 0.05,
    "momentum": 0.75,
    "dampening": 0.25,
    "beta1": 0.8,
    "beta2": 0.875,
    "smoothing": 0.875,
    "epsilon": 0.05,
    "threshold": 0.5,
    "decay": 0.25,
}


def every_optimizer() -> dict[str, Optimizer]:
    """One of every class of optimizers, and one of every wrapper around `Momentum`, by name."""
    return {kind.__name__: _example(kind) for kind in (*OPTIMIZERS, *WRAPPERS)}


def _example(kind: type[Optimizer]) -> Optimizer:
    names = {field.name for field in fields(kind)}
    given: dict[str, Any] = {name: _VALUES[name] for name in names & _VALUES.keys()}
    if "optimizer" in names:
        given["optimizer"] = _example(Momentum)
    return kind(**given)


def check_optimizer(optimizer: Optimizer, steps: int = 6) -> None:
    """Try an optimizer out on a small smooth problem, in everything that is promised of one.

    Its program is complete and its hyperparameters lie in their domains. Training on the lattice is
    training in floats but for rounding. The gradient with respect to the initial weights, what the
    loss reads and each hyperparameter agrees with central differences. If the program can be run
    backwards, it comes back bit for bit and finds the gradient that `Stored` finds; if it cannot,
    `Reversible` refuses it. A bit that flips in any slot is noticed.

    Args:
        optimizer: with hyperparameters at which it trains well, away from kinks of its steps.
        steps: how many steps.

    Raises:
        ArgumentError: a class was given, and no optimizer.
        AssertionError: one of this is not so; the message says which.

    Example:
        >>> import retrograd as rg
        >>> check_optimizer(rg.Momentum(rate=0.1, momentum=0.9))
    """
    _check_program(optimizer)
    trial = TrainingTrial(optimizer, steps)
    name = optimizer.name
    try:
        _, bars = trial.swept(Stored())
    except RetrogradError as error:
        raise AssertionError(
            f"{name}: a run and its sweep with Stored() failed: {error}"
        ) from error
    _check_floats(trial, name)
    _check_differences(trial, bars, name)
    _check_way_back(trial, optimizer, bars)
    _check_faults(trial, optimizer)


def _check_program(optimizer: Optimizer) -> None:
    if isinstance(optimizer, type):
        raise ArgumentError(
            f"check_optimizer: the class {optimizer.__name__} was given; give an instance, with "
            "hyperparameters at which it trains well"
        )
    if not isinstance(getattr(optimizer, "program", None), Program):
        raise AssertionError(
            f"{optimizer!r:.60}: its program is no Program; give the class one, made of decay, add "
            "and raise_to"
        )
    try:
        optimizer.hyperparameters()
        optimizer.slot_radixes()
        TrainingTrial(optimizer)
    except RetrogradError as error:
        raise AssertionError(f"{optimizer.name}: {error}") from error
    for slot, words in optimizer.slot_words().items():
        if words not in (1, 2, 3):
            raise AssertionError(f"{optimizer.name}: slot {slot!r} has {words} words; give 1, 2, 3")


def _check_floats(trial: TrainingTrial, name: str) -> None:
    """The lattice follows the floats."""
    on_lattice = trial.run(Stored()).forward(*trial.inputs)
    in_floats = trial.in_floats(trial.inputs)
    for a, b in zip(on_lattice, in_floats, strict=True):
        apart, size = float(np.abs(a - b).max()), float(np.abs(b).max())
        if not apart <= _ROUNDING * max(size, 1.0):
            raise AssertionError(
                f"{name}: on the lattice the weights are {apart:.1e} from those in floats (of size "
                f"{size:.1e}); choose finer radixes, or more words"
            )


def _check_differences(trial: TrainingTrial, bars: list[NDArray[Any]], name: str) -> None:
    """Each input's adjoint is the slope of the results, by central differences."""
    rng = np.random.default_rng(5)
    for i, (x, bar) in enumerate(zip(trial.inputs, bars, strict=True)):
        scale = float(np.sqrt(np.mean(x * x))) or 1.0
        direction = scale * rng.uniform(0.5, 1.5, x.shape) * rng.choice([-1.0, 1.0], x.shape) / 8
        numeric, noise = _slope(trial, i, direction)
        slope = float(np.sum(bar * direction))
        size = max(abs(numeric), float(np.linalg.norm(bar * direction)))
        apart = abs(slope - numeric)
        if not apart <= _SLOPE * size + _MARGIN * noise:
            raise AssertionError(
                f"{name}: the gradient with respect to {trial.names[i]} has the slope {slope:.9g} "
                f"along a direction, central differences {numeric:.9g} (error about {noise:.1e}); "
                "an increment reads what it does not name, or a derivative is wrong"
            )


def _slope(trial: TrainingTrial, i: int, direction: NDArray[Any]) -> tuple[float, float]:
    """The numerical derivative of the results, paired with their adjoints, and its error.

    At an end of the domain, where one cannot go to both sides, the error is infinite.
    """

    def along(t: float) -> list[NDArray[Any]]:
        moved = list(trial.inputs)
        moved[i] = moved[i] + t * direction
        if not trial.admits(moved):
            return [np.array(np.nan)]
        results = trial.in_floats(moved)
        pairs = zip(results, cotangents(results), strict=True)
        return [np.array(sum(float(np.sum(a * b)) for a, b in pairs))]

    ((derivative, error),) = directional_derivative(along)
    return float(derivative), error


def _check_way_back(
    trial: TrainingTrial, optimizer: Optimizer, expected: list[NDArray[Any]]
) -> None:
    obstacle = optimizer.program.obstacle()
    if obstacle is not None:
        try:
            Reversible().check(optimizer.name, obstacle)
        except NotReversibleError:
            return
        raise AssertionError(
            f"{optimizer.name}: Reversible() does not refuse it, though {obstacle}"
        )
    for adjoint in (Reversible(), Reversible(checkpoints=2)):
        try:
            run, bars = trial.swept(adjoint)
        except RetrogradError as error:
            raise AssertionError(
                f"{optimizer.name}: it does not come back with {adjoint}: {error}"
            ) from error
        back = run.trajectory.snapshot()
        run.trajectory.to_first()
        first = run.trajectory.snapshot()
        slots = optimizer.program.all_slots
        wrong = [slot for slot in slots if not np.array_equal(back[slot], first[slot])]
        if wrong:
            raise AssertionError(f"{optimizer.name}: {wrong} did not come back bit for bit")
        apart = far(bars, expected, trial.names)
        if apart:
            raise AssertionError(
                f"{optimizer.name}: with {adjoint} the gradient is another than with Stored(), for "
                f"{', '.join(apart)}; the statements do not undo what they did"
            )


def _check_faults(trial: TrainingTrial, optimizer: Optimizer) -> None:
    """A bit flipped in a slot between the passes is noticed."""
    adjoint = Stored() if optimizer.program.obstacle() is not None else Reversible()
    for slot in optimizer.program.all_slots:
        run = trial.run(adjoint)
        results = run.forward(*trial.inputs)
        trajectory: Any = run.trajectory
        integers = trajectory.state.slots[slot]
        integers[(0,) * integers.ndim] ^= 1
        try:
            trial.sweep(run, results)
        except ReversalError:
            continue
        raise AssertionError(f"{optimizer.name}: a bit that flipped in {slot!r} was not noticed")

"""Schedules: how a rate (or any other hyperparameter) changes over the steps of a run.

Each gives the values of all steps at once, for `per_step`, and is differentiable in all of its
numbers: the hypergradient reaches a peak, a final share, the length of a warm-up. Step t of T
stands at the time t + 1, so a warm-up of length 10 gives a tenth of the peak at first and the whole
peak at the tenth step.

Example:
    >>> import numpy as np
    >>> import retrograd as rg
    >>> def final(peak):
    ...     rate = rg.schedules.cosine(peak, steps=10, warmup=2.5)
    ...     loss = lambda w, hyper, step: np.sum((w - 1) ** 2)
    ...     return np.sum(rg.train(loss, np.zeros(2), None, rg.Momentum(rate, 0.5), steps=10))
    >>> bool(rg.grad(final)(0.01) > 0)  # with a higher peak the weights come closer to 1
    True
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.counts import check_count
from retrograd.errors import ArgumentError
from retrograd.optimizers.hyperparameters import PerStep

__all__ = ["constant", "cosine", "piecewise", "warm_up"]


def constant(value: Any, steps: int, *, warmup: Any = 0) -> PerStep:
    """The same value at every step, after a linear warm-up.

    Args:
        value: a number.
        steps: the number of steps, at least 1.
        warmup: the length of the warm-up in steps; see `warm_up`.

    Example:
        >>> constant(0.5, 3).values
        array([0.5, 0.5, 0.5])
        >>> constant(0.5, 4, warmup=2).values
        array([0.25, 0.5 , 0.5 , 0.5 ])
    """
    times = _times("constant", steps)
    return PerStep(value * _ramp("constant", times, warmup))


def piecewise(values: Any, boundaries: Sequence[int], steps: int, *, warmup: Any = 0) -> PerStep:
    """A value for each part of the run, after a linear warm-up.

    Args:
        values: one number more than there are boundaries: an array of shape (pieces,), or a list.
        boundaries: the steps at which the second and each further piece starts, whole numbers in
            increasing order, above 0 and below `steps`; they have no derivative.
        steps: the number of steps, at least 1.
        warmup: the length of the warm-up in steps; see `warm_up`.

    Raises:
        ArgumentError: the boundaries are not increasing steps of the run, or the number of values
            does not fit them.

    Example:
        >>> piecewise([1.0, 0.5, 0.25], [2, 3], 5).values
        array([1.  , 1.  , 0.5 , 0.25, 0.25])
    """
    times = _times("piecewise", steps)
    edges = _edges(boundaries, steps)
    if len(values) != len(edges) + 1:
        raise ArgumentError(
            f"piecewise: {len(values)} values were given for {len(edges)} boundaries; give one "
            "value more than boundaries"
        )
    total: Any = np.zeros(steps)
    for start, stop, index in zip([0, *edges], [*edges, steps], range(len(values)), strict=True):
        inside = ((times > start) & (times <= stop)).astype(float)
        total = total + values[index] * inside
    return PerStep(total * _ramp("piecewise", times, warmup))


def cosine(peak: Any, steps: int, *, warmup: Any = 0, final: Any = 0.0) -> PerStep:
    """Half a cosine from the peak down to a share of it, after a linear warm-up.

        peak * t / warmup                                                      up to t = warmup
        peak * (final + (1 - final) * (1 + cos(pi * (t - warmup) / (T - warmup))) / 2)    after it

    with t = 1 ... T, so that the last step has the value `final * peak`.

    Args:
        peak: a number.
        steps: T, at least 1.
        warmup: the length of the warm-up in steps, at least 0 and below `steps`; see `warm_up`.
        final: the share of the peak at the end.

    Raises:
        ArgumentError: the warm-up is as long as the run.

    Example:
        >>> cosine(1.0, 4).values.round(6)
        array([0.853553, 0.5     , 0.146447, 0.      ])
        >>> cosine(1.0, 5, warmup=2, final=0.1).values.round(6)
        array([0.5  , 1.   , 0.775, 0.325, 0.1  ])

    References:
        Loshchilov & Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR 2017.
    """
    times = _times("cosine", steps)
    ramp = _ramp("cosine", times, warmup)
    if not warmup < steps:
        raise ArgumentError(
            f"cosine: a warm-up of {warmup} steps was given for {steps} steps; give a shorter one"
        )
    passed = np.maximum(times - warmup, 0.0) / (steps - warmup)
    share = final + (1 - final) * (1 + np.cos(math.pi * passed)) / 2
    return PerStep(peak * share * ramp)


def warm_up(schedule: PerStep, length: Any) -> PerStep:
    """A schedule that starts slowly: multiplied by t / length up to the step t = length.

    Args:
        schedule: `per_step` values of shape (steps,), or (steps, L), one per leaf of the weights.
        length: any number of steps, not only a whole one; 0 for none. The values are
            differentiable in it; where it is itself the number of a step, the ramp has a corner,
            and the derivative is the mean of those from both sides.

    Raises:
        ArgumentError: the schedule is none, or the length is negative or not finite.

    Example:
        >>> warm_up(constant(0.5, 4), 2.5).values
        array([0.2, 0.4, 0.5, 0.5])
    """
    if not isinstance(schedule, PerStep) or len(np.shape(schedule.values)) not in (1, 2):
        raise ArgumentError(
            f"warm_up: {schedule!r:.60} was given as the schedule; give per_step values of shape "
            "(steps,) or (steps, leaves), such as cosine(0.1, 100)"
        )
    shape = np.shape(schedule.values)
    ramp = _ramp("warm_up", _times("warm_up", shape[0]), length)
    return PerStep(schedule.values * np.reshape(ramp, (shape[0], *(1 for _ in shape[1:]))))


def _times(name: str, steps: Any) -> NDArray[np.float64]:
    """The times of the steps: 1 to T."""
    check_count("steps", steps, caller=name)
    return np.arange(1.0, steps + 1)


def _ramp(name: str, times: NDArray[np.float64], length: Any) -> Any:
    """The factors of a linear warm-up, at most 1."""
    if np.shape(length) != () or not 0 <= length < math.inf:
        raise ArgumentError(
            f"{name}: a warm-up of {length!r:.60} steps was given; give one finite number of "
            "steps, 0 for no warm-up"
        )
    if length == 0:
        return np.ones_like(times)
    return np.minimum(times / length, 1.0)


def _edges(boundaries: Sequence[int], steps: int) -> list[int]:
    edges = [int(boundary) for boundary in boundaries]
    whole = all(edge == boundary for edge, boundary in zip(edges, boundaries, strict=True))
    if not whole or [0, *edges, steps] != sorted({0, *edges, steps}):
        raise ArgumentError(
            f"piecewise: the boundaries {list(boundaries)!r:.60} were given for {steps} steps; "
            "give whole numbers in increasing order, above 0 and below the number of steps"
        )
    return edges

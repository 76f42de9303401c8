"""What a person can choose in an experiment: the values, their meaning, what makes no sense.

The descriptions in the docstring are also the help texts of the command line. Loading this module
loads nothing but the standard library, so that asking for help stays instant.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from retrograd.errors import ArgumentError

if TYPE_CHECKING:
    from retrograd.adjoints import Adjoint

__all__ = ["AdjointName", "BackendName", "Precision", "ScheduleSettings"]

AdjointName = Literal["reversible", "stored", "checkpointed", "auto"]
BackendName = Literal["numpy", "jax", "torch"]
Precision = Literal["float32", "float64"]


@dataclass(frozen=True)
class ScheduleSettings:
    """Settings of the learned schedule (Maclaurin, Duvenaud & Adams 2015, section 3.1).

    Attributes:
        data: Data set: `mnist-10k` ships with the package (6,000 training, 2,000 validation and
            2,000 test images); `mnist` is the full set (10,000 of each, as in the paper), found
            in `$RETROGRAD_DATA` or downloaded once.
        layers: Sizes of the hidden layers, in units, from the input upwards.
        steps: Length of one training, in steps. Every step has its own rates and momenta.
        batch: Size of the mini-batch that each step draws anew, in images.
        meta_steps: How often the hyperparameters are moved along the hypergradient.
        meta_rate: Rate of the meta-optimizer (Adam), in units of the log rates, logit momenta
            and log scales that it moves.
        meta_betas: Decays of the meta-optimizer's first and second moment. The hypergradient
            shrinks twentyfold over a study, so the second moment must forget sooner than the
            usual 0.999.
        seed: Seed of the first initial weights and mini-batches; each meta-step takes the next,
            so independent studies need seeds that lie further apart than the meta-steps.
        adjoint: How the sweep gets the states of training back, exactly in every case:
            `reversible` runs training backwards, `stored` keeps every state, `checkpointed` keeps
            some states and trains from them again, `auto` takes the first of `stored`,
            `reversible` and `checkpointed` that the memory has room for.
        memory: What the sweep may keep, such as "256 MiB": a number and one of B, kB, MB, GB, TB,
            KiB, MiB, GiB, TiB. For `auto`, which takes 256 MiB without it, and `checkpointed`,
            which keeps as many states then as let it train only once more.
        log_rate: Natural logarithm of every rate at the start.
        momentum: Momentum of every step at the start, between 0 and 1.
        log_scale: Natural logarithm of the standard deviation of the initial weights at the
            start.
        threads: Threads of the linear algebra (BLAS). More than one seldom pays at this size. JAX
            takes all that there are.
        backend: Array library that trains and differentiates: `jax` needs the extra `jax`, `torch`
            (PyTorch) the extra `torch`.
        precision: Of the weights, the images and the loss. Without it, what is usual in the array
            library: `float64` in NumPy, `float32` in JAX and PyTorch. The slots that are run
            backwards are the same integers in both.

    Example:
        >>> ScheduleSettings(steps=10).validate()
        >>> ScheduleSettings(momentum=1.0).validate()
        Traceback (most recent call last):
            ...
        retrograd.errors.ArgumentError: --momentum is 1.0: give a number between 0 and 1, \
both excluded, such as 0.5.
    """

    data: str = "mnist-10k"
    layers: tuple[int, ...] = (50, 50, 50)
    steps: int = 100
    batch: int = 200
    meta_steps: int = 50
    meta_rate: float = 0.04
    meta_betas: tuple[float, float] = (0.8, 0.8)
    seed: int = 0
    adjoint: AdjointName = "reversible"
    memory: str | None = None
    log_rate: float = -1.0
    momentum: float = 0.5
    log_scale: float = -3.0
    threads: int = 1
    backend: BackendName = "numpy"
    precision: Precision | None = None

    def validate(self) -> None:
        """Refuse what makes no sense.

        Raises:
            ArgumentError: A setting is out of its range; the message names the option, the
                value and the cure.
        """
        for name, (makes_sense, cure) in _RULES.items():
            value = getattr(self, name)
            if not makes_sense(value):
                raise ArgumentError(f"{_option(name)} is {_shown(value)}: give {cure}.")
        if self.memory is not None and self.adjoint not in _BUDGETED:
            raise ArgumentError(
                f"--memory is {self.memory!r}, but --adjoint {self.adjoint} keeps what it must: "
                f"leave --memory out, or give --adjoint {' or '.join(_BUDGETED)}."
            )

    def strategy(self) -> Adjoint:
        """The adjoint strategy that is meant.

        Example:
            >>> ScheduleSettings(adjoint="checkpointed", memory="20 MB").strategy()
            Checkpointed(memory='20 MB')
        """
        from retrograd.adjoints import Auto, Checkpointed, Reversible, Stored

        budget: dict[str, Any] = {} if self.memory is None else {"memory": self.memory}
        match self.adjoint:
            case "reversible":
                return Reversible()
            case "stored":
                return Stored()
            case "checkpointed":
                return Checkpointed(**budget)
            case "auto":
                return Auto(**budget, quiet=True)  # the record says what it chose


_BUDGETED = ("auto", "checkpointed")


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return " ".join(map(repr, value)) or "empty"
    return repr(value)


def _whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _real(value: Any) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value)


def _sizes(value: Any) -> bool:
    return isinstance(value, tuple) and bool(value) and all(_whole(size, 1) for size in value)


def _memory(value: Any) -> bool:
    from retrograd.adjoints.byte_count import byte_count

    try:
        byte_count(value, "--memory")
    except ArgumentError:
        return False
    return isinstance(value, str)


_RULES: dict[str, tuple[Callable[[Any], bool], str]] = {
    "data": (
        lambda v: isinstance(v, str) and bool(v),
        "the name of a data set: mnist-10k or mnist",
    ),
    "layers": (_sizes, "at least one hidden layer, each of 1 unit or more, such as 50 50 50"),
    "steps": (lambda v: _whole(v, 1), "a whole number of 1 or more"),
    "batch": (lambda v: _whole(v, 1), "a whole number of 1 or more"),
    "meta_steps": (lambda v: _whole(v, 1), "a whole number of 1 or more"),
    "meta_rate": (lambda v: _real(v) and v > 0, "a positive, finite number, such as 0.04"),
    "meta_betas": (
        lambda v: isinstance(v, tuple) and len(v) == 2 and all(_real(b) and 0 <= b < 1 for b in v),
        "two numbers from 0 to below 1, such as 0.8 0.8",
    ),
    "seed": (lambda v: _whole(v, 0), "a whole number of 0 or more"),
    "adjoint": (lambda v: v in get_args(AdjointName), "one of " + ", ".join(get_args(AdjointName))),
    "memory": (lambda v: v is None or _memory(v), "an amount of memory, such as '256 MiB'"),
    "log_rate": (_real, "a finite number, such as -1"),
    "momentum": (
        lambda v: _real(v) and 0 < v < 1,
        "a number between 0 and 1, both excluded, such as 0.5",
    ),
    "log_scale": (_real, "a finite number, such as -3"),
    "threads": (lambda v: _whole(v, 1), "a whole number of 1 or more"),
    "backend": (lambda v: v in get_args(BackendName), "one of " + ", ".join(get_args(BackendName))),
    "precision": (
        lambda v: v is None or v in get_args(Precision),
        "one of " + ", ".join(get_args(Precision)),
    ),
}

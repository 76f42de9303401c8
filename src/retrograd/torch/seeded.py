"""Random numbers that come again: dropout, noise and augmentation as functions of the step."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import torch

from retrograd.errors import ArgumentError

__all__ = ["seeded"]


def seeded(loss: Callable[..., Any], seed: int = 0) -> Callable[..., Any]:
    """A loss whose random numbers depend on a seed and the step alone.

    PyTorch's generators are seeded for each evaluation, and are afterwards what they were before.
    So a module with dropout can be trained: the way back draws the numbers of the way there.

    Args:
        loss: `loss(w, hyper, step)`, or the step of `iterate`, `step(x, params, t)`.
        seed: a whole number of at least 0; other seeds give other numbers.

    Raises:
        ArgumentError: `seed` is something else.

    Example:
        >>> import torch
        >>> noisy = seeded(lambda w, hyper, step: (w * torch.rand(3)).sum(), seed=1)
        >>> w = torch.ones(3)
        >>> (
        ...     bool(noisy(w, None, 7) == noisy(w, None, 7)),
        ...     bool(noisy(w, None, 7) == noisy(w, None, 8)),
        ... )
        (True, False)
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise ArgumentError(f"seeded: seed {seed!r:.40} was given; give a whole number from 0 on")

    @wraps(loss)
    def drawn(w: Any, hyper: Any, step: int) -> Any:
        with torch.random.fork_rng(_devices()):
            torch.manual_seed(int(np.random.SeedSequence((seed, step)).generate_state(1)[0]))
            return loss(w, hyper, step)

    return drawn


def _devices() -> list[int]:
    """The devices whose generators may be asked: the current one, where there is any."""
    cuda = torch.cuda
    return [cuda.current_device()] if cuda.is_available() and cuda.is_initialized() else []

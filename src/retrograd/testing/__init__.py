"""Checks for whoever adds functions, optimizers, adjoints or backends, and the engine's samples."""

from retrograd.testing.adjoints import check_adjoint
from retrograd.testing.backends import check_backend
from retrograd.testing.gradients import GradientError, InconclusiveError, check_grads
from retrograd.testing.optimizers import check_optimizer

__all__ = [
    "GradientError",
    "InconclusiveError",
    "check_adjoint",
    "check_backend",
    "check_grads",
    "check_optimizer",
]

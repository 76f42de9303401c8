"""Checks for whoever adds functions: `check_grads`, and the sample inputs of the engine's own."""

from retrograd.testing.gradients import GradientError, InconclusiveError, check_grads

__all__ = ["GradientError", "InconclusiveError", "check_grads"]

"""The array libraries: the handful of verbs that training needs of each."""

from retrograd.backends.numpy import NumpyBackend

__all__ = ["NumpyBackend"]

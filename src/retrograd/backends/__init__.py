"""The array libraries: the handful of verbs that training needs of each."""

from typing import Any

from retrograd.backends.backend import Arrays, Backend
from retrograd.backends.choice import backend_of, host_array, library_of
from retrograd.backends.numpy import NumpyBackend

__all__ = ["Arrays", "Backend", "NumpyBackend", "backend_of", "host_array", "library_of"]


def __getattr__(name: str) -> Any:
    # Imported at first use: PyTorch takes seconds, and need not be there.
    if name == "TorchBackend":
        try:
            from retrograd.backends.torch import TorchBackend
        except ImportError as error:
            raise ImportError(
                "TorchBackend needs PyTorch, which comes with: pip install 'retrograd[torch]'"
            ) from error

        return TorchBackend
    raise AttributeError(f"module 'retrograd.backends' has no attribute {name!r}")

"""The array library that an experiment computes with: its functions by one name in all three."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec
from types import SimpleNamespace
from typing import Any

import numpy
from numpy.typing import NDArray

from retrograd.backends import host_array
from retrograd.errors import ArgumentError

__all__ = ["ArrayLibrary", "array_library", "check_installed"]

_INSTALLED_AS = {"jax": "JAX", "torch": "PyTorch"}


@dataclass(frozen=True)
class ArrayLibrary:
    """An array library, with the precision that an experiment asks for.

    Attributes:
        name: "numpy", "jax" or "torch".
        dtype: of the floats, NumPy's name: "float32" or "float64".
        xp: the functions that the experiments need: `exp`, `tanh`, `mean`, and, with an axis behind
            the array, `sum` and `logsumexp`.
    """

    name: str
    dtype: str
    xp: SimpleNamespace

    @property
    def compiles(self) -> bool:
        """Whether the first of several runs is compiled, which takes its time."""
        return self.name == "jax"

    def floats(self, x: Any) -> Any:
        """Numbers as an array of the library, in the precision asked for."""
        return self._array(numpy.asarray(x, self.dtype))

    def integers(self, x: Any) -> Any:
        """Whole numbers as an array of the library."""
        return self._array(numpy.asarray(x, numpy.int32 if self.name == "jax" else numpy.int64))

    def _array(self, x: NDArray[Any]) -> Any:
        if self.name == "jax":
            return import_module("jax.numpy").asarray(x)
        return import_module("torch").tensor(x) if self.name == "torch" else x

    def host(self, x: Any) -> NDArray[Any]:
        """An array of the library as NumPy's."""
        return host_array(x)

    def at_work(self, threads: int) -> AbstractContextManager[None]:
        """The settings of the library that the experiment needs, until the block is left.

        64-bit types of JAX as the precision has them, and PyTorch's threads; JAX takes the threads
        that it took when it started.
        """
        if self.name == "jax":
            return import_module("jax").enable_x64(self.dtype == "float64")
        return _threads_of_torch(threads) if self.name == "torch" else nullcontext()

    def versions(self) -> dict[str, str]:
        """The libraries besides NumPy that compute, and which versions they are."""
        return {} if self.name == "numpy" else {self.name: version(self.name)}


def check_installed(name: str) -> None:
    """Refuse an array library that is not there.

    Raises:
        ArgumentError: with the command that installs it.
    """
    if name in _INSTALLED_AS and name not in sys.modules and find_spec(name) is None:
        raise ArgumentError(
            f"--backend is {name!r}, but {_INSTALLED_AS[name]} is not installed: give --backend "
            f'numpy, or install it with: pip install "retrograd[{name}]".'
        )


def array_library(name: str, precision: str | None = None) -> ArrayLibrary:
    """An array library.

    Args:
        name: "numpy", "jax" or "torch".
        precision: "float32" or "float64"; by default what is usual in the library: float64 in
            NumPy, float32 in the others.

    Raises:
        ArgumentError: it is not installed.

    Example:
        >>> array_library("numpy").floats([1, 2])
        array([1., 2.])
    """
    check_installed(name)
    made = {"numpy": _of_numpy, "jax": _of_jax, "torch": _of_torch}[name]
    usual = "float64" if name == "numpy" else "float32"
    return ArrayLibrary(name, precision or usual, made())


def _of_numpy() -> SimpleNamespace:
    from retrograd import numpy as np
    from retrograd.autodiff.rules.special import logsumexp

    return SimpleNamespace(
        exp=np.exp, tanh=np.tanh, mean=np.mean, sum=np.sum, logsumexp=_with_axis(logsumexp)
    )


def _of_jax() -> SimpleNamespace:
    import jax
    import jax.numpy as jnp

    return SimpleNamespace(
        exp=jnp.exp, tanh=jnp.tanh, mean=jnp.mean, sum=jnp.sum, logsumexp=jax.nn.logsumexp
    )


def _of_torch() -> SimpleNamespace:
    import torch

    return SimpleNamespace(
        exp=torch.exp, tanh=torch.tanh, mean=torch.mean, sum=torch.sum, logsumexp=torch.logsumexp
    )


def _with_axis(function: Any) -> Any:
    return lambda x, axis: function(x, axis=axis)


@contextmanager
def _threads_of_torch(threads: int) -> Iterator[None]:
    torch = import_module("torch")
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)

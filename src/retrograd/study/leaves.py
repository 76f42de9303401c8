"""Containers of hyperparameters in any of the array libraries, as arrays of the host, and back."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.autodiff import tree
from retrograd.backends import library_of
from retrograd.backends.choice import host_array
from retrograd.errors import ArgumentError

__all__ = ["Container"]


class Container:
    """How a container of hyperparameters is taken apart and put together again.

    Args:
        hyper: a container of float arrays of one library.

    Attributes:
        library: of its arrays: "numpy", "jax" or "torch".
        names: of its leaves.
        shapes: of its leaves.

    Raises:
        ArgumentError: it holds no array, or something else than real numbers of its library.
    """

    def __init__(self, hyper: Any) -> None:
        self.library = library_of(hyper)
        self._leaves, self._structure = self._flatten(hyper)
        if not self._leaves:
            raise ArgumentError("hyper: it holds no array; give the hyperparameters to learn")
        self.names = [str(i) for i in range(len(self._leaves))]
        if self.library != "jax":
            self.names = [name or str(i) for i, name in enumerate(tree.names(hyper))]
        for name, leaf in zip(self.names, self._leaves, strict=True):
            _check(name, leaf, self.library)
        self.shapes = [tuple(np.shape(leaf)) for leaf in self._leaves]

    def host_leaves(self, container: Any) -> list[NDArray[Any]]:
        """The leaves of a container of this structure, in the host's memory."""
        return [host_array(leaf) for leaf in self._flatten(container)[0]]

    def filled(self, parts: Sequence[NDArray[Any]]) -> Any:
        """The container with other numbers, in the library and the dtypes of the first one."""
        leaves = [_like(part, leaf) for part, leaf in zip(parts, self._leaves, strict=True)]
        if self.library == "jax":
            return import_module("jax").tree.unflatten(self._structure, leaves)
        return tree.unflatten(self._structure, leaves)

    def _flatten(self, container: Any) -> tuple[list[Any], Any]:
        # JAX has its own registered containers.
        if self.library == "jax":
            return import_module("jax").tree.flatten(container)
        return tree.flatten(container)


def _check(name: str, leaf: Any, library: str) -> None:
    """Refuse what cannot be moved by a meta-optimizer, with the library's derivatives."""
    alike = library != "torch" or library_of(leaf) == "torch"
    dtype = str(getattr(leaf, "dtype", ""))
    if alike and dtype != "torch.bfloat16":
        kinds = "f" if library == "torch" else "fiu"
        if host_array(leaf).dtype.kind in kinds:
            return
    wanted = "tensors" if library == "torch" else "arrays"
    raise ArgumentError(
        f"hyper: {name} is {leaf!r:.60} ({dtype or type(leaf).__name__}); give {wanted} of real "
        "numbers (float64, float32 or float16)"
    )


def _like(part: NDArray[Any], leaf: Any) -> Any:
    """Numbers in the library and dtype of a leaf; a number for a number."""
    library = library_of(leaf)
    if library == "torch":
        torch = import_module("torch")
        return torch.tensor(part, dtype=leaf.dtype, device=leaf.device)
    if library == "jax":
        return import_module("jax.numpy").asarray(part, leaf.dtype)
    return np.asarray(part).astype(getattr(leaf, "dtype", float))[()]

"""Which array library a call is for: that of the leaves that it is given.

No library is imported for this that the program has not imported already.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.autodiff import tree
from retrograd.autodiff.trace import Traced
from retrograd.backends.backend import Backend
from retrograd.backends.numpy import NumpyBackend
from retrograd.errors import ArgumentError

__all__ = ["backend_of", "host_array", "library_of"]

_TRACED = "retrograd"  # values that NumPy's own derivatives are taken of

_SPOKEN = {
    "torch": "PyTorch tensors",
    "jax": "JAX arrays",
    _TRACED: "values that retrograd's own engine differentiates",
}


def library_of(*trees: Any) -> str:
    """The array library of containers: "numpy", "torch" or "jax".

    Python numbers and NumPy arrays are constants beside the arrays of another library.

    Raises:
        ArgumentError: there are arrays of two libraries.

    Example:
        >>> library_of({"w": np.zeros(3)}, 0.1)
        'numpy'
    """
    found = list(dict.fromkeys(filter(None, map(_kind, _leaves(trees)))))
    if len(found) > 1:
        first, second, *_ = (_SPOKEN[kind] for kind in found)
        raise ArgumentError(
            f"the weights, hyper and the hyperparameters of the optimizer hold {first} and "
            f"{second}; give the arrays of one library (NumPy arrays and plain numbers may stand "
            "beside them as constants)"
        )
    return "numpy" if not found or found[0] == _TRACED else found[0]


def backend_of(*trees: Any) -> Backend:
    """The backend for the arrays in containers; the first of them tells the device.

    Raises:
        ArgumentError: there are arrays of two libraries, or the leaves of the first container lie
            on two devices.

    Example:
        >>> backend_of([np.zeros(3), 0.1]).name
        'numpy'
    """
    library = library_of(*trees)
    if library == "numpy":
        return NumpyBackend()
    if library == "jax":
        raise ArgumentError(
            "JAX arrays were given to a function that runs on the host; train and iterate compile "
            "their runs for them, and for this one give NumPy arrays (np.asarray)"
        )
    return import_module("retrograd.backends.torch").backend_for(_leaves(trees))


def host_array(x: Any) -> NDArray[Any]:
    """The numbers of any library's array, as NumPy's array.

    Example:
        >>> host_array(2.0)
        array(2.)
    """
    if _kind(x) == "torch":
        return import_module("retrograd.backends.torch").host_array(x)
    return np.asarray(x)


def _leaves(trees: Sequence[Any]) -> list[Any]:
    leaves = [leaf for given in trees for leaf in tree.leaves(given)]
    return [inner for leaf in leaves for inner in _registered(leaf)]


def _registered(leaf: Any) -> list[Any]:
    """The leaves of a container that JAX alone knows, such as a module of Equinox."""
    jax_tree = getattr(sys.modules.get("jax"), "tree", None)
    if jax_tree is None or isinstance(leaf, Traced | np.ndarray | float):
        return [leaf]
    return jax_tree.leaves(leaf)


def _kind(leaf: Any) -> str | None:
    """The library that a leaf decides for; None if it decides nothing."""
    if isinstance(leaf, Traced):
        return _TRACED
    for library, kind in (("torch", "Tensor"), ("jax", "Array")):
        module = sys.modules.get(library)
        # A module that is being imported, or a stranger of the same name, has no such class yet.
        if isinstance(leaf, getattr(module, kind, ())):
            return library
    return None

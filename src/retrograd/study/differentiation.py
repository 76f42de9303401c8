"""The hypergradient of an objective, by the array library that the hyperparameters are of."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from retrograd.autodiff import tree, value_and_grad
from retrograd.backends import library_of

__all__ = ["differentiated"]

Objective = Callable[[Any, int], tuple[Any, Any]]


def differentiated(objective: Objective, hyper: Any, index: int) -> tuple[Any, Any, Any]:
    """The value of an objective, what it returned beside it, and the hypergradient.

    Args:
        objective: `objective(hyper, index) -> (value, aux)`.
        hyper: a container of float arrays of one library.
        index: of the meta-step.

    Example:
        >>> value, aux, slope = differentiated(lambda x, i: (x * x, "seen"), 3.0, 0)
        >>> float(value), aux, float(slope)
        (9.0, 'seen', 6.0)
    """
    library = library_of(hyper)
    if library == "torch":
        return _by_torch(objective, hyper, index)
    take = import_module("jax").value_and_grad if library == "jax" else value_and_grad
    (value, aux), hypergradient = take(objective, has_aux=True)(hyper, index)
    return value, aux, hypergradient


def _by_torch(objective: Objective, hyper: Any, index: int) -> tuple[Any, Any, Any]:
    torch = import_module("torch")
    leaves, structure = tree.flatten(hyper)
    leaves = [leaf.detach().requires_grad_() for leaf in leaves]
    with torch.enable_grad():
        value, aux = objective(tree.unflatten(structure, leaves), index)
    found = torch.autograd.grad(value, leaves, allow_unused=True, materialize_grads=True)

    def plain(leaf: Any) -> Any:
        return leaf.detach() if isinstance(leaf, torch.Tensor) else leaf

    return value.detach(), tree.map(plain, aux), tree.unflatten(structure, list(found))

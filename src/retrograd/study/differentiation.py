"""The hypergradient of an objective, by the array library that the hyperparameters are of."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from retrograd.autodiff import tree, value_and_grad
from retrograd.backends import library_of
from retrograd.errors import ArgumentError

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

    def evaluated(hyper: Any, index: int) -> tuple[Any, Any]:
        return _pair(objective(hyper, index))

    if library == "torch":
        return _by_torch(evaluated, hyper, index)
    take = import_module("jax").value_and_grad if library == "jax" else value_and_grad
    (value, aux), hypergradient = take(evaluated, has_aux=True)(hyper, index)
    return value, aux, hypergradient


def _pair(found: Any) -> tuple[Any, Any]:
    if isinstance(found, tuple) and len(found) == 2:
        return found
    raise ArgumentError(
        f"objective: it returned {found!r:.60}; return a pair (value, aux), with None for aux if "
        "nothing is to be kept beside the value"
    )


def _by_torch(objective: Objective, hyper: Any, index: int) -> tuple[Any, Any, Any]:
    torch = import_module("torch")
    leaves, structure = tree.flatten(hyper)
    with torch.inference_mode(False), torch.enable_grad():
        leaves = [leaf.detach().clone().requires_grad_() for leaf in leaves]
        value, aux = objective(tree.unflatten(structure, leaves), index)
        _check_value(value, torch.Tensor)
        found = torch.autograd.grad(value, leaves, allow_unused=True, materialize_grads=True)

    def plain(leaf: Any) -> Any:
        return leaf.detach() if isinstance(leaf, torch.Tensor) else leaf

    return value.detach(), tree.map(plain, aux), tree.unflatten(structure, list(found))


def _check_value(value: Any, tensor: type) -> None:
    """Refuse what is no real number with a graph."""
    if not isinstance(value, tensor):
        raise ArgumentError(
            f"objective: its value is {value!r:.60}; return a tensor that is computed from hyper"
        )
    x: Any = value
    if x.numel() != 1 or not x.is_floating_point():
        raise ArgumentError(
            f"objective: its value is a tensor of shape {tuple(x.shape)}, {x.dtype}; return one "
            "real number"
        )
    if not x.requires_grad:
        raise ArgumentError(
            "objective: its value does not depend on hyper; compute it from the tensors that the "
            "objective is given, without detach(), item() or torch.no_grad()"
        )

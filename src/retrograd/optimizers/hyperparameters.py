"""How a rate or a momentum varies: one number, or one per step, per leaf, per element.

Whatever the user gave becomes one array of shape (steps or 1, columns), the *table* of the
hyperparameter: a row is what one step sees, and its columns are 1 (one number for all), L (one per
leaf of the weights) or N (one per element).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retrograd.errors import ArgumentError

if TYPE_CHECKING:
    from retrograd.lattice import Layout

__all__ = ["PerLeaf", "PerStep", "per_leaf", "per_step", "table"]


@dataclass(frozen=True, eq=False)
class PerStep:
    """Values that differ from step to step; see `per_step`."""

    values: Any


@dataclass(frozen=True, eq=False)
class PerLeaf:
    """Values that differ from leaf to leaf; see `per_leaf`."""

    values: Any


def per_step(values: Any) -> PerStep:
    """A hyperparameter that differs from step to step.

    Args:
        values: shape (steps,), one number per step; shape (steps, L), one per step and leaf of the
            weights, leaves in the order of `retrograd.tree.flatten`; or a container like the
            weights whose leaves have shape (steps,), or (steps,) and the shape of the leaf for one
            number per step and element.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> optimizer = rg.Momentum(rate=rg.per_step(np.geomspace(1.0, 0.01, 100)), momentum=0.9)
    """
    return PerStep(values)


def per_leaf(values: Any) -> PerLeaf:
    """A hyperparameter that differs from leaf to leaf of the weights.

    Args:
        values: shape (L,), in the order of `retrograd.tree.flatten`. A container like the weights
            needs no marking: its leaves are single numbers, or arrays that broadcast to the
            leaf's shape for one number per element.

    Example:
        >>> import retrograd as rg
        >>> optimizer = rg.Momentum(rate=rg.per_leaf([0.1, 0.2]), momentum=0.9)
    """
    return PerLeaf(values)


def table(
    name: str, given: Any, *, layout: Layout, structure: Any, steps: int, backend: Any
) -> Any:
    """The (steps or 1, columns) array of a hyperparameter, computed differentiably.

    Args:
        name: for messages.
        given: a number, `PerStep`, `PerLeaf` or a container like the weights.
        layout: the layout of the weights.
        structure: the structure of the weights' container.
        steps: the number of training steps.
        backend: the array library.

    Raises:
        ArgumentError: the shape is none of those that `per_step` and `per_leaf` name.
    """
    stepwise = isinstance(given, PerStep)
    rows = steps if stepwise else 1
    values = given.values if stepwise else given
    leafwise = isinstance(values, PerLeaf)
    if leafwise:
        values = values.values
    leaves, found = backend.flatten(values)
    if found == structure and not (len(leaves) == 1 and _is_flat(leaves[0], layout, stepwise)):
        return _of_tree(name, leaves, layout, rows, stepwise, backend)
    values = backend.array(values)
    shape = tuple(values.shape)
    lead = (steps,) if stepwise else ()
    if shape == lead and not leafwise:
        return values.reshape((rows, 1))
    if shape == (*lead, len(layout)) and (stepwise or leafwise):
        return values.reshape((rows, len(layout)))
    raise ArgumentError(_expected(name, shape, layout, steps, stepwise, leafwise))


def _is_flat(leaf: Any, layout: Layout, stepwise: bool) -> bool:
    """Whether the only leaf is one number (per step) rather than one per element."""
    return len(getattr(leaf, "shape", ())) == (1 if stepwise else 0)


def _of_tree(
    name: str, leaves: list[Any], layout: Layout, rows: int, stepwise: bool, backend: Any
) -> Any:
    leaves = [backend.array(leaf) for leaf in leaves]
    lead = (rows,) if stepwise else ()
    if all(tuple(leaf.shape) == lead for leaf in leaves):
        return backend.concatenate([leaf.reshape((rows, 1)) for leaf in leaves], 1)
    columns = []
    for leaf, shape, size, where in zip(
        leaves, layout.shapes, layout.sizes, layout.names, strict=True
    ):
        if tuple(leaf.shape) == lead:
            leaf = leaf.reshape((rows,) + (1,) * len(shape))
        try:
            full = backend.broadcast_to(leaf, (*lead, *shape) if stepwise else shape)
        except ValueError:
            raise ArgumentError(
                f"{name}: shape {tuple(leaf.shape)} at {where} does not fit weights of shape "
                f"{shape}; give one number{' per step' if stepwise else ''}, or shape "
                f"{(*lead, *shape)}"
            ) from None
        columns.append(full.reshape((rows, size)))
    return backend.concatenate(columns, 1)


def _expected(
    name: str, shape: tuple[int, ...], layout: Layout, steps: int, stepwise: bool, leafwise: bool
) -> str:
    leaves = len(layout)
    if stepwise:
        wanted = (
            f"({steps},), ({steps}, {leaves}) for {steps} steps and {leaves} leaves of the "
            f"weights, or a container like the weights with {steps} values first"
        )
    elif leafwise:
        wanted = f"({leaves},), one number per leaf of the weights"
    else:
        wanted = (
            "() for one number, or a container like the weights; mark other arrays with "
            f"retrograd.per_step (one per step, {steps} here) or per_leaf ({leaves} here)"
        )
    return f"{name}: an array of shape {shape} was given; expected {wanted}"

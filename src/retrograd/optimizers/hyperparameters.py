"""How a rate or a momentum varies: one number, or one per step, per leaf, per element.

Whatever the user gave becomes one array of shape (steps or 1, columns), the *table* of the
hyperparameter: a row is what one step sees, and its columns are 1 (one number for all), L (one per
leaf of the weights) or N (one per element).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from retrograd.errors import ArgumentError, RetrogradError

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
            weights whose leaves have shape (steps,), or (steps,) followed by the shape of the leaf
            for one number per step and element.

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
        ArgumentError: the shape is none of those that `per_step` and `per_leaf` name, or these
            are no real numbers.
    """
    values, stepwise, leafwise = _unmarked(given)
    rows, lead = (steps, (steps,)) if stepwise else (1, ())
    leaves, found = backend.flatten(values)
    # A list of numbers that is a container like the weights may be ragged, or hold other kinds.
    alike = isinstance(values, list | tuple) and found == structure and not stepwise
    is_plain = _is_plain(values, leaves) and not alike
    if is_plain:
        plain = _array(name, values, backend)
        if tuple(plain.shape) == lead and not leafwise:
            return plain.reshape((rows, 1))
        if tuple(plain.shape) == (*lead, len(layout)) and (stepwise or leafwise):
            return plain.reshape((rows, len(layout)))
    if found == structure and not (is_plain and leafwise):
        return _of_tree(name, leaves, layout, rows, stepwise, backend)
    given = _described(name, values, leaves, backend)
    raise ArgumentError(_expected(name, given, layout, steps, stepwise, leafwise))


def _unmarked(given: Any) -> tuple[Any, bool, bool]:
    """The values, and whether they were marked as per step and as per leaf."""
    kinds = set()
    while isinstance(given, PerStep | PerLeaf):
        kinds.add(type(given))
        given = given.values
    return given, PerStep in kinds, PerLeaf in kinds


def _is_plain(values: Any, leaves: list[Any]) -> bool:
    """Whether the values are one array, or the lists of numbers of one."""
    if isinstance(values, list | tuple):
        return bool(leaves) and not any(getattr(leaf, "shape", ()) for leaf in leaves)
    return len(leaves) == 1 and leaves[0] is values


def _array(name: str, values: Any, backend: Any) -> Any:
    if isinstance(values, str | bytes):
        raise ArgumentError(_no_numbers(name, values))
    try:
        array = backend.array(values)
    except RetrogradError:
        raise
    except (TypeError, ValueError):
        raise ArgumentError(_no_numbers(name, values)) from None
    if backend.dtype_of(array).kind != "f":
        raise ArgumentError(_no_numbers(name, values))
    return array


def _no_numbers(name: str, values: Any) -> str:
    return (
        f"{name}: {values!r:.60} was given; give a real number, an array of them marked with "
        "retrograd.per_step or per_leaf, or a container like the weights"
    )


def _of_tree(
    name: str, leaves: list[Any], layout: Layout, rows: int, stepwise: bool, backend: Any
) -> Any:
    leaves = [_array(name, leaf, backend) for leaf in leaves]
    lead = (rows,) if stepwise else ()
    if all(tuple(leaf.shape) == lead for leaf in leaves):
        return backend.concatenate([leaf.reshape((rows, 1)) for leaf in leaves], 1)
    columns = []
    for leaf, shape, size, where in zip(
        leaves, layout.shapes, layout.sizes, layout.names, strict=True
    ):
        given = tuple(leaf.shape)
        if given == lead:
            leaf = leaf.reshape((*lead, *(1 for _ in shape)))
        if not _fits(tuple(leaf.shape), lead, shape):
            raise ArgumentError(
                f"{name}: shape {given} at {where} does not fit weights of shape {shape}; give "
                f"one number{' per step' if stepwise else ''}, shape {lead}, or one per "
                f"{'step and ' if stepwise else ''}element, shape {(*lead, *shape)}"
            )
        full = backend.broadcast_to(leaf, (*lead, *shape))
        columns.append(full.reshape((rows, size)))
    return backend.concatenate(columns, 1)


def _fits(given: tuple[int, ...], lead: tuple[int, ...], shape: tuple[int, ...]) -> bool:
    """Whether an array broadcasts to a leaf's shape; after the steps, if there are any."""
    if lead and (given[:1] != lead or len(given) != 1 + len(shape)):
        return False
    given = given[len(lead) :]
    trailing = shape[len(shape) - len(given) :]
    return len(given) <= len(shape) and all(
        n in (1, m) for n, m in zip(given, trailing, strict=True)
    )


def _described(name: str, values: Any, leaves: list[Any], backend: Any) -> str:
    if _is_plain(values, leaves):
        return f"an array of shape {tuple(_array(name, values, backend).shape)}"
    return f"{values!r:.60}"


def _expected(
    name: str, given: str, layout: Layout, steps: int, stepwise: bool, leafwise: bool
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
    return f"{name}: {given} was given; expected {wanted}"

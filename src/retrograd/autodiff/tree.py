"""Nested containers (pytrees): tuples, lists, dicts, named tuples, dataclasses, what is registered.

`None` is an empty container, not a leaf, and the entries of a dict come in the order of their
sorted keys. Dataclasses need no registration: their fields are their entries. Registration
(`register`) is private to retrograd's own namespace.
"""

from __future__ import annotations

from dataclasses import fields
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING, Any

import numpy as np
import optree

from retrograd.errors import ArgumentError

if TYPE_CHECKING:
    from collections.abc import Callable

NAMESPACE = "retrograd"

# Types of leaves that need not be looked at twice.
_PLAIN = frozenset({np.ndarray, float, int, complex, bool, str, np.float64, np.float32})

_dataclasses: set[type] = set()
_guard = Lock()


def flatten(tree: Any) -> tuple[list[Any], Any]:
    """The leaves of a tree, and its structure (for `unflatten`).

    Example:
        >>> from retrograd import tree
        >>> leaves, structure = tree.flatten({"b": (1, 2), "a": None, "c": [3]})
        >>> leaves
        [1, 2, 3]
        >>> tree.unflatten(structure, [10, 20, 30])
        {'b': (10, 20), 'a': None, 'c': [30]}
    """
    leaves, structure = optree.tree_flatten(tree, namespace=NAMESPACE)
    if _PLAIN.issuperset([type(leaf) for leaf in leaves]) or not _are_dataclasses(leaves):
        return leaves, structure
    return flatten(tree)


def unflatten(structure: Any, leaves: Any) -> Any:
    """The tree of this structure with these leaves; the inverse of `flatten`."""
    return optree.tree_unflatten(structure, leaves)


def leaves(tree: Any) -> list[Any]:
    """The leaves of a tree, in order."""
    return flatten(tree)[0]


def map(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """Apply a function to every leaf (and to what is at the same place in `rest`).

    Example:
        >>> from retrograd import tree
        >>> tree.map(lambda x, y: x + y, {"a": 1, "b": (2,)}, {"a": 10, "b": (20,)})
        {'a': 11, 'b': (22,)}
    """
    first, structure = flatten(tree)
    others = [like(structure, other, "tree.map") for other in rest]
    return unflatten(structure, [function(*parts) for parts in zip(first, *others, strict=True)])


def like(structure: Any, tree: Any, name: str) -> list[Any]:
    """The parts of a tree at the leaves of a structure; a part may be None where a leaf is.

    Args:
        structure: from `flatten`.
        tree: a tree of this structure.
        name: of the tree, for the message.

    Raises:
        ArgumentError: the structures differ.

    Example:
        >>> from retrograd import tree
        >>> tree.like(tree.flatten({"a": 1, "b": (2, 3)})[1], {"a": None, "b": (5, 6)}, "example")
        [None, 5, 6]
    """
    found, actual = flatten(tree)
    if actual == structure:
        return found
    try:
        parts = structure.flatten_up_to(tree)
    except ValueError:
        parts = [()]
    if any(isinstance(part, tuple | list | dict) for part in parts):
        raise ArgumentError(f"{name}: structure {actual} was given where {structure} is needed")
    return parts


def names(tree: Any) -> list[str]:
    """A readable path for every leaf, for messages: `[0][1]`, `['bias']`."""
    flatten(tree)
    accessors = optree.tree_accessors(tree, namespace=NAMESPACE)
    return [accessor.codify("") or "value" for accessor in accessors]


def register(
    kind: type,
    flatten: Callable[[Any], tuple[tuple[Any, ...], Any]],
    unflatten: Callable[[Any, Any], Any],
) -> None:
    """Make a class a container: `flatten(x) -> (children, rest)`, `unflatten(rest, children)`."""
    optree.register_pytree_node(kind, flatten, unflatten, namespace=NAMESPACE)


def is_float(leaf: Any) -> bool:
    """Whether a leaf is a real or complex number or array that can carry a derivative."""
    return isinstance(leaf, float | complex | np.inexact) or (
        getattr(getattr(leaf, "dtype", None), "kind", "") in "fc" and hasattr(leaf, "dtype")
    )


def _are_dataclasses(leaves: list[Any]) -> bool:
    """Whether there are dataclasses among the leaves, which are containers from now on."""
    found = {type(leaf) for leaf in leaves if hasattr(type(leaf), "__dataclass_fields__")}
    with _guard:
        for kind in found - _dataclasses:
            _register_dataclass(kind)
            _dataclasses.add(kind)
    return bool(found)


def _register_dataclass(kind: type) -> None:
    """Let the fields of a dataclass be its entries.

    It is rebuilt without its `__init__`: a check or conversion there is meant for plain values.
    """
    entries = tuple(field.name for field in fields(kind))

    def take_apart(x: Any) -> tuple[tuple[Any, ...], None, tuple[str, ...]]:
        for name in getattr(x, "__dict__", {}).keys() - set(entries):
            if not isinstance(getattr(kind, name, None), cached_property):
                raise ArgumentError(
                    f"{kind.__name__}.{name} is no field of the dataclass, and would be lost or go "
                    "stale when the fields change: declare it as a field, or make it a property"
                )
        return tuple(getattr(x, name) for name in entries), None, entries

    def put_together(_: Any, children: Any) -> Any:
        x = object.__new__(kind)
        for name, child in zip(entries, children, strict=True):
            object.__setattr__(x, name, child)
        return x

    optree.register_pytree_node(
        kind,
        take_apart,
        put_together,
        path_entry_type=optree.GetAttrEntry,
        namespace=NAMESPACE,
    )

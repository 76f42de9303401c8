"""Nested containers (pytrees): tuples, lists, dicts, named tuples and what is registered.

`None` is an empty container, not a leaf, and the entries of a dict come in the order of their
sorted keys. Registration (`register`) is private to retrograd's own namespace.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import optree

if TYPE_CHECKING:
    from collections.abc import Callable

NAMESPACE = "retrograd"


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
    return leaves, structure


def unflatten(structure: Any, leaves: Any) -> Any:
    """The tree of this structure with these leaves; the inverse of `flatten`."""
    return optree.tree_unflatten(structure, leaves)


def leaves(tree: Any) -> list[Any]:
    """The leaves of a tree, in order."""
    return optree.tree_leaves(tree, namespace=NAMESPACE)


def map(function: Callable[..., Any], tree: Any, *rest: Any) -> Any:
    """Apply a function to every leaf (and to the leaves at the same place in `rest`).

    Example:
        >>> from retrograd import tree
        >>> tree.map(lambda x, y: x + y, {"a": 1, "b": (2,)}, {"a": 10, "b": (20,)})
        {'a': 11, 'b': (22,)}
    """
    return optree.tree_map(function, tree, *rest, namespace=NAMESPACE)


def names(tree: Any) -> list[str]:
    """A readable path for every leaf, for messages: `[0][1]`, `['bias']`."""
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

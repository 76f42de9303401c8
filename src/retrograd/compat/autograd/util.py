"""Autograd's `util`: tuples with other entries."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from retrograd.compat.autograd.absent import Absent

__all__ = ["quick_grad_check", "subval", "subvals", "toposort"]

toposort = Absent("toposort", "a tape is in order already; use make_vjp")
quick_grad_check = Absent("quick_grad_check", "use check_grads of test_util")


def subvals(x: Iterable[Any], ivs: Iterable[tuple[int, Any]]) -> tuple[Any, ...]:
    """A tuple with other values at some places.

    Example:
        >>> from retrograd.compat.autograd.util import subvals
        >>> subvals((1, 2, 3), [(0, "a"), (2, "b")])
        ('a', 2, 'b')
    """
    changed = [*x]
    for i, value in ivs:
        changed[i] = value
    return tuple(changed)


def subval(x: Iterable[Any], i: int, v: Any) -> tuple[Any, ...]:
    """A tuple with another value at one place."""
    return subvals(x, [(i, v)])

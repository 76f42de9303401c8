"""Whether functions with rules of the user's own are met: of `custom_vjp`, `custom_jvp`, `extend`.

Such rules need not be the derivative of their function, as those that clip or reverse a gradient on
its way. The Hessian by such rules is not symmetric.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import Any

__all__ = ["Seen", "counted", "looking_for_rules", "rules_met"]


class _Calls(threading.local):
    count = 0


_CALLS = _Calls()


class Seen:
    """Whether something was seen."""

    __slots__ = ("any",)

    def __init__(self) -> None:
        self.any = False


def rules_met() -> None:
    """A function with rules of the user's own is called."""
    _CALLS.count += 1


def counted(evaluate: Callable[..., Any]) -> Callable[..., Any]:
    """A function whose calls are such calls."""
    if hasattr(evaluate, "_counted"):
        return evaluate

    @wraps(evaluate)
    def counting(*args: Any, **kwargs: Any) -> Any:
        rules_met()
        return evaluate(*args, **kwargs)

    counting._counted = True  # type: ignore[attr-defined]
    return counting


@contextmanager
def looking_for_rules() -> Iterator[Seen]:
    """Tells at its end whether functions with rules of the user's own were called within it."""
    before, seen = _CALLS.count, Seen()
    try:
        yield seen
    finally:
        seen.any = _CALLS.count > before

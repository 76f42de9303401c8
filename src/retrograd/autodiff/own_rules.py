"""Whether functions with rules of the user's own are met: those of `custom_vjp` and `custom_jvp`.

Such rules need not be the derivative of their function, as those that clip or reverse a gradient on
its way. The Hessian by such rules is not symmetric.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Seen", "looking_for_rules", "rules_met"]


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


@contextmanager
def looking_for_rules() -> Iterator[Seen]:
    """Tells at its end whether functions with rules of the user's own were called within it."""
    before, seen = _CALLS.count, Seen()
    try:
        yield seen
    finally:
        seen.any = _CALLS.count > before

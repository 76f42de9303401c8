"""Autograd's `tracers`."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from retrograd.compat.autograd.absent import Absent

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["const_graph", "full_graph"]

full_graph = Absent("full_graph", "use retrograd.autodiff.tape.Tape, which has the entries")


def const_graph(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
    """The function with some arguments given; it is run again at every call.

    Autograd replays the operations of the first call instead, which gives wrong results if they
    depend on values. To keep one evaluation, use `make_vjp` or `retrograd.linearize`.
    """
    return partial(fun, *args, **kwargs)

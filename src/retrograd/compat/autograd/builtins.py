"""Autograd's `list`, `dict`, `tuple`, `isinstance` and `type`.

Containers hold traced values as they are, so the first three are Python's own. `isinstance` and
`type` look at the value behind a traced one.
"""

from __future__ import annotations

import builtins
from typing import Any

from retrograd.compat.autograd.tracer import getval

__all__ = ["dict", "isinstance", "list", "tuple", "type"]

list_ = list = builtins.list
dict_ = dict = builtins.dict
tuple_ = tuple = builtins.tuple
isinstance_, type_ = builtins.isinstance, builtins.type


def isinstance(x: Any, kinds: Any) -> bool:
    """Whether a value, or the plain value behind a traced one, is of some kind.

    Example:
        >>> import retrograd.compat.autograd as autograd
        >>> autograd.grad(lambda x: x * autograd.isinstance(x, float))(2.0)
        1.0
    """
    return isinstance_(getval(x), kinds) or isinstance_(x, kinds)


def type(x: Any, *more: Any) -> Any:
    """The type of a value, or of the plain value behind a traced one."""
    return type_(x, *more) if more else type_(getval(x))

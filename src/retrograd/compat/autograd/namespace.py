"""Modules that offer what another module, or an object in it, offers."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    Namespace = tuple[Callable[[str], Any], Callable[[], list[str]]]

__all__ = ["members_of", "same_as"]


def same_as(module: str) -> Namespace:
    """`__getattr__` and `__dir__` of a module with the attributes of another one."""
    return _namespace(import_module(module))


def members_of(module: str, name: str) -> Namespace:
    """The same, of something in a module."""
    return _namespace(getattr(import_module(module), name))


def _namespace(origin: Any) -> Namespace:
    def look_up(name: str) -> Any:
        if name == "__all__":  # asked for by `from ... import *`
            return [public for public in dir(origin) if not public.startswith("_")]
        return getattr(origin, name)

    def names() -> list[str]:
        return dir(origin)

    return look_up, names

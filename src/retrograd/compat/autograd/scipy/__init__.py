"""Autograd's `scipy`: the drop-ins of `retrograd.scipy`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_SUBMODULES = ("integrate", "linalg", "misc", "signal", "special", "stats")


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(
        f"module {__name__!r} has no attribute {name!r}; retrograd.scipy may have it"
    )


def __dir__() -> list[str]:
    return [*_SUBMODULES]

"""Autograd's `numpy`: the drop-in `retrograd.numpy`, and names that Autograd adds to it."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as _numpy

import retrograd.numpy as _numpy_of_retrograd
from retrograd.compat.autograd.tracer import getval as _getval

_SUBMODULES = ("fft", "linalg", "numpy_boxes", "numpy_vjps", "random")


def metadata(A: Any) -> tuple[Any, ...]:
    """Shape, number of dimensions, dtype and whether it is complex, of a plain or traced array."""
    plain = _getval(A)
    return (
        _numpy.shape(plain),
        _numpy.ndim(plain),
        _numpy.result_type(plain),
        _numpy.iscomplexobj(plain),
    )


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    if name == "__all__":  # asked for by `from ... import *`
        return [public for public in dir(_numpy_of_retrograd) if not public.startswith("_")]
    return getattr(_numpy_of_retrograd, name)


def __dir__() -> list[str]:
    return sorted({*dir(_numpy_of_retrograd), *_SUBMODULES, "metadata"})

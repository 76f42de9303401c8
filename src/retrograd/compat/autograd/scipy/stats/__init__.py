"""Autograd's `scipy.stats`: one module a distribution; more are in `retrograd.scipy.stats`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import retrograd.scipy.stats as _stats

_MODULES = ("beta", "chi2", "dirichlet", "gamma", "multivariate_normal", "norm", "poisson", "t")


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"{__name__}.{name}")
    return getattr(_stats, name)


def __dir__() -> list[str]:
    return dir(_stats)

"""Hypergeometric functions in their argument, and Lambert's W."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sc

from retrograd.autodiff.primitive import primitive_for, stands_for
from retrograd.scipy.special.partials import refused, special

__all__ = ["lambertw"]


def _of_argument(function: Any, parameters: str, slope: Any) -> None:
    """A function of parameters and an argument, by its derivative in the argument."""
    refusals = [refused(function.__name__, name) for name in parameters]
    special(function, *refusals, slope)


_of_argument(sc.hyp0f1, "v", lambda ans, v, z: sc.hyp0f1(v + 1.0, z) / v)
_of_argument(sc.hyp1f1, "ab", lambda ans, a, b, x: a / b * sc.hyp1f1(a + 1.0, b + 1.0, x))
_of_argument(
    sc.hyp2f1, "abc", lambda ans, a, b, c, z: a * b / c * sc.hyp2f1(a + 1.0, b + 1.0, c + 1.0, z)
)
_of_argument(sc.hyperu, "ab", lambda ans, a, b, x: -a * sc.hyperu(a + 1.0, b + 1.0, x))
special(sc.wrightomega, lambda ans, z: ans / (1 + ans))

_lambertw = primitive_for(lambda z, k, tol: sc.lambertw(z, k, tol))
_lambertw.name = "lambertw"
special(
    _lambertw,
    lambda ans, z, k, tol: np.exp(-ans) / (1 + ans),
    refused("lambertw", "k"),
    refused("lambertw", "tol"),
)


@stands_for(sc.lambertw)
def lambertw(z: Any, k: Any = 0, tol: float = 1e-8) -> Any:
    """`scipy.special.lambertw`, differentiable in `z`."""
    return _lambertw(z, k, tol)

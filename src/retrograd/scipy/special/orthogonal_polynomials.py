"""Orthogonal polynomials in their argument: a derivative is a neighbour of degree n - 1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.special as sc

from retrograd.autodiff.primitive import has_traced
from retrograd.scipy.special.partials import plain, refused, special

if TYPE_CHECKING:
    from collections.abc import Callable

__all__: list[str] = []


def _polynomial(function: Any, parameters: int, slope: Callable[..., Any]) -> None:
    """A polynomial f(n, ..., x) with parameters, by its derivative in x where n > 0."""
    name = function.__name__

    def partial(ans: Any, n: Any, *rest: Any) -> Any:
        constant = plain(n) == 0
        if not np.any(constant):
            return slope(n, *rest)
        if has_traced(n):  # below, the degree is constant
            refused(name, "n")()
        degree = np.where(constant, 1, plain(n)) if np.ndim(n) else 1
        return np.where(constant, 0, slope(degree, *rest))

    refusals = [refused(name, what) for what in ("n", *("a parameter",) * parameters)]
    special(function, *refusals, partial)


_polynomial(sc.eval_legendre, 0, lambda n, x: sc.eval_gegenbauer(n - 1, 1.5, x))
_polynomial(sc.eval_chebyt, 0, lambda n, x: n * sc.eval_chebyu(n - 1, x))
_polynomial(sc.eval_chebyu, 0, lambda n, x: 2 * sc.eval_gegenbauer(n - 1, 2.0, x))
_polynomial(sc.eval_chebyc, 0, lambda n, x: n * sc.eval_chebys(n - 1, x))
_polynomial(sc.eval_chebys, 0, lambda n, x: sc.eval_gegenbauer(n - 1, 2.0, 0.5 * x))
_polynomial(sc.eval_hermite, 0, lambda n, x: 2 * n * sc.eval_hermite(n - 1, x))
_polynomial(sc.eval_hermitenorm, 0, lambda n, x: n * sc.eval_hermitenorm(n - 1, x))
_polynomial(sc.eval_laguerre, 0, lambda n, x: -sc.eval_genlaguerre(n - 1, 1.0, x))
_polynomial(sc.eval_genlaguerre, 1, lambda n, a, x: -sc.eval_genlaguerre(n - 1, a + 1.0, x))
_polynomial(sc.eval_gegenbauer, 1, lambda n, a, x: 2 * a * sc.eval_gegenbauer(n - 1, a + 1.0, x))
_polynomial(
    sc.eval_jacobi, 2,
    lambda n, a, b, x: (n + a + b + 1) / 2 * sc.eval_jacobi(n - 1, a + 1.0, b + 1.0, x),
)  # fmt: skip
# The shifted ones are those of 2x - 1.
_polynomial(sc.eval_sh_legendre, 0, lambda n, x: 2 * sc.eval_gegenbauer(n - 1, 1.5, 2 * x - 1))
_polynomial(sc.eval_sh_chebyt, 0, lambda n, x: 2 * n * sc.eval_chebyu(n - 1, 2 * x - 1))
_polynomial(sc.eval_sh_chebyu, 0, lambda n, x: 4 * sc.eval_gegenbauer(n - 1, 2.0, 2 * x - 1))
_polynomial(
    sc.eval_sh_jacobi, 2,
    lambda n, p, q, x: n * sc.eval_sh_jacobi(n - 1, p + 2.0, q + 1.0, x),
)  # fmt: skip

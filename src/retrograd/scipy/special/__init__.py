"""A drop-in for `scipy.special`, with derivatives: `import retrograd.scipy.special as special`.

Ufuncs may also be called as SciPy's own on traced values, once this module has been imported;
SciPy's Python functions (`logsumexp`, `softmax`, `polygamma`, ...) must be taken from here.
"""

from __future__ import annotations

import scipy.special as _special

from retrograd.autodiff import rules as _rules
from retrograd.autodiff.dropin import drop_in as _drop_in
from retrograd.scipy.special import (
    bessel_functions,
    cumulative,
    elementary,
    elliptic_integrals,
    error_functions,
    exponential_integrals,
    gamma_functions,
    hypergeometric,
    incomplete_beta,
    incomplete_gamma,
    log_sums,
    orthogonal_polynomials,
)

# The imports register what `__getattr__` looks up.
assert _rules
assert bessel_functions, cumulative
assert elementary, elliptic_integrals
assert error_functions, exponential_integrals
assert gamma_functions, hypergeometric
assert incomplete_beta, incomplete_gamma
assert log_sums, orthogonal_polynomials

__getattr__, __dir__ = _drop_in(_special)

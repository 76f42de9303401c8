"""A drop-in for `scipy.stats`, with derivatives: `from retrograd.scipy import stats`.

    stats.norm.logpdf(x, loc, scale)      any argument may be traced, also by keyword
    stats.norm(loc, scale).logpdf(x)      the same, frozen

The methods of continuous families are differentiable in the variable, in `loc`, `scale` and the
shape parameters; those of discrete families in the parameters that are not counts. Where the
value is infinite, or the variable is outside the support, the derivative is zero; where the
parameters are invalid, value and derivative are NaN. A method without a rule raises
`MissingRuleError` on traced values; plain values go to SciPy itself.
"""

from __future__ import annotations

from typing import Any

import scipy.stats as _stats

from retrograd.autodiff.dropin import drop_in as _drop_in
from retrograd.scipy.stats import continuous, discrete, moments, multivariate
from retrograd.scipy.stats.distribution import distribution_of as _distribution_of

assert continuous, discrete  # the imports register what `__getattr__` looks up
assert moments, multivariate

_look_up, __dir__ = _drop_in(_stats)


def __getattr__(name: str) -> Any:
    return _distribution_of(_look_up(name))

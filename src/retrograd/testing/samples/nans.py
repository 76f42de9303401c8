"""Samples of rules/nans.py.

Where nothing is missing, the functions are checked as the others are. What is missing cannot be
moved by a numerical derivative; tests/autodiff/rules/test_nans.py has arrays with NaN.
"""

from __future__ import annotations

import numpy as np

from retrograd.testing.samples.cumulative import SAMPLES as CUMULATIVE
from retrograd.testing.samples.reductions import masked, spreads, started
from retrograd.testing.samples.sample import Samples, reduction

SAMPLES: Samples = {
    np.nansum: [*reduction(), *masked(), *started(0.7)],
    np.nanprod: [*reduction(), *masked(), *started(0.7)],
    np.nanmean: [*reduction(), *masked()],
    np.nanvar: spreads(mean=()),
    np.nanstd: spreads(mean=()),
    np.nanmax: [*reduction(is_complex=False), *started(0.3, is_complex=False)[:4]],
    np.nanmin: [*reduction(is_complex=False), *started(-0.3, is_complex=False)[:4]],
    np.nancumsum: CUMULATIVE[np.cumsum],
    np.nancumprod: CUMULATIVE[np.cumprod],
}

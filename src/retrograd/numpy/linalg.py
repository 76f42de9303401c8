"""A drop-in for `numpy.linalg`."""

import numpy as _numpy

from retrograd.autodiff import rules as _rules
from retrograd.autodiff.dropin import drop_in as _drop_in

assert _rules  # the import registers what is looked up

__getattr__, __dir__ = _drop_in(_numpy.linalg)

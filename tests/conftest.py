"""Settings of every test run: the same inputs, the same bits, no display."""

from __future__ import annotations

import os

from hypothesis import settings

# One BLAS thread per process: two busy pools on few cores cost more than they give, and the
# bits of a product must not depend on how many test processes there are. Read when NumPy loads.
for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(variable, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

# The examples are a function of the test alone, and a slow machine fails no test.
settings.register_profile("retrograd", derandomize=True, deadline=None, database=None)
settings.load_profile("retrograd")

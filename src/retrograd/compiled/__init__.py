"""Runs that JAX compiles: one program forwards, one for the sweep, and nothing on the host between.

`retrograd.train` and `retrograd.iterate` hand calls with JAX arrays on to here. Imported at the
first such call, because it needs JAX.
"""

from retrograd.compiled.iterate import iterate as iterate
from retrograd.compiled.train import train as train

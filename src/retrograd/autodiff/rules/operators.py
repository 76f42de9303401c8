"""Python's operators: they share the rules of the ufuncs that they stand for."""

from __future__ import annotations

from retrograd.autodiff.box import OPERATORS
from retrograd.autodiff.primitive import primitive_for, rule

# The ufuncs must have their rules by now.
from retrograd.autodiff.rules import elementwise, products

assert elementwise
assert products

for _ufunc, _operator in OPERATORS.items():
    _shared = primitive_for(_ufunc)
    rule(_operator, _shared.vjps, _shared.jvps).reads = _shared.reads
    _operator.stackings = _shared.stackings
    _operator.differentiable = _shared.differentiable

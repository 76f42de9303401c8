"""Derivative rules, one line a function, in files named after what they differentiate."""

from retrograd.autodiff.rules import (
    elementwise,
    indexing,
    operators,
    products,
    reductions,
    shapes,
    special,
)

__all__ = ["elementwise", "indexing", "operators", "products", "reductions", "shapes", "special"]

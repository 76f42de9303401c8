"""The differentiation engine: traces, primitives, rules and operators.

Start reading at `README.md` in this folder.
"""

from retrograd.autodiff import rules as rules
from retrograd.autodiff.memory import keep_freed_memory
from retrograd.autodiff.operators import (
    elementwise_grad,
    grad,
    hessian,
    hvp,
    jacobian,
    jvp,
    linearize,
    value_and_grad,
    vjp,
)
from retrograd.autodiff.trace import value_of

__all__ = [
    "elementwise_grad",
    "grad",
    "hessian",
    "hvp",
    "jacobian",
    "jvp",
    "linearize",
    "value_and_grad",
    "value_of",
    "vjp",
]

keep_freed_memory()

"""The differentiation engine: traces, primitives, rules and operators.

Start reading at `README.md` in this folder.
"""

from retrograd.autodiff import batching as batching
from retrograd.autodiff import rules as rules
from retrograd.autodiff.checkpoint import checkpoint
from retrograd.autodiff.custom import custom_jvp, custom_vjp
from retrograd.autodiff.jacobians import hessian, jacobian, tensor_jacobian_product
from retrograd.autodiff.memory import keep_freed_memory
from retrograd.autodiff.operators import (
    elementwise_grad,
    ggnvp,
    grad,
    grad_and_aux,
    holomorphic_grad,
    hvp,
    jvp,
    linearize,
    value_and_grad,
    vector_jacobian_product,
    vjp,
)
from retrograd.autodiff.trace import value_of

__all__ = [
    "checkpoint",
    "custom_jvp",
    "custom_vjp",
    "elementwise_grad",
    "ggnvp",
    "grad",
    "grad_and_aux",
    "hessian",
    "holomorphic_grad",
    "hvp",
    "jacobian",
    "jvp",
    "linearize",
    "tensor_jacobian_product",
    "value_and_grad",
    "value_of",
    "vector_jacobian_product",
    "vjp",
]

keep_freed_memory()

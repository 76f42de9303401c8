"""Autograd's names: `from retrograd.compat.autograd import grad` for `from autograd import grad`.

The submodules are laid out as Autograd's are, so that `import autograd.numpy as np` becomes
`import retrograd.compat.autograd.numpy as np`. It is an adapter: everything is done by retrograd's
own operators and rules. What differs on purpose is in the documentation ("Coming from Autograd");
a name that cannot be offered raises an `AttributeError` that says what to use instead.

Example:
    >>> import retrograd.compat.autograd.numpy as np
    >>> from retrograd.compat.autograd import grad
    >>> grad(lambda x: np.sum(np.tanh(x) ** 2))(np.zeros(2))
    array([0., 0.])
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from retrograd.compat.autograd.builtins import dict, isinstance, list, tuple, type
from retrograd.compat.autograd.differential_operators import (
    checkpoint,
    deriv,
    elementwise_grad,
    grad,
    grad_and_aux,
    grad_named,
    hessian,
    hessian_tensor_product,
    hessian_vector_product,
    holomorphic_grad,
    jacobian,
    make_ggnvp,
    make_hvp,
    make_jvp,
    make_vjp,
    multigrad_dict,
    tensor_jacobian_product,
    value_and_grad,
    vector_jacobian_product,
)
from retrograd.compat.autograd.extend import primitive

__all__ = [
    "checkpoint",
    "deriv",
    "dict",
    "elementwise_grad",
    "grad",
    "grad_and_aux",
    "grad_named",
    "hessian",
    "hessian_tensor_product",
    "hessian_vector_product",
    "holomorphic_grad",
    "isinstance",
    "jacobian",
    "list",
    "make_ggnvp",
    "make_hvp",
    "make_jvp",
    "make_vjp",
    "multigrad_dict",
    "primitive",
    "tensor_jacobian_product",
    "tuple",
    "type",
    "value_and_grad",
    "vector_jacobian_product",
]

# Loaded at first use: SciPy is asked for by the programs that use it.
_SUBMODULES = ("core", "misc", "numpy", "scipy", "test_util", "tracer", "util", "wrap_util")


def __getattr__(name: str) -> Any:
    if name in _SUBMODULES:
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

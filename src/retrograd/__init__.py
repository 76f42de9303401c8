"""Differentiate NumPy programs, and whole training runs exactly backwards.

Its names are loaded at first use:

    grad, value_and_grad, ...     derivatives of NumPy programs
    compile                       the same program through XLA
    train, iterate                training, and any map applied again and again, as functions
    Momentum, Adam, SGD, ...      optimizers; per_step and per_leaf vary their hyperparameters
    Averaged, ClippedByNorm, ...  what can be put around an optimizer; schedules of rates
    from_optax                    an optimizer of optax, run backwards
    Reversible, Checkpointed, ... adjoints: how the sweep gets the states back
    tree                          nested containers
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from retrograd.adjoints import (
        Auto,
        Checkpointed,
        Coded,
        Reversible,
        Stored,
        StraightLine,
        Truncated,
    )
    from retrograd.autodiff import (
        checkpoint,
        custom_jvp,
        custom_vjp,
        elementwise_grad,
        ggnvp,
        grad,
        grad_and_aux,
        hessian,
        holomorphic_grad,
        hvp,
        jacobian,
        jvp,
        linearize,
        tensor_jacobian_product,
        tree,
        value_and_grad,
        value_of,
        vector_jacobian_product,
        vjp,
    )
    from retrograd.jax import from_optax
    from retrograd.optimizers import (
        SGD,
        Adam,
        Adamax,
        AdamW,
        Averaged,
        ClippedByNorm,
        ClippedByValue,
        CoupledDecay,
        DecoupledDecay,
        Lion,
        Momentum,
        Muon,
        NAdam,
        Nesterov,
        Polyak,
        RMSprop,
        Signum,
        per_leaf,
        per_step,
        schedules,
    )
    from retrograd.training import (
        Certificate,
        Diagnostics,
        HypergradientCheck,
        Saved,
        check_hypergradient,
        iterate,
        train,
        train_in_floats,
    )
    from retrograd.xla import compile

# Loaded at first use, so that the command line's --help stays instant.
_HOMES = {
    "retrograd.autodiff": (
        "checkpoint custom_jvp custom_vjp elementwise_grad ggnvp grad grad_and_aux hessian "
        "holomorphic_grad hvp jacobian jvp linearize tensor_jacobian_product tree value_and_grad "
        "value_of vector_jacobian_product vjp"
    ),
    "retrograd.adjoints": "Auto Checkpointed Coded Reversible Stored StraightLine Truncated",
    "retrograd.jax": "from_optax",
    "retrograd.optimizers": (
        "SGD Adam AdamW Adamax Averaged ClippedByNorm ClippedByValue CoupledDecay DecoupledDecay "
        "Lion Momentum Muon NAdam Nesterov Polyak RMSprop Signum per_leaf per_step schedules"
    ),
    "retrograd.training": (
        "Certificate Diagnostics HypergradientCheck Saved check_hypergradient iterate train "
        "train_in_floats"
    ),
    "retrograd.xla": "compile",
}
_MODULES = (
    "adjoints", "compat", "data", "errors", "extend", "jax", "numpy", "optimizers", "scipy",
    "study", "testing", "torch",
)  # fmt: skip
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Adamax",
    "Auto",
    "Averaged",
    "Certificate",
    "Checkpointed",
    "ClippedByNorm",
    "ClippedByValue",
    "Coded",
    "CoupledDecay",
    "DecoupledDecay",
    "Diagnostics",
    "HypergradientCheck",
    "Lion",
    "Momentum",
    "Muon",
    "NAdam",
    "Nesterov",
    "Polyak",
    "RMSprop",
    "Reversible",
    "Saved",
    "Signum",
    "Stored",
    "StraightLine",
    "Truncated",
    "check_hypergradient",
    "checkpoint",
    "compile",
    "custom_jvp",
    "custom_vjp",
    "elementwise_grad",
    "from_optax",
    "ggnvp",
    "grad",
    "grad_and_aux",
    "hessian",
    "holomorphic_grad",
    "hvp",
    "iterate",
    "jacobian",
    "jvp",
    "linearize",
    "per_leaf",
    "per_step",
    "schedules",
    "tensor_jacobian_product",
    "train",
    "train_in_floats",
    "tree",
    "value_and_grad",
    "value_of",
    "vector_jacobian_product",
    "vjp",
]


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"retrograd.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'retrograd' has no attribute {name!r}")
    home = import_module(_HOME[name])
    value = getattr(home, name, None) or import_module(f"{_HOME[name]}.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_MODULES})

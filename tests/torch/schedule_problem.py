"""One small problem in NumPy and in PyTorch, with everything that can be differentiated."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from retrograd import tree

STEPS = 6


def numbers() -> dict[str, Any]:
    """Everything that enters, as NumPy's numbers."""
    rng = np.random.default_rng(0)
    return {
        "w0": {"a": rng.normal(size=(2, 3)), "b": [rng.normal(size=3), np.array(0.5)]},
        "hyper": {
            "decay": np.array(0.25),
            "examples": rng.normal(size=(4, 2)),
            "importance": rng.uniform(0.5, 1.5, 4),
        },
        "rates": rng.uniform(0.02, 0.1, STEPS),
    }


def tensors(dtype: Any = torch.float64, *, leaf: bool = True) -> dict[str, Any]:
    """The same as tensors; `leaf` makes them require a gradient."""
    return tree.map(lambda x: torch.tensor(x, dtype=dtype).requires_grad_(leaf), numbers())


def loss(w: Any, hyper: Any, step: int) -> Any:
    """A tanh layer fitted to a moving target, with weighted examples and a penalty."""
    xp = torch if isinstance(w["a"], torch.Tensor) else np
    z = xp.tanh(hyper["examples"] @ w["a"] + w["b"][0])
    residual = z.sum(1) * w["b"][1] - xp.cos(step + xp.arange(4, dtype=w["a"].dtype))
    penalty = (w["a"] ** 2).sum() + (w["b"][0] ** 2).sum()
    return (hyper["importance"] * residual**2).sum() / 4 + hyper["decay"] * penalty


def outcome(w: Any) -> Any:
    """A number of the trained weights, that depends on all of them."""
    xp = torch if isinstance(w["a"], torch.Tensor) else np
    return xp.sin(w["a"]).sum() + (w["b"][0] ** 2).sum() * w["b"][1]


def gradients(everything: Any) -> dict[str, Any]:
    """What backward() left in the tensors, as NumPy's arrays."""
    return tree.map(lambda x: x.grad.numpy(), everything)

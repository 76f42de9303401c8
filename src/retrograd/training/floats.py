"""Training in ordinary floating point: the same programs, without the lattice and backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograd.backends import NumpyBackend
from retrograd.lattice import Layout
from retrograd.optimizers import Optimizer, table
from retrograd.training.columns import Row

__all__ = ["train_in_floats"]


def train_in_floats(
    loss: Callable[[Any, Any, int], Any], w0: Any, hyper: Any, optimizer: Optimizer, steps: int
) -> Any:
    """Train as anybody would, in float64 and not differentiably: what `train` is compared with.

    Arguments and result are those of `train`. The weights differ from `train`'s by what the
    lattice rounds away.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum((w - 1.0) ** 2)
        >>> arguments = loss, np.zeros(2), None, rg.Momentum(0.1, 0.9), 30
        >>> bool(np.allclose(rg.train_in_floats(*arguments), rg.train(*arguments), atol=1e-10))
        True
    """
    backend = NumpyBackend()
    leaves, structure = backend.flatten(w0)
    layout = Layout([np.shape(leaf) for leaf in leaves])
    tables = {
        name: table(name, given, layout=layout, structure=structure, steps=steps, backend=backend)
        for name, given in optimizer.hyperparameters().items()
    }
    slots = optimizer.start(layout.join([np.asarray(leaf, float) for leaf in leaves]))
    for t in range(steps):
        w = backend.unflatten(structure, layout.split(slots["weights"]))
        _, gradient = backend.value_and_gradient(loss, w, hyper, t)
        flat = layout.join(backend.flatten(gradient)[0])
        hypers = {
            name: Row(values[t if len(values) > 1 else 0], layout).spread
            for name, values in tables.items()
        }
        slots = optimizer.update(slots, flat, hypers, t, np.sqrt)
    return backend.unflatten(structure, layout.split(slots["weights"]))

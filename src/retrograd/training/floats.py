"""Training in ordinary floating point: the same programs, without the lattice and backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from retrograd.backends import NumpyBackend
from retrograd.errors import DifferentiationError
from retrograd.optimizers import Optimizer
from retrograd.training.arguments import check_run, layout_of, tables_of
from retrograd.training.columns import Row

__all__ = ["train_in_floats"]


def train_in_floats(
    loss: Callable[[Any, Any, int], Any], w0: Any, hyper: Any, optimizer: Optimizer, steps: int
) -> Any:
    """Train as anybody would, in float64 and not differentiably: what `train` is compared with.

    Arguments and result are those of `train`. The weights differ from `train`'s by what the
    lattice rounds away.

    Raises:
        ArgumentError: an argument has a wrong shape, type or value.
        DifferentiationError: an argument is a traced value.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: np.sum((w - 1.0) ** 2)
        >>> arguments = loss, np.zeros(2), None, rg.Momentum(0.1, 0.9), 30
        >>> bool(np.allclose(rg.train_in_floats(*arguments), rg.train(*arguments), atol=1e-10))
        True
    """
    backend = NumpyBackend()
    check_run(loss, optimizer, steps)
    leaves, structure = backend.flatten(w0)
    layout = layout_of(leaves, backend.leaf_names(w0))
    tables = tables_of(optimizer, layout, structure, steps, backend)
    if any(backend.is_traced(x) for x in (*leaves, *backend.flatten(hyper)[0], *tables.values())):
        raise DifferentiationError(
            "train_in_floats cannot be differentiated: use train, or hand it plain values "
            "(retrograd.value_of)"
        )
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

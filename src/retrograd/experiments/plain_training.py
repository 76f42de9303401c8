"""One plain training, timed: the same gradient steps without lattice or sweep.

In NumPy and PyTorch it is the loop of `train_in_floats`; in JAX one compiled loop, whose time of
compilation is not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from importlib import import_module
from time import perf_counter
from typing import Any

from retrograd import Momentum, train_in_floats

__all__ = ["PlainTraining"]


class PlainTraining:
    """A training whose rates and momenta differ by step and leaf.

    Args:
        loss: `loss(w, batches, step)`.
        library: the name of the array library.
    """

    def __init__(self, loss: Callable[[Any, Any, Any], Any], library: str) -> None:
        self.loss = loss
        self.library = library
        self._compiled: Any = None

    def seconds(self, w0: Any, batches: Any, optimizer: Momentum) -> float:
        """The wall-clock time of a training.

        Args:
            w0: initial weights.
            batches: what the loss gets besides the weights.
            optimizer: with `per_step` rates and momenta of shape (steps, leaves), and a dampening
                that is the momentum.
        """
        if self.library == "jax":
            return self._in_jax(w0, batches, optimizer.rate.values, optimizer.momentum.values)
        started = perf_counter()
        train_in_floats(self.loss, w0, batches, optimizer, len(optimizer.rate.values))
        return perf_counter() - started

    def _in_jax(self, w0: Any, batches: Any, rates: Any, momenta: Any) -> float:
        if self._compiled is None:
            self._compiled = self._program.lower(w0, batches, rates, momenta).compile()
        started = perf_counter()
        self._wait(self._compiled(w0, batches, rates, momenta))
        return perf_counter() - started

    @staticmethod
    def _wait(arrays: Any) -> None:
        import_module("jax").block_until_ready(arrays)

    @cached_property
    def _program(self) -> Any:
        jax = import_module("jax")

        def trained(w0: Any, batches: Any, rates: Any, momenta: Any) -> Any:
            leaves, structure = jax.tree.flatten(w0)

            def step(state: Any, row: Any) -> tuple[Any, None]:
                (w, v), (t, rate, momentum) = state, row
                gradient = jax.grad(self.loss)(jax.tree.unflatten(structure, w), batches, t)
                slopes = jax.tree.leaves(gradient)
                v = [
                    momentum[i] * a - (1 - momentum[i]) * g
                    for i, (a, g) in enumerate(zip(v, slopes, strict=True))
                ]
                return (
                    [b + rate[i] * a for i, (a, b) in enumerate(zip(v, w, strict=True))],
                    v,
                ), None

            steps = jax.numpy.arange(rates.shape[0])
            start = leaves, [0 * leaf for leaf in leaves]
            return jax.lax.scan(step, start, (steps, rates, momenta))[0][0]

        return jax.jit(trained)

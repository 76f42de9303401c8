"""T1-T2: one training in which the hyperparameters move after every elementary step.

The hypergradient of a step sees that step only (it is that of `Truncated(1)`), so it is cheap, and
it cannot see what a hyperparameter does to the steps that follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from retrograd.autodiff import grad, tree, value_and_grad, value_of
from retrograd.backends import NumpyBackend
from retrograd.counts import check_count
from retrograd.errors import ArgumentError, NonFiniteError
from retrograd.optimizers import Optimizer
from retrograd.study import meta_optimizers
from retrograd.training.arguments import check_run, layout_of, tables_of

__all__ = ["OnlineStep", "descend_online"]


@dataclass(frozen=True)
class OnlineStep:
    """One elementary step, and the hypergradient that the hyper-step after it follows.

    Attributes:
        index: the number of the step, from 0.
        w: the weights after the step: those that training would return.
        hyper: the hyperparameters that the step was taken with.
        value: the validation loss after the step.
        hypergradient: of `value` through this one step, shaped like `hyper`.
    """

    index: int
    w: Any
    hyper: Any
    value: float
    hypergradient: Any


def descend_online(
    loss: Callable[[Any, Any, int], Any],
    validation_loss: Callable[[Any, int], Any],
    w0: Any,
    hyper: Any,
    optimizer: Callable[[Any], Optimizer],
    meta_optimizer: Any,
    steps: int,
) -> Iterator[OnlineStep]:
    """Train, and move the hyperparameters after every step: T1-T2.

    Training runs in float64, without the lattice, for nothing is run backwards.

    Args:
        loss: `loss(w, hyper, step)`, as in `retrograd.train`.
        validation_loss: `validation_loss(w, step)`, a real number. It is differentiated once a
            step: a mini-batch, chosen by `step`, keeps that as cheap as the step.
        w0: initial weights: a container of float arrays.
        hyper: where the hyperparameters start: a container of float arrays.
        optimizer: makes the optimizer from the hyperparameters, for instance
            `lambda hyper: Momentum(per_leaf(np.exp(hyper["log_rates"])), 0.9)`.
        meta_optimizer: moves the hyperparameters: one of retrograd's, whose own are single
            numbers, or one of optax.
        steps: how many steps, at least 1.

    Yields:
        Each step when it is done. The hyperparameters of the last one have not moved after it.

    Raises:
        ArgumentError: `steps` is no whole number of at least 1, a container is empty or not of
            floats, `optimizer` makes no optimizer, or a hyperparameter has left its domain. A
            logarithm, as above, cannot leave it.
        NonFiniteError: a validation loss or a hypergradient is NaN or infinite.

    Example:
        >>> from retrograd.optimizers import SGD
        >>> loss = lambda w, target, step: np.sum((w - target) ** 2)
        >>> validation = lambda w, step: np.sum((w - 2.0) ** 2)
        >>> found = descend_online(
        ...     loss, validation, np.zeros(2), np.zeros(2), lambda h: SGD(0.25), SGD(0.5), 40
        ... )
        >>> [step.hyper.round(3) for step in found][-1]
        array([2., 2.])

    References:
        Luketina, Berglund, Greff & Raiko, "Scalable Gradient-Based Tuning of Continuous
        Regularization Hyperparameters", ICML 2016.
    """
    training = _Elementary(loss, validation_loss, w0, optimizer, steps)
    outer = meta_optimizers.meta_optimizer(meta_optimizer, hyper)
    for t in range(steps):
        hyper = outer.hyper
        (value, after), hypergradient = value_and_grad(training.validated, has_aux=True)(hyper, t)
        _check_finite(float(value), hypergradient, t)
        training.slots = {name: value_of(slot) for name, slot in after.items()}
        yield OnlineStep(t, training.trained(), hyper, float(value), hypergradient)
        outer.move(hypergradient)


def _check_finite(value: float, hypergradient: Any, t: int) -> None:
    wrong = "" if np.isfinite(value) else "validation loss"
    if not all(np.isfinite(leaf).all() for leaf in tree.leaves(hypergradient)):
        wrong = wrong or "hypergradient"
    if wrong:
        raise NonFiniteError(
            f"the {wrong} of step {t} is not finite; lower the rate or the meta-rate"
        )


class _Elementary:
    """The training: its slots as flat vectors, and one step of it.

    Attributes:
        slots: those before the step at hand; none before the first one.
    """

    def __init__(
        self,
        loss: Callable[[Any, Any, int], Any],
        validation_loss: Callable[[Any, int], Any],
        w0: Any,
        optimizer: Callable[[Any], Optimizer],
        steps: int,
    ) -> None:
        check_count("steps", steps)
        if not callable(optimizer):
            raise ArgumentError(
                f"optimizer: {optimizer!r:.60} was given; give a function that makes it from the "
                "hyperparameters, such as lambda hyper: Momentum(hyper, 0.9)"
            )
        self.loss, self.validation_loss, self.steps = loss, validation_loss, steps
        self.optimizer = optimizer
        leaves, self.structure = tree.flatten(w0)
        self.layout = layout_of(leaves, tree.names(w0), NumpyBackend())
        self.start = self.layout.join([np.asarray(leaf, float) for leaf in leaves])
        self.slots: Mapping[str, Any] = {}
        self.result = ""

    def validated(self, hyper: Any, t: int) -> tuple[Any, dict[str, Any]]:
        """The validation loss after step t, and the slots there."""
        optimizer = self.optimizer(hyper)
        check_run(self.loss, optimizer, self.steps)
        after = self._after(optimizer, hyper, t)
        self.result = optimizer.program.result
        return self.validation_loss(self._tree(after[self.result]), t), after

    def trained(self) -> Any:
        """The weights that training would return now."""
        return self._tree(np.array(self.slots[self.result]))

    def _after(self, optimizer: Optimizer, hyper: Any, t: int) -> dict[str, Any]:
        """The slots after step t, as a function of the hyperparameters."""
        slots = self.slots or optimizer.start(self.start)
        gradient = grad(self.loss)(self._tree(slots["weights"]), hyper, t)
        flat = np.concatenate([np.reshape(leaf, -1) for leaf in tree.leaves(gradient)])
        given = {"root": NumpyBackend.root, "xp": np, "layout": self.layout}
        return optimizer.update(slots, flat, self._row(optimizer, t), t, given)

    def _row(self, optimizer: Optimizer, t: int) -> dict[str, Any]:
        """The optimizer's hyperparameters of step t, each a number or one for each element."""
        tables = tables_of(optimizer, self.layout, self.structure, self.steps, NumpyBackend())
        rows = {name: table[t if len(table) > 1 else 0] for name, table in tables.items()}
        return {name: self._spread(row) for name, row in rows.items()}

    def _spread(self, row: Any) -> Any:
        if len(row) == 1:
            return row[0]
        return row if len(row) == self.layout.size else np.repeat(row, self.layout.sizes)

    def _tree(self, flat: Any) -> Any:
        """A flat vector in the weights' container."""
        spans = zip(self.layout.leaves, self.layout.shapes, strict=True)
        return tree.unflatten(self.structure, [flat[span].reshape(shape) for span, shape in spans])

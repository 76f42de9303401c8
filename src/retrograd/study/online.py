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
from retrograd.errors import ArgumentError, NonFiniteError
from retrograd.lattice import Layout
from retrograd.optimizers import Optimizer
from retrograd.study.descent import moves

__all__ = ["OnlineStep", "descend_online"]


@dataclass(frozen=True)
class OnlineStep:
    """One elementary step, and the hyper-step after it.

    Attributes:
        index: the number of the step, from 0.
        w: the weights after the step.
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
    meta_optimizer: Optimizer,
    steps: int,
) -> Iterator[OnlineStep]:
    """Train, and move the hyperparameters after every step: T1-T2.

    Args:
        loss: `loss(w, hyper, step)`, as in `retrograd.train`.
        validation_loss: `validation_loss(w, step)`, a real number.
        w0: initial weights: a container of float arrays.
        hyper: where the hyperparameters start: a container of float arrays.
        optimizer: makes the optimizer from the hyperparameters, with single numbers: for instance
            `lambda hyper: Momentum(np.exp(hyper["log_rate"]), 0.9)`.
        meta_optimizer: moves the hyperparameters.
        steps: how many steps, at least 1.

    Yields:
        Each step when it is done. The hyperparameters of the last one have not moved after it.

    Raises:
        ArgumentError: `steps` is no whole number of at least 1, or a container is empty.
        NonFiniteError: a hypergradient is NaN or infinite.

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
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 1:
        raise ArgumentError(f"steps: {steps!r} was given; give a whole number of at least 1")
    training = _Elementary(loss, w0)
    outer = moves(meta_optimizer, hyper)
    hyper = next(outer)
    for t in range(steps):

        def validated(hyper: Any, t: int = t) -> tuple[Any, Any]:
            after = training.after(optimizer(hyper), hyper, t)
            w = training.weights(after)
            return validation_loss(w, t), after

        (value, after), hypergradient = value_and_grad(validated, has_aux=True)(hyper)
        slots = {name: value_of(slot) for name, slot in after.items()}
        if not all(np.isfinite(leaf).all() for leaf in tree.leaves(hypergradient)):
            raise NonFiniteError(
                f"the hypergradient of step {t} is not finite; lower the rate or the meta-rate"
            )
        training.slots = slots
        yield OnlineStep(t, training.weights(slots), hyper, float(value), hypergradient)
        hyper = outer.send(hypergradient)


class _Elementary:
    """The training: its slots as flat vectors, and one step of it."""

    def __init__(self, loss: Callable[..., Any], w0: Any) -> None:
        leaves, self.structure = tree.flatten(w0)
        if not leaves:
            raise ArgumentError("w0: it holds no array; give the weights to train")
        self.loss = loss
        self.layout = Layout([np.shape(leaf) for leaf in leaves])
        self.start = self.layout.join([np.asarray(leaf, float) for leaf in leaves])
        self.slots: Mapping[str, Any] | None = None

    def weights(self, slots: Mapping[str, Any]) -> Any:
        """The position of some slots, as a container."""
        flat = slots["weights"]
        parts = [
            flat[span].reshape(shape)
            for span, shape in zip(self.layout.leaves, self.layout.shapes, strict=True)
        ]
        return tree.unflatten(self.structure, parts)

    def after(self, optimizer: Optimizer, hyper: Any, t: int) -> dict[str, Any]:
        """The slots after step t, as a function of the hyperparameters."""
        slots = optimizer.start(self.start) if self.slots is None else self.slots
        gradient = grad(self.loss)(self.weights(slots), hyper, t)
        flat = np.concatenate([np.reshape(leaf, -1) for leaf in tree.leaves(gradient)])
        given = {"root": np.sqrt, "xp": np, "layout": self.layout}
        return optimizer.update(slots, flat, optimizer.hyperparameters(), t, given)

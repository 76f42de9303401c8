"""The problems of `hypergradients.py`: a network on MNIST, its schedule and its batches, in NumPy.

"small" is the learned schedule's: a network 784-50-50-50-10 with tanh, batch 200, 100 steps.
"wide" is 784-1000-1000-10, batch 100, 200 steps, which has few operations per parameter. "tiny"
is there to try the script. A rate and a momentum per step and group (weights and biases of every
layer); the hypergradient is that of the loss of one validation batch after training, with respect
to all rates, all momenta and the initial weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.data import load, minibatch, one_hot
from retrograd.experiments.network import initial_weights, unit_normals

Array = NDArray[Any]
# Rates (T, L), momenta (T, L) and the L initial weights; None for what was not differentiated.
Leaves = list[Array | None]

SCALE, MOMENTUM = 0.05, 0.9


@dataclass(frozen=True)
class Kind:
    """The size of a problem.

    Attributes:
        sizes: the layers' sizes.
        batch: images per step.
        steps: T.
        rate: every rate.
        longer: the steps of a longer run, which says what a further step keeps.
    """

    sizes: tuple[int, ...]
    batch: int
    steps: int
    rate: float
    longer: int


KINDS = {
    "small": Kind((784, 50, 50, 50, 10), 200, 100, 0.04, 2000),
    "wide": Kind((784, 1000, 1000, 10), 100, 200, 0.02, 400),
    "tiny": Kind((784, 8, 10), 20, 12, 0.04, 120),
}


@dataclass(frozen=True)
class Problem:
    """Everything that a training needs, as NumPy arrays.

    Attributes:
        kind: its name in `KINDS`.
        images: (N, 784), the training images.
        targets: (N, 10), their labels as one-hot rows.
        chosen: (T, batch), the indices of the images of each step.
        judged_images: (batch, 784), the validation batch.
        judged_targets: (batch, 10), its labels.
        w0: the L initial leaves: weights 1, biases 1, weights 2, ...
        rates: (T, L).
        momenta: (T, L).
    """

    kind: str
    images: Array
    targets: Array
    chosen: Array
    judged_images: Array
    judged_targets: Array
    w0: list[Array]
    rates: Array
    momenta: Array

    @property
    def steps(self) -> int:
        """The number of steps, T."""
        return len(self.chosen)

    @property
    def parameters(self) -> int:
        """The number of elementary parameters."""
        return sum(leaf.size for leaf in self.w0)

    def first(self, steps: int) -> Problem:
        """The same problem, trained for fewer steps."""
        cut = {name: getattr(self, name)[:steps] for name in ("chosen", "rates", "momenta")}
        return replace(self, **cut)

    def cast(self, dtype: Any) -> Problem:
        """The same problem in another floating type."""
        names = "images", "targets", "judged_images", "judged_targets", "rates", "momenta"
        arrays = {name: getattr(self, name).astype(dtype) for name in names}
        return replace(self, w0=[leaf.astype(dtype) for leaf in self.w0], **arrays)


@dataclass(frozen=True)
class Contender:
    """One way to a hypergradient, ready to be timed.

    Attributes:
        run: computes the hypergradient once, to the end; None if it would keep too much.
        compile_seconds: None where nothing is compiled.
        bytes_kept: all that one hypergradient of T steps keeps, what does not depend on T included;
            None where it cannot be told apart from what the libraries themselves keep.
        bytes_by_step: what a further step adds to it.
        bytes_certified: what a further step adds to what our certificate says is kept.
    """

    run: Callable[[], Leaves] | None
    compile_seconds: float | None
    bytes_kept: float | None
    bytes_by_step: float
    bytes_certified: float | None = None


def problem_of(name: str) -> Problem:
    """The problem of this name in float32, for as many steps as the longer run takes."""
    kind = KINDS[name]
    steps = kind.longer
    data = load("mnist-10k", dtype=np.float32)
    targets, judged = (
        one_hot(split.labels, data.classes)[:size].astype(np.float32)
        for split, size in ((data.train, None), (data.valid, kind.batch))
    )
    groups = 2 * (len(kind.sizes) - 1)
    pairs = initial_weights(unit_normals(kind.sizes, 0), np.full(groups, SCALE))
    return Problem(
        kind=name,
        images=data.train.images,
        targets=targets,
        chosen=np.stack([minibatch(len(targets), kind.batch, t, 0) for t in range(steps)]),
        judged_images=data.valid.images[: kind.batch],
        judged_targets=judged,
        w0=[leaf.astype(np.float32) for pair in pairs for leaf in pair],
        rates=np.full((steps, groups), kind.rate, np.float32),
        momenta=np.full((steps, groups), MOMENTUM, np.float32),
    )


def relative_difference(found: Leaves, expected: Leaves) -> float:
    """The largest, over the leaves, of the distance divided by the norm of what is expected."""
    return max(
        float(np.linalg.norm(x.astype(float) - y) / np.linalg.norm(y.astype(float)))
        for x, y in zip(found, expected, strict=True)
        if x is not None and y is not None
    )

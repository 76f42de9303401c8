"""What moves the hyperparameters: an optimizer of retrograd, or one of optax.

Both are kept outside of the programs that they move the hyperparameters of, in float64, whatever
array library those are in, and their state can be written to a record as named arrays.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.errors import ArgumentError
from retrograd.lattice import Layout
from retrograd.optimizers import Optimizer
from retrograd.study.leaves import Container

__all__ = ["MetaOptimizer", "State", "meta_optimizer"]

State = Mapping[str, NDArray[Any]]


class MetaOptimizer(ABC):
    """The hyperparameters on their way.

    Attributes:
        hyper: where they are, in the library and dtypes in which they were given.
    """

    def __init__(self, hyper: Any) -> None:
        self.hyper = hyper
        self._container = Container(hyper)

    @abstractmethod
    def move(self, hypergradient: Any) -> None:
        """Move the hyperparameters along a hypergradient, downhill."""

    @abstractmethod
    def state(self) -> dict[str, NDArray[Any]]:
        """All that the next moves depend on besides `hyper`, as named arrays of numbers."""

    @abstractmethod
    def restore(self, state: State) -> None:
        """Go on from a state.

        Raises:
            ArgumentError: it is the state of another meta-optimizer, or for other hyperparameters.
        """


def meta_optimizer(optimizer: Any, hyper: Any, first: int = 0) -> MetaOptimizer:
    """What moves `hyper` as the optimizer says.

    Args:
        optimizer: one of retrograd's, with single numbers as hyperparameters, or one of optax.
        hyper: where to start: a container of float arrays.
        first: the number of the first move.

    Raises:
        ArgumentError: `hyper` holds no array, or this is no optimizer of the two kinds, or its
            hyperparameters are not single numbers in their domains.
    """
    if isinstance(optimizer, Optimizer):
        return _ByStatements(optimizer, hyper, first)
    if callable(getattr(optimizer, "init", None)) and callable(getattr(optimizer, "update", None)):
        return _ByOptax(optimizer, hyper)
    raise ArgumentError(
        f"optimizer: {optimizer!r:.60} was given; give one of retrograd's, such as "
        "Adam(rate=0.04), or one of optax, such as optax.adam(0.04)"
    )


class _ByStatements(MetaOptimizer):
    """An optimizer of retrograd, read in float64."""

    def __init__(self, optimizer: Optimizer, hyper: Any, first: int) -> None:
        super().__init__(hyper)
        _check_numbers(optimizer)
        self._optimizer, self._index = optimizer, first
        self._layout = Layout(self._container.shapes)
        self._slots = optimizer.start(self._flat(hyper))

    def move(self, hypergradient: Any) -> None:
        given = {"root": np.sqrt, "xp": np, "layout": self._layout}
        self._slots = self._optimizer.update(
            self._slots,
            self._flat(hypergradient),
            self._optimizer.hyperparameters(),
            self._index,
            given,
        )
        self._index += 1
        parts = self._layout.split(self._slots[self._optimizer.program.result])
        self.hyper = self._container.filled(parts)

    def state(self) -> dict[str, NDArray[Any]]:
        return {name: np.asarray(slot) for name, slot in self._slots.items()}

    def restore(self, state: State) -> None:
        kept = {name: np.array(_found(state, name, slot)) for name, slot in self._slots.items()}
        _check_all_used(state, kept)
        self._slots = kept

    def _flat(self, container: Any) -> NDArray[np.float64]:
        leaves = self._container.host_leaves(container)
        parts = [np.asarray(leaf, float) for leaf in leaves]
        return self._layout.join(parts, np.empty(self._layout.size))


class _ByOptax(MetaOptimizer):
    """An optimizer of optax, run as it is, with 64-bit types for its own computation."""

    def __init__(self, transformation: Any, hyper: Any) -> None:
        super().__init__(hyper)
        self._jax = import_module("jax")
        self._transformation = transformation
        with self._jax.enable_x64(True):
            self._place = self._arrays(hyper)
            self._state = transformation.init(self._place)

    def move(self, hypergradient: Any) -> None:
        with self._jax.enable_x64(True):
            updates, self._state = self._transformation.update(
                self._arrays(hypergradient), self._state, self._place
            )
            self._place = self._jax.tree.map(lambda a, b: a + b, self._place, updates)
            parts = [np.asarray(self._place[name]) for name in self._container.names]
        self.hyper = self._container.filled(parts)

    def state(self) -> dict[str, NDArray[Any]]:
        return {name: np.asarray(leaf) for name, leaf in self._named()}

    def restore(self, state: State) -> None:
        named = self._named()
        kept = {name: _found(state, name, np.asarray(leaf)) for name, leaf in named}
        _check_all_used(state, kept)
        with self._jax.enable_x64(True):
            leaves = [self._jax.numpy.asarray(kept[name]) for name, _ in named]
            structure = self._jax.tree.structure(self._everything)
            found = self._jax.tree.unflatten(structure, leaves)
            self._place, self._state = found["hyper"], found["state"]

    @property
    def _everything(self) -> dict[str, Any]:
        return {"hyper": self._place, "state": self._state}

    def _arrays(self, container: Any) -> dict[str, Any]:
        """The leaves of a container, in float64, by their names."""
        leaves = self._container.host_leaves(container)
        return {
            name: self._jax.numpy.asarray(leaf, float)
            for name, leaf in zip(self._container.names, leaves, strict=True)
        }

    def _named(self) -> list[tuple[str, Any]]:
        """The numbers that the next moves depend on, each with the path that leads to it."""
        tree_util = self._jax.tree_util
        found = tree_util.tree_flatten_with_path(self._everything)[0]
        return [(tree_util.keystr(path, simple=True, separator="/"), leaf) for path, leaf in found]


def _check_numbers(optimizer: Optimizer) -> None:
    for name, value in optimizer.hyperparameters().items():
        if not isinstance(value, int | float):
            raise ArgumentError(
                f"{name}: {value!r:.60} was given to the meta-optimizer; give a single number"
            )
        optimizer.check(name, np.asarray(value, float))


def _found(state: State, name: str, like: NDArray[Any]) -> NDArray[Any]:
    """An array of a state, in the dtype and shape that it should have."""
    if name not in state or np.shape(state[name]) != like.shape:
        had = f"one of shape {np.shape(state[name])}" if name in state else f"{sorted(state)!r:.80}"
        raise ArgumentError(
            f"state: the meta-optimizer needs {name!r} of shape {like.shape}, and {had} was "
            "given; give the state of a meta-step of the same study"
        )
    return np.asarray(state[name]).astype(like.dtype)


def _check_all_used(state: State, kept: State) -> None:
    more = sorted(state.keys() - kept.keys())
    if more:
        raise ArgumentError(
            f"state: {more!r:.80} was given, which the meta-optimizer does not have; give the "
            "state of a meta-step of the same study"
        )

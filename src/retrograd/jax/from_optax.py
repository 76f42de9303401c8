"""`from_optax`: an optimizer of optax as one of retrograd's."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from retrograd.counts import check_count
from retrograd.errors import ArgumentError
from retrograd.jax.chain import Part, parts_of
from retrograd.jax.comparison import TRIED, prove
from retrograd.jax.statements import Draft
from retrograd.jax.translation import drafted
from retrograd.optimizers import Optimizer, Program, per_step
from retrograd.optimizers.optimizer import Interval

__all__ = ["from_optax"]


def from_optax(
    transformation: Any,
    *,
    steps: int | None = None,
    w0: Any = None,
    radix: Mapping[str, int] | None = None,
) -> Optimizer:
    """An optax optimizer, written as the statements that `train` runs forwards and backwards.

    The numbers that the transformation was made with become hyperparameters of the result. Made
    inside of the function that is differentiated, `optax.adam(hyper["rate"])` has a hypergradient.
    They are called as in optax: "step_size" (minus the learning rate), "b1", "decay", ...

    Known are chains of `trace`, `ema`, `scale_by_adam` (with Nesterov's momentum too), `_adamax`,
    `_belief`, `_lion`, `_rms`, `_rss`, `_sign`, `_schedule`, `_learning_rate`, `scale`,
    `add_decayed_weights` (masked too), `clip` and `clip_by_global_norm`, so among others `sgd`,
    `adam`, `adamw`, `adamax`, `nadam`, `nadamw`, `adabelief`, `adagrad`, `lion`, `rmsprop`,
    `signum`; `chain`, `named_chain` and `inject_hyperparams` are looked into. Every translation is
    compared with optax itself, on some random steps.

    Args:
        transformation: an `optax.GradientTransformation`.
        steps: how many steps will be trained; needed where the chain has a schedule, whose values
            at all steps are computed here (and differentiated).
        w0: the weights, of which only structure and shapes are looked at; needed where decayed
            weights are masked.
        radix: binary digits after the point on the lattice, by slot; see `Optimizer`.

    Returns:
        An optimizer for `train`. It can be run backwards exactly if its weights move by traces and
        moments alone; otherwise `Reversible` raises `NotReversibleError` that names the
        transformation, and `train` takes `Checkpointed()` by default.

    Raises:
        ArgumentError: this is no transformation, or `steps` or `w0` is missing.
        NotReversibleError: a transformation cannot be written as statements; the message names it
            and shows how the optimizer runs as it is, by `iterate` with `Checkpointed()`.

    Example:
        >>> import jax, jax.numpy as jnp, optax
        >>> import retrograd as rg
        >>> loss = lambda w, hyper, step: jnp.sum((w - 1.0) ** 2)
        >>> def final(rate):
        ...     optimizer = rg.from_optax(optax.sgd(rate, momentum=0.5))
        ...     return jnp.sum(loss(rg.train(loss, jnp.zeros(2), None, optimizer, 10), None, 0))
        >>> bool(jax.grad(final)(0.01) < 0)  # a higher rate would have trained further
        True
    """
    if steps is not None:
        check_count("steps", steps, caller="from_optax")
    parts = parts_of(transformation)
    if not parts:
        raise ArgumentError(
            "from_optax: the transformation does nothing (optax.identity); give an optimizer"
        )
    reader = _Numbers(steps, w0)
    found = _made(parts, reader, radix)
    prove(parts, lambda tried: _made(tried, _Numbers(TRIED, None)))
    return found


@dataclass(frozen=True, eq=False, repr=False)
class OptaxChain(Optimizer):
    """An optimizer whose program was written from a chain of optax.

    Attributes:
        chain: the names of the transformations.
        values: the hyperparameters.
    """

    chain: tuple[str, ...]
    values: Mapping[str, Any]
    program: Program = field()  # pyright: ignore[reportIncompatibleVariableOverride]
    domains: Mapping[str, Interval] = field()  # pyright: ignore[reportIncompatibleVariableOverride]
    radixes: Mapping[str, int] = field()  # pyright: ignore[reportIncompatibleVariableOverride]
    words: Mapping[str, int] = field()  # pyright: ignore[reportIncompatibleVariableOverride]

    def __repr__(self) -> str:
        return f"<{self.name} with {', '.join(self.values) or 'no hyperparameters'}>"

    @property
    def name(self) -> str:
        """The transformations, for messages."""
        return f"from_optax({', '.join(self.chain)})"

    def hyperparameters(self) -> dict[str, Any]:
        """The hyperparameters by their names in the program, as the chain was made with them."""
        return {name: self.values[name] for name in self.program.hyperparameters}


def _made(
    parts: Sequence[Part],
    value: Callable[[Part, str], Any],
    radix: Mapping[str, int] | None = None,
) -> OptaxChain:
    """The optimizer of a chain."""
    draft: Draft = drafted(parts, value)
    return OptaxChain(
        radix=dict(radix or {}),
        chain=tuple(part.name for part in parts),
        values=draft.values,
        program=draft.finished(),
        domains=draft.domains,
        radixes=draft.radixes,
        words=draft.words,
    )


@dataclass(frozen=True)
class _Numbers:
    """What a setting of a part becomes: a number, one per step, one per leaf of the weights."""

    steps: int | None
    w0: Any

    def __call__(self, part: Part, name: str) -> Any:
        given = part.settings[name]
        found = self._scheduled(part, given) if callable(given) else _number(part, name, given)
        if part.mask is not None:
            found = self._masked(part, found)
        return per_step(found) if callable(given) else found

    def _scheduled(self, part: Part, schedule: Callable[[Any], Any]) -> Any:
        if self.steps is None:
            raise ArgumentError(
                f"from_optax: {part} follows a schedule; say how many steps will be trained, "
                "from_optax(transformation, steps=...)"
            )
        return _at_all_steps(schedule, self.steps)

    def _masked(self, part: Part, value: Any) -> Any:
        """A value where the mask is true, 0 elsewhere, in a container like the weights."""
        if self.w0 is None:
            raise ArgumentError(
                f"from_optax: {part} is masked; give the weights, from_optax(transformation, "
                "w0=...)"
            )
        mask = part.mask(self.w0) if callable(part.mask) else part.mask
        return jax.tree.map(
            lambda on, below: jax.tree.map(lambda _: value if on else 0 * value, below),
            mask,
            self.w0,
        )


def _at_all_steps(schedule: Callable[[Any], Any], steps: int) -> Any:
    """The values of a schedule, (steps,)."""
    count = jnp.arange(steps, dtype=jnp.int32)
    try:
        return jnp.broadcast_to(jax.vmap(schedule)(count), (steps,))
    except (jax.errors.ConcretizationTypeError, jax.errors.TracerArrayConversionError, TypeError):
        # It branches on the step, or computes with NumPy: such a schedule gets plain numbers.
        return jnp.stack([jnp.asarray(schedule(t), float) for t in range(steps)])


def _number(part: Part, name: str, given: Any) -> Any:
    if isinstance(given, bool) or not isinstance(
        given, int | float | np.generic | np.ndarray | jax.Array
    ):
        raise ArgumentError(
            f"from_optax: {name} of {part} is {given!r:.60}; give a number, or a schedule"
        )
    if np.shape(given) != ():
        raise ArgumentError(
            f"from_optax: {name} of {part} has shape {np.shape(given)}; give a single number"
        )
    return given if isinstance(given, jax.Array) else float(given)

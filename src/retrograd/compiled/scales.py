"""The put-off decays of a slot as tables, made before the first step.

As in `retrograd.lattice.decays`, a slot stands for a scale times integers. Which scale a step
finds, and how many halvings are carried out in it, depends on the factors alone. So a compiled run
looks both up by the number of the decay, and knows where on the tape the bits of each decay lie.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from retrograd.lattice.decays import LARGEST, MOST

__all__ = ["SMALLEST", "WORD", "Scales", "rows_for", "scales_of"]

WORD = 32
"""The bits of a word of the tape."""

SMALLEST = 2.0**-28
"""Factors below this are refused: one decay would lose most of an integer."""


@dataclass(frozen=True)
class Scales:
    """The tables of one slot, with a row for each decay of the run.

    Attributes:
        before: (J, K) float64, the scale before each decay, K = 1 for all leaves or L.
        after: (J, K) float64, the scale after it.
        halvings: (J, K) int32, the halvings that are carried out in it.
        places: (J, P) int32, the bits on the tape of each part before it. A part whose leaves have
            factors of their own keeps as many bits of each as of the one that loses most.
        bits: (P,) int32, the bits on the tape after the last one.
        any_halving: (J,) bool, whether there is a halving.
        per_step: the decays in a step.
    """

    before: Any
    after: Any
    halvings: Any
    places: Any
    bits: Any
    any_halving: Any
    per_step: int

    def place_at(self, t: Any) -> Any:
        """The bits on the tape before step t, (P,)."""
        ends = jnp.concatenate([self.places, self.bits[None]])
        return ends[t * self.per_step]


def scales_of(factors: Any, per_step: int, members: Sequence[Sequence[int]]) -> Scales:
    """The tables of a slot.

    Args:
        factors: (J, K) float64, in (0, 1].
        per_step: the decays in a step.
        members: for each part of the slot the numbers of its leaves.
    """
    period = _period(jnp.min(factors))

    def decay(scale: Any, given: tuple[Any, Any]) -> tuple[Any, tuple[Any, ...]]:
        j, factor = given
        less = scale * factor
        halvings = jnp.where((j + 1) % period == 0, _halvings(less), 0)
        after = less * jnp.exp2(halvings.astype(jnp.float64))
        return after, (scale, after, halvings)

    numbers = jnp.arange(factors.shape[0], dtype=jnp.int32)
    start = jnp.ones(factors.shape[1], jnp.float64)
    _, (before, after, halvings) = lax.scan(decay, start, (numbers, factors))
    columns = [[0] if factors.shape[1] == 1 else list(own) for own in members]
    most = jnp.stack([jnp.max(halvings[:, np.array(own)], axis=1) for own in columns], 1)
    ends = jnp.cumsum(most, axis=0, dtype=jnp.int32)
    any_halving = jnp.any(halvings > 0, 1)
    return Scales(before, after, halvings, ends - most, ends[-1], any_halving, per_step)


def rows_for(bits: np.ndarray[Any, Any]) -> tuple[int, ...]:
    """The words per element that the tape needs, for each part, with some room.

    The room lets factors move between calls without another shape of the tape, and so without
    another compilation.

    Args:
        bits: (P,), what the decays lose.
    """
    return tuple(_rounded_up(math.ceil(int(n) / WORD)) for n in bits)


def _rounded_up(rows: int) -> int:
    """At most an eighth more than is needed, in steps that grow with the size."""
    grain = 1 << max((rows + 1).bit_length() - 4, 0)
    # One row more: a decay writes its bits to a word and to the next one.
    return -(-(rows + 1) // grain) * grain + 1


def _period(least: Any) -> Any:
    """After how many decays halvings are carried out, as `retrograd.lattice.period`."""
    count = jnp.floor(math.log(LARGEST) / -jnp.log(jnp.minimum(least, 1 - 2.0**-53)))
    return jnp.clip(count, 1, MOST).astype(jnp.int32)


def _halvings(scale: Any) -> Any:
    """As many halvings as there are in a scale of at most 1, int32."""
    bits = lax.bitcast_convert_type(scale, jnp.int64)
    exponent = ((bits >> 52) & 0x7FF) - 1022
    whole = (bits & (2**52 - 1)) == 0
    return jnp.clip(whole.astype(jnp.int64) - exponent, 0, WORD).astype(jnp.int32)


jax.tree_util.register_dataclass(
    Scales,
    ["before", "after", "halvings", "places", "bits", "any_halving"],
    ["per_step"],
)

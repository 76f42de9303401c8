"""The bits that halvings drop, packed into words: a tape of one part is (rows, *shape) uint32.

Where the bits of a decay lie is known from the factors, so no length is kept, and pushing writes
two rows at a place that all elements share.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from retrograd.compiled.scales import WORD

__all__ = ["Tape", "blank", "pop", "push"]


@jax.tree_util.register_dataclass
@dataclass(frozen=True)
class Tape:
    """The tape of one slot.

    Attributes:
        parts: (rows, *shape) uint32 each.
        origin: (P,) int32, the place in the run at which each of them begins.
    """

    parts: list[Any]
    origin: Any


def blank(rows: int, shape: tuple[int, ...]) -> Any:
    """An empty tape."""
    return jnp.zeros((rows, *shape), jnp.uint32)


def push(tape: Any, bits: Any, place: Any) -> Any:
    """Write bits of every element behind the first `place` bits of the tape.

    Args:
        tape: (rows, *shape) uint32, zero behind `place`, or holding what was popped from there.
        bits: (*shape) uint32.
        place: int32.
    """
    row, shift = place // WORD, (place % WORD).astype(jnp.uint32)
    kept = jnp.left_shift(jnp.uint32(1), shift) - 1
    word = (lax.dynamic_index_in_dim(tape, row, keepdims=False) & kept) | (bits << shift)
    tape = lax.dynamic_update_index_in_dim(tape, word, row, 0)
    # A shift by the whole width has no meaning, so it is done in two.
    rest = (bits >> 1) >> (WORD - 1 - shift)
    return lax.dynamic_update_index_in_dim(tape, rest, row + 1, 0)


def pop(tape: Any, count: Any, place: Any) -> Any:
    """The bits that `push` wrote, (*shape) uint32."""
    row, shift = place // WORD, (place % WORD).astype(jnp.uint32)
    word = lax.dynamic_index_in_dim(tape, row, keepdims=False)
    after = lax.dynamic_index_in_dim(tape, row + 1, keepdims=False)
    found = (word >> shift) | ((after << 1) << (WORD - 1 - shift))
    rest = (count % WORD).astype(jnp.uint32)
    all_bits = jnp.uint32(2**WORD - 1)
    wanted = jnp.where(count >= WORD, all_bits, (jnp.uint32(1) << rest) - 1)
    return found & wanted

"""A 64-bit fingerprint of a compiled run's state, which tells when a state was still right."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

__all__ = ["fingerprint"]

# The odd numbers nearest to 2**64 divided by the golden ratio, and to that of its square.
_GOLDEN = 0x9E3779B97F4A7C15 - 2**64
_OTHER = 0xC2B2AE3D27D4EB4F - 2**64


def fingerprint(state: Any) -> Any:
    """The sum of all elements, each times an odd number of its own, modulo 2**64.

    A change of one element is always seen, because an odd number has an inverse modulo 2**64.

    Args:
        state: a pytree of integers, or of floats, which count by their bits.

    Example:
        >>> with jax.enable_x64(True):
        ...     a, b = jnp.arange(4), jnp.array([0, 1, 2, 4])
        ...     bool(fingerprint(a) == fingerprint(a)), bool(fingerprint(a) == fingerprint(b))
        (True, False)
    """
    total = jnp.int64(0)
    for number, array in enumerate(jax.tree.leaves(state)):
        bits = _bits(array)
        place = jnp.zeros((), jnp.int64)
        for axis, length in enumerate(bits.shape):
            place = place * length + lax.broadcasted_iota(jnp.int64, bits.shape, axis)
        offset = (number * _OTHER + 2**63) % 2**64 - 2**63
        odd = (place * _GOLDEN + offset) | 1
        total = total * 3 + jnp.sum((bits ^ (bits >> 32)) * odd)
    return total


def _bits(array: Any) -> Any:
    if jnp.issubdtype(array.dtype, jnp.complexfloating):
        return jnp.stack([_bits(array.real), _bits(array.imag)])
    if not jnp.issubdtype(array.dtype, jnp.floating):
        return array.astype(jnp.int64)
    width = {2: jnp.int16, 4: jnp.int32, 8: jnp.int64}[array.dtype.itemsize]
    return lax.bitcast_convert_type(array, width).astype(jnp.int64)

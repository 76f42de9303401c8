"""What users of JAX bring along, in the form that `train` takes it.

`retrograd.train` and `iterate` take JAX arrays as they are; nothing here is needed for that.

    from_optax(transformation)     an optax optimizer, written as reversible statements
"""

from __future__ import annotations

try:
    import jax as _jax  # noqa: F401
except ImportError as error:
    raise ImportError(
        'retrograd.jax needs JAX, which comes with: pip install "retrograd[jax]"'
    ) from error

from retrograd.jax.from_optax import from_optax

__all__ = ["from_optax"]

"""What rules of one's own take from Autograd's `numpy_vjps`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.primitive import match
from retrograd.compat.autograd.tracer import getval

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["match_complex", "unbroadcast", "unbroadcast_f"]


def unbroadcast(x: Any, target_meta: tuple[Any, ...], broadcast_idx: int = 0) -> Any:
    """Sum a cotangent over what was broadcast.

    Args:
        x: the cotangent.
        target_meta: `metadata` of the argument that it belongs to.
        broadcast_idx: which axis to sum over where the argument has fewer of them; 0 alone.
    """
    if broadcast_idx:
        raise NotImplementedError(
            f"unbroadcast: broadcast_idx={broadcast_idx}; NumPy broadcasts leading axes: leave it "
            "out, or sum over the axis"
        )
    shape, _, dtype, _ = target_meta
    return match(x, np.broadcast_to(np.zeros((), dtype), shape))


def unbroadcast_f(target: Any, f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """The VJP of an argument that was broadcast, from the VJP of the broadcast one.

    Example:
        >>> import retrograd.compat.autograd.numpy as np
        >>> from retrograd.compat.autograd.numpy.numpy_vjps import unbroadcast_f
        >>> unbroadcast_f(2.0, lambda g: 3 * g)(np.ones(4))
        np.float64(12.0)
    """
    return lambda g: match(f(g), getval(target))


def match_complex(target: Any, x: Any) -> Any:
    """The real part of a cotangent, if it belongs to something real."""
    if np.iscomplexobj(getval(target)) or not np.iscomplexobj(getval(x)):
        return x
    return np.real(x)

"""What transforms of torch.func follow, and a loss uses by closure.

Within a run such a tensor is an ordinary number, so no graph shows that its derivative is lost.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.autograd import forward_ad
from torch.overrides import TorchFunctionMode

from retrograd.errors import DifferentiationError

__all__ = ["Watch"]

# PyTorch has no public names for these.
_functorch: Any = getattr(torch._C, "_functorch")  # noqa: B009


class Watch:
    """Looks at what the operations of a run are given, where transforms are at work outside of it.

    Made where the run is called; elsewhere nothing is looked at, and it costs nothing.
    """

    def __init__(self) -> None:
        kinds = [level.key() for level in _functorch.get_interpreter_stack() or []]
        self._forward = _functorch.TransformType.Jvp in kinds
        self._wanted = bool(kinds) or _within_dual_level()

    @contextmanager
    def looking(self, name: str) -> Iterator[None]:
        """A block in which a tensor that a transform outside of it follows is refused.

        Args:
            name: of the run, for messages.

        Raises:
            DifferentiationError: an operation is given one.
        """
        if not self._wanted:
            yield
            return
        try:
            with _Looking(self._forward):
                yield
        except _FollowedError as error:
            raise DifferentiationError(
                f"{name}: its {'map' if name == 'iterate' else 'loss'} uses a tensor that a "
                "transform of torch.func differentiates or maps, and that it was not handed (by "
                "closure), so its derivative would be lost; hand it over as "
                f"{'params' if name == 'iterate' else 'weights or hyper'}"
            ) from error


class _FollowedError(RuntimeError):
    """Passes through PyTorch's operators, which turn a TypeError into one of their own."""


class _Looking(TorchFunctionMode):
    """Transforms that the loss makes within the block follow tensors of their own: not refused.

    Args:
        forward: whether a transform outside takes tangents. They are not seen from within.
    """

    def __init__(self, forward: bool) -> None:
        super().__init__()
        self._forward = forward
        self._level = _functorch.maybe_current_level()

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        # A compiled loss has been looked at before, uncompiled.
        if not torch.compiler.is_compiling() and self._level == _functorch.maybe_current_level():
            self._look_at([args, kwargs or {}])
        return func(*args, **(kwargs or {}))

    def _look_at(self, given: Any) -> None:
        if any(map(self._is_followed, _tensors(given))):
            raise _FollowedError

    def _is_followed(self, x: Tensor) -> bool:
        while _functorch.is_functorch_wrapped_tensor(x):
            if self._forward or x.requires_grad or not _functorch.is_gradtrackingtensor(x):
                return True
            x = _functorch.get_unwrapped(x)
        return _within_dual_level() and _has_tangent(x)


def _within_dual_level() -> bool:
    return getattr(forward_ad, "_current_level", -1) >= 0


def _has_tangent(x: Tensor) -> bool:
    # A run is an autograd function, in which PyTorch hides them.
    with getattr(forward_ad, "_set_fwd_grad_enabled")(True):  # noqa: B009
        return forward_ad.unpack_dual(x).tangent is not None


def _tensors(x: Any) -> Iterator[Tensor]:
    if isinstance(x, Tensor):
        yield x
    elif isinstance(x, list | tuple):
        for part in x:
            yield from _tensors(part)
    elif isinstance(x, dict):
        yield from _tensors(list(x.values()))

"""PyTorch's settings while a run evaluates its loss: those under which bits come again.

They are PyTorch's own, and global; when a run or a sweep ends they are what they were before.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

__all__ = ["Environment"]

# `torch.use_deterministic_algorithms` imports PyTorch's compiler first, which takes a second.
_set_deterministic: Any = getattr(
    torch._C, "_set_deterministic_algorithms", torch.use_deterministic_algorithms
)
_ALERT = re.compile(r"(\S+) does not have a deterministic implementation|Deterministic behavior")


class Environment:
    """The settings for one run and its sweep.

    Deterministic algorithms are used where PyTorch has them, attention by the formula (the fused
    kernels have no second derivative), and autocast as it was where the run was asked for, also in
    the sweep.

    Args:
        device: where the loss works.

    Attributes:
        notes: a sentence for each operation that has no deterministic implementation.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        kind = self.kind = device.type
        self._autocast: dict[str, Any] = {
            "device_type": kind,
            "enabled": torch.is_autocast_enabled(kind),
            "dtype": torch.get_autocast_dtype(kind),
            # Weights are new tensors at every step; what was cast before must not be found again.
            "cache_enabled": False,
        }
        self._alerts: dict[str, None] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """See above."""
        return tuple(self._alerts)

    @contextmanager
    def settings(self) -> Iterator[None]:
        """The settings, within a block."""
        with ExitStack() as stack:
            stack.enter_context(_deterministic())
            stack.enter_context(self._listening())
            stack.enter_context(sdpa_kernel(SDPBackend.MATH))
            if self.kind == "cuda":
                cudnn = torch.backends.cudnn
                stack.enter_context(cudnn.flags(cudnn.enabled, benchmark=False))
            if self._autocast["enabled"] or torch.is_autocast_enabled(self.kind):
                stack.enter_context(torch.autocast(**self._autocast))
            yield

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Take PyTorch's warnings of operations that are not deterministic as notes."""
        with warnings.catch_warnings():
            warnings.filterwarnings("always", message=_ALERT.pattern)
            show = warnings.showwarning

            def listen(message: Any, *args: Any, **kwargs: Any) -> None:
                found = _ALERT.search(str(message))
                if found is None:
                    show(message, *args, **kwargs)
                else:
                    self._alerts[_note(found, self.kind)] = None

            warnings.showwarning = listen
            yield


@contextmanager
def _deterministic() -> Iterator[None]:
    """Deterministic algorithms; a caller who asks for them already has his own way."""
    if torch.are_deterministic_algorithms_enabled():
        yield
        return
    filling: Any = torch.utils.deterministic
    filled = filling.fill_uninitialized_memory
    _set_deterministic(True, warn_only=True)
    # That is for finding reads of memory that nobody wrote, and costs a pass over each result.
    filling.fill_uninitialized_memory = False
    try:
        yield
    finally:
        _set_deterministic(False)
        filling.fill_uninitialized_memory = filled


def _note(found: re.Match[str], kind: str) -> str:
    if found.group(1) is None:
        return (
            "cuBLAS is not deterministic unless the environment variable CUBLAS_WORKSPACE_CONFIG "
            "is set to :4096:8 before the program starts"
        )
    return f"PyTorch has no deterministic {found.group(1)} on {kind}"

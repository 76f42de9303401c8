"""`compiled`: torch.compile for the loss of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from retrograd.backends.torch_compiled import CompiledLoss
from retrograd.errors import ArgumentError

__all__ = ["compiled"]


def compiled(loss: Callable[..., Any], **options: Any) -> CompiledLoss:
    """A loss whose derivatives run through torch.compile in `train`.

    torch.compile of a loss itself would not do: PyTorch cannot differentiate the result twice. Here
    what computes the gradient is compiled, and with it its derivative, in the first two steps of
    the first run; that takes some ten seconds, and a C++ compiler where the processor is the
    device. It pays for losses of many small operations; matrix products become no quicker. The
    programs are kept with what is returned, so make it once and use it in all runs.

    Args:
        loss: `loss(w, hyper, step)`, of containers made of dicts, lists and tuples. It must be
            such that torch.compile takes it whole (`fullgraph=True`).
        options: for torch.compile, such as `mode="max-autotune"`.

    Raises:
        ArgumentError: `loss` is no function.

    Example:
        >>> import torch
        >>> quick = compiled(lambda w, hyper, step: ((w - 1) ** 2).sum())
        >>> float(quick(torch.zeros(3), None, 0))  # called by itself it is the plain loss
        3.0
    """
    if not callable(loss):
        raise ArgumentError(f"compiled: {loss!r:.60} was given; give a function of w, hyper, step")
    return CompiledLoss(loss, options)

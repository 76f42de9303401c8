"""A run and its sweep as one node of PyTorch's graph."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor
from torch.autograd import forward_ad

from retrograd.backends.torch_closures import Watch
from retrograd.backends.torch_environment import Environment
from retrograd.errors import DifferentiationError

__all__ = [
    "Call",
    "beneath_transforms",
    "call",
    "is_wrapped",
    "refuse_transforms",
    "unwrapped",
]

# PyTorch has no public names for these.
_private: Any = torch._C
_functorch: Any = _private._functorch
# A context in which no transform of torch.func wraps what an operation returns.
beneath_transforms: Any = _private._DisableFuncTorch


@dataclass(eq=False)
class Call:
    """One call of a run.

    Attributes:
        name: for messages.
        run: the forward computation, of the inputs without their graphs.
        sweep: `sweep(wanted, cotangents)`.
        environment: whose settings both are called with.
        alike: the device and dtype of each input that is a tensor.
        graphs: whether derivatives are followed where the run is called. What requires a gradient
            and is used by closure is seen by its graph then.
        watch: for what transforms outside of the run follow.
    """

    name: str
    run: Callable[..., Any]
    sweep: Callable[..., Any]
    environment: Environment
    alike: list[Tensor | None] = field(default_factory=list)
    graphs: bool = field(default_factory=torch.is_grad_enabled)
    watch: Watch = field(default_factory=Watch)

    def forward(self, inputs: Sequence[Any]) -> tuple[Tensor, ...]:
        """The results, on the device of the environment."""
        plain = [x.detach() if isinstance(x, Tensor) else x for x in inputs]
        self.alike = [_alike(x) if isinstance(x, Tensor) else None for x in plain]
        graphs = torch.set_grad_enabled(self.graphs)
        with self.environment.settings(), graphs, self.watch.looking(self.name):
            results = self.run(*plain)
        return tuple(_tensor(x).to(self.environment.device) for x in results)

    def backward(self, wanted: Sequence[int], cotangents: Sequence[Any]) -> list[Tensor]:
        """The cotangents of the inputs that are wanted, alike to these."""
        plain = [None if bar is None else bar.detach() for bar in cotangents]
        with self.environment.settings():
            found = self.sweep(wanted, plain)
        # Every wanted input was a tensor.
        return [_tensor(bar).to(self.alike[i]) for i, bar in zip(wanted, found, strict=True)]  # pyright: ignore


def call(run: Call, inputs: Sequence[Any]) -> tuple[Any, ...]:
    """Call a run, as one operation that can be differentiated once, in reverse."""
    return _Run.apply(run, *inputs)


def is_wrapped(x: Tensor) -> bool:
    """Whether a tensor is one that a transform of torch.func follows."""
    return bool(_functorch.is_functorch_wrapped_tensor(x))


def unwrapped(x: Tensor) -> Tensor:
    """The tensor behind those that transforms of torch.func follow."""
    while is_wrapped(x):
        x = _functorch.get_unwrapped(x)
    return x


def refuse_transforms(tensors: Iterable[Tensor]) -> None:
    """Refuse tensors that a run cannot be differentiated for, before it has run.

    Raises:
        DifferentiationError: they stand for a batch, or have tangents of forward mode.
    """
    for x in tensors:
        if forward_ad.unpack_dual(x).tangent is not None:
            _refuse_forward()
        while is_wrapped(x):
            if _functorch.is_batchedtensor(x):
                _refuse_vmap()
            x = _functorch.get_unwrapped(x)


class _Run(torch.autograd.Function):
    """The forward run. Its backward is the sweep."""

    @staticmethod
    def forward(run: Call, *inputs: Any) -> tuple[Tensor, ...]:  # pyright: ignore
        return run.forward(inputs)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.run = inputs[0]
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, *cotangents: Any) -> tuple[Any, ...]:
        needed = ctx.needs_input_grad
        wanted = [i - 1 for i, need in enumerate(needed) if need]
        found = iter(_Sweep.apply(ctx.run, wanted, *cotangents))
        return tuple(next(found) if need else None for need in needed)

    @staticmethod
    def jvp(ctx: Any, *_: Any) -> NoReturn:  # pyright: ignore
        _refuse_forward()

    @staticmethod
    def vmap(info: Any, in_dims: Any, run: Call, *_: Any) -> NoReturn:  # pyright: ignore
        _refuse_vmap()


class _Sweep(torch.autograd.Function):
    """The sweep; it is a function of its own so that a derivative of it can be refused."""

    @staticmethod
    def forward(run: Call, wanted: Any, *cotangents: Any) -> tuple[Tensor, ...]:  # pyright: ignore
        return tuple(run.backward(wanted, cotangents))

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.name = inputs[0].name

    @staticmethod
    def backward(ctx: Any, *_: Any) -> NoReturn:
        raise DifferentiationError(
            f"{ctx.name} was differentiated twice: its backward sweep has no derivative of its "
            "own. Take one derivative through it, or detach() what enters it from the outer one"
        )

    @staticmethod
    def vmap(info: Any, in_dims: Any, run: Call, *_: Any) -> NoReturn:  # pyright: ignore
        raise DifferentiationError(
            f"{run.name} was swept for many cotangents at once (torch.func.jacrev, vmap, or "
            "is_grads_batched), and one run has one sweep: take the gradient of one number, or "
            "loop over the results and call the function again for each"
        )


def _alike(x: Tensor) -> Tensor:
    """An empty tensor of that device and dtype, whatever the layout."""
    return torch.empty(0, dtype=x.dtype, device=x.device)


def _tensor(x: Any) -> Tensor:
    return x if isinstance(x, Tensor) else torch.from_numpy(np.asarray(x))


def _refuse_forward() -> NoReturn:
    raise DifferentiationError(
        "train and iterate have no forward-mode derivative, which torch.func.jvp, jacfwd, hessian "
        "and torch.autograd.forward_ad ask for: the backward sweep is their only derivative. Use "
        "backward(), torch.autograd.grad, torch.func.grad or torch.func.vjp"
    )


def _refuse_vmap() -> NoReturn:
    raise DifferentiationError(
        "train and iterate cannot be called under torch.func.vmap: each call is one run. Call them "
        "in a loop, or train the runs as one, with one more axis in the weights and a loss that "
        "sums over it"
    )

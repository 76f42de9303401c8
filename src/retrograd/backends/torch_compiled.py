"""A loss whose gradient, and the gradient's derivative, run through torch.compile.

What torch.compile makes of a loss cannot be differentiated twice. So the derivatives are taken
first, by torch.func, and compiled then: the gradient as one program, its derivative as another.
Both passes of a run use the same program for the gradient, so its bits are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import update_wrapper
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

from retrograd.errors import ArgumentError

__all__ = ["CompiledLoss"]

# What a container is: None for a leaf, or its type, its keys, and what the entries are.
Form = Any


class CompiledLoss:
    """A loss for training that runs through torch.compile; called as such, it is the plain one.

    Args:
        loss: `loss(w, hyper, step)`.
        options: for torch.compile.
    """

    def __init__(self, loss: Callable[..., Any], options: dict[str, Any]) -> None:
        self.loss = loss
        self.options = options
        self._programs: dict[Any, tuple[Callable[..., Any], Callable[..., Any]]] = {}
        update_wrapper(self, loss)

    def __call__(self, w: Any, hyper: Any, step: int) -> Any:
        """The loss, not compiled."""
        return self.loss(w, hyper, step)

    def gradient(self, w: Any, hyper: Any, step: int) -> tuple[list[Tensor], Tensor]:
        """The leaves of the gradient with respect to the weights, and the loss."""
        (gradient, _), leaves, rest = self._at(w, hyper)
        return gradient(leaves, rest, step)

    def along(
        self, w: Any, hyper: Any, active: Sequence[Tensor], step: int, direction: Sequence[Tensor]
    ) -> list[Tensor]:
        """The derivative of <gradient, direction> with respect to weights and active leaves."""
        (_, derivative), leaves, rest = self._at(w, hyper)
        places = [next(i for i, x in enumerate(rest) if x is given) for given in active]
        return derivative(leaves, list(active), rest, tuple(places), step, list(direction))

    def _at(self, w: Any, hyper: Any) -> tuple[Any, list[Any], list[Any]]:
        """The programs for containers of these forms, and their leaves."""
        leaves: list[Any] = []
        rest: list[Any] = []
        forms = _taken(w, leaves), _taken(hyper, rest)
        if forms not in self._programs:
            self._programs[forms] = self._compiled(*forms)
        return self._programs[forms], leaves, rest

    def _compiled(self, w_form: Form, hyper_form: Form) -> Any:
        loss = self.loss

        def value(leaves: Any, rest: Any, step: int) -> Any:
            return loss(_given(w_form, leaves, [0]), _given(hyper_form, rest, [0]), step)

        def gradient(leaves: Any, rest: Any, step: int) -> Any:
            found: Any = torch.func.grad_and_value(value)(leaves, rest, step)
            return found

        def derivative(
            leaves: Any, active: Any, rest: Any, places: Any, step: int, direction: Any
        ) -> Any:
            def of(leaves: Any, active: Any) -> Any:
                every = list(rest)
                for i, x in zip(places, active, strict=True):
                    every[i] = x
                return torch.func.grad(value)(leaves, every, step)

            linearized: Any = torch.func.vjp(of, leaves, active)
            along, mixed = linearized[1](direction)
            return [*along, *mixed]

        options = {"fullgraph": True, **self.options}
        gradient, derivative = _of_its_own(gradient), _of_its_own(derivative)
        return torch.compile(gradient, **options), torch.compile(derivative, **options)


def _of_its_own(function: Any) -> Any:
    """The function with code of its own: torch.compile counts programs by code, and has a limit."""
    code = function.__code__.replace()
    return FunctionType(
        code, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )


def _taken(x: Any, leaves: list[Any]) -> Form:
    """The form of a container; its leaves are appended to a list, in the order of the tree's."""
    if isinstance(x, dict):
        keys = sorted(x)
        return "dict", tuple(keys), tuple(_taken(x[key], leaves) for key in keys)
    if type(x) in (list, tuple):
        return type(x).__name__, None, tuple(_taken(part, leaves) for part in x)
    if x is None:
        return "none", None, ()
    if hasattr(x, "_fields") or hasattr(x, "__dataclass_fields__"):
        raise ArgumentError(
            f"compiled: weights or hyper hold a {type(x).__name__}; torch.compile is handed dicts, "
            "lists and tuples here, so use those"
        )
    leaves.append(x)
    return None


def _given(form: Form, leaves: Sequence[Any], place: list[int]) -> Any:
    """The container of a form, filled with leaves from a place on."""
    if form is None:
        place[0] += 1
        return leaves[place[0] - 1]
    kind, keys, parts = form
    filled = [_given(part, leaves, place) for part in parts]
    if kind == "dict":
        return dict(zip(keys, filled, strict=True))
    if kind == "none":
        return None
    return filled if kind == "list" else tuple(filled)

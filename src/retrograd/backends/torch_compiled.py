"""A loss whose gradient, and the gradient's derivative, run through torch.compile.

What torch.compile makes of a loss cannot be differentiated twice. So the gradient is taken first,
by torch.func, and what computes it is compiled then, and can be differentiated once: the program of
its derivative starts from what that of the gradient has left. Both passes of a run use the same
program for the gradient, so its bits are the same.
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
        self._programs: dict[Any, Callable[..., Any]] = {}
        update_wrapper(self, loss)

    def __call__(self, w: Any, hyper: Any, step: int) -> Any:
        """The loss, not compiled."""
        return self.loss(w, hyper, step)

    def gradient(
        self, w: Any, hyper: Any, step: int, followed: Sequence[Tensor]
    ) -> tuple[list[Tensor], Tensor, list[Tensor]]:
        """The gradient with respect to the weights, with a graph.

        Args:
            w: the weights.
            hyper: the hyperparameters.
            step: the step.
            followed: the leaves of `hyper` that the gradient may be differentiated for. The program
                depends on which they are, and so may its bits.

        Returns:
            The leaves of the gradient, the loss, and where the graph begins: the leaves of the
            weights, and those of `followed`.
        """
        leaves: list[Any] = []
        rest: list[Any] = []
        forms = _taken(w, leaves), _taken(hyper, rest)
        if forms not in self._programs:
            self._programs[forms] = self._compiled(*forms)
        begun = {id(x): x.detach().requires_grad_() for x in [*leaves, *followed]}
        leaves, rest = ([begun.get(id(x), x) for x in part] for part in (leaves, rest))
        gradient, value = self._programs[forms](leaves, rest, step + _SPECIAL)
        return gradient, value, [*leaves, *[begun[id(x)] for x in followed]]

    def _compiled(self, w_form: Form, hyper_form: Form) -> Callable[..., Any]:
        loss = self.loss

        def gradient(leaves: Any, rest: Any, shifted: int) -> Any:
            def value(leaves: Any) -> Any:
                hyper = _given(hyper_form, rest, [0])
                return loss(_given(w_form, leaves, [0]), hyper, shifted - _SPECIAL)

            found: Any = torch.func.grad_and_value(value)(leaves)
            return found

        return torch.compile(_of_its_own(gradient), **{"fullgraph": True, **self.options})


# torch.compile makes programs of their own for the whole numbers 0 and 1, and then one for all.
_SPECIAL = 2


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

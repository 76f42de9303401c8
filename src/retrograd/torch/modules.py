"""Modules as functions of their weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.modules.batchnorm import _NormBase

from retrograd.errors import ArgumentError

__all__ = ["Functional", "functional", "parameters_of"]


def parameters_of(module: nn.Module) -> dict[str, nn.Parameter]:
    """The weights of a module: its parameters that require a gradient, by name.

    A parameter that is used in several places (tied weights) is there once, under its first name.
    These are the module's own parameters, so a gradient with respect to the initial weights
    arrives in their `.grad`. What does not require a gradient is a constant of `functional`.

    Args:
        module: a module of PyTorch.

    Raises:
        ArgumentError: it is no module, or has no parameter that requires a gradient.

    Example:
        >>> import torch
        >>> {name: tuple(x.shape) for name, x in parameters_of(torch.nn.Linear(3, 2)).items()}
        {'weight': (2, 3), 'bias': (2,)}
    """
    _check_module("parameters_of", module)
    found = {name: x for name, x in module.named_parameters() if x.requires_grad}
    if not found:
        raise ArgumentError(
            f"parameters_of: no parameter of {type(module).__name__} requires a gradient, so there "
            "is nothing to train; call requires_grad_() on those that should be trained"
        )
    return found


def functional(module: nn.Module) -> Functional:
    """A module as a function of its weights: `call(w, *args)` is `module(*args)` with weights `w`.

    `w` is a dict like `parameters_of(module)`. Weights that are tied in the module are tied in the
    call. Everything else is as it is now and stays so: the mode (`train()` or `eval()`) and the
    buffers are those that the module has when `functional` is called, whatever becomes of them.
    Parameters that do not require a gradient are constants.

    Args:
        module: a module of PyTorch, whose forward may not change its buffers.

    Raises:
        ArgumentError: the module tracks running statistics or cannot be copied; or, in a call,
            changes a buffer or is given other weights than its own.

    Example:
        >>> import torch
        >>> module = torch.nn.Linear(3, 2)
        >>> call = functional(module)
        >>> x = torch.ones(4, 3)
        >>> bool((call(parameters_of(module), x) == module(x)).all())
        True
    """
    return Functional(module)


class Functional:
    """What `functional` returns; call it with weights and the module's arguments.

    Args:
        module: the module.
    """

    def __init__(self, module: nn.Module) -> None:
        _check_module("functional", module)
        _refuse_statistics(module)
        self._names = set(parameters_of(module))
        self._aliases = dict(_aliases(module))
        self._module = _Watched(_copied(module))

    def __call__(self, w: Mapping[str, Tensor], *args: Any, **kwargs: Any) -> Any:
        """The module's result.

        Args:
            w: the weights by name, like `parameters_of(module)`.
            args: for the module.
            kwargs: for the module.
        """
        if not isinstance(w, Mapping) or w.keys() != self._names:
            given = sorted(w) if isinstance(w, Mapping) else f"{w!r:.40}"
            raise ArgumentError(
                f"functional: weights {given!s:.80} were given, and the module's are "
                f"{sorted(self._names)!s:.80}; give a dict like parameters_of(module)"
            )
        weights = {alias: w[name] for alias, name in self._aliases.items()}
        return functional_call(self._module, weights, args, kwargs, tie_weights=False)


class _Watched(nn.Module):
    """A module whose buffers must stay what they are."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module
        self._kept = {name: (x, x._version) for name, x in module.named_buffers()}

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        result = self.module(*args, **kwargs)
        if torch.compiler.is_compiling():  # a compiled loss is looked at before, uncompiled
            return result
        for name, x in self.module.named_buffers():
            kept, version = self._kept.get(name, (None, 0))
            if x is not kept or x._version != version:
                raise ArgumentError(
                    f"functional: the module changed its buffer {name!r}, so the result depends on "
                    "the calls before, which training cannot run backwards. Call module.eval() "
                    "first, or make what changes a part of hyper or of the weights"
                )
        return result


def _check_module(name: str, module: Any) -> None:
    if not isinstance(module, nn.Module):
        raise ArgumentError(
            f"{name}: {module!r:.60} was given; give a module of PyTorch (torch.nn.Module)"
        )


def _copied(module: nn.Module) -> nn.Module:
    """A copy of a module, with copies of the buffers and the parameters themselves."""
    try:
        return deepcopy(module, {id(x): x for x in module.parameters()})
    except Exception as error:  # whatever a module's attributes raise
        raise ArgumentError(
            f"functional: {type(module).__name__} cannot be copied ({error}); keep no results of "
            "earlier calls, generators or files as attributes of it, and take weight_norm from "
            "torch.nn.utils.parametrizations"
        ) from error


def _aliases(module: nn.Module) -> Iterator[tuple[str, str]]:
    """Each name of each parameter that requires a gradient, with its first name."""
    first: dict[int, str] = {}
    for name, x in module.named_parameters(remove_duplicate=False):
        if x.requires_grad:
            yield f"module.{name}", first.setdefault(id(x), name)


def _refuse_statistics(module: nn.Module) -> None:
    for name, part in module.named_modules():
        if not (isinstance(part, _NormBase) and part.training and part.track_running_stats):
            continue
        kind = type(part).__name__
        raise ArgumentError(
            f"functional: {name or 'the module'} ({kind}) is in training mode and updates running "
            "statistics, which are state outside of the weights. Call eval() on it to use the "
            "statistics that it has, or make it with track_running_stats=False to normalise by "
            "the batch alone"
        )

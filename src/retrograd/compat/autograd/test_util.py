"""Autograd's `test_util`: its calls, by retrograd's own checker, which is stricter.

A wrong derivative raises `GradientError`, and one that cannot be decided `InconclusiveError`; both
are an `AssertionError`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff import tree
from retrograd.autodiff.arguments import Argnum
from retrograd.compat.autograd.absent import Absent
from retrograd.compat.autograd.wrap_util import unary_to_nary
from retrograd.errors import ArgumentError
from retrograd.testing import gradients

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]

__all__ = ["check_equivalent", "check_grads", "check_jvp", "check_vjp", "combo_check"]

_MODES = {"fwd": "forward", "rev": "reverse"}

make_numerical_jvp = Absent("make_numerical_jvp", "use check_grads")
scalar_close = Absent("scalar_close", "use np.isclose")


def check_grads(
    f: Function, argnum: Argnum = 0, modes: Sequence[str] = ("fwd", "rev"), order: int = 2
) -> Function:
    """A function of the arguments of `f` that checks its derivatives there.

    Args:
        f: the function.
        argnum: which argument, or several.
        modes: "fwd", "rev", or both.
        order: up to which order.

    Example:
        >>> import retrograd.compat.autograd.numpy as np
        >>> from retrograd.compat.autograd.test_util import check_grads
        >>> check_grads(np.tanh, modes=["rev"], order=2)(np.array([0.3, 0.7]))
    """
    unknown = [mode for mode in modes if mode not in _MODES]
    if unknown:
        raise ArgumentError(f"check_grads: modes={modes!r} was given; modes are 'fwd' and 'rev'")

    def check(unary_f: Function, x: Any) -> None:
        gradients.check_grads(unary_f, x, modes=[_MODES[mode] for mode in modes], order=order)

    return unary_to_nary(check)(f, argnum)


def check_vjp(f: Function, x: Any) -> None:
    """Check reverse mode of a function of one argument."""
    gradients.check_grads(f, x, modes=["reverse"], order=1)


def check_jvp(f: Function, x: Any) -> None:
    """Check forward mode of a function of one argument."""
    gradients.check_grads(f, x, modes=["forward"], order=1)


def check_equivalent(x: Any, y: Any) -> None:
    """Check that two containers have the same structure, shapes and (nearly) values."""
    leaves, structure = tree.flatten(x)
    others, other_structure = tree.flatten(y)
    assert structure == other_structure, f"structures differ: {structure}, {other_structure}"
    for a, b in zip(leaves, others, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-6, strict=True)


def combo_check(fun: Function, *args: Any, **kwargs: Any) -> Function:
    """A function of lists of arguments that checks every combination of them.

    Args:
        fun: the function.
        args: further arguments of `check_grads`.
        kwargs: the same, by keyword.
    """
    check = check_grads(fun, *args, **kwargs)

    def checked(*args: Iterable[Any], **kwargs: Iterable[Any]) -> None:
        for some in product(*args):
            for values in product(*kwargs.values()):
                check(*some, **dict(zip(kwargs, values, strict=True)))

    return checked

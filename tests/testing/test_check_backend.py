"""`check_backend` finds what is wrong with backends that are."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retrograd import tree
from retrograd.backends import NumpyBackend
from retrograd.testing import check_backend

# Of any type, because what is written down here is wrong on purpose.
Base: Any = NumpyBackend


class Rounded(Base):
    """The sweep sees another gradient than the forward run, by one unit in the last place."""

    @staticmethod
    def gradient_along(*arguments: Any) -> Any:
        gradient, along, mixed = NumpyBackend.gradient_along(*arguments)
        return tree.map(lambda g: np.nextafter(g, np.inf), gradient), along, mixed


class Stale(Base):
    @staticmethod
    def linearized_gradient(*arguments: Any) -> Any:
        gradient, push = NumpyBackend.linearized_gradient(*arguments)
        return tree.map(lambda g: g * (1 + 1e-15), gradient), push


class WrongHessian(Base):
    @staticmethod
    def linearized_gradient(*arguments: Any) -> Any:
        gradient, push = NumpyBackend.linearized_gradient(*arguments)

        def pushed(direction: Any) -> Any:
            along, mixed = push(direction)
            return tree.map(lambda x: 1.001 * x, along), mixed

        return gradient, pushed


class NoMixed(Base):
    @staticmethod
    def gradient_along(*arguments: Any) -> Any:
        gradient, along, _ = NumpyBackend.gradient_along(*arguments)
        return gradient, along, []


class WrongMixed(Base):
    @staticmethod
    def gradient_along(*arguments: Any) -> Any:
        gradient, along, mixed = NumpyBackend.gradient_along(*arguments)
        return gradient, along, [-x for x in mixed]


class PlainRoot(Base):
    @staticmethod
    def root(x: Any) -> Any:
        return np.sqrt(x)


class Cube(Base):
    @staticmethod
    def root(x: Any) -> Any:
        return x**3


class Shuffled(Base):
    @staticmethod
    def unflatten(structure: Any, leaves: Any) -> Any:
        return tree.unflatten(structure, list(leaves)[::-1])


class Anonymous(Base):
    @staticmethod
    def leaf_names(container: Any) -> Any:
        return ["x", "x"]


class AlwaysTraced(Base):
    @staticmethod
    def is_traced(x: Any) -> bool:
        return True


class NeverTraced(Base):
    @staticmethod
    def is_traced(x: Any) -> bool:
        return False


class OtherValue(Base):
    @staticmethod
    def value_and_gradient(*arguments: Any) -> Any:
        value, gradient = NumpyBackend.value_and_gradient(*arguments)
        return value + 1e-3, gradient


class HalfVjp(Base):
    @staticmethod
    def vjp(f: Any, *arguments: Any) -> Any:
        result, pullback = NumpyBackend.vjp(f, *arguments)
        return result, lambda bar: tree.map(lambda x: x / 2, pullback(bar))


class DropsTheSweep(Base):
    @staticmethod
    def differentiable(name: str, run: Any, sweep: Any, *inputs: Any) -> Any:
        return tuple(3.0 * x for x in inputs[:1])


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        (Rounded, r"gradient_along gives a gradient of other bits"),
        (Stale, r"linearized_gradient gives a gradient of other bits"),
        (WrongHessian, r"Hessian's product of linearized_gradient"),
        (NoMixed, r"0 mixed derivatives for 2"),
        (WrongMixed, r"mixed derivatives of gradient_along"),
        (PlainRoot, r"root has the derivatives"),
        (Cube, r"root gives"),
        (Shuffled, r"unflatten|bits"),
        (Anonymous, r"leaf_names"),
        (AlwaysTraced, r"is_traced says"),
        (NeverTraced, r"is_traced does not see"),
        (OtherValue, r"another value"),
        (HalfVjp, r"mixed derivatives|root|vjp"),
        (DropsTheSweep, r"differentiable asks"),
    ],
    ids=lambda kind: getattr(kind, "__name__", ""),
)
def test_wrong_ones_do_not_pass(kind: Any, complaint: str) -> None:
    with np.errstate(all="ignore"), pytest.raises(AssertionError, match=complaint):
        check_backend(kind())

"""Objectives and hyperparameters of PyTorch that a study cannot follow: refused with a cure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from retrograd.errors import ArgumentError
from retrograd.optimizers import Adam
from retrograd.study import descend

torch = pytest.importorskip("torch")


def values(objective: Callable[..., Any], hyper: Any) -> list[float]:
    return [step.value for step in descend(objective, hyper, Adam(0.1), 2)]


def bowl(hyper: Any, index: int) -> Any:
    return (hyper**2).sum(), None


@pytest.mark.parametrize(
    ("objective", "complaint"),
    [
        (lambda h, i: (h**2).sum(), r"it returned tensor\(1\..*return a pair \(value, aux\)"),
        (lambda h, i: (1.0, None), "its value is 1.0; return a tensor"),
        (lambda h, i: (torch.cat([h, h]), None), r"shape \(2,\), torch.float32; return one real"),
        (lambda h, i: ((h * 1j).sum(), None), "torch.complex64; return one real number"),
        (lambda h, i: (h.detach().sum(), None), "its value does not depend on hyper"),
    ],
)
def test_objectives(objective: Any, complaint: str) -> None:
    with pytest.raises(ArgumentError, match=f"^objective: .*{complaint}"):
        values(objective, torch.ones(1))


def test_objectives_of_numpy_return_pairs_too() -> None:
    with pytest.raises(ArgumentError, match=r"^objective: .* return a pair \(value, aux\)"):
        values(lambda h, i: (h**2).sum(), np.ones(2))


@pytest.mark.parametrize(
    ("hyper", "complaint"),
    [
        ({"a": torch.ones(()), "b": 0.5}, r"\['b'\] is 0.5 \(float\); give tensors"),
        (torch.ones(2, dtype=torch.int64), r"\(torch.int64\); give tensors of real numbers"),
        (torch.ones(2, dtype=torch.bfloat16), r"\(torch.bfloat16\); give tensors of real"),
        (torch.nn.Linear(2, 2), r"\(Linear\); give arrays of real numbers"),
    ],
)
def test_hyperparameters(hyper: Any, complaint: str) -> None:
    with pytest.raises(ArgumentError, match=f"^hyper: .*{complaint}"):
        values(bowl, hyper)


def test_modes_without_derivatives_around_a_study_do_not_matter() -> None:
    expected = values(bowl, torch.ones(1))
    for mode in (torch.no_grad, torch.inference_mode):
        with mode():
            assert values(bowl, torch.ones(1)) == expected
    assert expected[0] > expected[1] > expected[2]

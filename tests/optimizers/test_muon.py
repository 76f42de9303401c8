"""Muon: what becomes of matrices of every shape."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.optimizers.muon import orthogonalized


def quintic(x: Any) -> Any:
    for _ in range(5):
        x = 3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5
    return x


@pytest.mark.parametrize("shape", [(3, 3), (3, 5), (5, 3), (1, 4), (4, 1)])
def test_singular_vectors_stay_and_values_go_to_one(shape: tuple[int, int]) -> None:
    matrix = np.random.default_rng(0).normal(size=shape)
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    expected = (left * quintic(values / (np.linalg.norm(matrix) + 1e-7))) @ right
    assert np.abs(orthogonalized(matrix, np, np.sqrt) - expected).max() < 1e-10


def test_a_matrix_of_zeros_stays_and_has_a_finite_derivative() -> None:
    assert not orthogonalized(np.zeros((2, 3)), np, np.sqrt).any()

    def final(rate: Any) -> Any:
        return rg.train(
            lambda w, hyper, step: np.sum(w["b"] ** 2 + 0 * np.sum(w["W"])),
            {"W": np.ones((2, 3)), "b": np.ones(2)},
            None,
            rg.Muon(rate, rest_rate=0.1),
            3,
        )["W"]

    value, slope = rg.value_and_grad(lambda rate: np.sum(final(rate)))(0.1)
    assert value == 6.0
    assert slope == 0.0


def test_tall_matrices_move_further_and_other_axes_count_as_columns() -> None:
    rng = np.random.default_rng(0)
    slopes = {
        "tall": rng.normal(size=(8, 2)),
        "kernel": rng.normal(size=(3, 2, 2)),
        "b": np.ones(2),
    }
    loss = lambda w, hyper, step: sum(np.sum(w[name] * slopes[name]) for name in w)  # noqa: E731
    start = {name: np.zeros_like(slope) for name, slope in slopes.items()}
    moved = rg.train(loss, start, None, rg.Muon(0.5, rest_rate=0.25), 1)
    expected = {
        "tall": -0.5 * 2 * orthogonalized(slopes["tall"], np, np.sqrt),
        "kernel": -0.5 * orthogonalized(slopes["kernel"].reshape(3, 4), np, np.sqrt),
        "b": -0.25 * slopes["b"],
    }
    for name, value in expected.items():
        assert moved[name] == pytest.approx(value.reshape(start[name].shape), abs=1e-12)

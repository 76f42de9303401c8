"""The schedule experiment in NumPy, JAX and PyTorch: the same hypergradient, to rounding."""

from __future__ import annotations

import warnings
from dataclasses import replace

import numpy as np
import pytest

from retrograd.data import load
from retrograd.errors import ArgumentError
from retrograd.experiments.array_library import array_library, check_installed
from retrograd.experiments.learned_schedule import Problem, learn_schedule
from retrograd.experiments.settings import ScheduleSettings
from retrograd.study import read
from retrograd.study.differentiation import differentiated

# The momentum is a number that fits no small fraction; the rates and scales train visibly.
SMALL = ScheduleSettings(
    layers=(12, 8), steps=15, batch=50, meta_steps=2, momentum=0.8, log_scale=-1.5, log_rate=-0.5
)


def hypergradient(backend: str, precision: str) -> dict[str, np.ndarray]:
    settings = replace(SMALL, backend=backend, precision=precision)
    library = array_library(backend, precision)
    with library.at_work(1):
        problem = Problem(settings, load("mnist-10k"))
        value, aux, found = differentiated(problem.objective, problem.start(), 3)
        arrays = {name: library.host(leaf) for name, leaf in found.items()}
        assert {leaf.dtype for leaf in arrays.values()} == {np.dtype(precision)}
        assert aux["seen"].certificate.exact
        losses = np.array([*aux["seen"].losses, float(value)])
    return {**arrays, "losses": losses}


@pytest.fixture(scope="module")
def in_numpy() -> dict[str, np.ndarray]:
    found = hypergradient("numpy", "float64")
    assert found["losses"][-1] < 0.9 * found["losses"][0], "it trains"
    return found


@pytest.mark.parametrize(
    ("backend", "precision", "tolerance"),
    [
        ("jax", "float64", 1e-10),
        ("torch", "float64", 1e-10),
        ("numpy", "float32", 1e-3),
        ("jax", "float32", 1e-3),
        ("torch", "float32", 1e-3),
    ],
)
def test_the_hypergradients_agree(
    backend: str, precision: str, tolerance: float, in_numpy: dict[str, np.ndarray]
) -> None:
    pytest.importorskip(backend)
    found = hypergradient(backend, precision)
    for name, wanted in in_numpy.items():
        far = np.abs(found[name] - wanted).max() / np.abs(wanted).max()
        assert far < tolerance, name


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_study_is_the_same_study(backend: str, tmp_path) -> None:
    pytest.importorskip(backend)
    settings = replace(SMALL, steps=4, precision="float64")
    learn_schedule(settings, tmp_path / "numpy")
    learn_schedule(replace(settings, backend=backend), tmp_path / backend)
    one, two = read(tmp_path / "numpy"), read(tmp_path / backend)
    for i, (a, b) in enumerate(zip(one.entries, two.entries, strict=True)):
        for name in ("train_loss", "valid_error", "hypergradient_norm", "cosine"):
            known = a[name] is not None
            assert b[name] == (pytest.approx(a[name], rel=1e-9) if known else None), name
        assert one.arrays(i).keys() == two.arrays(i).keys()
        for name, wanted in one.arrays(i).items():
            np.testing.assert_allclose(two.arrays(i)[name], wanted, rtol=1e-8, atol=1e-12)
    assert two.settings["settings"]["backend"] == backend
    assert two.settings["dtype"] == "float64"
    assert backend in two.settings["versions"]
    for entry in two.entries[:-1]:
        assert entry["exact"]
        assert entry["seconds_training"] > 0
        # Compilation, which takes seconds, is not in it.
        assert 0 < entry["seconds_hypergradient"] < 2


def test_the_usual_precision_of_each_library() -> None:
    usual = {"numpy": "float64", "jax": "float32", "torch": "float32"}
    for name, dtype in usual.items():
        pytest.importorskip(name)
        assert array_library(name).dtype == dtype
        assert str(array_library(name).floats([1, 2]).dtype).endswith(dtype)


def test_nobodys_settings_are_left_changed() -> None:
    jax, torch = pytest.importorskip("jax"), pytest.importorskip("torch")
    before = jax.config.jax_enable_x64, torch.get_num_threads()
    with array_library("jax", "float64").at_work(1), warnings.catch_warnings():
        assert array_library("jax", "float64").floats(1.0).dtype == "float64"
    with array_library("torch").at_work(before[1] + 1):
        assert torch.get_num_threads() == before[1] + 1
    assert (jax.config.jax_enable_x64, torch.get_num_threads()) == before


@pytest.mark.parametrize(("name", "spoken"), [("jax", "JAX"), ("torch", "PyTorch")])
def test_a_library_that_is_missing_is_named_with_its_extra(name, spoken, monkeypatch) -> None:
    from retrograd.experiments import array_library as module

    monkeypatch.setattr(module, "find_spec", lambda wanted: None)
    monkeypatch.delitem(module.sys.modules, name, raising=False)
    said = rf"--backend is '{name}', but {spoken} is not installed.*retrograd\[{name}\]"
    with pytest.raises(ArgumentError, match=said):
        check_installed(name)

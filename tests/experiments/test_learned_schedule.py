"""The learned schedule, small: what it records, and that it learns."""

from __future__ import annotations

import html
from dataclasses import replace

import numpy as np
import pytest

import retrograd as rg
from retrograd.data import load
from retrograd.errors import ArgumentError
from retrograd.experiments.learned_schedule import Problem, learn_schedule
from retrograd.experiments.settings import ScheduleSettings
from retrograd.report import make_report
from retrograd.study import read

SMALL = ScheduleSettings(layers=(8,), steps=5, batch=20, meta_steps=3)


@pytest.fixture(scope="module")
def problem():
    return Problem(SMALL, load("mnist-10k"))


def test_the_record_holds_every_meta_step_and_the_result(tmp_path):
    seen = []
    summary = learn_schedule(SMALL, tmp_path / "out", seen.append)
    record = read(tmp_path / "out")
    assert record.entries == seen
    assert [entry["meta_step"] for entry in seen] == [0, 1, 2, 3]
    assert [entry["seed"] for entry in seen] == [0, 1, 2, 3]
    assert record.summary == summary
    assert summary["exact"] is True
    assert summary["sweeps"] == summary["meta_steps_done"] == 3
    assert seen[-1]["hypergradient_norm"] is None
    assert record.arrays(0)["hyper/log_rates"].shape == (5, 4)
    assert record.arrays(0)["hypergradient/log_scales"].shape == (4,)
    assert record.arrays(3)["learning_curve"].shape == (5,)
    assert record.settings["groups"] == ["weights 1", "biases 1", "weights 2", "biases 2"]
    assert record.settings["fan_in"] == [784, 784, 8, 8]


ADJOINTS = {
    "stored": (replace(SMALL, adjoint="stored"), "Stored()"),
    "checkpointed": (replace(SMALL, adjoint="checkpointed"), "Checkpointed()"),
    "few checkpoints": (
        replace(SMALL, adjoint="checkpointed", memory="400 kB"),
        "Checkpointed(memory='400 kB')",
    ),
    "auto with much": (replace(SMALL, adjoint="auto"), "Auto: Stored()"),
    "auto with little": (replace(SMALL, adjoint="auto", memory="400 kB"), "Auto: Reversible()"),
}


@pytest.fixture(scope="module")
def by_reversible(tmp_path_factory):
    out = tmp_path_factory.mktemp("study")
    learn_schedule(SMALL, out)
    return read(out)


@pytest.mark.parametrize(("settings", "meant"), ADJOINTS.values(), ids=ADJOINTS)
def test_every_adjoint_learns_the_same_and_is_named(settings, meant, by_reversible, tmp_path):
    learn_schedule(settings, tmp_path)
    one, two = by_reversible, read(tmp_path)
    for i, (a, b) in enumerate(zip(one.entries, two.entries, strict=True)):
        assert a["train_loss"] == pytest.approx(b["train_loss"], rel=1e-12)
        np.testing.assert_allclose(
            one.arrays(i)["hyper/log_rates"], two.arrays(i)["hyper/log_rates"], rtol=1e-10
        )
    assert [entry.get("adjoint") for entry in two.entries] == [meant] * 3 + [None]
    assert one.summary["adjoint"] == "Reversible()"
    assert two.summary["adjoint"] == meant
    assert meant in html.unescape(make_report(tmp_path).read_text(encoding="utf-8"))


def test_memory_that_holds_no_state_is_refused():
    problem = Problem(replace(SMALL, adjoint="auto", memory="1 kB"), load("mnist-10k"))
    with pytest.raises(ArgumentError, match="memory=1000 bytes"):
        rg.grad(problem.objective, has_aux=True)(problem.start(), 0)


def test_an_interrupt_leaves_the_completed_meta_steps(tmp_path):
    def stop(entry):
        if entry["meta_step"] == 1:
            raise KeyboardInterrupt

    summary = learn_schedule(SMALL, tmp_path, stop)
    assert summary["interrupted"] is True
    assert summary["meta_steps_done"] == 2
    assert len(read(tmp_path).entries) == 2


def test_an_interrupt_before_the_first_meta_step_ends_the_record_too(tmp_path, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Problem, "objective", interrupted)
    summary = learn_schedule(SMALL, tmp_path)
    assert summary["interrupted"] is True
    assert summary["meta_steps_done"] == 0
    assert read(tmp_path).entries == []


def test_the_inputs_are_centred_on_the_training_images(problem):
    assert np.abs(problem.images("train").mean(axis=0)).max() < 1e-12
    assert np.abs(problem.images("test").mean(axis=0)).max() > 1e-3


def test_the_hypergradient_follows_central_differences(problem):
    # Rationals crowd least around 1/2, where a small move of a momentum is rounded away.
    problem = Problem(replace(SMALL, momentum=0.4142), problem.data)
    hyper = problem.start()
    direction = {k: np.cos(np.arange(v.size)).reshape(v.shape) for k, v in hyper.items()}

    def loss_in_floats(h):
        moved = {k: v + h * direction[k] for k, v in hyper.items()}
        w0, optimizer = problem.initial(moved, 0), problem.optimizer(moved)
        w = rg.train_in_floats(problem.loss(0), w0, None, optimizer, SMALL.steps)
        return problem.judge(w, "train")[0]

    gradient, _ = rg.grad(problem.objective, has_aux=True)(hyper, 0)
    slope = sum(np.sum(gradient[k] * direction[k]) for k in hyper)
    difference = (loss_in_floats(1e-4) - loss_in_floats(-1e-4)) / 2e-4
    assert slope == pytest.approx(difference, rel=1e-7)


def test_meta_steps_lower_the_training_loss(tmp_path):
    settings = replace(SMALL, steps=20, batch=50, meta_steps=12, meta_rate=0.1)
    learn_schedule(settings, tmp_path)
    losses = [entry["train_loss"] for entry in read(tmp_path).entries]
    assert losses[-1] < 0.75 * losses[0]


def test_a_batch_larger_than_the_data_is_refused():
    with pytest.raises(ArgumentError, match=r"--batch is 7000.*6000 training images.*smaller"):
        Problem(replace(SMALL, batch=7000), load("mnist-10k"))

"""Data attribution at small sizes: the lines, the model, the prediction against training again."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

jax = pytest.importorskip("jax")
pytest.importorskip("matplotlib")

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "data_attribution"


@pytest.fixture(scope="module")
def example():
    """The example's modules, which import each other as those of a script do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        yield SimpleNamespace(
            study=import_module("data_attribution"), model=import_module("data_attribution_model")
        )


@pytest.fixture(scope="module")
def losses(example):
    """The losses of lines, compiled."""
    return jax.jit(example.model.losses, static_argnums=0)


@pytest.fixture(scope="module")
def task(example):
    return example.study.Task(example.study.QUICK)


@pytest.fixture(scope="module")
def influence(example, task):
    return example.study.influence(task)


@pytest.fixture(scope="module")
def trials(example, task, influence):
    """Every line's weight changed, by as much as can be and by little."""
    lines = np.arange(len(task.lines))
    changes = (-1.0, -0.1, 0.1)
    return {c: example.study.trial(task, influence.slopes, lines, c) for c in changes}


# The text and the model


def test_lines_are_framed_and_filled_up(example):
    lines = example.model.lines_of(["ab", "b"], "\nab")
    assert lines.letters.tolist() == [[0, 1, 2, 0], [0, 2, 0, 0]]
    assert lines.counts.tolist() == [3, 2]


def test_what_a_line_is_filled_up_with_does_not_count(example, losses):
    shape = example.model.Shape(layers=2, width=8, heads=2)
    w = example.model.initial_weights(shape, alphabet=3, length=9)
    short, long = (example.model.lines_of(["ab", filler], "\nab") for filler in ("b", "abababab"))
    first = losses(shape, w, short)[0]
    second = losses(shape, w, long)[0]
    np.testing.assert_allclose(first, second, rtol=1e-6)


def test_no_letter_is_told_from_what_follows(example, losses):
    shape = example.model.Shape(layers=2, width=8, heads=2)
    w = example.model.initial_weights(shape, alphabet=3, length=5)
    # The lines differ from their third letter on; told are the first two.
    lines = example.model.lines_of(["abab", "abba"], "\nab")._replace(counts=np.array([2, 2]))
    first, second = losses(shape, w, lines)
    np.testing.assert_allclose(first, second, rtol=1e-6)


def test_every_round_brings_each_line_once(task):
    rounds = [np.concatenate([task.batch(r * task.round + s) for s in range(task.round)])
              for r in range(2)]  # fmt: skip
    assert [sorted(lines) for lines in rounds] == [list(range(28))] * 2
    assert rounds[0].tolist() != rounds[1].tolist()


def test_the_sonnet_that_judges_is_not_learned(example):
    task = example.study.Task(example.study.Settings())
    assert len(task.lines) == 12 * 14
    assert not any("compare thee to a summer's day" in line for line in task.lines)


# The prediction


def test_the_sweep_came_back(task, influence):
    certificate = influence.seen.certificate
    assert certificate.exact
    assert certificate.steps == len(influence.seen.losses) == task.settings.steps
    assert influence.value == pytest.approx(float(task.retrained(task.ones)), rel=1e-5)


def test_slopes_are_those_of_training_again(influence, trials):
    central = (trials[0.1].actual - trials[-0.1].actual) / 0.2
    slopes = influence.slopes
    assert np.corrcoef(central, slopes)[0, 1] > 0.99  # 0.9988 when it was written
    assert central @ slopes == pytest.approx(slopes @ slopes, rel=0.03)  # 0.9992 of it


def test_leaving_a_line_out_does_what_was_predicted(trials):
    assert trials[-1.0].spearman > 0.9  # 0.978 when it was written
    assert trials[-1.0].pearson > 0.9
    assert 0.8 < trials[-1.0].scale < 1.5


def test_leaving_out_the_harmful_is_better_than_the_helpful(example, task, influence):
    harmful, _, helpful = example.study.removals(task, influence.slopes)
    assert harmful.predicted < 0 < helpful.predicted
    assert harmful.actual < helpful.actual


# The report


def test_the_correlation_of_ranks_sees_order_alone(example):
    x = np.array([1.0, -2.0, 3.0, 0.5])
    assert example.study.Trial(1.0, x, np.exp(x)).spearman == pytest.approx(1.0)
    assert example.study.Trial(1.0, x, -(x**3)).spearman == pytest.approx(-1.0)
    assert example.study.Trial(1.0, x, 2 * x).scale == pytest.approx(2.0)


def test_chosen_lines_are_the_ends_and_some_between(example):
    slopes = np.random.default_rng(0).permutation(30).astype(float)
    lines = example.study.chosen_lines(slopes, 9)
    assert sorted(slopes[lines[:6]]) == [0, 1, 2, 27, 28, 29]
    assert len(set(lines.tolist())) == 9


@pytest.fixture
def found(example, task, influence, trials):
    groups = example.study.removals(task, influence.slopes)
    return example.study.Outcome(task, influence, list(trials.values()), groups)


def test_the_script_tells_and_draws(example, found, monkeypatch, tmp_path, capsys):
    asked = []

    def study(settings):
        asked.append(settings)
        example.study.report(found)
        return found

    monkeypatch.setattr(example.study, "study", study)
    example.study.main(["--quick", "--overfit", "--out", str(tmp_path)])
    told = capsys.readouterr().out
    assert asked == [example.study.QUICK, example.study.OVERFIT]
    assert f"{found.trials[0].spearman:.3f} | {found.trials[0].pearson:.3f}" in told
    best = found.task.lines[np.argmin(found.influence.slopes)]
    assert best in told.split("most helpful (")[1]
    assert (tmp_path / "data_attribution.svg").read_text().startswith("<?xml")


def test_the_script_starts():
    script = FOLDER / "data_attribution.py"
    done = subprocess.run(
        [sys.executable, script, "--help"], capture_output=True, text=True, check=True
    )
    assert "--overfit" in done.stdout

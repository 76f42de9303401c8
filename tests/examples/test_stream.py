"""The stream at small sizes: its hypergradient, that it is read once, the script."""

from __future__ import annotations

import re
from itertools import pairwise

import numpy as np
import pytest

from retrograd.data import Spool

pytest.importorskip("matplotlib")


@pytest.fixture
def stream(example):
    return example("stream/stream")


def counted(stream, asked):
    for batch in stream:
        asked.append(batch)
        yield batch


def test_the_instrument_drifts_and_is_kicked(stream):
    batches = [batch for batch, _ in zip(stream.instrument(3, 0, 4000), range(6), strict=False)]
    covariances = [np.cov(batch["x"].T) for batch in batches]
    changes = [np.abs(b - a).max() for a, b in pairwise(covariances)]
    assert np.argmax(changes) == 2
    assert changes[2] > 3 * np.median(changes)


def test_the_hypergradient_agrees_with_differences(stream):
    with Spool(stream.instrument(stream.QUICK.kick, 1)) as spool:
        for seed in range(3):
            by_sweep, by_difference = stream.slopes(spool, stream.QUICK, seed)
            assert by_sweep == pytest.approx(by_difference, rel=1e-5)


def test_learning_descends_and_asks_for_each_batch_once(stream):
    asked = []
    settings = stream.QUICK._replace(meta_steps=8)
    with Spool(counted(stream.instrument(settings.kick, 1), asked)) as spool:
        errors = [step.value for step in stream.learn(spool, settings)]
        assert len(asked) == len(spool) == settings.steps + settings.ahead
    assert errors[-1] < errors[0]
    assert all(after < before for before, after in pairwise(errors))


def test_a_second_run_from_the_same_folder_gives_the_same_bits(stream, tmp_path):
    settings = stream.QUICK
    with Spool(stream.instrument(settings.kick, 1), tmp_path) as spool:
        first = list(stream.learn(spool, settings))[-1]
    with Spool.open(tmp_path) as spool:
        second = list(stream.learn(spool, settings))[-1]
    assert first.value == second.value
    assert np.array_equal(first.hyper["log_rates"], second.hyper["log_rates"])


def test_smoothing_keeps_constants_and_means(stream):
    assert np.allclose(stream.smooth(np.full(30, 2.5)), 2.5)
    values = np.arange(30.0)
    assert np.allclose(stream.smooth(values, 3)[1:-1], values[1:-1])


def test_the_script(run_example, tmp_path):
    told = run_example("stream/stream", "--quick", "--out", "figures", "--seed", "2")
    by_sweep, by_difference = map(float, re.search(r"gradient (\S+), by .* (\S+)", told).groups())
    assert by_sweep == pytest.approx(by_difference, rel=1e-4)
    before, after = (float(re.search(rf"{name} +([\d.]+)", told)[1]) for name in ("first", "ned"))
    assert after < before
    assert "each batch came from the instrument once" in told
    assert (tmp_path / "figures" / "stream.svg").read_text().startswith("<?xml")

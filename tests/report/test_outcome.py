"""The words of the outcome: what is unknown is said to be unknown, what failed is said aloud."""

from __future__ import annotations

import pytest
from synthetic_study import write_study

from retrograd.report.outcome import costs, qualities, status, summary_of
from retrograd.report.quantities import duration, memory
from retrograd.study import read, summarize


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"done": 12, "finished": False}, "Not finished: 12 of 50 meta-steps so far."),
        ({"done": 7, "finished": True}, "Interrupted after 7 of 50 meta-steps."),
        ({}, "Finished: 50 meta-steps."),
    ],
)
def test_the_status_says_where_the_study_stands(tmp_path, state, sentence):
    assert status(read(write_study(tmp_path, **state))) == sentence


def test_a_running_study_is_summed_up_from_its_entries(tmp_path):
    record = read(write_study(tmp_path, done=12, finished=False))
    summary = summary_of(record)
    assert summary["sweeps"] == 12
    assert summary["after"]["train_loss"] == record.entries[-1]["train_loss"]


def test_what_is_not_known_is_a_dash():
    summary = summarize([])
    assert {row.value for row in costs(summary)} == {"–", "0 s"}
    assert {(row.before, row.after) for row in qualities(summary)} == {("–", "–")}


def test_a_step_that_was_not_recovered_is_not_called_recovered():
    inexact = summarize([{"hypergradient_norm": 1.0, "exact": False}])
    assert ("Every step recovered bit for bit", "NO") in costs(inexact)


def test_the_costs_say_how_the_states_came_back():
    summary = summarize([{"hypergradient_norm": 1.0, "adjoint": "Auto: Stored()"}])
    assert ("How it got the states back", "Auto: Stored()") in costs(summary)
    del summary["adjoint"]  # as in the record of an older version
    assert ("How it got the states back", "–") in costs(summary)


def test_times_are_rounded_into_the_right_unit():
    said = [duration(s) for s in (0, 0.0999, 9.994, 9.996, 59.94, 59.96, 3599.6)]
    assert said == ["0 s", "99.90 ms", "9.99 s", "10.0 s", "59.9 s", "1 min 0 s", "1 h 0 min"]


def test_bytes_are_rounded_into_the_right_unit():
    said = [memory(n) for n in (0, 1023, 1024, 1024**2, 5 * 1024**4, 3 * 1024**5)]
    assert said == ["0 bytes", "1023 bytes", "1.0 KiB", "1.0 MiB", "5.0 TiB", "3072.0 TiB"]

"""The record on disk: what is read is what was written, and damage is never a result."""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrograd.errors import ArgumentError, DataError
from retrograd.study import Recorder, holds_record, read, summarize

numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers() | st.booleans()
values = st.recursive(
    numbers | st.none() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
entries = st.lists(
    st.dictionaries(st.text().filter(lambda key: "sha" not in key and key != "arrays"), values),
    max_size=4,
)


def small_record(out: Path, count: int = 3) -> list[dict]:
    recorder = Recorder(out, {"steps": count})
    written = [{"meta_step": i, "train_loss": 1 / (i + 1), "cosine": None} for i in range(count)]
    for i, entry in enumerate(written):
        recorder.append(entry, {"hyper/log_rates": np.full((2, 2), float(i))})
    return written


@given(entries)
def test_entries_read_back_as_they_were_appended(tmp_path_factory, written):
    out = tmp_path_factory.mktemp("record")
    recorder = Recorder(out, {})
    for entry in written:
        recorder.append(entry, {})
    assert read(out).entries == written


def test_everything_reads_back(tmp_path):
    out = tmp_path / "deep" / "study"
    written = small_record(out)
    assert read(out).summary is None
    record = read(out)
    assert record.settings == {"steps": 3}
    assert record.entries == written
    assert record.arrays(1)["hyper/log_rates"].tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert record.arrays(-1)["hyper/log_rates"][0, 0] == 2.0
    with pytest.raises(IndexError):
        record.arrays(3)


def test_the_summary_is_written_last(tmp_path):
    recorder = Recorder(tmp_path, {})
    recorder.finish({"after": {"train_loss": float("nan")}})
    assert read(tmp_path).summary == {"after": {"train_loss": None}}


def test_a_series_has_nan_where_there_is_no_number(tmp_path):
    recorder = Recorder(tmp_path, {})
    for entry in ({"cosine": None}, {"cosine": 0.5}, {}):
        recorder.append(entry, {})
    np.testing.assert_array_equal(read(tmp_path).series("cosine"), [np.nan, 0.5, np.nan])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, np.float32("nan")])
def test_what_is_not_finite_is_null_in_strict_json(tmp_path, value):
    Recorder(tmp_path, {}).append({"train_loss": value, "nested": [value]}, {"a": [np.nan]})
    line = (tmp_path / "record.jsonl").read_text()
    parsed = json.loads(line, parse_constant=lambda name: pytest.fail(name))
    assert parsed["train_loss"] is None
    assert parsed["nested"] == [None]
    assert np.isnan(read(tmp_path).arrays(0)["a"][0])


def test_numpy_scalars_become_plain_numbers(tmp_path):
    entry = {"a": np.float64(0.1), "b": np.int64(3), "c": np.bool_(True), "d": (1, 2)}
    Recorder(tmp_path, {}).append(entry, {})
    assert read(tmp_path).entries == [{"a": 0.1, "b": 3, "c": True, "d": [1, 2]}]


def test_a_crash_at_any_byte_leaves_a_prefix_of_the_entries(tmp_path):
    written = small_record(tmp_path)
    path = tmp_path / "record.jsonl"
    whole = path.read_bytes()
    lengths = []
    for size in range(len(whole) + 1):
        path.write_bytes(whole[:size])
        found = read(tmp_path).entries
        assert found == written[: len(found)]
        lengths.append(len(found))
    assert lengths == sorted(lengths)
    assert set(lengths) == {0, 1, 2, 3}


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80])
def test_no_changed_byte_changes_what_is_read(tmp_path, flip):
    written = small_record(tmp_path)
    path = tmp_path / "record.jsonl"
    whole = path.read_bytes()
    refused = 0
    for position in range(len(whole)):
        path.write_bytes(whole[:position] + bytes([whole[position] ^ flip]) + whole[position + 1 :])
        try:
            found = read(tmp_path).entries
        except DataError:
            refused += 1
        else:
            assert found == written[: len(found)]
    assert refused > 0.9 * len(whole)


@pytest.mark.parametrize("missing", [0, 1])
def test_a_missing_line_is_an_error(tmp_path, missing):
    small_record(tmp_path)
    path = tmp_path / "record.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    del lines[missing]
    path.write_bytes(b"".join(lines))
    with pytest.raises(DataError, match="a line is missing"):
        read(tmp_path)


def test_damaged_arrays_are_an_error(tmp_path):
    small_record(tmp_path)
    path = tmp_path / "arrays" / "00001.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    record = read(tmp_path)
    assert record.arrays(0)
    with pytest.raises(DataError, match=r"00001\.npz is damaged"):
        record.arrays(1)


def test_missing_arrays_are_an_error(tmp_path):
    small_record(tmp_path)
    (tmp_path / "arrays" / "00002.npz").unlink()
    with pytest.raises(DataError, match=r"00002\.npz cannot be read"):
        read(tmp_path).arrays(2)


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"])
@pytest.mark.parametrize("name", ["settings.json", "summary.json"])
def test_a_damaged_document_is_an_error(tmp_path, name, content):
    Recorder(tmp_path, {}).finish({})
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=rf"{name} is damaged"):
        read(tmp_path)


def test_a_folder_without_a_record_is_an_error(tmp_path):
    assert not holds_record(tmp_path)
    with pytest.raises(DataError, match="holds no record of a study: give the folder"):
        read(tmp_path / "nowhere")


def test_a_record_is_not_written_over_unasked(tmp_path):
    written = small_record(tmp_path)
    with pytest.raises(ArgumentError, match="already holds a record: give another folder"):
        Recorder(tmp_path, {"steps": 9})
    assert read(tmp_path).entries == written


def test_overwriting_leaves_nothing_of_the_old_record(tmp_path):
    small_record(tmp_path)
    Recorder(tmp_path, {"steps": 9}, overwrite=True)
    record = read(tmp_path)
    assert (record.settings, record.entries, record.summary) == ({"steps": 9}, [], None)
    assert list((tmp_path / "arrays").iterdir()) == []


def test_a_file_cannot_hold_a_record(tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ArgumentError, match="which is a file: give the name of a folder"):
        Recorder(tmp_path / "file", {})


@pytest.mark.parametrize(
    ("entry", "arrays", "message"),
    [
        ({"arrays": 1}, {}, "the key 'arrays', which the record itself needs"),
        ({"line_sha256": 1}, {}, "the key 'line_sha256'"),
        ({"a": object()}, {}, "cannot hold <object .* of type object: give numbers"),
        ({1: 2}, {}, "has the key 1: give a string"),
        ({}, {"a": [object()]}, "array 'a' is of object: give an array of real numbers"),
        ({}, {"a": [1j]}, "array 'a' is of complex128"),
    ],
)
def test_what_a_record_cannot_hold_is_refused_whole(tmp_path, entry, arrays, message):
    recorder = Recorder(tmp_path, {})
    with pytest.raises(ArgumentError, match=message):
        recorder.append(entry, arrays)
    recorder.append({"meta_step": 0}, {})
    assert read(tmp_path).entries == [{"meta_step": 0}]


@pytest.mark.parametrize("call", [1, 2, 3])
def test_an_append_broken_off_anywhere_can_be_made_again(tmp_path, monkeypatch, call):
    written = small_record(tmp_path / "record")
    recorder = Recorder(tmp_path / "again", {})
    for entry in written[:2]:
        recorder.append(entry, {})
    calls = itertools.count(1)
    flush = os.fsync

    def interrupted(descriptor: int) -> None:
        flush(descriptor)
        if next(calls) == call:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", interrupted)
        with pytest.raises(KeyboardInterrupt):
            recorder.append(written[2], {"a": [1.0]})
    assert read(tmp_path / "again").entries in (written[:2], written)
    recorder.append(written[2], {"a": [2.0]})
    record = read(tmp_path / "again")
    assert record.entries == written
    assert record.arrays(2)["a"].tolist() == [2.0]


def test_a_crash_while_replacing_a_file_leaves_the_old_one(tmp_path, monkeypatch):
    recorder = Recorder(tmp_path, {})
    recorder.finish({"sweeps": 1})

    def crash(source: str, target: str) -> None:
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", crash)
        with pytest.raises(OSError, match="power cut"):
            recorder.finish({"sweeps": 2})
    assert read(tmp_path).summary == {"sweeps": 1}
    assert [path.name for path in tmp_path.iterdir() if "partial" in path.name] == []


def sweep(**changes: object) -> dict:
    entry = {
        "hypergradient_norm": 1.0, "train_loss": 0.5, "seconds": 4.0, "seconds_training": 1.0,
        "seconds_hypergradient": 3.0, "bytes_kept": 10, "bytes_trajectory": 200, "exact": True,
    }  # fmt: skip
    return entry | changes


def test_a_summary_compares_first_and_last_and_takes_medians():
    last = {"hypergradient_norm": None, "train_loss": 0.1, "seconds": 1.0}
    middle = sweep(seconds_training=9.0, bytes_kept=20)
    summary = summarize([sweep(), middle, sweep(seconds_training=2.0), last])
    assert summary["before"]["train_loss"] == 0.5
    assert summary["after"]["train_loss"] == 0.1
    assert summary["seconds"] == {"training": 2.0, "hypergradient": 3.0, "ratio": 1.5, "total": 13}
    assert summary["bytes"] == {"kept": 20, "trajectory": 200, "ratio": 10.0}
    assert (summary["sweeps"], summary["meta_steps_done"], summary["exact"]) == (3, 3, True)


def test_a_summary_names_every_adjoint_once():
    adjoints = ["Auto: Stored()", "Auto: Stored()", "Auto: Reversible()"]
    summary = summarize([sweep(adjoint=adjoint) for adjoint in adjoints])
    assert summary["adjoint"] == "Auto: Stored(), Auto: Reversible()"
    assert summarize([sweep()])["adjoint"] is None


def test_one_inexact_sweep_makes_a_study_inexact():
    assert summarize([sweep(), sweep(exact=False), sweep()])["exact"] is False


def test_a_summary_of_nothing_says_that_nothing_is_known():
    summary = summarize([], interrupted=True)
    assert summary["interrupted"] is True
    assert summary["sweeps"] == 0
    assert summary["exact"] is None
    assert summary["after"]["train_loss"] is None
    assert summary["seconds"]["ratio"] is None

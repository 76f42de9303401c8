"""Parts joined in one mapping, as a file holds them, come apart as they were."""

from __future__ import annotations

import io

import numpy as np

from retrograd.adjoints.named_arrays import (
    joined,
    joined_states,
    part_of,
    parted,
    parted_states,
)


def test_parts_come_apart_as_they_were() -> None:
    x, y = np.arange(3), np.ones(2)
    parts = {"state": {"x": x, "x/digits": y}, "none": {}, "10": {"x": y}}
    arrays = joined(parts)
    assert list(arrays) == ["state/x", "state/x/digits", "10/x"]
    assert parted(arrays) == {name: part for name, part in parts.items() if part}
    assert part_of(arrays, "state") == parts["state"]
    assert part_of(arrays, "none") == part_of(arrays, "1") == {}


def test_parts_of_parts() -> None:
    inner = {"a": {"x": np.ones(1)}, "b": {"x": np.zeros(1)}}
    arrays = {**joined({"outer": joined(inner)}), "beside": np.ones(3)}
    assert parted(part_of(arrays, "outer")) == inner


def test_states_keep_their_order_and_fingerprints_in_a_file() -> None:
    states = {t: ({"x": np.full(2, t), "y": np.array(t)}, 2**64 - 1 - t) for t in (9, 10, 2)}
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **joined_states(states))
    file.seek(0)
    with np.load(file, allow_pickle=False) as arrays:
        found = parted_states(dict(arrays))
    assert list(found) == ["9", "10", "2"]
    for t, (state, mark) in states.items():
        assert found[str(t)][1] == mark
        assert all(np.array_equal(found[str(t)][0][name], state[name]) for name in ("x", "y"))

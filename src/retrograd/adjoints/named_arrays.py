"""Named arrays of several parts in one mapping, as a file holds them: "part/name"."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from retrograd.adjoints.adjoint import Snapshot

__all__ = ["Marked", "joined", "joined_states", "part_of", "parted", "parted_states"]

Marked = tuple[Snapshot, int]
"""A state and its fingerprint."""


def joined(parts: Mapping[Any, Snapshot]) -> Snapshot:
    """The arrays of all parts, each called "part/name"; no part has a slash in its own name.

    Example:
        >>> import numpy as np
        >>> joined({"state": {"x": np.ones(2)}, 3: {"y/z": np.zeros(1)}})
        {'state/x': array([1., 1.]), '3/y/z': array([0.])}
    """
    return {f"{part}/{name}": x for part, named in parts.items() for name, x in named.items()}


def parted(arrays: Snapshot) -> dict[str, Snapshot]:
    """The parts that were joined, but for those without an array."""
    parts: dict[str, Snapshot] = {}
    for key, array in arrays.items():
        part, name = key.split("/", 1)
        parts.setdefault(part, {})[name] = array
    return parts


def part_of(arrays: Snapshot, part: str) -> Snapshot:
    """One of the parts that were joined; empty if none of its arrays is there."""
    lead = f"{part}/"
    return {key[len(lead) :]: x for key, x in arrays.items() if key.startswith(lead)}


def joined_states(states: Mapping[Any, Marked]) -> Snapshot:
    """The arrays of states that are kept with their fingerprints, each called "key/mark/name"."""
    return joined({key: joined({mark: state}) for key, (state, mark) in states.items()})


def parted_states(arrays: Snapshot) -> dict[str, Marked]:
    """The states that were joined, in the same order, and their fingerprints.

    Example:
        >>> import numpy as np
        >>> parted_states(joined_states({7: ({"x": np.ones(2)}, 123)}))
        {'7': ({'x': array([1., 1.])}, 123)}
    """
    states: dict[str, Marked] = {}
    for key, marked in parted(arrays).items():
        ((mark, state),) = parted(marked).items()
        states[key] = state, int(mark)
    return states

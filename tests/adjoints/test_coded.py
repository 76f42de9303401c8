"""`Coded`: every state comes back bit for bit, whatever the model; damage does not pass."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from retrograd.adjoints.adjoint import Dynamics, Memory, Snapshot
from retrograd.adjoints.coded import Coded
from retrograd.adjoints.reverse_models import (
    Guess,
    Linear,
    Nothing,
    OnlineLinear,
    Predictor,
    ReverseModel,
    Straight,
)
from retrograd.errors import ArgumentError, ReversalError
from retrograd.lattice import checksum

MODELS: list[ReverseModel] = [Nothing(), Straight(), OnlineLinear(), Linear()]


class Waves(Dynamics):
    """A map without an inverse on arrays of several dtypes, which remembers what is asked of it."""

    arithmetic = "floats"

    def __init__(self, steps: int) -> None:
        rng = np.random.default_rng(0)
        self.steps = steps
        self.state: Snapshot = {
            "x": rng.normal(size=(5, 6)),
            "v": rng.normal(size=(5, 6)),
            "single": rng.normal(size=7).astype(np.float32),
            "half": rng.normal(size=(2, 2)).astype(np.float16),
            "complex": rng.normal(size=3) + 1j,
            "count": np.array([3, -(2**60)]),
            "flags": np.array([[True], [False]]),
            "odd": np.array([-0.0, np.nan, -np.inf, 5e-324]),
        }
        self.pulled: list[tuple[int, bytes]] = []
        self.advanced: list[int] = []

    def advance(self, t: int) -> None:
        s = self.state
        self.advanced.append(t)
        v = 0.9 * s["v"] - 0.1 * np.sin(3 * s["x"] + t)
        self.state = {
            "x": s["x"] + 0.2 * v,
            "v": v,
            "single": np.abs(s["single"]) ** np.float32(0.9) - np.float32(0.3),
            "half": s["half"] * np.float16(0.5),
            "complex": s["complex"] * np.exp(0.1j),
            "count": s["count"] // 2 + t,
            "flags": ~s["flags"],
            "odd": np.roll(s["odd"], 1) * (1 if t % 3 else -1),
        }

    def snapshot(self) -> Snapshot:
        return {name: array.copy() for name, array in self.state.items()}

    def restore(self, snapshot: Snapshot) -> None:
        self.state = {name: array.copy() for name, array in snapshot.items()}

    def fingerprint(self) -> int:
        return checksum(*self.state.values())

    def pull(self, t: int) -> None:
        self.pulled.append((t, bytes_of_state(self.state)))


def bytes_of_state(state: Snapshot) -> bytes:
    return b"".join(name.encode() + array.tobytes() for name, array in sorted(state.items()))


def forwards(adjoint: Coded, steps: int) -> tuple[Waves, Memory, list[bytes]]:
    dynamics = Waves(steps)
    memory = adjoint.memory(dynamics)
    states = []
    for t in range(steps):
        states.append(bytes_of_state(dynamics.state))
        memory.enter(t)
        dynamics.advance(t)
    memory.finish()
    return dynamics, memory, states


def sweep(memory: Memory, start: int, stop: int = 0) -> None:
    for t in reversed(range(stop, start)):
        memory.back(t)
    memory.verified(stop)


@pytest.mark.parametrize("model", MODELS, ids=repr)
@pytest.mark.parametrize("steps", [1, 2, 12])
@pytest.mark.parametrize("every", [None, 1, 2, 5, 50])
def test_all_states_come_back(model: ReverseModel, steps: int, every: int | None) -> None:
    dynamics, memory, states = forwards(Coded(model, every), steps)
    sweep(memory, steps)
    assert dynamics.pulled == list(reversed(list(enumerate(states))))
    memory.check_used_up()
    # All steps but those of the last segment are taken twice.
    assert len(dynamics.advanced) == steps + ((steps - 1) // every * every if every else 0)


def test_shapes_and_dtypes_come_back() -> None:
    dynamics, memory, _ = forwards(Coded(), 4)
    before = {name: (array.dtype, array.shape) for name, array in dynamics.state.items()}
    sweep(memory, 4)
    assert {name: (x.dtype, x.shape) for name, x in dynamics.state.items()} == before


@pytest.mark.parametrize("every", [None, 3])
def test_a_sweep_can_be_saved_and_goes_on(every: int | None) -> None:
    for stopped in range(9):
        adjoint = Coded(OnlineLinear(), every)
        dynamics, memory, states = forwards(adjoint, 8)
        sweep(memory, 8, stopped)
        other = Waves(8)
        resumed = adjoint.memory(other)
        resumed.load({name: array.copy() for name, array in memory.export().items()})
        other.restore(dynamics.snapshot())
        sweep(resumed, stopped)
        assert other.pulled == list(reversed(list(enumerate(states[:stopped]))))
        resumed.check_used_up()


def test_bytes_are_counted_and_given_back() -> None:
    _, memory, _ = forwards(Coded(Nothing()), 40)
    _, shorter, _ = forwards(Coded(Nothing()), 20)
    assert 1.5 * shorter.tape_bits < memory.tape_bits < 2.2 * shorter.tape_bits
    assert memory.nbytes >= memory.tape_bits // 8
    sweep(memory, 40)
    assert memory.tape_bits <= 32
    assert sum(array.nbytes for array in memory.export().values()) >= memory.nbytes // 2


def test_checkpoints_keep_the_code_of_one_segment() -> None:
    adjoint = Coded(Nothing())
    whole = forwards(adjoint, 64)[1].tape_bits
    dynamics, memory, _ = forwards(Coded(Nothing(), 16), 64)
    state = 8 * sum(array.nbytes for array in dynamics.state.values())
    assert memory.tape_bits < whole / 4 + 5 * state
    assert memory.tape_bits > 4 * state


def test_a_run_that_lost_its_way_is_repaired_from_a_checkpoint() -> None:
    dynamics, memory, states = forwards(Coded(Straight(), 4), 12)
    assert memory.repairs
    sweep(memory, 12, 10)
    dynamics.state["x"][2, 3] = 7.0
    assert memory.repair(10)
    assert bytes_of_state(dynamics.state) == states[10]
    sweep(memory, 10)
    assert dynamics.pulled[2:] == list(reversed(list(enumerate(states[:10]))))
    memory.check_used_up()


def test_a_repair_at_a_checkpoint() -> None:
    dynamics, memory, states = forwards(Coded(Straight(), 4), 12)
    sweep(memory, 12, 8)
    assert memory.repair(8)
    assert bytes_of_state(dynamics.state) == states[8]
    sweep(memory, 8)
    memory.check_used_up()


def test_without_checkpoints_nothing_is_repaired() -> None:
    _, memory, _ = forwards(Coded(), 3)
    assert not memory.repairs
    assert not memory.repair(2)


@pytest.mark.parametrize("model", MODELS[:3], ids=repr)
def test_another_state_to_start_from_does_not_pass(model: ReverseModel) -> None:
    dynamics, memory, states = forwards(Coded(model), 10)
    dynamics.state["x"][0, 0] = np.nextafter(dynamics.state["x"][0, 0], 9)
    try:
        sweep(memory, 10)
        memory.check_used_up()
    except ReversalError:
        return
    # What the run compares, the fingerprint of the first state, is another one then.
    assert dynamics.pulled[-1][1] != states[0]


def test_a_damaged_checkpoint_is_noticed() -> None:
    _, memory, _ = forwards(Coded(checkpoints=4), 10)
    saved = memory.export()
    for name, array in saved.items():
        if name.startswith("checkpoint/4/") and name.endswith("/single"):
            array[0] += 1
    memory.load(saved)
    with pytest.raises(ReversalError, match="kept at step 4 has changed"):
        sweep(memory, 10)


def test_a_map_that_is_not_repeatable_is_noticed() -> None:
    dynamics, memory, _ = forwards(Coded(checkpoints=4), 10)
    sweep(memory, 10, 8)
    plain = dynamics.advance

    def other(t: int) -> None:
        plain(t)
        dynamics.state["x"][0, 0] += 1e-12

    dynamics.advance = other  # type: ignore[method-assign]
    with pytest.raises(ReversalError, match="computed again from the checkpoint at step 4"):
        sweep(memory, 8)


def test_steps_out_of_order_are_refused() -> None:
    _, memory, _ = forwards(Coded(), 5)
    with pytest.raises(ReversalError, match=r"asks for the state at step 3.*that at step 4"):
        memory.back(3)


def test_an_unfinished_sweep_is_not_used_up() -> None:
    _, memory, _ = forwards(Coded(), 5)
    sweep(memory, 5, 2)
    with pytest.raises(ReversalError, match="not used up at step 0"):
        memory.check_used_up()


class Forgetful(ReverseModel):
    """Leaves an array out."""

    def predictor(self, dynamics: Dynamics) -> Predictor:
        return _Forgetful()


class _Forgetful(Predictor):
    def predict(self, t: int, later: Any, settle: Any) -> None:
        settle("x", Guess(later[0]["x"]))


def test_a_model_must_predict_all_arrays() -> None:
    with pytest.raises(ArgumentError, match=r"predicts \['x'\].*let it settle each array once"):
        forwards(Coded(Forgetful()), 2)


@pytest.mark.parametrize("model", [Nothing, "nothing", 3])
def test_what_is_no_model_is_refused(model: Any) -> None:
    with pytest.raises(ArgumentError, match=r"Coded: model is .*such as Straight\(\)"):
        Coded(model)


@pytest.mark.parametrize("checkpoints", [0, -2, 1.5, True, "10"])
def test_what_is_no_number_of_steps_is_refused(checkpoints: Any) -> None:
    with pytest.raises(ArgumentError, match=r"Coded: checkpoints=.* was given; give .* at least 1"):
        Coded(checkpoints=checkpoints)


def test_it_says_what_it_is() -> None:
    assert repr(Coded()) == "Coded(Nothing())"
    assert repr(Coded(OnlineLinear(3), 10)) == "Coded(OnlineLinear(lags=3), checkpoints=10)"
    assert Coded.exact
    assert not Coded.needs_retreat
    assert Coded.arithmetic == "floats"


@pytest.mark.parametrize("model", MODELS[:3], ids=repr)
def test_a_flipped_bit_in_what_is_kept_does_not_pass(model: ReverseModel) -> None:
    steps, rng = 6, np.random.default_rng(3)
    dynamics, memory, states = forwards(Coded(model), steps)
    kept, last = memory.export(), dynamics.snapshot()
    names = [name for name, array in kept.items() if array.nbytes and "learned" not in name]
    outcomes = set()
    for trial in range(60):
        damaged = {name: array.copy() for name, array in kept.items()}
        name = "segment/pile" if trial % 2 else names[rng.integers(len(names))]
        octets = damaged[name].view(np.uint8).reshape(-1)
        octets[rng.integers(octets.size)] ^= np.uint8(1 << rng.integers(8))
        other = Waves(steps)
        memory = Coded(model).memory(other)
        memory.load(damaged)
        other.restore(last)
        try:
            sweep(memory, steps)
            memory.check_used_up()
        except ReversalError:
            outcomes.add("error")
        else:
            # Digits that nothing else depends on: the run's fingerprints and marks see these.
            assert [mark for _, mark in other.pulled] != states[::-1], name
            outcomes.add("other states")
    assert "error" in outcomes

"""Interrupted sweeps: continued with the same gradient, bit for bit, or refused."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd import (
    Adam,
    Auto,
    Checkpointed,
    Diagnostics,
    Momentum,
    Reversible,
    Saved,
    Stored,
    StraightLine,
    Truncated,
    per_step,
)
from retrograd.errors import ArgumentError, DataError

STEPS = 12
EXACT = {
    "Reversible": Reversible(),
    "with checkpoints": Reversible(3),
    "Stored": Stored(),
    "Checkpointed": Checkpointed(3),
    "on disk": Checkpointed(2, on_disk=2),
    "Auto": Auto(1500, quiet=True),
}
ADJOINTS = {**EXACT, "StraightLine": StraightLine(), "Truncated": Truncated(5)}
every_adjoint = pytest.mark.parametrize("adjoint", ADJOINTS.values(), ids=list(ADJOINTS))


class Interrupted:
    """A loss that counts its calls, and is interrupted at one of them."""

    def __init__(self, at: int | None = None) -> None:
        self.at = at
        self.calls = 0

    def __call__(self, w: Any, scale: Any, step: int) -> Any:
        self.calls += 1
        if self.calls == self.at:
            raise KeyboardInterrupt
        return np.sum(scale * np.cos(w["a"] + 0.3 * step)) + 0.1 * np.sum(w["b"] ** 2)


def given() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    return {
        "w0": {"a": rng.normal(size=4), "b": rng.normal(size=(2, 2))},
        "scale": rng.uniform(0.5, 1.5, 4),
        "rates": np.linspace(0.05, 0.1, STEPS),
    }


def trained(loss: Any, adjoint: Any, kind: Any = Momentum, **options: Any) -> Any:
    """The gradient of a training run with respect to everything."""

    def total(given: Any) -> Any:
        optimizer = kind(per_step(given["rates"]))
        inputs = given["w0"], given["scale"]
        w = rg.train(loss, *inputs, optimizer, STEPS, adjoint=adjoint, **options)
        return np.sum(w["a"] ** 2) + np.sum(np.sin(w["b"]))

    return rg.grad(total)(given())


def iterated(step: Any, adjoint: Any, **options: Any) -> Any:
    """The gradient of an iterated map."""

    def total(x0: Any, scale: Any) -> Any:
        x = rg.iterate(step, x0, scale, STEPS, adjoint=adjoint, **options)
        return np.sum(x["a"] ** 2)

    start = {"a": given()["w0"]["a"], "b": given()["w0"]["b"]}
    return rg.grad(total, (0, 1))(start, given()["scale"])


class InterruptedMap(Interrupted):
    def __call__(self, x: Any, scale: Any, t: int) -> Any:
        self.calls += 1
        if self.calls == self.at:
            raise KeyboardInterrupt
        return {"a": np.tanh(scale * x["a"] + 0.1 * t), "b": np.cos(x["b"]) * np.sum(x["a"])}


def same(found: Any, expected: Any) -> bool:
    pairs = zip(rg.tree.leaves(found), rg.tree.leaves(expected), strict=True)
    return all(np.array_equal(a, b) for a, b in pairs)


def interrupted_everywhere(gradient: Any, make: Any, folder: Path) -> None:
    """Interrupt in each stretch of two steps, and continue: with less work the later it was."""
    whole = make()
    expected = gradient(whole)
    taken = []
    for at in [1, *range(STEPS, whole.calls + 1, 2)]:
        where = folder / str(at)
        with pytest.raises(KeyboardInterrupt):
            gradient(make(at), saved=Saved(where, every=2))
        rest = make()
        assert same(gradient(rest, saved=Saved(where, every=2)), expected), at
        assert not where.exists()
        taken.append(rest.calls)
    assert taken[0] == whole.calls  # nothing had been saved
    assert taken[-1] < whole.calls / 2
    assert sorted(taken, reverse=True) == taken


@every_adjoint
def test_training_goes_on_where_it_was_interrupted(adjoint: Any, tmp_path: Path) -> None:
    def gradient(loss: Any, **options: Any) -> Any:
        return trained(loss, adjoint, **options)

    interrupted_everywhere(gradient, Interrupted, tmp_path)


@pytest.mark.parametrize("name", ["Stored", "Checkpointed", "StraightLine", "Truncated"])
def test_maps_go_on_where_they_were_interrupted(name: str, tmp_path: Path) -> None:
    def gradient(step: Any, **options: Any) -> Any:
        return iterated(step, ADJOINTS[name], **options)

    interrupted_everywhere(gradient, InterruptedMap, tmp_path)


@pytest.mark.parametrize("name", ["Reversible", "with checkpoints"])
def test_adam_goes_on_too(name: str, tmp_path: Path) -> None:
    def gradient(loss: Any, **options: Any) -> Any:
        return trained(loss, EXACT[name], Adam, **options)

    interrupted_everywhere(gradient, Interrupted, tmp_path)


SCRIPT = """
import os, signal, sys
import numpy as np
import retrograd as rg

folder, at = sys.argv[1], int(sys.argv[2])
calls = 0

def loss(w, scale, step):
    global calls
    calls += 1
    if calls == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return np.sum(scale * np.cos(w + 0.3 * step))

def total(scale, rate):
    options = {} if folder == "-" else {"saved": rg.Saved(folder, every=3)}
    return np.sum(rg.train(loss, np.ones(5), scale, rg.Momentum(rate), 30, **options) ** 2)

by_scale, by_rate = rg.grad(total, (0, 1))(np.linspace(0.5, 1, 5), 0.1)
print(calls, by_scale.tobytes().hex(), np.float64(by_rate).tobytes().hex())
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_a_killed_process_is_continued_by_another(tmp_path: Path) -> None:
    def run(folder: str, at: int) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", SCRIPT, folder, str(at)],
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            check=False,
        )

    calls, *expected = run("-", 0).stdout.split()
    killed = run(str(tmp_path / "run"), 50)
    assert killed.returncode == -signal.SIGKILL
    assert (tmp_path / "run" / "saved.json").exists()
    rest, *found = run(str(tmp_path / "run"), 0).stdout.split()
    assert found == expected
    assert int(rest) < int(calls) - 40
    assert not (tmp_path / "run").exists()


def interrupt(folder: Path, at: int = STEPS + 9) -> None:
    """Leave an interrupted run in a folder."""
    with pytest.raises(KeyboardInterrupt):
        trained(Interrupted(at), Reversible(), saved=Saved(folder, every=2))


def test_another_run_is_refused_with_what_differs(tmp_path: Path) -> None:
    interrupt(tmp_path)
    changed: list[tuple[dict[str, Any], str]] = [
        ({"w0": np.ones(3) + 1}, "w0"),
        ({"hyper": 2.0}, "hyper"),
        ({"optimizer": Momentum(0.2)}, "rate"),
        ({"optimizer": Adam(0.1)}, "optimizer, momentum, dampening, beta1, beta2, epsilon"),
        ({"steps": 7}, "number of steps"),
        ({"adjoint": Stored()}, "adjoint"),
        ({"loss": lambda w, hyper, step: np.sum(w**2)}, "loss"),
    ]
    base: dict[str, Any] = {
        "loss": quadratic,
        "w0": np.ones(3),
        "hyper": 1.0,
        "optimizer": Momentum(0.1),
        "steps": 6,
        "adjoint": Reversible(),
    }

    def total(hyper: Any, call: dict[str, Any]) -> Any:
        return np.sum(rg.train(**{**call, "hyper": hyper}, saved=Saved(tmp_path / "other")))

    rg.vjp(lambda hyper: total(hyper, base), base["hyper"])  # forwards only
    for change, named in changed:
        call = {**base, **change}
        with pytest.raises(ArgumentError, match=rf"another {named}; make the same call"):
            rg.grad(lambda hyper, call=call: total(hyper, call))(call["hyper"])
    assert np.isfinite(rg.grad(lambda hyper: total(hyper, base))(1.0))


def quadratic(w: Any, hyper: Any, step: int) -> Any:
    return hyper * np.sum(w**2)


def test_another_use_of_the_result_sweeps_again_from_the_last_state(tmp_path: Path) -> None:
    def total(scale: Any, power: int, loss: Any, **options: Any) -> Any:
        w = rg.train(loss, given()["w0"], scale, Momentum(0.1), STEPS, **options)
        return np.sum(w["a"] ** power)

    with pytest.raises(KeyboardInterrupt):
        rg.grad(total)(given()["scale"], 2, Interrupted(2 * STEPS - 1), saved=Saved(tmp_path, 2))
    expected = rg.grad(total)(given()["scale"], 4, Interrupted())
    rest = Interrupted()
    found = rg.grad(total)(given()["scale"], 4, rest, saved=Saved(tmp_path, 2))
    assert np.array_equal(found, expected)
    assert rest.calls == STEPS  # a sweep, without the forward run


@pytest.mark.parametrize("name", ["forward.npz", "sweep", "saved.json"])
@pytest.mark.parametrize("how", ["one bit", "cut off", "gone"])
def test_a_damaged_file_is_refused(name: str, how: str, tmp_path: Path) -> None:
    interrupt(tmp_path)
    (path,) = tmp_path.glob(f"{name}*")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if how == "gone":
        path.unlink()
    else:
        path.write_bytes(content if how == "one bit" else content[: len(content) // 2])
    if (name, how) == ("saved.json", "gone"):  # then there is no run
        loss = Interrupted()
        trained(loss, Reversible(), saved=Saved(tmp_path))
        assert loss.calls > 2 * STEPS
        return
    with pytest.raises(DataError, match=r"(damaged|gone).*delete the folder and run again"):
        trained(Interrupted(), Reversible(), saved=Saved(tmp_path, every=2))


def test_a_manifest_that_was_edited_is_refused(tmp_path: Path) -> None:
    interrupt(tmp_path)
    path = tmp_path / "saved.json"
    fields = json.loads(path.read_bytes())
    fields["sweep"]["step"] += 2
    path.write_text(json.dumps(fields))
    with pytest.raises(DataError, match=r"saved\.json is damaged"):
        trained(Interrupted(), Reversible(), saved=Saved(tmp_path, every=2))


def test_a_loss_that_has_changed_is_noticed(tmp_path: Path) -> None:
    interrupt(tmp_path)

    class Other(Interrupted):
        def __call__(self, w: Any, scale: Any, step: int) -> Any:
            return super().__call__(w, scale, step) + 1e-9 * np.sum(w["a"])

    Other.__qualname__ = "Interrupted"
    with pytest.raises(rg.errors.ReversalError, match="other bits than in the forward run"):
        trained(Other(), Reversible(), saved=Saved(tmp_path, every=2))


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    trained(Interrupted(), Reversible(), saved=Saved(tmp_path))
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_run_that_is_not_differentiated_saves_nothing(tmp_path: Path) -> None:
    w = rg.train(quadratic, np.ones(3), 1.0, Momentum(0.1), 5, saved=Saved(tmp_path / "run"))
    assert w.shape == (3,)
    assert not (tmp_path / "run").exists()


def test_what_was_seen_before_the_interruption_is_seen_after_it(tmp_path: Path) -> None:
    whole, continued = Diagnostics(), Diagnostics()
    trained(Interrupted(), Reversible(), diagnostics=whole)
    interrupt(tmp_path)
    trained(Interrupted(), Reversible(), diagnostics=continued, saved=Saved(tmp_path, every=2))
    assert continued.losses == whole.losses
    assert continued.adjoint_norms == whole.adjoint_norms
    assert continued.certificate is not None
    assert whole.certificate is not None
    assert continued.certificate.bytes_kept == whole.certificate.bytes_kept
    assert continued.certificate.hashes.items() >= {
        (0, whole.certificate.hashes[0]),
        (STEPS, whole.certificate.hashes[STEPS]),
    }


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DataError, match=r"saved: the run cannot be written to .*file"):
        trained(Interrupted(), Reversible(), saved=Saved(tmp_path / "file"))


def test_arguments_are_checked(tmp_path: Path) -> None:
    for every in (0, -1, 1.5, True):
        with pytest.raises(ArgumentError, match=r"Saved: every=.* at least 1"):
            Saved(tmp_path, every=every)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"Saved: folder=3 was given"):
        Saved(3)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"saved: 'runs' was given; .* retrograd\.Saved"):
        rg.train(quadratic, np.ones(3), 1.0, Momentum(0.1), 5, saved="runs")  # type: ignore[arg-type]
    assert repr(Saved("a/b")) == "Saved('a/b')"

"""The planner at work: what it picks for real runs, what it says, and how right it is."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
from runs import make_run, there_and_back

import retrograd as rg
from retrograd import Adamax, Auto, Diagnostics, Momentum, Reversible, Stored
from retrograd.errors import ArgumentError
from retrograd.optimizers import OPTIMIZERS

SIZE = 40
UNITS = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30}


def loss(w: Any, scale: Any, step: int) -> Any:
    return np.sum(scale * np.cos(w + 0.1 * step))


def run_with(adjoint: Any, optimizer: Any, steps: int) -> tuple[Any, Any]:
    """A run there and back; the gradients, and the certificate."""
    w0, scale = np.linspace(-1, 1, SIZE), np.ones(SIZE)
    run, inputs = make_run(loss, w0, scale, optimizer, steps, adjoint)
    found = there_and_back(run, inputs)
    assert run.diagnostics is not None
    return found, run.diagnostics.certificate


def said(text: str) -> list[int]:
    """The bytes of the second line that Auto prints: kept, and predicted."""
    line = text.splitlines()[1]
    amounts = re.findall(r"([\d,.]+) (GiB|MiB|KiB|B)\b", line)
    return [int(float(x.replace(",", "")) * UNITS[unit]) for x, unit in amounts]


@pytest.mark.parametrize(
    ("memory", "momentum", "steps", "chosen"),
    [
        ("1 MiB", 0.9, 100, "Stored()"),
        ("10 kB", 0.9, 100, "Reversible()"),
        (20_000, 0.5, 600, "Reversible()"),
        (7_000, 0.5, 1500, "Reversible(checkpoints=3)"),
        (7_000, 0.2, 700, "Reversible(checkpoints=3)"),
        (2_000, 0.01, 60, "Checkpointed(slots=1)"),
    ],
)
def test_the_choice_fits_and_its_bytes_are_foreseen(
    memory: Any, momentum: float, steps: int, chosen: str, capsys: Any
) -> None:
    optimizer = Momentum(0.01, momentum)
    auto = Auto(memory)
    found, certificate = run_with(auto, optimizer, steps)
    kept, predicted = said(capsys.readouterr().err)
    assert certificate.adjoint == f"Auto: {chosen}"
    assert 0 < kept <= auto.budget
    assert 0.8 * kept <= predicted <= 1.2 * kept
    exact, _ = run_with(Stored(), optimizer, steps)
    for bar, expected in zip(found, exact, strict=True):
        np.testing.assert_allclose(bar, expected, rtol=1e-10)


@pytest.mark.parametrize("kind", OPTIMIZERS, ids=lambda kind: kind.__name__)
def test_only_what_can_be_undone_is_run_backwards(kind: Any) -> None:
    optimizer = kind(0.01)
    _, certificate = run_with(Auto(60 * SIZE * 8, quiet=True), optimizer, 150)
    undone = "Reversible" in certificate.adjoint
    obstacle = optimizer.program.obstacle()
    assert undone == (obstacle is None and kind is not Adamax)
    assert undone or "Checkpointed" in certificate.adjoint


def test_a_tape_that_depends_on_the_data_is_not_relied_on(capsys: Any) -> None:
    _, certificate = run_with(Auto(30_000), Adamax(0.01), 100)
    assert "Checkpointed" in certificate.adjoint
    assert "depends on the gradients" in capsys.readouterr().err


def test_it_says_what_it_chose_and_why_and_then_what_it_took(capsys: Any) -> None:
    run_with(Auto("10 kB"), Momentum(0.01, 0.9), 100)
    before, after = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"Auto: Reversible\(\) because storing 100 states would take [\d.]+ KiB of the 9.8 KiB "
        r"allowed; predicted [\d.]+ (KiB|B), about 3.4 forward runs = [\d.e-]+ s",
        before,
    )
    assert re.fullmatch(
        r"Auto: kept [\d.]+ (KiB|B) \([\d.]+ (KiB|B) predicted\) and took [\d.e-]+ s "
        r"\([\d.e-]+ s predicted\)",
        after,
    )


def test_it_can_be_quiet(capsys: Any) -> None:
    run_with(Auto("10 kB", quiet=True), Momentum(0.01, 0.9), 50)
    captured = capsys.readouterr()
    assert captured.err == captured.out == ""


def test_maps_are_planned_too(capsys: Any) -> None:
    def last(p: Any, adjoint: Any, seen: Any = None) -> Any:
        x = rg.iterate(
            lambda x, p, t: np.tanh(p * x), np.ones(50), p, 200, adjoint=adjoint, diagnostics=seen
        )
        return np.sum(x)

    seen = Diagnostics()
    found = rg.grad(last)(np.full(50, 1.5), Auto(10_000), seen)
    captured = capsys.readouterr().err
    kept, predicted = said(captured)
    assert "no known inverse" in captured
    assert seen.certificate is not None
    assert seen.certificate.adjoint == "Auto: Checkpointed(slots=21)"
    assert 0.8 * kept <= predicted <= 1.01 * 10_000  # it is printed with few figures
    np.testing.assert_allclose(found, rg.grad(last)(np.full(50, 1.5), Stored()), rtol=1e-12)


def test_measuring_steps_leaves_no_trace() -> None:
    """The losses, the number of gradients noted and the trajectory are those of another adjoint."""
    records = []
    for adjoint in (Auto(10**9, quiet=True), Stored(), Auto(3000, quiet=True), Reversible()):
        seen = Diagnostics()
        w = rg.grad(
            lambda w0, adjoint=adjoint, seen=seen: np.sum(
                rg.train(loss, w0, 1.0, Momentum(0.1), 30, adjoint=adjoint, diagnostics=seen)
            )
        )(np.linspace(-1, 1, 5))
        assert seen.certificate is not None
        records.append((seen.losses, seen.certificate.hashes, w))
    for losses, hashes, w in records[1:]:
        assert losses == records[0][0]
        assert hashes == records[0][1]
        np.testing.assert_allclose(w, records[0][2], rtol=1e-12)


def test_too_little_memory_is_refused_before_the_run() -> None:
    with pytest.raises(ArgumentError, match=r"Auto: memory=300 bytes were given, but the least"):
        run_with(Auto(300), Momentum(0.01), 100)


@pytest.mark.parametrize("memory", ["lots", "5 parsecs", 0, -1, None, True])
def test_memory_must_be_an_amount(memory: Any) -> None:
    with pytest.raises(ArgumentError, match=r"Auto: memory=.*256 MiB"):
        Auto(memory)

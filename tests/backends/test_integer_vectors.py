"""The same integers on NumPy, on JAX with 64-bit types off and on, and with a loss of PyTorch."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.compiled.dynamics import NO_ROOM
from retrograd.compiled.integers import Radix
from retrograd.compiled.problem import training_run
from retrograd.compiled.run import compiled_run
from retrograd.compiled.scales import rows_for, scales_of
from retrograd.compiled.strategies import StoredStrategy
from retrograd.compiled.tape import blank, pop, push
from retrograd.compiled.words import narrowed, widened
from retrograd.lattice import Decays, FixedPoint, Layout, limbs
from retrograd.lattice.limbs import LIMB, MASK
from retrograd.training.on_lattice import LatticeTraining
from retrograd.training.problem import problem_of

sys.path.append(str(Path(__file__).parent))
from integer_vectors import RUNS, WALKS

walks = pytest.mark.parametrize("walk", WALKS, ids=lambda walk: walk["name"])
runs = pytest.mark.parametrize("run", RUNS, ids=lambda run: run["optimizer"])
wide = pytest.mark.parametrize("wide", [False, True], ids=["x64 off", "x64 on"])


def split(integers: list[int], words: int) -> Any:
    """Whole integers as rows of words."""
    rest = [[k >> (LIMB * (words - 1)) for k in integers]]
    for shift in range(words - 2, -1, -1):
        rest.append([(k >> (LIMB * shift)) & MASK for k in integers])
    return np.array(rest, np.int64)


def whole(rows: Any) -> list[int]:
    """The integers that rows of words stand for."""
    totals = [0] * np.atleast_2d(rows).shape[1]
    for row in np.atleast_2d(rows).tolist():
        totals = [(total << LIMB) + word for total, word in zip(totals, row, strict=True)]
    return totals


def factors_of(walk: dict[str, Any]) -> Any:
    return np.array([walk["factors"][t % len(walk["factors"])] for t in range(walk["steps"])])


def increment_of(walk: dict[str, Any], t: int) -> Any:
    return np.array(walk["increments"][t % len(walk["increments"])])


@walks
def test_the_tables_stand_for_the_same_numbers(walk: dict[str, Any]) -> None:
    """In fractions, without a lattice: what is rounded away is below a unit at each step."""
    numbers = [Fraction(k) for k in walk["in"]]
    for t in range(walk["steps"]):
        factors = walk["factors"][t % len(walk["factors"])]
        added = walk["increments"][t % len(walk["increments"])]
        for i, rise in enumerate(added):
            factor = factors[walk["leaves"][i] % len(factors)]
            numbers[i] = numbers[i] * Fraction(factor) + Fraction(rise) * 2 ** walk["radix"]
    for i, (number, k) in enumerate(zip(numbers, walk["out"], strict=True)):
        scale = Fraction(walk["scale"][walk["leaves"][i] % len(walk["scale"])])
        slack = 2 * walk["steps"] + abs(number) / 2**48
        assert abs(scale * k - number) <= slack


@walks
def test_the_lattice(walk: dict[str, Any]) -> None:
    counts = np.bincount(walk["leaves"]).tolist()
    layout, lattice = Layout([(n,) for n in counts]), FixedPoint(walk["radix"], walk["words"])
    factors = factors_of(walk)
    decays = Decays(
        layout, walk["words"], factors.__getitem__, float(factors.min()), factors.shape[1]
    )
    rows = split(walk["in"], walk["words"])
    slot = rows[0] if walk["words"] == 1 else rows

    def rise(t: int) -> Any:
        scale = np.resize(decays.scale, len(layout))[walk["leaves"]]
        return lattice.quantize(increment_of(walk, t) * (1.0 / scale))

    for t in range(walk["steps"]):
        decays.decay(slot)
        limbs.add(slot, rise(t), slot)
    assert whole(slot) == walk["out"]
    assert decays.scale.tolist() == walk["scale"]
    for t in reversed(range(walk["steps"])):
        limbs.subtract(slot, rise(t), slot)
        decays.undo(slot)
    assert whole(slot) == walk["in"]
    assert decays.is_empty()


@wide
@walks
def test_compiled_walks(walk: dict[str, Any], wide: bool) -> None:
    """There in one program and back in another, with words of 32 bits between them."""
    lattice, factors = Radix(walk["radix"], walk["words"]), factors_of(walk)
    leaves, steps = np.array(walk["leaves"]), walk["steps"]
    members = [[column] for column in range(factors.shape[1])]
    every = np.array([increment_of(walk, t) for t in range(steps)])
    if factors.shape[1] == 1:
        leaves = np.zeros_like(leaves)

    def forth() -> Any:
        table, rises = scales_of(jnp.asarray(factors), 1, members), jnp.asarray(every)
        slot = tuple(jnp.asarray(row) for row in split(walk["in"], walk["words"]))
        tape = blank(max(rows_for(np.array(walk["bits"]))), leaves.shape)

        def step(t: Any, carry: Any) -> Any:
            slot, tape = carry
            times, places = table.halvings[t][leaves], table.places[t]
            slot, bits = lattice.halved(slot, times.astype(jnp.int64))
            tape = jnp.stack(
                [push(tape[:, i], bits[i], places[leaf]) for i, leaf in enumerate(leaves)], 1
            )
            scale = table.after[t][leaves]
            return lattice.plus(slot, rises[t] * (1.0 / scale * lattice.unit)), tape

        slot, tape = lax.fori_loop(0, steps, step, (slot, tape))
        return narrowed((slot, tape, table.after[-1], table.bits))

    def back(kept: Any) -> Any:
        table, rises = scales_of(jnp.asarray(factors), 1, members), jnp.asarray(every)
        slot, tape, _, _ = widened(kept)

        def step(i: Any, slot: Any) -> Any:
            t = steps - 1 - i
            scale = table.after[t][leaves]
            slot = lattice.minus(slot, rises[t] * (1.0 / scale * lattice.unit))
            times = table.halvings[t][leaves]
            bits = [
                pop(tape[:, i], times[i], table.places[t, leaf]) for i, leaf in enumerate(leaves)
            ]
            return lattice.doubled(slot, times.astype(jnp.int64), jnp.stack(bits))

        return narrowed(lax.fori_loop(0, steps, step, slot))

    with jax.enable_x64(wide):
        with jax.enable_x64(True):
            there = jax.jit(forth)()
        there = jax.jit(lambda words: words)(there)
        with jax.enable_x64(True):
            slot, _, scale, bits = widened(there)
            first = widened(jax.jit(back)(there))
    assert whole(np.array(slot)) == walk["out"]
    assert scale.tolist() == walk["scale"]
    assert bits.tolist() == walk["bits"]
    assert whole(np.array(first)) == walk["in"]


def loss_of(xp: Any) -> Any:
    return lambda w, target, t: xp.sum((w - target) ** 2) * 0.25


def optimizer_of(run: dict[str, Any]) -> rg.Optimizer:
    return getattr(rg, run["optimizer"])(**run["hyperparameters"])


def on_the_host(run: dict[str, Any], xp: Any, start: Any, target: Any) -> dict[str, list[int]]:
    """The slots after a run of the host's loop."""
    problem, inputs = problem_of(loss_of(xp), start, target, optimizer_of(run), run["steps"])
    training = LatticeTraining(problem, differentiated=False)
    training.start(inputs)
    for t in range(run["steps"]):
        training.advance(t)
    return {slot: whole(integers) for slot, integers in training.state.slots.items()}


@runs
def test_training_on_numpy(run: dict[str, Any]) -> None:
    start, target = (np.array(run[name], np.float32) for name in ("start", "target"))
    assert on_the_host(run, rnp, start, target) == run["out"]


@runs
def test_training_on_pytorch(run: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch")
    start, target = (torch.tensor(run[name]) for name in ("start", "target"))
    assert on_the_host(run, torch, start, target) == run["out"]


@wide
@runs
def test_training_on_jax(run: dict[str, Any], wide: bool) -> None:
    with jax.enable_x64(wide):
        start, target = (jnp.array(run[name], jnp.float32) for name in ("start", "target"))
        computation, inputs, _ = training_run(
            loss_of(jnp), start, target, optimizer_of(run), run["steps"]
        )
        _, _, kept = compiled_run(computation, StoredStrategy()).forward(inputs, (), NO_ROOM)
    with jax.enable_x64(True):
        state = widened(kept).state
    found = {slot: whole(np.stack(jax.tree.leaves(words))) for slot, words in state.items()}
    assert found == run["out"]


@wide
@runs
def test_the_way_back_on_jax(run: dict[str, Any], wide: bool) -> None:
    """`Reversible` compares every integer of the first state with what the sweep comes back to."""
    seen = rg.Diagnostics()

    def last(start: Any) -> Any:
        target = jnp.array(run["target"], jnp.float32)
        optimizer = optimizer_of(run)
        w = rg.train(loss_of(jnp), start, target, optimizer, run["steps"], diagnostics=seen)
        return jnp.sum(w)

    with jax.enable_x64(wide):
        jax.grad(last)(jnp.array(run["start"], jnp.float32))
    assert seen.certificate is not None
    assert seen.certificate.adjoint == "Reversible()"
    assert {0, run["steps"]} <= set(seen.certificate.hashes)

"""Faults: one bit flipped somewhere in a run, at some moment of it.

A fault is a function that is handed a run before it starts, and hooks itself into it. Whether the
run then raises, repairs itself, or gives a gradient is looked at by `consequence`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from quick_problem import WrittenOut, quick_run
from runs import there_and_back

from retrograd import per_step
from retrograd.adjoints import Adjoint
from retrograd.errors import RetrogradError, ReversalError
from retrograd.lattice.stack import Stack
from retrograd.optimizers import Momentum, Optimizer
from retrograd.training.run import Run

Consequence = Literal["found", "repaired", "none", "wrong"]
Fault = Callable[[Run, WrittenOut, np.random.Generator], None]

# Factors so small that digits spill in runs of a few steps, and thresholds that are exceeded.
VALUES = {
    "rate": 0.0625,
    "rest_rate": 0.05,
    "momentum": 2e-5,
    "beta1": 0.001,
    "beta2": 0.05,
    "smoothing": 0.05,
    "epsilon": 0.05,
    "threshold": 0.5,
    "decay": 0.5,
}
# Factors that are put off until some have come together.
MILD = {**VALUES, "momentum": 0.9, "beta1": 0.9, "beta2": 0.95, "smoothing": 0.95, "decay": 0.25}


def optimizer_of(
    kind: type[Optimizer], steps: int, values: Mapping[str, float] = VALUES
) -> Optimizer:
    """One of a class, with rates that differ from step to step."""
    names = {f.name for f in fields(kind)}
    given: dict[str, Any] = {name: values[name] for name in names & values.keys()}
    if "rate" in given:
        given["rate"] = per_step(VALUES["rate"] * (1 + np.arange(steps) / 8))
    if "optimizer" in names:
        given["optimizer"] = optimizer_of(Momentum, steps, values)
    return kind(**given)


@dataclass(frozen=True)
class Moment:
    """Before or after the k-th call of a method of the trajectory."""

    method: str
    call: int
    after: bool = False

    def __str__(self) -> str:
        return f"{'after' if self.after else 'before'} {self.method} {self.call}"

    def hook(self, run: Run, action: Callable[[], None]) -> None:
        owner: Any = run.trajectory
        original, calls = getattr(owner, self.method), iter(range(10**6))

        def hooked(*args: Any) -> Any:
            now = next(calls) == self.call
            if now and not self.after:
                action()
            result = original(*args)
            if now and self.after:
                action()
            return result

        setattr(owner, self.method, hooked)


def moments(back: str, steps: int) -> Iterator[Moment]:
    """Every step forwards, and every one backwards, by `back`."""
    for t in range(steps):
        yield Moment("advance", t)
        yield Moment(back, t)
    yield Moment("advance", steps - 1, after=True)
    yield Moment(back, steps - 1, after=True)


def flip(array: Any, rng: np.random.Generator, bits: int = 64) -> None:
    """Flip one bit of one element."""
    flat = array.reshape(-1)
    assert np.shares_memory(flat, array)
    flat.view(f"u{flat.itemsize}")[rng.integers(flat.size)] ^= np.array(
        1 << int(rng.integers(min(bits, 8 * flat.itemsize))), f"u{flat.itemsize}"
    )


def in_slot(slot: str, moment: Moment) -> Fault:
    """A bit of a slot."""
    return lambda run, backend, rng: moment.hook(run, lambda: flip(state(run).slots[slot], rng))


def in_digits(slot: str, moment: Moment) -> Fault:
    """A bit of the digits that a slot's multiplications have pushed out."""
    return lambda run, backend, rng: moment.hook(
        run, lambda: flip(state(run).buffers[slot].digits, rng)
    )


def in_tape(moment: Moment) -> Fault:
    """A bit of whatever is on a tape: digits, their marks, losses."""

    def strike(run: Run, rng: np.random.Generator) -> None:
        stacks = [stack for stack in tapes(run) if len(stack)]
        if stacks:
            stack = stacks[rng.integers(len(stacks))]
            flip(stack._chunks[-1][: stack._filled], rng)

    return lambda run, backend, rng: moment.hook(run, lambda: strike(run, rng))


def in_scale(slot: str, moment: Moment) -> Fault:
    """A bit of a scale that decays which are put off have come together in, now or earlier."""

    def strike(run: Run, rng: np.random.Generator) -> None:
        decays = state(run).decays[slot]
        scales = [*decays._scales, *decays._starts]
        flip(scales[rng.integers(len(scales))], rng)

    return lambda run, backend, rng: moment.hook(run, lambda: strike(run, rng))


def in_count(moment: Moment) -> Fault:
    """A bit of the number of decays, multiplications or maxima that stand."""

    def strike(run: Run, rng: np.random.Generator) -> None:
        counted = [(b, "multiplications") for b in state(run).buffers.values()]
        counted += [(x, "count") for x in state(run).decays.values()]
        counted += [(x, "maxima") for x in state(run).losses.values()]
        if counted:
            keeper, name = counted[rng.integers(len(counted))]
            setattr(keeper, name, getattr(keeper, name) ^ (1 << int(rng.integers(6))))

    return lambda run, backend, rng: moment.hook(run, lambda: strike(run, rng))


def in_table(name: str, moment: Moment) -> Fault:
    """A bit of a hyperparameter of the optimizer."""
    return lambda run, backend, rng: moment.hook(run, lambda: flip(training(run).tables[name], rng))


def in_hyper(moment: Moment) -> Fault:
    """A bit of a leaf of hyper, which the loss reads."""

    def strike(run: Run, rng: np.random.Generator) -> None:
        leaves = training(run).gradients.hyper_leaves
        leaf = leaves[rng.integers(len(leaves))]
        flip(leaf.base, rng)

    return lambda run, backend, rng: moment.hook(run, lambda: strike(run, rng))


def in_number_of_steps(run: Run, backend: WrittenOut, rng: np.random.Generator) -> None:
    """A bit of the number of steps, between the two passes."""

    def strike() -> None:
        run.steps ^= 1 << int(rng.integers(4))

    Moment("begin", 0).hook(run, strike)


def in_step(call: int, steps: int) -> Fault:
    """A bit of the step that one step of the program works with."""

    def hook(run: Run, backend: WrittenOut, rng: np.random.Generator) -> None:
        owner = training(run)
        original, calls = owner._step, iter(range(10**6))

        def stepped(t: int) -> Any:
            wrong = next(calls) == call
            return original((t ^ (1 << int(rng.integers(2)))) % steps if wrong else t)

        owner._step = stepped

    return hook


def in_batch(call: int) -> Fault:
    """A bit of the step that one evaluation of the loss sees."""

    def hook(run: Run, backend: WrittenOut, rng: np.random.Generator) -> None:
        calls = iter(range(10**6))

        def seen(step: int) -> int:
            return step ^ (1 << int(rng.integers(8))) if next(calls) == call else step

        backend.before = seen

    return hook


def in_gradient(call: int) -> Fault:
    """One unit in the last place of one element of one gradient."""

    def hook(run: Run, backend: WrittenOut, rng: np.random.Generator) -> None:
        calls = iter(range(10**6))

        def changed(leaves: list[Any]) -> list[Any]:
            if next(calls) == call:
                leaf = leaves[rng.integers(len(leaves))].reshape(-1)
                i = rng.integers(leaf.size)
                leaf[i] = np.nextafter(leaf[i], rng.choice([-np.inf, np.inf]))
            return leaves

        backend.after = changed

    return hook


def training(run: Run) -> Any:
    return run.trajectory


def state(run: Run) -> Any:
    return training(run).state


def tapes(run: Run) -> list[Any]:
    """The stacks of all tapes."""
    keepers = [*state(run).decays.values(), *state(run).losses.values()]
    return [stack for keeper in keepers for stack in stacks_in(keeper)]


def stacks_in(keeper: Any) -> Iterator[Stack]:
    """The stacks that an object of the lattice is made of."""
    for part in vars(keeper).values():
        if isinstance(part, Stack):
            yield part
        elif type(part).__module__.startswith("retrograd.lattice") and hasattr(part, "__dict__"):
            yield from stacks_in(part)


def every_fault(run: Run) -> Iterator[tuple[str, Fault]]:
    """A fault at every place and every moment of a run, with its name."""
    steps = run.steps
    back = "retreat" if run.memory.retreats else "pull"
    taped = not run.memory.repairs  # otherwise there is no tape before the sweep
    for moment in moments(back, steps):
        for slot in state(run).slots:
            yield f"slot {slot!r} {moment}", in_slot(slot, moment)
        for slot in state(run).decays:
            yield f"scale of {slot!r} {moment}", in_scale(slot, moment)
        for slot in state(run).buffers:
            yield f"digits of {slot!r} {moment}", in_digits(slot, moment)
        for name in training(run).tables:
            yield f"{name!r} {moment}", in_table(name, moment)
        yield f"hyper {moment}", in_hyper(moment)
        if back == "retreat" and (taped or moment.method == back):
            yield f"tape {moment}", in_tape(moment)
            yield f"count {moment}", in_count(moment)
    # One evaluation for each step, one before the run, and one for each step of the sweep.
    for call in range(2 * steps + 1):
        yield f"batch of evaluation {call}", in_batch(call)
        yield f"gradient of evaluation {call}", in_gradient(call)
    for call in range(2 * steps):
        yield f"step of step {call}", in_step(call, steps)
    yield "number of steps", in_number_of_steps


def in_floats(name: str, moment: Moment) -> Fault:
    """A bit of a slot of training in floats."""
    return lambda run, backend, rng: moment.hook(run, lambda: flip(training(run).slots[name], rng))


def in_code(moment: Moment) -> Fault:
    """A bit of the entropy-coded states."""

    def strike(run: Run, rng: np.random.Generator) -> None:
        memory: Any = run.memory
        words = np.array(memory.segment.pile.export())
        if words.size:
            flip(words, rng)
            memory.segment.pile.load(words)

    return lambda run, backend, rng: moment.hook(run, lambda: strike(run, rng))


def every_fault_in_floats(run: Run) -> Iterator[tuple[str, Fault]]:
    """A fault at every place and every moment of a run in floats that codes its states."""
    for moment in moments("pull", run.steps):
        for slot in training(run).slots:
            yield f"slot {slot!r} {moment}", in_floats(slot, moment)
        for name in training(run).tables:
            yield f"{name!r} {moment}", in_table(name, moment)
        yield f"hyper {moment}", in_hyper(moment)
        if moment.method == "pull":
            yield f"code {moment}", in_code(moment)
    for call in range(2 * run.steps + 1):
        yield f"batch of evaluation {call}", in_batch(call)
        yield f"gradient of evaluation {call}", in_gradient(call)


def reference(optimizer: Optimizer, adjoint: Adjoint, steps: int, seed: int) -> tuple[Run, Any]:
    """A run without a fault, after its sweep, and what that found."""
    run, inputs, _ = quick_run(optimizer, adjoint, steps, seed)
    return run, there_and_back(run, inputs)


def consequence(
    fault: Fault,
    optimizer: Optimizer,
    adjoint: Adjoint,
    steps: int,
    seed: int,
    right: list[Any],
    rng: np.random.Generator,
) -> Consequence:
    """What becomes of a run with a fault.

    Returns:
        "found": it raised an error, in the sweep a `ReversalError`. "repaired": the certificate
        says so, and the gradient is right. "none": nothing was said, and the gradient is right bit
        for bit, so nothing came of the fault. "wrong": all else.
    """
    run, inputs, backend = quick_run(optimizer, adjoint, steps, seed)
    fault(run, backend, rng)
    try:
        with np.errstate(all="ignore"):
            found = there_and_back(run, inputs)
    except ReversalError:
        return "found"
    except (RetrogradError, LookupError):
        return "wrong" if run.swept else "found"
    same = all(np.array_equal(a, b) for a, b in zip(found, right, strict=True))
    assert run.diagnostics is not None
    assert run.diagnostics.certificate is not None
    if not same:
        return "wrong"
    return "repaired" if run.diagnostics.certificate.repairs else "none"

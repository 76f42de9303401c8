"""Fluid control: which initial velocities make smoke take a given picture after 100 steps?

The fluid (`fluid_solver.py`) is plain NumPy, a state of some thousand numbers that changes a
hundred times. The objective compares the smoke at the end with a picture. One gradient through all
steps says how each of the initial velocities should have been different, and L-BFGS does the
rest: a few hundred gradients, each at the cost of a few runs.

`retrograd.iterate` runs the steps and finds the way back; `adjoint=` says how much memory it may
use for that. Nothing else in this file is about derivatives.

Needs the `scipy` extra, for the optimizer, and matplotlib, for the pictures:

    python examples/fluid/fluid_control.py --out pictures
    python examples/fluid/fluid_control.py --out pictures --target smiley --memory "2 MiB"
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from fluid_shapes import SHAPES, Shape, disc_like, filled, places
from fluid_solver import State, begin, step
from numpy.typing import NDArray
from scipy.optimize import minimize

import retrograd as rg
from retrograd.adjoints import Adjoint

__all__ = ["Task", "final_state", "objective", "optimize", "trajectory"]

Array = NDArray[np.floating[Any]]

# Wide edges at first: a difference is felt only as far as an edge reaches.
EDGES = (0.06, 0.02, 0.01)


@dataclass(frozen=True)
class Task:
    """What is asked of the fluid.

    Attributes:
        size: cells along each side of the box.
        steps: steps from the first state to the picture.
        target: the picture.
        smoothness: how much the initial velocities are smoothed, see `fluid_solver.smooth`.
    """

    size: int = 64
    steps: int = 100
    target: Shape = SHAPES["nabla"]
    smoothness: float = 0.1

    @cached_property
    def source(self) -> Shape:
        """Where the smoke is at step 0: a disc of the target's area."""
        return disc_like(self.target)


def final_state(
    control: Array, task: Task, adjoint: Adjoint, seen: rg.Diagnostics | None = None
) -> State:
    """The fluid after all steps."""
    start = begin(control, task.smoothness)
    return rg.iterate(step, start, None, task.steps, adjoint=adjoint, diagnostics=seen)


def objective(
    control: Array, task: Task, edge: float, adjoint: Adjoint, seen: rg.Diagnostics | None = None
) -> Any:
    """The mean squared difference between the smoke at the end and the target.

    Args:
        control: of shape (2, size, size), the initial velocities before smoothing and projection.
        task: the fluid and the picture.
        edge: how wide the edges of both pictures are, as a part of the box.
        adjoint: how the sweep gets the states back.
        seen: filled with what the sweep leaves behind.
    """
    here = places(task.size)
    origin = here + final_state(control, task, adjoint, seen)["shift"] / task.size
    smoke = filled(task.source(origin[0], origin[1]), edge)
    return np.mean((smoke - filled(task.target(here[0], here[1]), edge)) ** 2)


def optimize(
    task: Task, adjoint: Adjoint, iterations: Sequence[int], seed: int = 0
) -> tuple[Array, list[float]]:
    """Find a control by L-BFGS, with edges that narrow.

    Args:
        task: the fluid and the picture.
        adjoint: how the sweep gets the states back.
        iterations: how many iterations each of the three widths of the edges gets.
        seed: of the faint noise that the search starts from: at rest, a symmetric fluid would
            stay symmetric, and could open no channel anywhere.

    Returns:
        The control, of shape (2, size, size), and the objective, with the last edges, of the
        fluid at rest and after each width.
    """
    shape = (2, task.size, task.size)
    control = 0.01 * np.random.default_rng(seed).normal(size=shape)
    values = [float(objective(np.zeros(shape), task, EDGES[-1], adjoint))]
    for edge, limit in zip(EDGES, iterations, strict=True):
        control = _descend(control, task, edge, adjoint, limit)
        values.append(float(objective(control, task, EDGES[-1], adjoint)))
        print(f"edges {edge:.2f}: {limit:3d} iterations, objective {values[-1]:.5f}", flush=True)
    return control, values


def _descend(control: Array, task: Task, edge: float, adjoint: Adjoint, limit: int) -> Array:
    def scaled(control: Array) -> Any:
        # L-BFGS-B stops at small values, whatever they are small against.
        return 1e4 * objective(control, task, edge, adjoint)

    value_and_gradient = rg.value_and_grad(scaled)

    def flat(x: Array) -> tuple[float, Array]:
        value, gradient = value_and_gradient(np.reshape(x, control.shape))
        return float(value), np.ravel(gradient)

    options = {"maxiter": limit, "maxcor": 20}
    found = minimize(flat, np.ravel(control), jac=True, method="L-BFGS-B", options=options)
    return np.reshape(found.x, control.shape)


def trajectory(control: Array, task: Task) -> list[State]:
    """Every state from step 0 to the last, for the pictures."""
    states = [begin(control, task.smoothness)]
    for t in range(task.steps):
        states.append(step(states[-1], None, t))
    return states


def main(arguments: Sequence[str] | None = None) -> None:
    """Read the arguments, find the velocities, draw the pictures."""
    given = _arguments(arguments)
    task = Task(target=SHAPES[given.target])
    iterations = (80, 80, 240)
    if given.quick:
        task, iterations = Task(16, 10, SHAPES[given.target]), (5, 5, 5)
    started = time.perf_counter()
    adjoint = rg.Checkpointed(memory=given.memory)
    control, values = optimize(task, adjoint, iterations)
    seconds = time.perf_counter() - started
    print(f"objective {values[0]:.5f} at rest, {values[-1]:.5f} found in {seconds:.0f} s")
    _draw(control, task, given.out, given.target, size=64 if given.quick else 256)


def _draw(control: Array, task: Task, out: Path, name: str, size: int) -> None:
    from fluid_pictures import animation, frames

    out.mkdir(parents=True, exist_ok=True)
    np.save(out / f"fluid_{name}.npy", control)
    states = trajectory(control, task)
    figure = frames(states, task.source, task.target, size=2 * size)
    figure.savefig(out / f"fluid_{name}.png", dpi=100)
    animation(states, task.source, out / f"fluid_{name}.gif", size)
    print(f"drawn: {out / f'fluid_{name}.png'}, {out / f'fluid_{name}.gif'}")


def _arguments(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Smoke takes the shape of a picture.")
    parser.add_argument("--target", choices=sorted(SHAPES), default="nabla")
    parser.add_argument("--memory", default="2 MiB", help="what the sweep may keep")
    parser.add_argument("--out", type=Path, default=Path("runs/fluid"), help="folder of pictures")
    parser.add_argument("--quick", action="store_true", help="16 x 16 cells and 10 steps")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    main()

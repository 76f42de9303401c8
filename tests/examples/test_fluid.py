"""Fluid control on few cells: the physics, the gradient, what the optimizer reaches, the script."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import retrograd as rg

for needed in ("constriction", "matplotlib", "scipy"):
    pytest.importorskip(needed)

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "fluid"


@pytest.fixture(scope="module")
def fluid():
    """The example's modules, which import each other as those of a script do."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(FOLDER))
        names = ("control", "memory", "pictures", "shapes", "solver")
        yield SimpleNamespace(**{name: import_module(f"fluid_{name}") for name in names})


@pytest.fixture
def task(fluid):
    return fluid.control.Task(size=16, steps=10)


def field(seed=0, size=16):
    """A field that moves the fluid by about a cell in each step."""
    return 3 * np.random.default_rng(seed).normal(size=(2, size, size))


# The fluid


@pytest.mark.parametrize("size", [15, 16])
def test_a_projected_velocity_has_no_divergence(fluid, size):
    velocity = fluid.solver.project(field(size=size))
    assert np.abs(fluid.solver.divergence(field(size=size))).max() > 1
    assert np.abs(fluid.solver.divergence(velocity)).max() < 1e-13
    np.testing.assert_allclose(fluid.solver.project(velocity), velocity, atol=1e-13)


def test_vorticity_of_a_wave(fluid):
    n = 16
    phase = 2 * np.pi * fluid.solver.cells(n)[1] / n
    velocity = np.stack([np.sin(phase), np.zeros((n, n))])
    expected = -2 * np.pi / n * np.cos(phase)  # what rises on the left and sinks on the right
    np.testing.assert_allclose(fluid.solver.vorticity(velocity), expected, atol=1e-13)


def test_an_even_flow_shifts_everything_alike(fluid):
    velocity = np.stack([np.full((16, 16), 0.5), np.full((16, 16), -1.25)])
    state = {"velocity": velocity, "shift": np.zeros((2, 16, 16))}
    for t in range(8):
        state = fluid.solver.step(state, None, t)
    np.testing.assert_allclose(state["velocity"], velocity, atol=1e-13)
    np.testing.assert_allclose(state["shift"], -8 * velocity, atol=1e-12)


def test_a_field_is_looked_up_where_the_fluid_came_from(fluid):
    down = np.stack([np.ones((16, 16)), np.zeros((16, 16))])
    state = {"velocity": down, "shift": field()}
    moved = fluid.solver.step(state)["shift"]
    np.testing.assert_allclose(moved, np.roll(state["shift"], 1, axis=1) - down, atol=1e-13)


def test_no_energy_comes_from_nowhere(fluid, task):
    states = fluid.control.trajectory(field(), task)
    energies = [np.sum(state["velocity"] ** 2) for state in states]
    assert energies[0] > 1
    assert np.all(np.diff(energies) < 0)


def test_smoke_is_not_made_or_lost(fluid):
    task = fluid.control.Task(size=32, steps=10)
    here = fluid.shapes.places(32)
    amounts = []
    for state in fluid.control.trajectory(field(size=32), task)[:: task.steps]:
        origin = np.mod(here + state["shift"] / task.size, 1.0)
        amounts.append(np.mean(fluid.shapes.filled(task.source(*origin), 0.06)))
    assert amounts[1] == pytest.approx(amounts[0], rel=0.02)


# The pictures that are asked for


def test_shapes_have_their_disc(fluid):
    here = fluid.shapes.places(512)
    for shape in fluid.shapes.SHAPES.values():
        area = np.mean(shape(*here) < 0)
        assert 0.1 < area < 0.5
        assert np.mean(fluid.shapes.disc_like(shape)(*here) < 0) == pytest.approx(area, rel=0.01)


def test_shapes_are_hollow_where_they_should_be(fluid):
    assert fluid.shapes.nabla(np.array(0.4), np.array(0.5)) > 0
    assert fluid.shapes.nabla(np.array(0.24), np.array(0.5)) < 0
    for height, width in ((0.40, 0.38), (0.40, 0.62), (0.70, 0.50), (0.95, 0.50)):
        assert fluid.shapes.smiley(np.array(height), np.array(width)) > 0
    assert fluid.shapes.smiley(np.array(0.5), np.array(0.5)) < 0


# The gradient


@pytest.mark.parametrize("name", ["nabla", "smiley"])
def test_gradient_is_that_of_central_differences(fluid, name):
    """To second order: a step of half the length has a quarter of the error.

    The flow is nearly even, so that no fluid crosses from one cell's middle to another's within a
    difference: there, interpolation has a kink.
    """
    control = 0.5 + 0.05 * field()
    errors = difference_errors(fluid, name, control, steps=(4e-3, 2e-3, 1e-3))
    assert errors[2] < 5e-5
    np.testing.assert_allclose(errors[:2] / errors[1:], 4, rtol=0.02)


def test_gradient_of_a_rough_flow_is_that_of_a_short_difference(fluid):
    assert difference_errors(fluid, "nabla", field(), steps=(1e-6,)) < 1e-6


def difference_errors(fluid, name, control, steps):
    """Of central differences along a direction, relative to the gradient."""
    task = fluid.control.Task(size=16, steps=10, target=fluid.shapes.SHAPES[name])
    direction = field(seed=1)

    def along(x):
        return fluid.control.objective(control + x * direction, task, 0.1, rg.Stored())

    slope = float(rg.grad(along)(0.0))
    found = [float(along(h) - along(-h)) / (2 * h) for h in steps]
    return np.abs(np.array(found) / slope - 1)


def test_no_adjoint_changes_a_bit(fluid, task):
    def gradient(adjoint):
        return rg.grad(fluid.control.objective)(field(), task, 0.1, adjoint)

    expected = gradient(rg.Stored())
    assert np.abs(expected).max() > 0
    for adjoint in (
        rg.Checkpointed(slots=2),
        rg.Checkpointed(memory="50 kB"),
        rg.Auto(memory="50 kB", quiet=True),
    ):
        np.testing.assert_array_equal(gradient(adjoint), expected)


def test_gradient_is_that_of_a_plain_loop(fluid, task):
    def plain(control):
        return fluid.memory.plain_objective(control, task, 0.1)

    through_iterate = rg.grad(fluid.control.objective)(field(), task, 0.1, rg.Stored())
    np.testing.assert_allclose(rg.grad(plain)(field()), through_iterate, rtol=1e-12, atol=1e-18)


# What it is for


def test_the_smoke_approaches_the_target(fluid, task):
    control, values = fluid.control.optimize(task, rg.Checkpointed(), iterations=(10, 10, 10))
    assert values[-1] < values[0] / 3
    last = fluid.control.objective(control, task, fluid.control.EDGES[-1], rg.Stored())
    assert float(last) == values[-1]


def test_the_first_frame_shows_the_source(fluid, task):
    state = fluid.solver.begin(np.zeros((2, 16, 16)), task.smoothness)
    drawn = fluid.pictures.picture(state, task.source, 64)
    lit = drawn.max(axis=-1) > 0.5
    assert drawn.shape == (64, 64, 3)
    assert np.mean(lit == (task.source(*fluid.shapes.places(64)) < 0)) > 0.98


def test_memory_is_measured(fluid, task):
    rows = fluid.memory.measure(task, {"stored": rg.Stored(), "two": rg.Checkpointed(2)}, best=1)
    plain, stored, two = rows
    assert plain.kept is None
    assert stored.kept == 10 * 4 * 16 * 16 * 8
    assert two.kept < stored.kept / 3
    assert plain.peak > stored.peak > two.peak > 0


def test_the_scripts_draw_their_pictures(run_example, tmp_path):
    said = run_example("fluid/fluid_control", "--quick", "--out", "drawn", "--target", "smiley")
    assert "objective" in said
    assert (tmp_path / "drawn/fluid_smiley.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "drawn/fluid_smiley.gif").read_bytes().startswith(b"GIF89a")
    assert run_example("fluid/fluid_memory", "--quick", "--out", "drawn").count("\n") == 9
    assert "<svg" in (tmp_path / "drawn/fluid_memory.svg").read_text(encoding="utf-8")

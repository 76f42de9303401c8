"""`check_backend`: the tests that every array library's backend passes."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["check_backend"]

_STEP = 3


def check_backend(backend: Any) -> None:
    """Try the verbs of a backend out, in everything that training relies on.

    Containers are taken apart and put together; the gradient has the same bits however it is asked
    for; second derivatives agree with central differences of it; the root has the derivative 0 at
    0; what a run returns is differentiable through the sweep that is given with it.

    Args:
        backend: an instance.

    Raises:
        AssertionError: one of this is not so; the message says which.

    Example:
        >>> from retrograd.backends import NumpyBackend
        >>> check_backend(NumpyBackend())
    """
    problem = _Problem(backend)
    _check_containers(problem)
    _check_gradient_bits(problem)
    _check_second_derivatives(problem)
    _check_root(problem)
    _check_vjp(problem)
    _check_differentiable(problem)


class _Problem:
    """A loss in the functions of the backend, and where it is looked at."""

    def __init__(self, backend: Any) -> None:
        self.backend = backend
        self.name = getattr(backend, "name", type(backend).__name__)
        rng = np.random.default_rng(0)
        self.w = {"a": self.array(rng.normal(size=(2, 3))), "b": [self.array(rng.normal(size=3))]}
        self.direction = {
            "a": self.array(rng.normal(size=(2, 3))),
            "b": [self.array(rng.normal(size=3))],
        }
        self.hyper = {"data": self.array(rng.normal(size=(4, 3))), "scale": self.array(0.5)}

    def array(self, x: Any) -> Any:
        return self.backend.array(self.backend.xp.asarray(x))

    def loss(self, w: Any, hyper: Any, step: int) -> Any:
        xp = self.backend.xp
        hidden = xp.tanh(hyper["data"] @ w["a"].T) * hyper["scale"]
        return xp.sum(hidden**2) * (step + 1) + xp.sum(xp.exp(w["b"][0]) * w["a"][0])

    def rebuild(self, active: Any) -> Any:
        return {"data": active[0], "scale": active[1]}

    @property
    def active(self) -> list[Any]:
        return [self.hyper["data"], self.hyper["scale"]]

    def gradient(self, w: Any) -> list[Any]:
        """The leaves of the gradient with respect to the weights."""
        _, gradient = self.backend.value_and_gradient(self.loss, w, self.hyper, _STEP)
        return self.plain(gradient)

    def plain(self, container: Any) -> list[Any]:
        """Leaves as NumPy arrays."""
        leaves = self.backend.flatten(container)[0]
        return [np.asarray(self.backend.value_of(leaf)) for leaf in leaves]

    def fail(self, what: str) -> AssertionError:
        return AssertionError(f"backend {self.name}: {what}")


def _check_containers(problem: _Problem) -> None:
    backend, w = problem.backend, problem.w
    leaves, structure = backend.flatten(w)
    again, same = backend.flatten(backend.unflatten(structure, leaves))
    if len(leaves) != 2 or same != structure:
        raise problem.fail("unflatten does not give back what flatten took apart")
    if not all(np.array_equal(a, b) for a, b in zip(problem.plain(leaves), problem.plain(again))):  # noqa: B905
        raise problem.fail("unflatten changes or reorders the leaves")
    names = list(backend.leaf_names(w))
    if len(set(names)) != 2:
        raise problem.fail(f"leaf_names gives {names} for two leaves; give each its own name")
    if any(backend.is_traced(leaf) for leaf in leaves):
        raise problem.fail("is_traced says that a plain array is traced")


def _check_gradient_bits(problem: _Problem) -> None:
    """The sweep must see the gradient that the forward run saw, to the last bit."""
    backend = problem.backend
    first = problem.gradient(problem.w)
    value, _ = backend.value_and_gradient(problem.loss, problem.w, problem.hyper, _STEP)
    loss = problem.loss(problem.w, problem.hyper, _STEP)
    if not np.allclose(float(value), float(backend.value_of(loss)), rtol=1e-12):
        raise problem.fail("value_and_gradient gives another value than the loss")
    arguments = (problem.loss, problem.w, problem.active, problem.rebuild, _STEP)
    linearized = problem.plain(backend.linearized_gradient(*arguments)[0])
    along = problem.plain(backend.gradient_along(*arguments, problem.direction)[0])
    none = (problem.loss, problem.w, [], lambda active: problem.hyper, _STEP)
    inactive = problem.plain(backend.gradient_along(*none, problem.direction)[0])
    for how, found in (
        ("value_and_gradient, called again,", problem.gradient(problem.w)),
        ("linearized_gradient", linearized),
        ("gradient_along", along),
        ("gradient_along without active leaves", inactive),
    ):
        if not all(a.tobytes() == b.tobytes() for a, b in zip(found, first, strict=True)):
            raise problem.fail(f"{how} gives a gradient of other bits than value_and_gradient")


def _check_second_derivatives(problem: _Problem) -> None:
    backend = problem.backend
    arguments = (problem.loss, problem.w, problem.active, problem.rebuild, _STEP)
    _, push = backend.linearized_gradient(*arguments)
    _, along, mixed = backend.gradient_along(*arguments, problem.direction)
    pushed, pushed_mixed = push(problem.direction)
    expected = _difference(problem, lambda t: problem.gradient(_moved(problem, t)))
    for how, found in (("gradient_along", along), ("linearized_gradient", pushed)):
        _compare(problem, problem.plain(found), expected, f"the Hessian's product of {how}")
    slopes = _difference(problem, lambda t: _hyper_gradient(problem, _moved(problem, t)))
    for how, parts in (("gradient_along", mixed), ("linearized_gradient", pushed_mixed)):
        if len(parts) != 2:
            raise problem.fail(f"{how} gives {len(parts)} mixed derivatives for 2 active leaves")
        _compare(problem, problem.plain(list(parts)), slopes, f"the mixed derivatives of {how}")


def _hyper_gradient(problem: _Problem, w: Any) -> list[Any]:
    def of_hyper(active: Any) -> Any:
        return problem.loss(w, problem.rebuild(active), _STEP)

    result, pullback = problem.backend.vjp(of_hyper, problem.active)
    return problem.plain(pullback(problem.backend.xp.ones_like(result))[0])


def _moved(problem: _Problem, t: float) -> Any:
    leaves, structure = problem.backend.flatten(problem.w)
    steps = problem.backend.flatten(problem.direction)[0]
    moved = [x + t * d for x, d in zip(leaves, steps, strict=True)]
    return problem.backend.unflatten(structure, moved)


def _difference(problem: _Problem, gradient: Any) -> list[Any]:
    """Central differences of two steps, extrapolated."""
    h = 1e-3
    coarse, fine = (
        [(a - b) / (2 * s) for a, b in zip(gradient(s), gradient(-s), strict=True)]
        for s in (h, h / 2)
    )
    return [(4 * a - b) / 3 for a, b in zip(fine, coarse, strict=True)]


def _compare(problem: _Problem, found: list[Any], expected: list[Any], what: str) -> None:
    for a, b in zip(found, expected, strict=True):
        if a.shape != b.shape or not np.abs(a - b).max() <= 1e-6 * max(np.abs(b).max(), 1.0):
            raise problem.fail(f"{what} disagrees with central differences")


def _check_root(problem: _Problem) -> None:
    """sqrt, with the derivative 0 at 0."""
    backend = problem.backend
    x = problem.array(np.array([0.0, 4.0]))
    result, pullback = backend.vjp(backend.root, x)
    (slope,) = pullback(backend.xp.ones_like(result))
    values, slopes = problem.plain(result)[0], problem.plain(slope)[0]
    if not np.allclose(values, [0.0, 2.0]):
        raise problem.fail(f"root gives {values} for [0, 4]; give the square root")
    if not np.array_equal(slopes, [0.0, 0.25]):
        raise problem.fail(f"root has the derivatives {slopes} at [0, 4]; give [0, 0.25]")


def _check_vjp(problem: _Problem) -> None:
    backend = problem.backend
    x, y = problem.hyper["data"], problem.hyper["scale"]
    result, pullback = backend.vjp(lambda x, y: x * x * y, x, y)
    found = problem.plain(list(pullback(backend.xp.ones_like(result))))
    plain, scale = problem.plain([x, y])
    expected = [2 * plain * scale, np.array(np.sum(plain**2))]
    for a, b in zip(found, expected, strict=True):
        if a.shape != b.shape or not np.allclose(a, b, rtol=1e-12):
            raise problem.fail("vjp gives wrong cotangents of x * x * y")


def _check_differentiable(problem: _Problem) -> None:
    """A run and its sweep as one operation."""
    backend = problem.backend
    x = problem.hyper["data"]
    asked: list[list[int]] = []

    def sweep(wanted: Any, cotangents: Any) -> list[Any]:
        asked.append(list(wanted))
        return [3.0 * cotangents[0] for _ in wanted]

    def objective(x: Any) -> Any:
        if not backend.is_traced(x):
            raise problem.fail("is_traced does not see a value that is differentiated")
        (tripled,) = backend.differentiable("triple", lambda x, y: (3.0 * x,), sweep, x, 1.0)
        return tripled * tripled

    result, pullback = backend.vjp(objective, x)
    (found,) = pullback(backend.xp.ones_like(result))
    if asked != [[0]]:
        raise problem.fail(f"differentiable asks its sweep for the inputs {asked}; give [[0]]")
    if not np.allclose(problem.plain(found)[0], 18 * problem.plain(x)[0], rtol=1e-12):
        raise problem.fail("differentiable does not carry the sweep's cotangents on")

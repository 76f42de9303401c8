"""Derivatives of solutions of ordinary differential equations, whatever solver found them.

Forward mode solves the variational equation beside the equation itself: s' = f_y s + f_p dp.
Reverse mode solves the adjoint equation a' = -f_y^T a backwards from one given time to the one
before, and with it the equation itself. Running that one backwards may be unstable: what comes
out is compared with the solution that is known, and where it strays there are more points in
between from which to start; where that does not help, there is an error.

References:
    Chen, Rubanova, Bettencourt & Duvenaud, "Neural ordinary differential equations" (2018).
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from retrograd.autodiff.operators import jvp, vjp
from retrograd.autodiff.primitive import Everywhere, Primitive, match, rule
from retrograd.autodiff.trace import value_of
from retrograd.errors import DifferentiationError
from retrograd.scipy.callbacks import replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from retrograd.scipy.callbacks import Callback


class SolverError(DifferentiationError):
    """A solver did not reach the end."""


class Solver(Protocol):
    """How an equation is solved."""

    def solve(self, f: Callable[[Any, float], Any], y0: Any, times: Any) -> Any:
        """The solution at all times (a row each), which begin with that of `y0`."""
        ...

    def enlarged(self, copies: int, size: int) -> Solver:
        """The same for `copies` states of the size that tolerances are for, and `size` in all."""
        ...

    @property
    def relative(self) -> float:
        """The relative error that is aimed at."""
        ...


class Equation:
    """y' = f(y, t, *leaves): a function, and how it is solved."""

    def __init__(self, f: Callable[..., Any], solver: Solver, callback: Callback) -> None:
        self.f = f
        self.solver = solver
        self.callback = callback


def _trajectory(equation: Equation, y0: Any, times: Any, *leaves: Any) -> Any:
    def f(y: Any, t: float) -> Any:
        return equation.callback.checked(equation.f(y, t, *leaves))

    y0 = np.asarray(y0)
    f(y0, times[0])  # errors of the function come from here, and not from inside the solver
    return equation.solver.solve(f, y0, np.asarray(times))


# The solution at all times, a row each. Arguments: equation, y0, times, leaves of the parameters.
trajectory = Primitive(_trajectory)


def _jvp(
    argnum: int, d: Any, ans: Any, equation: Equation, y0: Any, times: Any, *leaves: Any
) -> Any:
    if argnum == 2:
        return _along_times(d, ans, equation, times, leaves)
    if argnum == 1:
        return _sensitivity(equation, y0, d, times, leaves)
    moved = argnum - 3
    return _sensitivity(equation, y0, np.zeros_like(y0), times, leaves, moved, d)


def _along_times(d: Any, ans: Any, equation: Equation, times: Any, leaves: Any) -> Any:
    """Later times move along the solution; an earlier start is another initial value."""
    slopes = np.stack([equation.f(y, t, *leaves) for y, t in zip(ans, times, strict=True)])
    from_start = _sensitivity(equation, ans[0], -slopes[0] * d[0], times, leaves)
    return slopes * np.reshape(d, (-1, 1)) + from_start


def _sensitivity(
    equation: Equation, y0: Any, s0: Any, times: Any, leaves: Any, moved: int = -1, d: Any = None
) -> Any:
    """The solution of the variational equation, at all times."""
    size = np.shape(y0)[0]
    # The equation is linear: scaled to 1, its error is controlled as that of the solution is.
    scale = _size(s0 if d is None else d)
    if scale == 0:
        return np.zeros((np.shape(times)[0], size), np.result_type(value_of(y0)))

    def f(z: Any, t: Any, *more: Any) -> Any:
        y, s = z[:size], z[size:]
        if d is None:
            slope, along = jvp(lambda y: equation.f(y, t, *more), (y,), (s,))
        else:
            *leaves, direction = more
            slope, along = jvp(
                lambda y, leaf: equation.f(y, t, *replaced(leaves, [moved], [leaf])),
                (y, leaves[moved]),
                (s, direction),
            )
        return np.concatenate([slope, along])

    enlarged = Equation(f, equation.solver.enlarged(2, 2 * size), equation.callback)
    extra = () if d is None else (d / scale,)
    z0 = np.concatenate([y0, s0 / scale])
    return trajectory(enlarged, z0, times, *leaves, *extra)[:, size:] * scale


def _size(x: Any) -> float:
    plain = np.abs(np.asarray(value_of(x)))
    return float(plain.max()) if plain.size else 0.0


def _pullback(
    argnums: Sequence[int],
    g: Any,
    ans: Any,
    equation: Equation,
    y0: Any,
    times: Any,
    *leaves: Any,
) -> list[Any]:
    """The cotangents of all arguments, by one run backwards."""
    moved = [argnum - 3 for argnum in argnums if argnum > 2]
    adjoint, found = _backwards(g, ans, equation, times, leaves, moved)
    sums = dict(zip(moved, found, strict=True))
    result: list[Any] = []
    for argnum in argnums:
        if argnum == 1:
            result.append(match(adjoint + g[0], y0))
        elif argnum == 2:
            result.append(match(_of_times(adjoint, g, ans, equation, times, leaves), times))
        else:
            result.append(match(sums[argnum - 3], leaves[argnum - 3]))
    return result


def _of_times(adjoint: Any, g: Any, ans: Any, equation: Equation, times: Any, leaves: Any) -> Any:
    """The cotangents of the times; `adjoint` is that of the first state, due to later ones."""
    weights = [-adjoint, *g[1:]]
    return np.stack(
        [np.sum(w * equation.f(y, t, *leaves)) for w, y, t in zip(weights, ans, times, strict=True)]
    )


def _backwards(
    g: Any, ans: Any, equation: Equation, times: Any, leaves: Any, moved: list[int]
) -> tuple[Any, list[Any]]:
    """The adjoint at the first time, without the cotangent there, and those of moved leaves."""
    adjoint = np.zeros_like(value_of(ans[0]))
    found: list[Any] = [np.zeros(np.shape(leaves[i]), adjoint.dtype) for i in moved]
    for i in range(np.shape(times)[0] - 1, 0, -1):
        adjoint, added = _one_interval(equation, ans[i - 1], ans[i], adjoint + g[i],
                                       times[i - 1], times[i], leaves, moved)  # fmt: skip
        found = [a + b for a, b in zip(found, added, strict=True)]
    return adjoint, found


# Into how many parts an interval is cut when the solution strays on its way back.
_PARTS = (1, 8, 64, 512)


def _one_interval(
    equation: Equation, before: Any, after: Any, adjoint: Any, start: Any, end: Any,
    leaves: Any, moved: list[int],
) -> tuple[Any, list[Any]]:  # fmt: skip
    """The adjoint at the start of an interval, and what the leaves get from it."""
    if value_of(start) == value_of(end):
        return adjoint, [0.0] * len(moved)
    for parts in _PARTS:
        times = start + (end - start) * np.linspace(0.0, 1.0, parts + 1)
        with contextlib.suppress(SolverError), np.errstate(all="ignore"):
            states = [before, after] if parts == 1 else trajectory(equation, before, times, *leaves)
            result = _through(equation, states, adjoint, times, leaves, moved)
            if result is not None:
                return result
    raise DifferentiationError(
        f"{equation.callback.name}: the solution cannot be followed backwards between t = "
        f"{value_of(start)} and {value_of(end)}, where neighbouring solutions converge too fast. "
        "Use forward mode (jvp), ask for more times in between, or lower the tolerances."
    )


def _through(
    equation: Equation, states: Any, adjoint: Any, times: Any, leaves: Any, moved: list[int]
) -> tuple[Any, list[Any]] | None:
    """The adjoint carried back through all parts; None if the solution strays from its states."""
    found: list[Any] = [0.0] * len(moved)
    for i in range(len(states) - 1, 0, -1):
        y, adjoint, added = _step_back(
            equation, states[i], adjoint, times[i - 1], times[i], leaves, moved
        )
        if not _agrees(y, states[i - 1], equation.solver.relative):
            return None
        found = [a + b for a, b in zip(found, added, strict=True)]
    return adjoint, found


def _agrees(found: Any, known: Any, relative: float) -> bool:
    found, known = value_of(found), value_of(known)
    error = np.max(np.abs(found - known), initial=0.0)
    return bool(error <= 20 * max(relative, 1e-12) * max(1.0, np.max(np.abs(known), initial=0.0)))


def _step_back(
    equation: Equation, state: Any, adjoint: Any, start: Any, end: Any, leaves: Any,
    moved: list[int],
) -> tuple[Any, Any, list[Any]]:  # fmt: skip
    """The state, its adjoint and the cotangents of the leaves at the start of an interval."""
    size = np.shape(state)[0]
    scale = _size(adjoint) or 1.0
    counts = [int(np.size(leaves[i])) for i in moved]

    def f(z: Any, t: Any, *leaves: Any) -> Any:
        slope, pullback = vjp(
            lambda y, *some: equation.f(y, t, *replaced(leaves, moved, some)),
            z[:size],
            *[leaves[i] for i in moved],
        )
        cotangents = pullback(-z[size : 2 * size])
        return np.concatenate([slope, *[np.ravel(c) for c in cotangents]])

    total = 2 * size + sum(counts)
    enlarged = Equation(f, equation.solver.enlarged(2, total), equation.callback)
    z0 = np.concatenate([state, adjoint / scale, np.zeros(sum(counts))])
    z = trajectory(enlarged, z0, np.stack([end, start]), *leaves)[-1]
    ends = np.cumsum([2 * size, *counts])
    found = [
        np.reshape(z[a:b] * scale, np.shape(leaves[i]))
        for a, b, i in zip(ends[:-1], ends[1:], moved, strict=True)
    ]
    return z[:size], z[size : 2 * size] * scale, found


rule(trajectory, jvps=Everywhere(_jvp))
trajectory.pullback = _pullback

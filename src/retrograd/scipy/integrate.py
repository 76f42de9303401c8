"""A drop-in for `scipy.integrate`, with derivatives in limits, initial values and parameters."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.integrate
from numpy.lib.array_utils import normalize_axis_index

from retrograd.autodiff.axes import along
from retrograd.autodiff.dropin import drop_in
from retrograd.autodiff.primitive import REGISTRY, stands_for
from retrograd.autodiff.rules.calculus import neighbours, trapezoid, widths
from retrograd.autodiff.rules.joining import as_array, as_float
from retrograd.autodiff.trace import value_of
from retrograd.errors import ArgumentError
from retrograd.scipy.callbacks import (
    also_by_position,
    guarded,
    is_traced,
    plain,
    refuse,
    unpacked,
)
from retrograd.scipy.integrals import Integrand, integral
from retrograd.scipy.trajectories import Equation, SolverError, trajectory

if TYPE_CHECKING:
    from collections.abc import Callable


__getattr__, __dir__ = drop_in(scipy.integrate)


# Relative errors of the equations for derivatives are at most this large.
_TIGHT = 1e-6


class _Lsoda:
    """`scipy.integrate.odeint`."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.options = options
        rtol, atol = options.get("rtol"), options.get("atol")
        self.relative = float(np.max(1.49012e-8 if rtol is None else rtol))
        self.absolute = float(np.min(1.49012e-8 if atol is None else atol))

    def solve(self, f: Callable[[Any, float], Any], y0: Any, times: Any) -> Any:
        if times[0] == times[-1]:
            return np.stack([y0] * len(times))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", scipy.integrate.ODEintWarning)
            y, report = scipy.integrate.odeint(f, y0, times, full_output=True, **self.options)
        if report["message"] != "Integration successful.":
            raise SolverError(
                f"odeint: the equation, or the one for its derivative, was not solved: "
                f"{report['message']} Raise mxstep, or loosen rtol and atol"
            )
        return y

    def enlarged(self, copies: int, size: int) -> _Lsoda:
        kept = {k: v for k, v in self.options.items() if k in ("tcrit", "hmax", "mxordn", "mxords")}
        steps = self.options.get("mxstep", 0)
        return _Lsoda({
            **kept, "rtol": min(self.relative, _TIGHT), "atol": self.absolute,
            "mxstep": max(steps, 5000),
        })  # fmt: skip


@also_by_position(scipy.integrate.odeint)
def odeint(
    func: Callable[..., Any], y0: Any, t: Any, args: Any = (), *, tfirst: bool = False,
    full_output: bool = False, **options: Any,
) -> Any:  # fmt: skip
    """`scipy.integrate.odeint`, differentiable in `y0`, `t` and `args`, in both modes.

    Args:
        func: `func(y, t, *args)`, or `func(t, y, *args)` with `tfirst`. It runs on traced values
            when derivatives are taken, and may return an array or a list.
        y0: the initial state, a vector or a number.
        t: the times; the state at the first of them is `y0`.
        args: parameters, any nest of containers. A traced value that `func` uses must be here.
        tfirst: the order of the arguments of `func`.
        full_output: refused where something is traced.
        options: those of SciPy, passed by name (`Dfun`, `ml` and `mu` serve the solution itself).

    Raises:
        MissingRuleError: `full_output` is asked for.
        InterceptionError: `func` uses a traced value that is not in `args`.
        DifferentiationError: the solver failed.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.scipy.integrate import odeint
        >>> def last(rate):
        ...     return odeint(lambda y, t, k: -k * y, 1.0, np.array([0.0, 1.0]), (rate,))[-1, 0]
        >>> rg.grad(last)(2.0).round(6)  # -exp(-2)
        np.float64(-0.135335)
    """
    if not is_traced(y0, t, args):
        return scipy.integrate.odeint(
            guarded("odeint", func),
            y0,
            t,
            plain(args),
            tfirst=tfirst,
            full_output=full_output,
            **options,
        )
    if full_output:
        raise refuse("odeint", "full_output=True", "leave it out where values are traced")
    callback, leaves = unpacked("odeint", func, args)

    def f(y: Any, t: Any, *leaves: Any) -> Any:
        return np.reshape(callback((t, y) if tfirst else (y, t), leaves), np.shape(y))

    equation = Equation(f, _Lsoda(options), callback)
    return trajectory(equation, np.reshape(as_float(y0), (-1,)), as_float(t), *leaves)


REGISTRY[scipy.integrate.odeint] = odeint


class _InitialValue:
    """`scipy.integrate.solve_ivp` with one of its methods."""

    def __init__(self, method: Any, options: dict[str, Any]) -> None:
        self.method = method
        self.options = options
        self.relative = float(np.max(options.get("rtol", 1e-3)))
        self.absolute = float(np.min(options.get("atol", 1e-6)))

    def solve(self, f: Callable[[Any, float], Any], y0: Any, times: Any) -> Any:
        if times[0] == times[-1]:
            return np.stack([y0] * len(times))
        # Times that occur twice are asked for once.
        distinct, places = np.unique(times, return_inverse=True)
        backwards = times[-1] < times[0]
        solved = scipy.integrate.solve_ivp(
            lambda t, y: f(y, t),
            (times[0], times[-1]),
            y0,
            self.method,
            t_eval=distinct[::-1] if backwards else distinct,
            **self.options,
        )
        if not solved.success:
            raise SolverError(
                "solve_ivp: the equation, or the one for its derivative, was not solved: "
                f"{solved.message} Try another method, or other tolerances"
            )
        rows = solved.y.T[::-1] if backwards else solved.y.T
        return rows[places]

    def enlarged(self, copies: int, size: int) -> _InitialValue:
        kept = {k: v for k, v in self.options.items() if k == "max_step"}
        rtol = min(self.relative, _TIGHT)
        atol = min(self.absolute, 1e-3 * rtol)
        return _InitialValue(self.method, {**kept, "rtol": rtol, "atol": atol})


def solve_ivp(
    fun: Callable[..., Any], t_span: Any, y0: Any, method: Any = "RK45", t_eval: Any = None,
    dense_output: bool = False, events: Any = None, vectorized: bool = False, args: Any = None,
    **options: Any,
) -> Any:  # fmt: skip
    """`scipy.integrate.solve_ivp`, differentiable in `t_span`, `y0`, `t_eval` and `args`.

    Args:
        fun: `fun(t, y, *args)`. It runs on traced values when derivatives are taken.
        t_span: first and last time.
        y0: the initial state, a vector, perhaps complex.
        method: one of SciPy's methods.
        t_eval: the times at which the solution is wanted. Without it these are the steps of the
            solver: their times are constants, apart from the first and the last.
        dense_output: refused where something is traced, as are `events`.
        events: refused where something is traced.
        vectorized: whether `fun` also takes several states as columns; makes no difference here.
        args: parameters, any nest of containers. A traced value that `fun` uses must be here.
        options: those of the method.

    Returns:
        SciPy's result; where something is traced, with `t`, `y`, `success`, `status`, `message`
        and the counts of evaluations.

    Raises:
        MissingRuleError: `dense_output` or `events` are asked for.
        InterceptionError: `fun` uses a traced value that is not in `args`.
        DifferentiationError: the solver failed.

    Example:
        >>> import retrograd as rg
        >>> from retrograd.scipy.integrate import solve_ivp
        >>> def last(rate):
        ...     decay = solve_ivp(lambda t, y, k: -k * y, (0.0, 1.0), [1.0], args=(rate,))
        ...     return decay.y[0, -1]
        >>> rg.grad(last)(2.0).round(2)  # -exp(-2), to the tolerance of the solution
        np.float64(-0.14)
    """
    if not is_traced(t_span, y0, t_eval, args):
        return scipy.integrate.solve_ivp(
            guarded("solve_ivp", fun), t_span, y0, method, t_eval, dense_output, events, vectorized,
            plain(args), **options,
        )  # fmt: skip
    if dense_output or events is not None:
        named = "dense_output" if dense_output else "events"
        raise refuse("solve_ivp", named, "ask for the times that you need with t_eval")
    args = () if args is None else args
    callback, leaves = unpacked("solve_ivp", fun, args)
    first, last = t_span
    report = scipy.integrate.solve_ivp(
        lambda t, y: callback.checked(callback((t, y), plain(leaves))),
        plain((first, last)),
        value_of(as_array(y0)),
        method,
        None if t_eval is None else value_of(as_array(t_eval)),
        **options,
    )
    if not report.success:
        raise SolverError(f"solve_ivp: the equation was not solved: {report.message}")
    times = _times(first, last, t_eval, report.t)

    def f(y: Any, t: Any, *leaves: Any) -> Any:
        return np.reshape(callback((t, y), leaves), np.shape(y))

    y0 = as_float(y0, np.float64)
    rows = trajectory(Equation(f, _InitialValue(method, options), callback), y0, times, *leaves)
    if t_eval is not None:
        rows, times = rows[1:-1], times[1:-1]
    names = ("nfev", "njev", "nlu", "status", "message", "success")
    kept = {name: report[name] for name in names}
    return type(report)(t=times, y=np.transpose(rows), sol=None, **kept)


def _times(first: Any, last: Any, t_eval: Any, steps: Any) -> Any:
    """All times of a solution: from the first to the last, with those between them."""
    between = as_float(steps[1:-1] if t_eval is None else t_eval)
    ends = [np.reshape(as_float(t), (1,)) for t in (first, last)]
    return np.concatenate([ends[0], between, ends[1]])


@also_by_position(scipy.integrate.quad)
def quad(
    func: Callable[..., Any], a: Any, b: Any, args: Any = (), full_output: int = 0, **options: Any
) -> Any:
    """`scipy.integrate.quad`, differentiable in the limits and in `args`, by Leibniz' rule.

    Args:
        func: `func(x, *args)`, a real number. It runs on traced values when derivatives are taken.
        a: lower limit, a number or -inf.
        b: upper limit.
        args: parameters, any nest of containers. A traced value that `func` uses must be here.
        full_output: refused where something is traced, as are `weight` and `complex_func`.
        options: `epsabs`, `epsrel`, `limit`, `points` and the rest of SciPy's, by name.

    Returns:
        The integral, and SciPy's estimate of its error as a plain number.

    Raises:
        MissingRuleError: an option that is not covered.
        InterceptionError: `func` uses a traced value that is not in `args`.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.scipy.integrate import quad
        >>> def area(rate):
        ...     return quad(lambda x, k: np.exp(-k * x), 0.0, np.inf, (rate,))[0]
        >>> rg.grad(area)(2.0).round(8)  # of 1/k
        np.float64(-0.25)
    """
    if not is_traced(a, b, args):
        return scipy.integrate.quad(
            guarded("quad", func), a, b, plain(args), full_output, **options
        )
    given = {name for name in options if options[name] not in (None, False)}
    unknown = given - {"epsabs", "epsrel", "limit", "points"}
    if full_output or unknown:
        named = ", ".join(sorted(unknown)) or "full_output"
        raise refuse("quad", named, "put a weight into the integrand, and leave the rest out")
    callback, leaves = unpacked("quad", func, args)

    def f(x: Any, *leaves: Any) -> Any:
        return np.reshape(callback((x,), leaves), ())

    integrand = Integrand(f, callback, options)
    low, high = as_float(a), as_float(b)
    value = integral(integrand, low, high, *leaves)
    error = scipy.integrate.quad(
        lambda x: float(f(x, *plain(leaves))), value_of(low), value_of(high), **options
    )[1]
    return value, error


stands_for(scipy.integrate.trapezoid)(trapezoid)


@stands_for(scipy.integrate.cumulative_trapezoid)
def cumulative_trapezoid(
    y: Any, x: Any = None, dx: Any = 1.0, axis: int = -1, initial: Any = None
) -> Any:
    """`scipy.integrate.cumulative_trapezoid`."""
    if value_of(initial) not in (None, 0):
        raise ArgumentError(f"cumulative_trapezoid: initial={value_of(initial)}; give 0 or None")
    y = as_array(y)
    axis = normalize_axis_index(axis, np.ndim(y))
    later, earlier = neighbours(axis)
    total = np.cumsum(widths(y, x, dx, axis) * (y[later] + y[earlier]) / 2.0, axis=axis)
    if initial is None:
        return total
    start = np.zeros_like(value_of(total)[along(axis, slice(1))])
    return np.concatenate([start, total], axis=axis)


@stands_for(scipy.integrate.simpson)
def simpson(y: Any, x: Any = None, *, dx: Any = 1.0, axis: int = -1) -> Any:
    """`scipy.integrate.simpson`: parabolas; the last interval of an odd number by Cartwright."""
    y = as_array(y)
    axis = normalize_axis_index(axis, np.ndim(y))
    y = np.moveaxis(y, axis, -1)
    size = np.shape(y)[-1]
    if x is None:
        return _simpson(y, np.ones(size - 1)) * dx
    x = as_array(x)
    return _simpson(y, np.diff(x if np.ndim(x) == 1 else np.moveaxis(x, axis, -1)).astype(float))


def _simpson(y: Any, h: Any) -> Any:
    """The integral along the last axis, with distances `h` of the points."""
    size = np.shape(y)[-1]
    if size % 2:
        return _parabolas(y, h)
    if size == 2:
        return 0.5 * h[..., 0] * (y[..., 0] + y[..., 1])
    return _parabolas(y[..., :-1], h[..., :-1]) + _last_interval(y, h)


def _parabolas(y: Any, h: Any) -> Any:
    left, right = h[..., 0::2], h[..., 1::2]
    both = left + right
    parts = (
        y[..., 0:-2:2] * (2 - right / left)
        + y[..., 1:-1:2] * (both * both / (left * right))
        + y[..., 2::2] * (2 - left / right)
    )
    return np.sum(both / 6 * parts, axis=-1)


def _last_interval(y: Any, h: Any) -> Any:
    """The integral over the last interval of the parabola through the last three points."""
    left, right = h[..., -2], h[..., -1]
    return (
        y[..., -1] * (2 * right**2 + 3 * left * right) / (6 * (left + right))
        + y[..., -2] * (right**2 + 3 * left * right) / (6 * left)
        - y[..., -3] * right**3 / (6 * left * (left + right))
    )

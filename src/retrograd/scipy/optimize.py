"""A drop-in for `scipy.optimize`: what solvers find is differentiated in the parameters.

A solver searches on plain values; `implicit.py` has the derivatives of what it finds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.optimize

from retrograd.autodiff.dropin import drop_in
from retrograd.autodiff.operators import grad
from retrograd.autodiff.primitive import REGISTRY
from retrograd.autodiff.trace import value_of
from retrograd.errors import DifferentiationError
from retrograd.scipy.callbacks import (
    Callback,
    also_by_position,
    guarded,
    is_traced,
    plain,
    refuse,
    unpacked,
)
from retrograd.scipy.implicit import Condition, solution

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Function = Callable[..., Any]

__getattr__, __dir__ = drop_in(scipy.optimize)


def _residual(callback: Callback) -> Function:
    """The user's function as a residual of the shape of its argument."""
    return lambda x, *leaves: np.reshape(callback((x,), leaves), np.shape(x))


def _for_solver(callback: Callback, leaves: Sequence[Any]) -> Function:
    """The user's function for a solver, with plain parameters."""
    return lambda x: callback.checked(callback((x,), leaves))


def _bound(derivative: Any, leaves_of: Callback, leaves: Sequence[Any]) -> Any:
    """A derivative that the user has given, as a function of x alone; flags are left alone."""
    if not callable(derivative):
        return derivative
    other = Callback(leaves_of.name, derivative, leaves_of.structure)
    return _for_solver(other, leaves)


@also_by_position(scipy.optimize.root)
def root(
    fun: Function, x0: Any, args: Any = (), method: str = "hybr", jac: Any = None, **options: Any
) -> Any:
    """`scipy.optimize.root`, differentiable in `args` by the implicit function theorem.

    Args:
        fun: `fun(x, *args)`, an array of the shape of x. It runs on traced values at the solution.
        x0: where the search starts; the solution does not change with it.
        args: parameters, any nest of containers. A traced value that `fun` uses must be here.
        method: one of SciPy's.
        jac: the Jacobian for the search, `jac(x, *args)`.
        options: `tol`, `callback`, `options` of SciPy.

    Returns:
        SciPy's result; where something is traced, `x`, `success`, `status`, `message`, `nfev`.

    Raises:
        DifferentiationError: nothing was found, or the Jacobian at the solution is singular.
        InterceptionError: `fun` uses a traced value that is not in `args`.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.scipy.optimize import root
        >>> def cube_root(a):
        ...     return root(lambda x, a: x**3 - a, np.ones(1), (a,), tol=1e-12).x[0]
        >>> rg.grad(cube_root)(8.0).round(8)  # 1/12
        np.float64(0.08333333)
    """
    if not is_traced(x0, args):
        return scipy.optimize.root(guarded("root", fun), x0, plain(args), method, jac, **options)
    if jac is True:
        raise refuse("root", "jac=True", "give the Jacobian as a function of its own")
    callback, leaves = unpacked("root", fun, args)
    kept: dict[str, Any] = {}

    def find(*leaves: Any) -> Any:
        search = _for_solver(callback, leaves)
        given = _bound(jac, callback, leaves)
        kept["report"] = scipy.optimize.root(search, plain(x0), (), method, given, **options)
        return _found("root", kept["report"])

    x = solution(Condition("root", find, _residual(callback)), *leaves)
    return _report(x, kept["report"])


def _found(name: str, report: Any) -> Any:
    if not report.success:
        raise DifferentiationError(
            f"{name}: no solution was found ({report.message}), so there is none to differentiate. "
            "Start elsewhere, try another method, or change tol and options"
        )
    return report.x


def _report(x: Any, report: Any, **more: Any) -> Any:
    """What of the solver's report holds also where something is traced."""
    names = ("success", "status", "message", "nfev", "nit")
    return scipy.optimize.OptimizeResult(
        x=x, **more, **{name: report[name] for name in names if name in report}
    )


@also_by_position(scipy.optimize.fsolve)
def fsolve(
    func: Function, x0: Any, args: Any = (), fprime: Any = None, full_output: bool = False,
    **options: Any,
) -> Any:  # fmt: skip
    """`scipy.optimize.fsolve`, differentiable in `args`; see `root`.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.scipy.optimize import fsolve
        >>> rg.grad(lambda a: fsolve(lambda x, a: x**2 - a, 1.0, (a,))[0])(4.0).round(8)
        np.float64(0.25)
    """
    if not is_traced(x0, args):
        return scipy.optimize.fsolve(
            guarded("fsolve", func), x0, plain(args), fprime, full_output, **options
        )
    if full_output:
        raise refuse("fsolve", "full_output=True", "use root, or leave it out")
    callback, leaves = unpacked("fsolve", func, args)

    def find(*leaves: Any) -> Any:
        search, given = _for_solver(callback, leaves), _bound(fprime, callback, leaves)
        x, _, status, message = scipy.optimize.fsolve(search, plain(x0), (), given, True, **options)
        report = scipy.optimize.OptimizeResult(x=x, success=status == 1, message=message)
        return _found("fsolve", report)

    return solution(Condition("fsolve", find, _residual(callback)), *leaves)


@also_by_position(scipy.optimize.fixed_point)
def fixed_point(func: Function, x0: Any, args: Any = (), **options: Any) -> Any:
    """`scipy.optimize.fixed_point`: x = func(x, *args), differentiable in `args`.

    Args:
        func: `func(x, *args)`, of the shape of x. It runs on traced values at the solution.
        x0: where the iteration starts.
        args: parameters, any nest of containers. A traced value that `func` uses must be here.
        options: `xtol`, `maxiter`, `method` of SciPy.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.scipy.optimize import fixed_point
        >>> def golden(a):
        ...     return fixed_point(lambda x, a: np.sqrt(a + x), 1.0, (a,), xtol=1e-12)
        >>> rg.grad(golden)(1.0).round(8)  # 1/sqrt(5)
        np.float64(0.4472136)
    """
    if not is_traced(x0, args):
        return scipy.optimize.fixed_point(guarded("fixed_point", func), x0, plain(args), **options)
    callback, leaves = unpacked("fixed_point", func, args)
    residual = _residual(callback)

    def find(*leaves: Any) -> Any:
        search = _for_solver(callback, leaves)
        return scipy.optimize.fixed_point(search, plain(x0), **options)

    condition = Condition("fixed_point", find, lambda x, *leaves: x - residual(x, *leaves))
    return solution(condition, *leaves)


def newton(
    func: Function, x0: Any, fprime: Any = None, args: Any = (), tol: float = 1.48e-08,
    maxiter: int = 50, fprime2: Any = None, x1: Any = None, rtol: float = 0.0,
    full_output: bool = False, disp: bool = True,
) -> Any:  # fmt: skip
    """`scipy.optimize.newton`, of a number or elementwise of an array, differentiable in `args`.

    Example:
        >>> import retrograd as rg
        >>> from retrograd.scipy.optimize import newton
        >>> rg.grad(lambda a: newton(lambda x, a: x**2 - a, 1.0, args=(a,), tol=1e-12))(4.0).round(
        ...     8
        ... )
        np.float64(0.25)
    """
    if not is_traced(x0, args, x1):
        return scipy.optimize.newton(
            guarded("newton", func),
            x0,
            fprime,
            plain(args),
            tol,
            maxiter,
            fprime2,
            x1,
            rtol,
            full_output,
            disp,
        )
    if full_output:
        raise refuse("newton", "full_output=True", "leave it out where values are traced")
    callback, leaves = unpacked("newton", func, args)

    def find(*leaves: Any) -> Any:
        search = _for_solver(callback, leaves)
        first, second = (_bound(f, callback, leaves) for f in (fprime, fprime2))
        return scipy.optimize.newton(
            search, plain(x0), first, (), tol, maxiter, second, plain(x1), rtol
        )

    return solution(Condition("newton", find, _residual(callback)), *leaves)


def _bracketing(original: Function) -> Function:
    """A solver `original(f, a, b, args=(), **options)` of one equation between two points."""
    name = original.__name__

    @also_by_position(original)
    def bracketed(
        f: Function, a: Any, b: Any, args: Any = (), *, full_output: bool = False, **options: Any
    ) -> Any:
        if not is_traced(a, b, args):
            return original(guarded(name, f), a, b, plain(args), full_output=full_output, **options)
        if full_output:
            raise refuse(name, "full_output=True", "leave it out where values are traced")
        callback, leaves = unpacked(name, f, args)

        def find(*leaves: Any) -> Any:
            search = _for_solver(callback, leaves)
            return original(search, value_of(a), value_of(b), **options)

        return solution(Condition(name, find, _residual(callback)), *leaves)

    bracketed.__name__ = bracketed.__qualname__ = name
    bracketed.__doc__ = (
        f"`scipy.optimize.{name}`, differentiable in `args` by the implicit function theorem; the\n"
        "    solution does not change with the points `a` and `b` that enclose it."
    )
    return bracketed


bisect = _bracketing(scipy.optimize.bisect)
brenth = _bracketing(scipy.optimize.brenth)
brentq = _bracketing(scipy.optimize.brentq)
ridder = _bracketing(scipy.optimize.ridder)
toms748 = _bracketing(scipy.optimize.toms748)


@also_by_position(scipy.optimize.root_scalar)
def root_scalar(
    f: Function, args: Any = (), method: str | None = None, bracket: Any = None,
    fprime: Any = None, fprime2: Any = None, x0: Any = None, x1: Any = None, **options: Any,
) -> Any:  # fmt: skip
    """`scipy.optimize.root_scalar`, differentiable in `args`; the root is `.root`.

    Example:
        >>> import retrograd as rg
        >>> from retrograd.scipy.optimize import root_scalar
        >>> def square_root(a):
        ...     return root_scalar(lambda x, a: x * x - a, (a,), bracket=(0.0, 9.0)).root
        >>> rg.grad(square_root)(4.0).round(8)
        np.float64(0.25)
    """
    if not is_traced(args, bracket, x0, x1):
        return scipy.optimize.root_scalar(
            guarded("root_scalar", f),
            plain(args),
            method,
            bracket,
            fprime,
            fprime2,
            x0,
            x1,
            **options,
        )
    if fprime is True or fprime2 is True:
        raise refuse("root_scalar", "fprime=True", "give the derivative as a function of its own")
    callback, leaves = unpacked("root_scalar", f, args)
    kept: dict[str, Any] = {}

    def find(*leaves: Any) -> Any:
        search = _for_solver(callback, leaves)
        first, second = (_bound(given, callback, leaves) for given in (fprime, fprime2))
        report = scipy.optimize.root_scalar(
            search, (), method, plain(bracket), first, second, plain(x0), plain(x1), **options
        )
        if not report.converged:
            raise DifferentiationError(
                f"root_scalar: no root was found ({report.flag}), so there is none to "
                "differentiate. Start elsewhere, or try another method"
            )
        kept["report"] = report
        return report.root

    report_of = solution(Condition("root_scalar", find, _residual(callback)), *leaves)
    report = kept["report"]
    report.root = report_of
    return report


@also_by_position(scipy.optimize.minimize)
def minimize(
    fun: Function, x0: Any, args: Any = (), method: str | None = None, jac: Any = None,
    hess: Any = None, hessp: Any = None, bounds: Any = None, constraints: Any = (),
    **options: Any,
) -> Any:  # fmt: skip
    """`scipy.optimize.minimize`: the minimum and its place, differentiable in `args`.

    The gradient of `fun` vanishes at the minimum; elements of x that lie on one of the (plain)
    bounds stay there. Its accuracy is that of the solution: choose `tol` small.

    Args:
        fun: `fun(x, *args)`, a real number; twice differentiable. With `jac=True`, a pair.
        x0: where the search starts.
        args: parameters, any nest of containers. A traced value that `fun` uses must be here.
        method: one of SciPy's.
        jac: the gradient for the search; also `hess` and `hessp`.
        hess: the Hessian for the search.
        hessp: the product with the Hessian for the search.
        bounds: plain bounds of x.
        constraints: refused where something is traced.
        options: `tol`, `callback`, `options` of SciPy.

    Returns:
        SciPy's result; where something is traced, `x`, `fun`, `success`, `status`, `message`,
        `nfev` and `nit`.

    Raises:
        MissingRuleError: there are constraints.
        DifferentiationError: nothing was found, or the Hessian at the minimum is singular.
        InterceptionError: `fun` uses a traced value that is not in `args`.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.scipy.optimize import minimize
        >>> def place(a):
        ...     bowl = lambda x, a: np.sum((x - a) ** 2 + 0.5 * x**2)
        ...     return minimize(bowl, np.zeros(1), (a,), tol=1e-9).x[0]
        >>> rg.grad(place)(3.0).round(6)  # 1/1.5
        np.float64(0.666667)
    """
    searched = {"hess": hess, "hessp": hessp}
    if not is_traced(x0, args, bounds):
        return scipy.optimize.minimize(
            guarded("minimize", fun), x0, plain(args), method, jac, bounds=bounds,
            constraints=constraints, **searched, **options,
        )  # fmt: skip
    if constraints or is_traced(bounds):
        named = "constraints" if constraints else "traced bounds"
        raise refuse("minimize", named, "write the problem without them, or with plain bounds")
    pairs, leaves = unpacked("minimize", fun, args)
    value = (lambda *a: fun(*a)[0]) if jac is True else fun
    callback = Callback("minimize", value, pairs.structure)

    def objective(x: Any, *leaves: Any) -> Any:
        return np.reshape(callback((x,), leaves), ())

    def find(*leaves: Any) -> Any:
        given = {name: _bound(f, callback, leaves) for name, f in searched.items()}
        search = _for_solver(callback, leaves)
        both = (lambda x: fun(x, *callback.args(leaves))) if jac is True else search
        kept["report"] = scipy.optimize.minimize(
            both, plain(x0), (), method, _bound(jac, callback, leaves), bounds=bounds,
            **given, **options,
        )  # fmt: skip
        _accept(kept["report"], lambda x: grad(lambda x: objective(x, *leaves))(x))
        return _found("minimize", kept["report"])

    def residual(x: Any, *leaves: Any) -> Any:
        slope = grad(lambda x: objective(x, *leaves))(x)
        held = _held(value_of(x), bounds)
        return slope if held is None else np.where(held, x - value_of(x), slope)

    kept: dict[str, Any] = {}
    x = solution(Condition("minimize", find, residual), *leaves)
    return _report(x, kept["report"], fun=objective(x, *leaves))


# The size of a gradient that SciPy's own methods are content with.
_SMALL = 1e-5


def _accept(report: Any, slope: Function) -> None:
    """Take a minimum for found where rounding alone kept the search from going on."""
    if report.status == 2 and not report.success and np.max(np.abs(slope(report.x))) <= _SMALL:
        report.success = True


def _held(x: Any, bounds: Any) -> Any:
    """Which elements lie on a bound, and so do not move; None if there are no bounds."""
    if bounds is None:
        return None
    if isinstance(bounds, scipy.optimize.Bounds):
        low, high = bounds.lb, bounds.ub
    else:
        low = np.array([-np.inf if low is None else low for low, _ in bounds])
        high = np.array([np.inf if high is None else high for _, high in bounds])
    return (x <= low) | (x >= high)


# The others give reports, of which only a part can be differentiated.
for _function in (fsolve, fixed_point, newton, bisect, brenth, brentq, ridder, toms748):
    REGISTRY[getattr(scipy.optimize, _function.__name__)] = _function

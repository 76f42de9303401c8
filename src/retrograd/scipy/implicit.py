"""Solutions of equations as one operation, differentiated by the implicit function theorem.

A solution x of r(x, p) = 0 is a function of the parameters p, with dx = -r_x^{-1} r_p dp. Neither
the solver nor its starting point matter; the residual is evaluated on traced values once, at the
solution. So the derivatives are as exact as the solution is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff.jacobians import jacobian
from retrograd.autodiff.operators import jvp, vjp
from retrograd.autodiff.primitive import Everywhere, Primitive, match, rule
from retrograd.errors import DifferentiationError
from retrograd.scipy.callbacks import refuse, replaced

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Function = Callable[..., Any]


class Condition:
    """What holds at a solution: residual(x, *leaves) = 0, and how a solution is found.

    Args:
        name: of the solver, for messages.
        find: the solution, from plain leaves.
        residual: an array of the shape of the solution.
    """

    def __init__(self, name: str, find: Function, residual: Function) -> None:
        self.name = name
        self.find = find
        self.residual = residual


def _solution(condition: Condition, *leaves: Any) -> Any:
    found = condition.find(*leaves)
    if np.iscomplexobj(found):
        raise refuse(condition.name, "complex solutions", "split them into real and imaginary part")
    return found


# Arguments: condition, leaves of the parameters.
solution = Primitive(_solution)


def _matrix(condition: Condition, x: Any, leaves: Any) -> Any:
    """The Jacobian of the residual in the solution, as a matrix."""
    size = int(np.size(x))
    found = jacobian(lambda x: condition.residual(x, *leaves))(x)
    return np.reshape(found, (size, size))


def _solved(condition: Condition, matrix: Any, right: Any, shape: tuple[int, ...]) -> Any:
    try:
        return np.reshape(np.linalg.solve(matrix, np.reshape(right, (-1,))), shape)
    except np.linalg.LinAlgError as error:
        raise DifferentiationError(
            f"{condition.name}: the solution is not isolated (the Jacobian there is singular), so "
            "it has no derivative with respect to the parameters args"
        ) from error


def _solution_jvp(argnum: int, d: Any, ans: Any, condition: Condition, *leaves: Any) -> Any:
    moved = argnum - 1
    along = jvp(
        lambda leaf: condition.residual(ans, *replaced(leaves, [moved], [leaf])),
        (leaves[moved],),
        (d,),
    )[1]
    return -_solved(condition, _matrix(condition, ans, leaves), along, np.shape(ans))


def _solution_pullback(
    argnums: Sequence[int], g: Any, ans: Any, condition: Condition, *leaves: Any
) -> list[Any]:
    moved = [argnum - 1 for argnum in argnums]
    matrix = np.transpose(_matrix(condition, ans, leaves))
    adjoint = _solved(condition, matrix, g, np.shape(ans))
    _, pullback = vjp(
        lambda *some: condition.residual(ans, *replaced(leaves, moved, some)),
        *[leaves[i] for i in moved],
    )
    return [match(-c, leaves[i]) for c, i in zip(pullback(adjoint), moved, strict=True)]


rule(solution, jvps=Everywhere(_solution_jvp))
solution.pullback = _solution_pullback

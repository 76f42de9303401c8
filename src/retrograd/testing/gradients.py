"""`check_grads`: do the derivative rules of a function agree with numerical derivatives?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from retrograd.autodiff import jvp, tree, vjp
from retrograd.errors import ArgumentError, RetrogradError
from retrograd.testing.differences import directional_derivative

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = Callable[..., Any]

_MODES = ("reverse", "forward")
# An error estimate below this share of the derivative decides; beyond it nothing can be said.
_DECIDES = 1e-2
# Error estimates are rough: how far beyond one a disagreement must lie.
_MARGIN = 20.0


class GradientError(RetrogradError, AssertionError):
    """A derivative disagrees with its numerical estimate."""


class InconclusiveError(RetrogradError, AssertionError):
    """The numerical estimate is too noisy to confirm or refute a derivative."""


def check_grads(
    f: Function,
    *args: Any,
    modes: Sequence[str] = _MODES,
    order: int = 2,
    directions: int = 2,
    tolerance: float | None = None,
    seed: int = 0,
) -> None:
    """Compare the derivatives of a function with central differences, in random directions.

    Each argument is moved on its own, and each result is looked at on its own. All comparisons are
    relative to the size of the derivative along the direction, so the scale of arguments and
    results and the number of elements do not matter; only within one array, elements that are
    smaller than the others by more than the tolerance stay unseen. The error of the numerical
    estimate is estimated from several steps; where it hides the answer, the check says so.

    Args:
        f: a function of containers of float or complex arrays that returns such a container.
        args: where to check; a generic point, away from kinks and jumps.
        modes: "reverse" (`vjp`), "forward" (`jvp`), or both.
        order: up to which order; the second order differentiates both modes again in both modes.
        directions: how many random directions for each argument.
        tolerance: accepted relative error; by default 1e-5, and 2e-2 in single precision.
        seed: of the random directions.

    Raises:
        GradientError: a derivative is wrong.
        InconclusiveError: rounding errors, kinks or values that are not finite prevent a decision.
        ArgumentError: an option is unknown, or an argument or result is no float.

    Example:
        >>> import numpy as np
        >>> from retrograd.testing import check_grads
        >>> check_grads(lambda x: np.sin(x) * 1e-7, np.array([0.3, 1.1]))
    """
    unknown = [mode for mode in modes if mode not in _MODES]
    if unknown or order < 1 or directions < 1:
        raise ArgumentError(
            f"check_grads: modes={modes!r}, order={order}, directions={directions} were given; "
            f"modes are {_MODES}, order and directions are 1 or more"
        )
    rng = np.random.default_rng(seed)
    for leaf in tree.leaves(args):
        if not tree.is_float(leaf):
            raise ArgumentError(f"check_grads: {leaf!r:.60} is no float; check floats only")
    _check(f, args, tuple(modes), order, directions, tolerance, rng, "")


def _check(
    f: Function,
    args: tuple[Any, ...],
    modes: tuple[str, ...],
    order: int,
    directions: int,
    tolerance: float | None,
    rng: np.random.Generator,
    path: str,
) -> None:
    inputs, structure = tree.flatten(args)
    for _ in range(directions):
        for moved in range(len(inputs)):
            if np.size(inputs[moved]):
                _check_along(f, inputs, structure, moved, modes, tolerance, rng, path)
    if order == 1:
        return
    for mode in modes:
        derivative = _derivative(f, args, mode, rng)
        inner = f"{path}{mode} mode, differentiated again in "
        _check(derivative, args, modes, order - 1, 1, tolerance, rng, inner)


def _derivative(
    f: Function, args: tuple[Any, ...], mode: str, rng: np.random.Generator
) -> Function:
    """The first derivative in a fixed direction, as a function of the same arguments."""
    if mode == "forward":
        tangents = tree.map(lambda leaf: _direction(leaf, rng), args)
        return lambda *xs: jvp(f, xs, tangents)[1]
    cotangent = tree.map(lambda leaf: _direction(leaf, rng, 1.0), vjp(f, *args)[0])
    return lambda *xs: vjp(f, *xs)[1](cotangent)


def _direction(leaf: Any, rng: np.random.Generator, scale: float | None = None) -> Any:
    """A random array like the leaf, of its size: entries of magnitude 0.5 to 1.5, any sign."""
    plain = np.asarray(leaf)
    if scale is None:
        scale = float(np.sqrt(np.mean(np.abs(plain) ** 2))) if plain.size else 1.0
        scale = scale if scale > 0 and np.isfinite(scale) else 1.0

    def entries() -> Any:
        magnitude = rng.uniform(0.5, 1.5, plain.shape)
        return magnitude * rng.choice([-1.0, 1.0], plain.shape)

    random = entries() + 1j * entries() if plain.dtype.kind == "c" else entries()
    return np.asarray(scale * random).astype(plain.dtype)[()]


def _check_along(
    f: Function,
    inputs: list[Any],
    structure: Any,
    moved: int,
    modes: tuple[str, ...],
    tolerance: float | None,
    rng: np.random.Generator,
    path: str,
) -> None:
    """Move one leaf of the arguments along one direction."""
    x, v = inputs[moved], _direction(inputs[moved], rng)

    def partial(leaf: Any) -> Any:
        changed = [leaf if i == moved else other for i, other in enumerate(inputs)]
        return f(*tree.unflatten(structure, changed))

    def line(t: float) -> list[Any]:
        return [np.asarray(y) for y in tree.leaves(partial(_moved(x, t, v)))]

    outputs = line(0.0)
    _require_finite(outputs)
    numeric = directional_derivative(line, float(np.finfo(np.asarray(x).dtype).eps))
    allowed = [_tolerance(tolerance, x, y) for y in outputs]
    name = f"argument {tree.names(tree.unflatten(structure, inputs))[moved]}"
    for mode in modes:
        check = _check_forward if mode == "forward" else _check_reverse
        check(partial, x, v, numeric, allowed, rng, f"{path}{mode} mode, {name}")


def _moved(x: Any, t: float, v: Any) -> Any:
    """`x + t v` with dtype and layout of `x`."""
    there = np.array(x)
    there[...] = there + t * v
    return there[()]


def _require_finite(outputs: list[Any]) -> None:
    for y in outputs:
        if y.dtype.kind not in "fc":
            raise ArgumentError(f"check_grads: the function returned {y.dtype}; return floats")
        if not np.all(np.isfinite(y)):
            raise InconclusiveError(
                "the function is not finite at the arguments: check it where it is"
            )


def _tolerance(given: float | None, x: Any, y: Any) -> float:
    if given is not None:
        return given
    return 2e-2 if max(np.finfo(np.asarray(a).dtype).eps for a in (x, y)) > 1e-10 else 1e-5


def _check_forward(
    partial: Function, x: Any, v: Any, numeric: Any, allowed: Any, rng: Any, where: str
) -> None:
    """The tangent is the numerical derivative."""
    tangents = [np.asarray(t) for t in tree.leaves(jvp(partial, (x,), (v,))[1])]
    for tangent, (derivative, noise), tolerance in zip(tangents, numeric, allowed, strict=True):
        if tangent.size:
            _decide(
                float(np.linalg.norm(tangent - derivative)),
                float(max(np.linalg.norm(tangent), np.linalg.norm(derivative))),
                noise, tolerance, where,
            )  # fmt: skip


def _check_reverse(
    partial: Function, x: Any, v: Any, numeric: Any, allowed: Any, rng: Any, where: str
) -> None:
    """The cotangent pairs with the direction as the result's pairs with its derivative."""
    result, pullback = vjp(partial, x)
    outputs, structure = tree.flatten(result)
    for i, (derivative, noise) in enumerate(numeric):
        if not np.size(derivative):
            continue
        u = [_direction(y, rng, 1.0) if j == i else np.zeros_like(y) for j, y in enumerate(outputs)]
        (g,) = pullback(tree.unflatten(structure, u))
        products = np.real(np.asarray(u[i]) * derivative)
        found, expected = float(np.sum(np.real(g * v))), float(np.sum(products))
        # The sum may cancel by chance: its terms tell its size.
        size = max(abs(found), abs(expected), float(np.linalg.norm(products)))
        _decide(abs(found - expected), size, 2 * noise, allowed[i], where)


def _decide(error: float, size: float, noise: float, tolerance: float, where: str) -> None:
    finite = np.isfinite(error) and np.isfinite(size)
    if finite and error <= tolerance * size:
        return
    if finite and error <= _MARGIN * noise:
        if _MARGIN * noise <= _DECIDES * size:
            return
        raise InconclusiveError(
            f"{where}: the derivative has size {size:.3g} and the numerical estimate an error of "
            f"about {noise:.3g}, so nothing can be said. Check at a smoother or better scaled "
            "point, or in double precision"
        )
    raise GradientError(
        f"{where}: the derivative differs from its numerical estimate by {error:.3g}, where its "
        f"size is {size:.3g} and the estimate's own error about {noise:.3g}"
    )

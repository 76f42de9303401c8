"""What a compiled sweep says about itself: an error, or a certificate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from retrograd.backends.jax import own_types
from retrograd.compiled.dynamics import Computation, Dynamics
from retrograd.compiled.strategies import Forward, Strategy
from retrograd.errors import LatticeOverflowError, NonFiniteError, ReversalError
from retrograd.training.diagnostics import Certificate
from retrograd.training.results import NOT_FINITE

__all__ = ["Sizes", "certificate", "forward_error", "sweep_error"]

_CAUSES = (
    "A step was evaluated with other bits than in the forward run: on a GPU ask for deterministic "
    "kernels (XLA_FLAGS=--xla_gpu_deterministic_ops=true); draw random numbers from "
    "jax.random.fold_in(key, step), never from a callback; or use Stored(), which takes no step "
    "again"
)


class Sizes(NamedTuple):
    """How large the parts of a run are.

    Attributes:
        kept: the bytes that were kept between the two passes besides the last state.
        state: the bytes of a state.
        elements: of the weights (of the state).
    """

    kept: int
    state: int
    elements: int

    @staticmethod
    def of(results: Sequence[Any], run: Forward) -> Sizes:
        """Those of a forward run."""
        return Sizes(_nbytes(run.kept), _nbytes(run.state), sum(x.size for x in results))


def _nbytes(tree: Any) -> int:
    return sum(x.size * x.dtype.itemsize for x in jax.tree.leaves(tree))


def forward_error(
    computation: Computation, inputs: Sequence[Any], faults: dict[str, Any]
) -> Exception | None:
    """The error that a forward run ends with, if any; it names the step where there is one.

    Args:
        computation: of the run.
        inputs: of it, known.
        faults: the plain numbers of `Dynamics.faults`.
    """
    found = computation.fault(faults)
    if not isinstance(found, LatticeOverflowError):
        return found
    with own_types():
        count, seen = jax.jit(lambda given: _until_a_fault(computation.dynamics(given)))(
            list(inputs)
        )
    return computation.first_fault(jax.tree.map(np.asarray, seen), int(count) - 1) or found


def _until_a_fault(dynamics: Dynamics) -> tuple[Any, dict[str, Any]]:
    """Run forwards again until something is wrong: the steps done, and what the last one showed."""
    state = dynamics.first()
    shapes = jax.eval_shape(lambda: dynamics.observed(state, jnp.int32(0))[1])
    start = {
        "loss": jnp.zeros_like(shapes["loss"]),
        "finite": jnp.ones_like(shapes["finite"]),
        "lost": dynamics.faults(state)["lost"],
    }

    def goes_on(carry: Any) -> Any:
        t, _, seen = carry
        return (t < dynamics.steps) & jnp.isfinite(seen["loss"]) & ~jnp.any(seen["lost"])

    def step(carry: Any) -> Any:
        t, state, _ = carry
        return t + 1, *dynamics.observed(state, t)

    count, _, seen = lax.while_loop(goes_on, step, (jnp.int32(0), state, start))
    return count, seen


def sweep_error(seen: dict[str, Any], computation: Computation, adjoint: str) -> Exception | None:
    """The error that a sweep ends with, if any.

    Args:
        seen: the plain numbers that the sweep left.
        computation: of the run.
        adjoint: as it was written.
    """
    wrong, differing = int(seen["wrong"]), int(seen["differing"])
    if wrong >= 0 or differing:
        where = f"the state at step {wrong} has another fingerprint than in the forward run"
        count = f"{differing} elements of the first state were not recovered"
        said = "; ".join(([where] if wrong >= 0 else []) + ([count] if differing else []))
        return ReversalError(f"{computation.name}, {adjoint}: {said}. {_CAUSES}")
    if not bool(seen["finite"]):
        return NonFiniteError(NOT_FINITE.format(where=""))
    return None


def certificate(
    seen: dict[str, Any],
    steps: int,
    adjoint: str,
    strategy: Strategy,
    sizes: Sizes,
) -> Certificate:
    """The certificate of a sweep that ended well.

    Args:
        seen: the plain numbers that the sweep left, with the "marks" of the forward run.
        steps: how many steps.
        adjoint: as it was written.
        strategy: that was used.
        sizes: of what was kept.
    """
    marks = np.ascontiguousarray(seen["marks"], np.uint32).view(np.uint64)[:, 0].tolist()
    interval = strategy.interval(steps)
    hashes = dict(zip(range(0, steps, interval), marks, strict=False))
    hashes[steps] = marks[-1]
    norms = None if seen["norms"] is None else np.asarray(seen["norms"], float)
    last = None if norms is None else norms[-1]
    return Certificate(
        steps=steps,
        adjoint=adjoint,
        exact=strategy.exact,
        hashes=hashes if strategy.exact else {},
        hashes_compared=len(hashes) if strategy.exact else 0,
        bytes_kept=sizes.kept,
        bytes_peak=sizes.kept,
        bytes_trajectory=sizes.state * steps,
        bits_per_element_step=8 * sizes.kept / (sizes.elements * steps)
        if strategy.retreats
        else 0.0,
        growth=float(seen["growth"]) if seen["growth"] >= 0 else math.nan,
        growth_by_step=[] if norms is None or not last else (norms[:-1] / last).tolist(),
    )

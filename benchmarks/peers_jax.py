"""Hypergradients in JAX for `hypergradients.py`: ours, and those that a user would write instead.

The peers differentiate a training that is a `lax.scan` over the steps, by `jax.grad`: as it is,
with `jax.checkpoint` on the step, with two nested scans and `jax.checkpoint` on both (which keeps
about sqrt(T) states), and by Equinox's loop with online checkpoints. One writes the sweep by hand:
it stores every state, and asks for one forward-over-reverse derivative per step. What a
hypergradient keeps is the size of the temporary memory that XLA reports for the compiled program
(`memory_analysis`), and what a further step keeps is its slope over the number of steps.

References:
    Griewank & Walther, "Algorithm 799: revolve", ACM TOMS 2000 (checkpoints);
    Stumm & Walther, "New algorithms for optimal online checkpointing", SIAM J. Sci. Comput. 2010,
    which Equinox follows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from time import process_time
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

import retrograd as rg

if TYPE_CHECKING:
    from hypergradient_problem import Contender, Leaves, Problem

# Rates (T, L), momenta (T, L), and the L leaves of the initial weights.
Hyper = tuple[Any, Any, list[Any]]
State = tuple[list[Any], list[Any]]
Training = Callable[["Task", Hyper], list[Any]]


class Task:
    """The losses on device arrays."""

    def __init__(self, problem: Problem) -> None:
        self.images, self.targets = jnp.asarray(problem.images), jnp.asarray(problem.targets)
        self.chosen = jnp.asarray(problem.chosen, jnp.int32)
        self.judged_batch = jnp.asarray(problem.judged_images), jnp.asarray(problem.judged_targets)

    def loss(self, w: Any, hyper: Any, step: Any) -> Any:
        """The loss on the batch of a step, which is gathered in the device's memory."""
        chosen = self.chosen[step]
        return cross_entropy(w, self.images[chosen], self.targets[chosen])

    def judged(self, w: Any) -> Any:
        """The loss on the validation batch."""
        return cross_entropy(w, *self.judged_batch)


def cross_entropy(w: Any, x: Any, targets: Any) -> Any:
    """The mean of -log softmax of the network's output, where the targets have their one."""
    for weights, biases in zip(w[:-2:2], w[1:-2:2], strict=True):
        x = jnp.tanh(x @ weights + biases)
    scores = x @ w[-2] + w[-1]
    return jnp.mean(jax.nn.logsumexp(scores, axis=1) - jnp.sum(scores * targets, axis=1))


def hyper_of(problem: Problem) -> Hyper:
    """What the hypergradient is taken with respect to."""
    return (
        jnp.asarray(problem.rates),
        jnp.asarray(problem.momenta),
        list(map(jnp.asarray, problem.w0)),
    )


def moved(w: list[Any], v: list[Any], g: list[Any], rates: Any, momenta: Any) -> State:
    """One step of momentum with a rate and a momentum per leaf."""
    v = [momenta[i] * x - g[i] for i, x in enumerate(v)]
    return [x + rates[i] * v[i] for i, x in enumerate(w)], v


def step(task: Task, state: State, given: tuple[Any, Any, Any]) -> tuple[State, None]:
    """A step of training, for `lax.scan`."""
    t, rates, momenta = given
    w, v = state
    return moved(w, v, jax.grad(task.loss)(w, None, t), rates, momenta), None


def start_of(hyper: Hyper) -> tuple[State, tuple[Any, Any, Any]]:
    """The first state, and what the steps are given."""
    rates, momenta, w0 = hyper
    return (w0, [jnp.zeros_like(x) for x in w0]), (jnp.arange(len(rates)), rates, momenta)


def scanned(task: Task, hyper: Hyper) -> list[Any]:
    """Plain training."""
    state, given = start_of(hyper)
    return jax.lax.scan(partial(step, task), state, given)[0][0]


def step_checkpointed(task: Task, hyper: Hyper) -> list[Any]:
    """Training that keeps the state before every step, and recomputes the step."""
    state, given = start_of(hyper)
    # In a scan no barrier is needed against the merging of equal expressions.
    again = jax.checkpoint(partial(step, task), prevent_cse=False)
    return jax.lax.scan(again, state, given)[0][0]


def nested(task: Task, hyper: Hyper) -> list[Any]:
    """Training in about sqrt(T) segments, that keeps the state before each."""
    state, given = start_of(hyper)
    segments = divisor_near_root(len(hyper[0]))
    again = jax.checkpoint(partial(step, task), prevent_cse=False)

    def segment(state: State, given: Any) -> tuple[State, None]:
        return jax.lax.scan(again, state, given)

    parts = jax.tree.map(lambda x: x.reshape(segments, -1, *x.shape[1:]), given)
    return jax.lax.scan(jax.checkpoint(segment, prevent_cse=False), state, parts)[0][0]


def divisor_near_root(count: int) -> int:
    """The largest divisor that is no larger than the square root."""
    return next(n for n in range(math.isqrt(count), 0, -1) if count % n == 0)


def by_equinox(task: Task, hyper: Hyper) -> list[Any]:
    """Training as Equinox's checkpointed loop, with as many checkpoints as it chooses."""
    from equinox.internal import scan

    state, given = start_of(hyper)
    return scan(partial(step, task), state, given, kind="checkpointed")[0][0]


def ours(adjoint: Any, task: Task, hyper: Hyper) -> list[Any]:
    """Training by `retrograd.train`."""
    rates, momenta, w0 = hyper
    optimizer = rg.Momentum(rate=rg.per_step(rates), momentum=rg.per_step(momenta))
    return rg.train(task.loss, w0, None, optimizer, len(rates), adjoint=adjoint)


def differentiated(training: Training, task: Task, hyper: Hyper) -> Hyper:
    """The hypergradient of the validation loss, by `jax.grad` through a training."""
    return jax.grad(lambda hyper: task.judged(training(task, hyper)))(hyper)


def swept_by_hand(task: Task, hyper: Hyper) -> Hyper:
    """The hypergradient by a sweep over stored states, one derivative of the gradient per step."""
    start, given = start_of(hyper)

    def forward(state: State, given: Any) -> tuple[State, State]:
        return step(task, state, given)[0], state

    (w, v), states = jax.lax.scan(forward, start, given)

    def backward(carried: Any, given: Any) -> tuple[Any, tuple[Any, Any]]:
        w_bar, v_bar, v_next = carried
        (t, rates, momenta), (w, v) = given
        v_bar = [x + rates[i] * w_bar[i] for i, x in enumerate(v_bar)]
        by_rate = jnp.stack([jnp.vdot(a, b) for a, b in zip(w_bar, v_next, strict=True)])
        by_momentum = jnp.stack([jnp.vdot(a, b) for a, b in zip(v_bar, v, strict=True)])
        gradient = partial(jax.grad(task.loss), hyper=None, step=t)
        change = jax.jvp(gradient, (w,), (v_bar,))[1]
        w_bar = [a - b for a, b in zip(w_bar, change, strict=True)]
        v_bar = [momenta[i] * x for i, x in enumerate(v_bar)]
        return (w_bar, v_bar, v), (by_rate, by_momentum)

    carried = jax.grad(task.judged)(w), [jnp.zeros_like(x) for x in v], v
    (w_bar, *_), (by_rates, by_momenta) = jax.lax.scan(
        backward, carried, (given, states), reverse=True
    )
    return by_rates, by_momenta, w_bar


SWEEPS: dict[str, Callable[[Task, Hyper], Hyper]] = {
    "scan": partial(differentiated, scanned),
    "checkpoint": partial(differentiated, step_checkpointed),
    "nested": partial(differentiated, nested),
    "equinox": partial(differentiated, by_equinox),
    "sweep": swept_by_hand,
    "Reversible": partial(differentiated, partial(ours, rg.Reversible(bits=0.17))),
    "Stored": partial(differentiated, partial(ours, rg.Stored())),
    "Checkpointed": partial(differentiated, partial(ours, rg.Checkpointed())),
}
TITLES = {
    "scan": "`jax.grad` through `lax.scan`",
    "checkpoint": "the same, `jax.checkpoint` on the step",
    "nested": "the same, nested scans of sqrt(T) steps",
    "equinox": "Equinox's checkpointed scan",
    "sweep": "sweep by hand over stored states",
    "Reversible": "`rg.train`, `Reversible(bits=0.17)`",
    "Stored": "`rg.train`, `Stored()`",
    "Checkpointed": "`rg.train`, `Checkpointed()`",
}
NEEDS = {"equinox": "equinox"}
MEASURED = "temporary memory of the compiled program, by XLA"


def installed(name: str) -> bool:
    """Whether the library of a contender can be imported."""
    return name not in NEEDS or find_spec(NEEDS[name]) is not None


def setup(device: str) -> None:
    """Run on this kind of device, or fail."""
    jax.config.update("jax_platforms", "cuda" if device == "gpu" else "cpu")


def plain(problem: Problem, device: str) -> Callable[[], object]:
    """Plain training, compiled, run to its end."""
    task, hyper = Task(problem), hyper_of(problem)
    compiled = jax.jit(partial(scanned, task)).lower(hyper).compile()
    return lambda: jax.block_until_ready(compiled(hyper))


def compiled_sweep(name: str, problem: Problem) -> Any:
    """The compiled program of a hypergradient."""
    return jax.jit(partial(SWEEPS[name], Task(problem))).lower(hyper_of(problem)).compile()


def temporary_bytes(compiled: Any) -> int:
    """The bytes of the intermediate results that XLA holds at once."""
    return compiled.memory_analysis().temp_size_in_bytes


def contender(name: str, problem: Problem, longer: Problem, device: str, limit: float) -> Contender:
    """Compile a hypergradient.

    Args:
        name: one of `SWEEPS`.
        problem: what is timed.
        longer: the same for more steps, compiled only.
        device: "cpu" or "gpu".
        limit: the most bytes that it may keep to be run.
    """
    from hypergradient_problem import Contender

    started = process_time()
    compiled = compiled_sweep(name, problem)
    seconds, kept = process_time() - started, temporary_bytes(compiled)
    # Both long enough for what does not grow with the steps to be there, such as fingerprints.
    half = longer.first(longer.steps // 2)
    whole, part = (temporary_bytes(compiled_sweep(name, run)) for run in (longer, half))
    by_step = (whole - part) / (longer.steps - half.steps)
    hyper = hyper_of(problem)

    def run() -> Leaves:
        return leaves(jax.block_until_ready(compiled(hyper)))

    return Contender(run if kept <= limit else None, seconds, kept, by_step)


def leaves(hypergradient: Hyper) -> Leaves:
    """The hypergradient as NumPy arrays."""
    rates, momenta, w0 = hypergradient
    return [np.asarray(x) for x in (rates, momenta, *w0)]


def reference(problem: Problem, device: str) -> Leaves:
    """The hypergradient in float64, by nested scans."""
    with jax.enable_x64(True):
        exact = problem.cast(np.float64)
        return leaves(compiled_sweep("nested", exact)(hyper_of(exact)))


def out_of_memory(error: Exception) -> bool:
    """Whether this is the error of an allocation that failed."""
    return isinstance(error, jax.errors.JaxRuntimeError) and "RESOURCE_EXHAUSTED" in str(error)

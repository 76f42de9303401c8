"""The hypergradient of training a GPT-2-sized transformer: bytes, seconds per step, certificate.

    python benchmarks/transformer_hypergradient.py [--preset gpt2|tiny] [--steps 1000]
        [--batch 8] [--sequence 256] [--only reversible checkpointed] [--device cpu|gpu]

Needs jax. A decoder as GPT-2's smallest (12 layers, width 768, 12 heads, 50,257 tokens: 124 million
parameters) is trained on random text with AdamW, float32. The hypergradient is that of the loss of
a held-out batch after training, with respect to the weight of every training example, the rate of
every step, and all initial weights. "reversible" is `rg.train` with `Reversible()`; "checkpointed"
is a `lax.scan` with `jax.checkpoint` on the step, which keeps the weights and both moments of every
step. In both the layers are a scan with `jax.checkpoint` on the layer.

Bytes are what XLA reports of the compiled program: temporary memory, and what of it each further
step adds (the slope to twice as many steps), which says how many steps the device has room for.
"Forward" is the run without derivative, "backward" what the hypergradient takes beyond it. A
program that the device has no memory for is reported as such. In the sweep of `Reversible()` every
gradient is recomputed from recovered weights; if the states at both ends were not those of the
forward run, bit for bit, it would raise.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

import retrograd as rg

# The weights of the examples (N,), the rates (T,) and the initial weights.
Hyper = tuple[Any, Any, dict[str, Any]]
BETA1, BETA2, EPSILON, DECAY = 0.9, 0.999, 1e-8, 0.1
PEAK, WARM_UP = 3e-4, 100


@dataclass(frozen=True)
class Size:
    """The model and its training.

    Attributes:
        layers: how many blocks.
        width: the size of the residual stream.
        heads: of the attention; a divisor of the width.
        vocabulary: how many tokens there are.
        sequence: tokens per example.
        batch: examples per step.
        examples: training examples.
        steps: T.
    """

    layers: int
    width: int
    heads: int
    vocabulary: int
    sequence: int
    batch: int
    examples: int
    steps: int


PRESETS = {
    "gpt2": Size(12, 768, 12, 50_257, 256, 8, 1024, 1000),
    "tiny": Size(2, 32, 2, 64, 16, 4, 16, 20),
}


def initial_weights(size: Size, key: Any) -> dict[str, Any]:
    """GPT-2's initial weights; those of the blocks are stacked along their first axis."""
    width, layers = size.width, size.layers
    shapes = {
        "tokens": (size.vocabulary, width),
        "positions": (size.sequence, width),
        "attend": (layers, width, 3 * width),
        "gather": (layers, width, width),
        "widen": (layers, width, 4 * width),
        "narrow": (layers, 4 * width, width),
    }
    keys = jax.random.split(key, len(shapes))
    drawn = {
        name: 0.02 * jax.random.normal(k, shape)
        for k, (name, shape) in zip(keys, shapes.items(), strict=True)
    }
    # What is added to the residual stream is scaled by the number of additions.
    for name in ("gather", "narrow"):
        drawn[name] /= math.sqrt(2 * layers)
    # Biases and normalizations of a block are one leaf: a program is compiled leaf by leaf.
    drawn["vectors"] = jnp.zeros((layers, 13, width)).at[:, NORM_SCALES].set(1.0)
    drawn["before_logits"] = jnp.stack([jnp.ones(width), jnp.zeros(width)])
    return drawn


# Where the vectors of a block stand: biases of 3, 1, 4 and 1 widths, then the two normalizations.
VECTORS = {"attend": (0, 3), "gather": (3, 4), "widen": (4, 8), "narrow": (8, 9)}
NORMS = {"attention": (9, 11), "widening": (11, 13)}
NORM_SCALES = np.array([start for start, _ in NORMS.values()])


def affine(block: dict[str, Any], name: str, x: Any) -> Any:
    """A linear layer of a block, with its bias."""
    first, last = VECTORS[name]
    return x @ block[name] + block["vectors"][first:last].reshape(-1)


def norm_of(block: dict[str, Any], name: str, x: Any) -> Any:
    """The normalization before a part of a block."""
    first, last = NORMS[name]
    return normalized(block["vectors"][first:last], x)


def normalized(scale_and_shift: Any, x: Any) -> Any:
    """Layer normalization."""
    x = x - x.mean(-1, keepdims=True)
    x = x * jax.lax.rsqrt((x * x).mean(-1, keepdims=True) + 1e-5)
    return x * scale_and_shift[0] + scale_and_shift[1]


def attention(heads: int, block: dict[str, Any], x: Any) -> Any:
    """Causal attention; x is (batch, sequence, width)."""
    batch, length, width = x.shape
    projected = affine(block, "attend", x)
    q, k, v = projected.reshape(batch, length, 3, heads, -1).transpose(2, 0, 3, 1, 4)
    scores = q @ k.swapaxes(-1, -2) / math.sqrt(width // heads)
    allowed = jnp.tril(jnp.ones((length, length), bool))
    shares = jax.nn.softmax(jnp.where(allowed, scores, -1e30))
    mixed = (shares @ v).transpose(0, 2, 1, 3).reshape(x.shape)
    return affine(block, "gather", mixed)


def transformed(heads: int, x: Any, block: dict[str, Any]) -> tuple[Any, None]:
    """One block, for `lax.scan`."""
    x = x + attention(heads, block, norm_of(block, "attention", x))
    wide = affine(block, "widen", norm_of(block, "widening", x))
    return x + affine(block, "narrow", jax.nn.gelu(wide)), None


OUTSIDE = {"tokens", "positions", "before_logits"}


def losses(heads: int, w: dict[str, Any], text: Any) -> Any:
    """The mean cross-entropy of each example, (batch,), for text (batch, sequence + 1)."""
    x = w["tokens"][text[:, :-1]] + w["positions"]
    blocks = {name: leaf for name, leaf in w.items() if name not in OUTSIDE}
    block = jax.checkpoint(partial(transformed, heads), prevent_cse=False)
    x = jax.lax.scan(block, x, blocks)[0]
    scores = normalized(w["before_logits"], x) @ w["tokens"].T
    right = jnp.take_along_axis(scores, text[:, 1:, None], -1)[..., 0]
    return (jax.nn.logsumexp(scores, -1) - right).mean(-1)


class Task:
    """The text, and the losses on it."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self.seen = rg.Diagnostics()  # of our run
        rng = np.random.default_rng(0)
        shape = size.examples + size.batch, size.sequence + 1
        text = jnp.asarray(rng.integers(0, size.vocabulary, shape), jnp.int32)
        self.text, self.held_out = text[: size.examples], text[size.examples :]

    def start(self) -> Hyper:
        """What the hypergradient is taken with respect to."""
        times = jnp.arange(1.0, self.size.steps + 1)
        rates = PEAK * jnp.minimum(times / WARM_UP, 1.0)
        return jnp.ones(self.size.examples), rates, initial_weights(self.size, jax.random.key(0))

    def loss(self, w: Any, weights: Any, step: Any) -> Any:
        """The weighted loss of a step's batch."""
        first = step * self.size.batch
        chosen = (first + jnp.arange(self.size.batch)) % self.size.examples
        return jnp.mean(weights[chosen] * losses(self.size.heads, w, self.text[chosen]))

    def judged(self, w: Any) -> Any:
        """The loss on the held-out batch."""
        return jnp.mean(losses(self.size.heads, w, self.held_out))


def reversible(task: Task, hyper: Hyper) -> Any:
    """Training by `retrograd.train`."""
    weights, rates, w0 = hyper
    optimizer = rg.AdamW(rg.per_step(rates), BETA1, BETA2, EPSILON, decay=DECAY)
    given = task.loss, w0, weights, optimizer, task.size.steps
    return rg.train(*given, adjoint=rg.Reversible(), diagnostics=task.seen)


def checkpointed(task: Task, hyper: Hyper) -> Any:
    """Training by a scan that keeps the state before every step."""
    weights, rates, w0 = hyper
    zeros = jax.tree.map(jnp.zeros_like, w0)

    def step(state: Any, given: Any) -> tuple[Any, None]:
        (w, first, second), (t, rate) = state, given
        gradient = jax.grad(task.loss)(w, weights, t)
        first = jax.tree.map(lambda m, g: BETA1 * m + (1 - BETA1) * g, first, gradient)
        second = jax.tree.map(lambda s, g: BETA2 * s + (1 - BETA2) * g * g, second, gradient)
        move = partial(adamw_move, t, rate)
        return (jax.tree.map(move, w, first, second), first, second), None

    again = jax.checkpoint(step, prevent_cse=False)
    return jax.lax.scan(again, (w0, zeros, zeros), (jnp.arange(len(rates)), rates))[0][0]


def adamw_move(t: Any, rate: Any, w: Any, first: Any, second: Any) -> Any:
    """The weights after a step, given the new moments."""
    first = first / (1 - BETA1 ** (t + 1.0))
    # The root has no derivative at zero, where no gradient has come by yet.
    some = second > 0
    root = jnp.where(some, jnp.sqrt(jnp.where(some, second, 1.0) / (1 - BETA2 ** (t + 1.0))), 0.0)
    return (1 - rate * DECAY) * w - rate * first / (root + EPSILON)


CONTENDERS: dict[str, Callable[[Task, Hyper], Any]] = {
    "reversible": reversible,
    "checkpointed": checkpointed,
}


def objective(name: str, task: Task, hyper: Hyper) -> Any:
    """The held-out loss after training."""
    return task.judged(CONTENDERS[name](task, hyper))


@dataclass
class Outcome:
    """What was measured of one contender; None where it was not reached.

    Attributes:
        compile_seconds: of the hypergradient.
        bytes_temporary: of the hypergradient.
        bytes_by_step: what a further step adds to them.
        seconds_forward: of the run without derivative.
        seconds: of the hypergradient.
        found: the held-out loss and the hypergradient.
        certificate: of our sweep.
        note: why the rest is missing.
    """

    compile_seconds: float | None = None
    bytes_temporary: int | None = None
    bytes_by_step: float | None = None
    seconds_forward: float | None = None
    seconds: float | None = None
    found: tuple[Any, Hyper] | None = None
    certificate: rg.Certificate | None = None
    note: str = ""


def timed(function: Callable[..., Any], *args: Any) -> tuple[float, Any]:
    """The seconds that a call takes, to the end of its computation, and its result."""
    started = perf_counter()
    result = jax.block_until_ready(function(*args))
    return perf_counter() - started, result


def compiled(name: str, task: Task, hyper: Hyper, *, derivative: bool) -> Any:
    """The compiled objective, or with its derivative."""
    function = partial(objective, name, task)
    function = jax.value_and_grad(function) if derivative else function
    return jax.jit(function).lower(hyper).compile()


def temporary_bytes(program: Any) -> int:
    """The bytes of intermediate results that XLA holds at once."""
    return program.memory_analysis().temp_size_in_bytes


def measure(name: str, size: Size) -> Outcome:
    """Compile and run a contender, as far as the memory allows."""
    outcome = Outcome()
    try:
        fill(outcome, name, size)
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        outcome.note = "out of memory"
    return outcome


def fill(outcome: Outcome, name: str, size: Size) -> None:
    """Measure one thing after the other, so that what was reached stays."""
    longer = replace(size, steps=2 * size.steps)
    task = Task(size)
    hyper = task.start()
    started = perf_counter()
    program = compiled(name, task, hyper, derivative=True)
    outcome.compile_seconds = perf_counter() - started
    outcome.bytes_temporary = temporary_bytes(program)
    abstract = jax.eval_shape(lambda: Task(longer).start())
    grown = temporary_bytes(compiled(name, Task(longer), abstract, derivative=True))
    outcome.bytes_by_step = (grown - outcome.bytes_temporary) / size.steps
    forward = compiled(name, Task(size), hyper, derivative=False)
    outcome.seconds_forward = timed(forward, hyper)[0]
    outcome.seconds, outcome.found = timed(program, hyper)
    jax.effects_barrier()  # the diagnostics are told from within the program
    outcome.certificate = task.seen.certificate


def count(w: Any) -> int:
    """How many parameters there are."""
    return sum(leaf.size for leaf in jax.tree.leaves(w))


def cells(outcome: Outcome, size: Size, parameters: int) -> list[str]:
    """The entries of a contender's line."""
    by_step = outcome.bytes_by_step

    def shown(value: float | None, form: str, unit: float = 1.0) -> str:
        return "-" if value is None else format(value / unit, form)

    backward = None
    if outcome.seconds is not None and outcome.seconds_forward is not None:
        backward = outcome.seconds - outcome.seconds_forward
    return [
        shown(outcome.compile_seconds, ".1f"),
        shown(outcome.bytes_temporary, ",.3f", 1e9),
        shown(by_step, ".4f", parameters),
        shown(steps_in_memory(outcome, size), ",.0f"),
        shown(outcome.seconds_forward, ".4f", size.steps),
        shown(backward, ".4f", size.steps),
        outcome.note or finiteness(outcome),
    ]


def steps_in_memory(outcome: Outcome, size: Size) -> float | None:
    """How many steps the memory of the device has room for, where it says how much it has."""
    limit = (jax.devices()[0].memory_stats() or {}).get("bytes_limit")
    if limit is None or outcome.bytes_temporary is None or not outcome.bytes_by_step:
        return None
    return size.steps + (limit - outcome.bytes_temporary) / outcome.bytes_by_step


def finiteness(outcome: Outcome) -> str:
    """How many numbers of the hypergradient are finite."""
    leaves = jax.tree.leaves(outcome.found)
    finite = sum(int(jnp.isfinite(leaf).sum()) for leaf in leaves)
    return f"{finite:,} of {count(outcome.found):,} finite"


def report(outcomes: dict[str, Outcome], size: Size, parameters: int) -> None:
    """Print the table, and how far the contenders' hypergradients are apart."""
    print(
        "| contender | compiled in, s | temporary, GB | bytes per parameter and step "
        "| steps that fit | forward, s per step | backward, s per step | hypergradient |\n"
        f"{'|---' * 8}|"
    )
    certificates: list[str] = []
    for name, outcome in outcomes.items():
        print(f"| {name} | {' | '.join(cells(outcome, size, parameters))} |")
        if outcome.certificate is not None:
            certificates.append(f"\n{outcome.certificate}")
    print("\n".join(certificates))
    found = [outcome.found for outcome in outcomes.values() if outcome.found is not None]
    if len(found) == 2:
        print(f"\nRelative difference of the two: {differences(*found)}")


def differences(a: tuple[Any, Hyper], b: tuple[Any, Hyper]) -> str:
    """The distances between two hypergradients, by what they are taken with respect to."""
    names = "example weights", "rates", "initial weights"
    return ", ".join(
        f"{name} {distance(x, y):.1e}" for name, x, y in zip(names, a[1], b[1], strict=True)
    )


def distance(a: Any, b: Any) -> float:
    """The norm of the difference over the norm of `b`."""

    def norm(tree: Any) -> float:
        return math.sqrt(sum(float(jnp.vdot(x, x)) for x in jax.tree.leaves(tree)))

    return norm(jax.tree.map(jnp.subtract, a, b)) / norm(b)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--preset", choices=PRESETS, default="gpt2")
    for name in Size.__dataclass_fields__:
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--only", nargs="+", choices=CONTENDERS, default=list(CONTENDERS))
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu")
    options = parser.parse_args()
    jax.config.update("jax_platforms", "cuda" if options.device == "gpu" else "cpu")
    given = {n: getattr(options, n) for n in Size.__dataclass_fields__ if getattr(options, n)}
    size = replace(PRESETS[options.preset], **given)
    parameters = count(jax.eval_shape(lambda: Task(size).start())[2])
    print(f"{parameters:,} parameters on {jax.devices()[0].device_kind}; {size}\n")
    report({name: measure(name, size) for name in options.only}, size, parameters)


if __name__ == "__main__":
    main()

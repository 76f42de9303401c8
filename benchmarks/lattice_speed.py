"""What the lattice's passes cost per element, next to the float decay that they replace.

    python benchmarks/lattice_speed.py

Prints two tables in Markdown: the passes on a network 784-50-50-50-10 (44,860 parameters in 8
leaves) for integers of one, two and three words, in nanoseconds per element, and the reversible
multiplication by the length of the cache blocks. Times are medians; a plain float64 ``v *= beta``
runs in the same process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from retrograd.lattice import (
    Decays,
    FixedPoint,
    Increments,
    InformationBuffer,
    Layout,
    Losses,
    checksum,
    fingerprint,
    rational,
)

SHAPES = [(784, 50), (50,), (50, 50), (50,), (50, 50), (50,), (50, 10), (10,)]
REPEATS = 300
# The binary digits after the point, by the number of words.
RADIX = {1: 44, 2: 70, 3: 96}


def microseconds(call: Callable[[], object]) -> float:
    """The median time of a call."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e6 * median(times)


def there_and_back(layout: Layout, beta: np.ndarray, words: int = 1) -> dict[str, float]:
    """The times of `multiply` and `undo` over a run forwards and backwards, spills included."""
    numerator, denominator = rational(beta)
    buffer = InformationBuffer(layout, words)
    lattice = FixedPoint(RADIX[words], words)
    slot = lattice.quantize(np.random.default_rng(0).normal(size=layout.size))
    return {
        "multiply": microseconds(lambda: buffer.multiply(slot, numerator, denominator)),
        "undo": microseconds(lambda: buffer.undo(slot, numerator, denominator)),
    }


def put_off(layout: Layout, beta: np.ndarray, words: int) -> dict[str, float]:
    """The mean times of `Decays.decay` and `Decays.undo`: now and then a pass, mostly none."""
    decays = Decays(layout, words, lambda j: beta, float(beta.min()), len(beta))
    slot = FixedPoint(RADIX[words], words).zeros(layout.size)
    times = {}
    for name, act in (("decay", decays.decay), ("undo the decay", decays.undo)):
        start = time.perf_counter()
        for _ in range(2 * REPEATS):
            act(slot)
        times[name] = 1e6 * (time.perf_counter() - start) / (2 * REPEATS)
    return times


def fused(layout: Layout, words: int) -> dict[str, float]:
    """The times of `Increments.add`, with one factor and with one per element."""
    lattice, rng = FixedPoint(RADIX[words], words), np.random.default_rng(0)
    increments = Increments(lattice.zeros(layout.size), lattice, layout, "slot")
    x, factors = rng.normal(size=layout.size), rng.normal(size=layout.size)
    return {
        "slot += Q(factor * source)": microseconds(lambda: increments.add(x, 1e-3, step=0)),
        "slot += Q(factors * source)": microseconds(lambda: increments.add(x, factors, step=0)),
    }


def maxima(layout: Layout, words: int) -> dict[str, float]:
    """The times of `raise_to` and `lower_from`, where one element in a hundred is met."""
    lattice, losses = FixedPoint(RADIX[words], words), Losses(layout, words)
    rng = np.random.default_rng(0)
    slot = lattice.quantize(rng.uniform(0, 1, layout.size))
    least = lattice.quantize(rng.uniform(0, 1, layout.size) - 0.99)
    return {
        "raise_to": microseconds(lambda: losses.raise_to(slot, least)),
        "lower_from": microseconds(lambda: losses.lower_from(slot, least)),
    }


def passes(layout: Layout, words: int) -> dict[str, float]:
    """The times of all passes over one slot."""
    lattice = FixedPoint(RADIX[words], words)
    x = np.random.default_rng(0).normal(size=layout.size)
    integers, values = lattice.quantize(x), np.empty(layout.size)
    increment = lattice.quantize(np.where(np.arange(layout.size) % 2, 3.0, -3.0) * 2.0**-44)
    kinds = {
        "1/2": np.array([0.5]),
        "1/2 or 1/4 per leaf": np.where(np.arange(len(layout)) % 2, 0.5, 0.25),
        "one factor": np.array([0.9]),
        "a factor per leaf": np.linspace(0.8, 0.95, len(layout)),
        "a factor per element": np.linspace(0.8, 0.95, layout.size),
    }
    times = {}
    for kind, beta in kinds.items():
        for name, taken in there_and_back(layout, beta, words).items():
            times[f"{name}, {kind}"] = taken
    for name, beta in (
        ("one factor", np.array([0.9])),
        ("a factor per leaf", np.full(len(SHAPES), 0.9)),
    ):
        for act, taken in put_off(layout, beta, words).items():
            times[f"{act}, {name} of 0.9"] = taken
    out = np.empty_like(integers)
    times["quantize"] = microseconds(lambda: lattice.quantize(x, out))
    times["value"] = microseconds(lambda: lattice.value(integers, values))
    times["add"] = microseconds(lambda: lattice.add(integers, increment))
    times["subtract"] = microseconds(lambda: lattice.subtract(integers, increment))
    times["fingerprint"] = microseconds(lambda: fingerprint(integers))
    return times | fused(layout, words) | maxima(layout, words)


def floats(layout: Layout) -> dict[str, float]:
    """The times of passes over floats."""
    x = np.random.default_rng(0).normal(size=layout.size)
    single = x.astype(np.float32)
    return {
        "float64 v *= beta": microseconds(lambda: np.multiply(x, 1.0, out=x)),
        "checksum of float64": microseconds(lambda: checksum(x)),
        "checksum of float32": microseconds(lambda: checksum(single)),
    }


def main() -> None:
    """Print the tables."""
    layout = Layout(SHAPES)
    print("| ns per element | 1 word | 2 words | 3 words |")
    print("|---|---|---|---|")
    for name, taken in floats(layout).items():
        print(f"| {name} | {1e3 * taken / layout.size:.2f} | | |")
    by_words = [passes(layout, words) for words in RADIX]
    for name in by_words[0]:
        taken = " | ".join(f"{1e3 * times[name] / layout.size:.2f}" for times in by_words)
        print(f"| {name} | {taken} |")
    print()
    print("| elements per block | multiply, us | undo, us |")
    print("|---|---|---|")
    for block in (2**11, 2**12, 2**13, 2**14, 2**15, 2**16):
        times = there_and_back(Layout(SHAPES, block=block), np.linspace(0.8, 0.95, len(layout)))
        print(f"| {block:,} | {times['multiply']:.1f} | {times['undo']:.1f} |")


if __name__ == "__main__":
    main()

"""What the lattice's passes cost per element, next to the float decay that they replace.

    python benchmarks/lattice_speed.py

Prints two tables in Markdown: the passes on a network 784-50-50-50-10 (44,860 parameters in 8
leaves), and the reversible multiplication by the length of the cache blocks. Times are medians; a
plain float64 ``v *= beta`` runs in the same process.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np

from retrograd.lattice import FixedPoint, InformationBuffer, Layout, fingerprint, rational

SHAPES = [(784, 50), (50,), (50, 50), (50,), (50, 50), (50,), (50, 10), (10,)]
REPEATS = 300


def microseconds(call: Callable[[], object]) -> float:
    """The median time of a call."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        times.append(time.perf_counter() - start)
    return 1e6 * median(times)


def there_and_back(layout: Layout, beta: np.ndarray) -> dict[str, float]:
    """The times of `multiply` and `undo` over a run forwards and backwards, spills included."""
    numerator, denominator = rational(beta)
    buffer = InformationBuffer(layout)
    slot = np.random.default_rng(0).integers(-(2**45), 2**45, layout.size)
    return {
        "multiply": microseconds(lambda: buffer.multiply(slot, numerator, denominator)),
        "undo": microseconds(lambda: buffer.undo(slot, numerator, denominator)),
    }


def passes(layout: Layout) -> dict[str, float]:
    """The times of all passes over one slot."""
    lattice = FixedPoint(44)
    x = np.random.default_rng(0).normal(size=layout.size)
    integers, values = lattice.quantize(x), np.empty(layout.size)
    increment = np.where(np.arange(layout.size) % 2, 3, -3)
    kinds = {
        "one factor": np.array([0.9]),
        "a factor per leaf": np.linspace(0.8, 0.95, len(layout)),
        "a factor per element": np.linspace(0.8, 0.95, layout.size),
    }
    times = {"float64 v *= beta": microseconds(lambda: np.multiply(x, 1.0, out=x))}
    for kind, beta in kinds.items():
        for name, taken in there_and_back(layout, beta).items():
            times[f"{name}, {kind}"] = taken
    out = np.empty_like(integers)
    times["quantize"] = microseconds(lambda: lattice.quantize(x, out))
    times["value"] = microseconds(lambda: lattice.value(integers, values))
    times["add"] = microseconds(lambda: lattice.add(integers, increment))
    times["subtract"] = microseconds(lambda: lattice.subtract(integers, increment))
    times["fingerprint"] = microseconds(lambda: fingerprint(integers))
    return times


def main() -> None:
    """Print the tables."""
    layout = Layout(SHAPES)
    print("| pass | microseconds | ns per element |")
    print("|---|---|---|")
    for name, taken in passes(layout).items():
        print(f"| {name} | {taken:.1f} | {1e3 * taken / layout.size:.2f} |")
    print()
    print("| elements per block | multiply, us | undo, us |")
    print("|---|---|---|")
    for block in (2**11, 2**12, 2**13, 2**14, 2**15, 2**16):
        times = there_and_back(Layout(SHAPES, block=block), np.linspace(0.8, 0.95, len(layout)))
        print(f"| {block:,} | {times['multiply']:.1f} | {times['undo']:.1f} |")


if __name__ == "__main__":
    main()

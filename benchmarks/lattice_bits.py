"""What an exactly reversible decay costs in bits, against the information-theoretic log2(1/beta).

    python benchmarks/lattice_bits.py

Prints two tables in Markdown: the growth of the tape between its first and last spill, and the
whole tape, fixed part included, next to 32 bits per element and step.
"""

from __future__ import annotations

import math

import numpy as np

from retrograd.lattice import InformationBuffer, Layout, rational

STEPS = {0.5: 5_000, 0.9: 10_000, 0.99: 50_000, 0.999: 150_000}
ELEMENTS = 16


def spilled_by_step(beta: float, steps: int) -> tuple[InformationBuffer, list[tuple[int, int]]]:
    """Run a decay; return the buffer and (step, bytes on the tape) at every spill."""
    buffer = InformationBuffer(Layout([(ELEMENTS,)]))
    rng = np.random.default_rng(0)
    slot = rng.integers(-(2**40), 2**40, ELEMENTS)
    kicks = rng.integers(-(2**36), 2**36, (64, ELEMENTS))
    numerator, denominator = rational([beta])
    spills: list[tuple[int, int]] = []
    for step in range(steps):
        buffer.multiply(slot, numerator, denominator)
        slot += kicks[step % len(kicks)]
        if buffer.spilled_bytes > (spills[-1][1] if spills else 0):
            spills.append((step, buffer.spilled_bytes))
    return buffer, spills


def growth(spills: list[tuple[int, int]]) -> float:
    """Bits per element and step between the first and the last spill."""
    (first, start), (last, stop) = spills[0], spills[-1]
    return 8 * (stop - start) / ELEMENTS / (last - first)


def main() -> None:
    """Print the tables."""
    print("| beta | n/d | steps | bits per element and step | log2(1/beta) | excess |")
    print("|---|---|---|---|---|---|")
    for beta, steps in STEPS.items():
        (n,), (d,) = rational([beta])
        measured, ideal = growth(spilled_by_step(beta, steps)[1]), -math.log2(beta)
        excess = f"{100 * (measured / ideal - 1):+.2f}%"
        print(f"| {beta} | {n}/{d} | {steps:,} | {measured:.6f} | {ideal:.6f} | {excess} |")
    print()
    print("| beta | steps | tape, bits per element | fixed part | 32 bits per step, over both |")
    print("|---|---|---|---|---|")
    for beta in STEPS:
        buffer, _ = spilled_by_step(beta, 10_000)
        tape = 8 * buffer.spilled_bytes / ELEMENTS
        fixed = 8 * buffer.fixed_bytes / ELEMENTS
        times = 32 * 10_000 / (tape + fixed)
        print(f"| {beta} | 10,000 | {tape:.0f} | {fixed:.0f} | {times:.0f} |")


if __name__ == "__main__":
    main()

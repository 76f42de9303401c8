"""What an exactly reversible decay costs in bits, against the information-theoretic log2(1/beta).

    python benchmarks/lattice_bits.py

Prints three tables in Markdown: the growth of the tape between its first and last spill; the whole
tape, fixed part included, next to 32 bits per element and step; and what a running maximum of
decaying numbers (Adamax) loses.
"""

from __future__ import annotations

import math

import numpy as np

from retrograd.lattice import FixedPoint, InformationBuffer, Layout, Losses, rational

STEPS = {0.5: 5_000, 0.9: 10_000, 0.99: 50_000, 0.999: 150_000}
ELEMENTS = 16
# The binary digits after the point, by the number of words.
RADIX = {1: 44, 2: 70, 3: 96}


def spilled_by_step(
    beta: float, steps: int, words: int = 1
) -> tuple[InformationBuffer, list[tuple[int, int]]]:
    """Run a decay; return the buffer and (step, bytes on the tape) at every spill."""
    buffer = InformationBuffer(Layout([(ELEMENTS,)]), words)
    rng, lattice = np.random.default_rng(0), FixedPoint(RADIX[words], words)
    slot = lattice.quantize(rng.normal(size=ELEMENTS))
    kicks = [lattice.quantize(rng.normal(size=ELEMENTS)) for _ in range(64)]
    numerator, denominator = rational([beta])
    spills: list[tuple[int, int]] = []
    for step in range(steps):
        buffer.multiply(slot, numerator, denominator)
        lattice.add(slot, kicks[step % len(kicks)])
        if buffer.spilled_bytes > (spills[-1][1] if spills else 0):
            spills.append((step, buffer.spilled_bytes))
    return buffer, spills


def growth(spills: list[tuple[int, int]]) -> float:
    """Bits per element and step between the first and the last spill."""
    (first, start), (last, stop) = spills[0], spills[-1]
    return 8 * (stop - start) / ELEMENTS / (last - first)


def lost_by_maxima(beta: float, words: int) -> tuple[float, float]:
    """The share of maxima that were met, and bits per element and step, over 1,000 steps."""
    steps, layout = 1_000, Layout([(1_000,)])
    lattice, rng = FixedPoint(RADIX[words], words), np.random.default_rng(0)
    buffer, losses = InformationBuffer(layout, words), Losses(layout, words)
    slot, met = lattice.zeros(layout.size), 0
    for _ in range(steps):
        least = lattice.quantize(np.abs(rng.normal(size=layout.size)))
        buffer.multiply(slot, *rational([beta]))
        losses.raise_to(slot, least)
        met += int((slot == least).reshape(words, -1).all(axis=0).sum())
    return met / steps / layout.size, 8 * losses.nbytes / steps / layout.size


def main() -> None:
    """Print the tables."""
    print("| beta | n/d | words | steps | bits per element and step | log2(1/beta) | excess |")
    print("|---|---|---|---|---|---|---|")
    for beta, steps in STEPS.items():
        (n,), (d,) = rational([beta])
        for words in RADIX:
            measured, ideal = growth(spilled_by_step(beta, steps, words)[1]), -math.log2(beta)
            excess = f"{100 * (measured / ideal - 1):+.3f}%"
            print(
                f"| {beta} | {n}/{d} | {words} | {steps:,} | {measured:.6f} | {ideal:.6f} "
                f"| {excess} |"
            )
    print()
    print("| beta | steps | tape, bits per element | fixed part | 32 bits per step, over both |")
    print("|---|---|---|---|---|")
    for beta in STEPS:
        buffer, _ = spilled_by_step(beta, 10_000)
        tape = 8 * buffer.spilled_bytes / ELEMENTS
        fixed = 8 * buffer.fixed_bytes / ELEMENTS
        times = 32 * 10_000 / (tape + fixed)
        print(f"| {beta} | 10,000 | {tape:.0f} | {fixed:.0f} | {times:.0f} |")
    print()
    print("| maximum, beta | words | maxima that were met | bits per element and step |")
    print("|---|---|---|---|")
    for beta in (0.9, 0.99, 0.999):
        for words in RADIX:
            share, bits = lost_by_maxima(beta, words)
            print(f"| {beta} | {words} | {100 * share:.2f}% | {bits:.3f} |")


if __name__ == "__main__":
    main()

"""What exactly reversible decays cost in bits, against the information-theoretic log2(1/beta).

    python benchmarks/lattice_bits.py

Prints four tables in Markdown: the growth of the tape between its first and last spill, of decays
that are put off (`Decays`, what training does; besides digits it keeps 8 bytes for 64 stretches of
them, whatever the size of the slot) and of multiplications at every step (`InformationBuffer`);
the whole tape, fixed part included, next to 32 bits per element and step;
what the sweep of a training run with Adam and AdamW finds on its tapes; and what a running maximum
of decaying numbers (Adamax) loses.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

import retrograd as rg
from retrograd.lattice import Decays, FixedPoint, InformationBuffer, Layout, Losses, rational

STEPS = {0.5: 5_000, 0.9: 20_000, 0.99: 50_000, 0.999: 150_000}
# The decay of AdamW's weights, 1 - rate * weight decay, whose bits are few: put off only.
WEIGHTS = 1 - 1e-3 * 0.1
WEIGHTS_STEPS = 1_000_000
ELEMENTS = 16
# The binary digits after the point, by the number of words.
RADIX = {1: 44, 2: 70, 3: 96}

PARAMETERS = 500
SHORT, LONG = 5_000, 25_000

Spills = list[tuple[int, int]]


def put_off(beta: float, words: int) -> tuple[Callable[[Any], object], Callable[[], int]]:
    """A decay as training makes it, and the bytes of the digits on its tape."""
    factors = np.array([beta])
    decays = Decays(Layout([(ELEMENTS,)]), words, lambda j: factors, beta)
    return decays.decay, lambda: decays.buffer.spilled_bytes


def at_once(beta: float, words: int) -> tuple[Callable[[Any], object], Callable[[], int]]:
    """A multiplication by the nearest rational, and the bytes of the digits on its tape."""
    buffer = InformationBuffer(Layout([(ELEMENTS,)]), words)
    n, d = rational([beta])
    return lambda slot: buffer.multiply(slot, n, d), lambda: buffer.spilled_bytes


def spilled_by_step(
    decay: Callable[[Any], object], tape: Callable[[], int], steps: int, words: int
) -> Spills:
    """Run a decay with increments; return (step, bytes on the tape) at every spill."""
    rng, lattice = np.random.default_rng(0), FixedPoint(RADIX[words], words)
    slot = lattice.quantize(rng.normal(size=ELEMENTS))
    kicks = [lattice.quantize(rng.normal(size=ELEMENTS)) for _ in range(64)]
    spills: Spills = []
    for step in range(steps):
        decay(slot)
        lattice.add(slot, kicks[step % len(kicks)])
        if tape() > (spills[-1][1] if spills else 0):
            spills.append((step, tape()))
    return spills


def growth(spills: Spills) -> float:
    """Bits per element and step between the first and the last spill."""
    (first, start), (last, stop) = spills[0], spills[-1]
    return 8 * (stop - start) / ELEMENTS / (last - first)


def print_growth() -> None:
    """The first table."""
    print("| beta | decays | words | steps | bits per element and step | log2(1/beta) | excess |")
    print("|---|---|---|---|---|---|---|")
    cases = [
        (beta, name, make, words, steps)
        for beta, steps in STEPS.items()
        for name, make in (("put off", put_off), ("at once", at_once))
        for words in RADIX
    ]
    for beta, name, make, words, steps in [
        *cases,
        (WEIGHTS, "put off", put_off, 1, WEIGHTS_STEPS),
    ]:
        measured = growth(spilled_by_step(*make(beta, words), steps, words))
        ideal = -math.log2(beta)
        excess = f"{100 * (measured / ideal - 1):+.3f}%"
        print(
            f"| {beta} | {name} | {words} | {steps:,} | {measured:.6f} | {ideal:.6f} | {excess} |"
        )


def print_whole_tapes() -> None:
    """The second table."""
    print("| beta | steps | tape, bits per element | fixed part | 32 bits per step, over both |")
    print("|---|---|---|---|---|")
    for beta in STEPS:
        decay, tape = put_off(beta, 1)
        spilled_by_step(decay, tape, 10_000, 1)
        bits = 8 * tape() / ELEMENTS
        print(f"| {beta} | 10,000 | {bits:.0f} | 64 | {32 * 10_000 / (bits + 64):.0f} |")


def found_by_sweep(optimizer: rg.Optimizer, steps: int) -> float:
    """The bits per parameter that a sweep back over a training run finds on its tapes."""
    rng, seen = np.random.default_rng(0), rg.Diagnostics()
    curvatures, targets = rng.uniform(0.1, 10, PARAMETERS), rng.normal(size=(64, PARAMETERS))

    def loss(w: Any, scale: Any, step: int) -> Any:
        away = w - targets[step % len(targets)]
        return scale * np.sum(curvatures * away * away)

    def final(scale: Any) -> Any:
        w = rg.train(
            loss,
            np.zeros(PARAMETERS),
            scale,
            optimizer,
            steps,
            adjoint=rg.Reversible(),
            diagnostics=seen,
            progress=False,
        )
        return np.sum(w)

    rg.grad(final)(1.0)
    assert seen.certificate is not None
    return seen.certificate.bits_per_element_step * steps


def print_training() -> None:
    """The third table."""
    rates = {
        "Adam(1e-3, 0.9, 0.999)": (rg.Adam(1e-3, 0.9, 0.999), (0.9, 0.999)),
        "AdamW(1e-3, 0.9, 0.999, decay=0.1)": (
            rg.AdamW(1e-3, 0.9, 0.999, decay=0.1),
            (0.9, 0.999, WEIGHTS),
        ),
    }
    print(
        f"| optimizer, {PARAMETERS} parameters | bits after {SHORT:,} steps | after {LONG:,} "
        "| bits per parameter and step between | log2 of the factors | excess |"
    )
    print("|---|---|---|---|---|---|")
    for name, (optimizer, factors) in rates.items():
        short, long = (found_by_sweep(optimizer, steps) for steps in (SHORT, LONG))
        measured, ideal = (long - short) / (LONG - SHORT), -sum(map(math.log2, factors))
        print(
            f"| `{name}` | {short:.1f} | {long:.1f} | {measured:.4f} | {ideal:.4f} "
            f"| {100 * (measured / ideal - 1):+.2f}% |"
        )


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


def print_maxima() -> None:
    """The last table."""
    print("| maximum, beta | words | maxima that were met | bits per element and step |")
    print("|---|---|---|---|")
    for beta in (0.9, 0.99, 0.999):
        for words in RADIX:
            share, bits = lost_by_maxima(beta, words)
            print(f"| {beta} | {words} | {100 * share:.2f}% | {bits:.3f} |")


def main() -> None:
    """Print the tables."""
    print_growth()
    print()
    print_whole_tapes()
    print()
    print_training()
    print()
    print_maxima()


if __name__ == "__main__":
    main()

"""A language model that reads a whole text before it asks for one gradient.

    python examples/language_model/language_model.py [--quick] [--out FOLDER]

An LSTM (Hochreiter & Schmidhuber, 1997) reads Shakespeare's sonnets letter by letter and learns to
tell which letter comes next. The text is cut into a few passages, read side by side, so that one
gradient runs backwards through a thousand letters. The usual way is to keep the state of every
letter, or to cut the gradient off after a hundred of them. Neither is needed:

    x = rg.iterate(read_letter, x0, params, steps, adjoint=rg.Checkpointed(slots=10))

keeps ten states of a thousand and computes the others again when the sweep needs them; the gradient
stays the same to the last bit. How much time is paid for how much memory is the figure that this
script draws, after Gruslys et al. (2016), who spared 95 % of the memory for a third more time.

The 13 sonnets in `text.txt` (1, 12, 15, 18, 29, 30, 33, 55, 60, 65, 73, 116 and 130, in modern
spelling) were printed in 1609 and are in the public domain.

References:
    S. Hochreiter, J. Schmidhuber: Long short-term memory. Neural Computation 9, 1997.
    A. Gruslys, R. Munos, I. Danihelka, M. Lanctot, A. Graves: Memory-efficient backpropagation
    through time. NIPS 2016.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import process_time
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import retrograd as rg
from retrograd import tree
from retrograd.adjoints import Adjoint
from retrograd.adjoints.schedule import forward_steps
from retrograd.optimizers import Adam
from retrograd.report.style import FAINT, INK, RC, SERIES, WIDTH
from retrograd.study import MetaStep, descend

TEXT = Path(__file__).with_name("text.txt")

Params = dict[str, Any]
State = dict[str, Any]


class Settings(NamedTuple):
    """The sizes of the model, and how long it learns."""

    passages: int = 8  # pieces of the text, read side by side
    letters: int = 1000  # of each passage: the steps that a gradient runs back through
    hidden: int = 96
    gradients: int = 200
    rate: float = 0.02
    rounds: int = 5  # each adjoint is timed that often, and its best time counts


QUICK = Settings(passages=4, letters=40, hidden=8, gradients=3, rounds=1)


# --- The text -------------------------------------------------------------------------------------


def alphabet_of(text: str) -> str:
    """The letters of a text, each once, in order."""
    return "".join(sorted(set(text)))


def passages_of(text: str, alphabet: str, count: int, letters: int) -> NDArray[np.int64]:
    """Pieces of the text as numbers, shape (count, letters + 1), evenly spread over it."""
    numbers = np.array([alphabet.index(letter) for letter in text])
    starts = np.linspace(0, len(numbers) - letters - 1, count).astype(int)
    return np.stack([numbers[start : start + letters + 1] for start in starts])


# --- The model: plain NumPy -----------------------------------------------------------------------


def initial_params(alphabet: int, hidden: int, seed: int = 0) -> Params:
    """Random weights, float64; the forget gates start open, so that gradients reach far back."""
    rng = np.random.default_rng(seed)
    bias = np.zeros(4 * hidden)
    bias[:hidden] = 1.0
    return {
        "embed": rng.normal(size=(alphabet, 4 * hidden)) / np.sqrt(hidden),
        "around": rng.normal(size=(hidden, 4 * hidden)) / np.sqrt(hidden),
        "bias": bias,
        "out": rng.normal(size=(hidden, alphabet)) / np.sqrt(hidden),
        "out_bias": np.zeros(alphabet),
    }


def initial_state(passages: int, hidden: int, dtype: Any) -> State:
    """Nothing is remembered, and nothing is lost yet."""
    shapes = {"h": (passages, hidden), "c": (passages, hidden), "loss": ()}
    return {name: np.zeros(shape, dtype) for name, shape in shapes.items()}


def sigmoid(x: Any) -> Any:
    """1 / (1 + exp(-x)), without overflow."""
    return 0.5 * (np.tanh(0.5 * x) + 1.0)


def lstm(h: Any, c: Any, letters: Any, params: Params) -> tuple[Any, Any]:
    """The memory of an LSTM after it has seen one more letter of each passage."""
    z = params["embed"][letters] + h @ params["around"] + params["bias"]
    forget, enter, leave, new = np.split(z, 4, axis=1)
    c = sigmoid(forget) * c + sigmoid(enter) * np.tanh(new)
    return sigmoid(leave) * np.tanh(c), c


def log_chances(h: Any, params: Params) -> Any:
    """The logarithm of the probability of each next letter, shape (passages, alphabet)."""
    scores = h @ params["out"] + params["out_bias"]
    scores = scores - np.max(scores, axis=1, keepdims=True)
    return scores - np.log(np.sum(np.exp(scores), axis=1, keepdims=True))


def objective(
    params: Params,
    passages: NDArray[np.int64],
    adjoint: Adjoint,
    seen: rg.Diagnostics | None = None,
) -> Any:
    """The mean loss in nats per letter, in the params' dtype: reading the text is one iteration.

    The loss is gathered in the state, so that all that is wanted of the passages is in the last.
    """
    count, steps = len(passages), passages.shape[1] - 1

    def read_letter(x: State, params: Params, t: int) -> State:
        h, c = lstm(x["h"], x["c"], passages[:, t], params)
        told = log_chances(h, params)[np.arange(count), passages[:, t + 1]]
        return {"h": h, "c": c, "loss": x["loss"] - np.mean(told) / steps}

    around = params["around"]
    start = initial_state(count, len(around), around.dtype)
    last = rg.iterate(read_letter, start, params, steps, adjoint=adjoint, diagnostics=seen)
    return last["loss"]


# --- Learning, and writing ------------------------------------------------------------------------


def single(params: Params) -> Params:
    """The weights in float32, in which the model computes."""
    return tree.map(lambda leaf: leaf.astype(np.float32), params)


def learn(params: Params, passages: NDArray[np.int64], settings: Settings) -> Iterator[MetaStep]:
    """Adam on the whole text at each step, with a tenth of the states kept."""
    adjoint = rg.Checkpointed(slots=settings.letters // 10)

    def value(params: Params, _: int) -> tuple[Any, None]:
        return objective(single(params), passages, adjoint), None

    return descend(value, params, Adam(settings.rate), settings.gradients)


def write(params: Params, alphabet: str, start: str, length: int, seed: int = 0) -> str:
    """Let the model go on writing after `start`."""
    rng = np.random.default_rng(seed)
    h = c = np.zeros((1, len(params["around"])))
    text = start
    for place in range(len(start) + length - 1):
        h, c = lstm(h, c, np.array([alphabet.index(text[place])]), params)
        if place >= len(start) - 1:
            chances = np.exp(log_chances(h, params)[0])
            text += alphabet[rng.choice(len(alphabet), p=chances / chances.sum())]
    return text


# --- What a gradient costs ------------------------------------------------------------------------


class Cost(NamedTuple):
    """Time and memory of one gradient.

    Attributes:
        adjoint: the strategy.
        slots: the states that it keeps, where it says so.
        seconds: of forward run and sweep, by the processor's clock, the shortest of some.
        forward: the part of the forward run.
        nbytes: what is kept from the forward run for the sweep.
        same: whether the gradient is that of `Stored`, to the last bit.
    """

    adjoint: str
    slots: int | None
    seconds: float
    forward: float
    nbytes: int
    same: bool


def strategies(steps: int) -> list[tuple[int | None, Adjoint]]:
    """What is compared, with the slots where there are some; the first is the reference."""
    fractions = (0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
    slots = sorted({max(round(fraction * steps), 2) for fraction in fractions}, reverse=True)
    checkpointed = [(count, rg.Checkpointed(slots=count)) for count in slots]
    return [(None, rg.Stored()), *checkpointed, (None, rg.Coded())]


def gradient(
    params: Params, passages: NDArray[np.int64], adjoint: Adjoint
) -> tuple[Params, rg.Diagnostics]:
    """The gradient of the mean loss, and what was seen on the way."""
    seen = rg.Diagnostics()
    return rg.grad(lambda params: objective(params, passages, adjoint, seen))(params), seen


def costs(params: Params, passages: NDArray[np.int64], rounds: int) -> list[Cost]:
    """Time and memory of the gradient by every strategy; they take turns."""
    compared = strategies(passages.shape[1] - 1)
    reference, _ = gradient(params, passages, compared[0][1])
    best: dict[int, Cost] = {}
    for _ in range(rounds):
        for i, (slots, adjoint) in enumerate(compared):
            cost = measured(params, passages, slots, adjoint, reference)
            if i not in best or cost.seconds < best[i].seconds:
                best[i] = cost
    return list(best.values())


def measured(
    params: Params,
    passages: NDArray[np.int64],
    slots: int | None,
    adjoint: Adjoint,
    reference: Params,
) -> Cost:
    """The cost of one gradient; the processor's clock stands still while others use it."""
    started = process_time()
    found, seen = gradient(params, passages, adjoint)
    seconds = process_time() - started
    assert seen.certificate is not None
    share = seen.seconds_forward / (seen.seconds_forward + seen.seconds_sweep)
    same = all(np.array_equal(found[name], reference[name]) for name in reference)
    return Cost(repr(adjoint), slots, seconds, share * seconds, seen.certificate.bytes_kept, same)


def predicted(slots: int, steps: int, stored: Cost) -> float:
    """The time with so many states, if nothing costs time but the steps that are taken again.

    The last state is one to be reached too, as if there were one step more.
    """
    again = forward_steps(steps + 1, slots) - steps
    return stored.seconds + again * stored.forward / steps


# --- The report -----------------------------------------------------------------------------------


def draw(found: Sequence[Cost], steps: int, path: Path) -> None:
    """Time against memory, both relative to `Stored`."""
    import matplotlib.pyplot as plt

    stored, checkpointed = found[0], [cost for cost in found if cost.slots]
    coded = found[-1]

    def place(cost: Cost) -> tuple[float, float]:
        return cost.nbytes / stored.nbytes, cost.seconds / stored.seconds

    with plt.rc_context({**RC, "svg.hashsalt": path.name}):
        figure, axes = plt.subplots(figsize=(WIDTH, 3.4), layout="constrained")
        slots = np.unique(np.geomspace(checkpointed[-1].slots or 2, steps, 200).astype(int))
        expected = [predicted(int(count), steps, stored) / stored.seconds for count in slots]
        axes.plot(slots / steps, expected, color=FAINT.light, linewidth=1, label="by the schedule")
        for colour, label, costs in (
            (SERIES[0], "Checkpointed", checkpointed),
            (SERIES[1], "Coded", [coded]),
            (INK, "Stored", [stored]),
        ):
            axes.plot(*zip(*map(place, costs), strict=True), "o", color=colour.light, label=label)
        axes.axhline(4 / 3, color=FAINT.light, linewidth=0.8, linestyle=":")
        axes.annotate("a third more", (1.0, 4 / 3), (0, 3), textcoords="offset points",
                      ha="right", color=FAINT.light)  # fmt: skip
        axes.set(
            title="A gradient through the text", xscale="log", ylim=(0, None),
            xlabel="memory, of that of Stored", ylabel="time, of that of Stored",
        )  # fmt: skip
        axes.xaxis.set_major_formatter("{x:.0%}")
        axes.legend()
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)


def report(found: Sequence[Cost]) -> None:
    """The table of what a gradient costs."""
    stored = found[0]
    print("| adjoint | memory | of Stored | time | of Stored | same bits |")
    print("|---|---|---|---|---|---|")
    for cost in found:
        print(
            f"| `{cost.adjoint}` | {cost.nbytes / 1e6:.3f} MB | {cost.nbytes / stored.nbytes:.1%} "
            f"| {cost.seconds:.3f} s | {cost.seconds / stored.seconds:.2f} "
            f"| {'yes' if cost.same else 'no'} |"
        )


def main(argv: Sequence[str] | None = None) -> None:
    """Learn the text, let the model write, measure the gradient, and draw the figure."""
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, in a second")
    default = Path("runs/language_model")
    parser.add_argument("--out", type=Path, default=default, help="folder of the figure")
    options = parser.parse_args(argv)
    settings = QUICK if options.quick else Settings()
    options.out.mkdir(parents=True, exist_ok=True)
    text = TEXT.read_text(encoding="utf-8")
    alphabet = alphabet_of(text)
    passages = passages_of(text, alphabet, settings.passages, settings.letters)
    params = initial_params(len(alphabet), settings.hidden)
    for learned in learn(params, passages, settings):
        params = learned.hyper
        if learned.index % max(settings.gradients // 6, 1) == 0:
            print(f"gradient {learned.index:3d}: {learned.value:.3f} nats per letter")
    print("\n" + write(params, alphabet, "Shall I ", 200 if not options.quick else 20) + "\n")
    found = costs(single(params), passages, settings.rounds)
    report(found)
    draw(found, settings.letters, options.out / "language_model.svg")
    print(f"\ndrawn: {options.out / 'language_model.svg'}")


if __name__ == "__main__":
    main()

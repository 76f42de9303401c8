"""The figures of a learned schedule, each drawn from the record by one function.

Every function takes a record with at least one entry and returns a `Picture`. `PICTURES` lists
them in the order of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator, StrMethodFormatter

from retrograd.report.quantities import decimal
from retrograd.report.style import FAINT, INK, RC, SERIES, WIDTH
from retrograd.study import Record

__all__ = ["PICTURES", "Picture", "draw_all"]


@dataclass(frozen=True)
class Picture:
    """A drawn figure and the words that go with it.

    Attributes:
        name: Name of its files, without ending.
        figure: The drawing.
        caption: What to look for.
        alt: What the picture shows, for those who do not see it.
    """

    name: str
    figure: Figure
    caption: str
    alt: str


def draw_all(record: Record) -> list[Picture]:
    """Draw every figure of the record, which has at least one entry."""
    with matplotlib.rc_context(RC):
        return [draw(record) for draw in PICTURES]


def rates(record: Record) -> Picture:
    """The learned rate of every step, a line for each layer, a panel for each kind of group."""
    values = np.exp(record.arrays(-1)["hyper/log_rates"])
    start = float(np.exp(record.settings["settings"]["log_rate"]))
    figure = _schedule(record, values, "rate", start)
    return Picture(
        "rates",
        figure,
        "The rate of every step of training, learned separately for each layer. "
        "The dotted line is where all rates started.",
        "Line charts of the learned rate against the step. "
        + _from_to(record, values, f"All started at {decimal(start)}."),
    )


def momenta(record: Record) -> Picture:
    """The learned momentum of every step, laid out as the rates are."""
    values = _sigmoid(record.arrays(-1)["hyper/logit_momenta"])
    start = float(record.settings["settings"]["momentum"])
    figure = _schedule(record, values, "momentum", start)
    return Picture(
        "momenta",
        figure,
        "The momentum of every step, learned separately for each layer. "
        "The dotted line is where all momenta started.",
        "Line charts of the learned momentum against the step. "
        + _from_to(record, values, f"All started at {decimal(start)}."),
    )


def learning_curves(record: Record) -> Picture:
    """The loss on each step's mini-batch, with the first hyperparameters and with the last."""
    figure, (axes,) = _panels(1, height=3.2)
    last = record.entries[-1]["meta_step"]
    curves = [(f"at meta-step {last}", record.arrays(-1)["learning_curve"], SERIES[0].light)]
    if len(record.entries) > 1:
        first = (f"at meta-step {record.entries[0]['meta_step']}",)
        curves.insert(0, (*first, record.arrays(0)["learning_curve"], SERIES[1].light))
    for label, curve, colour in curves:
        axes.plot(_steps(curve), curve, color=colour, label=label)
    _log_scale(axes, *(curve for _, curve, _ in curves))
    _title(axes, "Learning curves before and after")
    axes.set(xlabel="step of training", ylabel="loss on the batch (nats)")
    _whole_numbers(axes)
    _legend_above(figure, axes)
    ends = "; ".join(f"{label} from {_ends(curve)}" for label, curve, _ in curves)
    return Picture(
        "learning-curves",
        figure,
        "The loss on the mini-batch of every step (cross-entropy, logarithmic axis), with the "
        "hyperparameters of the start and with those of the last meta-step.",
        f"Line chart, logarithmic, of the loss on the batch against the step: {ends}.",
    )


def meta_learning(record: Record) -> Picture:
    """The losses of the trained network, meta-step by meta-step."""
    figure, (axes,) = _panels(1, height=3.2)
    x = record.series("meta_step")
    named = [("training", "train_loss"), ("validation", "valid_loss"), ("test", "test_loss")]
    for (label, key), shade in zip(named, SERIES, strict=False):
        axes.plot(x, record.series(key), color=shade.light, label=label, **_marks(x))
    axes.margins(y=0.08)
    axes.set_ylim(bottom=0)
    _title(axes, "What each meta-step gained")
    axes.set(xlabel="meta-step", ylabel="loss after training (nats)")
    _whole_numbers(axes)
    _legend_above(figure, axes)
    ends = "; ".join(f"{label} from {_ends(record.series(key))}" for label, key in named)
    return Picture(
        "meta-learning",
        figure,
        "Mean loss over the whole training, validation and test set after a full training with "
        "the hyperparameters of each meta-step. Each meta-step trains from new initial weights "
        "on new mini-batches.",
        f"Line chart of the loss after training against the meta-step: {ends}.",
    )


def scales(record: Record) -> Picture:
    """The learned scale of the initial weights of each group, beside 1/sqrt(fan-in)."""
    groups: list[str] = record.settings["groups"]
    learned = np.exp(record.arrays(-1)["hyper/log_scales"])
    usual = 1 / np.sqrt(record.settings["fan_in"])
    start = float(np.exp(record.settings["settings"]["log_scale"]))
    y = np.arange(len(groups))
    figure, (axes,) = _panels(1, height=1.5 + 0.24 * len(groups))
    axes.hlines(y, np.minimum(learned, usual), np.maximum(learned, usual), color=FAINT.light, lw=1)
    axes.plot(usual, y, "D", ms=6, mfc="none", mec=SERIES[1].light, mew=1.4, label="1/√fan-in")
    axes.plot(learned, y, "o", ms=6.5, color=SERIES[0].light, label="learned")
    _start_line(axes.axvline, start)
    _log_scale(axes, learned, usual, [start], along="x")
    axes.set_yticks(y, groups)
    axes.set_ylim(len(groups) - 0.5, -0.5)
    axes.grid(visible=False, axis="y")
    _title(axes, "Initial scales against 1/√fan-in")
    axes.set(xlabel="standard deviation of the initial values")
    _legend_above(figure, axes)
    listed = ", ".join(
        f"{name} {decimal(a)} (1/√fan-in {decimal(b)})"
        for name, a, b in zip(groups, learned, usual, strict=True)
    )
    return Picture(
        "scales",
        figure,
        "The learned standard deviation of the initial values of each group (logarithmic axis), "
        "beside the usual choice, one over the square root of the fan-in. The dotted line is "
        "where all scales started.",
        f"Dot chart of the learned initial scales: {listed}. All started at {decimal(start)}.",
    )


def hypergradients(record: Record) -> Picture:
    """The norm of each hypergradient, and how far it points along the one before."""
    figure, (above, below) = _panels(2, height=4.2)
    x, norm, cosine = (record.series(key) for key in ("meta_step", "hypergradient_norm", "cosine"))
    above.plot(x, norm, color=SERIES[0].light, **_marks(x))
    _log_scale(above, norm)
    _title(above, "Size of the hypergradient")
    above.set(ylabel="norm (nats per unit)")
    below.axhline(0, color=FAINT.light, lw=0.9)
    below.plot(x, cosine, color=SERIES[1].light, **_marks(x))
    below.set_ylim(-1.05, 1.05)
    _title(below, "Agreement with the one before")
    below.set(xlabel="meta-step", ylabel="cosine (no unit)")
    _whole_numbers(below)
    return Picture(
        "hypergradients",
        figure,
        "Above: the Euclidean norm of the hypergradient over all hyperparameters (logarithmic "
        "axis). Below: the cosine of the angle between it and the one before; 1 is the same "
        "direction, 0 none in common.",
        f"Two line charts against the meta-step: the norm of the hypergradient from {_ends(norm)}; "
        f"the cosine between successive hypergradients from {_ends(cosine)}.",
    )


PICTURES: tuple[Callable[[Record], Picture], ...] = (
    rates,
    momenta,
    learning_curves,
    meta_learning,
    scales,
    hypergradients,
)


def _schedule(record: Record, values: np.ndarray, quantity: str, start: float) -> Figure:
    """Values `(steps, groups)` against the step: a panel for each kind, a colour for each layer."""
    kinds = _columns_of_kinds(record)
    figure, panels = _panels(len(kinds), height=1.1 + 1.75 * len(kinds))
    for i, (axes, (kind, columns)) in enumerate(zip(panels, kinds.items(), strict=True)):
        width = (1.1 if i else 1.6) if len(values) <= 300 else 0.8
        for number, (layer, column) in enumerate(columns):
            line = {**_line_of(number), **_marks(values), "linewidth": width}
            axes.plot(_steps(values), values[:, column], label=f"layer {layer}", **line)
        _start_line(axes.axhline, start)
        axes.set_ylim(0, *([1] if quantity == "momentum" else []))
        _title(axes, f"Learned {quantity}, {kind}".rstrip(", "))
        axes.set(ylabel=f"{quantity} (no unit)")
    panels[-1].set(xlabel="step of training")
    _whole_numbers(panels[-1])
    _legend_above(figure, panels[0])
    return figure


def _columns_of_kinds(record: Record) -> dict[str, list[tuple[str, int]]]:
    """Groups such as `weights 1`, sorted by kind: {"weights": [("1", 0), ...], ...}."""
    kinds: dict[str, list[tuple[str, int]]] = {}
    for column, group in enumerate(record.settings["groups"]):
        kind, _, layer = group.rpartition(" ")
        kinds.setdefault(kind, []).append((layer, column))
    return kinds


def _line_of(number: int) -> dict[str, Any]:
    """Colours for the first layers, then the same colours dashed."""
    lap, position = divmod(number, len(SERIES))
    return {"color": SERIES[position].light, "linestyle": ("-", "--", ":")[lap % 3]}


def _panels(count: int, height: float) -> tuple[Figure, list[Axes]]:
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    figure.get_layout_engine().set(w_pad=0.08, h_pad=0.06)  # type: ignore[union-attr]
    panels = figure.subplots(count, 1, sharex=True, squeeze=False)
    return figure, list(panels[:, 0])


def _title(axes: Axes, text: str) -> None:
    axes.set_title(text, loc="left")


def _legend_above(figure: Figure, axes: Axes) -> None:
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=min(len(labels), 5))


def _start_line(draw: Callable[..., Any], value: float) -> None:
    draw(value, color=INK.light, linestyle=(0, (1, 2)), linewidth=1.1, label="start", zorder=1)


def _whole_numbers(axes: Axes) -> None:
    left, right = axes.get_xlim()
    if right - left < 1:
        axes.set_xlim(left - 0.5, right + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def _log_scale(axes: Axes, *series: Iterable[float], along: str = "y") -> None:
    """A logarithmic axis with plain numbers, where there is anything that it can show."""
    values = np.concatenate([np.asarray(one, dtype=float) for one in series])
    if not np.any(values[np.isfinite(values)] > 0):
        return
    (axes.set_yscale if along == "y" else axes.set_xscale)("log", nonpositive="mask")
    axis = axes.yaxis if along == "y" else axes.xaxis
    axis.set_major_locator(LogLocator(subs=_subdivisions(values)))
    axis.set_major_formatter(StrMethodFormatter("{x:g}"))
    axis.set_minor_locator(NullLocator())


def _subdivisions(values: np.ndarray) -> tuple[float, ...]:
    """Where a decade is labelled: the fewer decades there are, the more densely."""
    positive = values[np.isfinite(values) & (values > 0)]
    decades = np.log10(positive.max() / positive.min())
    if decades > 3:
        return (1.0,)
    return (1.0, 2.0, 5.0) if decades > 0.6 else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)


def _marks(x: np.ndarray) -> dict[str, Any]:
    """A line through few points shows the points; a single one would be invisible without."""
    return {"marker": "o", "markersize": 3.5} if len(x) < 10 else {}


def _steps(values: np.ndarray) -> np.ndarray:
    return np.arange(len(values))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(0.5 * x))


def _ends(values: np.ndarray) -> str:
    known = values[np.isfinite(values)]
    return f"{decimal(known[0])} to {decimal(known[-1])}" if len(known) else "unknown to unknown"


def _from_to(record: Record, values: np.ndarray, start: str) -> str:
    groups = record.settings["groups"]
    ends = "; ".join(f"{group} from {_ends(values[:, i])}" for i, group in enumerate(groups))
    return f"First step to last: {ends}. {start}"

"""The figures: every state of a study can be drawn, and each axis says what it shows."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic_study import write_study

from retrograd.report import drawing
from retrograd.report.figures import PICTURES, draw_all
from retrograd.report.style import PAPER, SERIES
from retrograd.study import Recorder, read

STATES = {
    "finished": {},
    "running": {"done": 20, "finished": False},
    "first meta-step": {"done": 1, "finished": False},
    "interrupted": {"done": 2},
    "one step": {"steps": 1, "meta_steps": 2},
    "many layers": {"hidden": (20,) * 8, "meta_steps": 3},
}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    record = read(write_study(tmp_path_factory.mktemp("study")))
    return {picture.name: picture for picture in draw_all(record)}


@pytest.mark.parametrize("state", STATES)
def test_a_study_in_any_state_can_be_drawn(tmp_path, state):
    record = read(write_study(tmp_path, **STATES[state]))
    drawn = draw_all(record)
    assert len(drawn) == len(PICTURES)
    assert all(drawing.png(picture).startswith(b"\x89PNG") for picture in drawn)


def test_losses_that_are_not_finite_can_be_drawn(tmp_path):
    record = read(write_study(tmp_path / "made", done=1, finished=False))
    recorder = Recorder(tmp_path / "broken", record.settings)
    broken = dict.fromkeys(record.entries[0]) | {"meta_step": 0}
    arrays = {name: np.full_like(value, np.nan) for name, value in record.arrays(0).items()}
    recorder.append(broken, arrays)
    for picture in draw_all(read(tmp_path / "broken")):
        assert drawing.svg(picture).startswith(b"<?xml")


def test_names_are_unique(pictures):
    assert len(pictures) == len(PICTURES)


def test_every_axis_has_a_label_and_every_panel_a_title(pictures):
    for picture in pictures.values():
        panels = picture.figure.axes
        assert all(axes.get_title(loc="left") for axes in panels)
        assert all(axes.get_ylabel() for axes in panels) or picture.name == "scales"
        assert panels[-1].get_xlabel()


def test_every_picture_has_words(pictures):
    for picture in pictures.values():
        assert len(picture.caption) > 40
        assert len(picture.alt) > 40


def test_lines_are_the_record(tmp_path):
    record = read(write_study(tmp_path, meta_steps=4, steps=7))
    drawn = {picture.name: picture.figure for picture in draw_all(record)}
    last = record.arrays(-1)
    weights, biases = drawn["rates"].axes
    for layer in range(4):
        expected = np.exp(last["hyper/log_rates"])
        np.testing.assert_array_equal(weights.lines[layer].get_ydata(), expected[:, 2 * layer])
        np.testing.assert_array_equal(biases.lines[layer].get_ydata(), expected[:, 2 * layer + 1])
    momentum = 1 / (1 + np.exp(-last["hyper/logit_momenta"][:, 0]))
    np.testing.assert_allclose(drawn["momenta"].axes[0].lines[0].get_ydata(), momentum, rtol=1e-14)
    first_curve, last_curve = drawn["learning-curves"].axes[0].lines
    np.testing.assert_array_equal(first_curve.get_ydata(), record.arrays(0)["learning_curve"])
    np.testing.assert_array_equal(last_curve.get_ydata(), last["learning_curve"])
    trained = drawn["meta-learning"].axes[0].lines[0]
    np.testing.assert_array_equal(trained.get_ydata(), record.series("train_loss"))
    usual, learned = drawn["scales"].axes[0].lines[:2]
    np.testing.assert_allclose(usual.get_xdata(), np.array([784, 784, *[50] * 6]) ** -0.5)
    np.testing.assert_array_equal(learned.get_xdata(), np.exp(last["hyper/log_scales"]))


def test_colours_differ_within_a_panel(pictures):
    lines = pictures["rates"].figure.axes[0].lines[:4]
    assert [line.get_color() for line in lines] == [shade.light for shade in SERIES[:4]]


@pytest.mark.parametrize("form", [drawing.svg, drawing.png])
def test_the_same_record_gives_the_same_bytes(tmp_path, form):
    record = read(write_study(tmp_path, meta_steps=3))
    first, second = draw_all(record), draw_all(record)
    assert [form(picture) for picture in first] == [form(picture) for picture in second]


def test_an_inline_drawing_follows_the_page(pictures):
    for name, picture in pictures.items():
        text = drawing.inline_svg(picture, drawing.svg(picture))
        opening = text[: text.index(">")]
        assert opening.startswith('<svg role="img" aria-label="')
        assert " width=" not in opening
        assert "viewBox" in opening
        assert "<metadata>" not in text
        assert PAPER.light not in text
        assert "var(--ink)" in text
        assert text.count('id="') == text.count(f'id="{name}-')


def contrast(one: str, other: str) -> float:
    """The contrast ratio of the Web Content Accessibility Guidelines."""

    def luminance(colour: str) -> float:
        parts = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
        linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
        return float(linear @ [0.2126, 0.7152, 0.0722])

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("shade", SERIES, ids=lambda shade: shade.name)
def test_lines_stand_out_on_light_and_on_dark_paper(shade):
    assert contrast(shade.light, PAPER.light) >= 3
    assert contrast(shade.dark, PAPER.dark) >= 3

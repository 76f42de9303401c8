"""The page: one file that needs nothing else, from the record alone."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser

import pytest
from synthetic_study import write_study

from retrograd.errors import DataError
from retrograd.report import make_report
from retrograd.report.figures import PICTURES
from retrograd.study import Recorder, read


class Seen(HTMLParser):
    """What a page holds: its elements, their attributes, the words of its table cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta",):
            self._open.append(tag)
        if tag in ("td", "th"):
            self.cells.append("")

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if self._open and self._open[-1] in ("td", "th"):
            self.cells[-1] += data


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    out = write_study(tmp_path_factory.mktemp("study"))
    make_report(out)
    return out


def page_of(out) -> str:
    return (out / "report.html").read_text(encoding="utf-8")


def test_the_report_is_the_page_and_both_forms_of_every_figure(finished):
    assert make_report(finished) == finished / "report.html"
    endings = sorted(path.suffix for path in (finished / "figures").iterdir())
    assert endings == [".png"] * len(PICTURES) + [".svg"] * len(PICTURES)


def test_the_page_needs_no_other_file_and_no_network(finished):
    text = page_of(finished)
    for tag, attributes in Seen(text).elements:
        assert tag not in ("script", "link", "img", "iframe", "object")
        for name in ("src", "href", "xlink:href"):
            assert (attributes.get(name) or "#").startswith("#")
    assert "@import" not in text
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", text))


def test_every_inner_name_is_unique_and_every_reference_has_its_target(finished):
    elements = Seen(page_of(finished)).elements
    names = [attributes["id"] for _, attributes in elements if "id" in attributes]
    assert len(names) == len(set(names))
    used = [attributes["xlink:href"] for _, attributes in elements if "xlink:href" in attributes]
    used += re.findall(r"url\((#[^)]*)\)", page_of(finished))
    assert {reference.removeprefix("#") for reference in used} <= set(names)


def test_every_picture_has_an_alternative_text(finished):
    drawings = [attributes for tag, attributes in Seen(page_of(finished)).elements if tag == "svg"]
    assert len(drawings) == len(PICTURES)
    assert all(len(attributes["aria-label"]) > 40 for attributes in drawings)


def test_the_tables_say_what_came_out(finished):
    cells = Seen(page_of(finished)).cells
    for words in (
        ["Training loss", "0.533", "0.104"],
        ["Test error", "15.8 %", "5.1 %"],
        ["One hypergradient: run and sweep", "3.10 s (3.1 trainings)"],
        ["Memory that the sweep kept", "4.1 MiB"],
        ["Storing the trajectory", "69.2 MiB (16.9 times as much)"],
        ["Every step recovered bit for bit", "yes"],
        ["network", "784-50-50-50-10"],
        ["meta rate", "0.04"],
    ):
        start = cells.index(words[0])
        assert cells[start : start + len(words)] == words


def test_the_page_is_light_and_dark_and_fits_a_telephone(finished):
    text = page_of(finished)
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport" content="width=device-width' in text
    colours = {c.lower() for c in re.findall(r"(?:fill|stroke): (#[0-9a-fA-F]{6})", text)}
    assert colours == set()


def test_a_running_study_has_a_page_too(tmp_path):
    make_report(write_study(tmp_path, done=3, finished=False))
    assert "Not finished: 3 of 50 meta-steps so far." in page_of(tmp_path)


def test_the_report_is_a_function_of_the_record_alone(finished, tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(finished, copy, ignore=shutil.ignore_patterns("figures", "report.html"))
    make_report(copy)
    assert page_of(copy) == page_of(finished)


def test_what_the_record_says_is_text_and_never_markup(tmp_path):
    made = read(write_study(tmp_path / "made", meta_steps=1))
    injected = "<script>alert(1)</script>"
    groups = [f"{injected} {group}" for group in made.settings["groups"]]
    settings = made.settings | {"versions": {injected: injected}, "groups": groups}
    recorder = Recorder(tmp_path / "evil", settings)
    recorder.append(made.entries[0], made.arrays(0))
    make_report(tmp_path / "evil")
    text = page_of(tmp_path / "evil")
    assert "<script>" not in text
    assert "&lt;script&gt;" in text


def test_no_record_is_an_error(tmp_path):
    with pytest.raises(DataError, match="holds no record of a study"):
        make_report(tmp_path)


def test_no_entry_yet_is_an_error(tmp_path):
    out = write_study(tmp_path, done=0, finished=False)
    with pytest.raises(DataError, match="no complete meta-step yet: wait for the first"):
        make_report(out)
    assert not (out / "report.html").exists()


def test_damaged_arrays_are_an_error(tmp_path):
    out = write_study(tmp_path, meta_steps=2)
    (out / "arrays" / "00002.npz").write_bytes(b"damaged")
    with pytest.raises(DataError, match="is damaged"):
        make_report(out)

"""The reference in the documentation is the commands' own."""

from __future__ import annotations

from pathlib import Path

from retrograd.cli.reference import BEGIN, END, commands, options, renewed

PAGE = Path(__file__).parents[2] / "docs" / "cli.md"


def test_the_reference_is_of_today():
    page = PAGE.read_text(encoding="utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
    assert page == renewed(page), "run: python -m retrograd.cli.reference docs/cli.md"


def test_every_command_and_option_is_in_the_page():
    page = PAGE.read_text(encoding="utf-8")
    found = dict(commands())
    assert set(found) == {"retrograd learn schedule", "retrograd report"}
    for words, command in found.items():
        assert f"`{words}`" in page
        for option in options(command):
            assert f"| `{option.name}` |" in page
            assert option.parameter.help


def test_every_setting_is_an_option():
    from dataclasses import fields

    from retrograd.experiments.settings import ScheduleSettings

    names = {option.name for option in options(dict(commands())["retrograd learn schedule"])}
    settings = {"--" + field.name.replace("_", "-") for field in fields(ScheduleSettings)}
    assert names == settings | {"--out", "--quiet"}

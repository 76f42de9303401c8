"""The reference of the commands in `docs/cli.md`, from the commands themselves.

`python -m retrograd.cli.reference docs/cli.md` writes it anew between its two marks; what stands
outside of them is written by hand.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from cyclopts import App, Argument

from retrograd.cli.commands import app, shown_default

__all__ = ["commands", "options", "reference", "renewed"]

BEGIN, END = "<!-- reference: begin -->", "<!-- reference: end -->"


def commands(
    group: App = app, words: tuple[str, ...] = ("retrograd",)
) -> Iterator[tuple[str, App]]:
    """Every command that does something, with the words that call it."""
    for name in group:
        if name.startswith("-"):
            continue
        command = group[name]
        if command.default_command is not None:
            yield " ".join((*words, name)), command
        yield from commands(command, (*words, name))


def options(command: App) -> list[Argument]:
    """The arguments and options that a command takes."""
    return [
        each for each in command.assemble_argument_collection(parse_docstring=True) if each.show
    ]


def reference() -> str:
    """Every command with its arguments and options, as Markdown."""
    return "\n\n".join(_command(words, command) for words, command in commands())


def renewed(page: str) -> str:
    """The page with the reference of today between its marks."""
    fresh = f"{BEGIN}\n\n{reference()}\n\n{END}"
    return re.sub(f"{BEGIN}.*{END}", lambda _: fresh, page, flags=re.DOTALL)


def _command(words: str, command: App) -> str:
    description, _, _ = (inspect.getdoc(command.default_command) or "").partition("\n\nArgs:")
    rows = "\n".join(_row(option) for option in options(command))
    head = "| argument or option | default | what it is |\n| --- | --- | --- |"
    return f"## `{words}`\n\n{description}\n\n{head}\n{rows}"


def _row(option: Argument) -> str:
    meaning = " ".join((option.parameter.help or "").split())
    if choices := option.get_choices():
        meaning += " One of " + ", ".join(f"`{choice}`" for choice in choices) + "."
    return f"| `{option.name}` | {_default(option)} | {meaning} |"


def _default(option: Argument) -> str:
    if option.required:
        return "must be given"
    value = option.field_info.default
    if value is None:
        return "none"
    return "off" if value is False else f"`{shown_default(value)}`"


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")

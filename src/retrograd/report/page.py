"""The report of a study: its figures as files, and one page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from retrograd.errors import DataError
from retrograd.files import replace_file
from retrograd.report import drawing
from retrograd.report.figures import Picture, draw_all
from retrograd.report.outcome import costs, qualities, status, summary_of
from retrograd.report.quantities import decimal
from retrograd.report.style import PALETTE
from retrograd.study import Record, read

__all__ = ["make_report"]

TITLES = {"learned_schedule": "A learned training schedule"}


def make_report(out: str | Path) -> Path:
    """Draw the figures of a study and write its page, from its record alone.

    The study may still be running or have been interrupted; the report shows what is there.

    Args:
        out: Folder of the record. The figures go to its folder `figures` (each as PNG at 150
            dots per inch and as SVG), the page to `report.html`.

    Returns:
        Path of the page: one file that needs no other and no network.

    Raises:
        DataError: There is no record, it is damaged, or it has no entry yet.
    """
    record = read(out)
    if not record.entries:
        raise DataError(
            f"{record.out} holds no complete meta-step yet: wait for the first, then report again."
        )
    pictures = [(picture, drawing.svg(picture)) for picture in draw_all(record)]
    _write_figures(record.out / "figures", pictures)
    page = record.out / "report.html"
    replace_file(page, _page(record, pictures).encode())
    return page


def _write_figures(folder: Path, pictures: list[tuple[Picture, bytes]]) -> None:
    folder.mkdir(exist_ok=True)
    for picture, drawn in pictures:
        replace_file(folder / f"{picture.name}.png", drawing.png(picture))
        replace_file(folder / f"{picture.name}.svg", drawn)


def _page(record: Record, pictures: list[tuple[Picture, bytes]]) -> str:
    environment = Environment(
        loader=PackageLoader("retrograd.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    summary = summary_of(record)
    return environment.get_template("report.html.jinja").render(
        title=TITLES.get(record.settings["experiment"], record.settings["experiment"]),
        status=status(record),
        finding=_finding(summary),
        qualities=qualities(summary),
        costs=costs(summary),
        pictures=[(picture, drawing.inline_svg(picture, drawn)) for picture, drawn in pictures],
        asked=_asked(record.settings),
        versions=record.settings["versions"],
        palette=PALETTE,
    )


def _finding(summary: Mapping[str, Any]) -> str:
    before, after = summary["before"]["train_loss"], summary["after"]["train_loss"]
    return (
        f"Training loss at the end of training: {decimal(before)} with the hyperparameters of "
        f"the start, {decimal(after)} after {summary['meta_steps_done']} meta-steps."
    )


def _asked(settings: Mapping[str, Any]) -> list[tuple[str, str]]:
    shown = [
        (name.replace("_", " "), _words(value)) for name, value in settings["settings"].items()
    ]
    return [("network", "-".join(map(str, settings["layer_sizes"]))), *shown]


def _words(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)

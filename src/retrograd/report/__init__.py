"""Pictures and pages from the record of a study, finished or still running."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from retrograd.report.page import make_report as make_report

__all__ = ["make_report"]


def __getattr__(name: str) -> Any:
    # Loading matplotlib takes a good part of a second: only who draws waits for it.
    if name == "make_report":
        from retrograd.report.page import make_report

        return make_report
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""The command line: `retrograd`, `python -m retrograd`."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Sequence

__all__ = ["main"]

_EXTRA = ("cyclopts", "rich", "matplotlib", "jinja2", "threadpoolctl")


def main(tokens: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        tokens: The words after `retrograd`; those of this process by default.

    Returns:
        The exit code: 0 done, 1 failed, 2 called wrongly, 130 interrupted.
    """
    if missing := [name for name in _EXTRA if importlib.util.find_spec(name) is None]:
        print(
            f"The command line needs {', '.join(missing)}, which a plain installation leaves out.\n"
            "Install retrograd with them, in the folder of its source: "
            'python -m pip install ".[cli]"',
            file=sys.stderr,
        )
        return 1
    from retrograd.cli.commands import run

    return run(tokens)

"""The commands: what each takes, does and says.

Everything that computes is imported inside the command that needs it, so that help, the version
and mistyped options answer at once.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

from cyclopts import App, CycloptsError, Parameter, Token, convert

import retrograd
from retrograd.cli.speech import results, say, say_error, show_outcome
from retrograd.cli.watching import watch
from retrograd.errors import ArgumentError, RetrogradError
from retrograd.experiments.settings import ScheduleSettings

__all__ = ["app", "free_folder", "run", "shown_default"]

INTERRUPTED = 130

_DEFAULTS = ScheduleSettings()


def shown_default(value: Any) -> str:
    """A default as a person would type it."""
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _whole_numbers(kind: Any, tokens: Sequence[Token]) -> Any:
    """Convert what was typed; a fraction is no whole number, and is not rounded to one."""
    if kind is int or get_args(kind)[:1] == (int,):
        for token in tokens:
            if not token.value.removeprefix("-").isdecimal():
                raise ValueError(f"{token.value} is not a whole number")
    return convert(kind, tokens)


app = App(
    name="retrograd",
    help="Gradients of whole training runs, by running them exactly backwards.",
    version=lambda: f"retrograd {retrograd.__version__}",
    help_format="markdown",
    suppress_keyboard_interrupt=False,  # `run` says more than silence
    default_parameter=Parameter(
        negative=(), consume_multiple=True, show_default=shown_default, converter=_whole_numbers
    ),
)
app["--help"].help = "Say what a command does and takes."
app["--version"].help = "Say which version this is."

learn = App(name="learn", help="Learn hyperparameters along their hypergradient.")
app.command(learn)


@learn.command
def schedule(
    *,
    settings: Annotated[ScheduleSettings, Parameter(name="*")] = _DEFAULTS,
    out: Path = Path("runs/schedule"),
    quiet: Annotated[bool, Parameter(show_default=False)] = False,
) -> int:
    """Learn a rate and a momentum for every step and layer of a training.

    Trains a network on MNIST, goes back over the training exactly to get the gradient of its
    final loss with respect to every rate, momentum and initial scale, moves these, and repeats.
    NumPy, JAX or PyTorch compute it: see `--backend`.
    The folder then holds the record, the figures and a page, `report.html`.

    Ctrl-C stops early; what was learned until then is kept and reported.

    Args:
        settings: The experiment.
        out: Folder for the record, the figures and the report. If it is taken, a number is
            added to its name.
        quiet: Say nothing but where the report lies.
    """
    from retrograd.experiments.array_library import check_installed

    settings.validate()
    check_installed(settings.backend)
    folder = free_folder(out)
    if not quiet and folder != out:
        say(f"{out} is taken; this study goes to {folder}.")
    summary = _learn_schedule(settings, folder, quiet)
    if not _entries(folder):
        say("Interrupted before the first meta-step was complete; there is nothing to report.")
        return INTERRUPTED
    if not quiet:
        show_outcome(summary)
    if summary["interrupted"]:
        done = summary["meta_steps_done"]
        counted = f"{done} complete meta-step" + ("s" if done != 1 else "")
        say(f"Interrupted after {counted}. The record in {folder} is whole.")
    results(_make_report(folder), label="" if quiet else "Report")
    return INTERRUPTED if summary["interrupted"] else 0


@app.command
def report(out: Path, /) -> int:
    """Draw the figures and the page of a study again, from its record.

    Works while the study runs too, and after it was interrupted.

    Args:
        out: Folder of the study.
    """
    results(_make_report(out), label="Report")
    return 0


def free_folder(wanted: Path) -> Path:
    """The wanted folder if it is new or empty, else the first free one with a number added."""
    folder, number = wanted, 1
    while folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        number += 1
        folder = wanted.with_name(f"{wanted.name}-{number}")
    return folder


def run(tokens: Sequence[str] | None = None) -> int:
    """Run the command that the words name and return its exit code; see `retrograd.cli.main`."""
    words = list(sys.argv[1:] if tokens is None else tokens)
    try:
        code = app(words, exit_on_error=False, print_error=False, result_action="return_value")
    except CycloptsError as error:
        say_error(error)
        say("`retrograd --help` and `--help` after any command say what there is.")
        return 2
    except ArgumentError as error:
        say_error(error)
        return 2
    except RetrogradError as error:
        say_error(error)
        return 1
    except KeyboardInterrupt:
        say("Interrupted.")
        return INTERRUPTED
    return code if isinstance(code, int) else 0


def _learn_schedule(settings: ScheduleSettings, folder: Path, quiet: bool) -> dict[str, Any]:
    # Before the limit: it holds for the libraries that are loaded when it is set.
    from retrograd.experiments.learned_schedule import learn_schedule  # isort: skip
    from threadpoolctl import threadpool_limits

    try:
        with (
            threadpool_limits(limits=settings.threads, user_api="blas"),
            watch(settings.meta_steps, quiet=quiet) as observe,
        ):
            return learn_schedule(settings, folder, observe)
    except RetrogradError as error:
        begun = _entries(folder)
        if begun:
            error.add_note(
                f"The meta-steps before it are kept: `retrograd report {folder}` draws them."
            )
        else:
            _discard(folder)
        if begun or isinstance(error, ArithmeticError):
            error.add_note(
                "Of the options, --log-rate, --log-scale and --meta-rate say how far training and "
                "learning may go in a step: lower them."
            )
        raise


def _entries(folder: Path) -> list[dict[str, Any]]:
    from retrograd.study import holds_record, read

    return read(folder).entries if holds_record(folder) else []


def _discard(folder: Path) -> None:
    from retrograd.study import discard

    discard(folder)


def _make_report(folder: Path) -> Path:
    from retrograd.report import make_report

    return make_report(folder)

"""The command line as a person meets it: words, exit codes, files."""

from __future__ import annotations

import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from synthetic_study import arrays, entry, settings_document, write_study
from threadpoolctl import threadpool_info

import retrograd
from retrograd.cli import main
from retrograd.cli.commands import free_folder
from retrograd.errors import NonFiniteError
from retrograd.experiments.settings import ScheduleSettings
from retrograd.study import Recorder, read, summarize


class Experiment:
    """Stands in for the experiment: writes a made-up record and remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: ScheduleSettings | None = None
        self.threads: set[int] = set()
        self.stop_after: int | None = None
        self.failure: BaseException = KeyboardInterrupt()

    def learn_schedule(self, settings, out, observe=None):
        self.asked = settings
        np.ones((2, 2)) @ np.ones((2, 2))
        self.threads = {
            pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"
        }
        sizes = (784, *settings.layers, 10)
        recorder = Recorder(out, settings_document(sizes, settings.steps, settings.meta_steps))
        entries: list[dict] = []
        interrupted = False
        try:
            for i in range(settings.meta_steps + 1):
                if i == self.stop_after:
                    raise self.failure
                sweep = i < settings.meta_steps
                made = entry(i, settings.steps, settings.meta_steps, sweep=sweep)
                recorder.append(made, arrays(i, settings.steps, len(sizes) - 1, sweep=sweep))
                entries.append(made)
                if observe is not None:
                    observe(made)
        except KeyboardInterrupt:
            interrupted = True
        summary = summarize(entries, interrupted=interrupted)
        recorder.finish(summary)
        return summary


@pytest.fixture
def experiment(monkeypatch, tmp_path):
    made = Experiment()
    module = types.ModuleType("retrograd.experiments.learned_schedule")
    module.learn_schedule = made.learn_schedule  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return made


SMALL = ["--steps", "4", "--layers", "3", "--meta-steps", "2"]


def test_the_options_reach_the_experiment(experiment):
    words = (
        "learn schedule --data mnist --layers 7 8 --steps 5 --batch 6 --meta-steps 1 "
        "--meta-rate 0.1 --seed 3 --adjoint stored --log-rate -2 --momentum 0.9 "
        "--log-scale -1.5 --threads 1 --out there"
    )
    assert main(words.split()) == 0
    assert experiment.asked == ScheduleSettings(
        data="mnist", layers=(7, 8), steps=5, batch=6, meta_steps=1, meta_rate=0.1, seed=3,
        adjoint="stored", log_rate=-2.0, momentum=0.9, log_scale=-1.5, threads=1,
    )  # fmt: skip
    assert Path("there/report.html").is_file()


def test_the_adjoint_and_its_memory_reach_the_experiment(experiment):
    words = ["learn", "schedule", *SMALL, "--adjoint", "auto", "--memory", "256 MiB"]
    assert main(words) == 0
    assert experiment.asked.adjoint == "auto"
    assert experiment.asked.memory == "256 MiB"


def test_the_defaults_are_those_of_the_settings(experiment):
    experiment.stop_after = 1
    main(["learn", "schedule"])
    assert experiment.asked == ScheduleSettings()
    assert len(read("runs/schedule").entries) == 1


def test_a_finished_study_shows_its_tables_and_where_the_report_lies(experiment, capsys):
    assert main(["learn", "schedule", *SMALL]) == 0
    said = capsys.readouterr()
    lines = [line.split() for line in said.out.splitlines()]
    before, after = (f"{loss:.3f}" for loss in read("runs/schedule").series("train_loss")[[0, -1]])
    assert ["Training", "loss", before, after] in lines
    assert "Test error" in said.out
    assert "One hypergradient" in said.out
    assert "trainings)" in said.out
    assert "times as much)" in said.out
    assert ["Every", "step", "recovered", "bit", "for", "bit", "yes"] in lines
    assert said.out.rstrip().endswith("Report: runs/schedule/report.html")
    assert "meta-step 1/2  loss: training 0.533  validation" in said.err
    assert Path("runs/schedule/figures/rates.png").is_file()


def test_quiet_says_only_where_the_report_lies(experiment, capsys):
    assert main(["learn", "schedule", "--quiet", *SMALL]) == 0
    said = capsys.readouterr()
    assert said.out == "runs/schedule/report.html\n"
    assert said.err == ""


def test_a_taken_folder_is_left_alone_and_another_one_named(experiment, capsys):
    main(["learn", "schedule", *SMALL])
    before = Path("runs/schedule/record.jsonl").read_bytes()
    capsys.readouterr()
    assert main(["learn", "schedule", *SMALL]) == 0
    said = capsys.readouterr()
    assert "runs/schedule is taken; this study goes to runs/schedule-2." in said.err
    assert said.out.rstrip().endswith("runs/schedule-2/report.html")
    assert Path("runs/schedule/record.jsonl").read_bytes() == before


def test_a_free_folder_is_new_or_empty(tmp_path):
    wanted = tmp_path / "study"
    assert free_folder(wanted) == wanted
    wanted.mkdir()
    assert free_folder(wanted) == wanted
    (wanted / "mine").touch()
    assert free_folder(wanted) == tmp_path / "study-2"
    (tmp_path / "study-2").touch()
    assert free_folder(wanted) == tmp_path / "study-3"


def test_an_interrupted_study_is_kept_and_reported(experiment, capsys):
    experiment.stop_after = 1
    assert main(["learn", "schedule", *SMALL]) == 130
    said = capsys.readouterr()
    assert "Interrupted after 1 complete meta-step. The record in runs/schedule" in said.err
    assert "Report: runs/schedule/report.html" in said.out
    assert len(read("runs/schedule").entries) == 1


def test_a_study_interrupted_before_anything_was_learned_says_so(experiment, capsys):
    experiment.stop_after = 0
    assert main(["learn", "schedule", *SMALL]) == 130
    said = capsys.readouterr()
    assert "Interrupted before the first meta-step" in said.err
    assert said.out == ""


def test_an_interrupt_outside_of_the_study_is_no_traceback(monkeypatch, capsys):
    from retrograd.cli import commands

    def interrupt(out):
        raise KeyboardInterrupt

    monkeypatch.setattr(commands, "_make_report", interrupt)
    assert main(["report", "there"]) == 130
    assert capsys.readouterr().err == "Interrupted.\n"


def test_a_failed_study_says_why_and_what_is_kept(experiment, capsys):
    experiment.stop_after = 1
    experiment.failure = NonFiniteError("the loss is nan at step 3: lower the rate.")
    assert main(["learn", "schedule", *SMALL]) == 1
    said = capsys.readouterr()
    assert "Error: the loss is nan at step 3: lower the rate.\n" in said.err
    assert "are kept: `retrograd report runs/schedule` draws them." in said.err
    assert "Traceback" not in said.err
    assert main(["report", "runs/schedule"]) == 0


def test_a_programming_mistake_is_not_hidden(experiment):
    experiment.stop_after = 0
    experiment.failure = ZeroDivisionError()
    with pytest.raises(ZeroDivisionError):
        main(["learn", "schedule", *SMALL])


@pytest.mark.parametrize("threads", [1, 2])
def test_the_linear_algebra_gets_the_threads_asked_for(experiment, threads):
    main(["learn", "schedule", *SMALL, "--threads", str(threads)])
    assert experiment.threads <= {threads}


def test_a_report_is_drawn_again(tmp_path, capsys):
    out = write_study(tmp_path / "study", meta_steps=1, steps=3, hidden=(4,))
    assert main(["report", str(out)]) == 0
    assert capsys.readouterr().out == f"Report: {out}/report.html\n"
    assert (out / "report.html").is_file()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["report", "nowhere"], 1, "Error: nowhere holds no record of a study: give the folder"),
        (["report"], 2, "OUT requires an argument"),
        (["lern"], 2, 'Unknown command "lern". Did you mean "learn"?'),
        (["learn", "schedule", "--rate", "1"], 2, "Unknown option: --rate"),
        (["learn", "schedule", "--steps", "many"], 2, "Invalid value for --steps"),
        (["learn", "schedule", "--adjoint", "magic"], 2, "reversible"),
        (["learn", "schedule", "--adjoint", "truncated"], 2, "Invalid value"),
        (["learn", "schedule", "--memory", "1 MiB"], 2, "--adjoint reversible keeps what it must"),
        (
            ["learn", "schedule", "--adjoint", "auto", "--memory", "much"],
            2,
            "Error: --memory is 'much': give an amount of memory, such as '256 MiB'.",
        ),
        (["learn", "schedule", "--momentum", "1"], 2, "Error: --momentum is 1.0: give a number"),
        (["learn", "schedule", "--steps", "0"], 2, "--steps is 0: give a whole number"),
        (["learn", "schedule", "--layers", "5", "0"], 2, "--layers is 5 0: give at least one"),
    ],
)
def test_mistakes_get_one_clean_message(experiment, capsys, words, code, message):
    assert main(words) == code
    said = capsys.readouterr()
    assert message in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    assert not Path("runs").exists()


def test_the_version_is_the_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"retrograd {retrograd.__version__}\n"


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["learn", "schedule", "--help"]])
def test_help_and_version_load_nothing_heavy(words):
    code = f"""
import sys, json
from retrograd.cli import main
code = main({words!r})
print(json.dumps([code, [m for m in ("numpy", "matplotlib", "jinja2") if m in sys.modules]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8"
    )
    assert json.loads(done.stdout.splitlines()[-1]) == [0, []]


def test_without_the_extra_the_cure_is_named():
    code = """
import sys
sys.modules["cyclopts"] = None
from retrograd.cli import main
sys.exit(main(["--help"]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 1
    assert 'pip install ".[cli]"' in done.stderr
    assert "cyclopts" in done.stderr
    assert "Traceback" not in done.stderr


def test_the_module_is_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "retrograd", "lern"], capture_output=True, text=True
    )
    assert done.returncode == 2
    assert "Unknown command" in done.stderr


@pytest.mark.parametrize("words", [["--steps", "1.5"], ["--layers", "20", "2.5"]])
def test_a_fraction_is_no_whole_number(words, capsys, tmp_path):
    assert main(["learn", "schedule", "--out", str(tmp_path / "new"), *words]) == 2
    assert "5" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_study_that_fails_at_once_leaves_no_folder(capsys, tmp_path):
    out = tmp_path / "new"
    words = ["--layers", "4", "--steps", "2", "--batch", "10", "--log-rate", "400"]
    assert main(["learn", "schedule", "--out", str(out), *words]) == 1
    said = capsys.readouterr().err
    assert "--log-rate" in said
    assert not out.exists()


def test_a_folder_that_cannot_be_made_is_said_plainly(capsys, tmp_path):
    (tmp_path / "file").write_text("")
    assert main(["learn", "schedule", "--out", str(tmp_path / "file" / "x"), "--steps", "1"]) == 2
    assert "no folder can be made" in capsys.readouterr().err

"""`retrograd learn schedule --backend`: each array library, as a person would run it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from retrograd.cli import main
from retrograd.study import read

SMALL = ["--layers", "4", "--steps", "3", "--batch", "10", "--meta-steps", "1"]


@pytest.mark.parametrize("backend", ["numpy", "jax", "torch"])
def test_each_library_learns_and_is_in_the_report(backend: str, tmp_path: Path) -> None:
    pytest.importorskip(backend)
    words = ["learn", "schedule", "--backend", backend, *SMALL, "--out", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "retrograd", *words], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Every step recovered bit for bit" in done.stdout
    record = read(tmp_path)
    assert len(record.entries) == 2
    assert record.settings["settings"]["backend"] == backend
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert f'<th scope="row">backend</th><td>{backend}</td>' in page


# As if the extra had never been installed.
WITHOUT = """
import sys
class Without:
    def __init__(self, finder):
        self.finder = finder
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] != {missing!r}:
            return self.finder.find_spec(name, path, target)
sys.meta_path[:] = map(Without, sys.meta_path)
from retrograd.cli import main
sys.exit(main({words!r}))
"""


@pytest.mark.parametrize("backend", ["jax", "torch"])
def test_a_missing_library_is_one_clean_message(backend: str, tmp_path: Path) -> None:
    out = tmp_path / "study"
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    words = ["learn", "schedule", "--backend", backend, *SMALL, "--out", str(out)]
    code = WITHOUT.format(missing=backend, words=words)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 2
    assert f'pip install "retrograd[{backend}]"' in done.stderr
    assert "Traceback" not in done.stderr
    assert "taken" not in done.stdout + done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["study"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--backend", "cupy"], "Invalid value"),
        (["--precision", "float16"], "Invalid value"),
    ],
)
def test_what_there_is_not_is_refused(words: list[str], said: str, capsys, tmp_path) -> None:
    assert main(["learn", "schedule", *words, "--out", str(tmp_path / "new")]) == 2
    message = capsys.readouterr().err
    assert said in message
    assert "numpy" in message or "float32" in message
    assert not (tmp_path / "new").exists()

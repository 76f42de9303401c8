"""Settings of the experiments: sensible defaults, clear refusals, no NumPy."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from typing import Any

import pytest

from retrograd.errors import ArgumentError
from retrograd.experiments.settings import ScheduleSettings


def test_the_defaults_make_sense():
    ScheduleSettings().validate()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("data", ""),
        ("layers", ()),
        ("layers", (50, 0)),
        ("layers", (50.0,)),
        ("steps", 0),
        ("steps", 1.5),
        ("steps", True),
        ("batch", 0),
        ("meta_steps", 0),
        ("meta_rate", 0.0),
        ("meta_rate", -1.0),
        ("meta_rate", float("inf")),
        ("meta_rate", float("nan")),
        ("meta_betas", (0.9,)),
        ("meta_betas", (0.9, 1.0)),
        ("meta_betas", (-0.1, 0.9)),
        ("seed", -1),
        ("adjoint", "checkpointed"),
        ("log_rate", float("nan")),
        ("momentum", 0.0),
        ("momentum", 1.0),
        ("momentum", float("nan")),
        ("log_scale", float("-inf")),
        ("threads", 0),
    ],
)
def test_nonsense_is_refused_with_option_and_cure(name: str, value: Any):
    settings = dataclasses.replace(ScheduleSettings(), **{name: value})
    option = "--" + name.replace("_", "-")
    with pytest.raises(ArgumentError, match=rf"^{option} is .*: give .*\.$"):
        settings.validate()


def test_every_setting_is_checked_and_described():
    from retrograd.experiments import settings

    names = {field.name for field in dataclasses.fields(ScheduleSettings)}
    assert set(settings._RULES) == names
    documentation = inspect.getdoc(ScheduleSettings) or ""
    assert all(f"\n    {name}: " in documentation for name in names)


def test_settings_load_without_numpy():
    code = "import sys, retrograd.experiments.settings; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

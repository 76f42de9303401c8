"""Settings of the experiments: sensible defaults, clear refusals, no NumPy."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from typing import Any, get_args

import pytest

from retrograd.errors import ArgumentError
from retrograd.experiments.settings import AdjointName, ScheduleSettings


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
        ("adjoint", "truncated"),
        ("adjoint", "Stored"),
        ("memory", ""),
        ("memory", "256"),
        ("memory", "256 parsecs"),
        ("memory", 256),
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


@pytest.mark.parametrize("adjoint", ["reversible", "stored"])
def test_memory_is_refused_where_it_would_say_nothing(adjoint: Any):
    settings = ScheduleSettings(adjoint=adjoint, memory="1 MiB")
    cure = rf"^--memory is '1 MiB', but --adjoint {adjoint} .* give --adjoint auto or checkpointed"
    with pytest.raises(ArgumentError, match=cure):
        settings.validate()


@pytest.mark.parametrize(
    ("adjoint", "memory", "meant"),
    [
        ("reversible", None, "Reversible()"),
        ("stored", None, "Stored()"),
        ("checkpointed", None, "Checkpointed()"),
        ("checkpointed", "1.5 MB", "Checkpointed(memory='1.5 MB')"),
        ("auto", None, "Auto(memory='256 MiB', quiet=True)"),
        ("auto", "20 KiB", "Auto(memory='20 KiB', quiet=True)"),
    ],
)
def test_the_strategy_that_is_meant(adjoint: Any, memory: Any, meant: str):
    settings = ScheduleSettings(adjoint=adjoint, memory=memory)
    settings.validate()
    assert repr(settings.strategy()) == meant


def test_only_exact_strategies_are_offered():
    for adjoint in get_args(AdjointName):
        assert ScheduleSettings(adjoint=adjoint).strategy().exact


def test_every_setting_is_checked_and_described():
    from retrograd.experiments import settings

    names = {field.name for field in dataclasses.fields(ScheduleSettings)}
    assert set(settings._RULES) == names
    documentation = inspect.getdoc(ScheduleSettings) or ""
    assert all(f"\n    {name}: " in documentation for name in names)


def test_settings_load_without_numpy():
    code = "import sys, retrograd.experiments.settings; assert 'numpy' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)

"""How tests run the program `sharded_run.py` in processes with devices of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any

import numpy as np

__all__ = ["Outcomes", "check_numbers", "outcomes_of"]

PROGRAM = Path(__file__).parent / "sharded_run.py"

Outcomes = dict[tuple[str, str], dict[str, Any]]


@dataclass
class Running:
    """A process, and the files that it writes to: a full pipe would make it wait for its reader."""

    process: subprocess.Popen[str]
    output: IO[str]
    errors: IO[str]

    def outcomes(self) -> Outcomes:
        """What it printed before it ended well, by adjoint and by what was sharded."""
        self.process.wait(timeout=300)
        for file in (self.output, self.errors):
            file.seek(0)
        assert self.process.returncode == 0, self.errors.read()[-3000:]
        found = [json.loads(line) for line in self.output if line.startswith("{")]
        return {(outcome["adjoint"], outcome["kind"]): outcome for outcome in found}


def outcomes_of(devices: int, *commands: Sequence[str]) -> list[Outcomes]:
    """What processes printed that ran at the same time, each with that many devices.

    Args:
        devices: of a process, all on the processor.
        commands: the arguments of each.
    """
    with ExitStack() as stack:
        running = [_started(stack, devices, command) for command in commands]
        return [one.outcomes() for one in running]


def _started(stack: ExitStack, devices: int, arguments: Sequence[str]) -> Running:
    """A process that ends, and files that are closed, with the stack."""
    flags = f"--xla_force_host_platform_device_count={devices}"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, str(PROGRAM), *arguments]
    output = stack.enter_context(TemporaryFile("w+"))  # noqa: SIM115
    errors = stack.enter_context(TemporaryFile("w+"))  # noqa: SIM115
    process = stack.enter_context(
        subprocess.Popen(command, stdout=output, stderr=errors, text=True, env=environment)
    )
    stack.callback(process.kill)
    return Running(process, output, errors)


def check_numbers(found: list[Any], expected: list[Any]) -> None:
    """Sums are taken in another order, and no more."""
    assert len(found) == len(expected) == 9
    for a, b in zip(found, expected, strict=True):
        size = float(np.max(np.abs(b)))
        assert size > 0
        np.testing.assert_allclose(a, b, rtol=0, atol=2e-5 * size)

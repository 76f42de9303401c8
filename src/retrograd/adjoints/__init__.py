"""Adjoints: how the sweep gets the state of step t back from the state of step t + 1."""

from retrograd.adjoints.adjoint import Adjoint, Dynamics, Memory, Snapshot, bytes_of
from retrograd.adjoints.auto import Auto
from retrograd.adjoints.checkpointed import Checkpointed
from retrograd.adjoints.coded import Coded
from retrograd.adjoints.reverse_models import (
    Linear,
    Nothing,
    OnlineLinear,
    OptimizerInverse,
    ReverseModel,
    Straight,
)
from retrograd.adjoints.reversible import Reversible
from retrograd.adjoints.stored import Stored
from retrograd.adjoints.straight_line import StraightLine
from retrograd.adjoints.truncated import Truncated

__all__ = [
    "Adjoint",
    "Auto",
    "Checkpointed",
    "Coded",
    "Dynamics",
    "Linear",
    "Memory",
    "Nothing",
    "OnlineLinear",
    "OptimizerInverse",
    "ReverseModel",
    "Reversible",
    "Snapshot",
    "Stored",
    "Straight",
    "StraightLine",
    "Truncated",
    "bytes_of",
]

ADJOINTS = (Auto, Checkpointed, Coded, Reversible, Stored, StraightLine, Truncated)

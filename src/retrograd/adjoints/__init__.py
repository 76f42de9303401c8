"""Adjoints: how the sweep gets the state of step t back from the state of step t + 1."""

from retrograd.adjoints.adjoint import Adjoint, Dynamics, Memory, Snapshot, bytes_of
from retrograd.adjoints.reversible import Reversible
from retrograd.adjoints.stored import Stored
from retrograd.adjoints.stored import Stored as Checkpointed

__all__ = ["Adjoint", "Dynamics", "Memory", "Reversible", "Snapshot", "Stored", "bytes_of"]

ADJOINTS = (Reversible, Stored)

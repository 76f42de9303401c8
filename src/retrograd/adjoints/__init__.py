"""Adjoints: how the sweep gets the state of step t back from the state of step t + 1."""

from retrograd.adjoints.adjoint import Adjoint, Memory
from retrograd.adjoints.reversible import Reversible
from retrograd.adjoints.stored import Stored

__all__ = ["Adjoint", "Memory", "Reversible", "Stored"]

ADJOINTS = (Reversible, Stored)

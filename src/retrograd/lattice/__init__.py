"""The lattice: integers on which shrinking and adding are exactly reversible.

Start with the README of this folder.
"""

from __future__ import annotations

from retrograd.lattice.decays import Decays as Decays
from retrograd.lattice.decays import period as period
from retrograd.lattice.factors import rational as rational
from retrograd.lattice.fingerprint import checksum as checksum
from retrograd.lattice.fingerprint import fingerprint as fingerprint
from retrograd.lattice.fixed_point import FixedPoint as FixedPoint
from retrograd.lattice.increments import Increments as Increments
from retrograd.lattice.information_buffer import InformationBuffer as InformationBuffer
from retrograd.lattice.layout import Layout as Layout
from retrograd.lattice.losses import Losses as Losses
from retrograd.lattice.workspace import Workspace as Workspace

__all__ = [
    "Decays",
    "FixedPoint",
    "Increments",
    "InformationBuffer",
    "Layout",
    "Losses",
    "Workspace",
    "checksum",
    "fingerprint",
    "period",
    "rational",
]

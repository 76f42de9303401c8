"""The lattice: integers on which shrinking and adding are exactly reversible.

Start with the README of this folder.
"""

from __future__ import annotations

from retrograd.lattice.factors import rational as rational
from retrograd.lattice.fingerprint import checksum as checksum
from retrograd.lattice.fingerprint import fingerprint as fingerprint
from retrograd.lattice.fixed_point import FixedPoint as FixedPoint
from retrograd.lattice.information_buffer import InformationBuffer as InformationBuffer
from retrograd.lattice.layout import Layout as Layout
from retrograd.lattice.losses import Losses as Losses

__all__ = [
    "FixedPoint",
    "InformationBuffer",
    "Layout",
    "Losses",
    "checksum",
    "fingerprint",
    "rational",
]

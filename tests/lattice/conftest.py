"""The module that the tests of this folder share lies beside them, and is found there."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

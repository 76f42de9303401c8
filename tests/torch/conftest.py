"""These tests need PyTorch, an extra; they share a problem with each other."""

import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
sys.path.insert(0, str(Path(__file__).parent))

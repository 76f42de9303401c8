"""These tests need JAX."""

from __future__ import annotations

import pytest

pytest.importorskip("jax")

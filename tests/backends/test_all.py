"""The backend passes the tests that those of other array libraries must pass."""

from __future__ import annotations

from retrograd.backends import NumpyBackend
from retrograd.testing import check_backend


def test_numpy() -> None:
    check_backend(NumpyBackend())

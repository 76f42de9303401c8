"""Lists that hold a traced number beside something that is none end in an error."""

from __future__ import annotations

from typing import Any

import pytest

import retrograd as rg
import retrograd.numpy as rnp
from retrograd.errors import ArgumentError


@pytest.mark.parametrize(
    "made",
    [
        lambda x: rnp.array([x, {"a": 1}]),
        lambda x: rnp.stack([x, object()]),
        lambda x: rnp.concatenate([[x], [{"a": 1}]]),
    ],
    ids=["array", "stack", "concatenate"],
)
def test_what_is_no_number_is_named(made: Any) -> None:
    with pytest.raises(ArgumentError, match="beside traced numbers"):
        rg.grad(lambda x: made(x)[0])(1.0)

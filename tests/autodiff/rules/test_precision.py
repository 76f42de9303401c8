"""Functions that stand for NumPy's without a rule of their own keep single precision too."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd import tree
from retrograd.autodiff.primitive import REGISTRY, Primitive
from retrograd.testing.samples import Sample

_ROOMS = (
    "convolution", "diagonals", "einsum", "joining", "lengths", "padding", "piecewise", "products",
    "shapes",
)  # fmt: skip

CASES = [
    pytest.param(function, sample, id=f"{function.__name__}-{i}")
    for room in _ROOMS
    for function, some in import_module(f"retrograd.testing.samples.{room}").SAMPLES.items()
    if not isinstance(REGISTRY[function], Primitive)
    for i, sample in enumerate(some)
]


def _single(x: Any) -> Any:
    return x.astype(np.float32) if getattr(x, "dtype", None) == np.float64 else x


@pytest.mark.parametrize(("function", "sample"), CASES)
def test_single_precision_stays(function: Any, sample: Sample) -> None:
    inputs = sample.inputs(np.float32)
    args, kwargs = sample.filled(inputs)
    args = [_single(a) for a in args]
    plain = tree.leaves(function(*args, **kwargs))
    call = Sample(tuple(args), kwargs, sample.traced).closed(REGISTRY[function])
    value, pullback = rg.vjp(call, *inputs)
    assert [np.result_type(v) for v in tree.leaves(value)] == [np.result_type(v) for v in plain]
    cotangents = tree.map(lambda v: np.ones_like(v, shape=np.shape(v)), value)
    tangents = tree.leaves(rg.jvp(call, inputs, inputs)[1])
    assert [np.result_type(t) for t in tangents] == [np.result_type(v) for v in plain]
    for x, g in zip(tree.leaves(inputs), tree.leaves(pullback(cotangents)), strict=True):
        assert g.dtype == np.float32
        assert np.shape(g) == np.shape(x)

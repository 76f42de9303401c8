"""Sine and cosine transforms: every type, norm and inverse, against their own matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.fft as sf

import retrograd.scipy.fft as rft
from retrograd import grad, jvp, vjp
from retrograd.errors import MissingRuleError
from retrograd.testing.samples.sample import array


@pytest.mark.parametrize("name", ["dct", "idct", "dst", "idst"])
@pytest.mark.parametrize("kind", [1, 2, 3, 4])
@pytest.mark.parametrize("norm", [None, "backward", "ortho", "forward"])
@pytest.mark.parametrize(("length", "n"), [(5, None), (4, None), (5, 3), (4, 6)])
def test_transforms_are_their_own_derivatives(
    name: str, kind: int, norm: Any, length: int, n: Any
) -> None:
    def ours(x: Any) -> Any:
        return getattr(rft, name)(x, kind, n, norm=norm)

    matrix = np.stack([getattr(sf, name)(row, kind, n, norm=norm) for row in np.eye(length)], 1)
    value, pullback = vjp(ours, array(length))
    np.testing.assert_allclose(value, matrix @ array(length), atol=1e-14)
    rows = [pullback(row)[0] for row in np.eye(len(matrix))]
    np.testing.assert_allclose(np.stack(rows), matrix, atol=1e-14)
    columns = [jvp(ours, (array(length),), (row,))[1] for row in np.eye(length)]
    np.testing.assert_allclose(np.stack(columns, 1), matrix, atol=1e-14)


def test_refusals() -> None:
    with pytest.raises(MissingRuleError, match=r"dct.*orthogonalize=True"):
        grad(lambda x: rft.dct(x, orthogonalize=True)[0])(array(3))
    with pytest.raises(ValueError, match="type=7"):
        grad(lambda x: rft.dst(x, 7)[0])(array(3))
    with pytest.raises(MissingRuleError, match="plan="):
        grad(lambda x: np.abs(rft.fft(x, plan=None)[0]))(array(3))


def test_single_precision_is_kept() -> None:
    x = array(2, 4).astype(np.float32)
    for f in (rft.dct, rft.idstn, rft.fft, rft.hfft, rft.irfftn):
        value, pullback = vjp(f, x)
        assert value.dtype in (np.float32, np.complex64)
        assert pullback(np.ones_like(value))[0].dtype == np.float32

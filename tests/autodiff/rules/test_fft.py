"""Fourier transforms where it is special: halves, lengths, normalisations, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd.numpy.fft as rft
from retrograd import grad, jvp, vjp
from retrograd.errors import MissingRuleError
from retrograd.testing import check_grads
from retrograd.testing.samples.sample import CUBE, array

ft = np.fft


def jacobians(f: Any, x: Any) -> tuple[Any, Any]:
    """By columns (forward) and by rows (reverse) of a function of real vectors."""
    size = x.size
    columns = [jvp(f, (x,), (row.reshape(x.shape),))[1].ravel() for row in np.eye(size)]
    value, pullback = vjp(f, x)
    rows = [pullback(row.reshape(value.shape))[0].ravel() for row in np.eye(value.size)]
    return np.stack(columns, 1), np.stack(rows)


@pytest.mark.parametrize("norm", [None, "backward", "ortho", "forward"])
@pytest.mark.parametrize(("length", "n"), [(4, None), (5, None), (5, 3), (4, 7), (6, 4), (3, 6)])
def test_real_transforms_of_every_length_and_norm(length: int, n: Any, norm: Any) -> None:
    """The matrix itself: a linear function is its own derivative."""
    x = array(length)

    def parts(x: Any) -> Any:
        y = ft.rfft(x, n, norm=norm)
        return np.concatenate([np.real(y), np.imag(y)])

    matrix = np.stack([parts(row) for row in np.eye(length)], 1)
    for found in jacobians(parts, x):
        np.testing.assert_allclose(found, matrix, atol=1e-14)
    for inverse in (ft.irfft, ft.hfft):

        def back(z: Any, inverse: Any = inverse) -> Any:
            return inverse(z[:length] + 1j * z[length:], n, norm=norm)

        matrix = np.stack([back(row) for row in np.eye(2 * length)], 1)
        for found in jacobians(back, array(2 * length)):
            np.testing.assert_allclose(found, matrix, atol=1e-14)


def test_parseval() -> None:
    for x in (array(3, 4), array(3, 5), CUBE):
        g = grad(lambda x: np.sum(np.abs(ft.fftn(x, norm="ortho")) ** 2))(x)
        np.testing.assert_allclose(g, 2 * x, atol=1e-13)


def test_real_round_trip_of_odd_length() -> None:
    x = array(7)
    for f in (ft, rft):
        g = grad(lambda x, f=f: np.sum(f.irfft(f.rfft(x), 7) ** 2))(x)
        np.testing.assert_allclose(g, 2 * x, atol=1e-14)


def test_out_is_written() -> None:
    def f(x: Any) -> Any:
        out = x * (1 + 0j)
        ft.fft(x, out=out)
        return np.real(out[1])

    np.testing.assert_allclose(grad(f)(array(4)), [1, 0, -1, 0], atol=1e-15)


def test_frequencies_are_plain() -> None:
    x = array(5)
    g = grad(lambda x: np.sum(np.real(ft.fft(x) * 1j * ft.fftfreq(5))))(x)
    columns = [np.sum(np.real(ft.fft(row) * 1j * ft.fftfreq(5))) for row in np.eye(5)]
    np.testing.assert_allclose(g, columns, atol=1e-14)


def test_repeated_axes_are_refused() -> None:
    with pytest.raises(MissingRuleError, match="axis is repeated"):
        grad(lambda x: np.sum(np.real(ft.fftn(x, axes=(0, 0)))))(array(3, 2))


def test_unknown_normalisations_are_errors() -> None:
    for f in (ft.fft, ft.hfft):
        with pytest.raises(ValueError, match="sideways"):
            grad(lambda x, f=f: np.sum(np.real(f(x, norm="sideways"))))(array(3))


@pytest.mark.parametrize(
    "name", ["fft", "ifft", "rfft", "irfft", "hfft", "ihfft", "fft2", "irfftn"]
)
def test_single_precision_is_kept(name: str) -> None:
    x = array(3, 4).astype(np.float32)
    value, pullback = vjp(getattr(ft, name), x)
    assert value.dtype in (np.float32, np.complex64)
    assert pullback(np.ones_like(value))[0].dtype == np.float32
    assert jvp(getattr(ft, name), (x,), (x,))[1].dtype == value.dtype


# What Autograd has silently wrong.
@pytest.mark.parametrize("name", ["rfft", "irfft", "rfft2", "irfft2", "rfftn", "irfftn"])
@pytest.mark.parametrize("norm", ["backward", "forward"])
def test_real_transforms_with_an_explicit_norm(name: str, norm: str) -> None:
    x = CUBE + (0.5j * CUBE[::-1] if name.startswith("i") else 0)
    check_grads(lambda x: getattr(ft, name)(x, norm=norm), x)


@pytest.mark.parametrize("name", ["rfft", "rfftn", "ihfft"])
def test_real_transforms_of_odd_length(name: str) -> None:
    check_grads(getattr(ft, name), array(2, 5))

"""Every function that Autograd differentiates: the same value and gradient, by its own names.

The names are frozen here, with a call of each; where Autograd is wrong, or has another convention,
the tests of retrograd's own rules decide, and docs/migration.md says so.
"""

from __future__ import annotations

from typing import Any

import autograd
import autograd.core
import autograd.numpy
import autograd.scipy.integrate
import autograd.scipy.linalg
import autograd.scipy.signal
import autograd.scipy.special
import autograd.scipy.stats
import numpy as np
import pytest

import retrograd.compat.autograd as compat

X = np.array([0.3, 0.7, 1.1])
Y = np.array([1.2, 0.4, -0.9])
M = np.array([[0.31, 1.72, -0.84], [-1.13, 0.52, 0.67]])
N = np.array([[0.9, -0.35, 1.4], [0.22, 1.05, -0.6]])
S = np.array([[2.1, 0.3, -0.2], [0.4, 1.7, 0.5], [0.1, -0.6, 2.6]])
C = np.array([[[0.3, 1.1], [-0.7, 0.4]], [[1.9, -0.2], [0.8, 0.5]]])
Z = np.array([0.3 + 0.8j, -1.1 + 0.2j, 0.7 - 0.5j])
P = np.array([0.2, 0.5, 0.8])

UNARY = {
    "absolute": Y, "angle": Z, "arccos": P, "arccosh": X + 1, "arcsin": P, "arcsinh": X,
    "arctan": X, "arctanh": P, "conjugate": Z, "cos": X, "cosh": X, "deg2rad": X, "degrees": X,
    "exp": M, "exp2": X, "expm1": X, "fabs": Y, "imag": Z, "log": X, "log10": X, "log1p": X,
    "log2": X, "nan_to_num": Y, "negative": X, "rad2deg": X, "radians": X, "real": Z,
    "real_if_close": Z, "reciprocal": X, "sin": Z, "sinc": X, "sinh": X, "sqrt": X, "square": Y,
    "tan": X, "tanh": M,
    "amax": M, "amin": M, "max": M, "min": M, "mean": M, "prod": X, "std": M, "sum": M, "var": M,
    "cumsum": M, "diag": X, "fliplr": M, "flipud": M, "ravel": M, "rot90": M,
    "sort": Y, "squeeze": M[:, :1], "trace": S, "transpose": M, "tril": S, "triu": S,
    "atleast_1d": 0.7, "atleast_2d": X, "atleast_3d": X, "diff": Y, "gradient": np.append(Y, 0.4),
}  # fmt: skip
BINARY = {
    "add": (M, X), "arctan2": (X, Y), "cross": (X, Y), "divide": (M, X), "dot": (M, X),
    "fmax": (X, Y), "fmin": (X, Y), "hypot": (X, Y), "inner": (M, X), "kron": (M, N),
    "logaddexp": (X, Y), "logaddexp2": (X, Y), "matmul": (M, S), "maximum": (M, Y),
    "minimum": (M, Y), "multiply": (M, X), "outer": (X, Y), "power": (X, Y), "remainder": (Y, X),
    "subtract": (M, X), "tensordot": (S, S[:, :, None]),
}  # fmt: skip

# Calls by name: a function of the namespaces (np, or sp for SciPy's), and arguments.
Call = tuple[Any, tuple[Any, ...]]
NUMPY: dict[str, Call] = {
    **{name: (lambda np, x, name=name: getattr(np, name)(x), (x,)) for name, x in UNARY.items()},
    **{
        name: (lambda np, x, y, name=name: getattr(np, name)(x, y), args)
        for name, args in BINARY.items()
    },
    "array_split": (lambda np, x: np.array_split(x, 2)[0] * np.array_split(x, 2)[1][0], (Y,)),
    "astype": (lambda np, x: x.astype(float), (X,)),
    "broadcast_to": (lambda np, x: np.broadcast_to(x, (2, 3)), (M[:1],)),
    "clip": (lambda np, x: np.clip(x, 0.0, 1.0), (M,)),
    "diagonal": (lambda np, x: np.diagonal(x, axis1=-1, axis2=-2), (S,)),
    "dsplit": (lambda np, x: np.dsplit(x, 2)[1], (C,)),
    "einsum": (lambda np, x, y: np.einsum("ij,kj->ik", x, y), (M, N)),
    "expand_dims": (lambda np, x: np.expand_dims(x, 1), (X,)),
    "full": (lambda np, x: np.full((2, 3), x), (0.7,)),
    "hsplit": (lambda np, x: np.hsplit(x, 3)[1], (M,)),
    "linspace": (lambda np, x, y: np.linspace(x, y, 5), (0.3, 1.7)),
    "moveaxis": (lambda np, x: np.moveaxis(x, 0, 2), (C,)),
    "pad": (lambda np, x: np.pad(x, ((1, 0), (0, 2)), "constant"), (M,)),
    "partition": (lambda np, x: np.partition(x, 1), (Y,)),
    "repeat": (lambda np, x: np.repeat(x, 2, axis=1), (M,)),
    "reshape": (lambda np, x: np.reshape(x, (3, 2), order="F"), (M,)),
    "roll": (lambda np, x: np.roll(x, 1), (X,)),
    "rollaxis": (lambda np, x: np.rollaxis(x, 2), (C,)),
    "split": (lambda np, x: np.split(x, 3, axis=1)[2], (M,)),
    "swapaxes": (lambda np, x: np.swapaxes(x, 0, 2), (C,)),
    "tile": (lambda np, x: np.tile(x, (2, 1)), (X,)),
    "vsplit": (lambda np, x: np.vsplit(x, 2)[0], (M,)),
    "where": (lambda np, x, y: np.where(x > y, x * x, y), (X, Y)),
    "array_from_args": (lambda np, x: np.array([x[0], [x[1], x[2]][0]]), (X,)),
    "concatenate_args": (lambda np, x, y: np.concatenate([x, y, x]), (X, Y)),
    "_array_from_scalar_or_array": (lambda np, x: np.array(x), (X,)),
    "__getitem__": (lambda np, x: x[1:, [0, 2]], (M,)),
    "make_diagonal": (lambda np, x: np.diag(x), (X,)),
}
LINALG: dict[str, Call] = {
    "cholesky": (lambda np, x: np.linalg.cholesky(x @ x.T), (S,)),
    "det": (lambda np, x: np.linalg.det(x), (S,)),
    "eig": (lambda np, x: np.real(np.linalg.eig(x @ x.T)[0]) ** 3, (S,)),
    "eigh": (lambda np, x: np.linalg.eigh(x + x.T)[1] ** 2, (S,)),
    "inv": (lambda np, x: np.linalg.inv(x), (S,)),
    "norm": (lambda np, x: np.linalg.norm(x, axis=0), (M,)),
    "pinv": (lambda np, x: np.linalg.pinv(x), (M,)),
    "slogdet": (lambda np, x: np.linalg.slogdet(x)[1], (S,)),
    "solve": (lambda np, x, y: np.linalg.solve(x, y), (S, S[:, :2])),
    "svd": (lambda np, x: np.linalg.svd(x, full_matrices=False)[1], (S,)),
}
FFT: dict[str, Call] = {
    **{
        name: (lambda np, x, name=name: np.abs(getattr(np.fft, name)(x)), (x,))
        for name, x in {
            "fft": Z, "ifft": Z, "fft2": M, "ifft2": M, "fftn": M, "ifftn": M, "fftshift": M,
            "ifftshift": M, "rfft": np.append(X, 0.2), "irfft": Z, "rfft2": C, "irfft2": C,
            "rfftn": C, "irfftn": C,
        }.items()
    },
}  # fmt: skip
SPECIAL: dict[str, Call] = {
    **{
        name: (lambda sp, x, name=name: getattr(sp.special, name)(x), (x,))
        for name, x in {
            "erf": X, "erfc": X, "erfcinv": P, "erfinv": P, "expit": Y, "gamma": X, "gammaln": X,
            "gammasgn": Y, "i0": X, "i1": X, "j0": X, "j1": X, "logit": P, "logsumexp": M,
            "psi": X, "rgamma": X, "y0": X, "y1": X,
        }.items()
    },
    "beta": (lambda sp, x, y: sp.special.beta(x, y), (X, P)),
    "betaln": (lambda sp, x, y: sp.special.betaln(x, y), (X, P)),
    "betainc": (lambda sp, x: sp.special.betainc(1.2, 0.7, x), (P,)),
    "gammainc": (lambda sp, x: sp.special.gammainc(1.2, x), (X,)),
    "gammaincc": (lambda sp, x: sp.special.gammaincc(1.2, x), (X,)),
    "iv": (lambda sp, x: sp.special.iv(2, x), (X,)),
    "ive": (lambda sp, x: sp.special.ive(2, x), (X,)),
    "jv": (lambda sp, x: sp.special.jn(2, x), (X,)),
    "yn": (lambda sp, x: sp.special.yn(2, x), (X,)),
    "multigammaln": (lambda sp, x: sp.special.multigammaln(x, 2), (X + 1,)),
    "polygamma": (lambda sp, x: sp.special.polygamma(1, x), (X,)),
}  # fmt: skip
K = np.array([1, 3, 2])
STATS: dict[str, Call] = {
    **{
        f"beta.{name}": (lambda sp, x, name=name: getattr(sp.stats.beta, name)(x, 1.4, 2.3), (P,))
        for name in ("cdf", "logpdf", "pdf")
    },
    **{
        f"gamma.{name}": (lambda sp, x, name=name: getattr(sp.stats.gamma, name)(x, 1.4), (X,))
        for name in ("cdf", "logpdf", "pdf")
    },
    **{
        f"chi2.{name}": (lambda sp, x, name=name: getattr(sp.stats.chi2, name)(x, 3), (X,))
        for name in ("cdf", "logpdf", "pdf")
    },
    **{
        f"norm.{name}": (
            lambda sp, x, m, s, name=name: getattr(sp.stats.norm, name)(x, m, s),
            (Y, 0.2, 1.3),
        )
        for name in ("cdf", "logcdf", "logpdf", "logsf", "pdf", "sf")
    },
    **{
        f"poisson.{name}": (lambda sp, m, name=name: getattr(sp.stats.poisson, name)(K, m), (X,))
        for name in ("cdf", "logpmf", "pmf")
    },
    **{
        f"t.{name}": (
            lambda sp, x, m, s, name=name: getattr(sp.stats.t, name)(x, 3.2, m, s),
            (Y, 0.2, 1.3),
        )
        for name in ("logpdf", "pdf")
    },
    **{
        f"t.{name}": (lambda sp, x, name=name: getattr(sp.stats.t, name)(x, 3.2), (Y,))
        for name in ("cdf", "logcdf")
    },
    **{
        f"dirichlet.{name}": (
            lambda sp, a, name=name: getattr(sp.stats.dirichlet, name)(P / np.sum(P), a),
            (X,),
        )
        for name in ("logpdf", "pdf")
    },
    **{
        f"multivariate_normal.{name}": (
            lambda sp, x, m, s, name=name: getattr(sp.stats.multivariate_normal, name)(
                x, m, s @ s.T
            ),
            (Y, X, S),
        )
        for name in ("logpdf", "pdf")
    },
    "multivariate_normal.entropy": (
        lambda sp, s: sp.stats.multivariate_normal.entropy(X, s @ s.T),
        (S,),
    ),
}


def decay(y, t, rate):
    return -rate * y


OTHERS: dict[str, Call] = {
    "signal.convolve": (lambda sp, x, y: sp.signal.convolve(x, y, mode="full"), (X, Y)),
    "integrate.odeint": (
        lambda sp, y: sp.integrate.odeint(decay, y, np.array([0.0, 0.5, 1.0]), (0.7,)),
        (np.array([1.0, 2.0]),),
    ),
    "linalg.sqrtm": (lambda sp, x: sp.linalg.sqrtm(x @ x.T), (S,)),
    "linalg.solve_triangular": (
        lambda sp, x, y: sp.linalg.solve_triangular(x, y, lower=True),
        (S, X),
    ),
    "linalg.solve_sylvester": (
        lambda sp, x, y, z: sp.linalg.solve_sylvester(x, y, z),
        (S, S[:2, :2], N.T),
    ),
    "linalg.solve_banded": (
        lambda sp, x, y: sp.linalg.solve_banded((1, 1), x, y),
        (np.array([[0.0, 0.3, 0.2], [2.0, 1.5, 1.9], [0.4, 0.1, 0.0]]), X),
    ),
}
# Parts of Autograd's own engine, which no program calls.
INTERNAL = {
    "_make_dict", "container_take", "container_untake", "make_sequence", "sequence_extend_left",
    "sequence_extend_right", "add", "covector", "inner_prod", "mut_add", "scalar_mul", "sparse_add",
    "fixed_point", "truncate_pad", "dot_adjoint_0", "dot_adjoint_1", "tensordot_adjoint_0",
    "tensordot_adjoint_1", "untake",
}  # fmt: skip

ON_NUMPY = {
    **NUMPY,
    **{f"linalg.{name}": c for name, c in LINALG.items()},
    **{f"fft.{name}": c for name, c in FFT.items()},
}
ON_SCIPY = {
    **{f"special.{name}": c for name, c in SPECIAL.items()},
    **{f"stats.{name}": c for name, c in STATS.items()},
    **OTHERS,
}
CASES = [
    *(pytest.param("numpy", *c, id=name) for name, c in ON_NUMPY.items()),
    *(pytest.param("scipy", *c, id=name) for name, c in ON_SCIPY.items()),
]


# The last names of the functions that Autograd has a rule for, read before any test adds one.
DIFFERENTIATED = {
    getattr(f, "__name__", repr(f))
    for f in (getattr(f, "fun", f) for f in autograd.core.primitive_vjps)
}


def test_every_function_that_autograd_differentiates_is_here() -> None:
    frozen = {name.rpartition(".")[2] for name in [*ON_NUMPY, *ON_SCIPY]}
    assert DIFFERENTIATED - frozen - INTERNAL == set()


def scalar_of(library: Any, kind: str, call: Any) -> Any:
    """A number made of everything that the call returns; also of complex results."""
    namespace, xp = getattr(library, kind), library.numpy

    def scalar(*args: Any) -> Any:
        y = call(namespace, *args)
        plain = library.tracer.getval(y)
        weights = np.cos(np.arange(np.size(plain)) + 1.0).reshape(np.shape(plain))
        return xp.sum(weights * xp.real(y)) + 0.7 * xp.sum(weights**2 * xp.imag(y))

    return scalar


@pytest.mark.parametrize(("kind", "call", "args"), CASES)
def test_value_and_gradient_are_autograds(kind: str, call: Any, args: tuple[Any, ...]) -> None:
    expected = call(getattr(autograd, kind), *args)
    np.testing.assert_allclose(call(getattr(compat, kind), *args), expected, rtol=1e-12)
    argnums = tuple(range(len(args)))
    found, theirs = (
        library.grad(scalar_of(library, kind, call), argnums)(*args)
        for library in (compat, autograd)
    )
    for a, b, x in zip(found, theirs, args, strict=True):
        assert np.shape(a) == np.shape(x)
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(("kind", "call", "args"), CASES)
def test_forward_mode_agrees_with_reverse(kind: str, call: Any, args: tuple[Any, ...]) -> None:
    scalar, argnums = scalar_of(compat, kind, call), tuple(range(len(args)))
    gradient = compat.grad(scalar, argnums)(*args)
    along = tuple(np.cos(3.0 * np.asarray(x)).astype(np.result_type(x))[()] for x in args)
    _, tangent = compat.make_jvp(scalar, argnums)(*args)(along)
    paired = sum(np.sum(np.real(g * v)) for g, v in zip(gradient, along, strict=True))
    np.testing.assert_allclose(tangent, paired, rtol=1e-5, atol=1e-9)

"""scipy.special where it is special: limits, tails, kinks, refusals, precision."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.special as sc

import retrograd.numpy as rnp
from retrograd import elementwise_grad, grad, jvp, vjp
from retrograd.errors import InterceptionError, MissingRuleError
from retrograd.scipy import special
from retrograd.testing import check_grads

AUTOGRADS = (
    "beta", "betainc", "betaln", "polygamma", "psi", "digamma", "gamma", "gammaln", "gammainc",
    "gammaincc", "gammasgn", "rgamma", "multigammaln", "j0", "y0", "j1", "y1", "jn", "yn", "i0",
    "i1", "iv", "ive", "erf", "erfc", "erfinv", "erfcinv", "logit", "expit", "logsumexp",
)  # fmt: skip


def slope(f: Any, x: float) -> float:
    """The first derivative by both modes, which agree."""
    reverse = grad(f)(x)
    forward = jvp(f, (x,), (1.0,))[1]
    np.testing.assert_allclose(reverse, forward, rtol=1e-12)
    return float(reverse)


def test_names() -> None:
    assert set(dir(sc)) <= set(dir(special))
    for name in AUTOGRADS:
        assert getattr(special, name) is not getattr(sc, name)
    assert special.ellip_harm is sc.ellip_harm  # without a rule: SciPy's own
    with pytest.raises(AttributeError):
        _ = special.no_such_function


def test_plain_values_give_scipys_results() -> None:
    x = np.array([0.3, 1.2], np.float32)
    for name in ("gamma", "erf", "logsumexp", "softmax", "airy", "lambertw", "zeta", "polygamma"):
        args = (2, x) if name in ("zeta", "polygamma") else (x,)
        found, expected = getattr(special, name)(*args), getattr(sc, name)(*args)
        np.testing.assert_array_equal(found, expected)
        assert np.asarray(found).dtype == np.asarray(expected).dtype


def test_scipys_ufuncs_find_their_rules_without_help() -> None:
    program = "import scipy.special as sc, retrograd as rg; print(rg.grad(sc.gammaln)(1.0))"
    result = subprocess.run(  # a fresh interpreter: nobody has imported the rules
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    np.testing.assert_allclose(float(result.stdout), -np.euler_gamma, rtol=1e-12)


def test_scipys_python_functions_refuse_traced_values() -> None:
    for f in (sc.softmax, sc.logsumexp):
        with pytest.raises((InterceptionError, MissingRuleError)):
            grad(lambda x, f=f: np.sum(f(x)))(np.ones(2))


@pytest.mark.parametrize("name", ["erf", "gamma", "expit", "log_ndtr", "xlogy", "stdtr", "boxcox"])
def test_float32_stays(name: str) -> None:
    x = np.array([0.4, 1.3], np.float32)
    args = (x, x[::-1] + 1) if getattr(sc, name).nin == 2 else (x,)
    value, pullback = vjp(getattr(sc, name), *args)
    assert value.dtype == np.float32
    assert all(g.dtype == np.float32 for g in pullback(np.ones_like(value)))
    assert jvp(getattr(sc, name), args, args)[1].dtype == np.float32


def test_limits_at_zero() -> None:
    assert slope(lambda x: sc.xlogy(x, 2.0), 0.0) == pytest.approx(math.log(2))
    assert slope(lambda y: sc.xlogy(0.0, y), 0.0) == 0
    assert slope(lambda y: sc.xlog1py(0.0, y), -1.0) == 0
    assert slope(sc.entr, 0.0) == np.inf
    assert slope(sc.entr, -1.0) == 0  # outside the domain, a constant -inf
    assert slope(lambda y: sc.rel_entr(0.0, y), 0.5) == 0
    assert slope(lambda y: sc.kl_div(0.0, y), 0.5) == 1
    assert slope(lambda x: sc.rel_entr(x, -1.0), 0.5) == 0
    assert slope(sc.exprel, 0.0) == pytest.approx(0.5)
    assert slope(sc.spence, 1.0) == -1
    assert slope(sc.j1, 0.0) == 0.5
    assert slope(sc.i1, 0.0) == 0.5
    assert slope(lambda x: special.spherical_jn(1, x), 0.0) == pytest.approx(1 / 3)
    assert slope(lambda x: sc.sici(x)[0], 0.0) == 1
    assert slope(sc.ellipk, 0.0) == pytest.approx(math.pi / 8)
    assert slope(lambda m: sc.ellipkinc(0.5, m), 0.0) == pytest.approx((0.5 - math.sin(1) / 2) / 4)
    assert slope(lambda x: sc.pseudo_huber(1.0, x), 0.0) == 0
    assert slope(lambda d: sc.pseudo_huber(d, 0.0), 0.0) == 0
    assert slope(lambda x: sc.boxcox(2.0, x), 0.0) == pytest.approx(math.log(2) ** 2 / 2)
    assert slope(lambda x: sc.boxcox(0.0, x), 2.0) == pytest.approx(1 / 4)
    assert slope(lambda x: sc.inv_boxcox(2.0, x), 0.0) == pytest.approx(-2 * math.exp(2))


def test_at_the_poles_of_gamma() -> None:
    # 1/gamma has zeros there, with slopes (-1)^n n!.
    found = elementwise_grad(sc.rgamma)(np.array([0.0, -1.0, -2.0, -3.0]))
    np.testing.assert_allclose(found, [1, -1, 2, -6])
    assert slope(lambda z: sc.poch(z, 3.0), -1.0) == pytest.approx(-1)  # z (z+1) (z+2)
    assert slope(lambda z: sc.poch(z, 2.0), -3.0) == pytest.approx(-5)  # z (z+1)
    assert slope(lambda n: sc.binom(n, 3.0), 1.0) == pytest.approx(-1 / 6)  # n (n-1) (n-2) / 6
    for f, x in ((lambda z: sc.poch(z, 2.5), -2.0), (lambda n: sc.binom(n, 5.0), 3.0)):
        check_grads(f, x)
    check_grads(lambda k: sc.binom(5.0, k), np.array([6.0, -1.0, 2.5]))


def test_far_in_the_tails() -> None:
    assert slope(sc.log_ndtr, -1e5) == pytest.approx(1e5, rel=1e-9)
    assert slope(grad(sc.log_ndtr), -1e3) == pytest.approx(-1 + 1e-6, rel=1e-9)
    assert slope(sc.log_ndtr, 40.0) == 0  # exp(-800) underflows
    assert slope(sc.erfcx, 1e6) == pytest.approx(-1e-12 / math.sqrt(math.pi), rel=1e-11)
    assert slope(sc.erfcx, 1e200) == 0
    assert slope(sc.dawsn, -1e4) == pytest.approx(-5e-9, rel=1e-7)
    assert slope(sc.expit, 800.0) == 0
    assert slope(sc.log_expit, -800.0) == 1
    assert slope(sc.expit, 40.0) == pytest.approx(math.exp(-40), rel=1e-12)
    assert slope(sc.ellipkm1, 1e-12) == pytest.approx(-0.5e12, rel=1e-9)
    assert slope(sc.ndtri_exp, -1e4) == pytest.approx(1 / grad(sc.log_ndtr)(sc.ndtri_exp(-1e4)))


def test_continuous_where_formulas_change() -> None:
    eps = 1e-9
    for f, x in ((sc.erfcx, 20.0), (sc.dawsn, 20.0), (sc.ellipk, 0.25), (sc.ellipe, -0.25),
                 (sc.spence, 0.95), (sc.log_ndtr, 0.0), (sc.rgamma, 0.5)):  # fmt: skip
        for g in (grad(f), grad(grad(f))):
            np.testing.assert_allclose(g(x - eps), g(x + eps), rtol=3e-8)


def test_sums_of_exponentials() -> None:
    x = np.array([[1000.0, 1000.0, -1000.0], [-np.inf, 2.0, 2.0]])
    np.testing.assert_allclose(
        grad(lambda x: np.sum(special.logsumexp(x, axis=1)))(x), [[0.5, 0.5, 0], [0, 0.5, 0.5]]
    )
    for f in (special.softmax, special.log_softmax):
        found = grad(lambda x, f=f: np.sum(f(x, axis=-1) * np.array([1.0, 2.0, 0.0])))(x)
        assert np.all(np.isfinite(found))
    np.testing.assert_array_equal(
        grad(lambda x: special.logsumexp(x, b=np.array([1.0, 0.0])))(np.array([1.0, np.inf])),
        [1, 0],
    )


def test_logsumexp_with_weights_and_signs() -> None:
    x, b = np.array([0.3, 1.2, -0.4]), np.array([0.5, -2.0, 1.0])
    (value, sign), pullback = vjp(lambda x, b: special.logsumexp(x, b=b, return_sign=True), x, b)
    total = np.sum(b * np.exp(x))
    np.testing.assert_allclose((value, sign), sc.logsumexp(x, b=b, return_sign=True))
    in_x, in_b = pullback((1.0, 0.0))
    np.testing.assert_allclose(in_x, b * np.exp(x) / total)
    np.testing.assert_allclose(in_b, np.exp(x) / total)
    # A sum of zero: value -inf, derivative 0. A negative one has no logarithm.
    zero = grad(lambda x: special.logsumexp(x, b=np.array([1.0, -1.0]), return_sign=True)[0])
    np.testing.assert_array_equal(zero(np.ones(2)), [0, 0])
    assert np.isnan(vjp(lambda x: special.logsumexp(x, b=b), x)[0])
    value, pullback = vjp(
        lambda x: special.logsumexp(x, b=2.0, keepdims=True), x.astype(np.float32)
    )
    assert value.shape == (1,)
    assert pullback(value)[0].dtype == np.float32


def test_outputs_apart() -> None:
    def wronskian(x: Any) -> Any:  # constant: Ai Bi' - Ai' Bi = 1/pi
        ai, aip, bi, bip = sc.airy(x)
        return ai * bip - aip * bi

    assert abs(grad(wronskian)(0.7)) < 1e-15
    assert slope(lambda x: sc.airye(x)[2], -1.3) == pytest.approx(sc.airy(-1.3)[3])
    assert slope(lambda u: sc.ellipj(u, 0.0)[0], 0.3) == pytest.approx(math.cos(0.3))
    assert slope(lambda x: sc.fresnel(x)[1], 0.0) == 1


def test_exponential_integrals_of_low_order() -> None:
    third = grad(grad(grad(lambda x: sc.expn(1, x))))(1.3)
    assert third == pytest.approx(-np.exp(-1.3) * (1 / 1.3 + 2 / 1.3**2 + 2 / 1.3**3))


def test_losses() -> None:
    r = np.array([-3.0, -0.5, 0.0, 0.5, 3.0])
    np.testing.assert_array_equal(
        elementwise_grad(lambda r: sc.huber(1.0, r))(r), [-1, -0.5, 0, 0.5, 1]
    )
    np.testing.assert_array_equal(
        elementwise_grad(lambda d: sc.huber(d, r))(np.ones(5)), [2, 0, 0, 0, 2]
    )
    np.testing.assert_array_equal(elementwise_grad(lambda r: sc.huber(-1.0, r))(r), 0 * r)


@pytest.mark.parametrize(
    ("f", "words"),
    [
        (lambda x: sc.jv(x, 1.0), "jv: .* the order"),
        (lambda x: special.polygamma(x, 1.0), "polygamma: .* n"),
        (lambda x: special.zeta(x), "zeta: .* x"),
        (lambda x: special.zeta(x, 2.0), "zeta: .* x"),
        (lambda x: sc.hyp2f1(x, 1.0, 2.0, 0.3), "hyp2f1: .* a"),
        (lambda x: sc.eval_legendre(x, 0.3), "eval_legendre: .* n"),
        (lambda x: sc.eval_jacobi(2, x, 0.2, 0.3), "eval_jacobi: .* parameter"),
        (lambda x: sc.pdtr(x, 1.0), "pdtr: .* k"),
        (lambda x: sc.pdtrc(x, 1.0), "pdtrc: .* k"),
        (lambda x: special.lambertw(0.3, x).real, "lambertw: .* k"),
    ],
)  # fmt: skip
def test_refusals_name_function_and_argument(f: Any, words: str) -> None:
    with pytest.raises(MissingRuleError, match=words):
        grad(f)(2.0)


def test_scaled_functions_refuse_complex_arguments() -> None:
    z = np.array([0.3 + 0.2j])
    for f in (lambda z: sc.ive(1, z), lambda z: sc.jve(1, z), lambda z: sc.airye(z)[0]):
        with pytest.raises(MissingRuleError, match="not holomorphic"):
            vjp(f, z)[1](z)


def test_as_a_program_would() -> None:
    # The negative log likelihood of counts, its gradient known in closed form.
    k = np.array([0.0, 3.0, 2.0])

    def loss(log_rate: Any) -> Any:
        rate = rnp.exp(log_rate)
        return rnp.sum(rate - special.xlogy(k, rate) + special.gammaln(k + 1))

    np.testing.assert_allclose(grad(loss)(np.zeros(3)), 1 - k)


def symmetric_at(f: Any, x: float, y: float) -> float:
    """A mixed second derivative, which both orders of differentiation give."""
    first = grad(lambda y: grad(f, 0)(x, y))(y)
    np.testing.assert_allclose(grad(lambda x: grad(f, 1)(x, y))(x), first, rtol=1e-10)
    return first


@pytest.mark.parametrize("t", [0.0, 1e-300, -1e-9, 1e-4, 0.49999, 0.50001, 3.0])
def test_student_in_its_degrees_of_freedom_near_the_middle(t: float) -> None:
    df = 4.2
    density = np.exp(sc.gammaln(df / 2 + 0.5) - sc.gammaln(df / 2)) / np.sqrt(np.pi * df)
    density *= (1 + t * t / df) ** (-df / 2 - 0.5)
    in_df = 0.5 * (sc.psi(df / 2 + 0.5) - sc.psi(df / 2) - 1 / df - np.log1p(t * t / df))
    in_df += 0.5 * (df + 1) * t * t / (df * (df + t * t))
    np.testing.assert_allclose(symmetric_at(sc.stdtr, df, t), density * in_df, rtol=1e-9)


def test_densities_have_derivatives_at_the_ends() -> None:
    """Of the incomplete gamma and beta functions: second derivatives, finite or infinite."""
    for a, expected in ((1.0, -1.0), (2.0, 1.0), (3.0, 0.0)):
        assert grad(grad(lambda x, a=a: sc.gammainc(a, x)))(0.0) == expected
    for a, expected in ((1.0, -2.0), (2.0, 6.0), (3.0, 0.0)):
        found = grad(grad(lambda x, a=a: sc.betainc(a, 2.0, x)))(0.0)
        np.testing.assert_allclose(found, expected)
        turned = grad(grad(lambda x, a=a: sc.betainc(2.0, a, x)))(1.0)
        np.testing.assert_allclose(turned, -expected)
    np.testing.assert_allclose(symmetric_at(lambda a, x: sc.betainc(a, 1.0, x), 2.0, 1.0), 1.0)
    for a in (1.5, 2.0, 3.0):
        assert symmetric_at(sc.gammainc, a, 0.0) == 0.0
        assert symmetric_at(lambda a, x: sc.betainc(a, 2.0, x), a, 0.0) == 0.0
    assert grad(lambda x: grad(sc.gammainc, 0)(1.0, x))(0.0) == -np.inf


def test_polynomials_refuse_their_degree_also_at_zero() -> None:
    with pytest.raises(MissingRuleError, match=r"eval_legendre: .* with respect to n"):
        grad(lambda n: grad(lambda x: sc.eval_legendre(n, x))(0.3))(0.0)


def test_nothing_overflows_far_out() -> None:
    for f in (sc.erf, sc.erfc, sc.ndtr, sc.log_ndtr, special.erfcx):
        for x in (np.float64(1e200), np.array([1e300, 1e200]), np.full(2, 1e30, np.float32)):
            np.testing.assert_array_equal(elementwise_grad(f)(x), 0)


def test_python_numbers_divide_by_zero_as_numpys_do() -> None:
    with np.errstate(divide="ignore", invalid="ignore"):
        assert grad(sc.logit)(0.0) == np.inf
        assert grad(sc.xlogy, 1)(1.0, 0.0) == np.inf
        assert grad(sc.log1p)(-1.0) == np.inf
        assert grad(grad(sc.log1p))(-1.0) == -np.inf

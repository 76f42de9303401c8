"""scipy.stats: supports, limits, refusals, frozen distributions, vectors."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest
import scipy.special as sc
import scipy.stats as st

from retrograd import elementwise_grad, grad, jacobian, jvp, vjp
from retrograd.autodiff.primitive import REGISTRY
from retrograd.errors import InterceptionError, MissingRuleError
from retrograd.scipy import special, stats
from retrograd.testing import check_grads
from retrograd.testing.samples import samples

SAMPLES = samples("scipy")
# Families and methods of Autograd, and how they are called.
AUTOGRADS = {
    "norm": "pdf cdf sf logpdf logcdf logsf",
    "t": "pdf cdf logpdf logcdf",
    "beta": "pdf cdf logpdf",
    "gamma": "pdf cdf logpdf",
    "chi2": "pdf cdf logpdf",
    "poisson": "pmf cdf logpmf",
    "dirichlet": "pdf logpdf",
    "multivariate_normal": "pdf logpdf entropy",
}


def test_names() -> None:
    assert set(dir(st)) <= set(dir(stats))
    for family, methods in AUTOGRADS.items():
        for method in methods.split():
            assert getattr(st, family).__getattribute__(method) in REGISTRY
            assert callable(getattr(getattr(stats, family), method))
    assert stats.norm is stats.norm
    assert stats.norm.name == "norm"
    assert "logpdf" in dir(stats.norm)
    assert stats.zscore is st.zscore
    assert stats.rv_continuous is st.rv_continuous
    with pytest.raises(AttributeError):
        _ = stats.norm.no_such_method


def test_plain_values_go_to_scipy() -> None:
    x = np.array([0.3, -2.0])
    np.testing.assert_array_equal(stats.norm.logpdf(x, scale=2), st.norm.logpdf(x, scale=2))
    np.testing.assert_array_equal(stats.norm(1, 2).cdf(x), st.norm(1, 2).cdf(x))
    np.testing.assert_array_equal(
        stats.norm(1, 2).rvs(3, random_state=1), st.norm(1, 2).rvs(3, random_state=1)
    )
    assert stats.norm.fit(x) == st.norm.fit(x)
    assert stats.gamma(2.0).mean() == st.gamma(2.0).mean()
    assert stats.zipf(2.0).pmf(3) == st.zipf(2.0).pmf(3)
    assert stats.norm(1).support() == (-np.inf, np.inf)


def test_copies() -> None:
    assert copy.copy(stats.norm).name == "norm"
    frozen = copy.deepcopy(stats.norm(1.0))
    assert frozen.logpdf(1.0) == st.norm.logpdf(0.0)
    assert pickle.loads(pickle.dumps(stats.norm)).cdf(0.0) == 0.5


# What Autograd has wrong: zero wherever the degrees of freedom are no integer.
@pytest.mark.parametrize("df", [2.5, 3.0, 0.7])
def test_chi2_at_any_degrees_of_freedom(df: float) -> None:
    for x in (0.4, 3.1):
        found = grad(stats.chi2.logpdf, (0, 1))(x, df)
        expected = ((df / 2 - 1) / x - 0.5, 0.5 * (np.log(x / 2) - sc.psi(df / 2)))
        np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("keywords", [{}, {"loc": 0.3}, {"scale": 2.0, "loc": -0.2}])
def test_keywords_may_be_traced(keywords: dict[str, float]) -> None:
    for family, shapes in ((stats.norm, {}), (stats.gamma, {"a": 1.7}), (stats.t, {"df": 3.0})):
        everything = {"x": 1.3, **shapes, **keywords}
        gradient = grad(lambda p, f=family: f.logpdf(**p))(everything)
        assert gradient.keys() == everything.keys()
        check_grads(lambda p, f=family: f.logpdf(**p), everything, order=1)


OUTSIDE = [
    (stats.expon, (), -1.0), (stats.uniform, (), 1.5), (stats.gamma, (1.7,), -0.5),
    (stats.beta, (1.5, 2.5), 1.5), (stats.beta, (1.5, 2.5), -0.5), (stats.lognorm, (0.7,), -1.0),
    (stats.pareto, (2.0,), 0.5), (stats.halfnorm, (), -1.0), (stats.rayleigh, (), -0.1),
    (stats.weibull_min, (1.4,), -2.0), (stats.f, (3.0, 4.0), -1.0), (stats.chi2, (2.5,), -1.0),
    (stats.invgamma, (2.5,), -1.0), (stats.halfcauchy, (), -1.0), (stats.invgamma, (2.5,), 0.0),
    (stats.gamma, (2.5,), 0.0), (stats.beta, (0.5, 0.5), 1.0), (stats.lognorm, (0.7,), 0.0),
]  # fmt: skip


@pytest.mark.parametrize(("family", "shapes", "x"), OUTSIDE)
def test_outside_the_support(family: Any, shapes: Any, x: float) -> None:
    arguments = (x, *shapes, 0.0, 1.0)
    everything = tuple(range(len(arguments)))
    for name in ("pdf", "logpdf", "cdf", "logcdf", "sf", "logsf"):
        method, original = getattr(family, name), getattr(family.original, name)
        value, pullback = vjp(method, *arguments)
        np.testing.assert_array_equal(value, original(*arguments))
        np.testing.assert_array_equal(pullback(1.0), 0.0)
        assert jvp(method, arguments, arguments)[1] == 0
    # Beside others that are inside, these do not spoil anything.
    inside = family.original.ppf(0.3, *shapes)
    alone = grad(family.logpdf, everything)(inside, *arguments[1:])

    def beside(x: Any, *rest: Any) -> Any:
        return family.logpdf(np.stack([0 * x + arguments[0], x]), *rest)[1]

    np.testing.assert_allclose(grad(beside, everything)(inside, *arguments[1:]), alone)


def test_on_the_edge_of_the_support() -> None:
    # A density that is finite there depends on the scale.
    np.testing.assert_allclose(
        grad(stats.expon.logpdf, (0, 1, 2))(0.0, 0.0, 2.0), (-0.5, 0.5, -0.5)
    )
    np.testing.assert_allclose(grad(stats.uniform.logpdf, 2)(1.0, 0.0, 1.0), -1.0)
    np.testing.assert_allclose(grad(stats.gamma.logpdf)(0.0, 1.0), -1.0)


def test_invalid_parameters_give_nan() -> None:
    value, pullback = vjp(stats.norm.logpdf, np.array([0.5, 1.0]), 0.0, np.array([-1.0, 1.0]))
    in_x, _, in_scale = pullback(np.array([1.0, 0.0]))
    assert np.isnan(value[0])
    assert np.isnan(in_x[0])
    assert np.isnan(in_scale[0])
    assert in_x[1] == 0
    assert np.isnan(grad(stats.gamma.cdf, 1)(1.0, -1.0))


def test_far_in_the_tails() -> None:
    np.testing.assert_allclose(grad(stats.norm.logcdf)(-1e3), 1e3 + 1e-3, rtol=1e-9)
    np.testing.assert_allclose(grad(stats.norm.logsf)(1e3), -1e3 - 1e-3, rtol=1e-9)
    np.testing.assert_allclose(grad(stats.logistic.logcdf)(-800.0), 1.0)
    np.testing.assert_allclose(grad(stats.norm.cdf)(9.0), st.norm.pdf(9.0))
    np.testing.assert_allclose(grad(stats.expon.sf)(300.0), -np.exp(-300.0))
    np.testing.assert_allclose(grad(stats.norm.isf)(1e-200), -1 / st.norm.pdf(st.norm.isf(1e-200)))
    assert grad(stats.norm.pdf)(50.0) == 0


def test_quantiles_undo_distribution_functions() -> None:
    families = (
        (stats.norm, ()), (stats.gamma, (1.7,)), (stats.beta, (0.7, 2.0)), (stats.t, (3.5,)),
        (stats.f, (3.0, 4.5)), (stats.cauchy, ()), (stats.laplace, ()),
    )  # fmt: skip
    for family, shapes in families:
        for there, back in (("ppf", "cdf"), ("isf", "sf")):

            def round_trip(
                q: Any, *rest: Any, f: Any = family, t: str = there, b: str = back
            ) -> Any:
                return getattr(f, b)(getattr(f, t)(q, *rest), *rest)

            arguments = (0.3, *shapes, 0.4, 1.7)
            found = grad(round_trip, tuple(range(len(arguments))))(*arguments)
            np.testing.assert_allclose(found, [1.0, *[0.0] * (len(arguments) - 1)], atol=1e-9)
    for q in (0.0, 1.0):
        assert grad(stats.norm.ppf)(q) == 0  # infinite there


def test_infinite_degrees_of_freedom_are_normal() -> None:
    df = np.array([np.inf, 5.0])
    found = elementwise_grad(lambda x: stats.t.logpdf(x, df))(np.array([0.7, 0.7]))
    np.testing.assert_allclose(found, [-0.7, -0.7 * 6 / (5 + 0.49)])
    for name in ("logpdf", "cdf"):
        gradient = grad(lambda df, name=name: np.sum(getattr(stats.t, name)(0.7, df)))(df)
        assert gradient[0] == 0
        assert gradient[1] != 0


def test_float32_stays() -> None:
    x = np.array([0.3, 0.8], np.float32)
    for f in (lambda x: stats.norm.logpdf(x), lambda x: stats.gamma.logpdf(x, 2.0, scale=1.5),
              lambda x: stats.beta.cdf(x, 1.5, 2.0), lambda x: stats.t.ppf(x, 3.0),
              lambda x: stats.uniform.logpdf(x - 0.5), lambda x: stats.norm(x).std(),
              lambda x: stats.multivariate_normal.logpdf(x)):  # fmt: skip
        value, pullback = vjp(f, x)
        assert value.dtype == np.float32
        assert pullback(value)[0].dtype == np.float32
        assert jvp(f, (x,), (x,))[1].dtype == np.float32


def test_broadcasting() -> None:
    x, loc, scale = np.array([[0.1], [0.7]]), np.array([0.2, 0.3, 0.4]), 1.3
    gradients = grad(lambda *a: np.sum(stats.laplace.logpdf(*a)), (0, 1, 2))(x, loc, scale)
    assert [np.shape(g) for g in gradients] == [(2, 1), (3,), ()]
    assert grad(lambda x: np.sum(stats.norm.logpdf(x)))(np.zeros((0, 2))).shape == (0, 2)
    assert np.shape(grad(lambda x: np.sum(stats.norm.logpdf([x, 2 * x], [0.0, 1.0])))(0.3)) == ()


def test_counts_are_refused() -> None:
    for f, name in (
        (lambda k: stats.poisson.pmf(k, 2.0), "k"), (lambda n: stats.binom.logpmf(2, n, 0.3), "n"),
        (lambda loc: stats.geom.cdf(2, 0.3, loc), "loc"),
    ):  # fmt: skip
        with pytest.raises(MissingRuleError, match=f"with respect to {name}, a number of steps"):
            grad(f)(3.0)
    with pytest.raises(MissingRuleError, match="multinomial has no derivative with respect to n"):
        grad(lambda n: stats.multinomial.pmf([1, 2], n, [0.4, 0.6]))(3.0)


def test_discrete_outside_the_support() -> None:
    k = np.array([-1.0, 0.0, 2.0, 2.5, 7.0])
    value, pullback = vjp(lambda p: stats.binom.logpmf(k, 6, p), 0.3)
    np.testing.assert_allclose(value, st.binom.logpmf(k, 6, 0.3))
    np.testing.assert_allclose(pullback(np.ones(5))[0], -6 / 0.7 + 2 / 0.3 - 4 / 0.7)
    for name in ("cdf", "sf"):
        value, pullback = vjp(lambda p, name=name: getattr(stats.binom, name)(k, 6, p), 0.3)
        np.testing.assert_allclose(value, getattr(st.binom, name)(k, 6, 0.3))
        assert np.isfinite(pullback(np.ones(5))[0])
    for p in (0.0, 1.0):  # degenerate, and not NaN
        assert np.isfinite(grad(lambda p: stats.bernoulli.logpmf(1.0 - (p == 0), p))(p))


def test_methods_without_a_rule_are_refused() -> None:
    for f, name in (
        (lambda x: stats.zipf.pmf(2, x), "zipf.pmf"), (lambda x: stats.zipf(x).pmf(2), "zipf.pmf"),
        (lambda x: stats.hypergeom.pmf(2, 10, 5, x), "hypergeom.pmf"),
        (lambda x: stats.skewnorm.cdf(x, 1.0), "skewnorm.cdf"),
        (lambda x: stats.norm(x).rvs(3), "norm.rvs"), (lambda x: stats.norm.rvs(x), "norm.rvs"),
        (lambda x: stats.multivariate_normal.cdf(x * np.ones(2)), "multivariate_normal.cdf"),
        (lambda x: stats.poisson.ppf(0.3, x), "poisson.ppf"),
    ):  # fmt: skip
        with pytest.raises(MissingRuleError, match=name):
            grad(f)(2.0)
    with pytest.raises(InterceptionError):  # SciPy's own cannot be entered
        grad(st.norm.logpdf)(0.3)
    with pytest.raises(TypeError):
        grad(lambda x: stats.norm.logpdf(x, 0, 1, 2))(0.3)


MATRIX = np.array([[1.3, 0.4], [0.4, 0.9]])


def test_multivariate_normal() -> None:
    x, mean = np.array([[0.3, 0.8], [-0.4, 1.1], [0.2, 0.2]]), np.array([0.1, -0.3])
    inverse = np.linalg.inv(MATRIX)
    value, pullback = vjp(stats.multivariate_normal.logpdf, x, mean, MATRIX)
    np.testing.assert_allclose(value, st.multivariate_normal.logpdf(x, mean, MATRIX), rtol=1e-12)
    in_x, in_mean, in_cov = pullback(np.ones(3))
    solved = (x - mean) @ inverse
    np.testing.assert_allclose(in_x, -solved)
    np.testing.assert_allclose(in_mean, np.sum(solved, axis=0))
    np.testing.assert_allclose(in_cov, 0.5 * (solved.T @ solved - 3 * inverse))
    np.testing.assert_allclose(
        grad(lambda c: stats.multivariate_normal.entropy(mean, c))(MATRIX), 0.5 * inverse
    )

    def from_factor(factor: Any) -> Any:
        return stats.multivariate_normal(mean, factor @ factor.T).pdf(x[0])

    check_grads(from_factor, np.array([[1.1, 0.2], [0.3, 0.7]]))
    with pytest.raises(MissingRuleError, match="allow_singular"):
        grad(lambda x: stats.multivariate_normal.logpdf(x, mean, MATRIX, allow_singular=True))(x[0])


def test_dirichlet() -> None:
    x, alpha = np.array([0.2, 0.5, 0.3]), np.array([0.7, 2.0, 1.3])
    np.testing.assert_allclose(grad(stats.dirichlet.logpdf)(x, alpha), (alpha - 1) / x)
    np.testing.assert_allclose(
        grad(stats.dirichlet.logpdf, 1)(x, alpha), np.log(x) + sc.psi(alpha.sum()) - sc.psi(alpha)
    )
    with pytest.raises(ValueError, match="simplex"):
        grad(stats.dirichlet.logpdf)(x + 0.1, alpha)


def test_multinomial_on_the_simplex() -> None:
    counts = np.array([[2, 1, 3], [0, 4, 2]])

    def loss(logits: Any) -> Any:
        return stats.multinomial.logpmf(counts, 6, special.softmax(logits))

    z = np.array([0.2, -0.3, 0.5])
    np.testing.assert_allclose(jacobian(loss)(z), counts - 6 * sc.softmax(z), atol=1e-12)
    value = vjp(lambda p: stats.multinomial.pmf(np.array([1, 1, 1]), 6, p), sc.softmax(z))[0]
    assert value == 0  # counts that do not add up


def test_frozen_distributions() -> None:
    def f(mean: Any, log_scale: Any) -> Any:
        return np.sum(stats.norm(mean, scale=np.exp(log_scale)).logpdf(np.array([0.3, 1.1])))

    check_grads(f, 0.2, -0.3)
    assert grad(lambda s: stats.gamma(2.0, scale=s).mean())(1.5) == 2.0
    np.testing.assert_allclose(grad(lambda mu: stats.poisson(mu).logpmf(3))(2.0), 0.5)
    np.testing.assert_allclose(
        grad(lambda mu: stats.poisson(mu).cdf(3))(2.0), -st.poisson.pmf(3, 2)
    )


def test_infinite_moments() -> None:
    assert grad(stats.pareto.mean)(0.5) == 0  # infinite
    np.testing.assert_allclose(grad(stats.pareto.mean)(3.0), -1 / 4)
    np.testing.assert_allclose(grad(stats.t.var)(4.0), -2 / 4)


@pytest.mark.parametrize("q", [1e-300, 1e-10, 0.3, 0.5, 1 - 1e-10])
def test_cauchy_quantiles_in_the_tails(q: float) -> None:
    for name in ("ppf", "isf"):
        value, pullback = vjp(getattr(stats.cauchy, name), q)
        np.testing.assert_allclose(value, getattr(st.cauchy, name)(q), rtol=1e-12, atol=1e-15)
        if q > 1e-100:
            slope = pullback(np.float64(1.0))[0]
            np.testing.assert_allclose(abs(slope), np.pi * (1 + value * value), rtol=1e-9)


@pytest.mark.parametrize("name", ["pdf", "cdf", "sf", "logpdf", "logcdf", "logsf"])
def test_gumbel_far_in_the_thin_tail(name: str) -> None:
    for family, sign in ((stats.gumbel_r, -1), (stats.gumbel_l, 1)):
        for x in (30.0, 600.0):
            assert np.isfinite(grad(getattr(family, name))(sign * x))
        if not name.startswith("log"):
            with np.errstate(over="ignore"):  # SciPy's own
                assert grad(getattr(family, name))(sign * 1e10) == 0.0


def test_student_has_symmetric_second_derivatives_in_the_middle() -> None:
    check_grads(stats.t.cdf, np.array([0.0, 0.2, -1.1]), np.array(4.2), tolerance=1e-4)


@pytest.mark.parametrize("bounds", [(-np.inf, 1.0), (0.5, np.inf), (-np.inf, np.inf)])
def test_truncated_normal_without_a_bound(bounds: tuple[float, float]) -> None:
    low, high = bounds
    mass = sc.ndtr(high) - sc.ndtr(low)
    found = grad(stats.truncnorm.logpdf, (0, 1, 2))(0.7, low, high)
    ends = [st.norm.pdf(low) / mass, -st.norm.pdf(high) / mass]
    np.testing.assert_allclose(found, [-0.7, *ends], atol=1e-15)


def test_truncated_normal_far_out() -> None:
    """The mass between 30 and 31, whose logarithm is that of its lower end's tail."""
    in_x, in_low, in_high = grad(stats.truncnorm.logcdf, (0, 1, 2))(30.05, 30.0, 31.0)
    assert in_x == pytest.approx(30.05 / np.expm1(0.05 * 30.0 + 0.5 * 0.05**2), rel=0.01)
    assert in_low == pytest.approx(-in_x, rel=0.2)
    assert abs(in_high) < 1e-10


@pytest.mark.parametrize("mode", [0.0, 1.0])
def test_triangle_with_its_mode_at_an_end(mode: float) -> None:
    sign = 1.0 if mode else -1.0
    for x in (0.0, 0.25, 1.0):
        if x == 1.0 - mode:  # there the density vanishes
            continue
        assert grad(stats.triang.pdf)(x, mode) == 2 * sign
    np.testing.assert_allclose(grad(stats.triang.cdf)(0.25, mode), st.triang.pdf(0.25, mode))
    np.testing.assert_allclose(
        grad(stats.triang.ppf)(0.3, mode), 1 / st.triang.pdf(st.triang.ppf(0.3, mode), mode)
    )

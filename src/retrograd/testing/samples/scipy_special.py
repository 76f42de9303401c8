"""Samples of retrograd.scipy.special."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.special as sc
from scipy.special import multigammaln  # type: ignore[attr-defined]

from retrograd.scipy import special
from retrograd.testing.samples.sample import MATRIX, Sample, Samples, array

assert special  # registers the functions


def _of(low: float, high: float, *, is_complex: bool = False) -> list[Sample]:
    """Calls of a function of one number."""
    return [
        Sample((float(array(1, low=low, high=high)[0]),), is_complex=is_complex),
        Sample((array(2, 2, low=low, high=high),), is_complex=is_complex),
    ]


def _at(*args: Any, traced: tuple[int, ...], is_complex: bool = False) -> Sample:
    return Sample(args, traced=traced, is_complex=is_complex)


def _pair(a: tuple[float, float], b: tuple[float, float], *, is_complex: bool = False) -> Any:
    """Calls of a function of two numbers: arrays that broadcast, and a Python number."""
    x, y = array(2, 1, low=a[0], high=a[1]), array(3, low=b[0], high=b[1])
    middle = 0.4 * b[0] + 0.6 * b[1]
    return [
        _at(x, y, traced=(0, 1), is_complex=is_complex),
        _at(x, middle, traced=(0,), is_complex=is_complex),
    ]


def _order(*orders: Any, low: float = 0.3, high: float = 4.0, is_complex: bool = False) -> Any:
    x = array(3, low=low, high=high)
    return [_at(v, x, traced=(1,), is_complex=is_complex) for v in orders]


_DEGREES = np.array([0, 1, 4])
_POLYNOMIALS = (
    sc.eval_legendre, sc.eval_chebyt, sc.eval_chebyu, sc.eval_chebyc, sc.eval_chebys,
    sc.eval_laguerre, sc.eval_sh_legendre, sc.eval_sh_chebyt, sc.eval_sh_chebyu,
)  # fmt: skip


def _polynomial(*parameters: float, is_complex: bool = True) -> list[Sample]:
    place, x = len(parameters) + 1, array(3, low=-0.9, high=0.9)
    return [
        Sample((n, *parameters, x), traced=(place,), is_complex=is_complex)
        for n in (3, 0, _DEGREES)
    ]


SAMPLES: Samples = {
    # gamma_functions.py
    sc.gamma: [*_of(0.3, 3, is_complex=True), *_of(-1.8, -1.2)],
    sc.gammaln: [*_of(0.3, 3), *_of(-1.8, -1.2)],
    sc.loggamma: _of(0.3, 3, is_complex=True),
    sc.rgamma: [*_of(0.7, 3, is_complex=True), *_of(-2.0, 0.0, is_complex=True)],
    sc.psi: [*_of(0.3, 3, is_complex=True), *_of(-1.8, -1.2)],
    sc.polygamma: [
        _at(n, array(3, low=0.4, high=3), traced=(1,)) for n in (0, 1, 2, np.array([0, 1, 3]))
    ],
    sc.zeta: [_at(2.5, array(3, low=0.4, high=3), traced=(1,))],
    multigammaln: [_at(array(3, low=1.6, high=4), 3, traced=(0,))],
    sc.beta: _pair((0.3, 3), (0.4, 2)),
    sc.betaln: _pair((0.3, 3), (0.4, 2)),
    sc.poch: [*_pair((0.3, 3), (0.4, 2)), _at(np.array([-3.0, -2.0]), 2.0, traced=(0,))],
    sc.binom: [*_pair((3.2, 5), (0.4, 2.1)), _at(4.3, 2.0, traced=(0, 1))],
    # error_functions.py
    sc.erf: _of(-1.5, 1.5, is_complex=True),
    sc.erfc: _of(-1.5, 1.5, is_complex=True),
    sc.erfcx: [*_of(-1.5, 1.5, is_complex=True), *_of(20, 40)],
    sc.erfi: _of(-1.5, 1.5, is_complex=True),
    sc.dawsn: [*_of(-1.5, 1.5, is_complex=True), *_of(20, 40)],
    sc.wofz: [*_of(-1.5, 1.5, is_complex=True), *_of(21, 40, is_complex=True)],
    sc.erfinv: _of(-0.9, 0.9),
    sc.erfcinv: _of(0.2, 1.8),
    sc.ndtr: _of(-1.5, 1.5, is_complex=True),
    sc.ndtri: _of(0.1, 0.9),
    sc.log_ndtr: [*_of(-3, 3, is_complex=True), *_of(-40, -20)],
    sc.ndtri_exp: _of(-5, -0.2),
    sc.owens_t: _pair((-1, 1.5), (-1.5, 1.3)),
    # bessel_functions.py
    **{f: _of(0.3, 4) for f in (sc.j0, sc.j1, sc.y0, sc.y1, sc.i0, sc.i1, sc.k0, sc.k1)},
    **{f: _of(0.3, 4) for f in (sc.i0e, sc.i1e, sc.k0e, sc.k1e)},
    **{f: _order(0, 1.5, is_complex=True) for f in (sc.jv, sc.yv, sc.iv, sc.kv, sc.kve)},
    **{f: _order(0, 1.5) for f in (sc.jve, sc.yve, sc.ive, sc.struve, sc.modstruve)},
    **{f: _order(0, 1.5, is_complex=True)
       for f in (sc.hankel1, sc.hankel2, sc.hankel1e, sc.hankel2e)},
    **{f: _order(0, 2) for f in (sc.yn, sc.kn)},
    sc.airy: _of(-2, 2, is_complex=True),
    sc.airye: _of(0.3, 2),
    **{f: [
        *_order(0, 2, np.array([0, 1, 3]), is_complex=True),
        Sample((2, array(3, low=0.3, high=2)), {"derivative": True}, traced=(1,)),
    ] for f in (sc.spherical_jn, sc.spherical_yn, sc.spherical_in, sc.spherical_kn)},
    # elementary.py
    sc.expm1: _of(-1.5, 1.5, is_complex=True),
    sc.log1p: _of(-0.5, 2, is_complex=True),
    sc.exp2: _of(-1.5, 1.5),
    sc.exp10: _of(-1.5, 1.5),
    sc.cosm1: _of(-1.5, 1.5),
    sc.cbrt: _of(0.2, 2),
    sc.exprel: [*_of(-1.5, 1.5), _at(0.0, traced=(0,))],
    **{f: _of(20, 70) for f in (sc.sindg, sc.cosdg, sc.tandg, sc.cotdg)},
    sc.radian: [_at(array(3), 20.0, array(3) * 9, traced=(0, 1, 2))],
    sc.logit: _of(0.1, 0.9),
    sc.expit: _of(-3, 3),
    sc.log_expit: _of(-3, 3),
    sc.xlogy: [*_pair((0.3, 2), (0.2, 2), is_complex=True), _at(0.0, 0.7, traced=(0, 1))],
    sc.xlog1py: [*_pair((0.3, 2), (-0.5, 2), is_complex=True), _at(0.0, 0.7, traced=(0, 1))],
    sc.powm1: _pair((0.3, 2), (-1, 2)),
    sc.entr: _of(0.2, 2),
    sc.rel_entr: _pair((0.3, 2), (0.2, 2)),
    sc.kl_div: _pair((0.3, 2), (0.2, 2)),
    sc.huber: _pair((0.5, 0.9), (-2, 2)),
    sc.pseudo_huber: _pair((0.5, 0.9), (-2, 2)),
    sc.boxcox: [*_pair((0.3, 2), (-1, 2)), _at(1.7, 0.0, traced=(0, 1))],
    sc.boxcox1p: [*_pair((-0.3, 2), (-1, 2)), _at(1.7, 0.0, traced=(0, 1))],
    sc.inv_boxcox: [*_pair((-0.4, 0.9), (-0.8, 0.9)), _at(0.7, 1e-3, traced=(0, 1))],
    sc.inv_boxcox1p: [*_pair((-0.4, 0.9), (-0.8, 0.9)), _at(0.7, 1e-3, traced=(0, 1))],
    # log_sums.py
    sc.logsumexp: [
        Sample((MATRIX,), is_complex=True),
        Sample((MATRIX,), {"axis": (0, -1), "keepdims": True}, is_complex=False),
        Sample((MATRIX,), {"axis": 1, "b": array(2, 3, low=0.2)}, (0, "b"), is_complex=True),
        Sample((MATRIX, 1, array(3, low=0.2), True), traced=(0, 2), is_complex=False),
        Sample((MATRIX, 1), {"b": array(3), "return_sign": True}, (0, "b"), is_complex=False),
    ],
    sc.softmax: [
        Sample((MATRIX,), is_complex=False), Sample((MATRIX, 0), is_complex=False),
        Sample((MATRIX,), {"axis": (0, 1)}, is_complex=False),
    ],
    sc.log_softmax: [
        Sample((MATRIX,), is_complex=False), Sample((MATRIX, -1), is_complex=False),
        Sample((MATRIX,), {"axis": (0, 1)}, is_complex=False),
    ],
    # exponential_integrals.py
    sc.exp1: _of(0.3, 3, is_complex=True),
    sc.expi: _of(0.3, 3, is_complex=True),
    sc.expn: [_at(n, array(3, low=0.3, high=3), traced=(1,)) for n in (3, 2, np.array([2, 4, 5]))],
    sc.spence: [*_of(0.3, 3, is_complex=True), _at(1.0, traced=(0,))],
    sc.sici: _of(0.3, 3, is_complex=True),
    sc.shichi: _of(0.3, 3, is_complex=True),
    sc.fresnel: _of(0.3, 1.5, is_complex=True),
    # hypergeometric.py
    sc.hyp0f1: [_at(1.3, array(3), traced=(1,), is_complex=True)],
    sc.hyp1f1: [_at(0.7, 1.3, array(3), traced=(2,), is_complex=True)],
    sc.hyp2f1: [_at(0.7, 1.2, 2.3, array(3, low=-0.8, high=0.8), traced=(3,), is_complex=True)],
    sc.hyperu: [_at(0.7, 1.3, array(3, low=0.4, high=2), traced=(2,))],
    sc.wrightomega: _of(-1, 2, is_complex=True),
    sc.lambertw: [
        *_of(0.2, 2, is_complex=True),
        Sample((array(3, low=0.2, high=2),), {"k": -1}), _at(0.0, traced=(0,)),
    ],
    # elliptic_integrals.py
    sc.ellipk: [*_of(-0.2, 0.2), *_of(0.3, 0.9), *_of(-3, -0.3)],
    sc.ellipe: [*_of(-0.2, 0.2), *_of(0.3, 0.9), *_of(-3, -0.3)],
    sc.ellipkm1: [*_of(0.05, 0.7), *_of(0.8, 1.2)],
    sc.ellipkinc: [
        *_pair((0.3, 1.4), (0.3, 0.9)), *_pair((-4.5, 4), (-0.2, 0.2)), *_pair((2, 4), (-1, 0.9))
    ],
    sc.ellipeinc: [
        *_pair((0.3, 1.4), (0.3, 0.9)), *_pair((-4.5, 4), (-0.2, 0.2)), *_pair((2, 4), (-1, 0.9))
    ],
    sc.ellipj: [_at(array(3), 0.4, traced=(0,))],
    sc.agm: _pair((0.3, 2), (0.2, 3)),
    # orthogonal_polynomials.py
    **{f: _polynomial() for f in _POLYNOMIALS},
    sc.eval_hermite: _polynomial(is_complex=False),
    sc.eval_hermitenorm: _polynomial(is_complex=False),
    sc.eval_genlaguerre: _polynomial(0.7),
    sc.eval_gegenbauer: _polynomial(0.7),
    sc.eval_jacobi: _polynomial(0.7, 0.4),
    sc.eval_sh_jacobi: _polynomial(1.7, 1.4),
    # incomplete.py
    sc.gammainc: [*_pair((0.3, 3), (0.2, 4)), _at(210.0, 215.0, traced=(0, 1))],
    sc.gammaincc: _pair((0.3, 3), (0.2, 4)),
    sc.gammaincinv: _pair((0.3, 3), (0.2, 0.9)),
    sc.gammainccinv: _pair((0.3, 3), (0.2, 0.9)),
    **{f: [_at(array(2, low=0.3, high=3), 1.4, array(2, low=0.1, high=0.9), traced=(0, 1, 2))]
       for f in (sc.betainc, sc.betaincc, sc.betaincinv, sc.betainccinv)},
    # cumulative.py
    **{f: [_at(1.3, 2.1, array(3, low=0.3, high=3), traced=(0, 1, 2))]
       for f in (sc.gdtr, sc.gdtrc)},
    **{f: _pair((1, 5), (0.4, 4)) for f in (sc.chdtr, sc.chdtrc)},
    **{f: [_at(2, array(3, low=0.3, high=3), traced=(1,))] for f in (sc.pdtr, sc.pdtrc)},
    **{f: [_at(2.0, np.int64(5), array(3, low=0.2, high=0.8), traced=(2,))]
       for f in (sc.bdtr, sc.bdtrc, sc.nbdtr, sc.nbdtrc)},
    **{f: [_at(3.2, 4.1, array(3, low=0.3, high=2), traced=(0, 1, 2))]
       for f in (sc.fdtr, sc.fdtrc)},
    sc.stdtr: _pair((1.5, 6), (-2, 2)),
    sc.stdtrit: _pair((1.5, 6), (0.1, 0.9)),
    sc.chdtri: _pair((1, 5), (0.1, 0.9)),
    sc.fdtri: [_at(3.2, 4.1, array(3, low=0.2, high=0.8), traced=(0, 1, 2))],
}  # fmt: skip

if hasattr(sc, "softplus"):
    SAMPLES[sc.softplus] = _of(-3, 3)

"""Samples of rules/elementwise.py and rules/choices.py."""

from __future__ import annotations

import numpy as np

from retrograd.autodiff.box import as_type
from retrograd.autodiff.rules.choices import bounded, choose
from retrograd.autodiff.rules.elementwise import fraction, tanh_slope
from retrograd.testing.samples.sample import (
    MASK,
    MATRIX,
    Sample,
    Samples,
    array,
    binary,
    calls,
    unary,
)

SAMPLES: Samples = {
    np.add: binary(),
    np.subtract: binary(),
    np.multiply: binary(),
    np.divide: binary(0.3, 1.5),
    np.power: [
        *binary(0.3, 1.5),
        *calls((array(3), 2), (array(3), 3.0), (array(3), 0), (array(3), 1), (array(3), -2)),
        *calls((array(3), np.array([2, 0, 3])), (np.array([0.0, 0.5]), np.array([2, 1]))),
    ],
    np.float_power: [
        *binary(0.3, 1.5),
        *calls((array(3), 2), (array(3), 0), (array(3), -2)),
        *calls((np.array([0.0, 0.5]), np.array([2, 1]))),
    ],
    np.fmod: [
        Sample((array(4, low=1.1, high=5.0), 0.7), traced=(0, 1), is_complex=False),
        Sample((array(2, 1, low=-5.0), array(3, low=0.8)), traced=(0, 1), is_complex=False),
    ],
    np.divmod: [Sample((array(4, low=1.1, high=5.0), 0.7), traced=(0,), is_complex=False)],
    np.remainder: [Sample((array(4, low=1.1, high=5.0), 0.7), traced=(0, 1), is_complex=False)],
    np.arctan2: binary(is_complex=False),
    np.hypot: binary(is_complex=False),
    np.logaddexp: binary(is_complex=False),
    np.logaddexp2: binary(is_complex=False),
    np.maximum: binary(),
    np.minimum: binary(),
    np.fmax: binary(),
    np.fmin: binary(),
    np.copysign: binary(is_complex=False),
    np.nextafter: [Sample(s.args, is_complex=False) for s in binary() if s.traced[0] == 0],
    np.heaviside: [
        *binary(is_complex=False),
        Sample((np.array([-1.0, 0.0, 2.0]), array(2, 3)), traced=(1,), is_complex=False),
    ],
    np.ldexp: [
        Sample((array(3), 2), is_complex=False),
        Sample((array(3), np.array([[1, 0, -2], [3, 1, 1]])), is_complex=False),
        Sample((0.3, np.array([4, -1])), is_complex=False),
    ],
    np.negative: unary(),
    np.positive: unary(),
    np.exp: unary(),
    np.exp2: unary(),
    np.expm1: unary(),
    np.log: unary(0.2, 2.0),
    np.log2: unary(0.2, 2.0),
    np.log10: unary(0.2, 2.0),
    np.log1p: unary(-0.5, 2.0),
    np.sqrt: unary(0.2, 2.0),
    np.square: unary(),
    np.reciprocal: unary(0.2, 2.0),
    np.sin: unary(),
    np.cos: unary(),
    np.tan: unary(-1.0, 1.0),
    np.sinh: unary(),
    np.cosh: unary(),
    np.tanh: unary(-1.0, 1.0),
    tanh_slope.function: unary(),
    np.sinc: [*unary(), *unary(-0.2, 0.2), *calls((np.array([0.0, 0.3]),), (0.0,))],
    np.i0: [
        *unary(-4.0, 4.0, is_complex=False),
        Sample((array(3, low=20.0, high=40.0),), is_complex=False),
    ],
    np.cbrt: unary(0.2, 2.0, is_complex=False),
    np.fabs: unary(is_complex=False),
    np.deg2rad: unary(is_complex=False),
    np.rad2deg: unary(is_complex=False),
    np.radians: unary(is_complex=False),
    np.degrees: unary(is_complex=False),
    np.frexp: [],  # it returns whole numbers too, which no derivative check takes
    np.modf: unary(-5.0, 5.0, is_complex=False),
    fraction.function: unary(-5.0, 5.0, is_complex=False),
    np.arcsinh: unary(),
    np.arccosh: unary(1.2, 3.0),
    np.arctanh: unary(-0.8, 0.8),
    np.arcsin: unary(-0.8, 0.8),
    np.arccos: unary(-0.8, 0.8),
    np.arctan: unary(-0.8, 0.8),
    np.absolute: unary(),
    np.conjugate: unary(),
    np.real: unary(),
    np.imag: unary(),
    np.sign: unary(),
    np.angle: [*unary(), *calls((MATRIX, True), (MATRIX, {"deg": True}))],
    np.real_if_close: unary(),
    np.nan_to_num: [
        *unary(),
        *calls((array(3), False, 0.3), (array(3), {"nan": 1.0, "posinf": 2.0, "neginf": -2.0})),
    ],
    np.where: [
        *calls((MASK, MATRIX, MATRIX * 0.7), (MASK, array(3), array(2, 1) * 0.7), traced=(1, 2)),
        Sample((MASK[:, :1], array(3), array(2, 2, 1)), traced=(1, 2)),
        *calls((MASK, MATRIX, 0.0), (MASK, 0.4, 1), (True, MATRIX, 0.0), traced=(1,)),
    ],
    choose.function: calls((MASK, MATRIX, array(3) * 0.7), traced=(1, 2)),
    np.clip: [
        *calls(
            (MATRIX, -0.5, 0.6), (MATRIX, {"min": -0.5}), (MATRIX, None, array(3)),
            (MATRIX, {"a_min": -0.5, "a_max": 1.0}), (0.3, 0.1, 0.6), (MATRIX, 0.6, -0.5),
        ),
        *calls((MATRIX, -0.5, array(3)), (MATRIX, 0.6, -0.5), (0.3, 0.1, 0.2), traced=(0, 1, 2)),
        *calls((MATRIX, array(2, 1), None), (array(3), array(2, 1), None), traced=(0, 1)),
        Sample((MATRIX,), {"min": array(3), "max": 1.2}, traced=(0, "min", "max")),
        Sample((MATRIX,), {"a_min": None, "a_max": 0.3}, traced=("a_max",)),
    ],
    bounded.function: calls(
        (MATRIX, -0.5, 0.6), (MATRIX, array(3), 1.2), (MATRIX, -0.3, array(2, 1)), traced=(0, 1, 2)
    ),
    as_type.function: calls((MATRIX, np.float64), (0.3, np.float64)),
    np.copy: unary(),
}  # fmt: skip

"""Every registered function, on its sample inputs: both modes, to second order, all dtypes."""

from __future__ import annotations

import inspect
import warnings

import numpy as np
import pytest

import retrograd.backends.numpy as _backend  # registers a function of its own
import retrograd.numpy as rnp
import retrograd.scipy.special as _special
from retrograd.autodiff import grad, jvp, tree, vjp
from retrograd.autodiff.primitive import REGISTRY, Primitive
from retrograd.autodiff.trace import Traced
from retrograd.testing import check_grads
from retrograd.testing.samples import SAMPLES, Sample

assert _backend
assert _special

OURS = {
    function.__name__: (function, stand_in)
    for function, stand_in in REGISTRY.items()
    if isinstance(function, np.ufunc) or function.__module__.split(".")[0] in ("numpy", "retrograd")
}
CONSTANT = sorted(
    name
    for name, (_, stand_in) in OURS.items()
    if isinstance(stand_in, Primitive) and not stand_in.differentiable
)
DIFFERENTIABLE = sorted(set(OURS) - set(CONSTANT))
CASES = [
    pytest.param(name, sample, id=f"{name}-{i}")
    for name, samples in SAMPLES.items()
    for i, sample in enumerate(samples)
]
PRIMITIVE_CASES = [case for case in CASES if isinstance(OURS[case.values[0]][1], Primitive)]


def function_named(name: str):
    """What a user calls: NumPy's own function, or ours where it is not NumPy's."""
    function, stand_in = OURS[name]
    if name in ("array", "asarray", "full_like") or not hasattr(np, name):
        return stand_in
    return function


def test_every_differentiable_function_has_samples() -> None:
    assert sorted(SAMPLES) == DIFFERENTIABLE


@pytest.mark.parametrize(("name", "sample"), CASES)
def test_derivatives_of_both_modes_to_second_order(name: str, sample: Sample) -> None:
    check_grads(sample.closed(function_named(name)), *sample.inputs(), directions=1)


@pytest.mark.parametrize(("name", "sample"), [c for c in CASES if c.values[1].is_complex])
def test_derivatives_for_complex_arguments(name: str, sample: Sample) -> None:
    if name == "_as_type":
        sample = Sample((sample.args[0], np.complex128))
    call = sample.closed(function_named(name))
    check_grads(call, *sample.inputs(np.complex128), directions=1)


@pytest.mark.parametrize(("name", "sample"), CASES)
def test_values_are_numpys(name: str, sample: Sample) -> None:
    function, stand_in = OURS[name]
    plain = sample.closed(stand_in.function if isinstance(stand_in, Primitive) else function)
    call = sample.closed(function_named(name))
    expected = tree.leaves(plain(*sample.inputs()))
    for found in (vjp(call, *sample.inputs())[0], call(*sample.inputs())):
        for a, b in zip(tree.leaves(found), expected, strict=True):
            assert np.shape(a) == np.shape(b)
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("name", "sample"), PRIMITIVE_CASES)
def test_rules_keep_single_precision(name: str, sample: Sample) -> None:
    if name == "_as_type":
        sample = Sample((sample.args[0], np.float32))
    primitive = OURS[name][1]
    inputs = sample.inputs(np.float32)
    args = list(sample.args)
    for i, x in zip(sample.traced, inputs, strict=True):
        args[i] = x
    args = [
        a.astype(np.float32) if isinstance(a, np.ndarray) and a.dtype.kind == "f" else a
        for a in args
    ]
    ans = primitive.function(*args, **sample.kwargs)
    if any(getattr(a, "dtype", None) == np.int64 for a in args) and name == "power":
        assert ans.dtype == np.float64  # NumPy promotes
        return
    assert ans.dtype == np.float32
    for i, x in zip(sample.traced, inputs, strict=True):
        g = primitive.vjps[i](np.ones_like(ans), ans, *args, **sample.kwargs)
        d = primitive.jvps[i](np.ones_like(x), ans, *args, **sample.kwargs)
        assert np.result_type(g) == np.float32
        assert np.result_type(d) == np.float32
        assert np.shape(g) == np.shape(x)


@pytest.mark.parametrize("name", CONSTANT)
def test_functions_without_derivative_give_plain_values(name: str) -> None:
    function = OURS[name][0]
    arguments = {
        "isclose": 2, "allclose": 2, "array_equal": 2, "result_type": 1,
    }.get(name, getattr(function, "nin", 1))  # fmt: skip

    def called(x):
        result = function(*[x * (i + 1.0) for i in range(arguments)])
        assert not any(isinstance(leaf, Traced) for leaf in tree.leaves(result))
        return np.sum(x)

    np.testing.assert_array_equal(grad(called)(np.array([0.3, 1.7])), [1.0, 1.0])


# The others return shapes, kinds, places or truth values.
CONSTANT_UFUNCS = [name for name in CONSTANT if isinstance(OURS[name][0], np.ufunc)]


@pytest.mark.parametrize("name", CONSTANT_UFUNCS)
def test_functions_without_derivative_are_locally_constant(name: str) -> None:
    function = OURS[name][0]
    x, y = np.array([0.31, -1.72]), np.array([0.83, 0.47])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        here, near = ((function(*(x + t, y + 2 * t)[: function.nin])) for t in (0.0, 1e-7))
    np.testing.assert_array_equal(here, near)


@pytest.mark.parametrize("name", ["sum", "exp", "dot", "reshape", "where", "concatenate"])
def test_drop_in_namespace_and_plain_numpy_agree(name: str) -> None:
    for sample in SAMPLES[name]:
        for f in (getattr(np, name), getattr(rnp, name)):
            tangents = tree.map(np.ones_like, sample.inputs())
            value, tangent = jvp(sample.closed(f), sample.inputs(), tangents)
            np.testing.assert_array_equal(value, sample.closed(getattr(np, name))(*sample.inputs()))
            assert np.shape(tangent) == np.shape(value)


def test_every_rule_takes_the_arguments_of_its_sample() -> None:
    for name, samples in SAMPLES.items():
        stand_in = OURS[name][1]
        if not isinstance(stand_in, Primitive):
            continue
        for sample in samples:
            for i in sample.traced:
                for rules in (stand_in.vjps, stand_in.jvps):
                    inspect.signature(rules[i]).bind(0, 0, *sample.args, **sample.kwargs)

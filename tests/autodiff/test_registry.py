"""Every registered function, on its sample inputs: both modes, to second order, all dtypes."""

from __future__ import annotations

import inspect
import warnings
from typing import Any

import numpy as np
import pytest

import retrograd.autodiff
import retrograd.numpy as rnp
from retrograd.autodiff import grad, jvp, tree, vjp
from retrograd.autodiff.primitive import REGISTRY, Primitive
from retrograd.autodiff.trace import Traced
from retrograd.testing import check_grads
from retrograd.testing.samples import Sample, samples

assert retrograd.autodiff  # registers NumPy's functions

SAMPLES = samples("numpy") | samples("scipy")


def _is_public(function: Any) -> bool:
    """Whether the engine registers the function, and not a room or user of the engine."""
    home = (getattr(function, "__module__", None) or "numpy").split(".")
    return home[0] in ("numpy", "scipy") or home[:2] == ["retrograd", "autodiff"]


def _is_constant(stand_in: Any) -> bool:
    return isinstance(stand_in, Primitive) and not stand_in.differentiable


def _name(function: Any) -> str:
    home = (getattr(function, "__module__", None) or "").removeprefix("numpy").lstrip(".")
    owner = getattr(getattr(function, "__self__", None), "name", "")
    return ".".join(part for part in (home, owner, function.__name__) if part)


def _is_intercepted(function: Any) -> bool:
    """Whether NumPy lets us in when its own function is called."""
    dispatched = type(function).__name__ == "_ArrayFunctionDispatcher"
    return isinstance(function, np.ufunc) or (dispatched and function is not np.full_like)


def called(function: Any) -> Any:
    """What a user calls: the function itself, or ours where it cannot be intercepted."""
    return function if _is_intercepted(function) else REGISTRY[function]


OURS = {function: stand_in for function, stand_in in REGISTRY.items() if _is_public(function)}
CONSTANT = [function for function, stand_in in OURS.items() if _is_constant(stand_in)]
CASES = [
    pytest.param(function, sample, id=f"{_name(function)}-{i}")
    for function, some in SAMPLES.items()
    for i, sample in enumerate(some)
]
PRIMITIVE_CASES = [case for case in CASES if isinstance(REGISTRY[case.values[0]], Primitive)]


def test_every_differentiable_function_has_samples() -> None:
    differentiable = {_name(function) for function in OURS if function not in CONSTANT}
    assert {_name(function) for function in SAMPLES} == differentiable


@pytest.mark.parametrize(("function", "sample"), CASES)
def test_derivatives_of_both_modes_to_second_order(function: Any, sample: Sample) -> None:
    call = sample.closed(called(function))
    check_grads(call, *sample.inputs(), directions=1, order=sample.order)


@pytest.mark.parametrize(("function", "sample"), [c for c in CASES if c.values[1].is_complex])
def test_derivatives_for_complex_arguments(function: Any, sample: Sample) -> None:
    if function.__name__ == "_as_type":
        sample = Sample((sample.args[0], np.complex128))
    call = sample.closed(called(function))
    check_grads(call, *sample.inputs(np.complex128), directions=1, order=sample.order)


@pytest.mark.parametrize(("function", "sample"), CASES)
def test_values_are_those_of_the_function(function: Any, sample: Sample) -> None:
    stand_in = REGISTRY[function]
    exact = isinstance(stand_in, Primitive)
    plain = sample.closed(stand_in.function if isinstance(stand_in, Primitive) else function)
    call = sample.closed(called(function))
    expected = tree.leaves(plain(*sample.inputs()))
    for found in (vjp(call, *sample.inputs())[0], call(*sample.inputs())):
        for a, b in zip(tree.leaves(found), expected, strict=True):
            assert np.shape(a) == np.shape(b)
            assert np.result_type(a) == np.result_type(b)
            if exact:
                np.testing.assert_array_equal(a, b)
            else:
                np.testing.assert_allclose(a, b, rtol=1e-10, atol=1e-12)


DTYPES = (np.float16, np.float32, np.longdouble, np.complex64)


@pytest.mark.parametrize(
    ("function", "sample", "dtype"),
    [
        pytest.param(*case.values, dtype, id=f"{case.id}-{dtype.__name__}")
        for case in PRIMITIVE_CASES
        for dtype in DTYPES
        if case.values[1].is_complex or dtype is not np.complex64
        # Rules take what is traced by position.
        if all(isinstance(place, int) for place in case.values[1].traced)
    ],
)
@np.errstate(over="ignore")  # half precision ends at 65,504
def test_rules_keep_the_precision(function: Any, sample: Sample, dtype: type) -> None:
    if function.__name__ == "_as_type":
        sample = Sample((sample.args[0], dtype))
    primitive = REGISTRY[function]
    assert isinstance(primitive, Primitive)
    inputs = sample.inputs(dtype)
    args, kwargs = sample.filled(inputs)
    args = [_in(dtype, a) for a in args]
    try:
        ans = primitive.function(*args, **kwargs)
    except TypeError:
        assert dtype in (np.float16, np.longdouble)  # what LAPACK and Cephes do not have
        return
    if any(part.dtype != dtype for part in _floats(ans)):
        return  # NumPy promotes: integer exponents, functions that are double throughout
    for i, x in zip(sample.traced, inputs, strict=True):
        g = primitive.vjps[i](_ones(ans), ans, *args, **kwargs)
        d = primitive.jvps[i](_ones(x), ans, *args, **kwargs)
        assert all(part.dtype == dtype for part in [*_floats(g), *_floats(d)])
        assert [np.shape(part) for part in tree.leaves(g)] == [
            np.shape(part) for part in tree.leaves(x)
        ]


def _in(dtype: type, x: Any) -> Any:
    return x.astype(dtype) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x


def _floats(x: Any) -> list[Any]:
    return [np.asarray(leaf) for leaf in tree.leaves(x) if np.asarray(leaf).dtype.kind in "fc"]


def _ones(x: Any) -> Any:
    return tree.map(lambda leaf: np.ones_like(leaf, shape=np.shape(leaf)), x)


@pytest.mark.filterwarnings("ignore:numpy.fix is deprecated")  # NumPy 2.5
@pytest.mark.parametrize("function", CONSTANT, ids=_name)
def test_functions_without_derivative_give_plain_values(function: Any) -> None:
    arguments = {
        "isclose": 2, "allclose": 2, "array_equal": 2, "array_equiv": 2, "searchsorted": 2,
        "digitize": 2, "isin": 2, "result_type": 1,
    }.get(function.__name__, getattr(function, "nin", 1))  # fmt: skip

    places = (1,) if function is np.argpartition else ()

    def constant(x):
        result = function(*[x * (i + 1.0) for i in range(arguments)], *places)
        assert not any(isinstance(leaf, Traced) for leaf in tree.leaves(result))
        return np.sum(x)

    np.testing.assert_array_equal(grad(constant)(np.array([0.3, 1.7])), [1.0, 1.0])


# The others return shapes, kinds, places or truth values.
@pytest.mark.parametrize("function", [f for f in CONSTANT if isinstance(f, np.ufunc)], ids=_name)
def test_functions_without_derivative_are_locally_constant(function: Any) -> None:
    x, y = np.array([0.31, -1.72]), np.array([0.83, 0.47])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        here, near = ((function(*(x + t, y + 2 * t)[: function.nin])) for t in (0.0, 1e-7))
    np.testing.assert_array_equal(here, near)


@pytest.mark.parametrize("name", ["sum", "exp", "dot", "reshape", "where", "concatenate"])
def test_drop_in_namespace_and_plain_numpy_agree(name: str) -> None:
    for sample in SAMPLES[getattr(np, name)]:
        for f in (getattr(np, name), getattr(rnp, name)):
            tangents = tree.map(np.ones_like, sample.inputs())
            value, tangent = jvp(sample.closed(f), sample.inputs(), tangents)
            np.testing.assert_array_equal(value, sample.closed(getattr(np, name))(*sample.inputs()))
            assert np.shape(tangent) == np.shape(value)


def test_every_rule_takes_the_arguments_of_its_sample() -> None:
    for function, some in SAMPLES.items():
        stand_in = REGISTRY[function]
        if not isinstance(stand_in, Primitive):
            continue
        for sample in some:
            for i in sample.traced:
                if isinstance(i, int):
                    for rules in (stand_in.vjps, stand_in.jvps):
                        inspect.signature(rules[i]).bind(0, 0, *sample.args, **sample.kwargs)

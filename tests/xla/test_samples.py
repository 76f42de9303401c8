"""Functions with a derivative, compiled: NumPy's values and the engine's gradients.

One sample a function; those that cannot be compiled are listed, and raise an error that says so.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import retrograd as rg
import retrograd.numpy
from retrograd.autodiff import tree
from retrograd.autodiff.primitive import REGISTRY
from retrograd.errors import CompilationError
from retrograd.testing.samples import Sample, samples

assert retrograd.numpy  # registers the rules

SAMPLES = samples("numpy") | samples("scipy")
# SciPy's are mostly called back: some of them will do.
CHOSEN = samples("numpy") | dict([*samples("scipy").items()][::4])

COVERED = ("numpy", "retrograd.autodiff", "scipy.special", "scipy.linalg", "scipy.fft")

# Shapes of the results depend on values.
REFUSED = {"trim_zeros", "roots", "unique", "unique_values", "polydiv"}
# Dtypes or shapes of results depend on values, or the rules decide by them: a sample is compiled
# where its values play no part in this.
RESTRICTED = {
    "poly", "polymul", "polyfit", "i0", "quantile", "percentile", "nanquantile", "nanpercentile",
    "nanmedian", "histogram_bin_edges", "histogramdd", "histogram2d", "pinv", "lu", "lu_factor",
    "expm_frechet", "stdtr", "stdtrit",
}  # fmt: skip


def called(function: Any) -> Any:
    """What a user calls: the function itself, or ours where it cannot be intercepted."""
    dispatched = type(function).__name__ == "_ArrayFunctionDispatcher"
    if isinstance(function, np.ufunc) or (dispatched and function is not np.full_like):
        return function
    return REGISTRY[function]


def name(function: Any) -> str:
    owner = getattr(getattr(function, "__self__", None), "name", "")
    return f"{getattr(function, '__module__', None) or ''}.{owner}.{function.__name__}"


def on_arrays(some: list[Sample]) -> Sample:
    """The first sample whose traced arguments are arrays with elements."""
    for sample in some:
        leaves = tree.leaves(sample.inputs())
        if any(np.ndim(x) for x in leaves) and all(np.size(x) for x in leaves):
            return sample
    return some[0]


CASES = [
    pytest.param(function, on_arrays(some), id=name(function))
    for function, some in CHOSEN.items()
    if some and name(function).startswith((*COVERED, ".."))
]


def listed(names: set[str]) -> list[Any]:
    return [case for case in CASES if case.values[0].__name__ in names]


COMPILED = [case for case in CASES if case not in listed(REFUSED | RESTRICTED)]


def with_gradient(function: Any, sample: Sample) -> Any:
    """The call, and the pulled-back ones."""
    call = sample.closed(called(function))

    def both(*inputs: Any) -> Any:
        value, pullback = rg.vjp(call, *inputs)
        ones = tree.map(lambda y: np.ones_like(y) if tree.is_float(y) else None, value)
        return value, pullback(ones)

    return both


def check(function: Any, sample: Sample) -> None:
    both = with_gradient(function, sample)
    expected = tree.leaves(both(*sample.inputs()))
    found = tree.leaves(rg.compile(both)(*sample.inputs()))
    for a, b in zip(found, expected, strict=True):
        assert np.shape(a) == np.shape(b)
        assert np.result_type(a) == np.result_type(b)
        np.testing.assert_allclose(a, b, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("function", "sample"), COMPILED)
def test_values_and_gradients_are_those_of_numpy(function: Any, sample: Sample) -> None:
    check(function, sample)


@pytest.mark.parametrize(("function", "sample"), listed(RESTRICTED))
def test_what_is_compiled_for_some_arguments_is_refused_for_others(
    function: Any, sample: Sample
) -> None:
    try:
        check(function, sample)
    except CompilationError as error:
        assert "compile: " in str(error)  # noqa: PT017  # either is right, a wrong result is not


@pytest.mark.parametrize(("function", "sample"), listed(REFUSED))
def test_what_cannot_be_compiled_says_so(function: Any, sample: Sample) -> None:
    with pytest.raises(CompilationError, match="compile: "):
        rg.compile(with_gradient(function, sample))(*sample.inputs())


@pytest.mark.parametrize("dtype", [np.float32, np.complex128])
@pytest.mark.parametrize("function", [np.sin, np.tanh, np.sqrt, np.multiply, np.power, np.matmul])
def test_other_dtypes(function: Any, dtype: type) -> None:
    sample = on_arrays(SAMPLES[function])
    both = with_gradient(function, sample)
    expected = tree.leaves(both(*sample.inputs(dtype)))
    found = tree.leaves(rg.compile(both)(*sample.inputs(dtype)))
    for a, b in zip(found, expected, strict=True):
        assert np.result_type(a) == np.result_type(b) == dtype
        np.testing.assert_allclose(a, b, rtol=1e-5)

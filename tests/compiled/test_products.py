"""Arranged matrix products are the same products, in every derivative, in the intended forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from retrograd.compiled.products import arranged

BATCH = 12
# From narrow results to wide ones, on both sides of every threshold.
SHAPES = [(90, 50), (120, 50), (40, 63), (40, 20), (7, 100)]

pytestmark = pytest.mark.skipif(
    jax.default_backend() != "cpu" or jax.device_count() > 1,
    reason="products are arranged on one CPU device",
)


def matrices(rows: int, columns: int, dtype: Any = np.float32) -> tuple[Any, Any]:
    """Weights, and a batch that they are applied to."""
    rng = np.random.default_rng(rows * columns)
    w, x = rng.normal(size=(rows, columns)), rng.normal(size=(BATCH, rows))
    return jnp.asarray(w.astype(dtype)), jnp.asarray(x.astype(dtype))


def loss(w: Any, x: Any) -> Any:
    return jnp.mean(jax.nn.logsumexp(jnp.tanh(x @ w / 5), axis=1))


def close(found: Any, expected: Any) -> None:
    for a, b in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        assert (a.shape, a.dtype) == (b.shape, b.dtype)
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def equations(function: Callable[..., Any], *args: Any) -> str:
    return str(jax.make_jaxpr(function)(*args))


@pytest.mark.parametrize(("rows", "columns"), SHAPES)
def test_the_gradient_and_its_derivative_are_the_same(rows: int, columns: int) -> None:
    w, x = matrices(rows, columns)
    gradient = jax.value_and_grad(loss, (0, 1))

    @jax.jit
    def derivatives(w: Any, x: Any) -> Any:
        def derivative(function: Any) -> Any:
            found, along = jax.linearize(lambda w: function(w, x), w)
            return found, along(jnp.cos(w))

        return derivative(arranged(gradient)), derivative(gradient)

    close(*derivatives(w, x))


def test_columns_are_added_where_few_are_missing() -> None:
    for columns, padded in [(10, False), (48, False), (49, True), (63, True), (64, False)]:
        w, x = matrices(40, columns)
        assert ("pad" in equations(arranged(jnp.matmul), x, w)) == padded, columns


def test_a_narrow_gradient_is_made_transposed() -> None:
    def by_weights(w: Any, x: Any) -> Any:
        return jax.grad(loss)(w, x)

    for rows, columns, narrow in [(90, 45, True), (90, 46, False), (60, 90, False)]:
        text = equations(arranged(by_weights), *matrices(rows, columns))
        assert ("optimization_barrier" in text) == narrow, (rows, columns)
        # A wide one is made as it is wanted, without a transpose behind it.
        assert f"f32[{columns},{rows}] = dot_general" in text
        if not narrow:
            assert f"f32[{rows},{columns}] = dot_general" in text


def test_other_products_and_calls_stay_what_they_are() -> None:
    w, x = matrices(40, 50, np.float16)
    assert "pad" not in equations(arranged(jnp.matmul), x, w)
    w, x = matrices(40, 50)
    stacked = jnp.stack([w, w])
    close(arranged(jnp.matmul)(x, stacked), jnp.matmul(x, stacked))

    def scanned(w: Any, x: Any) -> Any:
        def step(carry: Any, row: Any) -> Any:
            return carry + row @ w, jnp.where(row.sum() > 0, row.sum(), 0)

        carry, sums = jax.lax.scan(step, jnp.zeros(50), x)
        return {"carry": carry, "sums": sums, "given": x, "number": jnp.float32(2)}

    close(arranged(scanned)(w, x), scanned(w, x))


def test_programs_within_a_program_are_arranged_as_well() -> None:
    inner = jax.jit(jnp.matmul)
    w, x = matrices(40, 50)
    assert "pad" in equations(arranged(lambda x, w: 2 * inner(x, w)), x, w)


def test_where_there_are_several_devices_nothing_is_changed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(jax, "device_count", lambda: 8)
    assert arranged(loss) is loss
    monkeypatch.undo()
    monkeypatch.setattr(jax, "default_backend", lambda: "gpu")
    assert arranged(loss) is loss

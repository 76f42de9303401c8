"""Arranged matrix products are the same products, in every derivative, in the intended forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import retrograd as rg
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


def contraction(of_a: int, of_b: int, **params: Any) -> Callable[[Any, Any], Any]:
    """The product over one axis of each matrix."""
    return lambda a, b: jax.lax.dot_general(a, b, (((of_a,), (of_b,)), ((), ())), **params)


def last_of_a_scan(a: Any, b: Any) -> Any:
    def step(carry: Any, _: Any) -> Any:
        return jnp.tanh(carry @ b), (carry @ b).T

    return jax.lax.scan(step, a, None, length=3)[1].sum(0)


# Programs of two square matrices: a wrong order of the factors, or of the axes, fits them all.
PROGRAMS: dict[str, Callable[[Any, Any], Any]] = {
    "(ab)'": lambda a, b: (a @ b).T,
    "(ab)' and ab": lambda a, b: (a @ b).T * (a @ b),
    "(a'b)'": lambda a, b: (a.T @ b).T,
    "(a'b)' kept as it is": lambda a, b: jax.lax.transpose(contraction(0, 0)(a, b), (0, 1)),
    "(ab)'' kept as it is": lambda a, b: (a @ b).T.T,
    "a a' + (a a')'": lambda a, b: a @ a.T + b * (a @ a.T).T,
    "attention": lambda a, b: jax.nn.softmax((a @ b) @ (a @ b.T).T) @ a,
    "ij,jk->ki": lambda a, b: jnp.einsum("ij,jk->ki", a, b),
    "ij,kj->ki": lambda a, b: jnp.einsum("ij,kj->ki", a, b),
    "rows": lambda a, b: jax.vmap(lambda row: b @ row)(a),
    "columns as rows": lambda a, b: jax.vmap(lambda c: a @ c, in_axes=1, out_axes=0)(b),
    "rows as columns": lambda a, b: jax.vmap(lambda row: row @ a, out_axes=1)(b),
    "precision": lambda a, b: contraction(1, 0, precision="highest")(a, b).T,
    "a half's product": lambda a, b: contraction(0, 0, preferred_element_type=jnp.float16)(a, b).T,
    "jit inside": lambda a, b: jax.jit(lambda a: (a @ b).T)(a),
    "jit before": lambda a, b: jax.jit(jnp.matmul)(a, b).T,
    "remat": lambda a, b: jax.checkpoint(lambda a: (a @ b).T)(a),
    "cond": lambda a, b: jax.lax.cond(a[0, 0] > 0, lambda: (a @ b).T, lambda: a @ b),
    "scan": last_of_a_scan,
    "solve": lambda a, b: jnp.linalg.solve(a @ a.T + 9 * jnp.eye(len(a)), b),
}


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


@pytest.mark.parametrize("name", PROGRAMS)
def test_every_form_of_a_product_stays_right_in_every_derivative(name: str) -> None:
    program = PROGRAMS[name]
    a, b, weights = np.random.default_rng(3).normal(size=(3, 6, 6)).astype(np.float32)

    def total(a: Any, b: Any) -> Any:
        return jnp.sum(weights * jnp.cos(program(a, b).astype(jnp.float32)))

    for function in (program, jax.grad(total, (0, 1))):
        for found, expected in [
            (arranged(function)(a, b), function(a, b)),
            (
                jax.jvp(arranged(function), (a, b), (b, weights)),
                jax.jvp(function, (a, b), (b, weights)),
            ),
        ]:
            tolerance = 1e-4 if "half" not in name else 3e-2
            for x, y in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
                assert (x.shape, x.dtype) == (y.shape, y.dtype)
                np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["00", "01", "10", "11", "transpose", "tanh", "add"]),
            st.integers(0, 9),
            st.integers(0, 9),
        ),
        min_size=2,
        max_size=8,
    )
)
def test_random_programs_of_square_matrices_stay_what_they_are(
    lines: list[tuple[str, int, int]],
) -> None:
    a, b = np.random.default_rng(len(lines)).normal(size=(2, 3, 3)).astype(np.float32)

    def program(a: Any, b: Any) -> Any:
        made = [a, b]
        for what, first, second in lines:
            x, y = made[first % len(made)], made[second % len(made)]
            if what == "transpose":
                made.append(x.T)
            elif what == "tanh":
                made.append(jnp.tanh(x))
            elif what == "add":
                made.append(x - y)
            else:
                made.append(contraction(int(what[0]), int(what[1]))(x, y) / 4)
        return sum(jnp.sum(jnp.sin(x * (i + 1))) for i, x in enumerate(made))

    for function in (program, jax.value_and_grad(program, (0, 1))):
        close(arranged(function)(a, b), function(a, b))


def test_a_training_with_transposed_products_has_the_gradient_of_the_plain_loop() -> None:
    w, x, start = np.random.default_rng(0).normal(size=(3, 6, 6)).astype(np.float32) / 2

    def loss(w: Any, x: Any, t: Any) -> Any:
        scores = (x @ w) @ (x @ w.T).T
        return jnp.mean((jax.nn.softmax(scores) @ x - (w @ x).T) ** 2)

    def trained(x: Any, w: Any) -> Any:
        return jnp.sum(start * rg.train(loss, w, x, rg.Momentum(0.125, 0.5), 4))

    def plain(x: Any, w: Any) -> Any:
        v = jnp.zeros_like(w)
        for t in range(4):
            v = 0.5 * v - jax.grad(loss)(w, x, t)
            w = w + 0.125 * v
        return jnp.sum(start * w)

    found, expected = (jax.value_and_grad(f, (0, 1))(x, w) for f in (trained, plain))
    close(found, expected)


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

"""optax's optimizers as programs of statements: they follow optax, and can be run backwards."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ArgumentError, NotReversibleError

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")
jnp = jax.numpy

STEPS = 6
W0 = {"W": np.array([[0.5, -0.25], [1.0, 2.0]]), "b": np.array([-1.5, 0.125])}
TARGET = {"W": np.array([[1.0, 0.0], [-1.0, 0.5]]), "b": np.array([0.25, 3.0])}


def loss(w: Any, pull: Any, step: Any) -> Any:
    far = sum(((w[name] - TARGET[name]) ** 2 * (1 + 0.3 * step)).sum() for name in TARGET)
    return far + (w["W"] ** 2).sum() * pull


def by_optax(transformation: Any) -> dict[str, Any]:
    """The weights after the steps, by optax alone, in float64."""
    with jax.enable_x64(True):
        w = {name: jnp.asarray(leaf) for name, leaf in W0.items()}
        state = transformation.init(w)
        for t in range(STEPS):
            updates, state = transformation.update(jax.grad(loss)(w, 0.1, t), state, w)
            w = optax.apply_updates(w, updates)
        return {name: np.asarray(leaf) for name, leaf in w.items()}


REVERSIBLE = {
    "sgd with momentum": lambda: optax.sgd(0.05, momentum=0.9),
    "adam": lambda: optax.adam(0.1, b1=0.8),
    "adam with eps_root": lambda: optax.adam(0.1, eps_root=1e-3),
    "adamw": lambda: optax.adamw(0.1, weight_decay=0.2),
    "adamw in part": lambda: optax.adamw(0.1, weight_decay=0.2, mask={"W": True, "b": False}),
    "adamw by shape": lambda: optax.adamw(
        0.1, weight_decay=0.2, mask=lambda w: jax.tree.map(lambda x: x.ndim > 1, w)
    ),
    "adamax": lambda: optax.adamax(0.1),
    "adabelief": lambda: optax.adabelief(0.1),
    "rmsprop with momentum": lambda: optax.rmsprop(0.05, momentum=0.8, initial_scale=0.5),
    "rmsprop as in Adam": lambda: optax.rmsprop(
        0.05, momentum=0.8, eps_in_sqrt=False, bias_correction=True
    ),
    "adagrad with a trace": lambda: optax.chain(optax.adagrad(0.1), optax.trace(0.5)),
    "signum": lambda: optax.signum(0.1),
    "sign of a trace": lambda: optax.chain(
        optax.trace(0.7), optax.scale_by_sign(), optax.scale(-0.1)
    ),
    "debiased mean": lambda: optax.chain(optax.ema(0.8), optax.scale(-0.1)),
    "clipped by norm": lambda: optax.chain(optax.clip_by_global_norm(2.0), optax.adam(0.1)),
    "clipped": lambda: optax.chain(optax.clip(2.0), optax.sgd(0.05, momentum=0.5)),
    "clipped late": lambda: optax.chain(
        optax.scale_by_adam(), optax.clip_by_global_norm(1.5), optax.scale_by_learning_rate(0.1)
    ),
    "coupled decay": lambda: optax.chain(
        optax.add_decayed_weights(0.3), optax.sgd(0.05, momentum=0.9)
    ),
    "decay in the trace": lambda: optax.chain(
        optax.scale_by_adam(), optax.add_decayed_weights(0.2), optax.trace(0.5), optax.scale(-0.05)
    ),
    "named": lambda: optax.named_chain(("mean", optax.scale_by_adam()), ("rate", optax.scale(-1))),
    "two traces": lambda: optax.chain(optax.trace(0.5), optax.trace(0.25), optax.scale(-0.02)),
}
IRREVERSIBLE = {
    "sgd": (lambda: optax.sgd(0.05), "no transformation keeps a velocity"),
    "nesterov": (lambda: optax.sgd(0.05, momentum=0.9, nesterov=True), "optax.trace .the 1st"),
    "nadamw": (lambda: optax.nadamw(0.1), "optax.scale_by_adam .the 1st"),
    "lion": (lambda: optax.lion(0.1), "optax.scale_by_lion"),
    "rmsprop": (lambda: optax.rmsprop(0.05), "optax.scale_by_rms"),
    "adagrad": (
        lambda: optax.chain(optax.clip(9.0), optax.adagrad(0.5)),
        r"optax.scale_by_rss .the 2nd transformation. hands on the gradient itself",
    ),
    "sign": (lambda: optax.sign_sgd(0.1), "no transformation keeps a velocity"),
}
SCHEDULED = {
    "cosine": lambda: optax.adamw(optax.cosine_decay_schedule(0.1, STEPS)),
    "branches": lambda: optax.sgd(lambda step: 0.1 if step < 3 else 0.01, momentum=0.9),
    "injected": lambda: optax.inject_hyperparams(optax.adam)(
        optax.exponential_decay(0.1, 3, 0.5), b1=0.7
    ),
    "decay": lambda: optax.chain(
        optax.add_decayed_weights(optax.linear_schedule(0.3, 0.0, STEPS)),
        optax.sgd(0.05, momentum=0.9),
    ),
    "rate in the velocity": lambda: optax.rmsprop(
        optax.linear_schedule(0.05, 0.01, STEPS), momentum=0.8
    ),
}


def assert_same(found: dict[str, Any], wanted: dict[str, Any], rtol: float = 1e-8) -> None:
    for name in W0:
        np.testing.assert_allclose(np.asarray(found[name]), wanted[name], rtol=rtol)
        assert np.abs(wanted[name] - W0[name]).min() > 1e-3, "nothing has moved"


@pytest.mark.parametrize("make", REVERSIBLE.values(), ids=REVERSIBLE)
def test_training_follows_optax_and_runs_backwards(make: Callable[[], Any]) -> None:
    optimizer = rg.from_optax(make(), w0=W0)
    seen = rg.Diagnostics()

    def trained(pull: Any) -> Any:
        w = rg.train(loss, W0, pull, optimizer, STEPS, adjoint=rg.Reversible(), diagnostics=seen)
        return np.sum(w["W"] * TARGET["W"]), w

    slope, w = rg.grad(trained, has_aux=True)(0.1)
    assert_same(w, by_optax(make()))
    assert seen.certificate is not None
    assert seen.certificate.exact
    stored = rg.grad(
        lambda pull: np.sum(
            rg.train(loss, W0, pull, optimizer, STEPS, adjoint=rg.Stored())["W"] * TARGET["W"]
        )
    )(0.1)
    assert slope == pytest.approx(stored, rel=1e-10)


@pytest.mark.parametrize(("make", "said"), IRREVERSIBLE.values(), ids=IRREVERSIBLE)
def test_what_cannot_be_run_backwards_is_named_and_trains_otherwise(
    make: Callable[[], Any], said: str
) -> None:
    optimizer = rg.from_optax(make())
    with pytest.raises(NotReversibleError, match=rf"{said}.*Use another adjoint.*Checkpointed"):
        rg.train(loss, W0, 0.1, optimizer, STEPS, adjoint=rg.Reversible())
    assert_same(rg.train(loss, W0, 0.1, optimizer, STEPS), by_optax(make()))


@pytest.mark.parametrize("make", SCHEDULED.values(), ids=SCHEDULED)
def test_schedules_become_values_of_all_steps(make: Callable[[], Any]) -> None:
    optimizer = rg.from_optax(make(), steps=STEPS)
    shapes = {
        name: np.shape(value.values)
        for name, value in optimizer.hyperparameters().items()
        if hasattr(value, "values")
    }
    assert list(shapes.values()) == [(STEPS,)]
    found = _in_numpy(optimizer)
    assert_same(found, by_optax(make()), rtol=1e-5)  # optax computes the schedules in float32


def _in_numpy(optimizer: Any) -> Any:
    """Training on NumPy arrays: the values of schedules are handed over as such."""
    for name, value in optimizer.values.items():
        if hasattr(value, "values"):
            optimizer.values[name] = rg.per_step(np.asarray(value.values, float))
    return rg.train(loss, W0, 0.1, optimizer, STEPS)


@pytest.mark.parametrize("jitted", [False, True])
def test_the_hypergradient_in_jax_reaches_optaxs_own_numbers(jitted: bool) -> None:
    """Peak, beta and decay through AdamW with a schedule, against JAX through optax's own steps."""

    def made(hyper: Any) -> Any:
        schedule = optax.cosine_decay_schedule(hyper["peak"], STEPS)
        return optax.adamw(schedule, b1=hyper["b1"], weight_decay=hyper["decay"])

    def judged(w: Any) -> Any:
        return jnp.sum(w["W"] * TARGET["W"]) + jnp.sum(w["b"] ** 2)

    def by_us(hyper: Any) -> Any:
        w0 = {name: jnp.asarray(leaf) for name, leaf in W0.items()}
        optimizer = rg.from_optax(made(hyper), steps=STEPS)
        return judged(rg.train(loss, w0, 0.1, optimizer, STEPS))

    def by_jax(hyper: Any) -> Any:
        transformation = made(hyper)
        w = {name: jnp.asarray(leaf) for name, leaf in W0.items()}
        state = transformation.init(w)
        for t in range(STEPS):
            updates, state = transformation.update(jax.grad(loss)(w, 0.1, t), state, w)
            w = optax.apply_updates(w, updates)
        return judged(w)

    with jax.enable_x64(True):
        hyper = {"peak": jnp.float64(0.1), "b1": jnp.float64(0.8), "decay": jnp.float64(0.2)}
        found = (jax.jit(jax.grad(by_us)) if jitted else jax.grad(by_us))(hyper)
        wanted = jax.grad(by_jax)(hyper)
    for name in hyper:
        assert abs(float(wanted[name])) > 1e-3
        assert float(found[name]) == pytest.approx(float(wanted[name]), rel=1e-7)


def test_equal_chains_make_equal_programs() -> None:
    """So that a program that JAX has compiled serves the next call."""
    one, two = (rg.from_optax(optax.adamw(rate)).program for rate in (0.1, 0.2))
    assert one == two
    assert hash(one) == hash(two)
    assert one != rg.from_optax(optax.adam(0.1)).program


def test_hyperparameters_carry_optaxs_names() -> None:
    optimizer = rg.from_optax(optax.chain(optax.trace(0.5), optax.sgd(0.25, momentum=0.75)))
    assert optimizer.hyperparameters() == {"decay": 0.5, "decay 2": 0.75, "step_size": -0.25}
    assert repr(optimizer) == ("<from_optax(trace, trace, scale) with decay, decay 2, step_size>")


def test_digits_can_be_chosen() -> None:
    optimizer = rg.from_optax(optax.sgd(0.1, momentum=0.9), radix={"trace": 40})
    assert optimizer.slot_radixes() == {"weights": 44, "trace": 40}


def test_numbers_out_of_their_domain_are_refused() -> None:
    optimizer = rg.from_optax(optax.sgd(0.1, momentum=1.5))
    with pytest.raises(ArgumentError, match=r"decay: 1.5 was given to from_optax\(trace, scale\)"):
        rg.train(loss, W0, 0.1, optimizer, STEPS)


REFUSED = {
    "yogi": (lambda: optax.yogi(0.1), "optax.scale_by_yogi .the 1st.*function of itself"),
    "lamb": (lambda: optax.lamb(0.1), "optax.scale_by_trust_ratio .the 3rd"),
    "noise": (
        lambda: optax.chain(optax.add_noise(0.1, 0.1, 0), optax.sgd(0.1)),
        "optax.add_noise.*in the loss, by the step",
    ),
    "own": (
        lambda: optax.chain(
            optax.GradientTransformation(lambda w: (), lambda u, s, w=None: (u, s)), optax.sgd(1.0)
        ),
        "number 1 of the chain.*not optax's own",
    ),
    "dtype": (lambda: optax.adam(0.1, mu_dtype="bfloat16"), "mu_dtype was given"),
    "masked": (lambda: optax.masked(optax.trace(0.9), {"W": True, "b": False}), "it is masked"),
    "smooth": (lambda: optax.chain(optax.scale_by_lion(mode="smooth")), "its mode"),
}


@pytest.mark.parametrize(("make", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_written_is_refused_with_the_way_that_works(
    make: Callable[[], Any], said: str
) -> None:
    with pytest.raises(NotReversibleError, match=rf"(?s)from_optax: .*{said}") as error:
        rg.from_optax(make(), w0=W0)
    assert "retrograd.iterate(step, start, hyper, steps, adjoint=retrograd.Checkpointed())" in str(
        error.value
    )


def test_the_way_that_works_works() -> None:
    """The lines of the message, for an optimizer that is refused."""
    transformation, hyper = optax.yogi(0.1), jnp.float32(0.1)
    w0 = {name: jnp.asarray(leaf, jnp.float32) for name, leaf in W0.items()}
    target = {name: jnp.asarray(leaf, jnp.float32) for name, leaf in TARGET.items()}

    def far_off(w: Any, pull: Any, step: Any) -> Any:
        far = sum(jnp.sum((w[name] - target[name]) ** 2 * (1 + 0.3 * step)) for name in target)
        return far + jnp.sum(w["W"] ** 2) * pull

    with pytest.raises(NotReversibleError) as error:
        rg.from_optax(transformation)
    code = str(error.value).split("beside the weights:\n\n")[1]
    lines = [line.removeprefix("    ") for line in code.splitlines()]
    known = {
        "jax": jax, "optax": optax, "retrograd": rg, "loss": far_off, "w0": w0,
        "transformation": transformation, "steps": STEPS,
    }  # fmt: skip

    def final(hyper: Any) -> Any:
        space = {**known, "hyper": hyper}
        exec("\n".join(lines), space)
        return jnp.sum(space["w"]["W"] * target["W"])

    far = (final(hyper + 0.01) - final(hyper - 0.01)) / 0.02
    assert float(jax.grad(final)(hyper)) == pytest.approx(float(far), rel=2e-2)


def test_another_version_of_optax_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison finds a translation that is off in one term."""
    from retrograd.jax import comparison, translation

    monkeypatch.setattr(comparison, "_proven", set())
    monkeypatch.setattr(translation, "_rest", lambda decay: 1 - decay**2)
    with pytest.raises(NotReversibleError, match=r"scale_by_adam.*differs from optax by"):
        rg.from_optax(optax.adam(0.1))


@pytest.mark.parametrize(
    ("given", "options", "said"),
    [
        ("adam", {}, "'adam' was given; give an optax optimizer"),
        (lambda: optax.identity(), {}, "does nothing"),
        (lambda: optax.adam(optax.linear_schedule(1.0, 0.0, 5)), {}, "from_optax.*steps="),
        (lambda: optax.adam(0.1), {"steps": 0}, "from_optax: steps=0 was given"),
        (lambda: optax.adamw(0.1, mask={"W": True, "b": False}), {}, "is masked; give the weights"),
        (lambda: optax.sgd(np.ones(2)), {}, "step_size of optax.scale .* has shape .2,."),
    ],
)
def test_mistakes_are_said(given: Any, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        rg.from_optax(given() if callable(given) else given, **options)

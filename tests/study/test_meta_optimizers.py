"""Meta-optimizers of retrograd and of optax, on hyperparameters of three libraries, and resumed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import retrograd as rg
from retrograd.errors import ArgumentError
from retrograd.study import Recorder, descend, descend_online, read
from retrograd.study.descent import MetaStep

STEPS = 6


def bowl(hyper: Any, index: int) -> tuple[Any, Any]:
    return ((hyper["a"] - 1.0) ** 2).sum() + (index + 1) * hyper["b"] ** 2, {"index": index}


def start() -> dict[str, Any]:
    return {"a": np.array([0.0, 3.0]), "b": np.array(0.5)}


def in_jax() -> dict[str, Any]:
    jnp = pytest.importorskip("jax.numpy")
    return {name: jnp.asarray(value, jnp.float32) for name, value in start().items()}


def in_torch() -> dict[str, Any]:
    torch = pytest.importorskip("torch")
    return {name: torch.tensor(value) for name, value in start().items()}


def path(steps: list[MetaStep]) -> np.ndarray:
    return np.array([[*np.asarray(step.hyper["a"]), float(step.hyper["b"])] for step in steps])


def of_optax(name: str) -> Any:
    optax = pytest.importorskip("optax")
    return {
        "adam": lambda: optax.adam(0.1),
        "scheduled": lambda: optax.adam(optax.cosine_decay_schedule(0.1, STEPS)),
        "clipped": lambda: optax.chain(
            optax.clip_by_global_norm(1.0), optax.sgd(0.1, momentum=0.9)
        ),
        "injected": lambda: optax.inject_hyperparams(optax.rmsprop)(0.1),
        "yogi": lambda: optax.yogi(0.1),  # which cannot be run backwards, and need not be here
    }[name]()


OPTIMIZERS: dict[str, Callable[[], Any]] = {
    "ours": lambda: rg.Adam(rate=0.1),
    "adam": lambda: of_optax("adam"),
    "scheduled": lambda: of_optax("scheduled"),
    "clipped": lambda: of_optax("clipped"),
    "injected": lambda: of_optax("injected"),
    "yogi": lambda: of_optax("yogi"),
}


def test_optaxs_adam_makes_the_moves_of_ours() -> None:
    ours = path(list(descend(bowl, start(), rg.Adam(rate=0.1), STEPS)))
    theirs = path(list(descend(bowl, start(), of_optax("adam"), STEPS)))
    np.testing.assert_allclose(theirs, ours, rtol=1e-12)


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("given", [in_jax, in_torch])
def test_hyperparameters_of_every_library_make_the_same_moves(
    make: Callable[[], Any], given: Callable[[], Any]
) -> None:
    wanted = list(descend(bowl, start(), make(), STEPS))
    found = list(descend(bowl, given(), make(), STEPS))
    np.testing.assert_allclose(path(found), path(wanted), rtol=1e-5)
    kinds = {name: (type(x), x.dtype) for name, x in given().items()}
    assert kinds == {name: (type(x), x.dtype) for name, x in found[-1].hyper.items()}
    assert found[0].norm == pytest.approx(wanted[0].norm)


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
def test_a_study_is_continued_from_its_record(make: Callable[[], Any], tmp_path: Any) -> None:
    """Recorded without pickle, broken off, read, and continued: the same bits as in one go."""
    whole = list(descend(bowl, start(), make(), STEPS))
    recorder = Recorder(tmp_path, {})
    for step in whole[:4]:
        hyper = {f"hyper/{name}": value for name, value in step.hyper.items()}
        state = {f"meta/{name}": value for name, value in step.state.items()}
        recorder.append({"index": step.index}, hyper | state)
    kept = read(tmp_path).arrays(3)
    rest = descend(
        bowl,
        {name: kept[f"hyper/{name}"] for name in start()},
        make(),
        STEPS,
        first=3,
        state={name[5:]: value for name, value in kept.items() if name.startswith("meta/")},
    )
    found = list(rest)
    assert [step.index for step in found] == [3, 4, 5, 6]
    assert np.array_equal(path(found), path(whole[3:]))
    assert [step.value for step in found] == [step.value for step in whole[3:]]


def test_the_state_of_another_meta_optimizer_is_refused() -> None:
    ours, theirs = (next(iter(descend(bowl, start(), make(), 2))).state for make in (
        OPTIMIZERS["ours"], OPTIMIZERS["adam"],
    ))  # fmt: skip
    with pytest.raises(ArgumentError, match=r"^state: the meta-optimizer needs 'weights'"):
        next(descend(bowl, start(), rg.Adam(rate=0.1), 2, state=theirs))
    with pytest.raises(ArgumentError, match=r"^state: the meta-optimizer needs \"hyper/"):
        next(descend(bowl, start(), of_optax("adam"), 2, state=ours))
    with pytest.raises(ArgumentError, match=r"^state: \['second'\] was given"):
        next(descend(bowl, start(), rg.Momentum(0.1), 2, state={
            "weights": ours["weights"], "velocity": ours["first"], "second": ours["second"],
        }))  # fmt: skip


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"first": 7, "state": {}}, "^first: 7 was given for a study of 6 meta-steps"),
        ({"first": -1}, "^first: -1 was given; give a whole number of at least 0"),
        ({"first": 2}, "^state: None was given to continue at meta-step 2"),
    ],
)
def test_a_place_that_makes_no_sense_is_refused(options: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        next(descend(bowl, start(), rg.Adam(), STEPS, **options))


def test_containers_that_only_jax_knows() -> None:
    pytest.importorskip("jax")
    import jax.numpy as jnp
    from jax.tree_util import Partial

    held = Partial(max, jnp.ones(2))  # a pytree of JAX that holds one array
    steps = list(descend(lambda h, i: (jnp.sum(h.args[0] ** 2), None), held, rg.Adam(0.1), 2))
    assert isinstance(steps[-1].hyper, Partial)
    np.testing.assert_allclose(steps[1].hyper.args[0], [0.9, 0.9], rtol=1e-6)


def test_hyperparameters_that_pytorch_does_not_reach_stay() -> None:
    torch = pytest.importorskip("torch")
    hyper = {"a": torch.zeros(2), "unused": torch.ones(1)}
    steps = list(descend(lambda h, i: (((h["a"] - 1) ** 2).sum(), h["a"]), hyper, rg.Adam(0.1), 2))
    assert steps[-1].hyper["unused"].tolist() == [1.0]
    assert not any(step.aux.requires_grad for step in steps)
    assert not hyper["a"].requires_grad


def test_t1_t2_moves_by_optax_too() -> None:
    optax = pytest.importorskip("optax")

    def final(meta_optimizer: Any) -> Any:
        found = descend_online(
            lambda w, target, step: np.sum((w - target) ** 2),
            lambda w, step: np.sum((w - 2.0) ** 2),
            np.zeros(2), np.zeros(2), lambda hyper: rg.SGD(0.25), meta_optimizer, 40,
        )  # fmt: skip
        return [step.hyper for step in found][-1]

    np.testing.assert_allclose(final(optax.sgd(0.5)), final(rg.SGD(0.5)), rtol=1e-12)
    np.testing.assert_allclose(final(optax.sgd(0.5)), [2.0, 2.0], rtol=1e-3)

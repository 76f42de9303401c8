"""`train` and `iterate` on tensors: the gradients of NumPy, and an ordinary node of the graph."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from schedule_problem import STEPS, gradients, loss, numbers, outcome, tensors

import retrograd as rg
from retrograd.backends.torch import TorchBackend
from retrograd.errors import (
    ArgumentError,
    DifferentiationError,
    NonFiniteError,
    ReversalError,
)
from retrograd.testing.optimizers import every_optimizer
from retrograd.training.on_lattice import LatticeTraining
from retrograd.training.problem import problem_of

ADJOINTS = [
    rg.Reversible(),
    rg.Reversible(checkpoints=2),
    rg.Stored(),
    rg.Checkpointed(2),
    rg.Auto("1 MiB"),
    rg.Coded(),
    rg.StraightLine(),
    rg.Truncated(3),
]
OPTIMIZERS = every_optimizer()


def objective(x: Any, adjoint: Any = None, seen: Any = None, optimizer: Any = None) -> Any:
    optimizer = optimizer or rg.Momentum(rg.per_step(x["rates"]), 0.75)
    w = rg.train(
        loss, x["w0"], x["hyper"], optimizer, steps=STEPS, adjoint=adjoint, diagnostics=seen
    )
    return outcome(w)


def flat(container: Any) -> Any:
    return np.concatenate([np.ravel(np.asarray(x)) for x in rg.tree.leaves(container)])


def by_numpy(adjoint: Any = None, optimizer: Any = None) -> Any:
    return flat(rg.grad(lambda x: objective(x, adjoint, None, optimizer))(numbers()))


def by_torch(adjoint: Any = None, optimizer: Any = None, seen: Any = None) -> Any:
    x = tensors()
    objective(x, adjoint, seen, optimizer).backward()
    if optimizer is not None:
        x["rates"].grad = torch.zeros_like(x["rates"])
    return flat(gradients(x))


@pytest.mark.parametrize("adjoint", ADJOINTS, ids=repr)
def test_every_adjoint_finds_the_gradient_of_numpy(adjoint: Any) -> None:
    """Rates, data, their weights, a penalty and initial weights, to rounding."""
    seen = rg.Diagnostics()
    found = by_torch(adjoint, None, seen)
    assert found == pytest.approx(by_numpy(adjoint), rel=1e-9, abs=1e-10)
    assert seen.certificate is not None
    assert seen.certificate.steps == STEPS
    assert len(seen.losses) == STEPS


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_every_optimizer_finds_the_gradient_of_numpy(name: str) -> None:
    optimizer = OPTIMIZERS[name]
    found = by_torch(None, optimizer)
    assert found == pytest.approx(by_numpy(None, optimizer), rel=1e-7, abs=1e-8)
    assert np.abs(found).max() > 1e-3


def test_central_differences() -> None:
    assert rg.check_hypergradient(objective, tensors(leaf=False)).verdict == "agrees"
    wrong = rg.tree.map(torch.ones_like, tensors(leaf=False))
    assert rg.check_hypergradient(objective, tensors(leaf=False), wrong).verdict == "disagrees"


def test_central_differences_of_float32() -> None:
    """Steps that are below its resolution say nothing."""

    def last(rate: Any) -> Any:
        w = rg.train(
            lambda w, h, t: ((w - 1) ** 4).sum(),
            torch.zeros(3),
            None,
            rg.Momentum(rate, 0.5),
            steps=5,
        )
        return (w**2).sum()

    rate = torch.tensor(0.05)
    assert rg.check_hypergradient(last, rate).verdict == "agrees"
    assert rg.check_hypergradient(last, rate, torch.tensor(-1.0)).verdict == "disagrees"


def test_the_integers_are_those_of_numpy() -> None:
    """Where the gradient is exact in floats, every bit of the state is the same."""
    states = []
    for array in (np.array, partial(torch.tensor, dtype=torch.float64)):
        w0 = {"a": array([0.5, -1.25, 3.0]), "b": array([[2.0]])}

        def dyadic(w: Any, hyper: Any, step: int) -> Any:
            return ((w["a"] - hyper) ** 2).sum() / 4 + (w["b"] ** 2).sum() / 8

        optimizer = rg.Momentum(rg.per_step(np.full(20, 0.125)), 0.9)
        problem, inputs = problem_of(dyadic, w0, array(1.5), optimizer, 20)
        run = LatticeTraining(problem, differentiated=False)
        run.start(inputs)
        for t in range(20):
            run.advance(t)
        states.append(run)
    first, second = (run.snapshot() for run in states)
    assert first.keys() == second.keys()
    assert all(np.array_equal(first[name], second[name]) for name in first)
    assert states[0].fingerprint() == states[1].fingerprint()


def test_float32_weights_and_the_derivatives_of_float32() -> None:
    x = tensors(torch.float32)
    w = rg.train(loss, x["w0"], x["hyper"], rg.Adam(rg.per_step(x["rates"])), steps=STEPS)
    assert {leaf.dtype for leaf in rg.tree.leaves(w)} == {torch.float32}
    outcome(w).backward()
    assert {leaf.grad.dtype for leaf in rg.tree.leaves(x)} == {torch.float32}
    y = tensors()
    optimizer = rg.Adam(rg.per_step(y["rates"]))
    outcome(rg.train(loss, y["w0"], y["hyper"], optimizer, steps=STEPS)).backward()
    assert flat(gradients(x)) == pytest.approx(flat(gradients(y)), rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(
    "transform",
    [
        lambda f, x: torch.func.grad(f)(x),
        lambda f, x: torch.func.grad_and_value(f)(x)[0],
        lambda f, x: torch.func.vjp(f, x)[1](torch.ones((), dtype=torch.float64))[0],
    ],
    ids=["grad", "grad_and_value", "vjp"],
)
def test_transforms_outside(transform: Any) -> None:
    found = transform(objective, tensors(leaf=False))
    assert flat(found) == pytest.approx(by_numpy(), rel=1e-9, abs=1e-10)


def test_what_comes_before_and_after_is_ordinary() -> None:
    """Tables of rates are computed by PyTorch, and some inputs are constants."""
    log_rate = torch.tensor(-3.0, requires_grad=True)

    def last(log_rate: Any) -> Any:
        rates = [log_rate.exp(), 0.05, *[log_rate.exp() / k for k in range(2, STEPS)]]
        x = tensors(leaf=False)
        optimizer = rg.Momentum(rg.per_step(rates), torch.sigmoid(log_rate))
        return outcome(rg.train(loss, x["w0"], numbers_of(x), optimizer, steps=STEPS))

    def numbers_of(x: Any) -> Any:
        return {**x["hyper"], "decay": 0.25}

    last(log_rate).backward()
    ends = [float(last(torch.tensor(-3.0 + c, dtype=torch.float64))) for c in (1e-5, -1e-5)]
    assert float(log_rate.grad) == pytest.approx((ends[0] - ends[1]) / 2e-5, rel=1e-5)


def test_rates_like_the_weights_and_per_leaf() -> None:
    x = tensors(leaf=False)
    by_leaf = torch.tensor([0.05, 0.1, 0.075], dtype=torch.float64, requires_grad=True)
    alike = {"a": by_leaf[0], "b": [by_leaf[1], by_leaf[2]]}
    found = []
    for rate in (rg.per_leaf(by_leaf), alike):
        value = objective(x, optimizer=rg.Momentum(rate, 0.75))
        found.append(torch.autograd.grad(value, by_leaf)[0])
    assert torch.allclose(found[0], found[1], rtol=1e-12)
    assert found[0].abs().min() > 0


def test_without_derivatives_nothing_is_kept() -> None:
    assert not objective(tensors(leaf=False)).requires_grad
    with torch.no_grad():
        assert not objective(tensors()).requires_grad
    x = tensors()
    found = objective(x)
    assert found.requires_grad
    assert float(found.detach()) == pytest.approx(float(objective(numbers())), rel=1e-12)


def test_training_in_floats() -> None:
    x = tensors(torch.float32)
    with pytest.raises(DifferentiationError, match="train_in_floats cannot be differentiated"):
        rg.train_in_floats(loss, x["w0"], x["hyper"], rg.Momentum(0.1), 3)
    y = tensors(torch.float32, leaf=False)
    floats = rg.train_in_floats(loss, y["w0"], y["hyper"], rg.Momentum(0.1), 3)
    lattice = rg.train(loss, y["w0"], y["hyper"], rg.Momentum(0.1), 3)
    assert flat(floats) == pytest.approx(flat(lattice), abs=1e-5)
    assert floats["a"].dtype == torch.float32


def test_a_saved_run_goes_on(tmp_path: Path) -> None:
    calls: list[int] = []

    def counted(w: Any, hyper: Any, step: int) -> Any:
        calls.append(step)
        if len(calls) == 9:
            raise KeyboardInterrupt
        return loss(w, hyper, step)

    def value(x: Any) -> Any:
        optimizer = rg.Momentum(rg.per_step(x["rates"]), 0.75)
        saved = rg.Saved(tmp_path / "run", every=2)
        return outcome(rg.train(counted, x["w0"], x["hyper"], optimizer, STEPS, saved=saved))

    with pytest.raises(KeyboardInterrupt):
        value(tensors()).backward()
    calls.extend([0] * 10)
    x = tensors()
    value(x).backward()
    assert flat(gradients(x)) == pytest.approx(by_numpy(), rel=1e-9, abs=1e-10)
    assert not (tmp_path / "run").exists()


@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # PyTorch's own
@pytest.mark.parametrize(
    ("ask", "complaint"),
    [
        (lambda x: torch.func.jvp(objective, (x,), (x,)), "have no forward-mode derivative"),
        (lambda x: torch.func.jacfwd(objective)(x), "forward-mode|under torch.func.vmap"),
        (lambda x: torch.func.hessian(objective)(x), "forward-mode|under torch.func.vmap"),
        (lambda x: torch.func.vmap(rated(x))(torch.ones(2, STEPS)), "cannot be called under"),
        (lambda x: torch.func.jacrev(trained(x))(x["rates"]), "many cotangents at once"),
        (
            lambda x: torch.func.grad(lambda r: torch.func.grad(rated(x))(r).sum())(x["rates"]),
            "train was differentiated twice",
        ),
    ],
    ids=["jvp", "jacfwd", "hessian", "vmap", "jacrev", "grad of grad"],
)
def test_derivatives_that_a_sweep_does_not_have(ask: Any, complaint: str) -> None:
    with pytest.raises(DifferentiationError, match=complaint):
        ask(tensors(leaf=False))


def rated(x: Any) -> Any:
    return lambda rates: objective({**x, "rates": rates})


def trained(x: Any) -> Any:
    return lambda rates: rg.train(loss, x["w0"], x["hyper"], rg.Momentum(rates[0]), steps=2)["a"]


def test_a_graph_of_the_gradient_is_refused_when_it_is_used() -> None:
    x = tensors()
    (found,) = torch.autograd.grad(objective(x), x["rates"], create_graph=True)
    with pytest.raises(DifferentiationError, match="train was differentiated twice"):
        found.sum().backward()


def test_a_run_has_one_sweep() -> None:
    x = tensors()
    value = objective(x)
    value.backward(retain_graph=True)
    with pytest.raises(ReversalError, match="has been swept already"):
        value.backward()


def test_random_losses_are_refused_with_a_cure() -> None:
    def noisy(w: Any, hyper: Any, step: int) -> Any:
        return loss(w, hyper, step) + (torch.rand(()) * w["a"]).sum()

    x = tensors()
    with pytest.raises(ReversalError, match=r"not a deterministic .* retrograd\.torch\.seeded"):
        rg.train(noisy, x["w0"], x["hyper"], rg.Momentum(0.1), steps=2)
    x["w0"]["a"] = x["w0"]["a"].detach().requires_grad_()
    rg.train(rg.torch.seeded(noisy), x["w0"], x["hyper"], rg.Momentum(0.1), steps=2)


@pytest.mark.parametrize("adjoint", [rg.Reversible(), rg.Stored(), rg.Coded()], ids=repr)
def test_data_that_changes_between_the_passes(adjoint: Any) -> None:
    """Never a wrong gradient: by closure or as hyper."""
    data = torch.ones(2, 3, dtype=torch.float64)

    def closed(w: Any, hyper: Any, step: int) -> Any:
        return ((w["a"] * data - hyper["decay"]) ** 4).sum()

    for change in (data, None):
        x = tensors()
        hyper = {**x["hyper"], "decay": x["hyper"]["decay"].detach()}
        w = rg.train(closed, x["w0"], hyper, rg.Momentum(0.01), steps=5, adjoint=adjoint)
        (hyper["decay"] if change is None else change).mul_(1.5)
        with pytest.raises(ReversalError, match="written to in place"):
            outcome(w).backward()


def test_formulas_with_other_bits_in_a_second_derivative() -> None:
    """SiLU: the forward run evaluates the gradient as the sweep does."""

    def swish(w: Any, hyper: Any, step: int) -> Any:
        return torch.nn.functional.silu(hyper["examples"].float() @ w["a"]).square().sum()

    x = tensors(torch.float32)
    seen = rg.Diagnostics()
    w = rg.train(swish, x["w0"], x["hyper"], rg.Momentum(0.1), steps=5, diagnostics=seen)
    outcome(w).backward()
    assert seen.certificate is not None
    assert seen.certificate.exact


@pytest.mark.parametrize(
    ("w0", "complaint"),
    [
        (torch.ones(2, dtype=torch.bfloat16), r"^w0: value .*bfloat16\); give real float arrays"),
        (torch.ones(2, dtype=torch.int64), r"^w0: value .*int64\); give real float arrays"),
        (torch.ones(2, dtype=torch.complex64), r"^w0: value .*complex64\)"),
        (torch.ones(0), r"^w0: value has shape .* no elements"),
    ],
)
def test_weights_that_are_refused(w0: Any, complaint: str) -> None:
    with pytest.raises(ArgumentError, match=complaint):
        rg.train(lambda w, h, t: w.sum(), w0, None, rg.Momentum(0.1), steps=2)


@pytest.mark.parametrize(
    ("rate", "complaint"),
    [
        (torch.ones(7), r"^rate: shape \(7,\) at value does not fit weights of shape \(2,\)"),
        (torch.tensor(1j), r"^rate: tensor\(0.\+1.j\) was given"),
        (torch.tensor(float("nan")), r"^rate: nan was given"),
    ],
)
def test_rates_that_are_refused(rate: Any, complaint: str) -> None:
    with pytest.raises(ArgumentError, match=complaint):
        rg.train(lambda w, h, t: w.sum(), torch.ones(2), None, rg.Momentum(rate), steps=2)


def test_a_loss_that_is_not_finite() -> None:
    with pytest.raises(NonFiniteError, match="the loss is nan at step 0"):
        rg.train(lambda w, h, t: (-w).log().sum(), torch.ones(2), None, rg.Momentum(0.1), steps=2)


def test_threads_and_generators_are_left_alone() -> None:
    before = torch.get_num_threads(), torch.random.get_rng_state()
    objective(tensors()).backward()
    assert torch.get_num_threads() == before[0]
    assert torch.equal(torch.random.get_rng_state(), before[1])
    assert not torch.are_deterministic_algorithms_enabled()


# iterate


def logistic(x: Any, params: Any, t: int) -> Any:
    return {"x": params * x["x"] * (1 - x["x"])}


@pytest.mark.parametrize(
    "adjoint", [None, rg.Stored(), rg.Coded(), rg.Checkpointed(3), rg.Auto("1 MiB")], ids=repr
)
def test_maps(adjoint: Any) -> None:
    def last(x0: Any, rate: Any) -> Any:
        return rg.iterate(logistic, {"x": x0}, rate, steps=15, adjoint=adjoint)["x"].sum()

    x0, rate = (torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in ([0.4, 0.3], 2.9))
    last(x0, rate).backward()
    expected = rg.grad(last, (0, 1))(np.array([0.4, 0.3]), 2.9)
    assert flat([x0.grad, rate.grad]) == pytest.approx(flat(expected), rel=1e-10)
    found = torch.func.grad(last, (0, 1))(x0.detach(), rate.detach())
    assert flat(found) == pytest.approx(flat(expected), rel=1e-10)


@pytest.mark.parametrize(
    ("step", "kind", "complaint"),
    [
        (lambda x, p, t: {"x": x["x"].float()}, ArgumentError, "step: at step 0 it returned float"),
        (lambda x, p, t: x["x"], ArgumentError, "returned another container"),
        (lambda x, p, t: {"x": x["x"] * CLOSED}, ArgumentError, "step: it uses a traced value"),
        (lambda x, p, t: {"x": x["x"] * torch.rand(())}, ReversalError, "retrograd.torch.seeded"),
    ],
)
def test_maps_that_are_refused(step: Any, kind: type[Exception], complaint: str) -> None:
    x0 = torch.ones(2, dtype=torch.float64, requires_grad=True)
    with pytest.raises(kind, match=complaint):
        rg.iterate(step, {"x": x0}, None, steps=3)


CLOSED = torch.tensor(0.5, dtype=torch.float64, requires_grad=True)


def test_the_certificate_says_what_pytorch_has_no_deterministic_algorithm_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    note = "bmm_cuda has no deterministic implementation"
    monkeypatch.setattr(TorchBackend, "notes", (note,))
    seen = rg.Diagnostics()
    rate = torch.tensor(0.1, requires_grad=True)
    w = rg.train(
        lambda w, hyper, step: (w**2).sum(),
        torch.ones(3),
        None,
        rg.Momentum(rate),
        steps=3,
        diagnostics=seen,
    )
    w.sum().backward()
    assert seen.certificate is not None
    assert seen.certificate.notes == (note,)
    assert note in str(seen.certificate)

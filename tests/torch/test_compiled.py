"""A loss whose derivatives are compiled."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from schedule_problem import STEPS, gradients, loss, outcome, tensors

import retrograd as rg
from retrograd.errors import ArgumentError, DifferentiationError
from retrograd.torch import compiled

# "eager" traces as the compiler does, and leaves out the generating of code, which takes long.
PLAIN: dict[str, Any] = {"backend": "eager"}


def trained(loss: Any, optimizer: Any) -> tuple[Any, rg.Diagnostics]:
    x, seen = tensors(), rg.Diagnostics()
    rates = rg.per_step(x["rates"])
    w = rg.train(loss, x["w0"], x["hyper"], optimizer(rates), steps=STEPS, diagnostics=seen)
    outcome(w).backward()
    return gradients(x), seen


@pytest.mark.parametrize("optimizer", [rg.Momentum, rg.Adam])
def test_the_gradients_are_those_of_the_plain_loss(optimizer: Any) -> None:
    expected, _ = trained(loss, optimizer)
    found, seen = trained(compiled(loss, **PLAIN), optimizer)
    for a, b in zip(*map(rg.tree.leaves, (found, expected)), strict=True):
        assert a == pytest.approx(b, rel=1e-9, abs=1e-10)
    assert seen.certificate is not None
    assert seen.certificate.exact


def test_programs_are_kept_for_other_runs() -> None:
    quick = compiled(loss, **PLAIN)
    trained(quick, rg.Momentum)
    (programs,) = quick._programs.values()
    trained(quick, rg.Momentum)
    assert list(quick._programs.values()) == [programs]
    assert quick.__name__ == "loss"


def test_many_losses_may_be_compiled() -> None:
    """More of them than torch.compile makes programs of one piece of code."""
    for power in range(2, 12):
        quick = compiled(lambda w, h, t: ((w - t) ** 2).sum(), **PLAIN)
        w0 = torch.full((2,), float(power), requires_grad=True)
        rg.train(quick, w0, None, rg.Momentum(0.01), steps=2).sum().backward()
        assert w0.grad is not None


def test_closures_are_seen() -> None:
    outside = torch.tensor(2.0, requires_grad=True)
    quick = compiled(lambda w, h, t: (w**2).sum() * outside, **PLAIN)
    with pytest.raises(DifferentiationError, match="by closure"):
        rg.train(quick, torch.ones(2, requires_grad=True), None, rg.Momentum(0.1), steps=2)


def test_closures_are_seen_at_any_step() -> None:
    outside = torch.tensor(2.0, requires_grad=True)
    quick = compiled(lambda w, h, t: (w**2).sum() * (outside if t == 2 else 1.0), **PLAIN)
    with pytest.raises(DifferentiationError, match="by closure"):
        rg.train(quick, torch.ones(2, requires_grad=True), None, rg.Momentum(0.1), steps=4)


def test_hyper_that_is_wanted_and_hyper_that_is_not() -> None:
    """What is traced is followed in both passes; a part of it may be wanted."""

    def loss(w: Any, h: Any, t: int) -> Any:
        return ((w - h["goal"]) ** 2 * h["weights"] * h["scale"]).sum() + w[t % 2] * t

    found: list[list[Any]] = []
    for quick in (loss, compiled(loss, **PLAIN)):
        goal = torch.tensor([0.3, -0.2], dtype=torch.float64, requires_grad=True)
        weights = torch.tensor([1.0, 2.0], dtype=torch.float64, requires_grad=True)
        hyper = {"goal": goal, "weights": weights, "scale": torch.tensor(0.5).double()}
        w = rg.train(quick, torch.zeros(2).double(), hyper, rg.Momentum(0.1), steps=5)
        found.append([w.detach(), *torch.autograd.grad(w.sum(), [weights])])
    for a, b in zip(*found, strict=True):
        assert a.tolist() == pytest.approx(b.tolist(), rel=1e-12)


class Pair(NamedTuple):
    a: Any
    b: Any


def test_containers_that_are_refused() -> None:
    quick = compiled(lambda w, h, t: (w.a * w.b).sum(), **PLAIN)
    w0 = Pair(torch.ones(2), torch.ones(2))
    with pytest.raises(ArgumentError, match=r"hold a Pair; .* dicts, lists and tuples"):
        rg.train(quick, w0, None, rg.Momentum(0.1), steps=2)


def test_what_is_no_loss_is_refused() -> None:
    with pytest.raises(ArgumentError, match=r"^compiled: 3 was given"):
        compiled(3)  # type: ignore[arg-type]

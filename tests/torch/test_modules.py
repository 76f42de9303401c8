"""Modules as functions of their weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import retrograd as rg
from retrograd.errors import ArgumentError
from retrograd.torch import functional, parameters_of, seeded

F = nn.functional
TOKENS = torch.randint(0, 11, (4, 6), generator=torch.Generator().manual_seed(0))


class Attention(nn.Module):
    """A block of attention, with weights that are tied, a constant buffer, and dropout."""

    def __init__(self, dropout: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(11, 8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.norm = nn.LayerNorm(8)
        self.dropout = nn.Dropout(dropout)
        self.out = nn.Linear(8, 11, bias=False)
        self.out.weight = self.embedding.weight
        self.register_buffer("mask", torch.triu(torch.ones(5, 5, dtype=torch.bool), 1))
        self.double()

    def forward(self, tokens: Any) -> Any:
        x = self.embedding(tokens)
        y, _ = self.attention(x, x, x, attn_mask=self.mask, need_weights=False)
        return self.out(self.dropout(self.norm(x + y)))


def next_token(call: Any, w: Any) -> Any:
    return F.cross_entropy(call(w, TOKENS[:, :-1]).flatten(0, 1), TOKENS[:, 1:].flatten())


def test_tied_weights_are_there_once_and_tied_in_the_call() -> None:
    module = Attention()
    w = parameters_of(module)
    assert "embedding.weight" in w
    assert "out.weight" not in w
    assert w["embedding.weight"] is module.embedding.weight
    call = functional(module)
    assert torch.equal(call(w, TOKENS[:, :-1]), module(TOKENS[:, :-1]))
    (found,) = torch.autograd.grad(next_token(call, w), w["embedding.weight"])
    (expected,) = torch.autograd.grad(
        F.cross_entropy(module(TOKENS[:, :-1]).flatten(0, 1), TOKENS[:, 1:].flatten()),
        module.embedding.weight,
    )
    assert torch.equal(found, expected)


def test_attention_is_trained_and_its_initial_weights_get_gradients() -> None:
    """The fused kernels have no second derivative; a run uses the formula."""
    module, log_rate = Attention(), torch.tensor(-4.0, dtype=torch.float64, requires_grad=True)
    call = functional(module)

    def last(log_rate: Any, w0: Any) -> Any:
        optimizer = rg.AdamW(log_rate.exp(), epsilon=1e-3)
        return next_token(
            call, rg.train(lambda w, h, t: next_token(call, w), w0, None, optimizer, 5)
        )

    value = last(log_rate, parameters_of(module))
    value.backward()
    assert float(value.detach()) < float(next_token(call, parameters_of(module)).detach())
    for parameter in module.parameters():
        assert parameter.grad is not None
        assert parameter.grad.isfinite().all()
    w0 = {name: x.detach() for name, x in parameters_of(module).items()}
    point = {"log_rate": log_rate.detach(), "w0": w0}
    found = {"log_rate": log_rate.grad, "w0": {n: x.grad for n, x in parameters_of(module).items()}}
    check = rg.check_hypergradient(lambda x: last(x["log_rate"], x["w0"]), point, found)
    assert check.verdict == "agrees", check


def test_dropout_with_numbers_that_come_again() -> None:
    module = Attention(dropout=0.25)
    call = functional(module)
    rate = torch.tensor(0.01, dtype=torch.float64, requires_grad=True)
    noisy = seeded(lambda w, h, t: next_token(call, w), seed=3)
    w = rg.train(noisy, parameters_of(module), None, rg.Adam(rate), steps=4)
    evaluate = functional(module.eval())
    next_token(evaluate, w).backward()

    def last(rate: Any) -> Any:
        w0 = {name: x.detach() for name, x in parameters_of(module).items()}
        return next_token(evaluate, rg.train(noisy, w0, None, rg.Adam(rate), steps=4))

    assert rg.check_hypergradient(last, rate.detach(), rate.grad).verdict == "agrees"


def test_the_mode_and_the_buffers_are_those_of_the_moment() -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3), nn.Dropout(0.5)).eval()
    call, x = functional(module), torch.ones(2, 3)
    expected = call(parameters_of(module), x)
    module.train()
    module[1].running_mean.add_(1.0)
    assert torch.equal(call(parameters_of(module), x), expected)


def test_frozen_parameters_are_constants() -> None:
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 1))
    module[0].requires_grad_(False)
    assert list(parameters_of(module)) == ["1.weight", "1.bias"]
    call = functional(module)
    w = rg.train(
        lambda w, h, t: call(w, torch.ones(2, 3)).square().sum(), parameters_of(module), None,
        rg.Momentum(0.01), steps=3,
    )  # fmt: skip
    w["1.bias"].sum().backward()
    assert module[0].weight.grad is None
    assert module[1].weight.grad.abs().max() > 0


class Counter(nn.Module):
    """A module with a memory: in place, or by another tensor."""

    def __init__(self, in_place: bool) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(()))
        self.in_place = in_place
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Any) -> Any:
        if self.in_place:
            self.calls += 1
        else:
            self.calls = self.calls + 1
        return x * self.scale * self.calls


@pytest.mark.parametrize("in_place", [True, False])
def test_a_buffer_that_changes_is_refused(in_place: bool) -> None:
    module = Counter(in_place)
    call = functional(module)
    with pytest.raises(ArgumentError, match=r"changed its buffer 'calls'.*module\.eval\(\)"):
        call(parameters_of(module), torch.ones(()))
    assert float(module.calls) == 0.0


def test_running_statistics_are_refused() -> None:
    module = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    with pytest.raises(ArgumentError, match=r"^functional: 1 \(BatchNorm1d\) is in training mode"):
        functional(module)
    functional(module.eval())
    alone = nn.BatchNorm1d(2, track_running_stats=False)
    x = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
    assert torch.equal(functional(alone)(parameters_of(alone), x), alone(x))


def test_a_module_that_cannot_be_copied_is_refused() -> None:
    module = nn.Linear(2, 2)
    module.seen = module(torch.ones(2))
    with pytest.raises(ArgumentError, match=r"Linear cannot be copied .*keep no results"):
        functional(module)


@pytest.mark.parametrize("w", [{"weight": torch.ones(2, 2)}, torch.ones(2), {}])
def test_other_weights_are_refused(w: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^functional: weights .* give a dict like param"):
        functional(nn.Linear(2, 2))(w, torch.ones(2))


def test_a_module_without_weights_is_refused() -> None:
    with pytest.raises(ArgumentError, match="no parameter of Linear requires a gradient"):
        parameters_of(nn.Linear(2, 2).requires_grad_(False))


def test_a_module_that_is_called_without_the_weights() -> None:
    """Its own parameters would be used: an error instead of a gradient of zero."""
    module = nn.Linear(2, 1)
    with pytest.raises(TypeError, match=r"by closure, such as a module's own parameters"):
        rg.train(
            lambda w, h, t: module(torch.ones(2)).sum(), parameters_of(module), None,
            rg.Momentum(0.1), steps=2,
        )  # fmt: skip


@pytest.mark.parametrize("seed", [-1, 0.5, True, None])
def test_seeds_that_are_refused(seed: Any) -> None:
    with pytest.raises(ArgumentError, match=r"^seeded: seed .* was given; give a whole number"):
        seeded(lambda w, h, t: w, seed)


def test_seeded_draws_by_step_and_leaves_the_generator_alone() -> None:
    before = torch.random.get_rng_state()
    draw = seeded(lambda w, h, t: torch.rand(4), seed=1)
    assert torch.equal(draw(None, None, 3), draw(None, None, 3))
    assert not torch.equal(draw(None, None, 3), draw(None, None, 4))
    assert not torch.equal(draw(None, None, 3), seeded(draw.__wrapped__, 2)(None, None, 3))
    assert torch.equal(torch.random.get_rng_state(), before)

"""The PyTorch backend: bits, settings that are put back, and what it refuses."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from retrograd.errors import ArgumentError, DifferentiationError

torch = pytest.importorskip("torch")

from retrograd.backends.torch import TorchBackend  # noqa: E402
from retrograd.backends.torch_environment import Environment  # noqa: E402

F = torch.nn.functional


def backend() -> TorchBackend:
    return TorchBackend()


def normal(*shape: int, seed: int = 0) -> Any:
    return torch.from_numpy(np.random.default_rng(seed).normal(size=shape))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("active", [False, True])
def test_one_gradient_in_three_ways_with_the_same_bits(dtype: Any, active: bool) -> None:
    w, direction = ({"a": normal(4, 3, seed=s).to(dtype)} for s in (1, 2))
    data = normal(7, 4).to(dtype)

    def loss(w: Any, hyper: Any, step: int) -> Any:
        return F.gelu(hyper @ w["a"]).logsumexp(1).square().sum() * (step + 1)

    given, rebuild = ([data], lambda x: x[0]) if active else ([], lambda x: data)
    _, expected = backend().value_and_gradient(loss, w, data, 2)
    found, along, mixed = backend().gradient_along(loss, w, given, rebuild, 2, direction)
    later, push = backend().linearized_gradient(loss, w, given, rebuild, 2)
    pushed, pushed_mixed = push(direction)
    assert torch.equal(found["a"], expected["a"])
    assert torch.equal(later["a"], expected["a"])
    assert torch.equal(along["a"], pushed["a"])
    assert len(mixed) == len(given) == len(pushed_mixed)
    assert not expected["a"].requires_grad


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("f", [F.silu, F.mish], ids=["silu", "mish"])
def test_formulas_that_ask_for_the_graph_are_aligned(
    f: Any, known: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch's derivative of these has other bits where a second derivative may follow."""

    def loss(w: Any, hyper: Any, step: int) -> Any:
        return f(w * w.sin()).square().sum()

    if not known:
        monkeypatch.setattr("retrograd.backends.torch._ASKING", frozenset())
    w, one = normal(50, 8).float(), backend()
    found, _, _ = one.gradient_along(loss, w, [], lambda x: None, 0, w)
    assert torch.equal(one.value_and_gradient(loss, w, None, 0)[1], found) is known
    assert one.align() is not known
    assert torch.equal(one.value_and_gradient(loss, w, None, 0)[1], found)


def test_a_gradient_that_does_not_depend_on_the_weights() -> None:
    def loss(w: Any, hyper: Any, step: int) -> Any:
        return w[0].sum()

    w = [normal(2), normal(3)]
    gradient, along, mixed = backend().gradient_along(loss, w, [normal(1)], tuple, 0, w)
    assert [x.tolist() for x in (*gradient, *along)] == [[1, 1], [0] * 3, [0, 0], [0] * 3]
    assert mixed[0].tolist() == [0]


def test_the_root_at_zero() -> None:
    x = torch.tensor([0.0, 4.0], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(TorchBackend.root(x).sum(), x)
    assert slope.tolist() == [0.0, 0.25]


@pytest.mark.parametrize("given", [2, 2.0, np.array(2.0), torch.tensor(2), [1.0, torch.ones(())]])
def test_numbers_become_tensors_of_doubles(given: Any) -> None:
    found = TorchBackend.array(given)
    assert found.dtype == torch.float64
    assert found.shape == np.shape(given)


def flags() -> tuple[Any, ...]:
    cuda = torch.backends.cuda
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        torch.utils.deterministic.fill_uninitialized_memory,
        cuda.flash_sdp_enabled(),
        cuda.mem_efficient_sdp_enabled(),
        cuda.math_sdp_enabled(),
        torch.is_autocast_enabled("cpu"),
        warnings.showwarning,
        list(warnings.filters),
    )


def test_settings_hold_in_the_block_alone() -> None:
    before, inside = flags(), []

    def fail() -> None:
        with Environment(torch.device("cpu")).settings():
            inside.extend(flags())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert inside[:6] == [True, True, False, False, False, True]
    assert flags() == before


def test_a_caller_who_asks_for_determinism_keeps_his_own_way() -> None:
    torch.use_deterministic_algorithms(True)
    try:
        with Environment(torch.device("cpu")).settings():
            assert not torch.is_deterministic_algorithms_warn_only_enabled()
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)


def test_autocast_is_that_of_the_call() -> None:
    with torch.autocast("cpu", torch.bfloat16):
        within = Environment(torch.device("cpu"))
    with within.settings():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.bfloat16
    outside = Environment(torch.device("cpu"))
    with torch.autocast("cpu", torch.bfloat16), outside.settings():
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == torch.float32


def test_what_is_not_deterministic_becomes_a_note() -> None:
    """PyTorch warns of it; other warnings pass."""
    environment = Environment(torch.device("cpu"))
    with environment.settings():
        assert environment.notes == ()
        warnings.warn(
            "put_ does not have a deterministic implementation, but you set 'torch.use...'",
            stacklevel=1,
        )
        warnings.warn("Deterministic behavior was enabled with either `torch...`", stacklevel=1)
    first, second = environment.notes
    assert first == "PyTorch has no deterministic put_ on cpu"
    assert "CUBLAS_WORKSPACE_CONFIG" in second
    with environment.settings(), pytest.warns(UserWarning, match="something else"):
        warnings.warn("something else", stacklevel=1)
    assert len(environment.notes) == 2


def test_the_kernels_own_warning_is_heard() -> None:
    """`put_` without accumulation, which has no deterministic form on any device."""
    environment = Environment(torch.device("cpu"))
    with environment.settings():
        torch.zeros(3).put_(torch.tensor([0, 0]), torch.ones(2))
    assert environment.notes == ("PyTorch has no deterministic put_ on cpu",)


@pytest.mark.parametrize(
    ("loss", "kind", "complaint"),
    [
        (lambda w, h, t: w.detach().sum(), ArgumentError, r"^loss: it does not depend on the w"),
        (lambda w, h, t: w, ArgumentError, r"^loss: it returned a tensor of shape \(2,\), torch.f"),
        (lambda w, h, t: 1.5, ArgumentError, r"^loss: it returned 1.5; return one real number"),
        (lambda w, h, t: w.sum() * OUTSIDE, DifferentiationError, r"by closure, .*functional\(mod"),
        (lambda w, h, t: Once.apply(w).sum(), DifferentiationError, r"^Once is marked with once_d"),
        (lambda w, h, t: torch.cdist(w[None], w[None] + 1).sum(), DifferentiationError, r"twice"),
    ],
)
def test_losses_that_are_refused(loss: Any, kind: type[Exception], complaint: str) -> None:
    w = normal(2)
    with pytest.raises(kind, match=complaint):
        backend().gradient_along(loss, w, [], lambda x: None, 0, w)


OUTSIDE = torch.tensor(2.0, requires_grad=True)


def test_who_wants_no_derivatives_may_use_what_he_likes() -> None:
    with torch.no_grad():
        quiet = backend()
    value, _ = quiet.value_and_gradient(lambda w, h, t: w.sum() * OUTSIDE, normal(2), None, 0)
    assert value.shape == ()


class Once(torch.autograd.Function):
    """A cube that can be differentiated once."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, bar: Any) -> Any:
        return 3 * ctx.saved_tensors[0] ** 2 * bar

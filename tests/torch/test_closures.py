"""What a loss or map uses that it was not handed: refused, since its derivative would be lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.autograd import forward_ad

import retrograd as rg
from retrograd.errors import ArgumentError, DifferentiationError

W0 = torch.tensor([0.5, -1.0], dtype=torch.float64)
ONES = torch.ones(2, dtype=torch.float64)


def trained(loss: Callable[..., Any], hyper: Any = None, w0: Any = W0) -> Any:
    return rg.train(loss, w0, hyper, rg.Momentum(0.1, 0.5), steps=4).sum()


def squared(w: Any, hyper: Any, step: int) -> Any:
    return ((w - hyper) ** 2).sum()


def test_a_closure_that_comes_in_at_a_later_step() -> None:
    late = torch.tensor(2.0, requires_grad=True)

    def loss(w: Any, hyper: Any, step: int) -> Any:
        return squared(w, late if step == 3 else 1.0, step)

    with pytest.raises(DifferentiationError, match=r"at step 3: it uses a tensor of shape \(\)"):
        trained(loss)
    with torch.no_grad():
        assert torch.isfinite(trained(loss))


def test_a_map_whose_closure_comes_in_at_a_later_step() -> None:
    late = torch.tensor(2.0, dtype=torch.float64, requires_grad=True)
    for x0 in (W0, W0.clone().requires_grad_()):
        with pytest.raises(ArgumentError, match="step: it uses a traced value"):
            rg.iterate(lambda x, params, t: x * (late if t == 2 else 1.0), x0, None, steps=4)


def test_a_function_without_second_derivative_that_comes_in_at_a_later_step() -> None:
    class Cubed(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x**3

        @staticmethod
        @torch.autograd.function.once_differentiable
        def backward(ctx: Any, bar: Any) -> Any:  # pyright: ignore
            return 3 * ctx.saved_tensors[0] ** 2 * bar

    def loss(w: Any, hyper: Any, step: int) -> Any:
        return squared(Cubed.apply(w) if step else w, 1.0, step)

    with pytest.raises(DifferentiationError, match="at step 1: Cubed is marked with"):
        trained(loss)


@pytest.mark.parametrize("only_late", [False, True])
@pytest.mark.parametrize(
    "transform",
    [
        lambda f: torch.func.grad(f)(ONES),
        lambda f: torch.func.vjp(f, ONES),
        lambda f: torch.func.jvp(f, (ONES,), (ONES,)),
        lambda f: torch.func.vmap(f)(ONES[None]),
        lambda f: with_tangents(f),
    ],
    ids=["grad", "vjp", "jvp", "vmap", "forward_ad"],
)
@pytest.mark.filterwarnings("ignore:.*torch.jit.script:DeprecationWarning")  # PyTorch's own
def test_what_a_transform_outside_follows(transform: Any, only_late: bool) -> None:
    """There is no graph that would show it."""

    def by_loss(target: Any) -> Any:
        def loss(w: Any, hyper: Any, step: int) -> Any:
            return squared(w, target if step == 2 or not only_late else 1.0, step)

        return trained(loss)

    def by_map(factor: Any) -> Any:
        def step(x: Any, params: Any, t: int) -> Any:
            return x * factor if t == 2 or not only_late else x

        return rg.iterate(step, W0, None, steps=4).sum()

    with pytest.raises(DifferentiationError, match="train: its loss uses a tensor that a transf"):
        transform(by_loss)
    with pytest.raises(DifferentiationError, match="iterate: its map uses a tensor that a transf"):
        transform(by_map)


def with_tangents(f: Callable[[Any], Any]) -> Any:
    with forward_ad.dual_level():
        return f(forward_ad.make_dual(ONES, ONES))


def test_constants_that_are_made_within_a_transform() -> None:
    """torch.func wraps them too, and so it does what the loss itself differentiates."""

    def objective(target: Any) -> Any:
        halves, weight = torch.full((2,), 0.25) * 2, (target * 3).detach().sum()

        def loss(w: Any, hyper: Any, step: int) -> Any:
            slope = torch.func.grad(lambda x: (halves * x**3).sum())(w - hyper)
            return weight * slope.mean() / 3

        return trained(loss, target)

    by_func = torch.func.grad(objective)(ONES)
    leaf = ONES.clone().requires_grad_()
    (by_graph,) = torch.autograd.grad(objective(leaf), leaf)
    assert torch.equal(by_func, by_graph)
    assert by_func.abs().min() > 0.1


@pytest.mark.parametrize("quietly", [True, False])
def test_writing_to_the_weights_in_place(quietly: bool) -> None:
    """The derivative would be that of another loss, and the run does not see what was written."""

    def loss(w: Any, hyper: Any, step: int) -> Any:
        if step == 1:
            with torch.set_grad_enabled(not quietly):
                w["b"].clamp_(-0.25, 0.25)
        return sum(squared(x, 1.0, step) for x in w.values())

    w0 = {"a": W0.clone(), "b": W0.float()}
    with pytest.raises(ArgumentError, match=r"loss: it writes in place .* write to a copy"):
        rg.train(loss, w0, None, rg.Momentum(0.1), steps=3)


def test_inference_mode() -> None:
    with (
        torch.inference_mode(),
        pytest.raises(ArgumentError, match=r"in torch\.inference_mode\(\)"),
    ):
        trained(squared, 1.0)


def test_numpy_in_a_loss_is_refused_with_another_cure_than_pytorchs() -> None:
    array = ONES.numpy()
    with pytest.raises(ArgumentError, match=r"loss: it hands a tensor to NumPy.*as_tensor\)"):
        trained(lambda w, hyper, step: (w * hyper).sum(), array)


@pytest.mark.parametrize("where", ["weights", "hyper", "rate"])
def test_tensors_without_numbers(where: str) -> None:
    given = {"weights": W0, "hyper": ONES, "rate": torch.tensor(0.1)}
    given[where] = given[where].to("meta")
    optimizer = rg.Momentum(given["rate"])
    with pytest.raises(ArgumentError, match="on the meta device, which have no numbers"):
        rg.train(squared, given["weights"], given["hyper"], optimizer, steps=2)


@pytest.mark.filterwarnings("ignore:Sparse:UserWarning")
def test_data_in_another_layout() -> None:
    """A sparse matrix in `hyper`, as a constant."""
    matrix = torch.tensor([[2.0, 0.0], [0.0, 3.0]], dtype=torch.float64)
    found = []
    for given in (matrix, matrix.to_sparse_csr(), matrix.to_sparse()):
        w0 = W0.clone().requires_grad_()
        trained(lambda w, h, t: ((h @ w[:, None] - 1) ** 2).sum() / 8, given, w0).backward()
        found.append(w0.grad)
    assert torch.allclose(found[0], found[1], rtol=1e-12)
    assert torch.allclose(found[0], found[2], rtol=1e-12)


@pytest.mark.filterwarnings("ignore:.*nested tensors:UserWarning")
def test_nested_tensors() -> None:
    with pytest.raises(ArgumentError, match="hold a nested tensor; give a list of its parts"):
        trained(squared, torch.nested.nested_tensor([ONES, W0[:1]]))


def test_what_is_no_module() -> None:
    for function in (rg.torch.functional, rg.torch.parameters_of):
        with pytest.raises(ArgumentError, match=f"{function.__name__}: .* give a module"):
            function([W0])

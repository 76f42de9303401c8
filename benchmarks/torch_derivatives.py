"""The gradient with its derivative in a direction, by what PyTorch offers for it.

    python benchmarks/torch_derivatives.py [--sizes 784-50-50-50-10] [--batch 200] [--compiled]

A network of tanh layers, float32, one thread, a new batch at every step. The ways take turns; the
table holds medians over the rounds of the ratios to the plain gradient within each round, in CPU
time, and whether the gradient has the bits of the plain one. `--compiled` adds torch.compile (half
a minute for compiling).
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise
from time import process_time
from typing import Any

import torch
from torch.autograd import forward_ad

Tensors = list[torch.Tensor]


class Network:
    """The network, its data, and a direction."""

    def __init__(self, sizes: Sequence[int], batch: int) -> None:
        generator = torch.Generator().manual_seed(0)

        def normal(*shape: int) -> torch.Tensor:
            return torch.randn(*shape, generator=generator)

        shapes = [s for a, b in pairwise(sizes) for s in ((a, b), (b,))]
        self.batch = batch
        self.weights = [normal(*shape) / shape[0] ** 0.5 for shape in shapes]
        self.direction = [normal(*shape) for shape in shapes]
        self.images = normal(10 * batch, sizes[0])
        self.labels = torch.randint(0, sizes[-1], (10 * batch,), generator=generator)

    def loss(self, w: Sequence[torch.Tensor], step: int) -> torch.Tensor:
        """The loss of one batch."""
        first = step % 10 * self.batch
        x = self.images[first : first + self.batch]
        for i in range(0, len(w), 2):
            x = torch.addmm(w[i + 1], x, w[i])
            x = torch.tanh(x) if i + 2 < len(w) else x
        labels = self.labels[first : first + self.batch]
        return torch.nn.functional.cross_entropy(x, labels)

    def leaves(self) -> Tensors:
        """The weights as leaves of a new graph."""
        return [x.detach().requires_grad_() for x in self.weights]


def plain(network: Network, step: int) -> Sequence[torch.Tensor]:
    """The gradient alone."""
    leaves = network.leaves()
    return torch.autograd.grad(network.loss(leaves, step), leaves)


def twice_in_reverse(network: Network, step: int) -> Sequence[torch.Tensor]:
    """Reverse over reverse, which the backend uses."""
    leaves = network.leaves()
    gradient = torch.autograd.grad(network.loss(leaves, step), leaves, create_graph=True)
    torch.autograd.grad(gradient, leaves, network.direction)
    return gradient


def dual_numbers(network: Network, step: int) -> Sequence[torch.Tensor]:
    """Forward over reverse, by dual numbers."""
    with forward_ad.dual_level():
        pairs = zip(network.leaves(), network.direction, strict=True)
        leaves = [forward_ad.make_dual(x, v) for x, v in pairs]
        gradient = torch.autograd.grad(network.loss(leaves, step), leaves)
        return [forward_ad.unpack_dual(g).primal for g in gradient]


def transforms(network: Network, step: int) -> Sequence[torch.Tensor]:
    """Forward over reverse, by the transforms of torch.func."""
    gradient = torch.func.grad(lambda w: network.loss(w, step))
    return torch.func.jvp(gradient, (network.weights,), (network.direction,))[0]  # type: ignore[no-any-return]


def compiled_pair(network: Network) -> dict[str, Callable[..., Any]]:
    """The gradient and its derivative as `retrograd.torch.compiled` makes them."""
    from retrograd.torch import compiled

    loss = compiled(lambda w, hyper, step: network.loss(w, step))

    def gradient(network: Network, step: int) -> Any:
        return loss.gradient(network.weights, None, step, [])[0]

    def both(network: Network, step: int) -> Any:
        found, _, begun = loss.gradient(network.weights, None, step, [])
        torch.autograd.grad(found, begun, network.direction)
        return found

    return {"torch.compile: gradient": gradient, "torch.compile: both": both}


def seconds(way: Callable[..., Any], network: Network, repeats: int) -> float:
    """CPU seconds of one evaluation."""
    started = process_time()
    for step in range(repeats):
        way(network, step)
    return (process_time() - started) / repeats


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sizes", default="784-50-50-50-10")
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--compiled", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    network = Network(list(map(int, options.sizes.split("-"))), options.batch)
    ways: dict[str, Callable[..., Any]] = {
        "gradient": plain,
        "twice in reverse": twice_in_reverse,
        "dual numbers": dual_numbers,
        "torch.func.jvp of grad": transforms,
    }
    if options.compiled:
        ways |= compiled_pair(network)
    expected = plain(network, 3)
    same = {name: all(map(torch.equal, way(network, 3), expected)) for name, way in ways.items()}
    rounds = []
    for _ in range(options.rounds + 1):
        times = {name: seconds(way, network, options.repeats) for name, way in ways.items()}
        rounds.append({name: t / times["gradient"] for name, t in times.items()})
    print(f"gradient: {1e6 * times['gradient']:.0f} µs\n\n| way | over gradient | same bits |")
    print("|---|---|---|")
    for name in ways:
        ratio = statistics.median(found[name] for found in rounds[1:])
        print(f"| {name} | {ratio:.2f} | {'yes' if same[name] else 'no'} |")


if __name__ == "__main__":
    main()

"""Gradient time over the plain NumPy function's time, ours and our peers', as a markdown table.

CPU time, one thread, the best of several rounds; a name in the command line chooses rows. Peers
are measured where they are installed: Autograd, PyTorch (eager) and JAX (eager and compiled).

    python benchmarks/autodiff_speed.py [NAME ...]
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import Any

os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import numpy as np
from programs import Program, fluid, lstm, network, recurrent, rosenbrock, scalar_chain
from threadpoolctl import threadpool_limits

import retrograd as rg
import retrograd.numpy as rnp

ROUNDS, SECONDS_A_ROUND = 7, 0.1
# JAX unrolls Python's loops, and XLA takes minutes to compile what comes of these.
NOT_COMPILED = ("fluid",)
Derivative = Callable[..., Any]


def best_time(run: Callable[[], Any]) -> float:
    """Seconds of processor time of the fastest of several rounds of calls."""
    run()
    start = time.process_time()
    run()
    calls = max(1, int(SECONDS_A_ROUND / max(time.process_time() - start, 1e-6)))
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        for _ in range(calls):
            run()
        best = min(best, (time.process_time() - start) / calls)
    return best


@dataclass(frozen=True)
class Peer:
    """A library: its NumPy, and its derivatives of `loss(x)` by name, each `(loss, x) -> run`."""

    name: str
    numpy: ModuleType
    derivatives: dict[str, Callable[[Callable[..., Any], Any], Callable[[], Any]]]


def along(x: Any) -> Any:
    """A direction for Hessian-vector products."""
    return rg.tree.map(np.ones_like, x)


def ours() -> Peer:
    def gradient(loss: Any, x: Any) -> Callable[[], Any]:
        f = rg.grad(loss)
        return lambda: f(x)

    def product(loss: Any, x: Any) -> Callable[[], Any]:
        f, v = rg.hvp(loss), along(x)
        return lambda: f(x, v)

    def hessian(loss: Any, x: Any) -> Callable[[], Any]:
        f = rg.hessian(loss)
        return lambda: f(x)

    return Peer("retrograd", rnp, {"gradient": gradient, "HVP": product, "Hessian": hessian})


def autograd() -> Peer:
    library = import_module("autograd")
    names = {"gradient": "grad", "Hessian": "hessian"}

    def call(name: str) -> Callable[..., Any]:
        def derivative(loss: Any, x: Any) -> Callable[[], Any]:
            f = getattr(library, names[name])(loss)
            return lambda: f(x)

        return derivative

    def product(loss: Any, x: Any) -> Callable[[], Any]:
        f, v = library.hessian_vector_product(loss), along(x)
        flat, structure = rg.tree.flatten(x)
        if len(flat) == 1:
            return lambda: f(x, v)
        gradient, directions = library.grad(loss), rg.tree.leaves(v)

        def inner(leaves: Any) -> Any:
            found = rg.tree.leaves(as_lists(gradient(rg.tree.unflatten(structure, list(leaves)))))
            return sum(np_.sum(a * b) for a, b in zip(found, directions, strict=True))

        np_ = import_module("autograd.numpy")
        both = library.grad(inner)
        return lambda: both(flat)

    derivatives = {"gradient": call("gradient"), "HVP": product, "Hessian": call("Hessian")}
    return Peer("Autograd", import_module("autograd.numpy"), derivatives)


def as_lists(x: Any) -> Any:
    """Autograd's boxed containers as plain ones."""
    if hasattr(x, "shape") or not hasattr(x, "__len__"):
        return x
    return [as_lists(x[i]) for i in range(len(x))]


class TorchNumPy(ModuleType):
    """The handful of NumPy's functions that the programs call, in PyTorch."""

    def __init__(self) -> None:
        super().__init__("torch_numpy")
        self.torch = torch = import_module("torch")
        torch.set_num_threads(1)
        for name in ("tanh", "exp", "log", "sin", "floor", "ravel", "reshape"):
            setattr(self, name, getattr(torch, name))
        self.dot = torch.matmul
        self.asarray = torch.as_tensor

    def zeros(self, shape: Any) -> Any:
        return self.torch.zeros(shape, dtype=self.torch.float64)

    def max(self, x: Any, axis: int, keepdims: bool) -> Any:
        return self.torch.amax(x, axis, keepdim=keepdims)

    def sum(self, x: Any, axis: Any = None, keepdims: bool = False) -> Any:
        return self.torch.sum(x) if axis is None else self.torch.sum(x, axis, keepdim=keepdims)

    def mean(self, x: Any) -> Any:
        return self.torch.mean(x)

    def roll(self, x: Any, shift: int, axis: int) -> Any:
        return self.torch.roll(x, shift, axis)

    def mod(self, x: Any, n: int) -> Any:
        return self.torch.remainder(x, n)

    def arange(self, n: int) -> Any:
        return self.torch.arange(n)

    def meshgrid(self, x: Any, y: Any) -> Any:
        return self.torch.meshgrid(x, y, indexing="xy")


def pytorch() -> Peer:
    torch = import_module("torch")
    numpy = TorchNumPy()
    torch.Tensor.astype = lambda self, kind: self.to(torch.int64)  # as the fluid program asks

    def leaves_of(x: Any) -> tuple[list[Any], Any]:
        flat, structure = rg.tree.flatten(x)
        return [torch.tensor(leaf, requires_grad=True) for leaf in flat], structure

    def gradient(loss: Any, x: Any) -> Callable[[], Any]:
        leaves, structure = leaves_of(x)
        return lambda: torch.autograd.grad(loss(rg.tree.unflatten(structure, leaves)), leaves)

    def product(loss: Any, x: Any) -> Callable[[], Any]:
        leaves, structure = leaves_of(x)
        directions = [torch.ones_like(leaf) for leaf in leaves]

        def run() -> Any:
            value = loss(rg.tree.unflatten(structure, leaves))
            first = torch.autograd.grad(value, leaves, create_graph=True)
            return torch.autograd.grad(first, leaves, directions)

        return run

    def hessian(loss: Any, x: Any) -> Callable[[], Any]:
        point = torch.tensor(x)
        return lambda: torch.autograd.functional.hessian(loss, point)

    derivatives = {"gradient": gradient, "HVP": product, "Hessian": hessian}
    return Peer("PyTorch eager", numpy, derivatives)


def jax(*, compiled: bool) -> Peer:
    library = import_module("jax")
    library.config.update("jax_enable_x64", True)
    finish = library.jit if compiled else (lambda f: f)
    names = {"gradient": library.grad, "Hessian": library.hessian}

    def on_arrays(x: Any) -> Any:
        return rg.tree.map(library.numpy.asarray, x)

    def call(name: str) -> Callable[..., Any]:
        def derivative(loss: Any, x: Any) -> Callable[[], Any]:
            f, point = finish(names[name](loss)), on_arrays(x)
            return lambda: library.block_until_ready(f(point))

        return derivative

    def product(loss: Any, x: Any) -> Callable[[], Any]:
        point, v = on_arrays(x), on_arrays(along(x))
        f = finish(lambda x, v: library.jvp(library.grad(loss), (x,), (v,))[1])
        return lambda: library.block_until_ready(f(point, v))

    title = "JAX compiled" if compiled else "JAX eager"
    derivatives = {"gradient": call("gradient"), "HVP": product, "Hessian": call("Hessian")}
    return Peer(title, library.numpy, derivatives)


def peers() -> list[Peer]:
    found = [ours()]
    if find_spec("autograd"):
        found.append(autograd())
    if find_spec("torch"):
        found.append(pytorch())
    if find_spec("jax"):
        found += [jax(compiled=False), jax(compiled=True)]
    return found


CASES: dict[str, tuple[Program, str, float]] = {
    "network 784-50-50-50-10, float64": (network([784, 50, 50, 50, 10], 200), "gradient", 2.3),
    "network, float32": (network([784, 50, 50, 50, 10], 200, np.float32), "gradient", 2.8),
    "tiny network 10-20-20-1, batch 5": (network([10, 20, 20, 1], 5), "gradient", 10),
    "chain of 200 scalar operations": (scalar_chain(), "gradient", 40),
    "fluid 40x40, 20 steps": (fluid(40, 20), "gradient", 2.8),
    "fluid 100x100, 20 steps": (fluid(100, 20), "gradient", 2.5),
    "tanh RNN, 100 steps, hidden 64": (recurrent(100, 64, 16), "gradient", 3.5),
    "LSTM, 100 steps, hidden 64": (lstm(100, 64, 16), "gradient", 3.3),
    "network 784-50-50-50-10, float64: HVP": (network([784, 50, 50, 50, 10], 200), "HVP", 5.0),
    "tiny network 10-20-20-1: HVP": (network([10, 20, 20, 1], 5), "HVP", 40),
    "Rosenbrock, 20 variables: Hessian": (rosenbrock(20), "Hessian", 150),
}


def main() -> None:
    chosen = {k: v for k, v in CASES.items() if not sys.argv[1:] or any(a in k for a in sys.argv)}
    with threadpool_limits(1):
        libraries = peers()
        print(f"| derivative / plain | plain, us | bar | {' | '.join(p.name for p in libraries)} |")
        print("|---|---:|---:" + "|---:" * len(libraries) + "|")
        for name, ((loss_in, x), kind, bar) in chosen.items():
            plain = loss_in(np)
            seconds = best_time(lambda: plain(x))  # noqa: B023
            cells = []
            for peer in libraries:
                if peer.name == "JAX compiled" and name.startswith(NOT_COMPILED):
                    cells.append("-")
                    continue
                run = peer.derivatives[kind](loss_in(peer.numpy), x)
                cells.append(f"{best_time(run) / seconds:.1f}")
            print(f"| {name} | {seconds * 1e6:.0f} | {bar:g} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()

"""Hypergradients in PyTorch for `hypergradients.py`: ours, and those a user would write instead.

The peers build the graph of the whole training (`create_graph=True`) and call backward: a loop as
it stands, with `torch.utils.checkpoint` on the step, by `higher`, and by TorchOpt (whose momentum
is one plain number, so that it has no derivative in the momenta). What a hypergradient keeps is
read from the peak of the resident memory of a process of its own (on a GPU, with that of the
device's memory added to it): what a further step keeps is its slope over the number of steps.

References:
    Grefenstette et al., "Generalized Inner Loop Meta-Learning", arXiv:1910.01727 (higher);
    Ren et al., "TorchOpt: An Efficient Library for Differentiable Optimization", JMLR 2023.
"""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.checkpoint import checkpoint

import retrograd as rg

if TYPE_CHECKING:
    from hypergradient_problem import Contender, Leaves, Problem

Tensor = torch.Tensor


class Task:
    """The losses on tensors, and the first weights, rates and momenta."""

    def __init__(self, problem: Problem, device: str) -> None:
        place = partial(torch.tensor, device="cuda" if device == "gpu" else "cpu")
        self.images, self.targets = place(problem.images), place(problem.targets)
        self.chosen = place(problem.chosen)
        self.judged_batch = place(problem.judged_images), place(problem.judged_targets)
        self.rates, self.momenta = place(problem.rates), place(problem.momenta)
        self.w0 = [place(leaf) for leaf in problem.w0]
        self.schedule = problem.rates.tolist(), problem.momenta.tolist()
        self.seen = rg.Diagnostics()  # of our runs

    @property
    def steps(self) -> int:
        """The number of steps."""
        return len(self.chosen)

    def loss(self, w: Any, hyper: Any, step: int) -> Tensor:
        """The loss on the batch of a step."""
        chosen = self.chosen[step]
        return cross_entropy(network(w, self.images[chosen]), self.targets[chosen])

    def judged(self, w: Any) -> Tensor:
        """The loss on the validation batch."""
        images, targets = self.judged_batch
        return cross_entropy(network(w, images), targets)

    def variables(self) -> tuple[Tensor, Tensor, list[Tensor]]:
        """Rates, momenta and initial weights that ask for their derivatives."""
        rates, momenta, *w0 = (
            x.clone().requires_grad_() for x in (self.rates, self.momenta, *self.w0)
        )
        return rates, momenta, w0


def network(w: Any, x: Tensor) -> Tensor:
    """The network's outputs before the softmax."""
    for weights, biases in zip(w[:-2:2], w[1:-2:2], strict=True):
        x = torch.tanh(torch.addmm(biases, x, weights))
    return torch.addmm(w[-1], x, w[-2])


def cross_entropy(scores: Tensor, targets: Tensor) -> Tensor:
    """The mean of -log softmax, where the targets have their one."""
    return (torch.logsumexp(scores, dim=1) - (scores * targets).sum(dim=1)).mean()


def train_plainly(task: Task) -> list[Tensor]:
    """Training as it is written by hand: in place, without a graph over the steps."""
    w = [x.clone().requires_grad_() for x in task.w0]
    v = [torch.zeros_like(x) for x in w]
    for t, (rates, momenta) in enumerate(zip(*task.schedule, strict=True)):
        gradient = torch.autograd.grad(task.loss(w, None, t), w)
        with torch.no_grad():
            for i, g in enumerate(gradient):
                v[i].mul_(momenta[i]).sub_(g)
                w[i].add_(v[i], alpha=rates[i])
    return w


def step(task: Task, t: int, rates: Tensor, momenta: Tensor, *state: Tensor) -> tuple[Tensor, ...]:
    """A step of momentum that can be differentiated; the state is the weights and velocities."""
    w, v = state[: len(state) // 2], state[len(state) // 2 :]
    gradient = torch.autograd.grad(task.loss(w, None, t), w, create_graph=True)
    v = [m * x - g for m, x, g in zip(momenta, v, gradient, strict=True)]
    return (*(x + a * y for x, a, y in zip(w, rates, v, strict=True)), *v)


def unrolled(task: Task, again: bool) -> list[Tensor]:
    """By autograd through the loop, which keeps every step's graph or, if `again`, its state."""
    rates, momenta, w0 = task.variables()
    state = (*w0, *(torch.zeros_like(x) for x in w0))
    for t in range(task.steps):
        given = task, t, rates[t], momenta[t], *state
        state = checkpoint(step, *given, use_reentrant=False) if again else step(*given)
    return list(torch.autograd.grad(task.judged(state[: len(w0)]), [rates, momenta, *w0]))


class Network(torch.nn.Module):
    """The network with its weights as parameters, for `higher`."""

    def __init__(self, w0: list[Tensor]) -> None:
        super().__init__()
        self.w = torch.nn.ParameterList([torch.nn.Parameter(x.clone()) for x in w0])

    def forward(self, x: Tensor) -> Tensor:
        """The outputs before the softmax."""
        return network(list(self.w), x)


def by_higher(task: Task) -> list[Tensor]:
    """By `higher`: the module and its optimizer made functional."""
    import higher

    rates, momenta, _ = task.variables()
    module = Network(task.w0)
    groups = [{"params": [w]} for w in module.parameters()]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9)
    with higher.innerloop_ctx(module, optimizer, copy_initial_weights=False) as (model, inner):
        for t in range(task.steps):
            chosen = task.chosen[t]
            loss = cross_entropy(model(task.images[chosen]), task.targets[chosen])
            inner.step(loss, override={"lr": list(rates[t]), "momentum": list(momenta[t])})
        images, targets = task.judged_batch
        judged = cross_entropy(model(images), targets)
        return list(torch.autograd.grad(judged, [rates, momenta, *module.parameters()]))


def by_torchopt(task: Task) -> list[Tensor | None]:
    """By TorchOpt's functional optimizers, one for each leaf."""
    import torchopt

    rates, _, w0 = task.variables()
    momenta = task.schedule[1][0]
    optimizers = [
        torchopt.sgd(lambda t, i=i: rates[int(t), i], momentum=momenta[i]) for i in range(len(w0))
    ]
    w: list[Any] = list(w0)
    states = [optimizer.init([x]) for optimizer, x in zip(optimizers, w, strict=True)]
    for t in range(task.steps):
        gradient = torch.autograd.grad(task.loss(w, None, t), w, create_graph=True)
        for i, g in enumerate(gradient):
            update, states[i] = optimizers[i].update([g], states[i], inplace=False)
            (w[i],) = torchopt.apply_updates([w[i]], update, inplace=False)
    by_rates, *by_w0 = torch.autograd.grad(task.judged(w), [rates, *w0])
    return [by_rates, None, *by_w0]


def ours(adjoint: Any, task: Task) -> list[Tensor]:
    """By `retrograd.train`."""
    rates, momenta, w0 = task.variables()
    optimizer = rg.Momentum(rate=rg.per_step(rates), momentum=rg.per_step(momenta))
    given = task.loss, w0, None, optimizer, task.steps
    w = rg.train(*given, adjoint=adjoint, diagnostics=task.seen, progress=False)
    task.judged(w).backward()
    return [x.grad for x in (rates, momenta, *w0) if x.grad is not None]


SWEEPS: dict[str, Callable[[Task], Any]] = {
    "unrolled": partial(unrolled, again=False),
    "checkpoint": partial(unrolled, again=True),
    "higher": by_higher,
    "torchopt": by_torchopt,
    "Reversible": partial(ours, rg.Reversible()),
    "Stored": partial(ours, rg.Stored()),
    "Checkpointed": partial(ours, rg.Checkpointed()),
}
TITLES = {
    "unrolled": "autograd through the loop",
    "checkpoint": "the same, `torch.utils.checkpoint` on the step",
    "higher": "`higher`",
    "torchopt": "TorchOpt (one momentum, without derivative)",
    "Reversible": "`rg.train`, `Reversible()`",
    "Stored": "`rg.train`, `Stored()`",
    "Checkpointed": "`rg.train`, `Checkpointed()`",
}
NEEDS = {"higher": "higher", "torchopt": "torchopt"}
MEASURED = "growth of the peak of resident memory, in a process of its own"


def installed(name: str) -> bool:
    """Whether the library of a contender can be imported."""
    return name not in NEEDS or find_spec(NEEDS[name]) is not None


def setup(device: str) -> None:
    """One thread on the CPU."""
    if device == "cpu":
        torch.set_num_threads(1)


def plain(problem: Problem, device: str) -> Callable[[], object]:
    """Plain training, run to its end."""
    task = Task(problem, device)
    return lambda: finished(train_plainly(task), device)


def finished(result: Any, device: str) -> Any:
    """The same, when the device is done."""
    if device == "gpu":
        torch.cuda.synchronize()
    return result


def contender(name: str, problem: Problem, longer: Problem, device: str, limit: float) -> Contender:
    """Measure what a hypergradient keeps, in another process.

    Args:
        name: one of `SWEEPS`.
        problem: what is timed.
        longer: the same for more steps; here it is made anew from its name.
        device: "cpu" or "gpu".
        limit: the most bytes that it may keep to be run.
    """
    from hypergradient_problem import Contender

    call = [sys.executable, __file__, name, problem.kind, device, str(limit)]
    printed = subprocess.run(call, check=True, stdout=subprocess.PIPE, text=True).stdout
    by_step, by_certificate = map(float, printed.split())
    task = Task(problem, device)

    def run() -> Leaves:
        return leaves(finished(SWEEPS[name](task), device))

    fits = by_step * problem.steps <= limit
    return Contender(run if fits else None, None, None, by_step, by_certificate or None)


def leaves(hypergradient: list[Tensor | None]) -> Leaves:
    """The hypergradient as NumPy arrays."""
    return [None if x is None else x.cpu().numpy() for x in hypergradient]


def reference(problem: Problem, device: str) -> Leaves:
    """The hypergradient in float64, by autograd through checkpointed steps."""
    return leaves(SWEEPS["checkpoint"](Task(problem.cast(np.float64), device)))


def out_of_memory(error: Exception) -> bool:
    """Whether this is the error of an allocation that failed."""
    return isinstance(error, torch.OutOfMemoryError)


def bytes_by_step(name: str, kind: str, device: str, limit: float) -> tuple[float, float]:
    """By how many bytes this process grows with each step, and what the certificate says of it.

    It is found from short runs first; from the two runs of the problem if these stay below `limit`.
    The second number is 0 for a peer.
    """
    from hypergradient_problem import KINDS, problem_of

    longest = problem_of(kind)

    def after(steps: int) -> NDArray[np.float64]:
        gc.collect()  # what is left of another run, in cycles
        task = Task(longest.first(steps), device)
        finished(SWEEPS[name](task), device)
        certificate = task.seen.certificate
        return np.array([peak(device), certificate.bytes_kept if certificate else 0], float)

    def slopes(short: int, long: int) -> tuple[float, float]:
        # What one run leaves behind, such as what the allocator holds back, is there at the third.
        before = [after(short) for _ in range(3)][-1]
        grown, kept = (after(long) - before) / (long - short)
        return float(grown), float(kept)

    steps = KINDS[kind].steps
    found = slopes(max(steps // 10, 2), max(steps // 5, 4))
    if found[0] * longest.steps > limit:
        return found
    return slopes(steps, longest.steps)


def peak(device: str) -> int:
    """The most memory that this process has held at once, in bytes, on Linux.

    `getrusage` would also count what the process that started this one held.
    """
    status = Path("/proc/self/status").read_text()
    held = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    on_device = torch.cuda.max_memory_allocated() if device == "gpu" else 0
    return int(held) * 1024 + on_device


if __name__ == "__main__":
    setup(sys.argv[3])
    print(*bytes_by_step(sys.argv[1], sys.argv[2], sys.argv[3], float(sys.argv[4])))

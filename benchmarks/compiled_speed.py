"""Time of compiled gradients over the plain NumPy function's time, as a markdown table.

One thread for BLAS and for XLA. The last column is JAX's own `jit(grad(...))` of the same program,
written with `jax.numpy`; of the fluid it takes many minutes to compile, and is left out. The first
call, which compiles, has a column of its own. Needs the `jax` extra.

    python benchmarks/compiled_speed.py [NAME ...]
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

os.environ.setdefault(
    "XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
)

import jax
import numpy as np
from programs import Program, fluid, network, recurrent, rosenbrock
from threadpoolctl import threadpool_limits

import retrograd as rg
import retrograd.numpy as rnp

ROUNDS, SECONDS_A_ROUND = 9, 0.1


def best_time(run: Callable[[], Any]) -> float:
    """Seconds of the fastest of several rounds of calls."""
    run()
    start = time.perf_counter()
    run()
    calls = max(1, int(SECONDS_A_ROUND / (time.perf_counter() - start)))
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(calls):
            run()
        best = min(best, (time.perf_counter() - start) / calls)
    return best


def first_time(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


CASES: dict[str, tuple[Program, Any, Any, float]] = {
    "fluid 40x40, 20 steps": (fluid(40, 20), rg.grad, None, 0.5),
    "tanh RNN, 100 steps, hidden 64": (recurrent(100, 64, 16), rg.grad, jax.grad, 1.2),
    "network 784-50-50-50-10, float64": (
        network([784, 50, 50, 50, 10], 200), rg.grad, jax.grad, 1.6,
    ),
    "network 784-50-50-50-10, float32": (
        network([784, 50, 50, 50, 10], 200, np.float32), rg.grad, jax.grad, np.nan,
    ),
    "Hessian of Rosenbrock, 20-d": (rosenbrock(20), rg.hessian, jax.hessian, 7.0),
}  # fmt: skip


# JAX's arrays cannot be looped over inside `jit` while 64-bit types are switched on locally.
LOOPED = SimpleNamespace(**{**vars(jax.numpy), "asarray": np.asarray})


def own_time(operator: Any, loss: Any, x: Any) -> float:
    with jax.enable_x64(True):
        jitted = jax.jit(operator(loss))
        return best_time(lambda: jax.block_until_ready(jitted(x)))


def rows(names: list[str]) -> Iterator[tuple[str, float, float, float, float, float]]:
    for name, ((loss_in, x), operator, theirs, bar) in CASES.items():
        if names and not any(given in name for given in names):
            continue
        namespace: Any = LOOPED if "RNN" in name else jax.numpy
        plain = best_time(lambda: loss_in(np)(x))  # noqa: B023
        compiled = rg.compile(operator(loss_in(rnp)))
        first = first_time(lambda: compiled(x))  # noqa: B023
        ours = best_time(lambda: compiled(x))  # noqa: B023
        other = own_time(theirs, loss_in(namespace), x) if theirs else np.nan
        yield name, plain, ours / plain, bar, other / plain, first


def main() -> None:
    print("| program | plain NumPy, us | compiled / plain | bar | JAX's own | first call, s |")
    print("|---|---:|---:|---:|---:|---:|")
    with threadpool_limits(1):
        for name, plain, ours, bar, theirs, first in rows(sys.argv[1:]):
            print(
                f"| {name} | {plain * 1e6:.0f} | {ours:.2f} | {bar:.1f} | {theirs:.2f} "
                f"| {first:.1f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()

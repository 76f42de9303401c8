"""Train with parameters, batches or both sharded; print what came of it. Run by tests.

`python sharded_run.py` runs in one process on its devices. `python sharded_run.py NUMBER COUNT
ADDRESS` is one of several processes that run one program on all their devices.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import retrograd as rg
from retrograd.adjoints import Checkpointed, Reversible, Stored

STEPS = 12
SPECS = {
    "nothing": (PartitionSpec(), PartitionSpec(), PartitionSpec()),
    "parameters": (PartitionSpec("rows", "columns"), PartitionSpec("columns"), PartitionSpec()),
    "batches": (PartitionSpec(), PartitionSpec(), PartitionSpec("rows")),
    "both": (PartitionSpec(None, "columns"), PartitionSpec("columns"), PartitionSpec("rows")),
}


def loss(w: Any, hyper: Any, step: Any) -> Any:
    x = jnp.roll(hyper["x"], step, axis=1)
    found = jnp.tanh(x @ w["matrix"] + w["vector"])
    return jnp.mean(hyper["weight"] * jnp.mean((found - hyper["y"]) ** 2, axis=1))


def plain() -> tuple[Any, Any]:
    """The first weights, of which one leaf is large, and the examples."""
    rng = np.random.default_rng(0)
    w0 = {"matrix": rng.normal(size=(256, 128)) / 16, "vector": rng.normal(size=128)}
    hyper = {
        "x": rng.normal(size=(16, 256)),
        "y": rng.normal(size=(16, 128)),
        "weight": np.ones(16),
    }
    return jax.tree.map(lambda x: np.asarray(x, np.float32), (w0, hyper))


def placed(tree: Any, shardings: Any) -> Any:
    def place(x: Any, sharding: Any) -> Any:
        return jax.make_array_from_callback(x.shape, sharding, lambda where: x[where])

    return jax.tree.map(place, tree, shardings)


def run(kind: str, adjoint: Any, mesh: Any) -> dict[str, Any]:
    """Weights and hypergradients of a run, and whether they are where the arguments are."""
    matrix, vector, batch = (NamedSharding(mesh, spec) for spec in SPECS[kind])
    w0, hyper = plain()
    on_w = {"matrix": matrix, "vector": vector}
    on_hyper = dict.fromkeys(hyper, batch)
    told = rg.Diagnostics()

    def end(w0: Any, hyper: Any, rates: Any) -> Any:
        optimizer = rg.Momentum(rg.per_step(rates), 0.75)
        w = rg.train(loss, w0, hyper, optimizer, STEPS, adjoint=adjoint, diagnostics=told)
        return loss(w, hyper, STEPS), w

    gradient = jax.jit(jax.value_and_grad(end, (0, 1, 2), has_aux=True))
    rates = placed(np.full(STEPS, 0.5, np.float32), NamedSharding(mesh, PartitionSpec()))
    (value, w), bars = gradient(placed(w0, on_w), placed(hyper, on_hyper), rates)
    jax.block_until_ready(bars)
    jax.effects_barrier()
    kept = all(
        a.sharding.is_equivalent_to(b, a.ndim)
        for a, b in zip(jax.tree.leaves((w, bars[0])), [matrix, vector] * 2, strict=True)
    )
    everywhere = jax.jit(lambda x: x, out_shardings=NamedSharding(mesh, PartitionSpec()))
    sizes = jax.tree.map(lambda x: np.asarray(everywhere(x), float).ravel()[:64], (value, w, bars))
    found = told.certificate
    return {
        "kind": kind,
        "adjoint": repr(adjoint),
        "numbers": [x.tolist() for x in jax.tree.leaves(sizes)],
        "kept": kept,
        "compared": None if found is None else found.hashes_compared,
        "devices": len(w["matrix"].sharding.device_set),
    }


def main() -> None:
    if len(sys.argv) > 1:
        number, count, address = sys.argv[1:]
        jax.distributed.initialize(address, int(count), int(number))
    mesh = jax.make_mesh((4, 2), ("rows", "columns"), axis_types=(AxisType.Auto,) * 2)
    for adjoint in (Reversible(bits=1.0), Stored(), Checkpointed(3)):
        for kind in SPECS:
            if kind == "both" or isinstance(adjoint, Reversible):
                print(json.dumps(run(kind, adjoint, mesh)), flush=True)


if __name__ == "__main__":
    main()

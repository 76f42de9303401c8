"""A record with the shapes of a real study, made up in milliseconds from a seed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from retrograd.study import Recorder, summarize

HYPERPARAMETERS = ("log_rates", "logit_momenta", "log_scales")


def write_study(
    out: Path,
    *,
    steps: int = 100,
    hidden: tuple[int, ...] = (50, 50, 50),
    meta_steps: int = 50,
    done: int | None = None,
    finished: bool = True,
) -> Path:
    """Write a study of which `done` meta-steps were made (all of them by default)."""
    done = meta_steps if done is None else done
    sizes = (784, *hidden, 10)
    recorder = Recorder(out, settings_document(sizes, steps, meta_steps), overwrite=True)
    entries = [entry(i, steps, meta_steps, sweep=True) for i in range(min(done, meta_steps))]
    if finished:
        entries.append(entry(done, steps, meta_steps, sweep=False))
    for made in entries:
        sweep = made["hypergradient_norm"] is not None
        recorder.append(made, arrays(made["meta_step"], steps, len(sizes) - 1, sweep=sweep))
    if finished:
        recorder.finish(summarize(entries, interrupted=done < meta_steps))
    return out


def settings_document(sizes: tuple[int, ...], steps: int, meta_steps: int) -> dict[str, Any]:
    layers = range(1, len(sizes))
    return {
        "experiment": "learned_schedule",
        "settings": {
            "data": "mnist-10k",
            "layers": list(sizes[1:-1]),
            "steps": steps,
            "batch": 200,
            "meta_steps": meta_steps,
            "meta_rate": 0.04,
            "seed": 0,
            "adjoint": "reversible",
            "memory": None,
            "log_rate": -1.0,
            "momentum": 0.5,
            "log_scale": -3.0,
            "threads": 1,
        },
        "layer_sizes": list(sizes),
        "groups": [f"{kind} {layer}" for layer in layers for kind in ("weights", "biases")],
        "fan_in": [sizes[layer - 1] for layer in layers for _ in range(2)],
        "versions": {"retrograd": "0.1.0", "numpy": np.__version__, "python": "3.11"},
    }


def entry(i: int, steps: int, meta_steps: int, *, sweep: bool) -> dict[str, Any]:
    noise = np.random.default_rng([1, i])
    train = 0.11 + 0.42 * np.exp(-5 * i / meta_steps) + 0.01 * noise.standard_normal()
    kept, elements = 4_300_000, 45_360
    of_sweep = {
        "hypergradient_norm": float(0.3 * np.exp(-3 * i / meta_steps) * noise.lognormal(0, 0.3)),
        "cosine": float(0.8 * np.exp(-4 * i / meta_steps) + noise.normal(0, 0.1)) if i else None,
        "seconds_hypergradient": 3.1 + 0.05 * noise.standard_normal(),
        "adjoint": "Reversible()",
        "bytes_kept": kept,
        "bytes_trajectory": elements * 2 * 8 * steps,
        "bits_per_element_step": 1.01,
        "exact": True,
        "hashes_compared": 10,
    }
    return {
        "meta_step": i,
        "seed": i,
        "train_loss": float(train),
        "valid_loss": float(train + 0.06),
        "test_loss": float(train + 0.08),
        "train_error": float(train / 4),
        "valid_error": float(train / 4 + 0.02),
        "test_error": float(train / 4 + 0.025),
        "seconds": 4.2,
        "seconds_training": 1.0 + 0.02 * noise.standard_normal(),
        **(of_sweep if sweep else dict.fromkeys(of_sweep)),
    }


def arrays(i: int, steps: int, layers: int, *, sweep: bool) -> dict[str, np.ndarray]:
    noise = np.random.default_rng([2, i])
    t, groups = np.linspace(0, 1, steps)[:, None], np.arange(2 * layers)
    moved = min(0.04 * i, 1.6)
    early = np.exp(-((t - 0.05 * (1 + groups % 3)) ** 2) / 0.02) * (groups + 1) / (2 * layers)
    shapes = {"log_rates": (steps, 2 * layers), "logit_momenta": (steps, 2 * layers)}
    hyper = {
        "log_rates": -1 + moved * (1.2 * early - t) + 0.1 * moved * noise.normal(size=t.shape),
        "logit_momenta": moved * (0.8 - 1.5 * t + 0.1 * groups * early),
        "log_scales": -3 + moved * np.linspace(-0.3, 0.9, 2 * layers),
    }
    result = {f"hyper/{name}": value for name, value in hyper.items()}
    if sweep:
        for name in HYPERPARAMETERS:
            shape = shapes.get(name, (2 * layers,))
            result[f"hypergradient/{name}"] = 1e-3 * noise.standard_normal(shape)
    curve = 2.3 * np.exp(-t[:, 0] * (1.5 + moved)) + 0.02
    result["learning_curve"] = curve * noise.lognormal(0, 0.08, size=steps)
    return result

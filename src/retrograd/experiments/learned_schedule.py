"""Learn a training schedule: a rate and a momentum for every step and parameter group.

The first experiment of Maclaurin, Duvenaud & Adams (ICML 2015, section 3.1). The elementary
problem is a small network on MNIST, trained by gradient descent with momentum,

    v <- beta v - (1 - beta) g,    w <- w + alpha v,

and the hyperparameters are log alpha and logit beta for each step and group of parameters, and the
log scale of each group of initial weights. Their gradient, of the loss on the whole training set
after training, comes from running that training exactly backwards.

The mean of the training images is subtracted from all inputs.
"""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy
from numpy.typing import NDArray

import retrograd
import retrograd.numpy as np
from retrograd import (
    Adam,
    Diagnostics,
    Momentum,
    per_step,
    train,
    train_in_floats,
)
from retrograd.data import Dataset, load, minibatch, one_hot
from retrograd.errors import ArgumentError
from retrograd.experiments.network import (
    cross_entropy,
    error_rate,
    group_names,
    initial_weights,
    logits,
    unit_normals,
)
from retrograd.experiments.settings import ScheduleSettings
from retrograd.study import MetaStep, Recorder, descend, read, summarize

__all__ = ["Problem", "learn_schedule"]

Hyper = dict[str, Any]


@dataclass(frozen=True)
class Problem:
    """The elementary problem: what is trained, on what, and how it is judged."""

    settings: ScheduleSettings
    data: Dataset

    def __post_init__(self) -> None:
        if self.settings.batch > len(self.data.train):
            raise ArgumentError(
                f"--batch is {self.settings.batch}, but {self.data.name} has only "
                f"{len(self.data.train)} training images: give a smaller batch."
            )

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The layers' sizes, from the pixels to the classes."""
        return (self.data.train.images.shape[1], *self.settings.layers, self.data.classes)

    @cached_property
    def _mean(self) -> NDArray[Any]:
        return self.data.train.images.mean(axis=0)

    def images(self, name: str) -> NDArray[Any]:
        """The inputs of a split, centred: the mean of the training images is subtracted."""
        if name == "train":
            return self._train_images
        return getattr(self.data, name).images - self._mean

    @cached_property
    def _train_images(self) -> NDArray[Any]:
        return self.data.train.images - self._mean

    @cached_property
    def targets(self) -> NDArray[Any]:
        """The training labels as one-hot rows."""
        return one_hot(self.data.train.labels, self.data.classes)

    def start(self) -> Hyper:
        """The hyperparameters before the first meta-step."""
        s, groups = self.settings, 2 * (len(self.sizes) - 1)
        logit = numpy.log(s.momentum / (1 - s.momentum))
        return {
            "log_rates": numpy.full((s.steps, groups), s.log_rate),
            "logit_momenta": numpy.full((s.steps, groups), logit),
            "log_scales": numpy.full(groups, s.log_scale),
        }

    def optimizer(self, hyper: Hyper) -> Momentum:
        """Momentum with the hyperparameters' rates and momenta, damped by the momentum."""
        momentum = per_step(1 / (1 + np.exp(-hyper["logit_momenta"])))
        rate = per_step(np.exp(hyper["log_rates"]))
        return Momentum(rate=rate, momentum=momentum, dampening=momentum)

    def initial(self, hyper: Hyper, seed: int) -> Any:
        """Initial weights, drawn by the seed and scaled by the hyperparameters."""
        return initial_weights(unit_normals(self.sizes, seed), np.exp(hyper["log_scales"]))

    def loss(self, seed: int) -> Callable[[Any, Any, int], Any]:
        """The loss on the batch of each step."""
        images, targets, batch = self.images("train"), self.targets, self.settings.batch

        def loss(w: Any, hyper: None, step: int) -> Any:
            chosen = minibatch(len(images), batch, step, seed)
            return cross_entropy(logits(w, images[chosen]), targets[chosen])

        return loss

    def objective(self, hyper: Hyper, meta_step: int) -> tuple[Any, dict[str, Any]]:
        """The training loss after training, and the trained weights and diagnostics."""
        seed = self.settings.seed + meta_step
        seen = Diagnostics()
        w = train(
            self.loss(seed),
            self.initial(hyper, seed),
            None,
            self.optimizer(hyper),
            self.settings.steps,
            adjoint=self.settings.strategy(),
            diagnostics=seen,
            progress=False,  # the study shows its own
        )
        value = cross_entropy(logits(w, self.images("train")), self.targets)
        return value, {"weights": w, "seen": seen}

    def seconds_in_floats(self, hyper: Hyper, seed: int) -> float:
        """The time of one plain training: the same gradient steps without lattice or sweep."""
        w0, optimizer = self.initial(hyper, seed), self.optimizer(hyper)
        started = perf_counter()
        train_in_floats(self.loss(seed), w0, None, optimizer, self.settings.steps)
        return perf_counter() - started

    def judge(self, w: Any, name: str) -> tuple[float, float]:
        """Loss and error rate of trained weights on a split."""
        z, labels = logits(w, self.images(name)), getattr(self.data, name).labels
        return float(cross_entropy(z, one_hot(labels, self.data.classes))), error_rate(z, labels)

    def describe(self) -> dict[str, Any]:
        """What the record says about the study."""
        return {
            "experiment": "learned_schedule",
            "settings": dataclasses.asdict(self.settings),
            "layer_sizes": list(self.sizes),
            "groups": group_names(self.sizes),
            "fan_in": [n for size in self.sizes[:-1] for n in (size, size)],
            "versions": {
                "retrograd": retrograd.__version__,
                "numpy": numpy.__version__,
                "python": platform.python_version(),
            },
        }

    def entry(self, meta: MetaStep) -> tuple[dict[str, Any], dict[str, Any]]:
        """The record's line for a meta-step, and its arrays."""
        seen: Diagnostics = meta.aux["seen"]
        entry: dict[str, Any] = {
            "meta_step": meta.index,
            "seed": self.settings.seed + meta.index,
            "hypergradient_norm": meta.norm,
            "cosine": meta.cosine,
        }
        for name in ("train", "valid", "test"):
            judged = self.judge(meta.aux["weights"], name)
            entry[f"{name}_loss"], entry[f"{name}_error"] = judged
        arrays = {f"hyper/{name}": value for name, value in meta.hyper.items()}
        arrays["learning_curve"] = numpy.array(seen.losses)
        if meta.hypergradient is not None:
            entry |= self._costs(meta, seen)
            arrays |= {f"hypergradient/{n}": value for n, value in meta.hypergradient.items()}
        return entry, arrays

    def _costs(self, meta: MetaStep, seen: Diagnostics) -> dict[str, Any]:
        certificate = seen.certificate
        assert certificate is not None  # a sweep that fails raises
        return {
            "seconds_training": self.seconds_in_floats(meta.hyper, self.settings.seed + meta.index),
            "seconds_hypergradient": seen.seconds_forward + seen.seconds_sweep,
            "adjoint": certificate.adjoint,
            "bytes_kept": max(certificate.bytes_kept, certificate.bytes_peak),
            "bytes_trajectory": certificate.bytes_trajectory,
            "bits_per_element_step": certificate.bits_per_element_step,
            "exact": certificate.exact,
            "hashes_compared": certificate.hashes_compared,
        }


def learn_schedule(
    settings: ScheduleSettings,
    out: Path,
    observe: Callable[[Mapping[str, Any]], None] | None = None,
) -> dict[str, Any]:
    """Run the experiment, and leave its record in a folder.

    Args:
        settings: what to do.
        out: the folder of the record; see `retrograd.study.Recorder`.
        observe: called with each meta-step's entry when it is complete.

    Returns:
        The summary, which also stands in the record. After an interrupt (Ctrl-C) it covers the
        meta-steps that were completed.

    Raises:
        ArgumentError: a setting makes no sense, or the folder holds a record already.
        DataError: the data cannot be had.
    """
    settings.validate()
    problem = Problem(settings, load(settings.data))
    recorder = Recorder(out, problem.describe())
    interrupted = False
    started = perf_counter()
    try:
        beta1, beta2 = settings.meta_betas
        meta_optimizer = Adam(rate=settings.meta_rate, beta1=beta1, beta2=beta2)
        for meta in descend(
            problem.objective, problem.start(), meta_optimizer, settings.meta_steps
        ):
            entry, arrays = problem.entry(meta)
            entry["seconds"], started = perf_counter() - started, perf_counter()
            recorder.append(entry, arrays)
            if observe is not None:
                observe(entry)
    except KeyboardInterrupt:
        interrupted = True
    summary = summarize(read(out).entries, interrupted=interrupted)
    recorder.finish(summary)
    return summary

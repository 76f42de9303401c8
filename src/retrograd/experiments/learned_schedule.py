"""Learn a training schedule: a rate and a momentum for every step and parameter group.

The first experiment of Maclaurin, Duvenaud & Adams (ICML 2015, section 3.1). The elementary
problem is a small network on MNIST, trained by gradient descent with momentum,

    v <- beta v - (1 - beta) g,    w <- w + alpha v,

and the hyperparameters are log alpha and logit beta for each step and group of parameters, and the
log scale of each group of initial weights. Their gradient, of the loss on the whole training set
after training, comes from running that training exactly backwards.

The mean of the training images is subtracted from all inputs. The same text runs in NumPy, JAX and
PyTorch (`retrograd.experiments.array_library`).
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
from retrograd import Adam, Diagnostics, Momentum, per_step, train
from retrograd.data import Dataset, load, minibatch, one_hot
from retrograd.errors import ArgumentError
from retrograd.experiments.array_library import ArrayLibrary, array_library
from retrograd.experiments.network import (
    cross_entropy,
    error_rate,
    group_names,
    initial_weights,
    logits,
    unit_normals,
)
from retrograd.experiments.plain_training import PlainTraining
from retrograd.experiments.settings import ScheduleSettings
from retrograd.study import MetaStep, Recorder, descend, read, summarize
from retrograd.study.differentiation import differentiated

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
    def library(self) -> ArrayLibrary:
        """The array library that the problem is computed in."""
        return array_library(self.settings.backend, self.settings.precision)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The layers' sizes, from the pixels to the classes."""
        return (self.data.train.images.shape[1], *self.settings.layers, self.data.classes)

    @cached_property
    def _mean(self) -> NDArray[Any]:
        return self.data.train.images.mean(axis=0)

    def images(self, name: str) -> Any:
        """The inputs of a split, centred: the mean of the training images is subtracted."""
        if name == "train":
            return self._train_images
        return self.library.floats(getattr(self.data, name).images - self._mean)

    @cached_property
    def _train_images(self) -> Any:
        return self.library.floats(self.data.train.images - self._mean)

    @cached_property
    def targets(self) -> Any:
        """The training labels as one-hot rows."""
        return self.library.floats(one_hot(self.data.train.labels, self.data.classes))

    def start(self) -> Hyper:
        """The hyperparameters before the first meta-step."""
        s, groups = self.settings, 2 * (len(self.sizes) - 1)
        logit = numpy.log(s.momentum / (1 - s.momentum))
        found = {
            "log_rates": numpy.full((s.steps, groups), s.log_rate),
            "logit_momenta": numpy.full((s.steps, groups), logit),
            "log_scales": numpy.full(groups, s.log_scale),
        }
        return {name: self.library.floats(values) for name, values in found.items()}

    def optimizer(self, hyper: Hyper) -> Momentum:
        """Momentum with the hyperparameters' rates and momenta, damped by the momentum."""
        xp = self.library.xp
        momentum = per_step(1 / (1 + xp.exp(-hyper["logit_momenta"])))
        rate = per_step(xp.exp(hyper["log_rates"]))
        return Momentum(rate=rate, momentum=momentum, dampening=momentum)

    def initial(self, hyper: Hyper, seed: int) -> Any:
        """Initial weights, drawn by the seed and scaled by the hyperparameters."""
        floats = self.library.floats
        normals = [(floats(W), floats(b)) for W, b in unit_normals(self.sizes, seed)]
        return initial_weights(normals, self.library.xp.exp(hyper["log_scales"]))

    def batches(self, seed: int) -> Any:
        """The numbers of the training images that each step sees, (steps, batch)."""
        count, s = len(self.data.train), self.settings
        chosen = [minibatch(count, s.batch, step, seed) for step in range(s.steps)]
        return self.library.integers(numpy.stack(chosen))

    @cached_property
    def batch_loss(self) -> Callable[[Any, Any, Any], Any]:
        """The loss on the batch of each step, `loss(w, batches, step)`.

        It is one and the same function for all seeds, so that JAX compiles it once.
        """
        images, targets, xp = self.images("train"), self.targets, self.library.xp

        def loss(w: Any, batches: Any, step: Any) -> Any:
            chosen = batches[step]
            return cross_entropy(logits(w, images[chosen], xp), targets[chosen], xp)

        return loss

    def loss(self, seed: int) -> Callable[[Any, Any, int], Any]:
        """The loss on the batches of one seed."""
        batches = self.batches(seed)
        return lambda w, hyper, step: self.batch_loss(w, batches, step)

    def objective(self, hyper: Hyper, meta_step: int) -> tuple[Any, dict[str, Any]]:
        """The training loss after training, and the trained weights and diagnostics."""
        seed = self.settings.seed + meta_step
        seen = Diagnostics()
        w = train(
            self.batch_loss,
            self.initial(hyper, seed),
            self.batches(seed),
            self.optimizer(hyper),
            self.settings.steps,
            adjoint=self.settings.strategy(),
            diagnostics=seen,
            progress=False,  # the study shows its own
        )
        xp = self.library.xp
        value = cross_entropy(logits(w, self.images("train"), xp), self.targets, xp)
        return value, {"weights": w, "seen": seen}

    def compile(self) -> None:
        """Take one hypergradient that is not recorded, where the first one is compiled.

        So the times on record are those of runs and sweeps.
        """
        if self.library.compiles:
            differentiated(self.objective, self.start(), 0)

    def seconds_in_floats(self, hyper: Hyper, seed: int) -> float:
        """The time of one plain training: the same gradient steps without lattice or sweep."""
        w0, optimizer = self.initial(hyper, seed), self.optimizer(hyper)
        return self._plain.seconds(w0, self.batches(seed), optimizer)

    @cached_property
    def _plain(self) -> PlainTraining:
        return PlainTraining(self.batch_loss, self.library.name)

    def judge(self, w: Any, name: str) -> tuple[float, float]:
        """Loss and error rate of trained weights on a split."""
        labels, xp = getattr(self.data, name).labels, self.library.xp
        z = logits(w, self.images(name), xp)
        targets = self.library.floats(one_hot(labels, self.data.classes))
        return float(cross_entropy(z, targets, xp)), error_rate(self.library.host(z), labels)

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
                **self.library.versions(),
                "python": platform.python_version(),
            },
            "dtype": self.library.dtype,
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
        host = self.library.host
        arrays = {f"hyper/{name}": host(value) for name, value in meta.hyper.items()}
        arrays |= {f"meta/{name}": value for name, value in meta.state.items()}
        arrays["learning_curve"] = numpy.array(seen.losses)
        if meta.hypergradient is not None:
            entry |= self._costs(meta, seen)
            arrays |= {f"hypergradient/{n}": host(g) for n, g in meta.hypergradient.items()}
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
        ArgumentError: a setting makes no sense, the folder holds a record already, or the array
            library is not installed.
        DataError: the data cannot be had.
    """
    settings.validate()
    library = array_library(settings.backend, settings.precision)
    with library.at_work(settings.threads):
        return _learn(Problem(settings, load(settings.data)), out, observe)


def _learn(
    problem: Problem, out: Path, observe: Callable[[Mapping[str, Any]], None] | None
) -> dict[str, Any]:
    settings = problem.settings
    recorder = Recorder(out, problem.describe())
    interrupted = False
    started = perf_counter()
    try:
        problem.compile()
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

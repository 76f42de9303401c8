"""The optimizers as their textbooks have them: plain loops over one flat vector.

A rule is `rule(w, g, t, memory)`, which returns the new weights; t counts from 1, and `memory` is a
dictionary that starts empty.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

import retrograd as rg

Floats = NDArray[np.float64]
Rule = Callable[[Floats, Floats, int, dict[str, Any]], Floats]

RNG = np.random.default_rng(0)
INPUTS = RNG.normal(size=(30, 4))
TARGETS = np.sin(INPUTS @ RNG.normal(size=4)) + 0.1 * RNG.normal(size=30)
MATRIX = (4, 5)


def loss(w: Any, hyper: Any, step: int) -> Any:
    """A small network's regression, on ten examples a step."""
    chosen = (np.arange(10) + 10 * step) % 30
    hidden = np.tanh(INPUTS[chosen] @ w["W"])
    return np.mean((hidden @ w["u"] - TARGETS[chosen]) ** 2)


def start() -> dict[str, Any]:
    rng = np.random.default_rng(1)
    return {"W": rng.normal(size=MATRIX) / 2, "u": rng.normal(size=5) / 2}


def flat(w: dict[str, Any]) -> Floats:
    return np.concatenate([w["W"].reshape(-1), w["u"]])


def by_the_book(rule: Rule, steps: int) -> Floats:
    """The weights after so many steps of a rule."""
    w, memory = flat(start()), {}
    for t in range(1, steps + 1):
        g = rg.grad(loss)({"W": w[:20].reshape(MATRIX), "u": w[20:]}, None, t - 1)
        w = rule(w, flat(g), t, memory)
    return memory.get("result", w)


def sgd(rate: float) -> Rule:
    return lambda w, g, t, memory: w - rate * g


def momentum(rate: float, momentum: float, dampening: float = 0.0) -> Rule:
    def rule(w: Floats, g: Floats, t: int, memory: dict[str, Any]) -> Floats:
        v = memory["v"] = momentum * memory.get("v", 0.0) - (1 - dampening) * g
        return w + rate * v

    return rule


def nesterov(rate: float, momentum: float) -> Rule:
    """In the form with the momentum buffer of positive sign, as PyTorch has it."""

    def rule(w: Floats, g: Floats, t: int, memory: dict[str, Any]) -> Floats:
        b = memory["b"] = momentum * memory.get("b", 0.0) + g
        return w - rate * (g + momentum * b)

    return rule


def adam(rate: float, b1: float, b2: float, epsilon: float, decay: float = 0.0) -> Rule:
    def rule(w: Floats, g: Floats, t: int, memory: dict[str, Any]) -> Floats:
        w = w - rate * decay * w
        m = memory["m"] = b1 * memory.get("m", 0.0) + (1 - b1) * g
        s = memory["s"] = b2 * memory.get("s", 0.0) + (1 - b2) * g**2
        return w - rate * (m / (1 - b1**t)) / (np.sqrt(s / (1 - b2**t)) + epsilon)

    return rule


def adamax(rate: float, b1: float, b2: float, epsilon: float) -> Rule:
    def rule(w: Floats, g: Floats, t: int, memory: dict[str, Any]) -> Floats:
        m = memory["m"] = b1 * memory.get("m", 0.0) + (1 - b1) * g
        u = memory["u"] = np.maximum(b2 * memory.get("u", 0.0), np.abs(g) + epsilon)
        return w - rate / (1 - b1**t) * m / u

    return rule


def nadam(rate: float, b1: float, b2: float, epsilon: float, psi: float) -> Rule:
    def share(t: int) -> float:
        return b1 * (1 - 0.5 * 0.96 ** (t * psi))

    def rule(w: Floats, g: Floats, t: int, memory: dict[str, Any]) -> Floats:
        m = memory["m"] = b1 * memory.get("m", 0.0) + (1 - b1) * g
        s = memory["s"] = b2 * memory.get("s", 0.0) + (1 - b2) * g**2
        product = np.prod([share(i) for i in range(1, t + 1)])
        ahead = share(t + 1) * m / (1 - product * share(t + 1)) + (1 - share(t)) * g / (1 - product)
        return w - rate * ahead / (np.sqrt(s / (1 - b2**t)) + epsilon)

    return rule


def rmsprop(rate: float, smoothing: float, momentum: float, epsilon: float) -> Rule:
    def rule(w: Floats, g: Floats, t: int, memory: dict[str, Any]) -> Floats:
        s = memory["s"] = smoothing * memory.get("s", 0.0) + (1 - smoothing) * g**2
        v = memory["v"] = momentum * memory.get("v", 0.0) + g / (np.sqrt(s) + epsilon)
        return w - rate * v

    return rule


def signum(rate: float, momentum: float) -> Rule:
    def rule(w: Floats, g: Floats, t: int, memory: dict[str, Any]) -> Floats:
        m = memory["m"] = momentum * memory.get("m", 0.0) + (1 - momentum) * g
        return w - rate * np.sign(m)

    return rule


def lion(rate: float, b1: float, b2: float, decay: float = 0.0) -> Rule:
    def rule(w: Floats, g: Floats, t: int, memory: dict[str, Any]) -> Floats:
        m = memory.get("m", 0.0)
        memory["m"] = b2 * m + (1 - b2) * g
        return w - rate * (np.sign(b1 * m + (1 - b1) * g) + decay * w)

    return rule


def muon(rate: float, rest_rate: float, momentum: float) -> Rule:
    """The quintic's effect on the singular values themselves, by a decomposition."""

    def rule(w: Floats, g: Floats, t: int, memory: dict[str, Any]) -> Floats:
        v = memory["v"] = momentum * memory.get("v", 0.0) - g
        left, x, right = np.linalg.svd(v[:20].reshape(MATRIX), full_matrices=False)
        x = x / (np.sqrt(np.sum(x**2)) + 1e-7)
        for _ in range(5):
            x = 3.4445 * x - 4.7750 * x**3 + 2.0315 * x**5
        return w + np.concatenate([rate * ((left * x) @ right).reshape(-1), rest_rate * v[20:]])

    return rule


def clipped_by_norm(rule: Rule, threshold: float) -> Rule:
    def clipped(w: Floats, g: Floats, t: int, memory: dict[str, Any]) -> Floats:
        return rule(w, g * min(1.0, threshold / np.linalg.norm(g)), t, memory)

    return clipped


def clipped_by_value(rule: Rule, threshold: float) -> Rule:
    return lambda w, g, t, memory: rule(w, np.clip(g, -threshold, threshold), t, memory)


def coupled_decay(rule: Rule, decay: float) -> Rule:
    return lambda w, g, t, memory: rule(w, g + decay * w, t, memory)


def averaged(rule: Rule, decay: float) -> Rule:
    def averaging(w: Floats, g: Floats, t: int, memory: dict[str, Any]) -> Floats:
        new = rule(w, g, t, memory)
        average = memory.get("average", flat(start()))
        memory["average"] = memory["result"] = decay * average + (1 - decay) * new
        return new

    return averaging


def mean(rule: Rule) -> Rule:
    """The mean of what the inner rule returns: its weights, or an average of them."""

    def averaging(w: Floats, g: Floats, t: int, memory: dict[str, Any]) -> Floats:
        new = rule(w, g, t, memory)
        memory.setdefault("all", []).append(memory.get("average", new))
        memory["result"] = np.mean(memory["all"], axis=0)
        return new

    return averaging

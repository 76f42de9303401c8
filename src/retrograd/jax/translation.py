"""Each transformation of optax that is known here, as statements: one function each.

`draft.updates` is what flows in, and afterwards what flows out; slots, decays and additions go to
the draft. The formulas are those of optax's documentation; `retrograd.jax.comparison` holds each
translation against optax itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import mul
from typing import Any

from retrograd.errors import NotReversibleError
from retrograd.jax.chain import Part
from retrograd.jax.formula import Formula
from retrograd.jax.statements import FIRST, NARROW, SECOND, WIDE, Draft, Updates
from retrograd.optimizers.optimizer import ANY, FRACTION, NOT_NEGATIVE, POSITIVE, Interval

__all__ = ["DOMAINS", "TRANSLATIONS", "drafted", "unknown"]

# What each setting may be; any finite number where it is not named.
DOMAINS: Mapping[str, Interval] = {
    "b1": FRACTION,
    "b2": FRACTION,
    "decay": FRACTION,
    "eps": NOT_NEGATIVE,
    "eps_root": NOT_NEGATIVE,
    "max_delta": POSITIVE,
    "max_norm": POSITIVE,
    "initial_scale": NOT_NEGATIVE,
    "initial_accumulator_value": NOT_NEGATIVE,
}


class _Reader:
    """What one translation asks of its part: numbers as hyperparameters, and plain settings."""

    def __init__(self, part: Part, draft: Draft, value: Callable[[Part, str], Any]) -> None:
        self.part, self._draft, self._value = part, draft, value

    def __call__(self, name: str) -> str:
        """The name of the hyperparameter that a setting becomes."""
        self._expect(name)
        domain = DOMAINS.get(name, ANY)
        return self._draft.hyperparameter(name, self._value(self.part, name), domain)

    def setting(self, name: str) -> Any:
        """A plain setting, such as a flag."""
        self._expect(name)
        return self.part.settings[name]

    def is_zero(self, name: str) -> bool:
        """Whether a setting is the number 0, so that it need not be read."""
        value = self.setting(name)
        return isinstance(value, int | float) and value == 0

    def _expect(self, name: str) -> None:
        if name not in self.part.settings:
            raise NotReversibleError(
                f"from_optax: {self.part} has no {name!r} in this version of optax, which is not "
                f"known here. {AS_IT_IS}"
            )


AS_IT_IS = """Run the optax optimizer as it is, with its state beside the weights:

    def step(state, hyper, t):
        w, inner = state
        updates, inner = transformation.update(jax.grad(loss)(w, hyper, t), inner, w)
        return optax.apply_updates(w, updates), inner

    start = w0, transformation.init(w0)
    w, _ = retrograd.iterate(step, start, hyper, steps, adjoint=retrograd.Checkpointed())"""


def drafted(parts: Sequence[Part], value: Callable[[Part, str], Any]) -> Draft:
    """The draft of a chain.

    Args:
        parts: of the chain.
        value: what hyperparameter a setting of a part becomes.

    Raises:
        NotReversibleError: a part is not known, or cannot be written as statements.
    """
    draft = Draft()
    for part in parts:
        _check(part)
        slots = len(draft.radixes)
        TRANSLATIONS[part.name](_Reader(part, draft, value), draft)
        if not draft.updates.reads("gradient"):
            draft.passes = ""
        elif len(draft.radixes) > slots:
            draft.passes = f"{part} hands on the gradient itself"
    return draft


def unknown(part: Part) -> str | None:
    """Why a part cannot be translated, or None if it can."""
    if not part.known:
        return "it is not optax's own"
    if part.name in _REASONS:
        return _REASONS[part.name]
    if part.name not in TRANSLATIONS:
        return "retrograd has no statements for it"
    if part.mask is not None and part.name != "add_decayed_weights":
        return "it is masked, and only decayed weights can be"
    for name in ("mu_dtype", "accumulator_dtype"):
        if part.settings.get(name) is not None:
            return f"{name} was given, but its slots are integers here"
    if part.settings.get("mode", "hard") != "hard":
        return "its mode is another one than 'hard'"
    return None


_REASONS = {
    "scale_by_yogi": "its second moment moves by a function of itself, which cannot be undone",
    "scale_by_rprop": "its step sizes move by a function of themselves, which cannot be undone",
    "scale_by_sm3": "its accumulators are maxima over rows and columns, which cannot be undone",
    "apply_if_finite": "what it does depends on values, and a run that is not finite is an error",
    "add_noise": "it draws from a key of its own; add the noise in the loss, by the step",
    "scale_by_lbfgs": "it keeps a history of weights and gradients",
}


def _check(part: Part) -> None:
    reason = unknown(part)
    if reason is not None:
        name = part if part.known else f"{part.name} (number {part.place} of the chain)"
        raise NotReversibleError(
            f"from_optax: {name} cannot be written as reversible statements: {reason}. Leave it "
            f"out to use Reversible(). Otherwise: {AS_IT_IS[0].lower()}{AS_IT_IS[1:]}"
        )


# Without a state.


def _scale(number: _Reader, draft: Draft) -> None:
    draft.updates = draft.updates.scaled(number("step_size"))


def _scale_by_schedule(number: _Reader, draft: Draft) -> None:
    draft.updates = draft.updates.scaled(number("step_size_fn"))


def _add_decayed_weights(number: _Reader, draft: Draft) -> None:
    if not number.is_zero("weight_decay"):
        draft.updates = draft.updates.pulled(number("weight_decay"))


def _clipped(updates: Any, threshold: Any, xp: Any) -> Any:
    return xp.where(xp.abs(updates) > threshold, threshold * xp.sign(updates), updates)


def _clip(number: _Reader, draft: Draft) -> None:
    entries = (draft.updates.whole, number("max_delta"), "xp")
    draft.updates = Updates(Formula(_clipped, entries))
    draft.settle()


def _shortened(updates: Any, threshold: Any, root: Any, xp: Any) -> Any:
    norm = root(xp.sum(updates * updates))
    long = norm > threshold
    return updates * xp.where(long, threshold / xp.where(long, norm, 1.0), 1.0)


def _clip_by_global_norm(number: _Reader, draft: Draft) -> None:
    entries = (draft.updates.whole, number("max_norm"), "root", "xp")
    draft.updates = Updates(Formula(_shortened, entries, elementwise=False))
    draft.settle()


def _sign(updates: Any, xp: Any) -> Any:
    return xp.sign(updates)


def _scale_by_sign(number: _Reader, draft: Draft) -> None:
    source = draft.updates.source
    if isinstance(source, str) and source != "gradient":
        draft.widen(source)
    draft.updates = Updates(Formula(_sign, (draft.updates.whole, "xp")))


# With one.


def _rest(decay: Any) -> Any:
    return 1 - decay


def _looked_ahead(updates: Any, decay: Any, trace: Any) -> Any:
    return updates + decay * trace


def _trace(number: _Reader, draft: Draft) -> None:
    draft.settle()
    decay, slot = number("decay"), draft.slot("trace", NARROW)
    draft.decay(slot, decay)
    draft.accumulate(slot)
    if number.setting("nesterov"):
        draft.updates = Updates(Formula(_looked_ahead, (draft.updates.whole, decay, slot)))
    else:
        draft.updates = Updates(slot)


def _debias(decay: Any, step: Any) -> Any:
    return 1 / (1 - decay ** (step + 1))


def _averaged(draft: Draft, slot: str, decay: str) -> None:
    draft.decay(slot, decay)
    draft.accumulate(slot, Formula(_rest, (decay,)))


def _ema(number: _Reader, draft: Draft) -> None:
    draft.settle()
    decay, slot = number("decay"), draft.slot("ema", NARROW)
    _averaged(draft, slot, decay)
    debias = Formula(_debias, (decay, "step")) if number.setting("debias") else None
    draft.updates = Updates(slot, debias)


def _square(updates: Any, decay: Any) -> Any:
    return (1 - decay) * updates * updates


def _mean_of_squares(draft: Draft, decay: str) -> str:
    """A slot with the mean square of the updates."""
    slot = draft.slot("second", SECOND)
    draft.decay(slot, decay)
    draft.add(slot, Formula(_square, (draft.updates.whole, decay)))
    return slot


def _adam_move(first: Any, second: Any, b1: Any, b2: Any, eps: Any, step: Any, root: Any) -> Any:
    # The corrections are taken to the numbers, away from the elements.
    unbias = (1 - b2 ** (step + 1)) ** 0.5
    return first * (unbias / (1 - b1 ** (step + 1))) / (root(second) + eps * unbias)


def _adam_move_in_root(
    first: Any, second: Any, b1: Any, b2: Any, eps: Any, eps_root: Any, step: Any, root: Any
) -> Any:
    deviation = root(second / (1 - b2 ** (step + 1)) + eps_root)
    return first / (1 - b1 ** (step + 1)) / (deviation + eps)


def _ahead(first: Any, updates: Any, b1: Any, step: Any) -> Any:
    """Dozat's mean, multiplied by the correction that the move divides by."""
    now, following = 1 - b1 ** (step + 1), 1 - b1 ** (step + 2)
    return b1 * first * (now / following) + (1 - b1) * updates


def _adam(number: _Reader, draft: Draft) -> None:
    draft.settle()
    b1, b2, eps = number("b1"), number("b2"), number("eps")
    first = draft.slot("first", FIRST)
    _averaged(draft, first, b1)
    second = _mean_of_squares(draft, b2)
    _adam_updates(number, draft, (first, second), (b1, b2, eps), in_root=True)


def _adam_updates(
    number: _Reader,
    draft: Draft,
    slots: tuple[str, str],
    numbers: tuple[str, str, str],
    *,
    in_root: bool,
) -> None:
    """What flows out of Adam and its kin, given their slots."""
    (first, second), (b1, b2, eps) = slots, numbers
    mean: str | Formula = first
    if number.setting("nesterov"):
        mean = Formula(_ahead, (first, draft.updates.whole, b1, "step"))
    if not in_root or number.is_zero("eps_root"):
        draft.updates = Updates(Formula(_adam_move, (mean, second, b1, b2, eps, "step", "root")))
        return
    entries = (mean, second, b1, b2, eps, number("eps_root"), "step", "root")
    draft.updates = Updates(Formula(_adam_move_in_root, entries))


def _surprise(updates: Any, first: Any, b2: Any, eps_root: Any) -> Any:
    return (1 - b2) * (updates - first) ** 2 + eps_root


def _belief(number: _Reader, draft: Draft) -> None:
    draft.settle()
    b1, b2, eps, eps_root = number("b1"), number("b2"), number("eps"), number("eps_root")
    first, second = draft.slot("first", FIRST), draft.slot("second", SECOND)
    _averaged(draft, first, b1)
    draft.decay(second, b2)
    draft.add(second, Formula(_surprise, (draft.updates.whole, first, b2, eps_root)))
    _adam_updates(number, draft, (first, second), (b1, b2, eps), in_root=False)


def _size(updates: Any, eps: Any, xp: Any) -> Any:
    return xp.abs(updates) + eps


def _adamax_move(first: Any, norm: Any, b1: Any, step: Any) -> Any:
    return first / (1 - b1 ** (step + 1)) / norm


def _adamax(number: _Reader, draft: Draft) -> None:
    draft.settle()
    b1, b2, eps = number("b1"), number("b2"), number("eps")
    first, norm = draft.slot("first", WIDE), draft.slot("norm", WIDE)
    _averaged(draft, first, b1)
    draft.decay(norm, b2)
    draft.raise_to(norm, Formula(_size, (draft.updates.whole, eps, "xp")))
    draft.updates = Updates(Formula(_adamax_move, (first, norm, b1, "step")))


def _lion_move(first: Any, updates: Any, b1: Any, xp: Any) -> Any:
    return xp.sign(b1 * first + (1 - b1) * updates)


def _lion(number: _Reader, draft: Draft) -> None:
    draft.settle()
    b1, b2, first = number("b1"), number("b2"), draft.slot("first", WIDE)
    move = Formula(_lion_move, (first, draft.updates.whole, b1, "xp"))
    draft.postpone(first, b2, Formula(_rest, (b2,)))
    draft.updates = Updates(move)


def _from_start(second: Any, initial: Any, decay: Any, step: Any) -> Any:
    """A mean of squares that did not start at zero: the slot holds what was added since."""
    return second + initial * decay ** (step + 1)


def _over_root(updates: Any, second: Any, eps: Any, root: Any) -> Any:
    return updates / root(second + eps)


def _over_deviation(updates: Any, second: Any, eps: Any, root: Any) -> Any:
    return updates / (root(second) + eps)


def _rms(number: _Reader, draft: Draft) -> None:
    draft.settle()
    decay, eps = number("decay"), number("eps")
    second: str | Formula = _mean_of_squares(draft, decay)
    if not number.is_zero("initial_scale"):
        second = Formula(_from_start, (second, number("initial_scale"), decay, "step"))
    if number.setting("bias_correction"):
        second = Formula(mul, (second, Formula(_debias, (decay, "step"))))
    divided = _over_root if number.setting("eps_in_sqrt") else _over_deviation
    draft.updates = Updates(Formula(divided, (draft.updates.whole, second, eps, "root")))


def _squared(updates: Any) -> Any:
    return updates * updates


def _sum(second: Any, initial: Any) -> Any:
    return second + initial


def _rss(number: _Reader, draft: Draft) -> None:
    draft.settle()
    eps, second = number("eps"), draft.slot("second", SECOND)
    draft.add(second, Formula(_squared, (draft.updates.whole,)))
    total = Formula(_sum, (second, number("initial_accumulator_value")))
    draft.updates = Updates(Formula(_over_root, (draft.updates.whole, total, eps, "root")))


TRANSLATIONS: Mapping[str, Callable[[_Reader, Draft], None]] = {
    "add_decayed_weights": _add_decayed_weights,
    "clip": _clip,
    "clip_by_global_norm": _clip_by_global_norm,
    "ema": _ema,
    "scale": _scale,
    "scale_by_adam": _adam,
    "scale_by_adamax": _adamax,
    "scale_by_belief": _belief,
    "scale_by_lion": _lion,
    "scale_by_rms": _rms,
    "scale_by_rss": _rss,
    "scale_by_schedule": _scale_by_schedule,
    "scale_by_sign": _scale_by_sign,
    "trace": _trace,
}

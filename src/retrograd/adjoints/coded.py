"""Keep what a reverse model cannot predict: any map on floats, run backwards without loss."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from retrograd.adjoints.adjoint import (
    MARK_NBYTES,
    Adjoint,
    Dynamics,
    Memory,
    Snapshot,
    bytes_of,
)
from retrograd.adjoints.named_arrays import (
    Marked,
    joined,
    joined_states,
    part_of,
    parted,
    parted_states,
)
from retrograd.adjoints.reverse_models.guesses import ArrayCode
from retrograd.adjoints.reverse_models.model import Guess, Predictor, ReverseModel
from retrograd.adjoints.reverse_models.nothing import Nothing
from retrograd.counts import check_count
from retrograd.errors import ArgumentError, ReversalError
from retrograd.lattice.entropy import Pile

__all__ = ["Coded"]


class Coded(Adjoint):
    """Predict each state from the states after it, and keep the entropy-coded error.

    Training runs in floats of the weights' own dtype, unmodified; any map on arrays of floats (and
    integers) can be iterated. Every state comes back bit for bit, whatever the model predicts. The
    better it predicts, the less is kept: `OptimizerInverse` keeps under 1 of the 96 bits per
    parameter and step of Adam in float32, while a map of which nothing is known keeps most of its
    bits.

    Args:
        model: predicts x_t from x_{t+1} and the states after it: `Nothing()` by default,
            `Straight`, `Linear`, `OnlineLinear`, or, in `train`, `OptimizerInverse`.
        checkpoints: k keeps every k-th state whole, and the code of k steps at a time only: the
            sweep goes to the last checkpoint before it, computes the k states after it once more,
            coding them, and goes back over them. That costs one more run, and the code of k
            steps beside T/k states. Without it the code of the whole run is kept. Either way a
            state that does not come back is computed again from the checkpoint before it.

    Raises:
        ArgumentError: at construction, for what is no model or no number of steps; in a run, for
            a state with an array that cannot be coded, a model that cannot predict this
            computation, or if the package `constriction` is missing.
        ReversalError: in the sweep, if what was kept has changed, or the model predicts other
            numbers than in the forward run.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> from retrograd.adjoints.reverse_models import OptimizerInverse
        >>> def final(rate):
        ...     w = rg.train(
        ...         lambda w, hyper, step: np.sum((w - hyper) ** 2),
        ...         np.zeros(3, np.float32),
        ...         np.arange(1.0, 4.0, dtype=np.float32),
        ...         rg.Adam(rate),
        ...         steps=50,
        ...         adjoint=Coded(OptimizerInverse()),
        ...     )
        ...     return np.sum(w)
        >>> bool(rg.grad(final)(0.01) > 0)
        True
    """

    arithmetic = "floats"

    def __init__(self, model: ReverseModel | None = None, checkpoints: int | None = None) -> None:
        model = Nothing() if model is None else model
        if not isinstance(model, ReverseModel):
            raise ArgumentError(
                f"Coded: model is {model!r:.60}; give an instance of a reverse model, such as "
                "Straight() or OptimizerInverse()"
            )
        if checkpoints is not None:
            checkpoints = check_count("checkpoints", checkpoints, caller="Coded")
        self.model = model
        self.checkpoints = checkpoints

    def memory(self, dynamics: Dynamics) -> Memory:
        return _Codes(dynamics, self.model, self.checkpoints)

    def __repr__(self) -> str:
        every = "" if self.checkpoints is None else f", checkpoints={self.checkpoints}"
        return f"Coded({self.model!r}{every})"


class _Segment:
    """The code of consecutive states, pushed from the first and popped from the last.

    States enter one by one; each is coded when the states that predict it are known, and the last
    one is not coded.

    Args:
        first: the step of the first state.
        predictor: a reverse model at work.
        later: how many states it looks at.
    """

    def __init__(self, first: int, predictor: Predictor, later: int) -> None:
        self.first = first
        self.predictor = predictor
        self.later = later
        self.pile = Pile()
        self.codes: dict[str, ArrayCode] = {}
        self.window: list[Snapshot] = []
        self.length = 0  # how many states are coded

    def enter(self, state: Snapshot) -> None:
        """Take in the next state."""
        self.window.append(state)
        if len(self.window) > self.later:
            self._push(self.window.pop(0))

    def finish(self) -> None:
        """Code all that is left; nothing but the last state remains outside the code."""
        while len(self.window) > 1:
            self._push(self.window.pop(0))
        self.window.clear()
        self.predictor.finish()

    def back(self, after: Snapshot) -> Snapshot:
        """The state before the one that is given, which is the last that came back."""
        if not self.window:
            self.window = [after]
        now: Snapshot = {}

        def settle(name: str, guess: Guess) -> NDArray[Any]:
            now[name] = self._code(name).pop(self.pile, guess)
            return now[name]

        self.predictor.predict(self.first + self.length - 1, self.window, settle)
        self.predictor.unlearn(now, self.window)
        self.window = [now, *self.window[: self.later - 1]]
        self.length -= 1
        return now

    def is_empty(self) -> bool:
        """Whether everything that was pushed has been popped."""
        codes = all(code.is_empty() for code in self.codes.values())
        return self.length == 0 and self.pile.is_empty() and codes and self.predictor.is_empty()

    @property
    def nbytes(self) -> int:
        """The bytes of the code, the statistics, and the states at hand."""
        statistics = sum(code.nbytes for code in self.codes.values()) + self.predictor.nbytes
        return self.pile.nbytes + statistics + sum(bytes_of(state) for state in self.window)

    def export(self) -> Snapshot:
        """Everything, as named arrays."""
        counts = {
            f"{kind}/{name}": table.counts.copy()
            for name, code in self.codes.items()
            for kind, table in code.tables.items()
        }
        window = {
            age: {name: x.copy() for name, x in state.items()}
            for age, state in enumerate(self.window)
        }
        parts = {"counts": counts, "window": joined(window), "learned": self.predictor.export()}
        return {
            **joined(parts),
            "pile": self.pile.export(),
            "place": np.array([self.first, self.length], np.int64),
        }

    def load(self, arrays: Snapshot) -> None:
        """Put in place what `export` gave."""
        self.pile.load(arrays["pile"])
        self.first, self.length = map(int, arrays["place"])
        self.codes = {}
        for kind, tables in parted(part_of(arrays, "counts")).items():
            for name, counts in tables.items():
                self._code(name).tables[kind].counts = counts.copy()
        self.window = list(parted(part_of(arrays, "window")).values())
        self.predictor.load(part_of(arrays, "learned"))

    def _push(self, now: Snapshot) -> None:
        guesses: dict[str, Guess] = {}

        def settle(name: str, guess: Guess) -> NDArray[Any]:
            guesses[name] = guess
            return now[name]

        self.predictor.learn(now, self.window)
        self.predictor.predict(self.first + self.length, self.window, settle)
        if guesses.keys() != now.keys():
            raise ArgumentError(
                f"Coded: the reverse model predicts {sorted(guesses)}, and the state has "
                f"{sorted(now)}; let it settle each array once"
            )
        for name, guess in reversed(guesses.items()):
            self._code(name).push(self.pile, now[name], guess)
        self.length += 1

    def _code(self, name: str) -> ArrayCode:
        return self.codes.setdefault(name, ArrayCode())


class _Codes(Memory):
    """The code of the last segment, and the checkpoints at which the others start."""

    def __init__(self, dynamics: Dynamics, model: ReverseModel, every: int | None) -> None:
        super().__init__(dynamics)
        self.model = model
        self.every = every
        self.repairs = every is not None
        self.last = 0 if every is None else (dynamics.steps - 1) // every * every
        self.checkpoints: dict[int, Marked] = {}
        self.segment = self._start(0)

    def enter(self, t: int) -> None:
        if self.every is not None and t % self.every == 0:
            self.checkpoints[t] = (self.dynamics.snapshot(), self.dynamics.fingerprint())
        if t == self.last:
            self.segment = self._start(t)
        if t >= self.last:
            self.segment.enter(self.dynamics.snapshot())

    def finish(self) -> None:
        self.segment.enter(self.dynamics.snapshot())
        self.segment.finish()

    def back(self, t: int) -> None:
        if t < self.segment.first:
            self._check_segment()
            self._rebuild(t)
        if self.segment.first + self.segment.length != t + 1:
            raise ReversalError(
                f"the sweep asks for the state at step {t}, but the code ends with that at step "
                f"{self.segment.first + self.segment.length - 1}"
            )
        after = {} if self.segment.window else self.dynamics.snapshot()
        self.dynamics.restore(self.segment.back(after))
        self.dynamics.pull(t)

    def verified(self, t: int) -> None:
        for later in [start for start in self.checkpoints if start > t]:
            del self.checkpoints[later]

    def repair(self, t: int) -> bool:
        start = max((s for s in self.checkpoints if s <= t), default=None)
        if start is None:
            return False
        self._run_again(start, t)
        return True

    @property
    def nbytes(self) -> int:
        kept = sum(bytes_of(state) + MARK_NBYTES for state, _ in self.checkpoints.values())
        return self.segment.nbytes + kept

    @property
    def tape_bits(self) -> int:
        kept = sum(8 * bytes_of(state) for state, _ in self.checkpoints.values())
        return self.segment.pile.bits + kept

    def check_used_up(self) -> None:
        self._check_segment()
        self.checkpoints.pop(0, None)
        if self.checkpoints:
            raise ReversalError(f"checkpoints are left at step 0: {sorted(self.checkpoints)}")

    def export(self) -> Snapshot:
        checkpoints = joined_states(self.checkpoints)
        return joined({"segment": self.segment.export(), "checkpoint": checkpoints})

    def load(self, arrays: Snapshot) -> None:
        self.segment = self._start(0)
        self.segment.load(part_of(arrays, "segment"))
        found = parted_states(part_of(arrays, "checkpoint"))
        self.checkpoints = {int(t): marked for t, marked in found.items()}

    def _start(self, t: int) -> _Segment:
        return _Segment(t, self.model.predictor(self.dynamics), self.model.later)

    def _check_segment(self) -> None:
        if not self.segment.is_empty():
            raise ReversalError(
                f"the code is not used up at step {self.segment.first}, where it began: it is "
                "damaged, or the reverse model predicted other numbers than in the forward run"
            )

    def _rebuild(self, t: int) -> None:
        """Code the segment that ends at x_{t+1}, the state at hand, once more."""
        assert self.every is not None
        mark = self.dynamics.fingerprint()
        self._run_again(t // self.every * self.every, t + 1)
        if self.dynamics.fingerprint() != mark:
            raise ReversalError(
                f"the steps to step {t + 1}, computed again from the checkpoint at step "
                f"{self.segment.first}, lead to another state than in the forward run"
            )

    def _run_again(self, start: int, stop: int) -> None:
        """From the checkpoint at `start` to x_stop, coding on the way."""
        self.dynamics.return_to(*self.checkpoints[start], start)
        self.segment = self._start(start)
        for t in range(start, stop):
            self.segment.enter(self.dynamics.snapshot())
            self.dynamics.advance(t)
        self.segment.enter(self.dynamics.snapshot())
        self.segment.finish()

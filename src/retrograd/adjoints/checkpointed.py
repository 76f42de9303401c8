"""Keep a few states and run from them again: any computation, in a given memory."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from retrograd.adjoints.adjoint import Adjoint, Dynamics, Memory, Snapshot
from retrograd.adjoints.byte_count import byte_count
from retrograd.adjoints.checkpoint_plan import (
    Derivative,
    KeepsDerivatives,
    Plan,
    plan_for_memory,
    plan_for_slots,
)
from retrograd.adjoints.kept_state import Folder, InMemory, KeptState
from retrograd.adjoints.named_arrays import joined, part_of, parted
from retrograd.adjoints.schedule import (
    Action,
    Advance,
    Drop,
    Keep,
    Pull,
    PullKept,
    Restore,
    Save,
    resumed,
)
from retrograd.counts import check_count
from retrograd.errors import ArgumentError, ReversalError

__all__ = ["Checkpointed"]


class Checkpointed(Adjoint):
    """Keep few states, and take steps again between them, as few as possible.

    The schedule is the binomial one. With s states, s (s + 3) / 2 steps are run backwards at the
    cost of less than one more forward run, s**3 / 6 at that of less than two more, and so on: the
    factor grows with the logarithm of the number of steps. `memory` fills a budget; if the
    computation can keep derivatives of steps (as `iterate` can), these share it where that saves
    steps. Each state that is come to again must have the fingerprint that it had in the forward
    run. If one has not, it is run to once more from an earlier state, and the certificate says so;
    if it differs again, the sweep raises `ReversalError`.

    Args:
        slots: how many states are kept in memory.
        memory: bytes for all that is kept, or a text such as "256 MiB"; sizes are measured at the
            first state. Without `slots`, `memory` and `on_disk`, so many states are kept that the
            sweep takes no step more than once besides the pull: about sqrt(2 * steps).
        on_disk: how many more states are kept in files; those that are needed least often. If it
            is given alone, all are.
        folder: where the files are, in a folder of their own that is removed after the sweep. The
            system's folder for temporary files by default.

    Raises:
        ArgumentError: `slots` and `memory` are both given, or one is out of range.

    Example:
        >>> Checkpointed(), Checkpointed(10), Checkpointed(memory="256 MiB", on_disk=100)
        (Checkpointed(), Checkpointed(slots=10), Checkpointed(memory='256 MiB', on_disk=100))

    References:
        Griewank & Walther, "Algorithm 799: Revolve", ACM TOMS 26 (2000).
        Stumm & Walther, "MultiStage Approaches for Optimal Offline Checkpointing", SIAM Journal on
        Scientific Computing 31 (2009).
        Gruslys et al., "Memory-Efficient Backpropagation Through Time", NIPS 2016.
    """

    def __init__(
        self,
        slots: int | None = None,
        memory: str | float | None = None,
        on_disk: int = 0,
        *,
        folder: str | os.PathLike[str] | None = None,
    ) -> None:
        if slots is not None and memory is not None:
            raise ArgumentError(
                f"Checkpointed: slots={slots!r} and memory={memory!r} were given; give one of them"
            )
        on_disk = check_count("on_disk", on_disk, 0, caller="Checkpointed")
        if slots is not None:
            slots = check_count("slots", slots, 0 if on_disk else 1, caller="Checkpointed")
        if folder is not None and not on_disk:
            raise ArgumentError(
                f"Checkpointed: folder={folder!r} was given, but no state is kept in files; give "
                "on_disk, the number of states there"
            )
        self.slots = slots
        self.budget = None if memory is None else byte_count(memory, "Checkpointed")
        self.on_disk = on_disk
        self.folder = folder
        self._given = {"slots": slots, "memory": memory, "on_disk": on_disk or None}

    def plan(self, dynamics: Dynamics) -> Plan:
        """What a run would keep.

        Args:
            dynamics: at its first state.

        Raises:
            ArgumentError: the memory does not hold one state.
        """
        if self.budget is None:
            return plan_for_slots(dynamics.steps, self.slots, self.on_disk)
        return plan_for_memory(dynamics, self.budget, self.on_disk)

    def memory(self, dynamics: Dynamics) -> Memory:
        dynamics.recording = False
        return _Checkpoints(dynamics, self.plan(dynamics), self.folder)

    def __repr__(self) -> str:
        given = (f"{name}={value!r}" for name, value in self._given.items() if value is not None)
        return f"Checkpointed({', '.join(given)})"


class _Checkpoints(Memory):
    """The states and derivatives that the schedule has kept so far.

    Args:
        dynamics: at its first state.
        plan: what may be kept.
        folder: where files may be made.

    Attributes:
        held: the kept states by step, in ascending order.
        derivatives: the kept derivatives by step.
        marks: the fingerprint of each state in the forward run.
        reached: the step that the sweep has come back to.
    """

    repairs = True

    def __init__(
        self, dynamics: Dynamics, plan: Plan, folder: str | os.PathLike[str] | None
    ) -> None:
        super().__init__(dynamics)
        self.plan = plan
        self.folder = folder
        self.held: dict[int, KeptState] = {}
        self.derivatives: dict[int, Derivative] = {}
        self.marks = np.zeros(dynamics.steps, np.uint64)
        self.reached = dynamics.steps
        self.repaired = ()
        self._asked: int | None = None
        self._files: Folder | None = None
        self._levels_on_disk = plan.levels_on_disk()
        schedule = plan.schedule()
        self._nbytes = self.marks.nbytes + (schedule.nbytes if schedule else 0)
        self._actions = plan.actions(schedule)
        self._first = self._first_part()

    def _first_part(self) -> dict[int, list[Action]]:
        """What the schedule wants of the forward run, by step."""
        first: dict[int, list[Action]] = {}
        for action in self._actions:
            if isinstance(action, Pull):  # the loss, after the last step
                break
            if not isinstance(action, Advance):
                first.setdefault(action.step, []).append(action)
        return first

    def enter(self, t: int) -> None:
        self._take_derivative()
        noted = self.dynamics.noted(t)
        self.marks[t] = self.dynamics.fingerprint() if noted is None else noted
        for action in self._first.pop(t, ()):
            if isinstance(action, Keep):
                self._ask_derivative(t)
            else:
                self._save(t)

    def finish(self) -> None:
        self._take_derivative()

    def back(self, t: int) -> None:
        pull = self._next_pull()
        if pull is None or pull.step != t:
            raise ReversalError(f"the sweep asks for step {t}, and the schedule has {pull} next")
        if isinstance(pull, PullKept):
            self._pull_kept(t)
        else:
            self.dynamics.pull(t)
        self.reached = t

    def _next_pull(self) -> Pull | PullKept | None:
        """Do what the schedule says, up to the next pull."""
        for action in self._actions:
            if isinstance(action, Pull | PullKept):
                return action
            self._do(action)
        return None

    def _do(self, action: Action) -> None:
        match action:
            case Advance(start, stop):
                self._advance(start, stop)
            case Save(step):
                self._save(step)
            case Restore(step):
                self._restore(step)
            case Drop(step):
                self._drop(step)
            case Keep(step):
                self._ask_derivative(step)
                self._advance(step, step + 1)
                self._take_derivative()

    def _advance(self, start: int, stop: int) -> None:
        try:
            self._take_steps(start, stop)
        except ReversalError as error:
            self._release_derivative()  # on the way to a wrong state, it is wrong too
            self._recover(stop, str(error))

    def _take_steps(self, start: int, stop: int) -> None:
        """Take steps again, and compare where they lead.

        Raises:
            ReversalError: the state is not that of the forward run.
        """
        for t in range(start, stop):
            self.dynamics.advance(t)
        if self.dynamics.noted(stop) is None and not self._is_right(stop):
            raise ReversalError(f"run again from step {start}, the state at step {stop} differs")

    def _is_right(self, t: int) -> bool:
        return self.dynamics.fingerprint() == int(self.marks[t])

    def _save(self, t: int) -> None:
        """Keep the state at hand, which is known to be that of the forward run."""
        self._put(t, self.dynamics.snapshot())

    def _put(self, t: int, state: Snapshot) -> None:
        mark = int(self.marks[t])
        if len(self.held) in self._levels_on_disk:
            self._files = self._files or Folder(self.folder)
            kept: KeptState = self._files.keep(t, state, mark)
        else:
            kept = InMemory(state, mark)
        self.held[t] = kept
        self._nbytes += kept.nbytes
        self._check_budget(t)

    def _check_budget(self, t: int) -> None:
        if not self._has_room(0):
            raise ArgumentError(
                f"Checkpointed: with the state at step {t}, {self._nbytes} bytes are kept of the "
                f"{self.plan.budget} of memory=..., which were shared out by the first state's "
                "size; give slots=... where states grow"
            )

    def _has_room(self, nbytes: int) -> bool:
        return self.plan.budget is None or self._nbytes + nbytes <= self.plan.budget

    def _restore(self, t: int) -> None:
        try:
            self._fit(t)
        except ReversalError as error:
            self._drop(t)
            self._recover(t, str(error))
            self._save(t)

    def _fit(self, t: int) -> None:
        kept = self.held[t]
        self.dynamics.return_to(kept.read(), kept.mark, t)

    def _drop(self, t: int) -> None:
        kept = self.held.pop(t)
        self._nbytes -= kept.nbytes
        kept.discard()

    def _ask_derivative(self, t: int) -> None:
        self._keeper.keeping = True
        self._asked = t

    def _take_derivative(self) -> None:
        """Keep the derivative of the step just taken, if it was asked for and there is room."""
        t = self._asked
        if t is None:
            return
        kept = self._release_derivative()
        if self._has_room(kept.nbytes):
            self.derivatives[t] = kept
            self._nbytes += kept.nbytes

    def _release_derivative(self) -> Any:
        """The derivative of the step just taken, None if none was asked for."""
        if self._asked is None:
            return None
        keeper = self._keeper
        kept, keeper.kept, keeper.keeping, self._asked = keeper.kept, None, False, None
        return kept

    @property
    def _keeper(self) -> KeepsDerivatives:
        """The dynamics, where the plan has derivatives kept."""
        assert isinstance(self.dynamics, KeepsDerivatives)
        return self.dynamics

    def _pull_kept(self, t: int) -> None:
        """Pull by the derivative, or from the state if there was no room for that."""
        kept = self.derivatives.pop(t, None)
        if kept is None:
            if not self._reach(t):
                raise ReversalError(f"no kept state leads to that of the forward run at step {t}")
            return self.dynamics.pull(t)
        self._nbytes -= kept.nbytes
        self._keeper.pull_kept(kept)
        if self._is_right(t):
            return None
        raise ReversalError(f"the derivative that was kept at step {t} leads to another state")

    def _recover(self, t: int, how: str) -> None:
        """Come to a state once more, after it was wrong."""
        if not self._reach(t):
            raise ReversalError(how)
        self.repaired = (*self.repaired, f"the state at step {t} was come to once more: {how}")

    def _reach(self, t: int) -> bool:
        """Run to a state from the nearest kept one that leads there; False if none does."""
        for start in [start for start in reversed(self.held) if start <= t]:
            try:
                self._fit(start)
                self._take_steps(start, t)
            except ReversalError:
                continue
            return True
        return False

    def repair(self, t: int) -> bool:
        last = t == self.dynamics.steps
        if not self._reach(t - last):
            return False
        if last:  # the fingerprint there is the run's
            self.dynamics.advance(t - 1)
        self._resume(t)
        return True

    def state_at(self, t: int) -> Snapshot | None:
        kept = self.held.get(t)
        return None if kept is None else kept.read()

    def _resume(self, reached: int) -> None:
        """Go on from a step with the states that are kept, and without derivatives."""
        self._release_derivative()
        for t in list(self.derivatives):
            self._nbytes -= self.derivatives.pop(t).nbytes
        self.reached = reached
        slots = self.plan.slots + self.plan.on_disk
        self._actions = resumed(list(self.held), reached, slots)

    @property
    def nbytes(self) -> int:
        return self._nbytes

    @property
    def file_nbytes(self) -> int:
        """The bytes in files at this moment."""
        return sum(kept.file_nbytes for kept in self.held.values())

    def check_used_up(self) -> None:
        pull = self._next_pull()
        if pull is not None or self.held or self.derivatives:
            raise ReversalError(
                f"the sweep came back to step 0, but {len(self.held)} states and "
                f"{len(self.derivatives)} derivatives are left, and the schedule has {pull} next"
            )
        if self._files is not None:
            self._files.close()

    def export(self) -> Snapshot:
        """The states that are kept. Kept derivatives are not: the sweep goes on without them."""
        states = joined({t: kept.read() for t, kept in self.held.items()})
        return {
            **joined({"state": states}),
            "marks": self.marks.copy(),
            "plan": self.plan.export(),
            "reached": np.array(self.reached),
        }

    def load(self, arrays: Snapshot) -> None:
        for t in list(self.held):
            self._drop(t)
        self.plan = Plan.load(arrays["plan"])
        self.marks = np.array(arrays["marks"])
        self._levels_on_disk = self.plan.levels_on_disk()
        for t, state in parted(part_of(arrays, "state")).items():
            self._put(int(t), state)
        self._resume(int(arrays["reached"]))

"""What a run and its sweep leave behind: losses, times, norms, and the certificate."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Certificate", "Diagnostics"]

# A growth of the adjoint from which on the gradient says little about the loss at a distance, and
# one below which the run forgets where it started.
_STEEP = 1e6
_FLAT = 1e-6


@dataclass(frozen=True)
class Certificate:
    """Evidence that a sweep returned through exactly the states of the forward run.

    A sweep that fails any of its checks raises `ReversalError` and leaves no certificate.

    Attributes:
        steps: steps undone.
        adjoint: the adjoint strategy, as it was written.
        exact: whether the gradient is exact; that of an approximate adjoint is not, and its states
            are not those of the forward run.
        hashes: the 64-bit fingerprints of the states that were compared, by step; the first and the
            last state are among them.
        hashes_compared: how many states were compared when the sweep came back to them.
        bytes_kept: what the adjoint kept between the two passes.
        bytes_peak: the most that it kept at one moment of the sweep.
        bytes_trajectory: what storing every state would have taken.
        bits_per_element_step: the bits kept per element of the weights (or the state) and step;
            what is kept whatever the number of steps apart.
        growth: the norm of the adjoint at the first step, over that at the last.
        growth_by_step: the norm of the adjoint at the start of each step, over that at the last.
        repairs: one sentence for each span of steps that was gone back over again.
        notes: what the array library could not promise, such as a deterministic algorithm.
    """

    steps: int
    adjoint: str
    exact: bool
    hashes: Mapping[int, int] = field(repr=False)
    hashes_compared: int
    bytes_kept: int
    bytes_peak: int
    bytes_trajectory: int
    bits_per_element_step: float
    growth: float
    growth_by_step: Sequence[float] = field(default=(), repr=False)
    repairs: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def lyapunov_exponent(self) -> float:
        """The finite-time Lyapunov exponent of the adjoint, per step: log(growth) / steps."""
        return math.log(self.growth) / self.steps if self.growth > 0 else math.nan

    def __str__(self) -> str:
        return "\n".join([self._returned(), self._kept(), self._grew(), *self.repairs, *self.notes])

    def _returned(self) -> str:
        if not self.exact:
            return (
                f"{self.adjoint}: an approximate gradient of {self.steps} steps; the states of the "
                "forward run were not visited again"
            )
        return (
            f"{self.adjoint}: {self.steps} steps recovered bit for bit ({self.hashes_compared} "
            f"states compared by their fingerprints, the last, {self.hashes[self.steps]:016x}, and "
            f"the first, {self.hashes[0]:016x}, among them; what was evaluated again had its old "
            "bits)"
        )

    def _kept(self) -> str:
        peak = max(self.bytes_kept, self.bytes_peak)
        more = f" ({peak:,} at most, in the sweep)" if peak > self.bytes_kept else ""
        bits = self.bits_per_element_step
        by_step = f"; {bits:.4f} bits per element and step" if bits else ""
        return f"kept {self.bytes_kept:,} bytes{more}, {self._of_all_states(peak)}{by_step}"

    def _of_all_states(self, peak: int) -> str:
        saved = self.bytes_trajectory / max(peak, 1)
        if saved < 1.05:
            return f"no fewer than all states ({self.bytes_trajectory:,})"
        return f"{saved:.1f} times fewer than all states ({self.bytes_trajectory:,})"

    def _grew(self) -> str:
        if not self.growth > 0:
            return "the adjoint is zero at one end of the run"
        grew = self.growth >= 1
        change = f"grew {self.growth:.3g}-fold" if grew else f"shrank to {self.growth:.3g}"
        rate = (
            f"the adjoint {change} from the last step to the first (finite-time Lyapunov exponent "
            f"{self.lyapunov_exponent:.2g} per step)"
        )
        power = math.floor(math.log10(self.growth))
        if self.growth >= _STEEP:
            gradient = "this gradient is exact, but says" if self.exact else "a gradient says"
            return (
                f"{rate}: small changes of the start grow by 10^{power} over this run: {gradient} "
                "little about the loss at a distance"
            )
        if self.growth < _FLAT:
            return (
                f"{rate}: changes of the start shrink by 10^{power} over this run: its end hardly "
                "depends on its start"
            )
        return rate


@dataclass
class Diagnostics:
    """Hand an empty one to `train` or `iterate`; the run and the sweep fill it in.

    Attributes:
        losses: in training, the loss at each step, before the step.
        adjoint_norms: the norm of the adjoint of the weights (of the state) at the start of each
            step, filled by the sweep; its growth from the last step to the first shows how
            sensitive the run is.
        seconds_forward: wall-clock time of the forward run.
        seconds_sweep: wall-clock time of the sweep.
        certificate: filled when a sweep has succeeded.

    Example:
        >>> import numpy as np
        >>> import retrograd as rg
        >>> seen = rg.Diagnostics()
        >>> def final(rate):
        ...     w = rg.train(
        ...         lambda w, hyper, step: np.sum(w * w),
        ...         np.ones(3),
        ...         None,
        ...         rg.Momentum(rate, 0.5),
        ...         steps=10,
        ...         diagnostics=seen,
        ...     )
        ...     return np.sum(w)
        >>> hypergradient = rg.grad(final)(0.1)
        >>> len(seen.losses), seen.certificate.steps
        (10, 10)
    """

    losses: list[float] = field(default_factory=list, repr=False)
    adjoint_norms: list[float] = field(default_factory=list, repr=False)
    seconds_forward: float = 0.0
    seconds_sweep: float = 0.0
    certificate: Certificate | None = None

    def begin(self, losses: Sequence[float], seconds: float) -> None:
        """A forward run has ended."""
        self.losses = list(losses)
        self.adjoint_norms = []
        self.seconds_forward, self.seconds_sweep = seconds, 0.0
        self.certificate = None

    def end(self, norms: Sequence[float], seconds: float, certificate: Certificate) -> None:
        """A sweep has ended."""
        self.adjoint_norms = list(norms)
        self.seconds_sweep, self.certificate = seconds, certificate

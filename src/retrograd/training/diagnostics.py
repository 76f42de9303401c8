"""What a run and its sweep leave behind: losses, times, norms, and the certificate."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Certificate", "Diagnostics"]


@dataclass(frozen=True)
class Certificate:
    """Evidence that a sweep returned through exactly the states of the forward run.

    A sweep that fails any of its checks raises `ReversalError` and leaves no certificate.

    Attributes:
        steps: training steps undone.
        hashes_compared: states whose 64-bit fingerprints were compared, the first and the last
            among them.
        bytes_kept: what the adjoint kept between the two passes.
        bytes_trajectory: what storing every state would have taken, 8 bytes per slot, element and
            step.
        bits_per_element_step: the tape's bits per element of the weights and step, what is kept
            whatever the number of steps (the buffers' last digits) apart.
    """

    steps: int
    hashes_compared: int
    bytes_kept: int
    bytes_trajectory: int
    bits_per_element_step: float

    def __str__(self) -> str:
        saved = self.bytes_trajectory / max(self.bytes_kept, 1)
        return (
            f"{self.steps} steps recovered bit for bit ({self.hashes_compared} fingerprints "
            f"compared, buffers returned to empty); kept {self.bytes_kept:,} bytes, "
            f"{saved:.1f} times fewer than all states ({self.bytes_trajectory:,}); "
            f"{self.bits_per_element_step:.4f} bits per element and step"
        )


@dataclass
class Diagnostics:
    """Hand an empty one to `train`; the run and the sweep fill it in.

    Attributes:
        losses: the loss at each step, before the step.
        adjoint_norms: the norm of the adjoint of the weights at the start of each step, filled by
            the sweep; its growth from the last step to the first shows how sensitive the run is.
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

    losses: list[float] = field(default_factory=list)
    adjoint_norms: list[float] = field(default_factory=list)
    seconds_forward: float = 0.0
    seconds_sweep: float = 0.0
    certificate: Certificate | None = None

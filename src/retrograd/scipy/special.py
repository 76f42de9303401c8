"""Special functions with derivative rules."""

from __future__ import annotations

from retrograd.autodiff.rules.special import logsumexp

__all__ = ["logsumexp"]

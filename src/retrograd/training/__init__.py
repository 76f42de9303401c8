"""Training as a differentiable function: the forward run, and the one sweep back."""

from retrograd.training.check import HypergradientCheck, check_hypergradient
from retrograd.training.diagnostics import Certificate, Diagnostics
from retrograd.training.iterate import iterate
from retrograd.training.saved import Saved
from retrograd.training.train import train
from retrograd.training.train_in_floats import train_in_floats

__all__ = [
    "Certificate",
    "Diagnostics",
    "HypergradientCheck",
    "Saved",
    "check_hypergradient",
    "iterate",
    "train",
    "train_in_floats",
]

"""The optimizers, each once, as a program of reversible statements."""

from retrograd.optimizers import schedules
from retrograd.optimizers.adam import Adam
from retrograd.optimizers.adamax import Adamax
from retrograd.optimizers.adamw import AdamW
from retrograd.optimizers.averaged import Averaged
from retrograd.optimizers.clipped_by_norm import ClippedByNorm
from retrograd.optimizers.clipped_by_value import ClippedByValue
from retrograd.optimizers.coupled_decay import CoupledDecay
from retrograd.optimizers.decoupled_decay import DecoupledDecay
from retrograd.optimizers.hyperparameters import PerLeaf, PerStep, per_leaf, per_step, table
from retrograd.optimizers.lion import Lion
from retrograd.optimizers.momentum import Momentum
from retrograd.optimizers.muon import Muon
from retrograd.optimizers.nadam import NAdam
from retrograd.optimizers.nesterov import Nesterov
from retrograd.optimizers.optimizer import Interval, Optimizer
from retrograd.optimizers.polyak import Polyak
from retrograd.optimizers.program import (
    Add,
    AddScaled,
    Decay,
    Program,
    Pullback,
    RaiseTo,
    Statement,
    Transform,
    add,
    decay,
    raise_to,
)
from retrograd.optimizers.rmsprop import RMSprop
from retrograd.optimizers.sgd import SGD
from retrograd.optimizers.signum import Signum
from retrograd.optimizers.wrapper import Wrapper

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "Adamax",
    "Add",
    "AddScaled",
    "Averaged",
    "ClippedByNorm",
    "ClippedByValue",
    "CoupledDecay",
    "Decay",
    "DecoupledDecay",
    "Interval",
    "Lion",
    "Momentum",
    "Muon",
    "NAdam",
    "Nesterov",
    "Optimizer",
    "PerLeaf",
    "PerStep",
    "Polyak",
    "Program",
    "Pullback",
    "RMSprop",
    "RaiseTo",
    "Signum",
    "Statement",
    "Transform",
    "Wrapper",
    "add",
    "decay",
    "per_leaf",
    "per_step",
    "raise_to",
    "schedules",
    "table",
]

OPTIMIZERS = (Adam, Adamax, AdamW, Lion, Momentum, Muon, NAdam, Nesterov, RMSprop, SGD, Signum)
WRAPPERS = (Averaged, ClippedByNorm, ClippedByValue, CoupledDecay, DecoupledDecay, Polyak)

"""The optimizers, each once, as a program of reversible statements."""

from retrograd.optimizers.adam import Adam
from retrograd.optimizers.hyperparameters import PerLeaf, PerStep, per_leaf, per_step, table
from retrograd.optimizers.momentum import Momentum
from retrograd.optimizers.optimizer import Interval, Optimizer
from retrograd.optimizers.program import Add, AddScaled, Decay, Program, Statement, add, decay

__all__ = [
    "Adam",
    "Add",
    "AddScaled",
    "Decay",
    "Interval",
    "Momentum",
    "Optimizer",
    "PerLeaf",
    "PerStep",
    "Program",
    "Statement",
    "add",
    "decay",
    "per_leaf",
    "per_step",
    "table",
]

OPTIMIZERS = (Adam, Momentum)

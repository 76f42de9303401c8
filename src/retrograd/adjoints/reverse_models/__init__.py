"""Reverse models: what predicts a state from the states after it, for `Coded`."""

from retrograd.adjoints.reverse_models.linear import Linear
from retrograd.adjoints.reverse_models.model import Guess, Predictor, ReverseModel
from retrograd.adjoints.reverse_models.nothing import Nothing
from retrograd.adjoints.reverse_models.online_linear import OnlineLinear
from retrograd.adjoints.reverse_models.optimizer_inverse import OptimizerInverse
from retrograd.adjoints.reverse_models.straight import Straight

__all__ = [
    "Guess",
    "Linear",
    "Nothing",
    "OnlineLinear",
    "OptimizerInverse",
    "Predictor",
    "ReverseModel",
    "Straight",
]

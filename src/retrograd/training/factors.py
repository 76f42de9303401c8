"""The factors and coefficients of an optimizer's statements at one step."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from retrograd.lattice import Layout
from retrograd.optimizers import AddScaled, Decay
from retrograd.optimizers.program import itself
from retrograd.training.columns import Row, aligned

__all__ = ["factor_of"]


def factor_of(
    statement: Decay | AddScaled, rows: Mapping[str, Row], index: int, layout: Layout
) -> Row:
    """The factor or coefficient of a statement at a step.

    Args:
        statement: whose factor.
        rows: the hyperparameters of the step.
        index: the number of the step.
        layout: the layout of the slots.
    """
    if statement.factor is itself:
        return rows[statement.reads[0]]
    names = [name for name in statement.reads if name in rows]
    known = dict(zip(names, aligned([rows[name] for name in names]), strict=True))
    value = statement.factor(*[known.get(name, index) for name in statement.reads])
    return Row(np.atleast_1d(np.asarray(value, float)), layout)

"""Formulas: functions of named numbers, composed, that are equal where they are written equally.

A program of statements made of formulas equals another one made the same way, so that compiled runs
of the one serve the other; of functions made anew for each call that could not be said.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import mul
from typing import Any

__all__ = ["Formula", "named", "product"]


@dataclass(frozen=True)
class Formula:
    """A function of named numbers.

    Attributes:
        function: of what `inputs` stand for, defined at the top of a module.
        inputs: names, and formulas of names.
        elementwise: whether each element of the result depends on no other element.

    Example:
        >>> rise = Formula(mul, ("rate", Formula(abs, ("gradient",))))
        >>> rise.reads
        ('rate', 'gradient')
        >>> rise(0.5, -4.0)
        2.0
    """

    function: Callable[..., Any]
    inputs: tuple[str | Formula, ...]
    elementwise: bool = True

    @cached_property
    def reads(self) -> tuple[str, ...]:
        """The names, each once, in the order in which they are met."""
        found: dict[str, None] = {}
        for entry in self.inputs:
            found.update(dict.fromkeys([entry] if isinstance(entry, str) else entry.reads))
        return tuple(found)

    @property
    def is_elementwise(self) -> bool:
        """Whether this holds of all that it is made of."""
        inner = (entry for entry in self.inputs if isinstance(entry, Formula))
        return self.elementwise and all(entry.is_elementwise for entry in inner)

    def __call__(self, *numbers: Any) -> Any:
        """The value, given the numbers that `reads` names."""
        return self._value(dict(zip(self.reads, numbers, strict=True)))

    def _value(self, known: Mapping[str, Any]) -> Any:
        return self.function(
            *[
                known[entry] if isinstance(entry, str) else entry._value(known)
                for entry in self.inputs
            ]
        )


def _itself(value: Any) -> Any:
    return value


def named(entry: str | Formula) -> Formula:
    """A formula as it is, or that of a name."""
    return Formula(_itself, (entry,)) if isinstance(entry, str) else entry


def product(*factors: str | Formula | None) -> str | Formula | None:
    """The product of what there is; None where there is nothing, which stands for 1."""
    given = [factor for factor in factors if factor is not None]
    if not given:
        return None
    found = given[0]
    for factor in given[1:]:
        found = Formula(mul, (found, factor))
    return found

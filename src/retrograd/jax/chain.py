"""What an optax transformation is made of: its parts in order, each with the numbers in it.

A transformation of optax is a pair of functions. What it was made with stands in their closures:
`optax.scale(-0.1).update` holds `step_size = -0.1`. Names that differ in another version of optax
are noticed where they are looked for (`retrograd.jax.translation`), and what they mean is tried out
(`retrograd.jax.comparison`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import CellType, FunctionType
from typing import Any

from retrograd.errors import ArgumentError

__all__ = ["Part", "is_transformation", "parts_of"]


@dataclass(frozen=True)
class Part:
    """One transformation of a chain.

    Attributes:
        name: of the function of optax that makes it, such as "scale_by_adam".
        place: its number in the chain, from 1.
        settings: what it was made with, by optax's names.
        init: makes its state from the weights.
        update: `update(updates, state, params)` returns the new updates and the new state.
        mask: the weights that it is for, as in `optax.masked`; None for all.
        known: whether it comes from optax itself.
    """

    name: str
    place: int
    settings: Mapping[str, Any]
    init: Callable[..., Any] = field(repr=False)
    update: Callable[..., Any] = field(repr=False)
    mask: Any = None
    known: bool = True

    def __str__(self) -> str:
        ordinal = {1: "st", 2: "nd", 3: "rd"}.get(self.place, "th")
        return f"optax.{self.name} (the {self.place}{ordinal} transformation)"

    def with_settings(self, settings: Mapping[str, Any]) -> Part:
        """The same transformation, made with other numbers."""
        return replace(
            self,
            settings={**self.settings, **settings},
            init=_with_cells(self.init, settings),
            update=_with_cells(self.update, settings),
        )


def is_transformation(given: Any) -> bool:
    """Whether something is a transformation of optax, or of the same form."""
    return callable(getattr(given, "init", None)) and callable(getattr(given, "update", None))


def parts_of(transformation: Any) -> list[Part]:
    """The parts of a transformation, without those that do nothing.

    Raises:
        ArgumentError: it is no transformation.
    """
    if not is_transformation(transformation):
        raise ArgumentError(
            f"from_optax: {transformation!r:.60} was given; give an optax optimizer, such as "
            "optax.adam(1e-3)"
        )
    found = _opened(transformation.init, transformation.update)
    return [replace(part, place=i + 1) for i, part in enumerate(found)]


def _opened(init: Any, update: Any) -> Iterator[Part]:
    cells = {**_cells(init), **_cells(update)}
    name = _maker(update)
    if name == "chain":
        for inner in zip(cells["init_fns"], cells["update_fns"], strict=True):
            yield from _opened(*inner)
    elif name == "named_chain":
        for _, inner in cells["transforms"]:
            yield from _opened(inner.init, inner.update)
    elif name == "with_extra_args_support":
        yield from _opened(cells["tx"].init, cells["tx"].update)
    elif name == "inject_hyperparams":
        inner = _injected(cells)
        yield from _opened(inner.init, inner.update)
    elif name == "masked":
        inner = cells["inner"]
        yield from (replace(part, mask=cells["mask"]) for part in _opened(inner.init, inner.update))
    elif name != "identity":
        known = str(getattr(update, "__module__", "")).split(".")[0] == "optax"
        yield Part(name, 0, cells, init, update, known=known)


def _injected(cells: Mapping[str, Any]) -> Any:
    """The transformation whose numbers optax keeps in its state, as it was asked for."""
    scheduled = {
        name: getattr(schedule, "schedule_fn", schedule)
        for name, schedule in cells["sched_hps"].items()
    }
    return cells["inner_factory"](**cells["other_hps"], **cells["numeric_hps"], **scheduled)


def _maker(update: Any) -> str:
    """The name of the function that made an update function."""
    return str(getattr(update, "__qualname__", type(update).__name__)).split(".<locals>")[0]


def _cells(function: Any) -> dict[str, Any]:
    """The variables that a function has kept from where it was made."""
    if not isinstance(function, FunctionType):
        return {}
    cells = [cell.cell_contents for cell in function.__closure__ or ()]
    return dict(zip(function.__code__.co_freevars, cells, strict=True))


def _with_cells(function: Any, values: Mapping[str, Any]) -> Any:
    """A function with other values in the variables that it has kept."""
    kept = _cells(function)
    if not kept.keys() & values.keys():
        return function
    cells = tuple(CellType(values.get(name, value)) for name, value in kept.items())
    made = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, cells
    )
    made.__kwdefaults__ = function.__kwdefaults__
    made.__qualname__ = function.__qualname__
    return made

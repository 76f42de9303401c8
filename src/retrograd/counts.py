"""Counts that users give: of steps, states, and so on."""

from __future__ import annotations

from numbers import Integral

from retrograd.errors import ArgumentError

__all__ = ["check_count"]


def check_count(name: str, given: object, least: int = 1, *, caller: str | None = None) -> int:
    """Refuse what is no whole number, or a smaller one than there must be.

    Args:
        name: the argument's name.
        given: what was given for it; NumPy's integers are fine, booleans are not.
        least: the smallest number that is accepted.
        caller: whose argument it is, where its name does not tell.

    Returns:
        It, as Python's own integer.

    Raises:
        ArgumentError: with all of this.

    Example:
        >>> check_count("steps", 3)
        3
        >>> check_count("slots", 0, caller="Checkpointed")
        Traceback (most recent call last):
        retrograd.errors.ArgumentError: Checkpointed: slots=0 was given; give a whole number of at
        least 1
    """
    if isinstance(given, Integral) and not isinstance(given, bool) and int(given) >= least:
        return int(given)
    what = f"{name}: {given!r:.60}" if caller is None else f"{caller}: {name}={given!r:.60}"
    raise ArgumentError(f"{what} was given; give a whole number of at least {least}")

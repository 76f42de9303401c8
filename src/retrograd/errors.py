"""Every exception that retrograd raises on purpose.

Each message names what happened, what was given, and what to do about it.

    RetrogradError
    ├── ArgumentError (ValueError)            an argument has a wrong value, shape or type
    ├── DifferentiationError (TypeError)      a program cannot be differentiated as written
    │   ├── MissingRuleError                  a function has no derivative rule
    │   ├── InterceptionError                 plain Python would have dropped a derivative
    │   └── EscapedTraceError                 a traced value is used outside its trace
    ├── CompilationError (TypeError)          a program cannot be compiled as written
    ├── NonFiniteError (ArithmeticError)      NaN or infinity where a number is needed
    ├── LatticeOverflowError (OverflowError)  a value left the range of the fixed-point lattice
    ├── NotReversibleError (TypeError)        an optimizer cannot be run backwards exactly
    ├── ReversalError (RuntimeError)          the reverse run missed a state of the forward run
    └── DataError (OSError)                   a data set is missing, damaged or out of reach
"""

from __future__ import annotations

__all__ = [
    "ArgumentError",
    "CompilationError",
    "DataError",
    "DifferentiationError",
    "EscapedTraceError",
    "InterceptionError",
    "LatticeOverflowError",
    "MissingRuleError",
    "NonFiniteError",
    "NotReversibleError",
    "RetrogradError",
    "ReversalError",
]


class RetrogradError(Exception):
    """Base of every exception that retrograd raises on purpose."""


class ArgumentError(RetrogradError, ValueError):
    """An argument has a wrong value, shape or type."""


class DifferentiationError(RetrogradError, TypeError):
    """A program cannot be differentiated as it is written."""


class MissingRuleError(DifferentiationError):
    """A function of traced values has no derivative rule."""


class InterceptionError(DifferentiationError):
    """Plain Python or NumPy would have dropped the derivative silently."""


class EscapedTraceError(DifferentiationError):
    """A traced value is used outside the trace that it belongs to."""


class CompilationError(RetrogradError, TypeError):
    """A program cannot be compiled as it is written."""


class NonFiniteError(RetrogradError, ArithmeticError):
    """NaN or infinity appeared where a number is needed."""


class LatticeOverflowError(RetrogradError, OverflowError):
    """A value left the range of the fixed-point lattice."""


class NotReversibleError(RetrogradError, TypeError):
    """An optimizer or a step cannot be run backwards exactly."""


class ReversalError(RetrogradError, RuntimeError):
    """The reverse run did not return to the states of the forward run.

    Args:
        message: what was noticed.
        step: the step that the state at hand should be that of, where that is known.
        whole: whether all of the state should be; if not, the position alone.

    Attributes:
        step: as given.
        whole: as given.
    """

    def __init__(self, message: str, step: int | None = None, *, whole: bool = True) -> None:
        super().__init__(message)
        self.step = step
        self.whole = whole


class DataError(RetrogradError, OSError):
    """A data set is missing, damaged or out of reach."""

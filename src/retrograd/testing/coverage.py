"""Which functions are differentiable, and how: the tables of `docs/differentiable.md`.

`python -m retrograd.testing.coverage docs/differentiable.md` writes them anew between the page's
two marks, from the registry itself; what stands outside of them is written by hand.
"""

from __future__ import annotations

import inspect
import re
import sys
import warnings
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

import retrograd.numpy
from retrograd.autodiff.interception import WITHOUT_RULE
from retrograd.autodiff.primitive import (
    REGISTRY,
    Everywhere,
    Primitive,
    transposed_jvp,
    transposed_vjp,
)
from retrograd.autodiff.rules.creation import CREATION
from retrograd.errors import MissingRuleError
from retrograd.testing.left_out import LEFT_OUT, NOT_COVERED
from retrograd.testing.samples import samples

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Function = Callable[..., Any]

__all__ = ["NAMESPACES", "Row", "families", "renewed", "rows", "tables", "unaccounted"]

assert retrograd.numpy  # the import registers NumPy's functions

BEGIN, END = "<!-- tables: begin -->", "<!-- tables: end -->"

# The namespaces in which every name is accounted for, and those that are listed as registered.
COMPLETE = ("numpy", "numpy.linalg", "numpy.fft")
_POLYNOMIALS = ("chebyshev", "hermite", "hermite_e", "laguerre", "legendre", "polynomial")
_SCIPY = (
    "fft", "integrate", "linalg", "ndimage", "optimize", "signal", "sparse.linalg", "special",
)  # fmt: skip
NAMESPACES = (
    *COMPLETE,
    *(f"scipy.{name}" for name in _SCIPY if find_spec("scipy")),
)

OWN, COMPOSITION, CREATES, IN_PLACE, CONSTANT = (
    "rule", "composition", "creates", "in place", "constant",
)  # fmt: skip
# Parameters that no rule needs to know: results do not depend on them, or `out=` is for everybody.
_INDIFFERENT = frozenset({"device", "disp", "like", "out", "plan", "subok"})


@dataclass(frozen=True)
class Row:
    """A function in the table.

    Attributes:
        names: the name, and further names of the same function.
        how: has a `rule` of its own, is a `composition` of functions that have one, `creates` an
            array, writes `in place`, or is `constant` (its derivative is zero).
        reverse: "yes", or "transposed" from the other mode; "" without derivative.
        forward: the same.
        not_covered: what its rule refuses.
    """

    names: tuple[str, ...]
    how: str
    reverse: str = ""
    forward: str = ""
    not_covered: str = ""


def rows(namespace: str) -> list[Row]:
    """The functions of a namespace that are differentiable or constant, by name."""
    module = _module(namespace)
    found: dict[int, list[str]] = {}
    functions: dict[int, Any] = {}
    for name, function in _public(module):
        if _how(function, name, namespace):
            found.setdefault(id(function), []).append(name)
            functions[id(function)] = function
    made = [_row(functions[key], names, namespace) for key, names in found.items()]
    return sorted(made, key=lambda row: row.names[0].lower())


def unaccounted() -> list[str]:
    """The public names of NumPy that are neither differentiable, nor constant, nor left out."""
    known = {name for names in LEFT_OUT.values() for name in names}
    missing = []
    for namespace in COMPLETE:
        prefix = namespace.removeprefix("numpy").lstrip(".")
        for name, function in _public(_module(namespace)):
            full = f"{prefix}.{name}" if prefix else name
            if full not in known and not _how(function, name, namespace):
                missing.append(full)
    return missing


def families() -> dict[str, list[str]]:
    """The distributions of `scipy.stats` and those of their methods that are differentiable."""
    if not find_spec("scipy"):
        return {}
    import_module("retrograd.scipy.stats")
    names = {
        id(value): name for name, value in _public(import_module("scipy.stats"), everything=True)
    }
    found: dict[str, list[str]] = {}
    for function in REGISTRY:
        family = names.get(id(getattr(function, "__self__", None)))
        if family:
            found.setdefault(family, []).append(function.__name__)
    return {family: sorted(methods) for family, methods in sorted(found.items())}


def _module(namespace: str) -> ModuleType:
    """A module of NumPy or SciPy, with everything registered that it has."""
    if namespace.startswith("scipy"):
        import_module(f"retrograd.{namespace}")
    return import_module(namespace)


def _public(module: ModuleType, *, everything: bool = False) -> Iterator[tuple[str, Any]]:
    """The public names that are functions or their like."""
    for name in sorted(dir(module)):
        if name.startswith("_"):
            continue
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = getattr(module, name, None)
        if everything or _is_function_like(value):
            yield name, value


def _is_function_like(value: Any) -> bool:
    if isinstance(value, ModuleType) or value is None:
        return False
    if isinstance(value, type):
        return not issubclass(value, np.generic | Exception | bool)
    return callable(value) or type(value).__module__ == "numpy.lib._index_tricks_impl"


def _how(function: Any, name: str, namespace: str) -> str:
    """How a function is differentiated; empty if it is not."""
    try:
        stand_in = WITHOUT_RULE.get(function) or REGISTRY.get(function)
    except TypeError:  # unhashable: no function
        return ""
    if function in WITHOUT_RULE:
        home = getattr(stand_in, "__module__", "")
        if home.endswith("in_place"):
            return IN_PLACE
        return CREATES if home == "numpy" else CONSTANT
    if stand_in is None:
        if namespace == "numpy":
            return CREATES if name in CREATION else ""
        solver = namespace.startswith("scipy") and _here(name, namespace)
        return COMPOSITION if solver else ""
    if isinstance(stand_in, Primitive):
        return OWN if stand_in.differentiable else CONSTANT
    return COMPOSITION


def _here(name: str, namespace: str) -> Function | None:
    """What a drop-in namespace of SciPy defines itself: solvers, which take functions."""
    value = vars(import_module(f"retrograd.{namespace}")).get(name)
    return value if inspect.isfunction(value) and "scipy" in value.__module__ else None


def _row(function: Any, names: list[str], namespace: str) -> Row:
    names.sort(key=lambda name: (name != function.__name__, name.lower()))
    how = _how(function, names[0], namespace)
    if how in (CONSTANT, CREATES, IN_PLACE):
        return Row(tuple(names), how)
    stand_in, reverse, forward = REGISTRY.get(function), "yes", "yes"
    if isinstance(stand_in, Primitive):
        reverse, forward = _mode(stand_in.vjps), _mode(stand_in.jvps)
    stand_in = stand_in or _here(names[0], namespace)
    not_covered = ", ".join(_not_covered(function, stand_in, f"{namespace}.{names[0]}"))
    return Row(tuple(names), how, reverse, forward, not_covered)


def _mode(rules: Any) -> str:
    """Whether the rules of a mode are stated, or had from the other one."""
    rule = rules.rule if isinstance(rules, Everywhere) else rules[0]
    if isinstance(rule, partial):
        return "transposed" if rule.func in (transposed_jvp, transposed_vjp) else "yes"
    return "transposed" if rule.__qualname__.startswith("_derived.") else "yes"


def _not_covered(function: Any, stand_in: Any, name: str) -> Iterator[str]:
    """What the rule of a function refuses: by a note, and as far as it can be seen."""
    if name in NOT_COVERED:
        yield NOT_COVERED[name]
    if isinstance(function, np.ufunc):
        refused = _refused(function, stand_in)
        if refused:
            yield "derivatives in " + ", ".join(f"`{each}`" for each in refused)
        return
    yield from (f"`{unknown}=`" for unknown in _unknown_parameters(function, stand_in))
    some = _SAMPLES.get(function)
    if some and all(sample.order == 1 for sample in some):
        yield "second derivatives"


def _refused(ufunc: np.ufunc, stand_in: Any) -> list[str]:
    """The arguments of a ufunc in which it has no derivative; they are asked."""
    some = _SAMPLES.get(ufunc)
    if not some or not isinstance(stand_in, Primitive):
        return []
    args = some[0].args
    ans = ufunc(*args)
    g = tuple(map(np.ones_like, ans)) if isinstance(ans, tuple) else np.ones_like(ans)
    # SciPy's docstrings have two signatures, of which the second one has the names.
    signatures = re.findall(rf"^\s*{ufunc.__name__}\((.*)\)", ufunc.__doc__ or "", re.MULTILINE)
    names = re.findall(r"\w+", signatures[-1])
    refused = []
    for i in range(ufunc.nin):
        try:
            stand_in.vjps[i](g, ans, *args)
        except (MissingRuleError, IndexError):
            refused.append(names[i])
    return refused


def _unknown_parameters(function: Any, stand_in: Any) -> list[str]:
    """The parameters of a function that what stands for it does not know."""
    try:
        given = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some functions written in C have no signature
        return []
    rule, leading = stand_in, 0
    if isinstance(stand_in, Primitive):
        rule, leading = stand_in.vjps[0], 2  # g and ans
    known = [*inspect.signature(rule).parameters.values()][leading:]
    if any(p.kind in _VARIADIC for p in known):
        return []
    by_position = sum(p.kind is p.POSITIONAL_OR_KEYWORD for p in known)
    names = {p.name for p in known} | {p.name for p in [*given][:by_position]} | _INDIFFERENT
    return [p.name for p in given if p.name not in names and p.kind not in _VARIADIC]


_VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
_SAMPLES = samples("numpy") | samples("scipy")


def tables() -> str:
    """All tables, as Markdown."""
    sections = [_section(namespace) for namespace in NAMESPACES]
    return "\n\n".join([_made_with(), *sections, _distributions(), _polynomials(), _left_out()])


def renewed(page: str) -> str:
    """The page with the tables of today between its marks."""
    fresh = f"{BEGIN}\n\n{tables()}\n\n{END}"
    return re.sub(f"{BEGIN}.*{END}", lambda _: fresh, page, flags=re.DOTALL)


def _made_with() -> str:
    versions = [f"NumPy {np.__version__}"]
    if find_spec("scipy"):
        versions.append(f"SciPy {import_module('scipy').__version__}")
    return f"Made with {' and '.join(versions)}."


def _section(namespace: str) -> str:
    found = rows(namespace)
    table = "\n".join(_line(row) for row in found if row.reverse)
    parts = [
        f"## `{namespace}`",
        f"| function | reverse | forward | how | not covered |\n|---|---|---|---|---|\n{table}",
    ]
    for how, meaning in (
        (CREATES, "Create arrays, which inside a differentiated function can be written to"),
        (IN_PLACE, "Write to an array"),
        (CONSTANT, "Give plain values, as the derivative is zero wherever it exists"),
    ):
        some = [_names(row) for row in found if row.how == how]
        if some:
            parts.append(f"{meaning}: {', '.join(some)}.")
    return "\n\n".join(parts)


def _line(row: Row) -> str:
    return f"| {_names(row)} | {row.reverse} | {row.forward} | {row.how} | {row.not_covered} |"


def _names(row: Row) -> str:
    return ", ".join(f"`{name}`" for name in row.names)


def _distributions() -> str:
    lines = (
        f"| `{family}` | {', '.join(f'`{method}`' for method in methods)} |"
        for family, methods in families().items()
    )
    head = "## `scipy.stats`\n\nBoth modes, also of frozen distributions.\n\n"
    return f"{head}| distribution | methods |\n|---|---|\n" + "\n".join(lines)


def _polynomials() -> str:
    names = (
        f"`{module}.{name}`"
        for module in _POLYNOMIALS
        for row in rows(f"numpy.polynomial.{module}")
        for name in row.names
    )
    return f"## `numpy.polynomial`\n\nBoth modes, by composition: {', '.join(names)}."


def _left_out() -> str:
    lines = (
        f"- They {reason}: {', '.join(f'`{name}`' for name in sorted(names))}."
        for reason, names in LEFT_OUT.items()
    )
    return "## Left out\n\n" + "\n".join(lines)


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")

"""Drop-in namespaces: a module that offers another one's functions, those with rules traced.

A namespace asks for its two functions in one line:

    __getattr__, __dir__ = drop_in(numpy)
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from retrograd.autodiff.primitive import REGISTRY

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

__all__ = ["drop_in"]


def drop_in(module: ModuleType) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """`__getattr__` and `__dir__` of a module that stands in for `module`.

    A name gives what stands for that function on traced values if there is a rule for it, and the
    module's own attribute everywhere else.
    """

    def look_up(name: str) -> Any:
        found = getattr(module, name)
        try:
            return REGISTRY.get(found, found)
        except TypeError:  # unhashable: no function
            return found

    def names() -> list[str]:
        return dir(module)

    return look_up, names

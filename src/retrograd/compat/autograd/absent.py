"""What an adapter cannot offer: it can be imported, and whoever uses it is told what to do.

Autograd's engine is made of other parts, so its classes have no counterpart. Were their names
missing, `from autograd.extend import vspace` would fail without a word about the cure.
"""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = ["Absent"]


class Absent:
    """A name of Autograd's engine without a counterpart.

    Args:
        name: of what is missing.
        cure: what to use instead.
    """

    def __init__(self, name: str, cure: str) -> None:
        self._name, self._cure = name, cure

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise AttributeError(
            f"retrograd.compat.autograd has no {self._name}, which is a part of Autograd's engine: "
            f"{self._cure}"
        )

    __call__ = __mro_entries__ = __instancecheck__ = _refuse

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # questions of Python itself, such as a copy's or doctest's
            raise AttributeError(name)
        self._refuse()

    def __repr__(self) -> str:
        return f"<absent {self._name}: {self._cure}>"


_NODES = "write a tracer of your own with retrograd.autodiff.trace.Trace"
_SPACES = (
    "take np.zeros_like, np.ones_like, np.shape and np.vdot for arrays, retrograd.tree.map for "
    "containers"
)

VSpace = Absent("VSpace", f"{_SPACES}, and retrograd.tree.register for classes of your own")
vspace = Absent("vspace", _SPACES)
SparseObject = Absent("SparseObject", "return a dense cotangent, made with np.zeros_like")
VJPNode = Absent("VJPNode", _NODES)
JVPNode = Absent("JVPNode", _NODES)
Node = Absent("Node", _NODES)

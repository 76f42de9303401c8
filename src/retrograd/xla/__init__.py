"""NumPy-style programs, and their derivatives, compiled by XLA.

`compiled.py` has `compile` and the programs that it keeps; `program.py` is one of them. `trace.py`
is the mode beneath the other modes: its values are JAX's (`box.py`), every primitive becomes
operations of XLA (`lowering.py`, `indexing.py`), and `layout.py` keeps what NumPy decides by dtype
and memory layout.
"""

from retrograd.xla.compiled import compile as compile

__all__ = ["compile"]

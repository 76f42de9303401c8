"""Why a trace is not slowed down by the operating system's memory.

A trace allocates a wave of arrays and frees them again. The C library's allocator (glibc's) hands
freed memory back to the system once a small threshold is passed, and the next wave pays for every
page again: a third of the time of a small network's gradient. So the threshold is raised, once,
when the engine is loaded. Where the C library has no such threshold this does nothing.
"""

from __future__ import annotations

import ctypes
import sys

# Numbers of the parameters in glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
# Blocks up to this size come from the heap (more is not allowed), and this much of it is kept.
_BLOCK, KEPT = 32 << 20, 256 << 20


def keep_freed_memory() -> None:
    """Let the allocator keep up to 256 MiB of freed memory for the next wave of arrays."""
    if not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_MMAP_THRESHOLD, _BLOCK)
        mallopt(_TRIM_THRESHOLD, KEPT)

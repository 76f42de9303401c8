"""Why a trace is not slowed down by the operating system's memory.

A trace allocates a wave of arrays and frees them again. The C library's allocator (glibc's) hands
freed memory back to the system once a small threshold is passed, and the next wave pays for every
page again: a third of the time of a small network's gradient. The threshold follows the largest
block that was ever freed, so allocating and freeing one block, which is never touched, is enough.
Elsewhere this does nothing.
"""

from __future__ import annotations

import numpy as np

# Just below 32 MiB, beyond which glibc no longer adapts; up to twice as much freed memory is kept.
_BLOCK = (32 << 20) - (1 << 16)


def keep_freed_memory() -> None:
    """Let the allocator keep up to 64 MiB of freed memory for the next wave of arrays."""
    np.empty(_BLOCK, np.uint8)

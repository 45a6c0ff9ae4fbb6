"""Ask the C library to keep freed memory.

Training and sampling free and allocate the same large buffers over and over. glibc returns each to the system at once,
and getting them back page by page cost more than the arithmetic of small networks (2 to 3 times, measured on two CPU
cores) and of large filters that are re-laid out on every call. PyTorch caches memory on GPUs, but not on CPUs.
"""

from __future__ import annotations

import ctypes
import sys

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4  # malloc.h


def keep_freed_memory() -> bool:
    """Stop returning memory to the system in this process; False where the C library is not glibc."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    return all(
        mallopt(name, value) == 1
        for name, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 2**26))
    )

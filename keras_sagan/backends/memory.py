"""What the C library does with memory that is freed."""

import ctypes
import os
import sys

# Parameters of `mallopt`, from glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


def keep_freed_memory(one_arena=False):
    """Keeps freed memory for the next step instead of returning it.

    By default glibc maps each large array anew, and the system clears it page
    by page as it is written. Where the user has set malloc's own variables,
    or the C library is another, nothing is changed.

    Args:
        one_arena: Whether all threads share one arena. Others than the first
            hold no more than 64 MB in one piece.
    """
    if not sys.platform.startswith("linux") or any(
        name.startswith("MALLOC_") or name == "GLIBC_TUNABLES"
        for name in os.environ
    ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_MMAP_MAX, 0)
        mallopt(_TRIM_THRESHOLD, -1)
        if one_arena:
            mallopt(_ARENA_MAX, 1)

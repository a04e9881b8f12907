"""Settings of the C library for freed memory."""

import ctypes
import functools
import os
import sys

# Parameters of `mallopt`, from glibc's malloc.h.
_TRIM_THRESHOLD, _MMAP_MAX, _ARENA_MAX = -1, -4, -8


@functools.cache
def keep_freed_memory(one_arena=False):
    """Makes malloc keep freed memory for the next training step.

    By default, glibc maps new memory for each large array, and the system
    clears it page by page when it is first written. Keeping the memory instead
    shortened a step at 64 pixels, width 32, batch 16 on two CPU cores from 645
    to 495 ms on JAX, from 590 to 495 ms on PyTorch and from 370 to 325 ms on
    TensorFlow.

    The setting applies to the whole process, so only training changes it. Only
    the first call has an effect. Nothing changes if the environment already
    tunes malloc (`MALLOC_*` or `GLIBC_TUNABLES`), or on systems without glibc.

    Args:
        one_arena: Whether all threads allocate from one arena. All arenas
            except the first are limited to blocks of 64 MB.
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

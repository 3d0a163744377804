"""System calls that Python does not offer."""

from __future__ import annotations

import ctypes
import sys

SYNC_FILE_RANGE_WRITE = 2
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_sync_file_range = getattr(_libc, "sync_file_range", None)
if _sync_file_range is not None:
    _sync_file_range.argtypes = [
        *(ctypes.c_int, ctypes.c_int64, ctypes.c_int64, ctypes.c_uint),
    ]


def begin_write_back(descriptor: int, start: int, size: int) -> None:
    """Start writing these bytes of a file to the disk, so that the final sync has less to do.

    A hint only: durability is what fsync says, and it says all errors too.
    """
    if _sync_file_range is not None:
        _sync_file_range(descriptor, start, size, SYNC_FILE_RANGE_WRITE)

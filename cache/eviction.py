"""Keeps a cache directory within its quota and free of what nobody needs."""

import contextlib
import os
from typing import NamedTuple

from .layout import list_directory
from .lock import file_lock

LOW_WATER = 0.9  # part of the quota that an eviction leaves, so that the next is far
LEFTOVER_SECONDS = 60 * 60  # age of a crashed writer's file


class Removed(NamedTuple):
    """What a clean-up took away: number of files and their bytes."""

    files: int = 0
    bytes: int = 0

    def plus(self, other):
        """Return the sum of both."""
        return Removed(self.files + other.files, self.bytes + other.bytes)


class _Stored(NamedTuple):
    used: float
    size: int
    path: str


class Eviction:
    """Removes files below a :class:`~.layout.CacheLayout`. Times are seconds."""

    def __init__(self, layout, usage):
        self._layout = layout
        self._usage = usage

    def evict(self, room, now, max_bytes, ttl):
        """Remove the too old, then the least recently used until ``room`` bytes fit.

        One process at a time does it; the others need not wait for it.

        :raise OSError: when the new count of bytes can not be written
        """
        with file_lock(self._layout.eviction_lock, 0) as owner:
            if not owner:
                return Removed()
            stored = sorted(self.scan())
            total = sum(item.size for item in stored)
            limit = total
            if total + room > max_bytes:
                limit = max(max_bytes * LOW_WATER - room, 0)
            removed = Removed()
            for item in stored:
                if now - item.used < ttl and total - removed.bytes <= limit:
                    break
                remove(item.path)
                removed = removed.plus(Removed(1, item.size))
            self._usage.set(total - removed.bytes + room, now)
            return removed

    def scan(self):
        """Return all entries: when used last, size, path."""
        stored = []
        for item in self._layout.entries():
            with contextlib.suppress(OSError):
                status = item.stat(follow_symlinks=False)
                stored.append(_Stored(status.st_atime, status.st_size, item.path))
        return stored

    def sweep_leftovers(self, now):
        """Remove what crashed processes left: parts of files and lock files."""
        for item in list_directory(self._layout.locks):
            with file_lock(item.path, 0):
                pass  # a lock file that nobody holds goes with its release
        removed = Removed()
        for item in list_directory(self._layout.temporary):
            if now - _modified(item) > LEFTOVER_SECONDS:
                removed = removed.plus(remove(item.path))
        return removed


def remove(path):
    """Delete a file; return what that freed, nothing when it was not there."""
    try:
        size = os.lstat(path).st_size
        os.unlink(path)
    except OSError:
        return Removed()
    return Removed(1, size)


def _modified(item):
    try:
        return item.stat(follow_symlinks=False).st_mtime
    except OSError:
        return float("inf")  # gone in the meantime

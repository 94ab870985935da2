"""The caches of this process: one in memory per database, one on disk per directory."""

import threading
from collections import defaultdict

from .disk import DiskCache
from .memory import MemoryCache

_memory, _disk = defaultdict(MemoryCache), {}
_lock = threading.Lock()


def memory_cache(database):
    """Return the process's :class:`~.memory.MemoryCache` for a database."""
    with _lock:
        return _memory[database]


def disk_cache(root, database, max_bytes, ttl):
    """Return the process's :class:`~.disk.DiskCache`, its limits brought up to date.

    It is kept because it remembers what was verified and whether it has complained.
    Parameters as there.
    """
    with _lock:
        cache = _disk.get((root, database))
        if cache is None:
            cache = _disk[root, database] = DiskCache(root, database, max_bytes, ttl)
        cache.max_bytes, cache.ttl = max_bytes, ttl
        return cache

"""The caches of this process: one in memory, one on disk per directory and database."""

import threading

from .disk_cache import DiskCache
from .memory_cache import MemoryCache

MEMORY = MemoryCache()
_caches = {}
_lock = threading.Lock()


def shared_disk_cache(root, database, max_bytes, ttl):
    """Return the process's :class:`DiskCache`, its limits brought up to date.

    It is kept because it remembers what was verified and whether it has complained.
    Parameters as there.
    """
    with _lock:
        cache = _caches.get((root, database))
        if cache is None:
            cache = _caches[root, database] = DiskCache(root, database, max_bytes, ttl)
        cache.max_bytes, cache.ttl = max_bytes, ttl
        return cache

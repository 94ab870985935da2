"""Contents of files kept in the memory of one process."""

import contextlib
import threading
import time

from cachetools import TTLCache

DEFAULT_MAX_FILES = 50
DEFAULT_MAX_BYTES = 64 * 1024 * 1024
DEFAULT_TTL = 5 * 60  # seconds

# One file may take this part of the bytes, else a single large one empties the cache.
LARGEST_SHARE = 0.25


class MemoryCache:
    """Contents for some time, the least recently used going first.

    In front of :class:`cachetools.TTLCache`, which bounds bytes and age: the number of
    files, the size of a single one, limits that change, threads.
    """

    def __init__(
        self,
        max_files=DEFAULT_MAX_FILES,
        max_bytes=DEFAULT_MAX_BYTES,
        ttl=DEFAULT_TTL,
        timer=time.monotonic,
    ):
        """
        :param int max_files: number of contents kept, 0 for none
        :param int max_bytes: their total length
        :param float ttl: seconds that a content is served after it was put
        :param callable timer: monotonic clock, in seconds
        """
        self._timer = timer
        self._lock = threading.RLock()
        self._limits = (max_files, max_bytes, ttl)
        self.clear()

    def configure(self, max_files=None, max_bytes=None, ttl=None):
        """Change limits, None leaves one as it is; new limits begin with nothing.

        Cheap when nothing changes, so that it can be called before each use.
        """
        limits = tuple(
            old if new is None else new
            for old, new in zip(self._limits, (max_files, max_bytes, ttl))
        )
        with self._lock:
            if limits != self._limits:
                self._limits = limits
                self.clear()

    def get(self, key):
        """Return the content, or None when it is not there or too old."""
        with self._lock:
            return self._contents.get(key)

    def put(self, key, data):
        """Keep ``data``, unless it is larger than one file's share of the bytes."""
        max_files, max_bytes, _ttl = self._limits
        with self._lock:
            self._contents.pop(key, None)
            if not max_files or len(data) > max_bytes * LARGEST_SHARE:
                return
            with contextlib.suppress(KeyError):  # all of them just became too old
                while len(self._contents) >= max_files:
                    self._contents.popitem()
            self._contents[key] = bytes(data)

    def clear(self):
        """Forget all contents."""
        _max_files, max_bytes, ttl = self._limits
        with self._lock:
            self._contents = TTLCache(max_bytes, ttl, timer=self._timer, getsizeof=len)

    def stats(self):
        """Return a dict: ``files`` and their ``bytes``."""
        with self._lock:
            self._contents.expire()
            return {"files": len(self._contents), "bytes": self._contents.currsize}

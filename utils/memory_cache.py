"""Contents of files kept in the memory of one process."""

import threading
import time
from typing import NamedTuple

from cachetools import LRUCache

DEFAULT_MAX_FILES = 50
DEFAULT_MAX_BYTES = 64 * 1024 * 1024
DEFAULT_TTL = 5 * 60  # seconds

# One file may take this part of the bytes, else a single large one empties the cache.
LARGEST_SHARE = 0.25


class _Entry(NamedTuple):
    data: bytes
    expires: float


class MemoryCache:
    """Least-recently-used cache bounded in files and bytes, with a time to live.

    Contents are kept per database. Safe to use from any number of threads.
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
        self._lock = threading.Lock()
        self._max_files = max_files
        self._max_bytes = max_bytes
        self._ttl = ttl
        self._entries = self._new_entries()
        self._next_purge = 0.0
        self._hits = self._misses = self._evictions = 0

    def get(self, db, key):
        """Return the content, or None when it is not there or too old."""
        with self._lock:
            now = self._timer()
            entry = self._entries.get((db, key))
            if entry and now < entry.expires:
                self._hits += 1
                return entry.data
            if entry:
                del self._entries[db, key]
            self._misses += 1
            return None

    def put(self, db, key, data):
        """Keep ``data``, unless it is larger than one file's share of the bytes."""
        with self._lock:
            self._entries.pop((db, key), None)
            if not self._max_files or len(data) > self._max_bytes * LARGEST_SHARE:
                return
            now = self._timer()
            self._purge(now)
            while self._entries and self._is_full(len(data)):
                self._evict()
            self._entries[db, key] = _Entry(bytes(data), now + self._ttl)

    def discard(self, db, key):
        """Forget one content; nothing happens when it is not there."""
        with self._lock:
            self._entries.pop((db, key), None)

    def clear(self, db=None):
        """Forget the contents of one database, or of all."""
        with self._lock:
            for entry_key in list(self._entries):
                if db is None or entry_key[0] == db:
                    del self._entries[entry_key]

    def configure(self, max_files=None, max_bytes=None, ttl=None):
        """Change limits; what still fits stays, and never longer than the new ``ttl``.

        Cheap when nothing changes, so that it can be called before each use.
        """
        wanted = (
            self._max_files if max_files is None else max_files,
            self._max_bytes if max_bytes is None else max_bytes,
            self._ttl if ttl is None else ttl,
        )
        with self._lock:
            if wanted != (self._max_files, self._max_bytes, self._ttl):
                self._max_files, self._max_bytes, self._ttl = wanted
                self._rebuild()

    def stats(self):
        """Return a dict: ``files``, ``bytes``, ``hits``, ``misses``, ``evictions``."""
        with self._lock:
            return {
                "files": len(self._entries),
                "bytes": int(self._entries.currsize),
                "hits": self._hits,
                "misses": self._misses,
                "evictions": self._evictions,
            }

    def _new_entries(self):
        return LRUCache(self._max_bytes, getsizeof=lambda entry: len(entry.data))

    def _is_full(self, room):
        return (
            len(self._entries) >= self._max_files
            or self._entries.currsize + room > self._max_bytes
        )

    def _evict(self):
        self._entries.popitem()
        self._evictions += 1

    def _purge(self, now):
        """Free what nobody may read any more, at most twice within a time to live."""
        if now < self._next_purge:
            return
        self._next_purge = now + self._ttl / 2
        for key, entry in list(self._entries.items()):
            if entry.expires <= now:
                del self._entries[key]

    def _rebuild(self):
        old, self._entries = self._entries, self._new_entries()
        self._next_purge = 0.0
        latest = self._timer() + self._ttl
        kept = []
        while old:  # the least recently used comes first
            key, entry = old.popitem()
            kept.append((key, entry._replace(expires=min(entry.expires, latest))))
        for key, entry in kept:
            size = len(entry.data)
            if not self._max_files or size > self._max_bytes * LARGEST_SHARE:
                continue
            while self._entries and self._is_full(size):
                self._evict()
            self._entries[key] = entry

"""Remembers which cached files this process has already proven to be undamaged."""

import hashlib
import os
import threading

from cachetools import LRUCache

MAX_FILES = 10000
CHUNK_SIZE = 256 * 1024


class ProofMemory:
    """A large file need not be hashed again for each range that is read from it.

    A file is recognised by device, inode, size and modification time: another one, or
    one that was written to, has to be proven again. Safe to use from any thread.
    """

    def __init__(self):
        self._proven = LRUCache(MAX_FILES)
        self._lock = threading.Lock()

    def has(self, key, file):
        """Tell whether this very file was proven for ``key``."""
        with self._lock:
            return self._proven.get(key) == stamp(file)

    def add(self, key, file_stamp):
        """Take note that the file with this :func:`stamp` has the digest ``key``."""
        with self._lock:
            self._proven[key] = file_stamp

    def prove(self, key, file):
        """Tell whether an open file has the digest ``key``; leaves it at its start.

        :raise OSError: when it can not be read
        """
        if self.has(key, file):
            return True
        digest = hashlib.sha1()
        for chunk in iter(lambda: file.read(CHUNK_SIZE), b""):
            digest.update(chunk)
        file.seek(0)
        if digest.hexdigest() != key:
            return False
        self.add(key, stamp(file))
        return True


def stamp(file):
    """Return what identifies an open file and its state."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns

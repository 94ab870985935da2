"""Files on their way into the disk cache, and readers that follow them."""

import contextlib
import fcntl
import hashlib
import os
import tempfile
import time

from .lock import try_flock

CHUNK_SIZE = 256 * 1024
STALL_SECONDS = 10.0
POLL_SECONDS = 0.02


class FillAbandonedError(Exception):
    """The writer that a reader followed is gone, or makes no progress."""


class CacheWriter:
    """Collects a file and publishes it once it is proven to be whole.

    Caching is optional: when the disk fails, the writer goes on hashing and forgets the
    bytes. Nothing but :attr:`matches` and the result of :meth:`commit` tells.
    As a context manager it drops what was not committed.
    """

    def __init__(self, path, size, sha1, temporary=None, on_failure=None, on_end=None):
        """
        :param str path: where the file belongs
        :param int size: its length in bytes
        :param str sha1: its digest in lower-case hexadecimal
        :param str temporary: directory to write in; None for a writer that only hashes
        :param callable on_failure: receives the OSError that ended the caching
        :param callable on_end: receives whether the file was published, exactly once,
            when there was a temporary directory
        """
        self._path = path
        self._size = size
        self._sha1 = sha1
        self._digest = hashlib.sha1()
        self._received = 0
        self._on_failure = on_failure
        self._on_end = on_end
        self._temporary = self._file = None
        self._active = temporary is not None
        if self._active:
            self._guard(self._open, temporary)

    @property
    def active(self):
        """Whether the bytes are still being kept."""
        return self._active

    @property
    def matches(self):
        """Whether all that was written has the size and the digest promised."""
        return self._received == self._size and self._digest.hexdigest() == self._sha1

    def write(self, chunk):
        """Take the next bytes. Never raises OSError."""
        self._digest.update(chunk)
        self._received += len(chunk)
        if self._active:
            self._guard(self._store, chunk)

    def commit(self):
        """Publish the file when it matches; tell whether it is there now."""
        if not self._active:
            return False
        if not self.matches:
            self.abort()
            return False
        return self._guard(self._publish)

    def abort(self):
        """Drop what was written; nothing happens after a commit."""
        self._end(False)

    def __enter__(self):
        return self

    def __exit__(self, *exc_info):
        self.abort()

    def _open(self, temporary):
        prefix = os.path.basename(self._path) + "."
        fd, self._temporary = tempfile.mkstemp(prefix=prefix, dir=temporary)
        self._file = os.fdopen(fd, "wb")
        # Followers see by this lock that the writer lives.
        fcntl.flock(fd, fcntl.LOCK_EX)

    def _store(self, chunk):
        self._file.write(chunk)
        self._file.flush()

    def _publish(self):
        # Still locked here, so that followers do not take the end for a crash.
        os.replace(self._temporary, self._path)
        self._end(True)

    def _end(self, stored):
        if not self._active:
            return
        self._active = False
        if self._temporary and not stored:
            with contextlib.suppress(OSError):
                os.unlink(self._temporary)
        if self._file:
            with contextlib.suppress(OSError):  # what its buffer still holds
                self._file.close()
        if self._on_end:
            self._on_end(stored)

    def _guard(self, action, *args):
        try:
            action(*args)
        except OSError as err:
            self.abort()
            if self._on_failure:
                self._on_failure(err)
            return False
        return True


def follow(temporary, key, size, stall=STALL_SECONDS, sleep=time.sleep):
    """Return the chunks of a file that another thread or process is writing.

    They are not verified: wrap them, together with what replaces a lost writer, in
    :func:`~.stream.verified_chunks`.

    :param str temporary: directory of files being written
    :param int size: length of the whole file in bytes
    :param float stall: seconds without progress after which the writer is given up
    :return: iterator of bytes, or None when nobody is writing this file. It raises
        FillAbandonedError when the rest has to come from elsewhere.
    """
    file = _open_growing(temporary, key)
    return _follow(file, size, stall, sleep) if file else None


def _follow(file, size, stall, sleep):
    received = 0
    with file:
        while received < size:
            chunk = _next_chunk(file, stall, sleep)
            if not chunk:
                raise FillAbandonedError("%s of %s bytes came" % (received, size))
            received += len(chunk)
            yield chunk


def _next_chunk(file, stall, sleep):
    """Return what came next, empty when the writer is gone or stalls."""
    idle = 0.0
    while True:
        gone = try_flock(file.fileno(), fcntl.LOCK_SH)
        # Read after the lock was tried: the writer's last bytes are there then.
        chunk = file.read(CHUNK_SIZE)
        if chunk or gone or idle >= stall:
            return chunk
        sleep(POLL_SECONDS)
        idle += POLL_SECONDS


def _open_growing(temporary, key):
    """Return the file for ``key`` that is furthest and has a living writer, or None."""
    best = None
    with contextlib.suppress(OSError):
        names = (name for name in os.listdir(temporary) if name.startswith(key + "."))
        for path in [os.path.join(temporary, name) for name in names]:
            best = _further(best, path)
    return best


def _further(best, path):
    try:
        file = open(path, "rb", buffering=0)
    except OSError:
        return best
    lost = try_flock(file.fileno(), fcntl.LOCK_SH)
    if lost or (best and _length(best) >= _length(file)):
        file.close()
        return best
    if best:
        best.close()
    return file


def _length(file):
    return os.fstat(file.fileno()).st_size

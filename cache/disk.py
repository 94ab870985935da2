"""Contents of files kept on disk, shared by the threads and processes of a server.

An entry is named by the sha1 of its content, so that it never changes and can be proven
at any time. The cache only ever saves work: when it can not be read or written, callers
see a miss or a writer that keeps nothing, a warning is logged once, and they go on.
"""

import contextlib
import errno
import functools
import logging
import os
import shutil
import time

from .eviction import Eviction, Removed, remove
from .layout import CacheLayout, check_key, is_variant, list_directory
from .lock import file_lock
from .proof import ProofMemory, stamp
from .seal import seal, unseal
from .stream import CorruptContentError, read_chunks, verified_chunks
from .usage import UsageCounter
from .writer import CHUNK_SIZE, STALL_SECONDS, CacheWriter, follow

_logger = logging.getLogger(__name__)

RESCAN_SECONDS = 60 * 60  # how long the shared byte count may be off
TOUCH_SECONDS = 60  # a use is noted at most this often, a note is a write


class DiskCache:
    """Cache of one database below a directory, bounded in bytes and age.

    Keys are the sha1 of a content, 40 lower-case hexadecimal digits, or such a digest
    with a suffix (``-image_128``) for a small variant derived from it. Other keys raise
    ValueError from every method. Any number of processes may use the same directory.
    """

    def __init__(self, root, database, max_bytes, ttl, clock=time.time):
        """
        :param str root: directory for all databases, made when needed
        :param str database: name of the database, any text
        :param int max_bytes: quota of this database; the least recently used go first
        :param float ttl: seconds that an entry stays after its last use
        :param callable clock: wall clock in seconds, comparable to file times
        """
        self.max_bytes = max_bytes
        self.ttl = ttl
        self._clock = clock
        self._layout = CacheLayout(root, database)
        self._usage = UsageCounter(self._layout.usage)
        self._eviction = Eviction(self._layout, self._usage)
        self._proofs = ProofMemory()
        self._has_warned = False

    # Reading

    def open(self, key, size, verify=True):
        """Return the content as an open binary file, or None; the caller closes it.

        An open file survives the eviction of its entry. Size and age are always
        checked, the digest once per process and entry, and when ``verify`` is set.

        :param int size: length in bytes that the entry must have
        """
        if is_variant(key):
            raise ValueError("variants are read whole, not opened: %s" % key)
        file = self._open_fresh(key)
        if file is None:
            return None
        if _length(file) == size and (not verify or self._is_proven(key, file)):
            return file
        file.close()
        self._drop_damaged(key)
        return None

    def get_path(self, key, size, verify=True):
        """Return the path of the content, or None; see :meth:`open`.

        For a web server that sends the file itself: the entry may be evicted before.
        """
        file = self.open(key, size, verify)
        if file is None:
            return None
        file.close()
        return self._layout.entry(key)

    def stream(self, key, size, chunk_size=CHUNK_SIZE):
        """Return an iterator over the whole content, or None when it is not there.

        Without delay for a first verification: the digest is made on the way, and the
        iterator raises CorruptContentError instead of giving the last chunk.
        """
        file = self.open(key, size, verify=False)
        return self._proving_chunks(key, file, chunk_size) if file else None

    def read(self, key, size=None):
        """Return the verified content as bytes, or None when it is not there.

        :param int size: length in bytes that the content must have, None for any
        """
        file = self._open_fresh(key)
        if file is None:
            return None
        with file:
            data = self._read_whole(file)
        content = None if data is None else unseal(key, data)
        if content is not None and size in (None, len(content)):
            return content
        self._drop_damaged(key)
        return None

    def follow(self, key, size, stall=STALL_SECONDS):
        """Return the chunks of a content that someone writes just now, or None.

        See :func:`~.writer.follow`: unverified, and may raise FillAbandonedError.
        """
        check_key(key)
        return follow(self._layout.temporary, key, size, stall)

    # Writing

    def writer(self, key, size):
        """Return a :class:`CacheWriter` for the content with the digest ``key``.

        It always works as a hash; without room for the file it keeps nothing.
        """
        if is_variant(key):
            raise ValueError("variants are put whole, not written: %s" % key)
        return self._make_writer(key, size, key)

    def put(self, key, data):
        """Keep a whole content; tell whether it is in the cache now.

        Contents under a plain key must have this digest. Variants may be anything: they
        are stored with their own digest in front, so that damage is noticed.
        """
        stored, digest = seal(key, data)
        with self._make_writer(key, len(stored), digest) as writer:
            writer.write(stored)
            return writer.commit()

    def fill_lock(self, key, timeout):
        """Hold the right to fill ``key``, among all threads and processes.

        ``with cache.fill_lock(key, timeout) as owner:``: when true, look again and fill
        the entry if it is still missing; when false, others took longer than
        ``timeout`` seconds (or the directory can not be written): go on without it.
        """
        path = self._layout.lock(key)
        self._attempt(self._layout.prepare)
        return file_lock(path, timeout)

    # Removing

    def drop(self, key):
        """Remove an entry and, for a plain key, the variants derived from it."""
        path = self._layout.entry(key)
        self._remove_entry(path)
        if not is_variant(key):
            for item in list_directory(os.path.dirname(path)):
                if item.name.startswith(key + "-"):
                    self._remove_entry(item.path)

    def clear(self):
        """Remove all entries of this database; files being written go on."""
        for item in self._layout.entries():
            remove(item.path)
        if os.path.isdir(self._layout.base):
            self._attempt(self._usage.set, 0, self._clock())

    def destroy(self):
        """Remove all that is there for this database, directories included."""
        shutil.rmtree(self._layout.base, ignore_errors=True)
        with contextlib.suppress(OSError):  # other databases have theirs beside it
            os.rmdir(os.path.dirname(self._layout.base))

    def sweep(self, now=None):
        """Remove what is too old, over the quota, or left by crashed processes.

        Meant for a daily job; writers keep the quota without it.

        :param float now: seconds, the clock by default
        :return: :class:`Removed`
        """
        now = self._clock() if now is None else now
        if not os.path.isdir(self._layout.base):
            return Removed()
        removed = self._eviction.sweep_leftovers(now)
        with contextlib.suppress(OSError):
            removed = removed.plus(
                self._eviction.evict(0, now, self.max_bytes, self.ttl)
            )
        return removed

    def stats(self):
        """Return a dict with ``files`` and ``bytes``; looks at every entry."""
        stored = self._eviction.scan()
        return {"files": len(stored), "bytes": sum(item.size for item in stored)}

    # Internals of reading

    def _open_fresh(self, key):
        """Return the entry's file, its use noted, or None when missing or too old."""
        path = self._layout.entry(key)
        try:
            file = open(path, "rb")
        except FileNotFoundError:
            return None
        except OSError as err:
            self._warn(err)
            return None
        status = os.fstat(file.fileno())
        now = self._clock()
        if now - status.st_atime >= self.ttl:
            file.close()
            self._remove_entry(path)
            return None
        self._touch(path, status, now)
        return file

    def _touch(self, path, status, now):
        """Note the use in the access time; the kernel itself may not (noatime).

        The modification time stays: by it a verified file is known again.
        """
        if now - status.st_atime < min(TOUCH_SECONDS, self.ttl / 4):
            return
        with contextlib.suppress(OSError):
            os.utime(path, ns=(int(now * 1e9), status.st_mtime_ns))

    def _read_whole(self, file):
        try:
            return file.read()
        except OSError as err:
            self._warn(err)
            return None

    def _is_proven(self, key, file):
        try:
            return self._proofs.prove(key, file)
        except OSError as err:
            self._warn(err)
            return False

    def _proving_chunks(self, key, file, chunk_size):
        chunks = read_chunks(file, chunk_size)
        if self._proofs.has(key, file):
            yield from chunks
            return
        file_stamp = stamp(file)
        try:
            yield from verified_chunks(chunks, key)
        except CorruptContentError:
            self._drop_damaged(key)
            raise
        self._proofs.add(key, file_stamp)

    def _drop_damaged(self, key):
        _logger.warning("damaged cache entry %s removed", key)
        self._remove_entry(self._layout.entry(key))

    # Internals of writing

    def _make_writer(self, key, size, digest):
        temporary = None
        fits = self.ttl > 0 and size <= self.max_bytes
        if fits and self._attempt(self._reserve, key, size):
            temporary = self._layout.temporary
        settle = functools.partial(self._attempt, self._settle, key, size)
        path = self._layout.entry(key)
        return CacheWriter(path, size, digest, temporary, self._warn, settle)

    def _reserve(self, key, size):
        """Count ``size`` bytes before they come and make room for them."""
        self._layout.prepare(key)
        now = self._clock()
        usage = self._usage.add(size)
        if usage.total > self.max_bytes or now - usage.scanned >= RESCAN_SECONDS:
            self._eviction.evict(size, now, self.max_bytes, self.ttl)

    def _settle(self, key, size, stored):
        if not stored:
            self._usage.add(-size)
            return
        path, now = self._layout.entry(key), self._clock()
        os.utime(path, (now, now))
        if not is_variant(key):
            with open(path, "rb") as file:
                self._proofs.add(key, stamp(file))

    def _remove_entry(self, path):
        removed = remove(path)
        if removed.bytes:
            self._attempt(self._usage.add, -removed.bytes)

    # Internals of failing

    def _attempt(self, action, *args):
        """Run what may fail; tell whether it did not."""
        try:
            action(*args)
        except OSError as err:
            self._warn(err)
            return False
        return True

    def _warn(self, err):
        """Log the first failure of the directory: the rest would only repeat it."""
        if err.errno == errno.ENOENT or self._has_warned:
            return  # cleared while it was used
        self._has_warned = True
        _logger.warning("file cache not usable, going on without: %s", err)


def _length(file):
    return os.fstat(file.fileno()).st_size

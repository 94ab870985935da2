"""The bytes of one content: from this server, from a cache, from Drive, from a sibling.

Nothing here holds a cursor while bytes flow, unless its caller does. What is needed from
the database is read before (:class:`StoredFile`).
"""

import contextlib
import functools
import time
from typing import NamedTuple, Optional

from ...cache.disk import DiskCache
from ...cache.memory import MemoryCache
from ...cache.stream import (
    CorruptContentError,
    hurried,
    kept,
    section,
    sliced,
    verified_chunks,
)
from ...cache.writer import FillAbandonedError
from ...drive.download import CHANGED
from ...drive.errors import ChecksumError, DriveError
from ...exceptions import CloudFileError
from ..local_files import is_here, path_of
from . import caches
from .content import check_access, proven_content
from .origin import Origin

#: Files up to this size (bytes) are always fetched whole, also for a range: a viewer
#: that asks for many small parts costs Drive one request.
SMALL = 1024 * 1024
WAIT = 5.0  # seconds to wait for another reader's download to begin
POLL = 0.02  # seconds
STALL = 5.0  # seconds without a byte after which another's download is left


class StoredFile(NamedTuple):
    """What the database knows of a file, to be used after the cursor is gone."""

    dbname: str
    attachment_id: int
    size: int
    sha1: str
    path: Optional[str]  # in the filestore
    data: Optional[bytes]  # in the database
    memory: MemoryCache
    cache: DiskCache


def read(attachment, client_of=None):
    """All bytes of a file in the cloud, from a cache or from Drive, proven by their sha1.

    :param client_of: see :func:`~.content.client_for`
    :rtype: bytes
    :raises CloudFileError: they can not be had; never returns wrong or empty bytes
    """
    with contextlib.closing(_whole(attachment, client_of)) as source:
        return source.read()


def save(attachment, target, client_of=None):
    """Write all bytes of a file in the cloud to an open file, proven; past the caches.

    :param client_of: see :func:`~.content.client_for`
    :raises CloudFileError: they can not be had
    """
    with contextlib.closing(_whole(attachment, client_of)) as source:
        source.save(target)


def _whole(attachment, client_of):
    attachment.ensure_one()
    # in one query
    attachment._read(["cloud_size_bytes", "cloud_sha1", "cloud_auth_id"])
    check_access(attachment)
    size, sha1 = proven_content(attachment, client_of)
    return ByteSource(
        _stored(attachment, size, sha1),
        0,
        size,
        # the row may have been written in this very transaction
        functools.partial(contextlib.nullcontext, attachment),
        client_of,
    )


def stored_file(attachment, size, sha1):
    """Read what has to be known to serve a file, its bytes here included.

    :raises CloudFileError: nothing here, and access to the cloud is switched off
    """
    if not is_here(attachment):
        check_access(attachment)
    plain = attachment.with_context(bin_size=False, bin_size_db_datas=False)
    data = None if attachment.store_fname else plain.db_datas or None
    path = path_of(attachment.env, attachment)
    return _stored(attachment, size, sha1, path, data)


def _stored(attachment, size, sha1, path=None, data=None):
    env = attachment.env
    memory, disk = caches.memory_cache(env), caches.disk_cache(env)
    return StoredFile(
        env.cr.dbname, attachment.id, size, sha1, path, data, memory, disk
    )


class ByteSource:
    """``length`` bytes from ``start`` of a file; used once, then closed.

    :param StoredFile file: what is known of it
    :param attachment: see :class:`~.origin.Origin`; ``client_of`` likewise
    """

    def __init__(self, file, start, length, attachment=None, client_of=None):
        self._file = file
        self._start, self.length = start, length
        self._end = start + length
        self._origin = Origin(file, attachment, client_of)
        self._resources = contextlib.ExitStack()
        self._resources.callback(self._origin.close)

    @property
    def from_drive(self):
        """Whether any of the bytes came from Drive, so far."""
        return self._origin.was_asked

    def open(self):
        """Find the bytes; a refusal by Drive shows here, before a status is promised.

        :return: iterator of bytes; it raises CloudFileError when they can not be had to
            the end
        :raises CloudFileError: they can not be had at all
        """
        if not self.length:
            return iter(())
        try:
            chunks = self._local() or self._cached() or self._remote()
        except (DriveError, CorruptContentError) as err:
            raise self._explained(err) from err
        return self._to_the_end(chunks)

    def read(self):
        """The whole content, from wherever but the bytes that should be here.

        :rtype: bytes
        :raises CloudFileError: it can not be had
        """
        file = self._file
        data = file.memory.get(file.sha1) if file.size else b""
        if data is None:
            data = file.cache.read(file.sha1, file.size)
        try:
            return self._remembered(self._fetched() if data is None else data)
        except (DriveError, CorruptContentError) as err:
            raise self._explained(err) from err

    def save(self, target):
        """Write the whole content to an open file, past the caches.

        :raises CloudFileError: it can not be had
        """
        try:
            try:
                self._write(self._origin.open(0, self._end), target)
            except CorruptContentError as err:
                self._write(self._origin.elsewhere(err, 0, self._end), target)
        except (DriveError, CorruptContentError) as err:
            raise self._explained(err) from err

    def _write(self, chunks, target):
        target.seek(0)
        target.truncate()
        for chunk in verified_chunks(chunks, self._file.sha1):
            target.write(chunk)

    def cached_path(self):
        """Path of the whole content in the disk cache, None when bytes are elsewhere."""
        file = self._file
        if not self.length or file.path or file.data is not None:
            return None
        return file.cache.get_path(file.sha1, file.size)

    def close(self):
        """Let go of files and of the connection to Drive, read to the end or not."""
        self._resources.close()

    def _to_the_end(self, chunks):
        try:
            yield from chunks
        except (DriveError, CorruptContentError) as err:
            raise self._explained(err) from err

    # Without Drive

    def _local(self):
        file = self._file
        if file.data is not None:
            return sliced(file.data, self._start, self._end)
        if not file.path:
            return None
        try:
            stream = self._resources.enter_context(open(file.path, "rb"))
        except OSError:
            return None  # released since, or lost: the cloud has it
        whole = stream.seek(0, 2) == file.size
        return section(stream, self._start, self._end) if whole else None

    def _cached(self):
        file = self._file
        data = file.memory.get(file.sha1)
        if data is None and file.size <= SMALL:
            data = file.cache.read(file.sha1, file.size)
        if data is not None:
            return sliced(self._remembered(data), self._start, self._end)
        if self.length == file.size:
            return file.cache.stream(file.sha1, file.size)
        stream = file.cache.open(file.sha1, file.size)
        return stream and section(
            self._resources.enter_context(stream), self._start, self._end
        )

    def _remembered(self, data):
        self._file.memory.put(self._file.sha1, data)
        return data

    # With Drive

    def _remote(self):
        if self._file.size <= SMALL:
            return sliced(self._remembered(self._fetched()), self._start, self._end)
        if self.length == self._file.size:
            return self._shared()
        return self._origin.open(self._start, self._end)

    def _fetched(self):
        """The whole content, at once: a sibling's if Drive turns out to have another."""
        try:
            return b"".join(self._shared())
        except CorruptContentError as err:
            chunks = self._origin.elsewhere(err, 0, self._file.size)
            return b"".join(verified_chunks(chunks, self._file.sha1))

    def _shared(self):
        """All bytes, verified, from one download for all who want them just now."""
        file = self._file
        deadline = time.monotonic() + WAIT
        fits = file.size <= file.cache.max_bytes
        while fits and time.monotonic() < deadline:
            chunks = self._followed() or self._filling()
            if chunks:
                return chunks
            time.sleep(POLL)
        return verified_chunks(self._origin.open(0, file.size), file.sha1)

    def _filling(self):
        """The bytes by way of the cache, None when another is just beginning that.

        The lock is held for the beginning only: a reader may be slow, and those who
        come later follow, or need not wait.
        """
        cache, sha1, size = self._file.cache, self._file.sha1, self._file.size
        with cache.fill_lock(sha1, 0) as first:
            if not first:
                return None
            begun = cache.stream(sha1, size) or self._followed()
            if begun:
                return begun
            chunks = self._origin.open(0, size)
            writer = self._resources.enter_context(cache.writer(sha1, size))
            return kept(chunks, writer)

    def _followed(self):
        """The bytes that another reader is downloading, None when nobody is."""
        chunks = self._file.cache.follow(self._file.sha1, self._file.size, STALL)
        return chunks and verified_chunks(self._completed(chunks), self._file.sha1)

    def _completed(self, chunks):
        """Go on alone where the download of another reader ends."""
        received = 0
        try:
            for chunk in hurried(chunks):
                received += len(chunk)
                yield chunk
        except FillAbandonedError:
            yield from self._origin.open(received, self._file.size)

    def _explained(self, err):
        """What a failure means for people; noted on the attachment when it will last.

        :rtype: CloudFileError
        """
        if isinstance(err, CorruptContentError):
            self._file.cache.drop(self._file.sha1)
            if not self.from_drive:
                return CloudFileError(str(err))
            err = ChecksumError(CHANGED)
        return self._origin.explained(err)

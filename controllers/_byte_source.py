"""The bytes of one answer: from this server, from a cache, from Drive.

Nothing here holds a cursor while bytes flow. What is needed from the database is read
before (:class:`StoredFile`); the client of the account gets a short cursor of its own.
"""

import contextlib
import os
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple, Optional

from odoo import SUPERUSER_ID, api, registry

from ..cache.disk import DiskCache
from ..cache.memory import MemoryCache
from ..cache.stream import CorruptContentError, verified_chunks
from ..cache.writer import CHUNK_SIZE, FillAbandonedError
from ..drive.download import Download
from ..drive.errors import ChecksumError, DriveError, NotFoundError
from ..engine.local_files import is_here, open_content
from ..exceptions import CloudFileError
from ..odoo_bridge import environments

#: Files up to this size (bytes) are always fetched whole, also for a range: a viewer
#: that asks for many small parts costs Drive one request.
SMALL = 1024 * 1024
WAIT = 5.0  # seconds to wait for another reader's download to begin
POLL = 0.02  # seconds
STALL = 5.0  # seconds without a byte after which another's download is left
#: Another reader's client may be slow, and its download with it: whoever has waited
#: that many seconds for less than that many bytes a second goes on alone.
PATIENCE = 5.0
MIN_PACE = 1024 * 1024


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
    x_accel_prefix: Optional[str]  # where nginx has the cache directory, if it helps


class ByteSource:
    """``length`` bytes from ``start`` of a file; used once, then closed.

    ``from_drive`` tells afterwards whether any of them came from Drive.
    """

    def __init__(self, file, start, length):
        self._file = file
        self._start, self._length = start, length
        self._whole = length == file.size
        self._resources = contextlib.ExitStack()
        self.from_drive = False

    @property
    def length(self):
        """Bytes wanted."""
        return self._length

    def redirection(self):
        """Where nginx finds the whole file, None when it has to come from here.

        :return: value for ``X-Accel-Redirect``
        """
        file = self._file
        if not (file.x_accel_prefix and self._length):
            return None
        if file.path or file.data is not None:
            return None
        path = file.cache.get_path(file.sha1, file.size)
        # below the cache directory: the database's, two digits, the sha1
        below = path and "/".join(path.split(os.sep)[-3:])
        return path and "%s/%s" % (file.x_accel_prefix.rstrip("/"), below)

    def open(self):
        """Find the bytes; a refusal by Drive shows here, before a status is promised.

        :return: iterator of bytes; it raises ConnectionAbortedError when they can not
            be had to the end
        :raises CloudFileError: they can not be had at all
        """
        if not self._length:
            return iter(())
        try:
            chunks = self._local() or self._cached() or self._remote()
        except (DriveError, CorruptContentError) as err:
            raise self._explained(err) from err
        return self._to_the_end(chunks)

    def close(self):
        """Let go of files and of the connection to Drive, read to the end or not."""
        self._resources.close()

    def _to_the_end(self, chunks):
        try:
            yield from chunks
        except (DriveError, CorruptContentError) as err:
            raise ConnectionAbortedError(str(self._explained(err))) from err
        except CloudFileError as err:
            raise ConnectionAbortedError(str(err)) from err

    # Without Drive

    def _local(self):
        file = self._file
        if file.data is not None:
            return self._sliced(file.data)
        if not file.path:
            return None
        try:
            stream = self._resources.enter_context(open(file.path, "rb"))
        except OSError:
            return None  # released since, or lost: the cloud has it
        whole = stream.seek(0, 2) == file.size
        return self._part(stream) if whole else None

    def _cached(self):
        file = self._file
        data = file.memory.get(file.sha1)
        if data is None and file.size <= SMALL:
            data = file.cache.read(file.sha1, file.size)
        if data is not None:
            return self._sliced(self._remembered(data))
        if self._whole:
            return file.cache.stream(file.sha1, file.size)
        stream = file.cache.open(file.sha1, file.size)
        return stream and self._part(self._resources.enter_context(stream))

    def _part(self, stream):
        return _section(stream, self._start, self._start + self._length)

    def _sliced(self, data):
        end = self._start + self._length
        for position in range(self._start, end, CHUNK_SIZE):
            yield data[position : min(position + CHUNK_SIZE, end)]

    def _remembered(self, data):
        self._file.memory.put(self._file.sha1, data)
        return data

    # With Drive

    def _remote(self):
        if self._file.size <= SMALL:
            return self._sliced(self._remembered(b"".join(self._shared())))
        return self._shared() if self._whole else self._download(self._start)

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
        return verified_chunks(self._download(0), file.sha1)

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
            chunks = self._download(0)
            writer = self._resources.enter_context(cache.writer(sha1, size))
            return _kept(chunks, writer)

    def _followed(self):
        """The bytes that another reader is downloading, None when nobody is."""
        chunks = self._file.cache.follow(self._file.sha1, self._file.size, STALL)
        return chunks and verified_chunks(self._completed(chunks), self._file.sha1)

    def _completed(self, chunks):
        """Go on alone where the download of another reader ends."""
        received = 0
        try:
            for chunk in _hurried(chunks):
                received += len(chunk)
                yield chunk
        except FillAbandonedError:
            yield from self._download(received)

    def _download(self, start):
        """Connect to Drive; return an iterator over the bytes wanted from ``start``."""
        self.from_drive = True
        end = self._start + self._length
        if self._file.size <= SMALL:
            end = self._file.size
        with self._attachment() as attachment:
            client, file_id = attachment._read_client(), attachment.cloud_file_id
        try:
            return self._begun(client, file_id, start, end)
        except (NotFoundError, ChecksumError) as err:
            elsewhere = self._elsewhere(err, start, end)
            if elsewhere is None:
                raise
            return elsewhere

    def _begun(self, client, file_id, start, end):
        download = Download(client, file_id, start, end - start, self._file.size)
        self._resources.callback(download.close)
        return iter(download.open())

    def _elsewhere(self, err, start, end):
        """The bytes from another attachment with the same content, None without one."""
        file = self._file
        with self._attachment() as attachment:
            sibling = next(attachment._siblings(file.size, file.sha1, err), None)
            if sibling is None:
                return None
            if not is_here(sibling):
                client, file_id = sibling._read_client(), sibling.cloud_file_id
                return self._begun(client, file_id, start, end)
            stream = open_content(sibling.env, sibling)
        return _section(self._resources.enter_context(stream), start, end)

    @contextlib.contextmanager
    def _attachment(self):
        """The attachment, with a cursor that lives as long as the context.

        :raises CloudFileError: it was deleted, or left the cloud
        """
        with environments(), registry(self._file.dbname).cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            attachment = env["ir.attachment"].browse(self._file.attachment_id).exists()
            if not attachment.cloud_file_id:
                raise CloudFileError("The file is gone.", http_status=404)
            yield attachment

    def _explained(self, err):
        """What a failure means for people; noted on the attachment when it will last.

        :rtype: CloudFileError
        """
        if isinstance(err, CorruptContentError):
            self._file.cache.drop(self._file.sha1)
            if not self.from_drive:
                return CloudFileError(str(err))
            err = ChecksumError("The file on Drive was changed (sha1 differs)")
        try:
            with self._attachment() as attachment:
                return attachment._cloud_error(err)
        except CloudFileError as gone:
            return gone


def _section(stream, start, end):
    """Yield the bytes of an open file from ``start`` up to ``end``."""
    stream.seek(start)
    left = end - start
    while left:
        chunk = stream.read(min(CHUNK_SIZE, left))
        if not chunk:
            raise CorruptContentError("the file was shortened while it was read")
        left -= len(chunk)
        yield chunk


def _kept(chunks, writer):
    """Yield ``chunks`` and put them in the cache; the last one only if all are right.

    The sha1 takes longer than all else, and leaves the interpreter to others meanwhile:
    a thread makes it of one chunk while the one before is sent and the next received.

    :raises CorruptContentError: instead of the last chunk
    """
    held, written = b"", None
    with ThreadPoolExecutor(max_workers=1) as thread:
        for chunk in chunks:
            if written:
                written.result()
            written = thread.submit(writer.write, chunk)
            if held:
                yield held
            held = chunk
    if not writer.matches:
        raise CorruptContentError("the download does not have the promised sha1")
    writer.commit()  # before the end is given away: who asks again then is a hit
    yield held


def _hurried(chunks):
    """Yield ``chunks``; FillAbandonedError when they come too slowly."""
    waited = received = 0
    while True:
        started = time.monotonic()
        chunk = next(chunks, None)
        waited += time.monotonic() - started
        if chunk is None:
            return
        received += len(chunk)
        yield chunk
        if waited > PATIENCE and received < waited * MIN_PACE:
            raise FillAbandonedError("%s bytes in %.0f s" % (received, waited))

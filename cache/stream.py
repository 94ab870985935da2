"""Streams of bytes, most of them proven before their end is given away."""

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor

from .writer import CHUNK_SIZE, FillAbandonedError

#: Another reader's client may be slow, and its download with it: whoever has waited
#: that many seconds for less than that many bytes a second goes on alone.
PATIENCE = 5.0
MIN_SPEED = 1024 * 1024


class CorruptContentError(Exception):
    """The bytes that went through are not those that were promised."""


def read_chunks(file, chunk_size):
    """Yield the rest of a binary file in pieces of ``chunk_size`` bytes, then close."""
    with file:
        for chunk in iter(lambda: file.read(chunk_size), b""):
            yield chunk


def verified_chunks(chunks, sha1):
    """Yield ``chunks``, the last one only when all of them have the digest ``sha1``.

    A receiver that knows the length therefore never takes wrong bytes for the whole
    file: it misses the end. Each chunk is held back until the next one arrives.

    :param chunks: iterable of bytes
    :param str sha1: lower-case hexadecimal digest of the whole content
    :raise CorruptContentError: instead of the last chunk
    """
    digest = hashlib.sha1()
    last = b""
    for chunk in chunks:
        digest.update(chunk)
        if last:
            yield last
        last = chunk
    if digest.hexdigest() != sha1:
        raise CorruptContentError("content does not have the sha1 %s" % sha1)
    if last:
        yield last


def sliced(data, start, end):
    """Yield the bytes of ``data`` from ``start`` up to ``end``, in chunks."""
    for position in range(start, end, CHUNK_SIZE):
        yield data[position : min(position + CHUNK_SIZE, end)]


def section(file, start, end):
    """Yield the bytes of an open file from ``start`` up to ``end``, in chunks.

    :raise CorruptContentError: it ends before
    """
    file.seek(start)
    left = end - start
    while left:
        chunk = file.read(min(CHUNK_SIZE, left))
        if not chunk:
            raise CorruptContentError("the file was shortened while it was read")
        left -= len(chunk)
        yield chunk


def kept(chunks, writer):
    """Yield ``chunks`` and put them in the cache; the last one only if all are right.

    The sha1 takes longer than all else, and leaves the interpreter to others meanwhile:
    a thread makes it of one chunk while the one before is sent and the next received.

    :param CacheWriter writer: of the cache; its promise is what has to come
    :raise CorruptContentError: instead of the last chunk
    """
    last, written = b"", None
    with ThreadPoolExecutor(max_workers=1) as thread:
        for chunk in chunks:
            if written:
                written.result()
            written = thread.submit(writer.write, chunk)
            if last:
                yield last
            last = chunk
    if not writer.matches:
        raise CorruptContentError("the download does not have the promised sha1")
    writer.commit()  # before the end is given away: who asks again then is a hit
    yield last


def hurried(chunks):
    """Yield ``chunks``.

    :raise FillAbandonedError: they come too slowly
    """
    waited = received = 0
    while True:
        started = time.monotonic()
        chunk = next(chunks, None)
        waited += time.monotonic() - started
        if chunk is None:
            return
        received += len(chunk)
        yield chunk
        if waited > PATIENCE and received < waited * MIN_SPEED:
            raise FillAbandonedError("%s bytes in %.0f s" % (received, waited))

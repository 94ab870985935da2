"""Streams whose content is proven before their end is given away."""

import hashlib


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
    held = b""
    for chunk in chunks:
        digest.update(chunk)
        if held:
            yield held
        held = chunk
    if digest.hexdigest() != sha1:
        raise CorruptContentError("content does not have the sha1 %s" % sha1)
    if held:
        yield held

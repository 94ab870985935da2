"""Digests of whole files."""

import hashlib

BLOCK = 256 * 1024  # bytes read, and held in memory, at a time


def size_and_digests(file, *algorithms):
    """Read an open binary file to its end, block by block.

    :param algorithms: names that :func:`hashlib.new` knows
    :return: its length in bytes, then each digest in lower-case hexadecimal
    :rtype: tuple
    """
    size, digests = 0, [hashlib.new(name) for name in algorithms]
    for block in iter(lambda: file.read(BLOCK), b""):
        size += len(block)
        for digest in digests:
            digest.update(block)
    return (size, *[digest.hexdigest() for digest in digests])

"""Checksums and size of contents, taken while the bytes pass.

sha256 is the slow one and seldom asked for: it is computed when somebody does.
"""
import hashlib
from functools import lru_cache


class Digests:
    """md5, sha1 and size of bytes, taken as they pass."""

    def __init__(self):
        self._hashes = [hashlib.md5(), hashlib.sha1()]
        self.size = 0

    def update(self, data):
        """Add bytes."""
        for one in self._hashes:
            one.update(data)
        self.size += len(data)

    def values(self):
        """The fields of a file record."""
        md5, sha1 = (one.hexdigest() for one in self._hashes)
        return {
            "md5Checksum": md5,
            "sha1Checksum": sha1,
            "size": self.size,
        }


@lru_cache(maxsize=100000)
def sha256(path):
    """The sha256 of a stored content, which never changes; hexadecimal."""
    digest = hashlib.sha256()
    with open(path, "rb") as stream:
        for data in iter(lambda: stream.read(1024 * 1024), b""):
            digest.update(data)
    return digest.hexdigest()

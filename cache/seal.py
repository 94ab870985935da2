"""Proof of content for cache entries, with or without a digest in their name."""

import hashlib

from .layout import is_variant

_DIGEST_LENGTH = 40  # hexadecimal sha1


def seal(key, data):
    """Return (bytes to store, their sha1) for the content ``data`` of an entry.

    A plain key is the digest. A variant's says nothing of its content, so that its own
    digest is stored in front.
    """
    if not is_variant(key):
        return data, key
    stored = _sha1(data).encode("ascii") + data
    return stored, _sha1(stored)


def unseal(key, stored):
    """Return the content of an entry's bytes, or None when they are damaged."""
    digest, content = key, stored
    if is_variant(key):
        digest = stored[:_DIGEST_LENGTH].decode("ascii", "replace")
        content = stored[_DIGEST_LENGTH:]
    return content if _sha1(content) == digest else None


def _sha1(data):
    return hashlib.sha1(data).hexdigest()

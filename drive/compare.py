"""Is this the file we sent? Nothing else says so.

A file is what its sha1 and its size say (Drive's ``sha1Checksum`` and ``size``, see
"Files" of the Drive API reference). An md5 alone proves nothing: two contents with the
same one can be made on purpose.
"""

import hashlib

EMPTY_MD5, EMPTY_SHA1 = hashlib.md5(b"").hexdigest(), hashlib.sha1(b"").hexdigest()
SAME, OTHER, UNKNOWN = "same", "other", "unknown"
#: What an answer of Drive needs to have to be compared.
COMPARE_FIELDS = "size,md5Checksum,sha1Checksum"


def compare(metadata, size, sha1=None, md5=None):
    """Compare what Drive holds with a content.

    :param dict metadata: of the file, with :data:`COMPARE_FIELDS` as far as Drive gave
        them
    :param int size: bytes of the content
    :param str sha1: its hexadecimal sha1, when known
    :param str md5: its hexadecimal md5, when known; it can only disprove
    :return: ``SAME`` (proven by sha1 and size), ``OTHER`` (disproven) or ``UNKNOWN``
        (what is known does not suffice: nothing may be concluded from it)
    :rtype: str
    """
    found = size_of(metadata)
    if found is None or size is None:
        return UNKNOWN
    if found != int(size):
        return OTHER
    if not found:
        return SAME  # there is only one empty content
    if sha1 and metadata.get("sha1Checksum"):
        return SAME if metadata["sha1Checksum"] == sha1 else OTHER
    if md5 and metadata.get("md5Checksum") and metadata["md5Checksum"] != md5:
        return OTHER
    return UNKNOWN


def has_sha1(metadata, sha1):
    """Whether Drive says that a file has a sha1 which is known."""
    return bool(sha1) and metadata.get("sha1Checksum") == sha1


def is_trashed(metadata):
    """Whether a file in Drive is in its trash, or may be: Drive did not say."""
    return metadata.get("trashed") is not False


def size_of(metadata):
    """Bytes of a file in Drive, None when it did not say.

    :rtype: int
    """
    text = str(metadata.get("size", ""))
    return int(text) if text.isdecimal() else None

"""What is known of the content of an attachment's file in Drive, and how it is proven."""

import hashlib
import logging

from ...drive.compare import OTHER, SAME, UNKNOWN, compare, has_sha1, size_of
from ...drive.download import Download
from ...drive.errors import DriveError, StoppedError
from ..local_files import Content
from .rows import NO_CONTENT, is_known_empty, size_in_drive

_logger = logging.getLogger(__name__)

PROVEN, DAMAGED, UNDECIDED = "proven", "damaged", "undecided"
TRIES = 2  # whole downloads before a file counts as damaged


def judge(file, row):
    """Is this file of Drive what an attachment has there?

    A row whose ``cloud_sha1`` was never proven says what it is by its checksum: when
    that is Drive's sha1 as well the two agree, when it is not the checksum may be old.

    :param dict file: metadata, see :func:`~...drive.compare.compare`
    :param row: object with ``cloud_size_bytes``, ``cloud_sha1``, ``cloud_md5`` and
        ``checksum``
    :return: ``SAME``, ``OTHER`` or ``UNKNOWN``
    """
    verdict = compare_known(file, row)
    has_size = size_in_drive(row) in (None, size_of(file))
    if verdict != UNKNOWN or row.cloud_sha1 or not has_size:
        return verdict
    sha1 = file.get("sha1Checksum")
    return SAME if sha1 and sha1 == row.checksum else UNKNOWN


def compare_known(file, row):
    """Compare a file of Drive with what a row knows of it, the checksum left out.

    Its digests alone have to tell where it knows no size, and where its sha1 is that of
    the file: then the size is wrong.

    :param row: as above
    :return: as above
    """
    size, digests = size_in_drive(row), (row.cloud_sha1, row.cloud_md5)
    if size is None or has_sha1(file, row.cloud_sha1):
        size = size_of(file)
    if size == 0 and not is_known_empty(row):
        return OTHER if any(digests) else UNKNOWN
    return compare(file, size, *digests)


def is_complete(file):
    """Whether an answer of Drive had all that a comparison needs."""
    return bool(file.get("sha1Checksum")) and size_of(file) is not None


def content_of(file):
    """Size and sha1 of a file, see :func:`~.rows.known_content`.

    :rtype: tuple[int, str]
    """
    return size_of(file), file.get("sha1Checksum")


def read_content(client, file_id, size):
    """Download a file and throw it away.

    :param int size: bytes that it should have
    :return: None when it could not be read to its end, whatever the reason: that says
        nothing about its bytes
    :rtype: Content
    :raises StoppedError: it is time to end
    """
    sha1, md5, done = hashlib.sha1(), hashlib.md5(), 0
    try:
        for block in Download(client, file_id, 0, size, size):
            sha1.update(block)
            md5.update(block)
            done += len(block)
    except StoppedError:
        raise
    except DriveError as err:
        _logger.info("File %s could not be read: %s", file_id, err)
        return None
    return Content(done, sha1.hexdigest(), md5.hexdigest()) if done == size else None


def prove(client, row):
    """Download the file of an attachment and compare it with what its row has.

    :param row: as for :func:`judge`, and ``cloud_file_id``
    :return: ``PROVEN``, ``DAMAGED`` (complete bytes that are others, twice) or
        ``UNDECIDED``; and what was read, None when it could not be read
    :rtype: tuple[str, Content]
    :raises StoppedError: it is time to end
    """
    found, size = None, size_in_drive(row)
    if size is None:
        return UNDECIDED, None
    for _attempt in range(TRIES):
        found = read_content(client, row.cloud_file_id, size)
        if found is None:
            return UNDECIDED, None
        if is_content_of(found, row):
            return PROVEN, found
    is_known = row.cloud_sha1 or row.cloud_md5
    return (DAMAGED if is_known else UNDECIDED), found


def is_content_of(content, row):
    """Whether bytes that were read are those of an attachment, as far as it knows them.

    :param Content content: what was read
    :param row: as for :func:`judge`
    """
    size = size_in_drive(row)
    if size not in (None, content.size):
        return False
    if row.cloud_sha1:
        return content.sha1 == row.cloud_sha1
    if row.cloud_md5:
        return content.md5 == row.cloud_md5
    is_unknown = row.checksum in NO_CONTENT and size is not None
    return is_unknown or content.sha1 == row.checksum

"""Attachments that lack their content."""

import time
from collections import namedtuple

from ..local_files import is_whole, measure
from ..rows import HERE, LINK, has_proxy_url
from .metadata import attachment_id, properties_of
from .questions import client_for_a_question, is_gone
from .rows import FILESTORE_NAME, each, sha1s_of

#: Part of the time that looking for every file of the filestore may take.
SHARE_OF_TIME = 60
QUICK = 1.0  # seconds of a look that is never remembered

#: Neither Odoo's own files nor what it makes anew whenever it is missing.
NOT_SYSTEM = (
    "(res_model IS NOT NULL AND res_model NOT LIKE 'ir.%%'"
    " AND COALESCE(url, '') NOT LIKE '/web/%%')"
)
#: Rows without bytes as far as they tell; where a file is named it has to be looked for.
MAY_LACK_CONTENT = (
    "("
    # a file in the filestore, and no file in Drive that could stand in for it
    "(store_fname IS NOT NULL AND (cloud_file_id IS NULL OR cloud_sync_status = 'error'))"
    # neither
    " OR (NOT " + HERE + " AND cloud_file_id IS NULL AND (file_size > 0 AND"
    " type = 'binary' OR file_size IS DISTINCT FROM 0 AND url = " + LINK + "))"
    # in Drive alone, and not as it was
    " OR (NOT " + HERE + " AND cloud_file_id IS NOT NULL"
    " AND cloud_sync_status = 'error')"
    ")"
)

Lacking = namedtuple("Lacking", "id store_fname file_size checksum")


def has_bytes(env, row):
    """Whether bytes of a row really are on this server, maybe newer than the row.

    :param row: object with ``id``, ``store_fname`` and ``file_size``
    """
    return is_whole(env, row) or not row.file_size and is_whole(env, row, 0)


def has_intact_bytes(env, row):
    """Whether the bytes of a row really are on this server, as far as their number tells.

    A file of another length than its row says is read: it may be cut short, or the row is
    wrong, and then the file is what its name says.

    :param row: as above
    """
    size = max(0, row.file_size or 0)
    if is_whole(env, row, size) or not is_whole(env, row):
        return is_whole(env, row, size)
    named = size and FILESTORE_NAME.fullmatch(row.store_fname or "")
    found = named and measure(env, row)
    return not found or found.sha1 == named.group(1)


def lacking_ids(env, fresh=False):
    """Attachments whose content is neither here nor, as it was, in Drive.

    Files of the system are left out: they never go there. Where the look takes long its
    result is good for a while.

    :param bool fresh: look now
    :rtype: list[int]
    """
    registry = env.registry
    known = getattr(registry, "cloud_storage_lacking", None)
    if known and not fresh and time.monotonic() < known[0]:
        return known[1]
    started = time.monotonic()
    found = [row.id for row in lacking_rows(env, "TRUE")]
    ended = time.monotonic()
    good_until = ended + max(0, ended - started - QUICK) * SHARE_OF_TIME
    registry.cloud_storage_lacking = (good_until, found)
    return found


def lacking_rows(env, condition, *values):
    """Iterate over such rows.

    :param str condition: SQL, which of them
    :return: iterator of :class:`Lacking`
    """
    env["ir.attachment"].flush()
    found = each(
        env,
        ", ".join(Lacking._fields),
        "%s AND %s AND (%s)" % (NOT_SYSTEM, MAY_LACK_CONTENT, condition),
        *values
    )
    rows = (Lacking(*values) for values in found)
    return (row for row in rows if not (row.store_fname and has_intact_bytes(env, row)))


def lacking_for(env, files):
    """Those of some files that attachments may have lost.

    :param list files: metadata of files that nobody uses
    """
    if not files:
        return []
    marks = {attachment_id(properties_of(file)) for file in files}
    sha1s = {file.get("sha1Checksum") for file in files} - {None}
    condition = "id IN %s OR checksum IN %s"
    rows = list(lacking_rows(env, condition, tuple(marks), tuple(sha1s) or ("",)))
    ids = {row.id for row in rows}
    lost = {sha1 for row in rows for sha1 in sha1s_of(row)}
    return [
        file
        for file in files
        if attachment_id(properties_of(file)) in ids or file.get("sha1Checksum") in lost
    ]


def lacks_content(attachment, client_of=client_for_a_question):
    """As :func:`lacking_ids` for one; Drive is asked where that is in doubt.

    :param client_of: function that gives the client of an account
    """
    if attachment.cloud_sync_status == "pending" or has_bytes(
        attachment.env, attachment
    ):
        return False
    if attachment.cloud_file_id:
        return attachment.cloud_sync_status == "error" and is_gone(
            attachment, client_of
        )
    return bool(
        attachment.file_size or attachment.store_fname or has_proxy_url(attachment)
    )

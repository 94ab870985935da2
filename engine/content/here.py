"""Are the bytes on this server, and what are they?"""

import hashlib
import os

from ...utils.digests import size_and_digests
from .proof import Content

PIECE = 4 * 1024 * 1024  # bytes read from the database at a time


def is_file_here(env, fname, size):
    """Whether the filestore has a file, and not an empty one instead."""
    if not fname:
        return False
    try:
        return bool(os.path.getsize(env["ir.attachment"]._full_path(fname)) or not size)
    except OSError:
        return False


def is_here(attachment):
    """Whether the bytes are really on this server."""
    if attachment.store_fname:
        return is_file_here(
            attachment.env, attachment.store_fname, attachment.file_size
        )
    # not through the ORM, which would read the bytes of all that were searched
    attachment.env.cr.execute(
        "SELECT db_datas IS NOT NULL FROM ir_attachment WHERE id = %s",
        (attachment.id,),
    )
    return attachment.env.cr.fetchone() == (True,)


def measure(attachment):
    """Read what an attachment has on this server.

    :rtype: Content
    :return: None when it has nothing
    """
    if attachment.store_fname:
        return measure_file(attachment.env, attachment.store_fname)
    return measure_bytes(attachment)


def measure_file(env, fname):
    """Read a file of the filestore.

    :rtype: Content
    :return: None when it is not there
    """
    try:
        with open(env["ir.attachment"]._full_path(fname), "rb") as file:
            return Content(*size_and_digests(file, "sha1", "md5"))
    except OSError:
        return None


def measure_bytes(attachment):
    """Read what an attachment has in the database, piece by piece.

    :rtype: Content
    """
    cr, sha1, md5, size = attachment.env.cr, hashlib.sha1(), hashlib.md5(), 0
    while True:
        cr.execute(
            "SELECT substring(db_datas FROM %s FOR %s) FROM ir_attachment"
            " WHERE id = %s",
            (size + 1, PIECE, attachment.id),
        )
        (piece,) = cr.fetchone() or (None,)
        if not piece:
            return Content(size, sha1.hexdigest(), md5.hexdigest())
        sha1.update(piece)
        md5.update(piece)
        size += len(piece)

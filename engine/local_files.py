"""Bytes of attachments on this server: are they here, whole, and what are they.

A row only says that they are here; the filestore may have lost them, or have others. A
``row`` is a record of ``ir.attachment``, or anything else with its ``id`` and
``store_fname``.
"""

import contextlib
import os
import tempfile
from collections import namedtuple

from odoo.sql_db import db_connect

from ..utils.digests import size_and_digests

SPOOL = 1024 * 1024  # bytes read from the database at a time

#: Bytes that were read, to their end: how many (int), and digests in hexadecimal.
Content = namedtuple("Content", "size sha1 md5")


def is_here(attachment):
    """Whether the row of a record names bytes on this server."""
    return bool(attachment.store_fname or attachment.db_datas)


def is_whole(env, row, size=None):
    """Whether the bytes really are here, as far as can be told without reading them.

    :param int size: bytes that they have to be; None: any number but none
    """
    found = _size_of(env, row)
    return bool(found) if size is None else found == size


def measure(env, row):
    """What the bytes here are, read to their end.

    :return: None when there are none, or they can not be read
    :rtype: Content
    """
    try:
        with open_content(env, row) as content:
            found = Content(*size_and_digests(content, "sha1", "md5"))
    except OSError:
        return None
    return found if found.size or row.store_fname else None


def path_of(env, row):
    """Where the filestore has the bytes; None for those in the database."""
    fname = row.store_fname
    return env["ir.attachment"]._full_path(fname) if fname else None


def open_content(env, row):
    """The bytes here, open for reading.

    :raises OSError: there is no such file
    """
    path = path_of(env, row)
    if path:
        return open(path, "rb")
    env["ir.attachment"].flush(["db_datas"])
    return _spooled(env.cr, row.id)


def opener(env, row):
    """A function that opens the bytes here; threads may call it.

    :rtype: callable
    """
    path = path_of(env, row)
    if path:
        return lambda: open(path, "rb")
    dbname = env.cr.dbname
    return lambda: _spooled_from(dbname, row.id)


def _size_of(env, row):
    """How long the bytes here are; None without any."""
    path = path_of(env, row)
    if path:
        with contextlib.suppress(OSError):
            return os.path.getsize(path)
        return None
    env["ir.attachment"].flush(["db_datas"])
    env.cr.execute(
        "SELECT octet_length(db_datas) FROM ir_attachment WHERE id = %s", (row.id,)
    )
    return (env.cr.fetchone() or (None,))[0]


def _spooled_from(dbname, attachment_id):
    with contextlib.closing(db_connect(dbname).cursor()) as cr:
        return _spooled(cr, attachment_id)


def _spooled(cr, attachment_id):
    """The bytes of ``db_datas`` in a temporary file, read piece by piece."""
    spool, position = tempfile.TemporaryFile(), 1
    while True:
        cr.execute(
            "SELECT substring(db_datas FROM %s FOR %s) FROM ir_attachment WHERE id = %s",
            (position, SPOOL, attachment_id),
        )
        row = cr.fetchone()
        if not row or not row[0]:
            spool.seek(0)
            return spool
        spool.write(row[0])
        position += SPOOL

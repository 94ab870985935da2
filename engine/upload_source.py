"""Where an upload finds the bytes: a file of the filestore, or a column."""

import contextlib
import tempfile

from odoo.sql_db import db_connect

SPOOL = 1024 * 1024  # bytes read from the database at a time


def opener(attachments, row):
    """A function that opens the content of an attachment; threads may call it.

    :param attachments: the ``ir.attachment`` model
    :param row: ``id`` and ``store_fname`` of the attachment
    :rtype: callable
    """
    if row.store_fname:
        path = attachments._full_path(row.store_fname)
        return lambda: open(path, "rb")
    dbname = attachments.env.cr.dbname
    return lambda: _spool_from_database(dbname, row.id)


def _spool_from_database(dbname, attachment_id):
    with contextlib.closing(db_connect(dbname).cursor()) as cr:
        return open_column(cr, attachment_id)


def open_content(env, attachment_id, fname):
    """The local bytes of an attachment, open for reading.

    :param str fname: its file of the filestore; empty when the database has them
    :raises OSError: there is no such file
    """
    if fname:
        return open(env["ir.attachment"]._full_path(fname), "rb")
    return open_column(env.cr, attachment_id)


def open_column(cr, attachment_id):
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

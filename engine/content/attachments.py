"""Statements on ``ir_attachment``: what its content is, and where the bytes are.

Below the ORM: a fact about Drive changes neither ``write_date`` nor ``write_uid``, and the
ORM's ``write`` would set ``checksum`` and ``file_size`` to those of an empty file. Nothing
in here commits.
"""

from psycopg2.extras import execute_values

from ...utils.constants import PROXY_PATH
from ..rows import A_LINK, HERE, LINK, SETTLED, WAITING, forget_cached
from ..transaction import share_installation

MAX_INTEGER = 2**31 - 1  # of PostgreSQL, for ``file_size``

# -- what the content is -----------------------------------------------------------------


def note_measured(env, row_id, size, sha1):
    """Size (bytes) and sha1 of the local bytes; an error of measuring is over."""
    env.cr.execute(
        "UPDATE ir_attachment SET file_size = %s, checksum = %s, cloud_error_message"
        " = CASE WHEN cloud_file_id IS NULL THEN NULL ELSE cloud_error_message END"
        " WHERE id = %s",
        (size, sha1, row_id),
    )
    forget_cached(env, [row_id], "file_size", "checksum", "cloud_error_message")


def note_unmeasurable(env, row_id, reason, days):
    """Say why a file stays, and leave it alone for some days."""
    env.cr.execute(
        "UPDATE ir_attachment SET cloud_error_message = %s, cloud_next_attempt ="
        " (now() at time zone 'UTC') + %s * interval '1 day'"
        " WHERE id = %s AND " + WAITING,
        (reason, days, row_id),
    )
    forget_cached(env, [row_id], "cloud_error_message", "cloud_next_attempt")


#: What a row has that did not know its content: as it was read from Drive.
_NOTE_CONTENT = """
UPDATE ir_attachment SET cloud_sha1 = %(sha1)s, cloud_md5 = COALESCE(cloud_md5, %(md5)s),
    file_size = CASE WHEN COALESCE(file_size, 0) = 0 THEN %(size)s ELSE file_size END,
    checksum = CASE WHEN checksum IS NULL OR checksum = %(none)s THEN %(sha1)s
        ELSE checksum END,
    cloud_sync_status = 'synced', cloud_error_message = NULL
WHERE id IN %(ids)s
"""


def note_content(env, ids, content, empty_sha1):
    """Write down what was read from Drive; the rows are well then.

    :param content: its ``sha1``, ``md5`` and ``size`` (bytes)
    :param str empty_sha1: the checksum of an empty file: no row may keep that
    """
    size = content.size if content.size <= MAX_INTEGER else None
    values = {"sha1": content.sha1, "md5": content.md5, "size": size}
    env.cr.execute(_NOTE_CONTENT, dict(values, none=empty_sha1, ids=tuple(ids)))
    forget_cached(env, ids)


def note_sha1s(env, proven):
    """Sha1s and sizes that Drive has and the rows did not know yet.

    :param list[tuple] proven: id of the attachment, of its Drive file, sha1, bytes
    """
    execute_values(
        env.cr._obj,
        "UPDATE ir_attachment AS a SET cloud_sha1 = v.sha1, cloud_size_bytes = v.size"
        " FROM (VALUES %s) AS v (id, drive_id, sha1, size) WHERE a.id = v.id"
        " AND a.cloud_file_id = v.drive_id AND COALESCE(a.cloud_sha1, v.sha1) = v.sha1",
        proven,
        page_size=len(proven),
    )
    ids = [row[0] for row in proven]
    forget_cached(env, ids, "cloud_sha1", "cloud_size_bytes")


# -- where the bytes are -----------------------------------------------------------------

#: Makes links of rows that still are what was proven; tells what they had.
_DROP_BYTES = """
WITH proven (id, drive_id, fname, sha1, size) AS (VALUES %s),
released AS (
    SELECT a.id, a.store_fname, a.file_size, proven.sha1 FROM ir_attachment AS a
    JOIN proven ON proven.id = a.id
    AND a.cloud_sync_status = 'synced' AND a.cloud_file_id = proven.drive_id
    AND a.cloud_keep_local IS NOT TRUE AND a.cloud_error_message IS NULL
    AND a.store_fname IS NOT DISTINCT FROM proven.fname
    AND COALESCE(a.checksum, proven.sha1) = proven.sha1
    AND a.file_size = proven.size AND a.cloud_size_bytes = proven.size
    AND (a.db_datas IS NULL
         OR octet_length(a.db_datas) = proven.size AND md5(a.db_datas) = a.cloud_md5)
    AND {here}
    ORDER BY a.id FOR UPDATE OF a SKIP LOCKED)
UPDATE ir_attachment AS a SET store_fname = NULL, db_datas = NULL,
    checksum = released.sha1, cloud_sha1 = released.sha1, type = 'url', url = {link}
FROM released WHERE a.id = released.id
RETURNING released.id, released.store_fname, released.file_size, released.sha1
""".format(here=HERE, link=A_LINK)


def drop_bytes(env, copies):
    """Make links of rows whose content was proven to be in Drive.

    Their files go through Odoo's garbage collection of the filestore, which looks for other
    attachments that use them. They are marked while the rows are locked: marked before, a
    collection could forget the mark; after a commit, a crash could.

    :param list[Copy] copies: with sha1 and size that were proven
    :return: ``(id, store_fname, file_size, sha1)`` of those that are links now; none when
        the addon is about to leave, and counted what is only in Drive
    """
    if not copies or not share_installation(env.cr):
        return []
    released = execute_values(
        env.cr._obj,
        _DROP_BYTES,
        copies,
        template="(%s, %s, %s::varchar, %s, %s::numeric)",
        page_size=len(copies),
        fetch=True,
    )
    attachments = env["ir.attachment"].sudo()
    for fname in {row[1] for row in released if row[1]}:
        attachments._file_delete(fname)
    forget_cached(env, [row[0] for row in released])
    return released


def make_links(env, ids):
    """Rows whose file the filestore lost are read from Drive.

    :return: whether they are; not when the addon is about to leave
    """
    if not ids or not share_installation(env.cr):
        return False
    env.cr.execute(
        "UPDATE ir_attachment SET store_fname = NULL, type = 'url', url = "
        + LINK
        + " WHERE id IN %s",
        (tuple(ids),),
    )
    forget_cached(env, ids)
    return True


def set_fname(env, row_id, fname):
    """Have a row name another file of the filestore, or none."""
    env.cr.execute(
        "UPDATE ir_attachment SET store_fname = %s WHERE id = %s", (fname, row_id)
    )
    forget_cached(env, [row_id])


#: Files that are here are plain files again; the links that persons made stay.
_UNLINK = (
    "UPDATE ir_attachment SET type = 'binary', url = NULL WHERE type = 'url'"
    " AND (url = %s OR cloud_file_id IS NOT NULL AND url LIKE '%s%%')"
    % (LINK, PROXY_PATH)
)


def make_plain(cr):
    """Links to the proxy are plain files: to be called when all bytes are here."""
    cr.execute(_UNLINK, log_exceptions=False)


def repair(cr, condition, assignments, values, limit=None):
    """Mend rows that break a condition and that nobody is just changing.

    :param str condition: SQL, as ``assignments`` from the table of invariants
    :param dict values: of their parameters
    :param int limit: most rows to change; None for all
    :return: how many were changed
    """
    # all texts come from the table of invariants
    cr.execute(  # pylint: disable=sql-injection
        "UPDATE ir_attachment SET %s WHERE id IN (SELECT id FROM ir_attachment"
        " WHERE (%s) AND %s ORDER BY id LIMIT %%(limit)s FOR UPDATE SKIP LOCKED)"
        % (assignments, condition, SETTLED),
        dict(values, limit=limit),
    )
    return cr.rowcount


# -- what reading and restoring tell -----------------------------------------------------


def note_proven(cr, row_id, file_id, size, sha1, md5):
    """Keep what Drive told of a row that did not know; a locked row is left alone."""
    cr.execute(
        "UPDATE ir_attachment SET cloud_sha1 = %s, cloud_size_bytes = %s,"
        " cloud_md5 = %s WHERE id IN ("
        " SELECT id FROM ir_attachment WHERE id = %s AND cloud_file_id = %s"
        " AND COALESCE(cloud_sha1, %s) = %s FOR UPDATE SKIP LOCKED)",
        (sha1, size, md5, row_id, file_id, sha1, sha1),
    )


def note_problem(cr, row_id, message):
    """Remember a fact about the file in Drive.

    A row that is locked is left alone: waiting could mean waiting for ourselves.
    """
    cr.execute(
        "UPDATE ir_attachment SET cloud_error_message = %s WHERE id IN ("
        " SELECT id FROM ir_attachment WHERE id = %s FOR UPDATE SKIP LOCKED)",
        (message, row_id),
    )


def bring_back(env, row_id, size, sha1, fname=None, data=None):
    """The content that is in Drive is on this server as well.

    :param int size: of the content in bytes; ``sha1`` likewise
    :param str fname: its file in the filestore
    :param bytes data: it, for the database; both None when it is empty
    """
    env["ir.attachment"].flush()  # what waits would overwrite it later
    env.cr.execute(
        "UPDATE ir_attachment SET store_fname = %s, db_datas = %s, checksum = %s,"
        " file_size = COALESCE(%s, file_size), cloud_sha1 = %s, cloud_size_bytes = %s"
        " WHERE id = %s",
        (
            fname,
            data,
            sha1,
            size if size <= MAX_INTEGER else None,
            sha1,
            size,
            row_id,
        ),
    )
    forget_cached(env, [row_id])

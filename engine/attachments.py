"""Every statement that writes a cloud column of ``ir_attachment``.

Below the ORM: a fact about Drive changes neither ``write_date`` nor ``write_uid``, and the
ORM's ``write`` would set ``checksum`` and ``file_size`` to those of an empty file. Nothing
in here commits.
"""

from psycopg2.extras import execute_values

from ..utils.constants import PROXY_PATH
from .rows import A_LINK, HERE, LINK, SETTLED, WAITING, Uploaded
from .transaction import share_installation

MAX_INTEGER = 2**31 - 1  # of PostgreSQL, for ``file_size``

# -- an upload ---------------------------------------------------------------------------


def mark_pending(cr, run_id, rows, target):
    """Rows are on their way, each with its reserved Drive id.

    :param list[Row] rows: with their ``cloud_reserved_id``
    :param str target: for which account and place the ids are reserved
    """
    execute_values(
        cr._obj,
        "UPDATE ir_attachment AS a SET cloud_sync_status = 'pending',"
        " cloud_run_id = v.run, cloud_reserved_id = v.drive_id,"
        " cloud_reserved_for = v.place"
        " FROM (VALUES %s) AS v (id, run, drive_id, place) WHERE a.id = v.id",
        [(row.id, run_id, row.cloud_reserved_id, target) for row in rows],
    )


#: Rows that are still this run's, with the content that was sent: the checksum is what
#: Odoo changes with it, file and column are what code below the ORM may change.
_MARK_SYNCED = """
UPDATE ir_attachment AS a SET cloud_sync_status = 'synced',
    cloud_file_id = v.drive_id, cloud_storage_url = v.link, cloud_md5 = v.md5,
    cloud_sha1 = v.sha1, cloud_size_bytes = v.size,
    cloud_synced_date = now() at time zone 'UTC',
    cloud_auth_id = v.auth, cloud_reserved_id = NULL, cloud_reserved_for = NULL,
    cloud_run_id = NULL,
    cloud_attempts = 0, cloud_next_attempt = NULL, cloud_error_message = NULL,
    type = CASE WHEN v.link_it AND a.cloud_keep_local IS NOT TRUE
        THEN 'url' ELSE a.type END,
    url = CASE WHEN v.link_it AND a.cloud_keep_local IS NOT TRUE
        THEN {link} ELSE a.url END
FROM (VALUES %s) AS v ({columns})
WHERE a.id = v.id AND a.cloud_sync_status = 'pending'
    AND a.cloud_run_id = v.run AND a.checksum IS NOT DISTINCT FROM v.checksum
    AND a.store_fname IS NOT DISTINCT FROM v.fname
    AND (a.db_datas IS NULL
         OR octet_length(a.db_datas) = v.size AND md5(a.db_datas) = v.md5)
RETURNING a.id
""".format(link=A_LINK, columns=", ".join(Uploaded._fields))


def mark_synced(cr, uploads):
    """Rows are in Drive, unless they changed meanwhile.

    :param list[Uploaded] uploads:
    :return: ids of those that are
    :rtype: list[int]
    """
    if not uploads:
        return []
    rows = execute_values(
        cr._obj,
        _MARK_SYNCED,
        uploads,
        template="(%s, %s, %s::varchar, %s, %s, %s::numeric, %s, %s, %s::varchar,"
        " %s::varchar, %s)",
        page_size=len(uploads),
        fetch=True,
    )
    return [row_id for (row_id,) in rows]


def mark_failed(cr, run_id, row_id, err, forget_id):
    """A row failed; ``cloud_run_id`` stays, for a run tries a file once.

    :param DriveError err: its words are kept
    :param bool forget_id: its reserved Drive id is of no use any more
    """
    cr.execute(
        "UPDATE ir_attachment SET cloud_sync_status = %(status)s,"
        " cloud_error_message = %(message)s,"
        " cloud_attempts = COALESCE(cloud_attempts, 0) + 1, cloud_reserved_id ="
        " CASE WHEN %(forget)s THEN NULL ELSE cloud_reserved_id END"
        " WHERE id = %(id)s AND cloud_run_id = %(run)s",
        {
            "status": "local" if err.retryable else "error",
            "message": str(err),
            "forget": forget_id,
            "id": row_id,
            "run": run_id,
        },
    )


def postpone(cr, ids, attempts):
    """Files that failed at least that often wait: a day, two, four, up to thirty."""
    if ids:
        cr.execute(
            "UPDATE ir_attachment SET cloud_next_attempt = (now() at time zone 'UTC')"
            " + interval '1 day' * least(power(2, least(cloud_attempts - %s, 10)), 30)"
            " WHERE id IN %s AND cloud_attempts >= %s",
            (attempts, tuple(ids), attempts),
        )


def put_back(cr, run_id, ids):
    """Rows that were claimed and not tried: as if nothing had happened."""
    if ids:
        cr.execute(
            "UPDATE ir_attachment SET cloud_sync_status = 'local', cloud_run_id = NULL"
            " WHERE id IN %s AND cloud_run_id = %s",
            (tuple(ids), run_id),
        )


def put_back_all(cr, run_ids):
    """What was on its way for runs that are no more is local again.

    :param run_ids: ids of runs; a row without a run counts as such
    """
    cr.execute(
        "UPDATE ir_attachment SET cloud_sync_status = 'local', cloud_run_id = NULL"
        " WHERE cloud_sync_status = 'pending'"
        " AND (cloud_run_id IN %s OR cloud_run_id IS NULL)",
        (tuple(run_ids),),
    )


def forget_failures(cr, run_id, ids):
    """Let a run try again what failed in it."""
    cr.execute(
        "UPDATE ir_attachment SET cloud_run_id = NULL WHERE id IN %s"
        " AND cloud_run_id = %s AND cloud_sync_status IN ('local', 'error')",
        (tuple(ids) or (0,), run_id),
    )


# -- what the content is -----------------------------------------------------------------


def note_measured(env, row_id, size, sha1):
    """Size (bytes) and sha1 of the local bytes; an error of measuring is over."""
    env.cr.execute(
        "UPDATE ir_attachment SET file_size = %s, checksum = %s, cloud_error_message"
        " = CASE WHEN cloud_file_id IS NULL THEN NULL ELSE cloud_error_message END"
        " WHERE id = %s",
        (size, sha1, row_id),
    )
    _forget_cached(env, [row_id], "file_size", "checksum", "cloud_error_message")


def note_unmeasurable(env, row_id, reason, days):
    """Say why a file stays, and leave it alone for some days."""
    env.cr.execute(
        "UPDATE ir_attachment SET cloud_error_message = %s, cloud_next_attempt ="
        " (now() at time zone 'UTC') + %s * interval '1 day'"
        " WHERE id = %s AND " + WAITING,
        (reason, days, row_id),
    )
    _forget_cached(env, [row_id], "cloud_error_message", "cloud_next_attempt")


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
    _forget_cached(env, ids)


def note_sha1s(env, proven):
    """Sha1s that Drive has and the rows did not know yet.

    :param list[tuple] proven: id of the attachment, of its Drive file, sha1
    """
    execute_values(
        env.cr._obj,
        "UPDATE ir_attachment AS a SET cloud_sha1 = v.sha1"
        " FROM (VALUES %s) AS v (id, drive_id, sha1) WHERE a.id = v.id"
        " AND a.cloud_file_id = v.drive_id AND a.cloud_sha1 IS NULL",
        proven,
        page_size=len(proven),
    )
    _forget_cached(env, [row[0] for row in proven], "cloud_sha1")


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
    for fname in {fname for _id, fname, _size, _sha1 in released if fname}:
        attachments._file_delete(fname)
    _forget_cached(env, [row[0] for row in released])
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
    _forget_cached(env, ids)
    return True


def set_fname(env, row_id, fname):
    """Have a row name another file of the filestore, or none."""
    env.cr.execute(
        "UPDATE ir_attachment SET store_fname = %s WHERE id = %s", (fname, row_id)
    )
    _forget_cached(env, [row_id])


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


# -- which file in Drive -----------------------------------------------------------------


def link(env, row_id, auth_id, file):
    """Write down where the content of an attachment is in Drive.

    :param dict file: metadata, its ``sha1Checksum`` and ``size`` included
    """
    size = int(file["size"])
    env.cr.execute(
        "UPDATE ir_attachment SET cloud_file_id = %s, cloud_storage_url = %s,"
        " cloud_md5 = %s, cloud_sha1 = %s, cloud_size_bytes = %s,"
        " cloud_auth_id = %s, checksum = %s, file_size = COALESCE(%s, file_size),"
        " cloud_sync_status = 'synced', cloud_synced_date = now() at time zone 'UTC',"
        " cloud_reserved_id = NULL, cloud_reserved_for = NULL, cloud_run_id = NULL,"
        " cloud_attempts = 0, cloud_next_attempt = NULL, cloud_error_message = NULL"
        " WHERE id = %s",
        (
            file["id"],
            file.get("webViewLink"),
            file.get("md5Checksum"),
            file["sha1Checksum"],
            size,
            auth_id,
            file["sha1Checksum"],
            size if size <= MAX_INTEGER else None,
            row_id,
        ),
    )
    _forget_cached(env, [row_id])


def repoint(env, source, file_id, target, copy):
    """Make rows name the copy of their file in another account, unless they changed.

    :param source: the account they are in, as a record; ``target``: the other
    :param dict copy: metadata of the copy
    :return: ids of those that do
    :rtype: list[int]
    """
    sha1 = copy.get("sha1Checksum")
    env.cr.execute(
        "UPDATE ir_attachment SET cloud_file_id = %s, cloud_storage_url = %s,"
        " cloud_auth_id = %s, cloud_reserved_id = NULL, cloud_reserved_for = NULL"
        " WHERE cloud_file_id = %s AND cloud_auth_id = %s"
        " AND COALESCE(cloud_sha1, %s) = %s"
        " AND cloud_sync_status != 'pending' RETURNING id",
        (
            copy["id"],
            copy.get("webViewLink"),
            target.id,
            file_id,
            source.id,
            sha1,
            sha1,
        ),
    )
    ids = [row_id for (row_id,) in env.cr.fetchall()]
    _forget_cached(env, ids)
    return ids


# -- what reading and restoring tell -----------------------------------------------------


def note_proven(cr, row_id, file_id, size, sha1, md5):
    """Keep what Drive told of a row that did not know; a locked row is left alone."""
    cr.execute(
        "UPDATE ir_attachment SET cloud_sha1 = %s, cloud_size_bytes = %s,"
        " cloud_md5 = %s WHERE id IN ("
        " SELECT id FROM ir_attachment WHERE id = %s AND cloud_file_id = %s"
        " AND cloud_sha1 IS NULL FOR UPDATE SKIP LOCKED)",
        (sha1, size, md5, row_id, file_id),
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
    _forget_cached(env, [row_id])


def _forget_cached(env, ids, *names):
    env["ir.attachment"].invalidate_cache(names or None, ids)

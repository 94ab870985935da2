"""Statements on ``ir_attachment``: what is on its way, and which file in Drive it has.

Those about its content are in ``content/attachments``, triggers and indexes in
``models/attachment/schema``; no other file writes a cloud column.

Below the ORM: a fact about Drive changes neither ``write_date`` nor ``write_uid``, and the
ORM's ``write`` would set ``checksum`` and ``file_size`` to those of an empty file. Nothing
in here commits.
"""

from psycopg2.extras import execute_values

from .rows import A_LINK, Uploaded, forget_cached

MAX_INTEGER = 2**31 - 1  # of PostgreSQL, for ``file_size``

# -- an upload ---------------------------------------------------------------------------


def mark_pending(cr, run_id, rows, target):
    """Rows are on their way, each with its reserved Drive id.

    :param list[Row] rows: with their ``cloud_reserved_id``
    :param str target: for which account and Drive the ids are reserved
    """
    execute_values(
        cr._obj,
        "UPDATE ir_attachment AS a SET cloud_sync_status = 'pending',"
        " cloud_run_id = v.run, cloud_reserved_id = v.drive_id,"
        " cloud_reserved_for = v.target"
        " FROM (VALUES %s) AS v (id, run, drive_id, target) WHERE a.id = v.id",
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

    :param DriveError err: its text is kept
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
    forget_cached(env, [row_id])


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
    forget_cached(env, ids)
    return ids

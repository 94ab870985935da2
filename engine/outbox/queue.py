"""The queue: the table ``cloud_storage.trash``, which triggers of PostgreSQL fill.

A row only says which file is to be looked at. What has to be done is read from the
attachments at that moment.
"""

from collections import namedtuple

BATCH = 200
DUE = "(next_attempt IS NULL OR next_attempt <= (now() at time zone 'UTC'))"
#: Rows that are about a name and marks: nothing goes to the trash by them.
MARKS = "COALESCE(drive_file_id, '') = ''"
#: A row of the queue; ``marked_file_id`` is None where a file is to be trashed.
Row = namedtuple("Row", "id auth_id drive_file_id marked_file_id")
OWNER_COLUMNS = "id name res_model res_id res_field checksum cloud_sha1 cloud_auth_id"
#: The attachment whose name and marks a file bears.
Owner = namedtuple("Owner", OWNER_COLUMNS)


def add(env, auth_id, file_id):
    """A file that nothing uses: to be looked at once more, then trashed."""
    table = env["cloud_storage.trash"].sudo()
    table.create({"auth_id": auth_id, "drive_file_id": file_id})


def add_given_up(env, reserved_id, target):
    """An id that no upload will use any more: what came to be under it can go.

    :param str target: see :func:`~..account.identity.reserved_for`; unknown where empty
    """
    auth_id = int((target or "0").partition(" ")[0])
    if auth_id:
        add(env, auth_id, reserved_id)


def remove(env, file_ids):
    """These are gone, or somebody else's: they need not go to the trash any more."""
    env["cloud_storage.trash"].flush()
    env.cr.execute(
        "DELETE FROM cloud_storage_trash WHERE drive_file_id IN %s", (tuple(file_ids),)
    )


def is_used(env, file_id):
    """Whether an attachment has a file in Drive, or is about to."""
    env.cr.execute(
        "SELECT 1 FROM ir_attachment WHERE cloud_file_id = %s"
        " OR cloud_reserved_id = %s LIMIT 1",
        (file_id, file_id),
    )
    return bool(env.cr.fetchone())


# -- what waits ----------------------------------------------------------------------------


def count_trash(env):
    """How many files are to go to the trash now."""
    env.cr.execute(  # pylint: disable=sql-injection
        "SELECT count(*) FROM cloud_storage_trash WHERE NOT %s AND %s" % (MARKS, DUE)
    )
    return env.cr.fetchone()[0]


def due_after(env, row_id, only_marks):
    """The next ids; by id, so that what can not be done is not met again."""
    env.cr.execute(
        "SELECT id FROM cloud_storage_trash WHERE id > %s AND "
        + DUE
        + (" AND " + MARKS if only_marks else "")
        + " ORDER BY id LIMIT %s",
        (row_id, BATCH),
    )
    return [row[0] for row in env.cr.fetchall()]


def row_of(env, row_id):
    """A row of the queue; those of an earlier version have an attachment alone.

    :rtype: Row
    """
    env.cr.execute(
        "SELECT q.id, q.auth_id, q.drive_file_id,"
        " CASE WHEN COALESCE(q.drive_file_id, '') = '' THEN"
        " COALESCE(q.marked_file_id, a.cloud_file_id, a.cloud_reserved_id) END"
        " FROM cloud_storage_trash q LEFT JOIN ir_attachment a"
        " ON a.id = q.attachment_id WHERE q.id = %s",
        (row_id,),
    )
    row = env.cr.fetchone()
    return row and Row(*row)


def queued_for(env, row_id, file_id):
    """This row and the others that want a file marked, as far as they are committed.

    What is queued from now on is left for the next turn: the attachments are looked at in
    the same snapshot.

    :return: ids, and how often they were postponed
    """
    env.cr.execute(
        "SELECT array_agg(id), COALESCE(max(attempts), 0) FROM cloud_storage_trash"
        " WHERE id = %s OR marked_file_id = %s",
        (row_id, file_id),
    )
    return env.cr.fetchone()


def owner_of(env, file_id):
    """The attachment whose name and marks a file bears, and whether to wait for it.

    Which one of many is arbitrary, but always the same, so that it can be compared.

    :return: owner or None; whether one of its attachments is going up or to another
        account, after which it may be another file's
    :rtype: tuple[Owner, bool]
    """
    env.cr.execute(
        "SELECT bool_or(cloud_reserved_id IS NOT NULL) FROM ir_attachment"
        " WHERE cloud_file_id = %s OR cloud_reserved_id = %s",
        (file_id, file_id),
    )
    (is_moving,) = env.cr.fetchone()
    env.cr.execute(
        "SELECT %s FROM ir_attachment WHERE cloud_file_id = %%s ORDER BY id LIMIT 1"
        % OWNER_COLUMNS.replace(" ", ", "),
        (file_id,),
    )
    row = env.cr.fetchone()
    return row and Owner(*row), is_moving


def mark_instead(env, row):
    """A file that was to be trashed is another attachment's: to be marked for that."""
    env.cr.execute(
        "DELETE FROM cloud_storage_trash WHERE drive_file_id = %s AND id != %s",
        (row.drive_file_id, row.id),
    )
    env.cr.execute(
        "UPDATE cloud_storage_trash SET marked_file_id = drive_file_id,"
        " drive_file_id = NULL, attachment_id = 0 WHERE id = %s",
        (row.id,),
    )


def drop(env, ids):
    """Drive knows, or needs not to."""
    env.cr.execute("DELETE FROM cloud_storage_trash WHERE id IN %s", (tuple(ids),))


def postpone(env, ids):
    """Try again in 1, 2, 4… minutes, at last once a day."""
    env.cr.execute(
        "UPDATE cloud_storage_trash SET attempts = q.known + 1, next_attempt ="
        " (now() at time zone 'UTC') + least(power(2, q.known), 24 * 60)"
        " * interval '1 minute' FROM (SELECT id,"  # a power has its limits
        "  greatest(0, least(COALESCE(attempts, 0), 1000)) AS known"
        "  FROM cloud_storage_trash WHERE id IN %s) AS q"
        " WHERE cloud_storage_trash.id = q.id",
        (tuple(ids),),
    )

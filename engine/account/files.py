"""Which files live in an account."""

from ..rows import KNOWN_EMPTY


def count_files(auths):
    """How many attachments have a file in these accounts, and how large they are.

    :return: ``(files, bytes)`` of all, and of those whose bytes are nowhere else
    :rtype: tuple[tuple[int, int], tuple[int, int]]
    """
    auths.env["ir.attachment"].flush()
    only_there = "store_fname IS NULL AND db_datas IS NULL AND NOT " + KNOWN_EMPTY
    auths.env.cr.execute(
        "SELECT count(*), sum(cloud_size_bytes),"
        " count(*) FILTER (WHERE {0}), sum(cloud_size_bytes) FILTER (WHERE {0})"
        " FROM ir_attachment WHERE cloud_auth_id IN %s"
        " AND cloud_file_id IS NOT NULL".format(only_there),
        (tuple(auths.ids) or (0,),),
    )
    numbers = [int(number or 0) for number in auths.env.cr.fetchone()]
    return tuple(numbers[:2]), tuple(numbers[2:])


def has_files(auth):
    """Whether an attachment has a file in the account."""
    auth.env.cr.execute(
        "SELECT 1 FROM ir_attachment WHERE cloud_auth_id = %s"
        " AND cloud_file_id IS NOT NULL LIMIT 1",
        (auth.id,),
    )
    return bool(auth.env.cr.fetchone())


def some_file_ids(auth, order, count, rows):
    """Drive ids of the newest or the oldest files that are in Drive for sure.

    :param str order: ``DESC`` for the newest, ``ASC`` for the oldest
    :param int count: most ids
    :param int rows: attachments looked at, since some may share a file
    """
    auth.env["ir.attachment"].flush()
    # the order comes from the code
    auth.env.cr.execute(  # pylint: disable=sql-injection
        "SELECT cloud_file_id FROM ir_attachment WHERE cloud_auth_id = %s"
        " AND cloud_sync_status = 'synced' AND cloud_file_id IS NOT NULL"
        " ORDER BY id " + order + " LIMIT %s",
        (auth.id, rows),
    )
    return list(dict.fromkeys(row[0] for row in auth.env.cr.fetchall()))[:count]

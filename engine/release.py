"""Giving local bytes back to the disk, never before the copy in Drive is a proven fact."""

import logging

from odoo.exceptions import UserError

from ..drive.compare import SAME, compare, is_trashed
from ..drive.errors import DriveError
from .content.attachments import drop_bytes
from .local_files import is_whole, measure
from .reader.preview import keep_thumbnails
from .rows import HERE, Copy
from .rules import coverage

_logger = logging.getLogger(__name__)

BATCH = 200
COPY_FIELDS = "id,size,md5Checksum,sha1Checksum,trashed"


def release_uploaded(config, ids):
    """Release what this run just uploaded, unless it is to be kept for some days.

    Drive's answer to the upload is fresh, and the bytes were read for it.

    :return: bytes that the filestore really gets back
    """
    if config.keep_local_days:
        return 0
    where, params = coverage(config)
    rows = _copies(config.env, "id IN %%s AND (%s)" % where, [tuple(ids)] + params)
    return _release(
        config.env, [row for row in rows if _has_size_here(config.env, row)]
    )


def release_due(config, client, deadline):
    """Release what was kept for ``keep_local_days``, committing batch by batch.

    Much can happen to a file in the time it was kept, here and in Drive: the local
    bytes are read, then Drive is asked for each id. While it does not answer nothing
    goes.

    :param client: a function that gives the account's client
    :return: bytes that the filestore really gets back
    """
    freed = 0
    if not config.delete_local_after_sync:
        return freed
    try:
        for rows in _due_batches(config, deadline):
            freed += _release(config.env, _proven(config.env, client, rows))
            config.env.cr.commit()  # each batch on its own: locks stay short
    except (DriveError, UserError) as err:
        _logger.info("No more local copies go for now: %s", err)
    return freed


def _due_batches(config, deadline):
    """Rows whose time is over, some at a time, each once."""
    last_id = 0
    while not deadline.over:
        rows = _releasable(config, last_id)
        if not rows:
            return
        yield rows
        last_id = rows[-1].id


def _releasable(config, last_id):
    """The next attachments whose local bytes may go as far as their rows tell."""
    where, params = coverage(config)
    return _copies(
        config.env,
        "cloud_sync_status = 'synced' AND cloud_error_message IS NULL"
        " AND cloud_keep_local IS NOT TRUE AND cloud_auth_id = %%s AND id > %%s"
        " AND cloud_synced_date"
        "     <= (now() at time zone 'UTC') - %%s * interval '1 day'"
        " AND %s AND (%s)" % (HERE, where),
        [config.auth_id.id, last_id, config.keep_local_days, *params],
        limit=BATCH,
    )


def _copies(env, condition, values, limit=None):
    env["ir.attachment"].flush()
    # conditions come from this file and from domains, values from neither
    env.cr.execute(  # pylint: disable=sql-injection
        "SELECT %s FROM ir_attachment WHERE %s ORDER BY id LIMIT %%s"
        % (", ".join(Copy._fields), condition),
        [*values, limit],
    )
    return [Copy(*row) for row in env.cr.fetchall()]


def _proven(env, client, rows):
    """Those whose bytes here are, byte for byte, what Drive has at this moment.

    :raises UserError: the account can not be used
    :raises DriveError: Drive does not answer
    """
    measured = [row for row in (_measured(env, row) for row in rows) if row]
    if not measured:
        return []
    env.cr.commit()  # no transaction is open while Google is asked
    files = client().get_many([row.cloud_file_id for row in measured], COPY_FIELDS)
    return [row for row in measured if _is_copy(files.get(row.cloud_file_id), row)]


def _measured(env, row):
    """The row with sha1 and size of the bytes that are here, None without any."""
    found = measure(env, row)
    if found is None:
        _logger.info("Attachment %s has no local copy to free", row.id)
        return None
    return row._replace(cloud_sha1=found.sha1, cloud_size_bytes=found.size)


def _release(env, rows):
    """Drop local bytes that are proven to be in Drive; commits in between.

    :param list[Copy] rows: with sha1 and size that were proven
    :return: bytes that the filestore really gets back
    """
    if not rows:
        return 0
    attachments = env["ir.attachment"].sudo()
    keep_thumbnails(attachments.browse([row.id for row in rows]).exists())
    env.cr.commit()  # pictures take their time: go on in a new snapshot
    return _freed(env, drop_bytes(env, rows))


def _freed(env, released):
    """Bytes that the filestore or the database gets back."""
    files = {fname: size or 0 for _id, fname, size, _sha1 in released if fname}
    checksums = {sha1 for _id, fname, _size, sha1 in released if fname}
    used = _files_in_use(env, files, checksums)
    in_database = sum(size or 0 for _id, fname, size, _sha1 in released if not fname)
    return in_database + sum(files[fname] for fname in files if fname not in used)


def _has_size_here(env, row):
    """Whether its file in the filestore, if it has one, is as long as it was sent."""
    # a column is compared where it is given up
    return not row.store_fname or is_whole(env, row, row.cloud_size_bytes)


def _files_in_use(env, fnames, checksums):
    """Those of the filestore's files that other attachments still need.

    By checksum, since that has an index and a file is named after it.
    """
    if not fnames or not checksums:
        return set()
    env.cr.execute(
        "SELECT DISTINCT store_fname FROM ir_attachment"
        " WHERE checksum IN %s AND store_fname IN %s",
        (tuple(checksums), tuple(fnames)),
    )
    return {row[0] for row in env.cr.fetchall()}


def _is_copy(file, row):
    """Whether a file of Drive is there, not in the trash, and has a row's content."""
    if not file or is_trashed(file):
        return False
    return compare(file, row.cloud_size_bytes, row.cloud_sha1) == SAME

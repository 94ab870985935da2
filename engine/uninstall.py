"""Before the addon goes: nobody moves files any more, and none lives only in Drive.

In this order: runs are locked out, those at work pause, and only then is counted, in a
snapshot of that moment. Odoo's own transaction began long before: it does not see what
others committed meanwhile. The lock stays until that transaction ends.
"""

import contextlib
import logging
import os
import time
from collections import namedtuple

from psycopg2 import OperationalError

from odoo import SUPERUSER_ID, _, api, registry
from odoo.exceptions import UserError
from odoo.tools import config, human_size

from ..drive.compare import EMPTY_MD5, EMPTY_SHA1
from ..odoo_bridge import fresh_environment
from ..utils.digests import size_and_digests
from . import transaction
from .content.attachments import make_plain
from .runner import alive_runs
from .transaction import CONCURRENCY_ERRORS

_logger = logging.getLogger(__name__)

PAUSE_SECONDS = 20  # that runs have to come to a halt
ROW_SECONDS = 10  # how long a row or table may be locked by others
TRIES = 5  # of what other transactions get in the way of
BATCH = 10000  # rows read at once
IN_DRIVE = (
    "SELECT id, store_fname, octet_length(db_datas), cloud_size_bytes::bigint, file_size"
    " FROM ir_attachment WHERE cloud_file_id IS NOT NULL AND id > %s AND ({condition})"
    # said to be empty by Drive, not by the row alone
    " AND (COALESCE(cloud_size_bytes, 0) = 0 AND COALESCE(file_size, 0) = 0"
    " AND store_fname IS NULL AND (cloud_md5 = %s OR cloud_sha1 = %s)) IS NOT TRUE"
    " ORDER BY id LIMIT %s"
)
Row = namedtuple("Row", "id store_fname in_database cloud_size file_size")


@contextlib.contextmanager
def alone(cr):
    """Keep runs and releases out until the transaction of ``cr`` ends.

    When the block fails they may go on at once.

    :raises UserError: somebody is still at work after a while
    """
    with cr.savepoint(flush=False):
        if not transaction.lock_installation(cr, PAUSE_SECONDS):
            raise UserError(_busy_message(cr))
        yield


def _busy_message(cr):
    env = api.Environment(cr, SUPERUSER_ID, {})
    with fresh_environment(env) as fresh:
        runs = alive_runs(fresh)
        who = ", ".join(runs.mapped("name")) or _("Another process")
    return _(
        "%(who)s still moves files and did not pause within %(seconds)s seconds. Nothing"
        " was changed. Stop it or wait until it has ended, then uninstall again.",
        who=who,
        seconds=PAUSE_SECONDS,
    )


def count_remote_files(cr):
    """How many attachments have their bytes in Drive and nowhere else, and how large.

    Whatever has a file in Drive is looked at, and its bytes are here when

    - the file in the filestore exists and has the size that went to Drive, or, where it
      has not or none is known, the sha1 that it is named after;
    - the database has as many bytes as went to Drive, or any where none are known;
    - Drive itself said that the content is empty.

    What a row says of its size, type or status proves nothing. A file of the right size
    with other bytes is not noticed: that would take reading the whole filestore.

    :param cr: a cursor whose transaction began just now
    :return: number, and size as text
    """
    sizes = [row.cloud_size or row.file_size or 0 for row in remote_rows(cr)]
    return len(sizes), human_size(sum(sizes)) or _("of unknown size")


def remote_rows(cr, condition="TRUE"):
    """The attachments that :func:`count_remote_files` counts.

    :param str condition: SQL, only those
    :return: iterator of :class:`Row`
    """
    filestore = config.filestore(cr.dbname)
    rows = _rows_in_drive(cr, condition)
    return (row for row in rows if not _is_here(row, filestore))


def _rows_in_drive(cr, condition):
    query, last_id = IN_DRIVE.format(condition=condition), 0
    while True:
        # conditions are written in the code
        cr.execute(  # pylint: disable=sql-injection
            query, (last_id, EMPTY_MD5, EMPTY_SHA1, BATCH)
        )
        rows = [Row(*values) for values in cr.fetchall()]
        if not rows:
            return
        yield from rows
        last_id = rows[-1].id


def _is_here(row, filestore):
    if not row.store_fname:
        size = row.in_database or 0
        return size == row.cloud_size if row.cloud_size else size > 0
    path = os.path.join(filestore, row.store_fname)
    try:
        if row.cloud_size and os.path.getsize(path) == row.cloud_size:
            return True
        with open(path, "rb") as file:
            size, sha1 = size_and_digests(file, "sha1")
    except OSError:
        return False
    # an empty file is no content of what Drive does not say to be empty
    return size > 0 and sha1 == os.path.basename(row.store_fname)


def count_now(cr):
    """As :func:`count_remote_files`, whatever the transaction of ``cr`` sees.

    :raises UserError: somebody changes the table all the time
    """
    return _in_new_transaction(cr, count_remote_files)


def unlink_now(cr):
    """Make plain files of links whose bytes are here, those of the last second too.

    Committed at once: should the uninstallation fail later, such a row is as good as a
    link.

    :raises UserError: somebody changes the rows all the time
    """
    _in_new_transaction(cr, make_plain)


def _in_new_transaction(cr, func):
    """Commit ``func(cursor)``; try again when others get in the way.

    Never waits for ``cr`` for ever: PostgreSQL can not see that its owner waits for us.
    """
    for attempt in range(TRIES):
        try:
            with registry(cr.dbname).cursor() as fresh:
                transaction.set_lock_timeout(fresh, ROW_SECONDS)
                return func(fresh)
        except OperationalError as err:
            if err.pgcode not in CONCURRENCY_ERRORS:
                raise
            _logger.info("Attempt %s failed: %s", attempt + 1, err)
    raise UserError(
        _("The attachments are being changed by others just now: uninstall again.")
    )


def pause_runs(env):
    """Have runs pause and their crons come to their end, as long as that takes.

    Odoo's button refuses while a cron is at work, and keeps crons locked that runs want to
    wake: so this comes before it. Others may begin again right afterwards.

    :raises UserError: somebody is still at work after a while
    """
    until = time.monotonic() + PAUSE_SECONDS
    with env.registry.cursor() as cr, alone(cr):
        while not _are_crons_idle(env) and time.monotonic() < until:
            time.sleep(0.2)
    env.cr.commit()  # Odoo needs to see what the crons wrote at their end


def _are_crons_idle(env):
    names = ("automatic_sync", "queued_runs")
    crons = [env.ref("cloud_storage.cron_" + name, False) for name in names]
    ids = [cron.id for cron in crons if cron]
    with env.registry.cursor() as cr:
        cr.execute(
            "SELECT id FROM ir_cron WHERE id = ANY(%s) FOR UPDATE SKIP LOCKED", (ids,)
        )
        return cr.rowcount == len(ids)

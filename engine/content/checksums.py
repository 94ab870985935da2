"""Sizes and checksums that were never recorded: no upload begins without them.

Code may write ``db_datas`` like any other field, and very old versions kept no checksum:
Odoo reads such attachments all the same, so their bytes count as much as others'.
"""

import logging
import os
from collections import namedtuple

from psycopg2 import DataError

from ...utils.digests import size_and_digests
from ..local_files import open_content
from ..rows import UNMEASURED
from ..rules import active_rules
from ..transaction import retrying
from ..translate import Translator
from .attachments import note_measured, note_unmeasurable

_logger = logging.getLogger(__name__)

Recorded = namedtuple("Recorded", "id store_fname size checksum")

BATCH = 200  # rows looked up at once
REST_DAYS = 7  # before what could not be measured is looked at again


def measure_for(config, deadline):
    """Record what is unknown of the attachments a configuration may send."""
    names = tuple(active_rules(config).mapped("model_name"))
    last_id = 0
    while names and not deadline.over:
        ids = _unmeasured(config.env, "res_model IN %s AND id > %s", (names, last_id))
        if not ids:
            return
        for row_id in ids:
            _try_to_measure(config.env, row_id)
        last_id = ids[-1]


def measure(env, ids):
    """Record size and checksum of those of these attachments that lack them.

    However many they are. What can not be read stays, with the reason on its row.
    Commits each.
    """
    env["ir.attachment"].flush()
    for start in range(0, len(ids), BATCH):
        batch = tuple(ids[start : start + BATCH])
        for row_id in _unmeasured(env, "id IN %s", (batch,), due=False):
            _try_to_measure(env, row_id)


def _try_to_measure(env, row_id):
    try:
        retrying(env, lambda: _measure_one(env, row_id))
    except (OSError, DataError) as err:
        _logger.info("Attachment %s can not be measured: %s", row_id, err)
        env.cr.rollback()
        reason = _reason(env, err)
        retrying(env, lambda: note_unmeasurable(env, row_id, reason, REST_DAYS))


def _reason(env, err):
    _ = Translator(env)
    if isinstance(err, DataError):  # beyond an integer of PostgreSQL
        return _("Its content is larger than Odoo can record (2 GB): it stays here.")
    reason = err.strerror or str(err)
    return _("Its content can not be read on this server: %s", reason)


def _unmeasured(env, condition, values, due=True):
    """Some of the rows without size or checksum.

    :param bool due: leave out those that could not be measured lately
    """
    if due:
        condition += (
            " AND (cloud_next_attempt IS NULL"
            " OR cloud_next_attempt <= now() at time zone 'UTC')"
        )
    env.cr.execute(  # pylint: disable=sql-injection
        "SELECT id FROM ir_attachment WHERE type = 'binary' AND %s AND %s"
        " ORDER BY id LIMIT %s" % (UNMEASURED, condition, BATCH),
        values,
    )
    return [row_id for (row_id,) in env.cr.fetchall()]


def _measure_one(env, row_id):
    env.cr.execute(
        "SELECT id, store_fname, file_size, checksum FROM ir_attachment WHERE id = %s",
        (row_id,),
    )
    found = env.cr.fetchone()
    row = found and Recorded(*found)
    if not row or None not in (row.size, row.checksum):
        return  # gone, or recorded meanwhile
    with open_content(env, row) as content:
        size, checksum = size_and_digests(content, "sha1")
    if row.store_fname and not _is_named_after(row.store_fname, checksum):
        raise OSError("its file is damaged")
    if row.size not in (None, size) or row.checksum not in (None, checksum):
        # one of the two is there and contradicts the bytes
        raise OSError("its content is not what was recorded")
    note_measured(env, row_id, size, checksum)


def _is_named_after(fname, checksum):
    """Whether a file of the filestore has the content its name tells, if it does."""
    name = os.path.basename(fname)
    return len(name) != len(checksum) or name == checksum

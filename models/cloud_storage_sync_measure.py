"""Sizes and checksums that were never recorded: no upload begins without them.

Code may write ``db_datas`` like any other field, and very old versions kept no checksum:
Odoo reads such attachments all the same, so their bytes count as much as others'.
"""
import logging
import os

from psycopg2 import DataError

from odoo import _, api, models

from ..engine.transaction import retrying
from ..utils.digests import size_and_digests
from .row_conditions import UNMEASURED, WAITING
from .upload_source import open_column

_logger = logging.getLogger(__name__)

BATCH = 200  # rows looked up at once
REST_DAYS = 7  # before what could not be measured is looked at again


class CloudStorageSyncService(models.AbstractModel):
    _inherit = "cloud_storage.sync.service"

    @api.model
    def _measure_for(self, config, box=None):
        """Record what is unknown of the attachments a configuration may send."""
        names = tuple(self._active_rules(config).mapped("model_name"))
        last_id = 0
        while names and not (box and box.over):
            ids = self._unmeasured_ids("res_model IN %s AND id > %s", (names, last_id))
            if not ids:
                return
            for row_id in ids:
                self._try_to_measure(row_id)
            last_id = ids[-1]

    @api.model
    def _measure(self, ids):
        """Record size and checksum of those of these attachments that lack them.

        However many they are. What can not be read stays, with the reason on its row.
        Commits each.
        """
        self.env["ir.attachment"].flush()
        for start in range(0, len(ids), BATCH):
            batch = tuple(ids[start : start + BATCH])
            for row_id in self._unmeasured_ids("id IN %s", (batch,), due=False):
                self._try_to_measure(row_id)

    @api.model
    def _try_to_measure(self, row_id):
        try:
            retrying(self.env, lambda: self._measure_one(row_id))
        except (OSError, DataError) as err:
            _logger.info("Attachment %s can not be measured: %s", row_id, err)
            self.env.cr.rollback()
            reason = self._unmeasurable_words(err)
            retrying(self.env, lambda: self._note_unmeasurable(row_id, reason))

    @api.model
    def _unmeasurable_words(self, err):
        if isinstance(err, DataError):  # beyond an integer of PostgreSQL
            return _("Its content is larger than Odoo can record (2 GB): it stays here.")
        reason = err.strerror or str(err)
        return _("Its content can not be read on this server: %s", reason)

    @api.model
    def _note_unmeasurable(self, row_id, reason):
        """Say why a file stays, and leave it alone for some days."""
        self.env.cr.execute(
            "UPDATE ir_attachment SET cloud_error_message = %s, cloud_next_attempt ="
            " (now() at time zone 'UTC') + %s * interval '1 day'"
            " WHERE id = %s AND " + WAITING,
            (reason, REST_DAYS, row_id),
        )
        self.env["ir.attachment"].invalidate_cache(
            ["cloud_error_message", "cloud_next_attempt"], [row_id]
        )

    @api.model
    def _unmeasured_ids(self, condition, values, due=True):
        """Some of the rows without size or checksum.

        :param bool due: leave out those that could not be measured lately
        """
        if due:
            condition += (
                " AND (cloud_next_attempt IS NULL"
                " OR cloud_next_attempt <= now() at time zone 'UTC')"
            )
        self.env.cr.execute(
            "SELECT id FROM ir_attachment WHERE type = 'binary' AND %s AND %s"
            " ORDER BY id LIMIT %s" % (UNMEASURED, condition, BATCH),
            values,
        )
        return [row_id for (row_id,) in self.env.cr.fetchall()]

    @api.model
    def _measure_one(self, row_id):
        attachments = self.env["ir.attachment"]
        self.env.cr.execute(
            "SELECT store_fname, file_size, checksum FROM ir_attachment WHERE id = %s",
            (row_id,),
        )
        fname, size, checksum = self.env.cr.fetchone() or (None, 0, "")
        if size is not None and checksum is not None:
            return  # gone, or recorded meanwhile
        if fname:
            content = open(attachments._full_path(fname), "rb")
        else:
            content = open_column(self.env.cr, row_id)
        with content:
            found_size, found_checksum = size_and_digests(content, "sha1")
        if fname and not _is_named_after(fname, found_checksum):
            raise OSError("its file is damaged")
        if (size not in (None, found_size)) or checksum not in (None, found_checksum):
            # one of the two is there and contradicts the bytes
            raise OSError("its content is not what was recorded")
        self.env.cr.execute(
            "UPDATE ir_attachment SET file_size = %s, checksum = %s, cloud_error_message"
            " = CASE WHEN cloud_file_id IS NULL THEN NULL ELSE cloud_error_message END"
            " WHERE id = %s",
            (found_size, found_checksum, row_id),
        )
        attachments.invalidate_cache(
            ["file_size", "checksum", "cloud_error_message"], [row_id]
        )


def _is_named_after(fname, checksum):
    """Whether a file of the filestore has the content its name tells, if it does."""
    name = os.path.basename(fname)
    return len(name) != len(checksum) or name == checksum

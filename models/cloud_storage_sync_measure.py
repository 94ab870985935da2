"""Sizes and checksums that were never recorded: no upload begins without them.

Code may write ``db_datas`` like any other field, and very old versions kept no checksum:
Odoo reads such attachments all the same, so their bytes count as much as others'.
"""
import logging
import os

from odoo import api, models

from ..utils.digests import size_and_digests
from .row_conditions import UNMEASURED
from .transaction import retrying
from .upload_source import open_column

_logger = logging.getLogger(__name__)

BATCH = 200  # rows looked up at once


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
            self._measure(ids)
            last_id = ids[-1]

    @api.model
    def _measure(self, ids):
        """Record size and checksum of those of these attachments that lack them.

        What can not be read is left as it is. Commits each.
        """
        if not ids:
            return
        self.env["ir.attachment"].flush()
        for row_id in self._unmeasured_ids("id IN %s", (tuple(ids),)):
            try:
                retrying(self.env, lambda row=row_id: self._measure_one(row))
            except OSError as err:
                _logger.info("Attachment %s can not be read: %s", row_id, err)
                self.env.cr.rollback()

    @api.model
    def _unmeasured_ids(self, condition, values):
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
        # one that is known stays: should it be wrong, the upload says so
        self.env.cr.execute(
            "UPDATE ir_attachment SET file_size = COALESCE(file_size, %s),"
            " checksum = COALESCE(checksum, %s) WHERE id = %s",
            (found_size, found_checksum, row_id),
        )
        attachments.invalidate_cache(["file_size", "checksum"], [row_id])


def _is_named_after(fname, checksum):
    """Whether a file of the filestore has the content its name tells, if it does."""
    name = os.path.basename(fname)
    return len(name) != len(checksum) or name == checksum

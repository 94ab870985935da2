"""Giving local bytes back to the disk, never before the copy in Drive is a proven fact."""
import logging
import os
from collections import namedtuple

from psycopg2.extras import execute_values

from odoo import api, models
from odoo.exceptions import UserError

from ..drive.compare import SAME, compare
from ..drive.errors import DriveError
from ..engine.transaction import share_installation
from ..utils.digests import size_and_digests
from .row_conditions import HERE
from .upload_source import open_column

_logger = logging.getLogger(__name__)

RELEASE_BATCH = 200
TRIES = 4  # per request: an outage shall end it soon
COPY_FIELDS = "id,size,md5Checksum,sha1Checksum,trashed"
#: An attachment that is here and in Drive, and the place of its bytes here.
Copy = namedtuple("Copy", "id cloud_file_id store_fname cloud_sha1 cloud_size_bytes")
#: Makes links of rows that still are what was proven; tells what they had.
DROP_BYTES = (
    """
WITH proven (id, drive_id, fname, sha1, size) AS (VALUES %%s),
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
    AND %s
    ORDER BY a.id FOR UPDATE OF a SKIP LOCKED)
UPDATE ir_attachment AS a SET store_fname = NULL, db_datas = NULL,
    checksum = released.sha1, cloud_sha1 = released.sha1,
    type = 'url', url = '/cloud_storage/file/' || a.id
FROM released WHERE a.id = released.id
RETURNING released.id, released.store_fname, released.file_size, released.sha1
"""
    % HERE
)


class CloudStorageSyncService(models.AbstractModel):
    _inherit = "cloud_storage.sync.service"

    @api.model
    def _release_now(self, config, ids):
        """Release what this run just uploaded, unless it is to be kept for some days.

        Drive's answer to the upload is fresh, and the bytes were read for it.

        :return: bytes that the filestore really gets back
        """
        if config.keep_local_days:
            return 0
        where, params = self._coverage(config)
        rows = self._copies("id IN %%s AND (%s)" % where, [tuple(ids)] + params)
        return self._release([row for row in rows if self._has_size_here(row)])

    @api.model
    def _release_due(self, config, box=None):
        """Release what was kept for ``keep_local_days``, committing batch by batch.

        Much can happen to a file in the time it was kept, here and in Drive: the local
        bytes are read, then Drive is asked for each id. While it does not answer nothing
        goes.

        :return: bytes that the filestore really gets back
        """
        freed = 0
        if not config.delete_local_after_sync:
            return freed
        try:
            for rows in self._due_batches(config, box):
                freed += self._release(self._proven(config.auth_id, rows))
                self.env.cr.commit()  # each batch on its own: locks stay short
        except (DriveError, UserError) as err:
            _logger.info("No more local copies go for now: %s", err)
        return freed

    @api.model
    def _due_batches(self, config, box):
        """Rows whose time is over, some at a time, each once."""
        last_id = 0
        while not (box and box.over):
            rows = self._releasable(config, last_id)
            if not rows:
                return
            yield rows
            last_id = rows[-1].id

    @api.model
    def _releasable(self, config, last_id):
        """The next attachments whose local bytes may go as far as their rows tell."""
        where, params = self._coverage(config)
        return self._copies(
            "cloud_sync_status = 'synced' AND cloud_error_message IS NULL"
            " AND cloud_keep_local IS NOT TRUE AND cloud_auth_id = %%s AND id > %%s"
            " AND cloud_synced_date"
            "     <= (now() at time zone 'UTC') - %%s * interval '1 day'"
            " AND %s AND (%s)" % (HERE, where),
            [config.auth_id.id, last_id, config.keep_local_days, *params],
            limit=RELEASE_BATCH,
        )

    @api.model
    def _copies(self, condition, values, limit=None):
        self.env["ir.attachment"].flush()
        # conditions come from this file and from domains, values from neither
        self.env.cr.execute(  # pylint: disable=sql-injection
            "SELECT %s FROM ir_attachment WHERE %s ORDER BY id LIMIT %%s"
            % (", ".join(Copy._fields), condition),
            [*values, limit],
        )
        return [Copy(*row) for row in self.env.cr.fetchall()]

    @api.model
    def _proven(self, auth, rows):
        """Those whose bytes here are, byte for byte, what Drive has at this moment.

        :raises UserError: the account can not be used
        :raises DriveError: Drive does not answer
        """
        measured = [row for row in map(self._measured, rows) if row]
        if not measured:
            return []
        self.env.cr.commit()  # no transaction is open while Google is asked
        client = auth._drive_client(tries=TRIES)
        files = client.get_many([r.cloud_file_id for r in measured], COPY_FIELDS)
        return [row for row in measured if _is_copy(files.get(row.cloud_file_id), row)]

    @api.model
    def _measured(self, row):
        """The row with sha1 and size of the bytes that are here, None without any."""
        try:
            if row.store_fname:
                path = self.env["ir.attachment"]._full_path(row.store_fname)
                content = open(path, "rb")
            else:
                content = open_column(self.env.cr, row.id)
            with content:
                size, sha1 = size_and_digests(content, "sha1")
        except OSError as err:
            _logger.info("Attachment %s has no local copy to free: %s", row.id, err)
            return None
        return row._replace(cloud_sha1=sha1, cloud_size_bytes=size)

    @api.model
    def _release(self, rows):
        """Drop local bytes that are proven to be in Drive; commits in between.

        :param list rows: of :data:`Copy`, with sha1 and size that were proven
        :return: bytes that the filestore really gets back
        """
        if not rows:
            return 0
        attachments = self.env["ir.attachment"].sudo()
        attachments.browse([row.id for row in rows]).exists()._keep_thumbnails()
        self.env.cr.commit()  # pictures take their time: go on in a new snapshot
        return self._drop_local_bytes(rows)

    @api.model
    def _drop_local_bytes(self, rows):
        """Make the rows links to the proxy, without bytes of their own.

        Below the ORM: its ``write`` would set ``checksum`` and ``file_size`` to those of
        an empty file. The file goes through Odoo's garbage collection of the filestore,
        which looks for other attachments that use it. It is marked while the rows are
        locked: marked before, a collection could forget the mark; after a commit, a crash
        could.

        :return: bytes that the filestore really gets back
        """
        if not share_installation(self.env.cr):
            return 0  # the addon is about to leave, and counted what is only in Drive
        released = execute_values(
            self.env.cr._obj,
            DROP_BYTES,
            [tuple(row) for row in rows],
            template="(%s, %s, %s::varchar, %s, %s::numeric)",
            page_size=len(rows),
            fetch=True,
        )
        if not released:
            return 0
        attachments = self.env["ir.attachment"].sudo()
        files = {fname: size for _id, fname, size, _sha1 in released if fname}
        for fname in files:
            attachments._file_delete(fname)
        attachments.invalidate_cache(
            ["store_fname", "db_datas", "type", "url", "raw", "datas", "checksum",
             "cloud_sha1"],
            [row[0] for row in released],
        )
        in_database = sum(size or 0 for _id, fname, size, _s in released if not fname)
        checksums = {sha1 for _id, fname, _size, sha1 in released if fname}
        used = self._files_in_use(files, checksums)
        return in_database + sum(files[fname] or 0 for fname in files if fname not in used)

    @api.model
    def _has_size_here(self, row):
        """Whether its file in the filestore, if it has one, is as long as it was sent."""
        if not row.store_fname:
            return True  # the column is compared where it is given up
        try:
            path = self.env["ir.attachment"]._full_path(row.store_fname)
            return os.path.getsize(path) == row.cloud_size_bytes
        except OSError:
            return False

    @api.model
    def _files_in_use(self, fnames, checksums):
        """Those of the filestore's files that other attachments still need.

        By checksum, since that has an index and a file is named after it.
        """
        if not fnames or not checksums:
            return set()
        self.env.cr.execute(
            "SELECT DISTINCT store_fname FROM ir_attachment"
            " WHERE checksum IN %s AND store_fname IN %s",
            (tuple(checksums), tuple(fnames)),
        )
        return {row[0] for row in self.env.cr.fetchall()}


def _is_copy(file, row):
    """Whether a file of Drive is there, not in the trash, and has a row's content."""
    if not file or file.get("trashed"):
        return False
    return compare(file, row.cloud_size_bytes, row.cloud_sha1) == SAME

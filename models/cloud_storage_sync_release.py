"""Giving local bytes back to the disk, never before the copy in Drive is a committed fact."""
import itertools
import logging
import os
from collections import namedtuple

from odoo import api, models
from odoo.exceptions import UserError

from ..drive.errors import DriveError, ForbiddenError, NotFoundError
from ..drive.query import with_app_property
from .drive_metadata import DATABASE, is_same_content
from .row_conditions import HERE

_logger = logging.getLogger(__name__)

RELEASE_BATCH = 200
FEW = 50  # files that are asked for one by one
TRIES = 4  # per request: an outage shall end it soon
COPY_FIELDS = "id,size,md5Checksum,trashed"
#: Makes links of rows that are what went; tells what they had.
DROP_BYTES = (
    """
WITH released AS (
    SELECT id, store_fname, file_size FROM ir_attachment WHERE id IN %%s
    AND cloud_sync_status = 'synced' AND cloud_file_id IS NOT NULL
    AND cloud_md5 IS NOT NULL AND cloud_keep_local IS NOT TRUE
    AND cloud_size_bytes = file_size AND cloud_error_message IS NULL
    AND (db_datas IS NULL
         OR (octet_length(db_datas) = file_size AND md5(db_datas) = cloud_md5))
    AND %s
    ORDER BY id FOR UPDATE SKIP LOCKED)
UPDATE ir_attachment AS a SET store_fname = NULL, db_datas = NULL,
    type = 'url', url = '/cloud_storage/file/' || a.id
FROM released WHERE a.id = released.id
RETURNING released.id, released.store_fname, released.file_size, a.checksum
"""
    % HERE
)
#: An attachment that is here and in Drive.
Copy = namedtuple("Copy", "id cloud_file_id cloud_md5 cloud_size_bytes")


class CloudStorageSyncService(models.AbstractModel):
    _inherit = "cloud_storage.sync.service"

    @api.model
    def _release_now(self, config, ids):
        """Release what was just synced, unless it is to be kept for some days.

        :return: bytes that the filestore really gets back
        """
        if config.keep_local_days:
            return 0
        where, params = self._coverage(config)
        self.env.cr.execute(
            "SELECT id FROM ir_attachment WHERE id IN %%s AND (%s)" % where,
            [tuple(ids)] + params,
        )
        return self._release([row_id for (row_id,) in self.env.cr.fetchall()])

    @api.model
    def _release_due(self, config, box=None):
        """Release what was kept for ``keep_local_days``, committing batch by batch.

        Drive is asked first: much can happen to a file in the time it was kept, or until
        somebody decides to free local space. While it does not answer nothing goes.

        :return: bytes that the filestore really gets back
        """
        freed = 0
        if not config.delete_local_after_sync:
            return freed
        try:
            for ids in self._confirmed_batches(config, box):
                freed += self._release(ids)
                self.env.cr.commit()  # each batch on its own: locks stay short
        except (DriveError, UserError) as err:
            _logger.info("No more local copies go for now: %s", err)
        return freed

    @api.model
    def _confirmed_batches(self, config, box):
        """Ids of attachments to release, whose files in Drive were just looked at.

        :raises UserError: the account can not be used
        :raises DriveError: Drive does not answer
        """
        if not self._releasable(config, limit=1):
            return
        client = config.auth_id._drive_client(tries=TRIES)
        if len(self._releasable(config, limit=FEW + 1)) > FEW:
            yield from self._listed_batches(config, client, box)
        # few, or what the list did not have
        last_id = 0  # what can not be released must not be looked at for ever
        while not (box and box.over):
            rows = self._releasable(config, "AND id > %s", last_id, limit=FEW)
            if not rows:
                return
            yield [row.id for row in rows if self._is_intact(client, row)]
            last_id = rows[-1].id

    @api.model
    def _listed_batches(self, config, client, box):
        """As :meth:`_confirmed_batches`, at one list call per 1,000 files."""
        query = with_app_property(DATABASE, config.auth_id._database_uuid())
        files = iter(client.list(query, fields=COPY_FIELDS))
        while not (box and box.over):
            page = {file["id"]: file for file in itertools.islice(files, RELEASE_BATCH)}
            if not page:
                return
            rows = self._releasable(config, "AND cloud_file_id IN %s", tuple(page))
            yield [row.id for row in rows if _is_copy(page[row.cloud_file_id], row)]

    @api.model
    def _releasable(self, config, condition="", *values, limit=None):
        """The attachments whose local bytes may go as far as their rows tell."""
        where, params = self._coverage(config)
        self.env.cr.execute(
            "SELECT id, cloud_file_id, cloud_md5, cloud_size_bytes FROM ir_attachment"
            " WHERE cloud_sync_status = 'synced' AND cloud_error_message IS NULL"
            " AND cloud_keep_local IS NOT TRUE AND cloud_auth_id = %%s"
            " AND cloud_synced_date"
            "     <= (now() at time zone 'UTC') - %%s * interval '1 day'"
            " AND %s AND (%s) %s ORDER BY id LIMIT %%s" % (HERE, where, condition),
            [config.auth_id.id, config.keep_local_days, *params, *values, limit],
        )
        return [Copy(*row) for row in self.env.cr.fetchall()]

    @api.model
    def _is_intact(self, client, row):
        """Whether Drive has the file of a row, as it was."""
        try:
            return _is_copy(client.get(row.cloud_file_id, fields=COPY_FIELDS), row)
        except (NotFoundError, ForbiddenError) as err:
            _logger.info("Attachment %s keeps its local copy: %s", row.id, err)
            return False

    @api.model
    def _release(self, ids):
        """Drop the local bytes of synced, unpinned attachments; commits in between.

        :return: bytes that the filestore really gets back
        """
        if not ids:
            return 0
        self.env["ir.attachment"].flush()
        self.env["ir.attachment"].sudo().browse(ids).exists()._keep_thumbnails()
        self.env.cr.commit()  # pictures take their time: go on in a new snapshot
        return self._drop_local_bytes(ids)

    @api.model
    def _drop_local_bytes(self, ids):
        """Make the rows links to the proxy, without bytes of their own.

        Below the ORM: its ``write`` would set ``checksum`` and ``file_size`` to those of
        an empty file. The file goes through Odoo's garbage collection of the filestore,
        which looks for other attachments that use it. It is marked while the rows are
        locked: marked before, a collection could forget the mark; after a commit, a crash
        could.

        :return: bytes that the filestore really gets back
        """
        ids = self._ids_with_whole_files(ids)
        if not ids:
            return 0
        self.env.cr.execute(DROP_BYTES, (tuple(ids),))
        rows = self.env.cr.fetchall()
        if not rows:
            return 0
        attachments = self.env["ir.attachment"].sudo()
        files = {fname: size for _id, fname, size, _sha1 in rows if fname}
        for fname in files:
            attachments._file_delete(fname)
        attachments.invalidate_cache(
            ["store_fname", "db_datas", "type", "url", "raw", "datas"],
            [row[0] for row in rows],
        )
        in_database = sum(size or 0 for _id, fname, size, _sha1 in rows if not fname)
        checksums = {sha1 for _id, fname, _size, sha1 in rows if fname and sha1}
        used = self._files_in_use(files, checksums)
        return in_database + sum(files[fname] or 0 for fname in files if fname not in used)

    @api.model
    def _ids_with_whole_files(self, ids):
        """Those whose file in the filestore, if they have one, is as long as it was.

        What a row says is no proof of what goes: another size is another content.
        """
        self.env.cr.execute(
            "SELECT id, store_fname, cloud_size_bytes FROM ir_attachment WHERE id IN %s"
            " ORDER BY id FOR UPDATE SKIP LOCKED",
            (tuple(ids),),
        )
        return [
            row_id
            for row_id, fname, size in self.env.cr.fetchall()
            if not fname or self._size_in_filestore(fname) == size
        ]

    @api.model
    def _size_in_filestore(self, fname):
        try:
            return os.path.getsize(self.env["ir.attachment"]._full_path(fname))
        except OSError:
            return None

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
    """Whether a file of Drive is what was put there, and not in the trash."""
    return is_same_content(file, row) and not file.get("trashed")

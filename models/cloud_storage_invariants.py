"""A tool for administrators: is everything as the addon promises?"""
import os

from odoo import api, models
from odoo.exceptions import UserError

from ..drive.client import LIST_FIELDS
from ..drive.errors import DriveError, NotFoundError
from ..drive.query import with_app_property
from .drive_metadata import DATABASE, attachment_id
from .row_conditions import HERE

BATCH = 10000  # rows read at once
#: What no row may be: the invariant, the condition, and what it means.
ROW_RULES = [
    (
        1,
        "type = 'binary' AND file_size > 0 AND cloud_file_id IS NULL AND NOT " + HERE,
        "has neither local bytes nor a file in Drive",
    ),
    (
        3,
        "cloud_file_id IS NOT NULL AND cloud_size_bytes > 0 AND NOT " + HERE + " AND"
        " (type != 'url' OR url IS DISTINCT FROM '/cloud_storage/file/' || id)",
        "is only in Drive and not a link to the proxy",
    ),
    (
        3,
        "cloud_file_id IS NOT NULL AND cloud_keep_local AND type = 'url' AND " + HERE,
        "is pinned and here, and a link all the same",
    ),
    (
        3,
        "type = 'binary' AND url = '/cloud_storage/file/' || id AND " + HERE,
        "is a local file and has the address of a link to the proxy",
    ),
    (
        4,
        "cloud_file_id IS NULL AND type = 'url' AND url = '/cloud_storage/file/' || id",
        "is a link to the proxy without a file in Drive",
    ),
    (
        4,
        "cloud_file_id IS NULL AND cloud_sync_status = 'synced'",
        "is said to be in Drive and has no file there",
    ),
    (
        7,
        "cloud_file_id IS NOT NULL AND"
        " (res_model IS NULL OR res_model LIKE 'ir.%' OR url LIKE '/web/%')",
        "is a file of the system and went to Drive",
    ),
    (
        9,
        "cloud_file_id IS NOT NULL AND cloud_size_bytes != COALESCE(file_size, 0)",
        "has another size than its file in Drive",
    ),
    (
        9,
        "cloud_file_id IS NOT NULL AND cloud_size_bytes > 0"
        " AND (checksum IS NULL OR mimetype IS NULL)",
        "lost its checksum or its media type",
    ),
]


class CloudStorageSyncService(models.AbstractModel):
    _inherit = "cloud_storage.sync.service"

    @api.model
    def check_invariants(self, with_drive=True):
        """Look at every attachment, its local file and its file in Drive.

        Reads only. Of the addon's ten invariants those that rows, files and lists can
        prove: 1 no byte lost, 2 one Drive file per upload, 3 and 4 type and address
        fit, 7 nothing of the system left, 9 size and checksum are what they were.

        :param bool with_drive: compare with Drive, at one list call per 1,000 files
        :return: what is wrong: ``invariant`` (number), ``attachment_id`` (or False),
            ``problem``; empty when all is well
        :rtype: list[dict]
        """
        self._check_manager()
        self.env["ir.attachment"].flush()
        problems = self._broken_rows() + self._missing_local_files()
        if with_drive:
            for auth in self._live_accounts():
                problems += self._broken_account(auth)
        return problems

    @api.model
    def _problem(self, invariant, number, text):
        return {"invariant": invariant, "attachment_id": number, "problem": text}

    @api.model
    def _broken_rows(self):
        problems = []
        for invariant, condition, text in ROW_RULES:
            # the conditions come from the table above
            self.env.cr.execute(  # pylint: disable=sql-injection
                "SELECT id FROM ir_attachment WHERE (" + condition + ")"
                " AND cloud_sync_status IS DISTINCT FROM 'pending' ORDER BY id"
            )
            problems += [
                self._problem(invariant, number, text)
                for (number,) in self.env.cr.fetchall()
            ]
        return problems

    @api.model
    def _missing_local_files(self):
        """Attachments that ever had to do with Drive and whose local file is gone."""
        attachments = self.env["ir.attachment"]
        return [
            self._problem(1, number, "its file is missing in the filestore")
            for number, fname in self._rows(
                "id, store_fname",
                "store_fname IS NOT NULL AND (cloud_file_id IS NOT NULL"
                " OR cloud_reserved_id IS NOT NULL)",
            )
            if not os.path.exists(attachments._full_path(fname))
        ]

    @api.model
    def _rows(self, columns, condition, *values):
        """Iterate over rows in the order of their ids, some at a time."""
        last_id = 0
        while True:
            self.env.cr.execute(
                "SELECT %s FROM ir_attachment WHERE id > %%s AND %s"
                " ORDER BY id LIMIT %s" % (columns, condition, BATCH),
                (last_id,) + values,
            )
            rows = self.env.cr.fetchall()
            if not rows:
                return
            yield from rows
            last_id = rows[-1][0]

    # -- Drive -------------------------------------------------------------------------

    @api.model
    def _broken_account(self, auth):
        try:
            client = auth._drive_client(tries=4)
            query = with_app_property(DATABASE, auth._database_uuid())
            files = {f["id"]: f for f in client.list(query, fields=LIST_FIELDS)}
            return self._wrong_copies(auth, client, files) + self._extra_copies(files)
        except (DriveError, UserError) as err:
            text = "%s could not be asked: %s" % (auth.name, err)
            return [self._problem(10, False, text)]

    @api.model
    def _wrong_copies(self, auth, client, files):
        """Attachments whose file in Drive is not what it was."""
        problems = []
        rows = self._rows(
            "id, cloud_file_id, cloud_md5, cloud_size_bytes, checksum",
            "cloud_auth_id = %s AND cloud_sync_status = 'synced'",
            auth.id,
        )
        for number, file_id, md5, size, sha1 in rows:
            file = files.get(file_id) or self._ask(client, file_id)
            text = self._what_is_wrong(file, md5, int(size), sha1)
            if text:
                problems.append(self._problem(1, number, text))
        return problems

    @api.model
    def _ask(self, client, file_id):
        """A list may lag behind: ask for the file itself."""
        try:
            return client.get(file_id)
        except NotFoundError:
            return None

    @api.model
    def _what_is_wrong(self, file, md5, size, sha1):
        if file is None:
            return "its file is not in Drive"
        if file.get("trashed"):
            return "its file is in the trash of Drive"
        if (int(file["size"]), file.get("md5Checksum")) != (size, md5):
            return "its file in Drive was changed"
        if size and file.get("sha1Checksum", sha1) != sha1:
            return "its file in Drive has another content than its checksum says"
        return None

    @api.model
    def _extra_copies(self, files):
        """Files that no attachment uses and nobody is going to put in the trash."""
        live = {i: f for i, f in files.items() if not f.get("trashed")}
        if not live:
            return []
        self.env.cr.execute(
            "SELECT cloud_file_id FROM ir_attachment WHERE cloud_file_id IS NOT NULL"
            " UNION SELECT cloud_reserved_id FROM ir_attachment"
            " WHERE cloud_reserved_id IS NOT NULL"
            " UNION SELECT drive_file_id FROM cloud_storage_trash"
        )
        known = {file_id for (file_id,) in self.env.cr.fetchall()}
        return [
            self._problem(
                2,
                attachment_id(file.get("appProperties", {})),
                "a file that nothing uses is in Drive: %s" % file_id,
            )
            for file_id, file in live.items()
            if file_id not in known
        ]

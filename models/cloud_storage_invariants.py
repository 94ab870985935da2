"""A tool for administrators: is everything as the addon promises?"""
import os

from odoo import api, models
from odoo.exceptions import UserError

from ..drive.client import LIST_FIELDS
from ..drive.compare import OTHER, UNKNOWN
from ..drive.errors import DriveError, ForbiddenError, NotFoundError
from ..drive.query import with_app_property
from ..engine.metadata import DATABASE, attachment_id, properties_of
from .content_proof import is_complete, judge
from .invariants import RULES, broken_rows
from .reconcile_compare import select_rows

BATCH = 10000  # rows read at once


class CloudStorageSyncService(models.AbstractModel):
    _inherit = "cloud_storage.sync.service"

    @api.model
    def check_invariants(self, with_drive=True):
        """Look at every attachment, its local file and its file in Drive.

        Reads only. Of the addon's invariants those that rows, files and lists can
        prove: 1 no byte lost, 2 one Drive file per upload, 3 and 4 type and address
        fit, 7 nothing of the system left, 9 size and checksum are what they were, 11
        nothing is uploaded, lacking or waiting for the trash that is in use.

        :param bool with_drive: compare with Drive, at one list call per 1,000 files
        :return: what is wrong: ``invariant`` (number), ``attachment_id`` (or False),
            ``problem``; empty when all is well
        :rtype: list[dict]
        """
        self._check_manager()
        self.env["ir.attachment"].flush()
        problems = self._broken_rows() + self._missing_local_files()
        problems += self._used_unused_files()
        if with_drive:
            for auth in self._live_accounts():
                problems += self._broken_account(auth)
        return problems

    @api.model
    def _problem(self, invariant, number, text):
        return {"invariant": invariant, "attachment_id": number, "problem": text}

    @api.model
    def _broken_rows(self):
        values = self._rule_values()
        return [
            self._problem(rule.number, number, rule.meaning)
            for rule in RULES
            if rule.meaning
            for number in broken_rows(self.env.cr, rule, values)
        ]

    @api.model
    def _used_unused_files(self):
        """Files that wait for the trash as nothing uses them, and are used."""
        self.env["cloud_storage.unused.file"].flush()
        self.env.cr.execute(
            "SELECT drive_file_id FROM cloud_storage_unused_file WHERE EXISTS ("
            " SELECT 1 FROM ir_attachment WHERE cloud_file_id = drive_file_id)"
        )
        text = "a file that is used is noted as unused: %s"
        return [
            self._problem(11, False, text % file_id)
            for (file_id,) in self.env.cr.fetchall()
        ]

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
        for row in self._synced_rows(auth):
            file = files.get(row.cloud_file_id)
            if file is None or not is_complete(file):
                file = self._ask(client, row.cloud_file_id, file)
            text = self._what_is_wrong(file, row)
            if text:
                problems.append(self._problem(1, row.id, text))
        return problems

    @api.model
    def _synced_rows(self, auth):
        """Iterate over the attachments that are well in an account, some at a time."""
        last_id, condition = 0, "id > %s AND cloud_sync_status = 'synced'"
        while True:
            rows = select_rows(
                self.env,
                auth,
                condition + " AND cloud_file_id IS NOT NULL ORDER BY id LIMIT %s",
                last_id,
                BATCH,
            )
            if not rows:
                return
            yield from rows
            last_id = rows[-1].id

    @api.model
    def _ask(self, client, file_id, listed=None):
        """A list may lag behind or leave things out: ask for the file itself.

        :param dict listed: what the list said
        :return: None when Drive has not got it
        """
        try:
            return client.get(file_id)
        except NotFoundError:
            return None
        except ForbiddenError:
            return listed or {}

    @api.model
    def _what_is_wrong(self, file, row):
        if file is None:
            return "its file is not in Drive"
        if file.get("trashed"):
            return "its file is in the trash of Drive"
        verdict = judge(file, row)
        if verdict == OTHER:
            return "its file in Drive was changed"
        if verdict == UNKNOWN and is_complete(file) and not row.cloud_sha1:
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
        extra = [file for file_id, file in live.items() if file_id not in known]
        text = "a file that nothing uses is in Drive: %s"
        return self._lost_links(extra) + [
            self._problem(2, attachment_id(properties_of(file)), text % file["id"])
            for file in extra
        ]

    @api.model
    def _lost_links(self, files):
        """Attachments that lack their content while it is in Drive, in one of these."""
        found = self._lacking_for([file for file in files if is_complete(file)])
        sha1s = tuple({file["sha1Checksum"] for file in found})
        if not sha1s:
            return []
        text = "its content is in Drive and not linked to it"
        return [
            self._problem(11, row[0], text)
            for row in self._lacking_rows("checksum IN %s", sha1s)
        ]

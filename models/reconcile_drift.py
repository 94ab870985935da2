"""What to do about each kind of difference between Odoo and Drive."""
import logging
import os

from odoo import _
from odoo.exceptions import UserError

from ..drive import download
from ..drive.errors import (
    ChecksumError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
)
from .drive_metadata import app_properties, drive_name
from .transaction import retrying

_logger = logging.getLogger(__name__)

SAMPLE = 3  # files downloaded and hashed per comparison
SAMPLE_BYTES = 8 * 1024 * 1024  # largest of them
FIXED, FLAGGED = "fixed", "flagged"
MAX_DEPTH = 100  # folders above a file, Drive's own limit
REFUSALS = (ForbiddenError, NotFoundError, InvalidRequestError)


class Mender:
    """Mends differences one by one; each is committed before the next is looked at.

    :param run: the ``ReconcileRun`` that found them
    """

    def __init__(self, run):
        self.run, self.env = run, run.env
        self.client, self.service = run.client, run.service
        self._again = set()  # attachments to upload again
        self._opened = set()  # folders that were taken out of the trash or made private

    def mend(self, drift):
        """Mend or flag one difference.

        :raises DriveError: Drive does not answer
        """
        self.env.cr.commit()  # users go on meanwhile: a new snapshot
        try:
            result = getattr(self, "_mend_" + drift.kind)(drift)
        except REFUSALS as err:
            _logger.info("%s: %s not mended: %s", drift.kind, drift.file, err)
            self.run.errors += 1
            self._log(drift, "error", str(err))
            return
        if result == FIXED:
            self.run.fixed += 1
            self._log(drift, "success", self._words()[drift.kind])
        elif result == FLAGGED:
            self.run.news = True
            self._log(drift, "error", self._words()[drift.kind])
        self.run.writes += bool(result)

    def finish(self):
        """What is done once, after all differences."""
        if self.run.reason is None:
            self._sample()
        self._upload_again()
        self.env["cloud_storage.trash"]._process(self.run.box)

    def _upload_again(self):
        if not self._again or not self.run.config.is_active:
            return
        ids = sorted(self._again)
        again = self.service._create_run(self.run.config, "single", ids=ids)
        try:
            self.service._work(again, self.run.box)
        except UserError as err:
            _logger.warning("Not uploaded again: %s", err)

    def _words(self):
        """What is written to the log, by kind of difference."""
        return {
            "missing": _("The file is gone from Google Drive."),
            "changed": _("The file was changed in Google Drive."),
            "damaged": _("Google Drive gives other bytes than were stored."),
            "trashed": _("It was in the trash of Google Drive and was taken out."),
            "public": _("Anyone could read it in Google Drive; that was ended."),
            "renamed": _("It was renamed in Google Drive and has its name again."),
            "moved": _("It was moved in Google Drive and is back in its folder."),
            "unmarked": _("Its mark in Google Drive was missing and was renewed."),
            "healed": _("The file is in Google Drive again, as it was."),
            "lost": _("Its local file was missing; it is read from Google Drive."),
            "orphan": _("No attachment uses this file: it goes to the trash."),
        }

    def _log(self, drift, status, message):
        if drift.rows:
            entries = [self._describe(row) for row in drift.rows]
        else:
            file = drift.file
            entries = [{"file_name": file["name"], "drive_file_id": file["id"]}]
        for values in entries:
            values["error_message"] = message
        retrying(self.env, lambda: [self.run.log(status, entry) for entry in entries])

    def _describe(self, row):
        return {
            "attachment_id": row.id,
            "file_name": row.name,
            "model_name": row.res_model,
            "record_id": row.res_id,
            "file_size_bytes": row.cloud_size_bytes,
            "drive_file_id": row.cloud_file_id,
        }

    # -- rows --------------------------------------------------------------------------

    def _settled(self, rows):
        """The attachments that still are what they were when compared, locked."""
        self.env.cr.execute(
            "SELECT id FROM ir_attachment WHERE (id, cloud_file_id) IN %s"
            " AND (cloud_sync_status IN ('synced', 'error') OR"
            " cloud_sync_status = 'local' AND store_fname IS NULL AND db_datas IS NULL)"
            " ORDER BY id FOR UPDATE",
            (tuple((row.id, row.cloud_file_id) for row in rows),),
        )
        ids = [row_id for (row_id,) in self.env.cr.fetchall()]
        return self.service._attachments().browse(ids)

    def _flag(self, rows, message):
        """Mark attachments as broken; nothing when they are marked so already."""
        return retrying(self.env, lambda: self._flag_settled(rows, message))

    def _flag_settled(self, rows, message):
        todo = self._settled(rows).filtered(
            lambda a: (a.cloud_sync_status, a.cloud_error_message) != ("error", message)
        )
        todo.write({"cloud_sync_status": "error", "cloud_error_message": message})
        here = todo.filtered(lambda a: a._is_proxy_link() and a._has_local_bytes())
        here.write({"type": "binary", "url": False})  # fit for another upload
        return FLAGGED if todo else None

    def _mend_missing(self, drift):
        return retrying(self.env, lambda: self._forget_or_flag(drift.rows))

    def _forget_or_flag(self, rows):
        """Local bytes are uploaded again; without them a person must know."""
        here = self._settled(rows).filtered(lambda a: a._is_on_server())
        here._forget_cloud()
        self._again.update(here.ids)
        gone = [row for row in rows if row.id not in here.ids]
        if gone and self._flag_settled(gone, self._words()["missing"]):
            self.run.news = True
            return FIXED if here else FLAGGED
        return FIXED if here else None

    def _mend_changed(self, drift):
        return self._flag(drift.rows, self._words()["changed"])

    def _mend_healed(self, drift):
        if not self._is_proven(drift.rows[0]):
            return self._flag(drift.rows, self._words()["damaged"])
        return retrying(self.env, lambda: self._unflag(drift.rows))

    def _unflag(self, rows):
        found = self._settled(rows)
        found.write({"cloud_sync_status": "synced", "cloud_error_message": False})
        return FIXED if found else None

    def _mend_lost(self, drift):
        return retrying(self.env, lambda: self._drop_missing(drift.rows))

    def _drop_missing(self, rows):
        return FIXED if self.service._drop_missing_files(self._settled(rows)) else None

    # -- files -------------------------------------------------------------------------

    def _mend_trashed(self, drift):
        """Out of the trash: the file, or the folder that took it there."""
        if drift.file.get("explicitlyTrashed"):
            self.client.update(drift.file["id"], trashed=False)
            return FIXED
        for folder in self._folders_above(drift.file):
            if folder["id"] in self._opened:
                return FIXED
            if folder.get("explicitlyTrashed"):
                self.client.update(folder["id"], trashed=False)
                self._opened.add(folder["id"])
                return FIXED
        return None

    def _folders_above(self, file):
        """The folders above a file, nearest first, as far as they can be seen."""
        fields = "id,parents,explicitlyTrashed"
        for _depth in range(MAX_DEPTH):
            if not file.get("parents"):
                return
            file = self.client.get(file["parents"][0], fields=fields)
            yield file

    def _mend_public(self, drift):
        try:
            self._close(drift.file["id"])
        except ForbiddenError:
            for folder in self._folders_above(drift.file):
                if folder["id"] in self._opened or self._close(folder["id"]):
                    self._opened.add(folder["id"])
                    return FIXED
            raise
        return FIXED

    def _close(self, file_id):
        """Take away what makes a file or folder public; tell whether there was any."""
        public = [p for p in self.client.permissions(file_id) if p["type"] == "anyone"]
        for permission in public:
            self.client.unshare(file_id, permission["id"])
        return bool(public)

    def _mend_renamed(self, drift):
        self.client.update(drift.file["id"], name=drive_name(drift.rows[0]))
        return FIXED

    def _mend_moved(self, drift):
        home = self.run.folders.home_of(drift.rows[0])
        parents = drift.file.get("parents", [])
        if not home or home in parents:
            return None
        self.client.move(drift.file["id"], home, parents)
        return FIXED

    def _mend_unmarked(self, drift):
        marks = app_properties(self.run.auth._database_uuid(), drift.rows[0])
        self.client.update(drift.file["id"], appProperties=marks)
        return FIXED

    def _mend_orphan(self, drift):
        """Into the queue for the trash, which looks once more whether it is unused."""
        file = drift.file
        if self.run.relink_needed:
            self.run.errors += 1
            return None
        if not self.run.is_overdue(file):
            return None
        trash = self.env["cloud_storage.trash"].sudo()
        if trash.search_count([("drive_file_id", "=", file["id"])]):
            return None
        trash.create({"auth_id": self.run.auth.id, "drive_file_id": file["id"]})
        return FIXED

    # -- the real bytes ----------------------------------------------------------------

    def _sample(self):
        """Download and hash a few files: metadata can be right and bytes wrong."""
        for row in self.run.sample(SAMPLE, SAMPLE_BYTES):
            if self._is_proven(row):
                continue
            self.run.errors += 1
            if self._flag([row], self._words()["damaged"]):
                self.run.news = True

    def _is_proven(self, row):
        """Whether Drive gives the bytes that were stored; asked twice when not."""
        size = int(row.cloud_size_bytes)
        for _attempt in range(2):
            try:
                with open(os.devnull, "wb") as nowhere:
                    download.save(
                        self.client, row.cloud_file_id, size, row.cloud_md5, nowhere
                    )
            except ChecksumError:
                continue
            except REFUSALS:
                break  # deleted meanwhile: the next comparison tells
            return True
        return False

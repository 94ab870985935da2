"""What to do about each kind of difference between Odoo and Drive."""
import logging

from odoo import _
from odoo.exceptions import UserError

from ..drive.client import FILE_FIELDS
from ..drive.errors import (
    DriveError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
)
from ..engine import attachments, candidates, runner
from ..engine.metadata import app_properties, drive_name
from ..engine.transaction import retrying
from .content_proof import DAMAGED, NO_CONTENT, PROVEN, prove, row_size

_logger = logging.getLogger(__name__)

SAMPLE = 3  # files downloaded and hashed per comparison
SAMPLE_BYTES = 8 * 1024 * 1024  # largest of them
#: What is downloaded at most per comparison to prove what rows can not tell.
PROOFS, PROOF_BYTES = 20, 256 * 1024 * 1024
FIXED, FLAGGED, NOTED = "fixed", "flagged", "noted"
MAX_DEPTH = 100  # folders above a file, Drive's own limit
REFUSALS = (ForbiddenError, NotFoundError, InvalidRequestError)


class Mender:
    """Mends differences one by one; each is committed before the next is looked at.

    :param run: the ``ReconcileRun`` that found them
    """

    def __init__(self, run):
        self.run, self.env = run, run.env
        self.client, self.service = run.drive, run.service
        self._again = set()  # attachments to upload again
        self._opened = set()  # folders that were taken out of the trash or made private
        self._proofs, self._proof_bytes = PROOFS, PROOF_BYTES

    def mend(self, drift):
        """Mend or flag one difference; what is wrong with it stops no other.

        :raises DriveError: Drive does not answer
        """
        self.env.cr.commit()  # users go on meanwhile: a new snapshot
        self.env["ir.attachment"].invalidate_cache()
        try:
            self._mend_one(drift)
        except REFUSALS as err:
            _logger.info("%s: %s not mended: %s", drift.kind, drift.file, err)
            self.run.errors += 1
            self._log(drift, "error", str(err))
        except DriveError:
            raise
        except Exception:  # pylint: disable=broad-except
            _logger.exception("%s: %s not mended", drift.kind, drift.file)
            self.env.cr.rollback()
            self.env.cache.invalidate()
            self.run.errors += 1

    def _mend_one(self, drift):
        result = getattr(self, "_mend_" + drift.kind)(drift)
        if result == FIXED:
            self.run.fixed += 1
            self._log(drift, "success", self._words()[drift.kind])
        elif result == FLAGGED:
            self.run.damage = True
            self._log(drift, "error", self._words()[drift.kind])
        self.run.writes += result in (FIXED, FLAGGED)

    def finish(self):
        """What is done once, after all differences."""
        self._sample()
        self._upload_again()
        self.env["cloud_storage.trash"]._process(self.run.deadline)

    def _upload_again(self):
        if not self._again or not self.run.config.is_active:
            return
        ids = sorted(self._again)
        again = runner.create_run(self.run.config, "single", ids=ids)
        try:
            runner.work(again, self.run.deadline)
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
            "unproven": _("The file was read and is what its attachment has there."),
            "relinked": _("An attachment had lost its content and has it again."),
            "unused": _("No attachment uses this file: it goes to the trash."),
        }

    def _log(self, drift, status, message):
        if drift.rows:
            entries = [self._describe(row) for row in drift.rows]
        else:
            file = drift.file
            entries = [{"file_name": file.get("name"), "drive_file_id": file["id"]}]
        for values in entries:
            values["error_message"] = message
        retrying(self.env, lambda: [self.run.log(status, entry) for entry in entries])

    def _describe(self, row):
        return {
            "attachment_id": row.id,
            "file_name": row.name,
            "model_name": row.res_model,
            "record_id": row.res_id,
            "file_size_bytes": row_size(row),
            "drive_file_id": row.cloud_file_id,
        }

    # -- rows --------------------------------------------------------------------------

    def _settled(self, rows):
        """The attachments that still are what they were when compared, locked."""
        self.env.cr.execute(
            "SELECT id FROM ir_attachment WHERE (id, cloud_file_id) IN %s"
            " AND (cloud_sync_status IN ('synced', 'error') OR store_fname IS NULL"
            " AND db_datas IS NULL AND COALESCE(cloud_sync_status, 'local') = 'local')"
            " ORDER BY id FOR UPDATE",
            (tuple((row.id, row.cloud_file_id) for row in rows),),
        )
        ids = [row_id for (row_id,) in self.env.cr.fetchall()]
        return candidates.everything(self.env).browse(ids)

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
        """Bytes that are here are uploaded again; else a sibling may have them."""
        attachments = candidates.everything(self.env)
        places = {
            row.id: self.service._content_elsewhere(row)
            for row in drift.rows
            if not attachments.browse(row.id).exists()._is_on_server()
        }
        self.env.cr.commit()  # looking took its time: a new snapshot
        self.env["ir.attachment"].invalidate_cache()
        return retrying(self.env, lambda: self._repair_or_flag(drift.rows, places))

    def _repair_or_flag(self, rows, places):
        """:param dict places: where the content of attachments is besides, by id"""
        settled = self._settled(rows)
        here = settled.filtered(lambda a: a._is_on_server())
        taken = (settled - here).filtered(
            lambda a: places.get(a.id) and self.service._take_content(a, places[a.id])
        )
        here._forget_cloud()
        self._unqueue(rows)
        here |= taken.filtered(lambda a: not a.cloud_file_id)
        self._again.update(here.ids)
        repaired = here | taken
        gone = [row for row in rows if row.id not in repaired.ids]
        if gone and self._flag_settled(gone, self._words()["missing"]):
            self.run.damage = True
            return FIXED if repaired else FLAGGED
        return FIXED if repaired else None

    def _unqueue(self, rows):
        """What is gone needs not go to the trash any more; triggers queued it."""
        self.env["ir.attachment"].flush()
        self.env.cr.execute(
            "DELETE FROM cloud_storage_trash WHERE drive_file_id IN %s",
            (tuple(row.cloud_file_id for row in rows),),
        )

    def _mend_changed(self, drift):
        return self._flag(drift.rows, self._words()["changed"])

    def _mend_healed(self, drift):
        verdict, _content = prove(self.client, drift.rows[0])
        if verdict == DAMAGED:
            return self._flag(drift.rows, self._words()["damaged"])
        if verdict != PROVEN:
            self.run.unknown += len(drift.rows)
            return None
        return retrying(self.env, lambda: self._unflag(drift.rows))

    def _mend_unproven(self, drift):
        """Read the file: what its rows say does not tell whether it is theirs."""
        result = None
        for row in drift.rows:
            found = self._prove(row) or self._undecided()
            result = result or found
        return result

    def _undecided(self):
        self.run.unknown += 1

    def _prove(self, row):
        if self._proofs == PROOFS or self._proof_bytes >= row_size(row) and self._proofs:
            self._proofs -= 1
            self._proof_bytes -= row_size(row)
            verdict, content = prove(self.client, row)
            if verdict == DAMAGED:
                self.run.errors += 1
                return self._flag([row], self._words()["damaged"])
            if verdict == PROVEN:
                return retrying(self.env, lambda: self._note_content(row, content))
        return None

    def _note_content(self, row, content):
        """Write down what was read; the row is well then."""
        found = self._settled([row])
        if found:
            attachments.note_content(self.env, found.ids, content, NO_CONTENT[-1])
            found.invalidate_cache()
        return NOTED if row.cloud_sync_status == "synced" else FIXED

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

    def _mend_relinked(self, drift):
        """Give an attachment back what it lost, out of the trash if need be."""
        file, run = drift.file, self.run
        if file.get("trashed"):
            self._mend_trashed(drift)
        # a list may lag behind: what is linked is what the file is now
        file = self.client.get(file["id"], fields=FILE_FIELDS)
        self.env.cr.commit()
        found = retrying(
            self.env, lambda: self.service._relink_file(run.auth, file)
        )
        run.relinked += len(found)
        return FIXED if found else None

    def _mend_unused(self, drift):
        """Into the queue for the trash, which looks once more whether it is unused."""
        return retrying(self.env, lambda: self._queue_unused(drift.file["id"]))

    def _queue_unused(self, file_id):
        trash = self.env["cloud_storage.trash"].sudo()
        if trash.search_count([("drive_file_id", "=", file_id)]):
            return None
        trash.create({"auth_id": self.run.auth.id, "drive_file_id": file_id})
        trash.flush()
        self.env["cloud_storage.unused.file"]._forget([file_id])
        self.run.gone += 1
        return FIXED

    # -- the real bytes ----------------------------------------------------------------

    def _sample(self):
        """Download and hash a few files: metadata can be right and bytes wrong."""
        for row in self.run.sample(SAMPLE, SAMPLE_BYTES):
            verdict, _content = prove(self.client, row)
            if verdict == DAMAGED:
                self.run.errors += 1
                if self._flag([row], self._words()["damaged"]):
                    self.run.damage = True
            elif verdict != PROVEN:
                self.run.unknown += 1

"""What a restore is about: which files, how large, does it fit."""
import os
import shutil

from odoo import _, api, models
from odoo.exceptions import UserError
from odoo.tools import human_size

from ..drive.errors import DriveError
from ..engine.messages import Messages
from .restore_run import FolderRestoreRun, RestoreRun, folder_files, restorable

SAMPLE = 10  # names shown before somebody confirms
DISK_RESERVE = 64 * 1024 * 1024  # bytes a restore leaves free


class CloudStorageSyncService(models.AbstractModel):
    _inherit = "cloud_storage.sync.service"

    @api.model
    def _worker(self, run, box):
        if run.sync_type != "restore":
            return super()._worker(run, box)
        kind = FolderRestoreRun if "folder_id" in run._get_params() else RestoreRun
        return kind(self, run, box)

    @api.model
    def _selection_domain(self, params):
        """The cloud files that a selection means.

        :param dict params: ``ids``, ``model``, ``auth_id``; what is absent restricts
            nothing
        """
        domain = [("cloud_file_id", "!=", False)]
        if "ids" in params:
            domain.append(("id", "in", params["ids"]))
        if params.get("model"):
            domain.append(("res_model", "=", params["model"]))
        if params.get("auth_id"):
            domain.append(("cloud_auth_id", "=", params["auth_id"]))
        return domain

    @api.model
    def _restore_domain(self, params):
        """Those of a selection that are not restored yet, or still to be let go of."""
        domain = self._selection_domain(params)
        if params.get("trash"):
            return domain
        not_pinned = ["|", ("cloud_keep_local", "=", False), ("type", "=", "url")]
        return domain + ["|"] + not_pinned + self._remote_domain()

    @api.model
    def _remote_domain(self):
        """Files whose bytes are only in Drive, those that the filestore lost included."""
        return [
            "|",
            ("id", "in", self._lost_ids()),
            "&",
            "&",
            ("store_fname", "=", False),
            ("db_datas", "=", False),
            ("cloud_size_bytes", ">", 0),
        ]

    @api.model
    def _lost_ids(self):
        """Attachments in the cloud whose row names a local file that is not there."""
        attachments = self.env["ir.attachment"]
        attachments.flush()
        return [
            number
            for number, fname in self._rows(
                "id, store_fname",
                "cloud_file_id IS NOT NULL AND cloud_size_bytes > 0"
                " AND store_fname IS NOT NULL",
            )
            if not os.path.exists(attachments._full_path(fname))
        ]

    @api.model
    def _preview_rows(self, domain):
        """Count, bytes and some names of the attachments of a domain.

        :rtype: tuple[int, int, list[str]]
        """
        found = self._attachments().read_group(
            [("id", "!=", 0)] + domain, ["cloud_size_bytes"], []
        )[0]
        first = self._search_attachments(domain, limit=SAMPLE, order="id")
        size = int(found["cloud_size_bytes"] or 0)
        return found["__count"], size, first.mapped("name")

    @api.model
    def _preview_folder(self, auth, folder_id, only_ours=False):
        """Count, bytes and some names of the files below a folder in Drive.

        :param bool only_ours: leave out what Odoo did not put there
        :raises UserError: it is not there, or Drive can not be reached
        """
        try:
            found = folder_files(auth._drive_client(tries=3), folder_id)
            files = list(restorable(found, only_ours))
        except DriveError as err:
            raise UserError(Messages(self.env).drive(err)) from err
        size = sum(int(file["size"]) for file in files)
        return len(files), size, [file["name"] for file in files[:SAMPLE]]

    @api.model
    def _free_bytes(self):
        """Free disk space of the filestore; None when files are in the database."""
        attachments = self.env["ir.attachment"]
        if attachments._storage() == "db":
            return None
        path = attachments._filestore()
        while not os.path.isdir(path):
            path = os.path.dirname(path)
        return shutil.disk_usage(path).free

    @api.model
    def _check_fits(self, size):
        """:raises UserError: ``size`` more bytes do not fit into the filestore"""
        free = self._free_bytes()
        if free is not None and size + DISK_RESERVE > free:
            raise UserError(
                _(
                    "%(size)s do not fit: the disk of the filestore has %(free)s left."
                    " Restore less, or make room first.",
                    size=human_size(size),
                    free=human_size(free),
                )
            )

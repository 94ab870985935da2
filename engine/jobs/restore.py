"""Bringing files back: those of attachments, and those of a folder in Drive."""

import functools

from .. import candidates
from ..content import restoring
from ..content.relink import adopt, has_content, relink
from ..reader.content import READ_TRIES
from ..transaction import retrying
from . import selection
from .base import AttachmentJob, FileJob


def restore_job(run, deadline):
    """The job of a restore, by what its run names."""
    kind = FolderRestoreJob if "folder_id" in run._get_params() else RestoreJob
    return kind(run, deadline)


def _bring_back(job, attachment):
    # with the job's clients, which end with it, in the middle of a large file too
    restoring.restore(attachment, functools.partial(job.client, tries=READ_TRIES))
    if job.params.get("trash"):
        attachment._forget_cloud()


class RestoreJob(AttachmentJob):
    """Restore the attachments of a selection."""

    def __init__(self, run, deadline):
        super().__init__(run, deadline)
        # once: it looks at every local file
        self._domain = selection.to_restore(self.env, self.params)

    def domain(self):
        """Those that were not restored when the run began."""
        return self._domain

    def treat(self, attachment_id):
        """Bring the bytes back, then let go of the copy in Drive when asked to."""
        return retrying(self.env, lambda: self._restore(attachment_id))

    def _restore(self, attachment_id):
        attachment = candidates.everything(self.env).browse(attachment_id).exists()
        if not attachment.cloud_file_id:
            return None  # deleted or written to meanwhile
        values = self.describe(attachment_id)
        _bring_back(self, attachment)
        return values


class FolderRestoreJob(FileJob):
    """Restore the files of a folder in Drive and of the folders below it.

    A file is linked to the attachment it was made for, or to one with the same content
    that lost its bytes; what nobody knows becomes an attachment of a default record.
    """

    def __init__(self, run, deadline):
        super().__init__(run, deadline)
        self.auth = self.env["cloud_storage.auth"].browse(self.params["auth_id"])

    def total(self):
        """Unknown before the folder was looked into."""
        return 0

    def items(self):
        """Metadata of the files, all folders below included."""
        client = self.client(self.auth)
        found = selection.folder_files(client, self.params["folder_id"])
        files = list(selection.restorable(found, self.params.get("only_ours")))
        start = {"total_files": len(files), "total_processed": 0, "total_skipped": 0}
        retrying(self.env, lambda: self.run.write(start))
        return iter(files)

    def treat(self, file):
        """Link or create, then restore."""
        return retrying(self.env, lambda: self._restore(file))

    def _restore(self, file):
        users, is_new = self._users(file)
        wanted = selection.to_restore(self.env, dict(self.params, ids=users.ids))
        todo = candidates.search(self.env, wanted)
        for attachment in todo:
            _bring_back(self, attachment)
        return self.describe(file, users[:1]) if todo or is_new else None

    def _users(self, file):
        """The attachments of a file, and whether they were made just now."""
        users = candidates.search(self.env, [("cloud_file_id", "=", file["id"])])
        users = users or relink(self.auth, file, self.quick_client)
        if users or has_content(self.env, file, self.quick_client):
            return users, False
        record = (self.params["default_model"], self.params["default_id"], "")
        return adopt(self.auth, file, record), True

    def describe(self, file, attachment=None):
        """Name and size of a file."""
        return {
            "attachment_id": attachment.id if attachment else None,
            "file_name": file["name"],
            "file_size_bytes": int(file.get("size", 0)),
            "drive_file_id": file["id"],
            "drive_url": file.get("webViewLink"),
        }

"""Bringing files back: those of attachments, and those of a folder in Drive."""
from ..drive.client import FILE_FIELDS
from ..drive.query import FOLDER_TYPE, children_of
from ..engine.transaction import retrying
from .drive_metadata import DATABASE
from .file_run import AttachmentRun, FileRun


class RestoreRun(AttachmentRun):
    """Restore the attachments of a selection."""

    def __init__(self, service, run, box):
        super().__init__(service, run, box)
        # once: it looks at every local file
        self._domain = self.service._restore_domain(self.params)

    def domain(self):
        """Those that were not restored when the run began."""
        return self._domain

    def treat(self, attachment_id):
        """Bring the bytes back, then let go of the copy in Drive when asked to."""
        return retrying(self.env, lambda: self._restore(attachment_id))

    def _restore(self, attachment_id):
        attachment = self.service._attachments().browse(attachment_id).exists()
        if not attachment.cloud_file_id:
            return None  # deleted or written to meanwhile
        values = self.describe(attachment_id)
        attachment._restore_one()
        if self.params.get("trash"):
            attachment._forget_cloud()
        return values


class FolderRestoreRun(FileRun):
    """Restore the files of a folder in Drive and of the folders below it.

    A file is linked to the attachment it was made for, or to one with the same content
    that lost its bytes; what nobody knows becomes an attachment of a default record.
    """

    def __init__(self, service, run, box):
        super().__init__(service, run, box)
        self.auth = self.env["cloud_storage.auth"].browse(self.params["auth_id"])

    def total(self):
        """Unknown before the folder was looked into."""
        return 0

    def items(self):
        """Metadata of the files, all folders below included."""
        client = self.auth._drive_client()
        found = folder_files(client, self.params["folder_id"])
        files = list(restorable(found, self.params.get("only_ours")))
        start = {"total_files": len(files), "total_processed": 0, "total_skipped": 0}
        retrying(self.env, lambda: self.run.write(start))
        return iter(files)

    def treat(self, file):
        """Link or create, then restore."""
        return retrying(self.env, lambda: self._restore(file))

    def _restore(self, file):
        users, is_new = self._users(file)
        todo = self.service._search_attachments(
            self.service._restore_domain(dict(self.params, ids=users.ids))
        )
        for attachment in todo:
            attachment._restore_one()
            if self.params.get("trash"):
                attachment._forget_cloud()
        return self.describe(file, users[:1]) if todo or is_new else None

    def _users(self, file):
        """The attachments of a file, and whether they were made just now."""
        users = self.service._search_attachments([("cloud_file_id", "=", file["id"])])
        users = users or self.service._relink_file(self.auth, file)
        if users or self.service._has_content(file):
            return users, False
        record = (self.params["default_model"], self.params["default_id"], "")
        return self.service._adopt(self.auth, file, record), True

    def describe(self, file, attachment=None):
        """Name and size of a file."""
        return {
            "attachment_id": attachment.id if attachment else None,
            "file_name": file["name"],
            "file_size_bytes": int(file.get("size", 0)),
            "drive_file_id": file["id"],
            "drive_url": file.get("webViewLink"),
        }


def restorable(files, only_ours):
    """Those of some files that may come back.

    :param bool only_ours: see ``cloud_storage.auth._shows_only_ours``
    """
    for file in files:
        if not only_ours or DATABASE in file.get("appProperties", {}):
            yield file


def folder_files(client, folder_id):
    """Iterate over the files below a folder, page by page.

    Documents of Google have no bytes and are left out.
    """
    folders, seen = [folder_id], {folder_id}
    while folders:
        for file in client.list(children_of(folders.pop()), fields=FILE_FIELDS):
            if file["mimeType"] == FOLDER_TYPE and file["id"] not in seen:
                seen.add(file["id"])
                folders.append(file["id"])
            elif file.get("md5Checksum"):
                yield file

"""Moving files from one account to another, without touching the disk."""

import logging

from odoo.exceptions import UserError

from ...drive.download import Download
from ...drive.errors import (
    ChecksumError,
    ConflictError,
    DriveError,
    ForbiddenError,
    InvalidRequestError,
    NotFoundError,
)
from ...drive.source import Source
from ...drive.upload import own_file, upload, verify
from .. import attachments, candidates
from ..account.database import database_uuid
from ..account.identity import reserved_for
from ..content.metadata import OURS, app_properties, drive_name, is_neighbours
from ..folders import ROOT_NAME, Folders
from ..outbox import queue
from ..reader.content import proven_content
from ..rules import rule_of
from ..transaction import retrying
from . import selection
from .base import AttachmentJob

_logger = logging.getLogger(__name__)

REMOTE_BLOCK = 4 * 1024 * 1024  # bytes per request to the source
#: Refusals that say that this target may not copy this file itself.
CANNOT_COPY = (ForbiddenError, NotFoundError, InvalidRequestError)


class RemoteFile:
    """A file of Drive, open for reading anywhere in it.

    :param DriveClient client: of an account that may read it
    :param int size: bytes
    """

    def __init__(self, client, file_id, size):
        self._client, self._file_id, self._size = client, file_id, size
        self._position = 0

    def seek(self, position):
        """Go on reading from there."""
        self._position = position

    def read(self, length):
        """The next bytes."""
        length = min(length, self._size - self._position)
        data = Download(self._client, self._file_id, self._position, length)
        self._position += length
        return b"".join(data)

    def close(self):
        """Nothing is kept open between reads."""


class MigrateJob(AttachmentJob):
    """Move the files of a selection to another account.

    One file after the other, however many attachments share it: reserve an id in the
    target and commit it, copy, compare, change the rows, and only then let go of the
    source. Whoever takes up an interrupted run meets its half-done copy under the
    reserved id.
    """

    def __init__(self, run, deadline):
        super().__init__(run, deadline)
        accounts = self.env["cloud_storage.auth"]
        self.source_auth = accounts.browse(self.params["auth_id"])
        self.target_auth = accounts.browse(self.params["target_id"])
        self.after = self.params["after"]
        self._root_id = None

    def domain(self):
        """What is still in the source account, and not just being uploaded."""
        domain = selection.in_drive(self.params)
        return domain + [("cloud_sync_status", "!=", "pending")]

    def work(self):
        """Run to the end of this slice.

        :raises UserError: one of the accounts can not be used
        :raises DriveError: Drive can not be reached
        """
        # only a source that loses something is written to
        self.source = self.client(self.source_auth, write=True)
        self.target = self.client(self.target_auth, write=True)
        config = self.target_auth.config_ids[:1]
        self.folders = Folders(self.env, config, self.target) if config else None
        super().work()

    def treat(self, attachment_id):
        """Move the file of an attachment, and of the others that share it."""
        rows = retrying(self.env, lambda: self._reserve(attachment_id))
        if not rows:
            return None
        size, sha1 = proven_content(rows[0], self.client)
        copy = self._verified_copy(rows[0], size, sha1)
        source_id = rows[0].cloud_file_id
        is_ours = self._is_ours(source_id)
        if self.after == "keep" and is_ours:
            # no longer ours: reconcile would take it for left behind
            self.source.update(source_id, appProperties=dict.fromkeys(OURS))
        values = retrying(self.env, lambda: self._repoint(source_id, rows, copy))
        if self.after == "delete" and values and is_ours:
            self._delete(source_id)
        return values

    def _is_ours(self, file_id):
        """Whether no other database uses a file: this one may be a copy of it."""
        file = self.source.get(file_id, fields="id,appProperties")
        return not is_neighbours(file, database_uuid(self.env))

    def _reserve(self, attachment_id):
        """The rows that share a file, their id in the target written down."""
        first = candidates.everything(self.env).browse(attachment_id).exists()
        if not first.cloud_file_id or first.cloud_auth_id != self.source_auth:
            return first.browse()  # moved with another row, or changed
        rows = self._sharers(first.cloud_file_id)
        target = reserved_for(self.target_auth)
        begun = rows.filtered("cloud_reserved_id")
        ours = begun.filtered(lambda a: a.cloud_reserved_for == target)[:1]
        reserved = ours.cloud_reserved_id or self.target.generate_ids(1)[0]
        for other in {(a.cloud_reserved_id, a.cloud_reserved_for) for a in begun}:
            if other != (reserved, target):
                queue.add_given_up(self.env, *other)  # on the way to another account
        rows.filtered(lambda a: a.cloud_reserved_id != reserved).write(
            {"cloud_reserved_id": reserved, "cloud_reserved_for": target}
        )
        return rows

    def _sharers(self, file_id):
        return candidates.search(
            self.env,
            [
                ("cloud_file_id", "=", file_id),
                ("cloud_auth_id", "=", self.source_auth.id),
                ("cloud_sync_status", "!=", "pending"),
            ],
            order="id",
        )

    # -- the copy ----------------------------------------------------------------------

    def _copy(self, row, size):
        """Metadata of the file in the target, however it gets there."""
        body = {
            "id": row.cloud_reserved_id,
            "name": drive_name(row),
            "parents": [self._folder(row)],
            "appProperties": app_properties(database_uuid(self.target_auth.env), row),
        }
        try:
            return self._copy_in_drive(row.cloud_file_id, body)
        except ConflictError:
            return own_file(self.target, body)  # of an earlier try
        except CANNOT_COPY as err:
            _logger.debug("%s goes through this server: %s", row.cloud_file_id, err)
        return self._copy_through_here(row, body, size)

    def _folder(self, row):
        rule = self.folders and rule_of(self.target_auth.config_ids[:1], row)
        if rule:
            return self.folders.folder_for(rule, row.create_date)
        if self._root_id is None:
            root = self.target.root_id()
            found = self.target.find_folder(ROOT_NAME, root)
            found = found or self.target.create_folder(ROOT_NAME, root)
            self._root_id = found["id"]
        return self._root_id

    def _copy_in_drive(self, file_id, body):
        """Copy on Drive's side; the target may read the source for that moment."""
        reader = self.target_auth.account_email
        known = {p.get("emailAddress") for p in self.source.permissions(file_id)}
        lent = None if reader in known else self.source.share(file_id, reader)
        try:
            return self.target.copy(file_id, **body)
        finally:
            if lent:
                self.source.unshare(file_id, lent)

    def _copy_through_here(self, row, body, size):
        source = Source(
            lambda: RemoteFile(self.source, row.cloud_file_id, size),
            size,
            row.mimetype,
            block=REMOTE_BLOCK,
        )
        return upload(self.target, body, source)

    def _verified_copy(self, row, size, sha1):
        """The copy's metadata, once it is proven to have the content.

        :raises DriveError: it has another one, or Drive does not tell
        """
        try:
            return verify(self.target, self._copy(row, size), size, sha1)
        except (ChecksumError, InvalidRequestError):
            retrying(self.env, lambda: self._give_up(row))
            raise

    def _give_up(self, row):
        """Another id for the next try; what is under this one goes to the trash."""
        begun = (row.cloud_reserved_id, row.cloud_reserved_for)
        queue.add_given_up(self.env, *begun)
        self._sharers(row.cloud_file_id).write({"cloud_reserved_id": False})

    # -- the rows ----------------------------------------------------------------------

    def _repoint(self, source_id, rows, copy):
        """Make the rows name the copy, unless they changed; return log values."""
        moved = attachments.repoint(
            self.env, self.source_auth, source_id, self.target_auth, copy
        )
        rows.invalidate_cache()
        if not moved:
            queue.add(self.env, self.target_auth.id, copy["id"])
            return None
        if self.after == "keep":
            queue.remove(self.env, [source_id])  # the trigger on the rows queued it
        return self.describe(moved[0])

    def _delete(self, source_id):
        """For good; should that fail, the queue still puts it in the trash."""
        if queue.is_used(self.env, source_id):
            return
        try:
            self.source.delete(source_id)
        except (DriveError, UserError) as err:
            _logger.info("%s goes to the trash instead: %s", source_id, err)
            return
        retrying(self.env, lambda: queue.remove(self.env, [source_id]))

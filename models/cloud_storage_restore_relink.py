"""Finding the attachment that a file in Drive belongs to."""
import logging
import os

from odoo import SUPERUSER_ID, api, models
from odoo.exceptions import UserError

from ..drive.client import FILE_FIELDS
from ..drive.errors import DriveError
from ..drive.query import with_app_property
from .drive_metadata import CHECKSUM, DATABASE, attachment_id, record_of
from .transaction import retrying

#: Parameter that keeps reconcile from trashing what a restored database does not know.
RELINK_NEEDED = "cloud_storage.relink_needed"

_logger = logging.getLogger(__name__)


class CloudStorageSyncService(models.AbstractModel):
    _inherit = "cloud_storage.sync.service"

    @api.model
    def _relink_from_drive(self, database_uuid=None):
        """Rebuild what a database restored from an old backup does not know.

        Every file in Drive that this database once sent is linked to its attachment
        again, by id and checksum, or to one with the same content that lost its bytes.
        A file whose attachment is gone altogether gets a new one, on the record it was
        attached to. Nothing is changed in Drive; doing it twice changes nothing more.

        :param str database_uuid: of the lost database; this one's by default
        :return: ``checked`` files, ``linked`` and ``created`` attachments, ``errors``
        :rtype: dict
        """
        self._check_manager()
        self = self.with_user(SUPERUSER_ID)  # nobody else may write cloud fields
        report = dict.fromkeys(("checked", "linked", "created", "errors"), 0)
        for auth in self._live_accounts():
            try:
                self._relink_account(auth, database_uuid, report)
            except (DriveError, UserError) as err:
                _logger.warning("Account %s was not relinked: %s", auth.id, err)
                self.env.cr.rollback()
                report["errors"] += 1
        if not report["errors"]:
            self.env["ir.config_parameter"].set_param(RELINK_NEEDED, False)
        return report

    @api.model
    def _live_accounts(self):
        accounts = self.env["cloud_storage.auth"].sudo()
        return accounts.search(
            [("is_active", "=", True), ("state", "in", ("authorized", "expired"))],
            order="id",
        )

    @api.model
    def _relink_account(self, auth, database_uuid, report):
        query = with_app_property(DATABASE, database_uuid or auth._database_uuid())
        for file in auth._drive_client().list(query, fields=FILE_FIELDS):
            report["checked"] += 1
            if not file.get("md5Checksum"):
                continue
            linked, created = retrying(
                self.env, lambda file=file: self._relink_or_adopt(auth, file)
            )
            report["linked"] += linked
            report["created"] += created

    @api.model
    def _relink_or_adopt(self, auth, file):
        """:return: how many attachments were linked, how many were made"""
        users = self._search_attachments([("cloud_file_id", "=", file["id"])])
        if users:
            return self._drop_missing_files(users), 0
        linked = self._relink_file(auth, file)
        if linked or file.get("trashed") or self._has_content(file):
            return len(linked), 0
        return 0, len(self._adopt(auth, file, record_of(file.get("appProperties", {}))))

    @api.model
    def _relink_file(self, auth, file):
        """Link a file to the attachments it was made for or that lost its content.

        :param dict file: metadata of a file that no attachment uses
        :return: the attachments
        """
        own = self._attachments().browse(attachment_id(file.get("appProperties", {})))
        found = own.exists().filtered(
            lambda a: not a.cloud_file_id and self._is_content_of(a, file)
        )
        if not found:
            found = self._same_content(file).filtered(
                lambda a: not a.cloud_file_id and not self._is_readable(a)
            )
        for attachment in found:
            self._link(attachment, auth, file)
        return found

    @api.model
    def _has_content(self, file):
        """Whether an attachment has these bytes, here or in Drive."""
        return any(
            attachment.cloud_file_id or self._is_readable(attachment)
            for attachment in self._same_content(file)
        )

    @api.model
    def _same_content(self, file):
        return self._search_attachments(
            [
                ("checksum", "=", self._sha1_of(file)),
                ("file_size", "=", int(file["size"])),
                ("cloud_sync_status", "!=", "pending"),
            ]
        )

    @api.model
    def _is_content_of(self, attachment, file):
        return (
            attachment.checksum == self._sha1_of(file)
            and attachment.file_size == int(file["size"])
            and attachment.cloud_sync_status != "pending"
        )

    @api.model
    def _sha1_of(self, file):
        """As Drive computed it; accounts without it have what was uploaded."""
        return file.get("sha1Checksum") or file.get("appProperties", {}).get(CHECKSUM)

    @api.model
    def _is_readable(self, attachment):
        """Whether the bytes are really on this server."""
        if attachment.store_fname:
            return os.path.exists(attachment._full_path(attachment.store_fname))
        return bool(attachment.db_datas)

    @api.model
    def _link(self, attachment, auth, file):
        """Write down where the content of an attachment is in Drive."""
        attachment.flush()
        self.env.cr.execute(
            "UPDATE ir_attachment SET cloud_file_id = %s, cloud_storage_url = %s,"
            " cloud_md5 = %s, cloud_size_bytes = %s, cloud_auth_id = %s,"
            " checksum = %s, file_size = %s, cloud_sync_status = 'synced',"
            " cloud_synced_date = now() at time zone 'UTC', cloud_reserved_id = NULL,"
            " cloud_run_id = NULL, cloud_attempts = 0, cloud_next_attempt = NULL,"
            " cloud_error_message = NULL WHERE id = %s",
            (
                file["id"],
                file.get("webViewLink"),
                file["md5Checksum"],
                int(file["size"]),
                auth.id,
                self._sha1_of(file),
                int(file["size"]),
                attachment.id,
            ),
        )
        attachment.invalidate_cache(ids=attachment.ids)
        self._drop_missing_files(attachment)

    @api.model
    def _drop_missing_files(self, attachments):
        """Read from Drive what the filestore lost: the row still names a file.

        :return: how many attachments that was the case for
        """
        lost = attachments.filtered(
            lambda a: int(a.cloud_size_bytes) and not self._is_readable(a)
        )
        stale = lost.filtered(lambda a: a.store_fname or a.type != "url")
        if stale:
            self.env.cr.execute(
                "UPDATE ir_attachment SET store_fname = NULL, type = 'url',"
                " url = '/cloud_storage/file/' || id WHERE id IN %s",
                (tuple(stale.ids),),
            )
            stale.invalidate_cache(ids=stale.ids)
        return len(stale)

    @api.model
    def _adopt(self, auth, file, record):
        """Make an attachment for a file that has none.

        :param tuple record: model, id and binary field it shall belong to; the
            company's contact when that is gone
        """
        model, res_id, field = record
        target = self.env[model].sudo().browse(res_id) if model in self.env else None
        if target is None or not target.exists():
            target, field = self.env.company.sudo().partner_id, ""
        attachment = self._attachments().create(
            {
                "name": field or file["name"],
                "mimetype": file["mimeType"],
                "res_model": target._name,
                "res_id": target.id,
                "res_field": field or False,
            }
        )
        self._link(attachment, auth, file)
        return attachment

"""Finding the attachment that a file in Drive belongs to."""

import logging

from odoo import SUPERUSER_ID, _, api, models
from odoo.exceptions import UserError

from ..drive.client import FILE_FIELDS
from ..drive.compare import SAME, compare, size_of
from ..drive.errors import DriveError
from ..drive.query import with_app_property
from ..engine import candidates
from ..engine.attachments import link, make_links
from ..engine.metadata import DATABASE, attachment_id, properties_of, record_of
from ..engine.transaction import retrying, share_installation
from .content_proof import is_complete, judge

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
        attached to. Nothing is changed in Drive, but for what an attachment lost being
        taken out of the trash there; doing it twice changes nothing more.

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
        client = auth._drive_client()
        for file in client.list(query, fields=FILE_FIELDS):
            report["checked"] += 1
            try:
                linked, created = self._relink_one(auth, client, file)
            except DriveError:
                raise
            except Exception as err:  # pylint: disable=broad-except
                # whatever is wrong with one file, the others are linked all the same
                _logger.warning("File %s was not relinked: %s", file.get("id"), err)
                self.env.cr.rollback()
                self.env.cache.invalidate()
                report["errors"] += 1
                continue
            report["linked"] += linked
            report["created"] += created

    @api.model
    def _relink_one(self, auth, client, file):
        """:return: how many attachments were linked, how many were made
        :raises UserError: Drive does not tell what the file is
        """
        if not is_complete(file):
            file = client.get(file["id"], fields=FILE_FIELDS)
        if not is_complete(file):
            raise self._unproven_error(file)
        self.env["ir.attachment"].invalidate_cache()
        if file.get("trashed") and self._lacking_for([file]):
            file = auth._drive_client(write=True).update(
                file["id"], fields=FILE_FIELDS, trashed=False
            )
        return retrying(self.env, lambda: self._relink_or_adopt(auth, file))

    @api.model
    def _unproven_error(self, file):
        return UserError(
            _(
                "Google Drive does not tell the SHA-1 of %s, so it can not be verified.",
                file.get("name") or file["id"],
            )
        )

    @api.model
    def _relink_or_adopt(self, auth, file):
        """:return: how many attachments were linked, how many were made"""
        users = candidates.search(self.env, [("cloud_file_id", "=", file["id"])])
        if file.get("trashed"):
            return 0, 0  # it is as good as gone
        if users:
            whole = users.filtered(lambda a: judge(file, a) == SAME)
            return self._drop_missing_files(whole), 0
        linked = self._relink_file(auth, file)
        if linked or self._has_content(file):
            return len(linked), 0
        return 0, len(self._adopt(auth, file, record_of(properties_of(file))))

    @api.model
    def _relink_file(self, auth, file):
        """Link a file to the attachments it was made for or that lost its content.

        What the file carries only says where to look: an attachment gets it when it
        lacks its content and says that this was it, or when its own bytes are the same.

        :param dict file: metadata of a file that no attachment uses
        :return: the attachments
        """
        found = candidates.everything(self.env)
        if file.get("trashed") or not is_complete(file):
            return found
        own = found.browse(attachment_id(properties_of(file))).exists()
        for attachment in own | self._same_content(file):
            is_own = attachment == own
            if self._says_it_is(attachment, file, is_own) and (
                self._lacks_content(attachment)
                or is_own
                and not attachment.cloud_file_id
                and self._is_here(attachment, file)
            ):
                found |= attachment
        for attachment in found:
            self._link(attachment, auth, file)
        return found

    @api.model
    def _says_it_is(self, attachment, file, is_own):
        """Whether what a row says of its content goes with a file.

        :param bool is_own: the file was made for it: it need not say anything more
        """
        sha1s = self._sha1s_of(attachment.store_fname, attachment.checksum)
        size = attachment.file_size
        if is_own and not sha1s:
            return size == size_of(file) or not size
        return file["sha1Checksum"] in sha1s and size in (0, size_of(file))

    @api.model
    def _is_here(self, attachment, file):
        """Whether the bytes on this server are those of a file, read and compared."""
        if attachment.store_fname:
            content = self._measure_file(attachment.store_fname)
        else:
            content = self._measure_bytes(attachment)
        return bool(content) and compare(file, content.size, content.sha1) == SAME

    @api.model
    def _has_content(self, file):
        """Whether an attachment really has these bytes, here or in Drive."""
        return any(
            self._is_here(attachment, file) or self._is_in_drive(attachment, file)
            for attachment in self._same_content(file)
        )

    @api.model
    def _is_in_drive(self, attachment, file):
        found = attachment.cloud_file_id and self._file_of(attachment)
        return bool(found) and (
            compare(found, size_of(file), file.get("sha1Checksum")) == SAME
        )

    @api.model
    def _same_content(self, file):
        """Attachments that say they have the content of a file."""
        if not is_complete(file):
            return candidates.everything(self.env)
        return candidates.search(
            self.env,
            [
                ("checksum", "=", file["sha1Checksum"]),
                ("cloud_sync_status", "!=", "pending"),
            ],
        )

    @api.model
    def _link(self, attachment, auth, file):
        """Write down where the content of an attachment is in Drive.

        :param dict file: metadata, its sha1 and size included
        :raises UserError: the addon is being uninstalled
        """
        if not share_installation(self.env.cr):
            raise UserError(_("Cloud Storage is being uninstalled: nothing is linked."))
        attachment.flush()
        link(self.env, attachment.id, auth.id, file)
        self.env["cloud_storage.unused.file"]._forget([file["id"]])
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
        make_links(self.env, stale.ids)
        return len(stale)

    @api.model
    def _adopt(self, auth, file, record):
        """Make an attachment for a file that has none, for nobody but Odoo's users.

        :param tuple record: model, id and binary field it shall belong to; the
            company's contact when that is gone
        :raises UserError: Drive does not tell what the file is
        """
        if not is_complete(file):
            raise self._unproven_error(file)
        target, field = self._home_of_adopted(*record)
        attachment = candidates.everything(self.env).create(
            {
                "name": field or file.get("name") or file["id"],
                "mimetype": file.get("mimeType"),
                "res_model": target._name,
                "res_id": target.id,
                "res_field": field or False,
                "public": False,
            }
        )
        self._link(attachment, auth, file)
        return attachment

    @api.model
    def _home_of_adopted(self, model, number, field):
        """The record, and its binary field when that has no file of its own."""
        company = self.env.company.sudo().partner_id
        if model not in self.env or model.startswith("ir."):
            return company, ""
        target = self.env[model].sudo()
        if not target._auto or target._abstract or target._transient:
            return company, ""
        target = target.browse(number).exists()
        if not target:
            return company, ""
        return target, field if self._is_free_field(target, field) else ""

    @api.model
    def _is_free_field(self, record, name):
        field = record._fields.get(name)
        if not field or field.type != "binary" or not field.attachment:
            return False
        return not candidates.search(
            self.env,
            [
                ("res_model", "=", record._name),
                ("res_id", "=", record.id),
                ("res_field", "=", name),
            ],
            limit=1,
        )

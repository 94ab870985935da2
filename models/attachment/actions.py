import logging

from odoo import SUPERUSER_ID, _, models
from odoo.exceptions import UserError
from odoo.tools import human_size

from ...drive.compare import SAME, is_trashed
from ...drive.errors import DriveError
from ...engine import candidates
from ...engine.content import restoring
from ...engine.content.proof import PROVEN, judge, prove
from ...engine.content.rows import size_in_drive
from ...engine.local_files import is_here
from ...engine.messages import Messages

_logger = logging.getLogger(__name__)

LOOK_FIELDS = "size,md5Checksum,sha1Checksum,trashed"
READ_BYTES = 8 * 1024 * 1024  # largest file that is read while a person waits
#: Fields by which people of Cloud Storage may group, and that they may sum up.
GROUPABLE_FIELDS = [
    "cloud_sync_status",
    "cloud_synced_date",
    "cloud_size_bytes",
    "cloud_auth_id",
    "cloud_keep_local",
    "cloud_error_message",
    "file_size",
]
MOST_REASONS = 3  # shown at the end of a bulk action


class IrAttachment(models.Model):
    """What people and their code do with attachments: move, bring back, try again."""

    _inherit = "ir.attachment"

    # -- in code -------------------------------------------------------------------------

    def sync_to_cloud(self):
        """Move these attachments to the cloud now; commits as it goes.

        The whitelists hold: the reason why a file may not go is on its log row.

        :return: whether all of them are in the cloud afterwards
        :rtype: bool
        :raises AccessError: the user may not write one of them
        :raises UserError: there is no configuration, nobody started its sync yet, or its
            account can not be used
        """
        self._check_may_move()
        self._check_started()
        synced = self.env["cloud_storage.sync.service"].sudo()._sync_files(self)
        return synced == self and bool(self)

    def restore_from_cloud(self):
        """Bring the bytes back to this server, verify, and pin them.

        :return: whether all of them are local afterwards
        :rtype: bool
        :raises AccessError: the user may not write one of them
        :raises CloudFileError: the content of a file can not be had
        """
        self._check_may_move()
        for attachment in self.sudo():
            if attachment.cloud_file_id:
                restoring.restore(attachment.browse(attachment.id))
        return bool(self)

    def _retry_cloud_sync(self):
        """Forget the failures of these attachments and try again.

        What is only in Drive can not be sent again: it is looked at there.

        :return: whether all of them are in the cloud, and well, afterwards
        :rtype: bool
        :raises AccessError: the user may not write one of them
        """
        self._check_may_move()
        server = self.with_user(SUPERUSER_ID)
        failed = server.filtered(lambda a: a.cloud_sync_status == "error")
        gone = failed.filtered(lambda a: a.cloud_file_id and not is_here(a))
        (failed - gone).write({"cloud_sync_status": "local", "cloud_attempts": 0})
        for attachment in gone:
            attachment._look_again()
        server.filtered("cloud_next_attempt").write({"cloud_next_attempt": False})
        return self.sync_to_cloud()

    def _look_again(self):
        """Take back what was said of a file that Drive has again, as it was.

        A file in the trash is as good as gone; one that can not be read just now stays
        what it was said to be.
        """
        try:
            client = self.cloud_auth_id._drive_client(tries=2)
            file = client.get(self.cloud_file_id, fields=LOOK_FIELDS)
        except (DriveError, UserError) as err:
            _logger.info("Attachment %s is not well yet: %s", self.id, err)
            return
        if is_trashed(file) or judge(file, self) != SAME:
            return
        if (size_in_drive(self) or 0) > READ_BYTES or prove(client, self)[0] == PROVEN:
            self.write(
                {
                    "cloud_sync_status": "synced",
                    "cloud_error_message": False,
                    "cloud_sha1": file.get("sha1Checksum") or self.cloud_sha1,
                }
            )

    def _check_may_move(self):
        """:raises AccessError: the user may not write one of these attachments"""
        self.check_access_rights("write")
        self.check_access_rule("write")
        self.check("write")

    def _check_started(self):
        """The first file leaves when somebody decides so who may decide for all.

        :raises UserError: nobody has started the sync yet, and this user may not
        """
        config = self.env["cloud_storage.config"].sudo().get_active_config()
        is_manager = self.env["cloud_storage.mixin"]._is_manager()
        if config and not config.started_on and not is_manager:
            raise UserError(Messages(self.env).not_started(config))

    # -- in the browser ------------------------------------------------------------------

    def _read_group_allowed_fields(self):
        """Odoo groups attachments by few fields; those of our views are ours to allow."""
        allowed = super()._read_group_allowed_fields()
        if self.env.user.has_group("cloud_storage.group_cloud_storage_user"):
            return allowed + GROUPABLE_FIELDS
        return allowed

    def action_cloud_sync(self):
        """Sync these attachments now and say what became of them.

        :raises AccessError: the user may not write one of them
        """
        self.sync_to_cloud()
        return self._sync_notification()

    def action_cloud_ask_sync(self):
        """Sync; show how many and how large before anything was ever synced, and
        wherever that deletes local copies.

        :raises AccessError: the user may not write one of them
        :raises UserError: nobody has started the sync yet, and this user may not
        """
        self._check_may_move()
        self._check_started()
        config = self.env["cloud_storage.config"].sudo().get_active_config()
        is_harmless = config.started_on and not config.delete_local_after_sync
        if not config or is_harmless or not self._going_to_cloud():
            return self.action_cloud_sync()
        question = self.env["cloud_storage.confirmation"]
        return question._ask("sync", attachment_ids=[(6, 0, self.ids)])

    def _going_to_cloud(self):
        """Those that a sync would move."""
        config = self.env["cloud_storage.config"].sudo().get_active_config()
        files = self.filtered(lambda a: a.cloud_sync_status != "synced")
        stay = candidates.reasons_to_stay(files, config)
        return files.filtered(lambda a: a.sudo() not in stay)

    def _sync_notification(self):
        """How many are in the cloud, and why the others are not."""
        synced = self.filtered(lambda a: a.cloud_sync_status == "synced")
        lines = [
            _(
                "%(synced)s of %(total)s files (%(size)s) are in the cloud.",
                synced=len(synced),
                total=len(self),
                size=human_size(sum(synced.mapped("file_size"))) or "0 bytes",
            )
        ]
        lines += (self - synced)._why_not_synced()
        return self._cloud_notification(
            lines, "success" if synced == self else "warning"
        )

    def _why_not_synced(self):
        """One line per file, the first few of them."""
        config = self.env["cloud_storage.config"].sudo().get_active_config()
        reasons = candidates.reasons_to_stay(self, config)
        lines = [
            "%s: %s"
            % (a.name, reasons.get(a) or a.cloud_error_message or _("still pending"))
            for a in self.sudo()[:MOST_REASONS]
        ]
        if len(self) > MOST_REASONS:
            lines.append(
                _("… and %s more, see the sync logs.", len(self) - MOST_REASONS)
            )
        return lines

    def action_cloud_restore(self):
        """Bring these attachments back to this server and pin them.

        For a manager many are a run, which begins with a preview.

        :raises AccessError: the user may not write one of them
        """
        self._check_may_move()
        files = self.filtered(lambda a: a.sudo().cloud_file_id)
        if not files:
            raise UserError(_("None of these files is in the cloud."))
        wizard = self.env["cloud_storage.wizard.restore"]
        if len(files) > 1 and wizard._is_manager():
            vals = {"mode": "selection", "attachment_ids": [(6, 0, files.ids)]}
            return wizard.create(vals).action_preview()
        files.restore_from_cloud()
        return self._cloud_notification(
            [
                _(
                    "%(count)s files (%(size)s) are on this server again.",
                    count=len(files),
                    size=human_size(sum(files.mapped("file_size"))) or "0 bytes",
                )
            ]
        )

    def action_cloud_keep_local(self):
        """Pin these attachments: they never go to the cloud; those there come back.

        :raises AccessError: the user may not write one of them
        """
        self._check_may_move()
        there = self.filtered(lambda a: a.sudo().cloud_file_id)
        (self - there).write({"cloud_keep_local": True})
        return there and there.action_cloud_restore()

    def action_cloud_unpin(self):
        """Let these attachments go to the cloud again."""
        return self.write({"cloud_keep_local": False})

    def action_cloud_open_in_drive(self):
        """Open the file's page at Google Drive.

        :raises UserError: it has none
        """
        self.ensure_one()
        if not self.cloud_storage_url:
            raise UserError(_("%s is not in the cloud.", self.name))
        return {
            "type": "ir.actions.act_url",
            "url": self.cloud_storage_url,
            "target": "new",
        }

    def _cloud_notification(self, lines, kind="success"):
        """A notification, after which the view shows the new state."""
        action = self.env["cloud_storage.mixin"]._notification("\n".join(lines), kind)
        action["params"]["next"] = {"type": "ir.actions.act_window_close"}
        return action

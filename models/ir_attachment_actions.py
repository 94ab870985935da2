"""Buttons and entries of the Action menu on attachments."""

from odoo import _, models
from odoo.exceptions import UserError
from odoo.tools import human_size

from ..engine import candidates

MOST_REASONS = 3  # shown at the end of a bulk action


class IrAttachment(models.Model):
    _inherit = "ir.attachment"

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
        """
        self._check_may_move()
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

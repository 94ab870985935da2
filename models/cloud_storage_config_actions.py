"""Buttons of a configuration."""

from odoo import _, fields, models
from odoo.tools import human_size

from ..engine import runner
from ..engine.transaction import Deadline
from .sync.service import DEFAULT_LIMIT

BUTTON_SECONDS = 15  # how long a button works before the rest goes to the background


class CloudStorageConfig(models.Model):
    _inherit = "cloud_storage.config"

    auth_state = fields.Selection(related="auth_id.state", string="Authorization")

    def action_manual_sync(self):
        """Sync for about 15 seconds; what is left goes on in the background.

        :return: the summary when that was enough, else the run
        """
        self.ensure_one()
        self._check_manager()
        self._mark_started()
        run = runner.create_run(self.sudo(), "manual", DEFAULT_LIMIT)
        runner.work(run, Deadline(BUTTON_SECONDS))
        if run.state == "queued":
            return run.action_open()
        return self._notification(
            _(
                "%(synced)s files synced, %(errors)s errors, %(freed)s freed.",
                synced=run.total_success,
                errors=run.total_errors,
                freed=human_size(run.bytes_freed) or "0 bytes",
            )
            + (("\n" + run.message) if run.message else ""),
            "success" if run.state == "done" and not run.total_errors else "warning",
        )

    def action_start_sync(self):
        """Sync all that is pending, with a page that shows how it goes.

        :return: the action that opens the run; its page works on it from then on, as
            does the background, whoever is first
        :rtype: dict
        """
        self.ensure_one()
        self._check_manager()
        self._mark_started()
        run = runner.create_run(self.sudo(), "manual")
        run._go_on()
        return run.action_open()

    def action_ask_sync(self):
        """Sync; show how many files and how large before the first time, and wherever
        that deletes local copies.
        """
        self.ensure_one()
        if self.started_on and not (self.delete_local_after_sync and self.pending_count):
            return self.action_start_sync()
        dialog = self.env.ref("cloud_storage.cloud_storage_savings_view_dialog")
        return dict(
            self.action_savings_report(),
            target="new",
            name=_("Sync Now"),
            views=[(dialog.id, "form")],
        )

    def action_savings_report(self):
        """What a sync would move and free, and what stays and why."""
        self.ensure_one()
        report = self.env["cloud_storage.savings"].create({"config_id": self.id})
        return {
            "type": "ir.actions.act_window",
            "res_model": report._name,
            "res_id": report.id,
            "view_mode": "form",
            "name": _("Savings Report"),
        }

    # -- smart buttons -----------------------------------------------------------------

    def action_open_account(self):
        """The account of this configuration."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "cloud_storage.auth",
            "res_id": self.auth_id.id,
            "view_mode": "form",
            "name": self.auth_id.name,
        }

    def action_view_synced(self):
        """The files of the account that are in the cloud."""
        return self._attachments_action(
            _("In the Cloud"),
            [
                ("cloud_auth_id", "=", self.auth_id.id),
                ("cloud_sync_status", "=", "synced"),
            ],
        )

    def action_view_pending(self):
        """The files that the next sync moves."""
        self.check_access_rights("read")
        self.check_access_rule("read")
        # not their ids: what the filters of the rules find is the server's business
        return self._attachments_action(
            _("Pending"), [("cloud_pending_config_id", "=", self[:1].id)]
        )

    def action_view_errors(self):
        """The files that could not be synced."""
        return self._attachments_action(
            _("Errors"), [("cloud_sync_status", "=", "error")]
        )

    def action_view_runs(self):
        """The runs of this configuration."""
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "cloud_storage.cloud_storage_sync_run_action"
        )
        return dict(action, domain=[("config_id", "in", self.ids)])

    def _attachments_action(self, name, domain):
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "cloud_storage.ir_attachment_action"
        )
        # a leaf on id keeps ir.attachment from hiding the files of binary fields
        domain = [("id", "!=", 0)] + domain
        return dict(action, name=name, domain=domain, context={})

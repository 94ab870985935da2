"""Buttons of a configuration, and what scripts call on it."""

from odoo import _, api, fields, models
from odoo.tools import human_size

from ...engine import invariants, runner
from ...engine.account.client import live_accounts
from ...engine.transaction import Deadline
from ..sync.service import DEFAULT_LIMIT
from .config import CloudStorageConfig as Config
from .file_type import DEFAULT_FILE_TYPES
from .model_config import DEFAULT_MODELS

BUTTON_SECONDS = 15  # how long a button works before the rest goes to the background


class CloudStorageConfig(models.Model):
    _inherit = Config._name

    auth_state = fields.Selection(related="auth_id.state", string="Authorization")

    @api.model
    def get_active_config(self):
        """The configuration in force: the first active one, empty when there is none."""
        return self.search([("is_active", "=", True)], limit=1, order="id")

    def manual_sync(self):
        """Sync up to 500 files now; see ``cloud_storage.sync.service.manual_sync``.

        :rtype: dict
        """
        config = self[:1] or self.get_active_config()
        return self.env["cloud_storage.sync.service"].manual_sync(config.id)

    def create_default_model_configs(self):
        """Add the common models that are installed and not yet in the list."""
        self._check_manager()
        for config in self:
            known = set(config.model_config_ids.mapped("model_name"))
            config.model_config_ids = [
                (0, 0, {"model_name": name})
                for name in DEFAULT_MODELS
                if name not in known and self._may_cover(name)
            ]
        return True

    @api.model
    def _may_cover(self, model_name):
        """Whether a model is installed, and the user may have a rule for it."""
        if model_name not in self.env:
            return False
        rules = self.env["cloud_storage.model.config"]
        return not rules.new({"model_name": model_name})._rights_problem(self.env.user)

    def create_default_file_types(self):
        """Add the common extensions that are not yet in the list."""
        self._check_manager()
        for config in self:
            known = set(config.file_type_ids.mapped("extension"))
            config.file_type_ids = [
                (0, 0, {"extension": ext, "description": text, "max_size_mb": size})
                for ext, text, size in DEFAULT_FILE_TYPES
                if ext not in known
            ]
        return True

    @api.model
    def clear_file_cache(self):
        """Forget the cached copies of files, in memory and on disk."""
        self._check_manager()
        self.env["ir.attachment"]._clear_cloud_cache()
        return self._notification(_("The file caches are empty."))

    # -- buttons ---------------------------------------------------------------------

    def action_manual_sync(self):
        """Sync for about 15 seconds; what is left goes on in the background.

        :return: the summary when that was enough, else the run
        """
        self.ensure_one()
        self._check_manager()
        self._mark_started()
        run = runner.new_run(self.sudo(), "manual", DEFAULT_LIMIT)
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

        :return: the action that opens the run; the background works on it
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

    def action_reconcile(self):
        """Compare the account with Drive in the background; open the run."""
        self.ensure_one()
        self._check_manager()
        invariants.mend(self.sudo().env)
        run = runner.create_run(self.sudo(), "reconcile", auth_id=self.auth_id.id)
        run._go_on()
        return run.action_open()

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

    # -- tokens --------------------------------------------------------------------------

    @api.model
    def action_check_and_refresh_tokens(self):
        """Refresh the tokens that are about to expire; one failure stops no other.

        :return: the notification with the outcome; the cron ignores it
        """
        return self._refresh_tokens(force=False)

    @api.model
    def action_force_refresh_tokens(self):
        """Refresh every token now."""
        return self._refresh_tokens(force=True)

    @api.model
    def action_force_token_refresh(self):
        """Alias of :meth:`action_force_refresh_tokens`."""
        return self.action_force_refresh_tokens()

    @api.model
    def _refresh_tokens(self, force):
        self._check_manager()
        accounts = live_accounts(self.env)
        failed = accounts.filtered(lambda auth: not auth._try_refresh(force))
        if failed:
            return self._notification(
                _("Not refreshed: %s", ", ".join(failed.mapped("name"))), "warning"
            )
        return self._notification(_("%s accounts are in order.", len(accounts)))

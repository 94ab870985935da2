from odoo import _, api, fields, models

from ..engine.jobs import selection
from .base import CloudStorageWizard


class CloudStorageWizardMigrate(models.TransientModel):
    """Move files from one account to another."""

    _name = "cloud_storage.wizard.migrate"
    _description = "Migrate Files Between Accounts"
    _inherit = CloudStorageWizard._name

    source_auth_id = fields.Many2one("cloud_storage.auth", "From", required=True)
    target_auth_id = fields.Many2one("cloud_storage.auth", "To", required=True)
    model_id = fields.Many2one("ir.model", "Only Files Of", help="Empty: all models.")
    after = fields.Selection(
        [
            ("keep", "Keep them"),
            ("trash", "Put them in the trash"),
            ("delete", "Delete them for good"),
        ],
        "The Old Files",
        default="keep",
        required=True,
    )
    switch_configs = fields.Boolean(
        "Sync to the New Account From Now On",
        default=True,
        help="The configurations of the old account use the new one.",
    )

    @api.depends("state", "after", "file_count", "switch_configs")
    def _compute_consequence(self):
        for wizard in self:
            wizard.is_destructive = wizard.after != "keep" and wizard.file_count
            wizard.consequence = wizard.state == "preview" and wizard._consequence()

    def _consequence(self):
        sentence = {
            "keep": _("The old files stay in %(account)s: %(files)s."),
            "trash": _(
                "Once each of them was copied and verified, the old file in %(account)s"
                " goes to the trash: %(files)s. Drive empties the trash after 30 days."
            ),
            "delete": _(
                "Once each of them was copied and verified, the old file in %(account)s"
                " is deleted for good: %(files)s. Nobody can bring it back."
            ),
        }[self.after] % {
            "account": self.source_auth_id.name,
            "files": self._files_text(self.file_count, self.total_size),
        }
        configs = self.source_auth_id.config_ids
        if self.switch_configs and configs:
            sentence += " " + _(
                "From now on %(configs)s sync to %(account)s.",
                configs=", ".join(configs.mapped("name")),
                account=self.target_auth_id.name,
            )
        return sentence

    def action_preview(self):
        """Show how many files would move, how large they are, and some names.

        :raises UserError: source and target are the same, or the target has no room
        """
        self.ensure_one()
        count, size, names = self._preview()
        return self._show_preview(count, size, names)

    def action_confirm(self):
        """Start the run and show it.

        :raises UserError: source and target are the same, or the target has no room
        """
        self.ensure_one()
        self._preview()
        source = self.source_auth_id.sudo()
        config = source.config_ids[:1] or self.target_auth_id.sudo().config_ids[:1]
        if self.switch_configs:
            # the preview said so: their sync goes on with the other account
            started = source.config_ids.filtered("started_on")
            source.config_ids.write({"auth_id": self.target_auth_id.id})
            started._mark_started()
        return self._start("migrate", config, self._params())

    def _preview(self):
        self._check_manager()
        source, target = self.source_auth_id.sudo(), self.target_auth_id.sudo()
        selection.check_accounts_differ(source, target)
        found = selection.preview_rows(self.env, selection.in_drive(self._params()))
        selection.check_fits_in_drive(target.sudo(), found[1])
        return found

    def _params(self):
        """What the run works on."""
        return {
            "auth_id": self.source_auth_id.id,
            "target_id": self.target_auth_id.id,
            "model": self.model_id.model,
            "after": self.after,
        }


class CloudStorageConfig(models.Model):
    _inherit = "cloud_storage.config"

    def action_migrate_between_accounts(self):
        """Choose an account to move the files of this one to."""
        self._check_manager()
        wizard = self.env["cloud_storage.wizard.migrate"]
        config = self[:1] or self.get_active_config()
        context = {"default_source_auth_id": config.auth_id.id}
        return dict(wizard.browse()._reopen(), context=context)

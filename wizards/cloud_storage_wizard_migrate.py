from odoo import fields, models


class CloudStorageWizardMigrate(models.TransientModel):
    """Move files from one account to another."""

    _name = "cloud_storage.wizard.migrate"
    _description = "Migrate Files Between Accounts"
    _inherit = "cloud_storage.wizard"

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
            source.config_ids.write({"auth_id": self.target_auth_id.id})
        return self._start("migrate", config, self._params())

    def _preview(self):
        service = self._service()
        source, target = self.source_auth_id.sudo(), self.target_auth_id.sudo()
        service._check_accounts_differ(source, target)
        found = service._preview_rows(service._selection_domain(self._params()))
        service._check_room(target, found[1])
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

from odoo import api, fields, models
from odoo.tools import human_size

from ..engine import runner


class CloudStorageWizard(models.AbstractModel):
    """Preview, confirm, run: what the wizards have in common."""

    _name = "cloud_storage.wizard"
    _description = "Cloud Storage Wizard"
    _inherit = "cloud_storage.mixin"

    state = fields.Selection(
        [("choose", "Choose"), ("preview", "Preview")], default="choose", required=True
    )
    file_count = fields.Integer("Files", readonly=True)
    total_size = fields.Float("Size (bytes)", digits=(18, 0), readonly=True)
    total_size_text = fields.Char("Size", compute="_compute_total_size_text")
    sample = fields.Text("Some of Them", readonly=True)
    is_destructive = fields.Boolean(compute="_compute_consequence")
    consequence = fields.Text(compute="_compute_consequence")

    def _compute_consequence(self):
        """What happens to the files in Drive, with numbers."""
        self.update({"is_destructive": False, "consequence": False})

    @api.depends("total_size")
    def _compute_total_size_text(self):
        for wizard in self:
            wizard.total_size_text = human_size(wizard.total_size) or "0 bytes"

    def _show_preview(self, count, size, names):
        """Keep what was found and show it."""
        self.write(
            {
                "state": "preview",
                "file_count": count,
                "total_size": size,
                "sample": "\n".join(names),
            }
        )
        return self._reopen()

    def action_back(self):
        """Choose again."""
        self.state = "choose"
        return self._reopen()

    def _reopen(self):
        return {
            "type": "ir.actions.act_window",
            "name": self.env["ir.model"]._get(self._name).name,  # translated
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "target": "new",
        }

    def _start(self, sync_type, config, params):
        """Queue a run for the background and show it."""
        self._check_manager()
        run = runner.create_run(config.sudo(), sync_type, **params)
        run._go_on()
        return run.action_open()

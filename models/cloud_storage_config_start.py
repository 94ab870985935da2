"""Nothing leaves before a person has started the sync of a configuration."""
from odoo import models


class CloudStorageAuth(models.Model):
    _inherit = "cloud_storage.auth"

    def write(self, vals):
        changed = self.filtered(lambda auth: auth._is_another_drive(vals))
        result = super().write(vals)
        changed.sudo().config_ids._ask_again()
        return result

    def _is_another_drive(self, vals):
        """Whether values lead to another Drive than the one that was known so far."""
        if "shared_drive_id" in vals and self.shared_drive_id != vals["shared_drive_id"]:
            return bool(self.shared_drive_id or vals["shared_drive_id"])
        # the id counts: an address may change with the person's name
        name = "google_user_id" if self.google_user_id else "account_email"
        return bool(name in vals and self[name] and vals[name] != self[name])

"""The files that the next sync moves, as a filter that a browser may know."""

from odoo import _, fields, models
from odoo.exceptions import UserError

from ..engine import candidates


class IrAttachment(models.Model):
    _inherit = "ir.attachment"

    cloud_pending_config_id = fields.Many2one(
        "cloud_storage.config",
        "Pending In",
        compute="_compute_cloud_pending_config_id",
        search="_search_cloud_pending_config_id",
        prefetch=False,
        groups="cloud_storage.group_cloud_storage_user",
        help="To search only: the files that the next sync of a configuration moves.",
    )

    def _compute_cloud_pending_config_id(self):
        self.cloud_pending_config_id = False

    def _search_cloud_pending_config_id(self, operator, value):
        """The candidates of one configuration, as far as the asking user sees their
        records.

        :raises UserError: another question than which files belong to a configuration
        """
        if operator != "=" or not isinstance(value, int) or not value:
            raise UserError(_("Ask for the pending files of one configuration."))
        config = self.env["cloud_storage.config"].browse(value)
        config.check_access_rights("read")
        config.check_access_rule("read")
        reader = self.env["res.users"] if self.env.su else self.env.user
        return candidates.domain(config.sudo(), reader=reader)

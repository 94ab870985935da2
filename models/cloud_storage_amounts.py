"""How many files, and how large: what is said before something happens to them."""

from odoo import _, api, models
from odoo.tools import human_size

from .row_conditions import HERE


class CloudStorageMixin(models.AbstractModel):
    _inherit = "cloud_storage.mixin"

    @api.model
    def _amount_words(self, count, size):
        """``count`` files of ``size`` bytes together, in words."""
        return _(
            "%(count)s files (%(size)s)", count=count, size=human_size(size) or "0 bytes"
        )


class CloudStorageConfig(models.Model):
    _inherit = "cloud_storage.config"

    def _due_words(self):
        """Which local copies go with the next automatic sync."""
        where, params = self.env["cloud_storage.sync.service"]._coverage(self)
        self.env.cr.execute(
            "SELECT count(*), COALESCE(sum(file_size), 0) FROM ir_attachment"
            " WHERE cloud_sync_status = 'synced' AND cloud_auth_id = %%s"
            " AND cloud_keep_local IS NOT TRUE AND %s AND (%s)" % (HERE, where),
            [self.auth_id.id or 0] + params,
        )
        return self._amount_words(*self.env.cr.fetchone())

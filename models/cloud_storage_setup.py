from odoo import models


class CloudStorageAuth(models.Model):
    _inherit = "cloud_storage.auth"

    def _way_back(self):
        """Where Google's consent page leads back to: who is in the guided start, there.

        :rtype: str
        """
        runs = self.config_ids.run_ids
        if self.config_ids and "done" not in runs.mapped("state"):
            action = self.env.ref("cloud_storage.cloud_storage_setup_action")
            return "/web#action=%d" % action.id
        return "/web#id=%d&model=%s&view_type=form" % (self.id, self._name)

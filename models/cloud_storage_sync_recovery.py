"""What processes that died left behind."""
from odoo import _, api, models

from ..engine.transaction import retrying


class CloudStorageSyncService(models.AbstractModel):
    _inherit = "cloud_storage.sync.service"

    @api.model
    def _recover_dead_runs(self):
        """Take back what a process that died left behind."""
        runs = self.env["cloud_storage.sync.run"].sudo()
        dead = runs.search([("state", "=", "running")]).filtered(
            lambda run: not run._is_alive()
        )
        self.env.cr.commit()  # in a new snapshot: it may have come to its end just now
        retrying(self.env, lambda: self._bury(dead))
        retrying(self.env, self._put_back_stale)

    @api.model
    def _bury(self, dead):
        dead.invalidate_cache()
        for run in dead.exists().filtered(lambda run: run.state == "running"):
            run._finish("failed", _("The process was interrupted; the next run goes on."))

    @api.model
    def _put_back_stale(self):
        """Files that were on their way when their process died are local again."""
        runs = self.env["cloud_storage.sync.run"].sudo()
        self.env.cr.execute(
            "SELECT DISTINCT cloud_run_id FROM ir_attachment"
            " WHERE cloud_sync_status = 'pending'"
        )
        owners = [row[0] for row in self.env.cr.fetchall()]
        stale = [i for i in owners if not i or not runs.browse(i)._is_alive()]
        if stale:
            self.env.cr.execute(
                "UPDATE ir_attachment SET cloud_sync_status = 'local', cloud_run_id = NULL"
                " WHERE cloud_sync_status = 'pending'"
                " AND (cloud_run_id IN %s OR cloud_run_id IS NULL)",
                (tuple(i or 0 for i in stale),),
            )

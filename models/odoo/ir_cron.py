from odoo import SUPERUSER_ID, api, models

from ...odoo_bridge import OLD, environments


class IrCron(models.Model):
    _inherit = "ir.cron"

    @classmethod
    def _process_job(cls, *args):
        """Look once more for runs that wait, now that the cron can be woken (Odoo 14).

        Its row was locked while it worked: who wanted to wake it did so in vain.
        """
        result = super()._process_job(*args)
        if OLD:
            cr, job = args[:2]
            with environments():
                api.Environment(cr, SUPERUSER_ID, {})[cls._name].browse(
                    job["id"]
                )._go_on_with_runs()
            cr.commit()  # wakes the cron; Odoo's own commit came before
        return result

    def _go_on_with_runs(self):
        if self == self.env.ref("cloud_storage.cron_queued_runs", False):
            runs = self.env["cloud_storage.sync.run"]
            runs.search([("state", "=", "queued")])._go_on()

from odoo import api, fields, models

from ..odoo.cloud_storage_mixin import CloudStorageMixin

RETENTION_DAYS = 30


class CloudStorageAccessLog(models.Model):
    """One row per request that the proxy served; refused ones are only counted.

    What nobody may see is worth no row each: a stranger could fill the disk with them.
    """

    _name = "cloud_storage.access.log"
    _description = "Cloud Storage Access Log"
    _inherit = CloudStorageMixin._name
    _order = "access_date desc, id desc"
    _rec_name = "file_name"
    _log_access = False

    access_date = fields.Datetime(
        required=True, default=fields.Datetime.now, index=True, readonly=True
    )
    user_id = fields.Many2one("res.users", "User", ondelete="set null", readonly=True)
    attachment_id = fields.Many2one(
        "ir.attachment", ondelete="set null", index=True, readonly=True
    )
    file_name = fields.Char(readonly=True)
    bytes_served = fields.Float(digits=(18, 0), readonly=True)
    cache_hit = fields.Boolean(
        readonly=True, help="No byte of the answer had to come from Drive."
    )
    http_status = fields.Integer("HTTP Status", readonly=True, group_operator=None)
    duration_ms = fields.Integer("Duration (ms)", readonly=True, group_operator="avg")
    range_request = fields.Char("Range", readonly=True)
    user_agent = fields.Char(readonly=True)
    ip_address = fields.Char("IP Address", readonly=True)
    requests = fields.Integer(
        default=1,
        readonly=True,
        help="More than one where refused requests of a minute are counted together.",
    )

    @api.autovacuum
    def _gc_access_logs(self):
        """Forget rows older than ``cloud_storage.access_log_retention_days``."""
        self._gc_rows(
            "cloud_storage_access_log", "access_date", "access_log", RETENTION_DAYS
        )

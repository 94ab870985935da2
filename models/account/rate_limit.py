from odoo import fields, models


class CloudStorageRateLimit(models.Model):
    """Until when the requests of an account that were let go are paid for.

    See :class:`...engine.account.rate_limit.SharedBucket`. Without a foreign key: its check
    would wait for whoever holds the account locked, while that one may wait for a request.
    """

    _name = "cloud_storage.pace"
    _description = "Cloud Storage Rate Limit"
    _log_access = False

    auth_id = fields.Integer(required=True)
    paid_until = fields.Float(help="Seconds since 1970, by PostgreSQL's clock.")

    _sql_constraints = [
        ("auth_unique", "unique(auth_id)", "An account has one rate limit."),
    ]

    def init(self):
        """Writing a row should not wait for the disk, and a crash may take it."""
        super().init()
        self.env.cr.execute("ALTER TABLE cloud_storage_pace SET UNLOGGED")

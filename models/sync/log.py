from psycopg2.extras import execute_values

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ..odoo.cloud_storage_mixin import CloudStorageMixin

SYNC_TYPES = [
    ("manual", "Manual"),
    ("automatic", "Automatic"),
    ("single", "Single File"),
    ("restore", "Restore"),
    ("migrate", "Migration"),
    ("reconcile", "Reconciliation"),
]
RETENTION_DAYS = 90
MB = 1024 * 1024
#: Key, label, and the size in bytes up to which a file belongs to it.
SIZE_CLASSES = [
    ("1", "Up to 100 KB", MB / 10),
    ("2", "100 KB to 1 MB", MB),
    ("3", "1 to 10 MB", 10 * MB),
    ("4", "10 to 100 MB", 100 * MB),
    ("5", "Over 100 MB", float("inf")),
]


class CloudStorageSyncLog(models.Model):
    """One row per file and attempt."""

    _name = "cloud_storage.sync.log"
    _description = "Cloud Storage Sync Log"
    _inherit = CloudStorageMixin._name
    _order = "sync_date desc, id desc"
    _rec_name = "file_name"

    sync_date = fields.Datetime(
        required=True, default=fields.Datetime.now, index=True, readonly=True
    )
    sync_type = fields.Selection(SYNC_TYPES, required=True, readonly=True)
    status = fields.Selection(
        [("success", "Success"), ("error", "Error"), ("skipped", "Skipped")],
        required=True,
        index=True,
        readonly=True,
    )
    attachment_id = fields.Many2one(
        "ir.attachment", ondelete="set null", index=True, readonly=True
    )
    file_name = fields.Char(readonly=True)
    model_name = fields.Char("Model", readonly=True)
    record_id = fields.Integer("Record", readonly=True)
    # Float: an Integer of Odoo ends at 2 GB
    file_size_bytes = fields.Float("Size", digits=(18, 0), readonly=True)
    file_size_mb = fields.Float(
        "Size (MB)", compute="_compute_file_size_mb", digits=(16, 2)
    )
    size_class = fields.Selection(
        [(key, label) for key, label, _limit in SIZE_CLASSES],
        compute="_compute_size_class",
        store=True,
    )
    drive_file_id = fields.Char("Drive ID", readonly=True)
    drive_url = fields.Char("Drive URL", readonly=True)
    error_message = fields.Text(readonly=True)
    duration_ms = fields.Integer("Duration (ms)", readonly=True)
    attempts = fields.Integer(readonly=True)
    config_id = fields.Many2one(
        "cloud_storage.config", "Configuration", ondelete="set null", readonly=True
    )
    run_id = fields.Many2one(
        "cloud_storage.sync.run", "Run", ondelete="cascade", index=True, readonly=True
    )

    @api.depends("file_size_bytes")
    def _compute_file_size_mb(self):
        for log in self:
            log.file_size_mb = log.file_size_bytes / (1024.0 * 1024.0)

    @api.depends("file_size_bytes")
    def _compute_size_class(self):
        for log in self:
            log.size_class = _size_class(log.file_size_bytes)

    @api.model
    def _append(self, rows):
        """Write many rows at once.

        :param rows: list of dicts of stored fields; absent ones are NULL
        """
        if not rows:
            return
        self._drop_missing_attachments(rows)
        now = fields.Datetime.now()
        rows = [
            dict(
                {
                    "sync_date": now,
                    "size_class": _size_class(row.get("file_size_bytes")),
                },
                **row,
            )
            for row in rows
        ]
        columns = sorted(set().union(*rows))
        execute_values(
            self.env.cr._obj,
            "INSERT INTO cloud_storage_sync_log (%s) VALUES %%s" % ", ".join(columns),
            [[row.get(name) for name in columns] for row in rows],
        )

    @api.model
    def _drop_missing_attachments(self, rows):
        """An attachment may be deleted while it is uploaded: its row stays without it."""
        ids = tuple({row["attachment_id"] for row in rows if row.get("attachment_id")})
        if not ids:
            return
        self.env.cr.execute(
            "SELECT id FROM ir_attachment WHERE id IN %s FOR KEY SHARE", (ids,)
        )
        there = {row_id for (row_id,) in self.env.cr.fetchall()}
        for row in rows:
            if row.get("attachment_id") not in there:
                row["attachment_id"] = None

    def action_retry_sync(self):
        """Try the failed files of these rows again, now."""
        self._check_manager()
        failed = self.filtered(lambda log: log.status != "success").attachment_id
        if not failed:
            raise UserError(_("There is nothing to retry: no file of these failed."))
        failed.sudo()._retry_cloud_sync()
        synced = failed.filtered(lambda a: a.cloud_sync_status == "synced")
        return self._notification(
            _(
                "%(synced)s of %(total)s files synced.",
                synced=len(synced),
                total=len(failed),
            ),
            "success" if len(synced) == len(failed) else "warning",
        )

    @api.autovacuum
    def _gc_sync_logs(self):
        """Forget rows older than ``cloud_storage.sync_log_retention_days``."""
        self._gc_rows("cloud_storage_sync_log", "sync_date", "sync_log", RETENTION_DAYS)


def _size_class(size):
    return next(key for key, _label, limit in SIZE_CLASSES if (size or 0) <= limit)

from odoo import _, fields, models

from ..odoo.cloud_storage_mixin import CloudStorageMixin


class CloudStorageCause(models.Model):
    """Why files have a problem: one row per message, straight from the attachments."""

    _name = "cloud_storage.cause"
    _description = "Error Summary"
    _inherit = CloudStorageMixin._name
    _auto = False
    _order = "files desc, id"
    _rec_name = "message"

    status = fields.Selection([("error", "Not Synced"), ("synced", "In the Cloud")])
    message = fields.Text("Error")
    files = fields.Integer()
    size_bytes = fields.Float("Size", digits=(18, 0))

    _table_query = """
        SELECT min(id) AS id, cloud_error_message AS message, count(*) AS files,
               sum(file_size)::numeric AS size_bytes,
               CASE WHEN cloud_sync_status = 'synced' THEN 'synced' ELSE 'error' END
               AS status
        FROM ir_attachment WHERE cloud_error_message IS NOT NULL
        GROUP BY cloud_error_message, 5"""

    def _attachment_domain(self):
        self.ensure_one()
        operator = "=" if self.status == "synced" else "!="
        return [
            ("id", "!=", 0),  # or ir.attachment hides the files of binary fields
            ("cloud_error_message", "=", self.message),
            ("cloud_sync_status", operator, "synced"),
        ]

    def action_retry(self):
        """Sync the files with this problem again, now."""
        self._check_manager()
        files = self.env["ir.attachment"].sudo().search(self._attachment_domain())
        files._retry_cloud_sync()
        return files._sync_notification()

    def action_show(self):
        """The files with this problem."""
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "cloud_storage.ir_attachment_action"
        )
        return dict(
            action,
            name=_("Files with a Problem"),
            domain=self._attachment_domain(),
            context={},
        )

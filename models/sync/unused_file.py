from odoo import fields, models


class CloudStorageUnusedFile(models.Model):
    """Files of this database in Drive that no attachment uses, since when."""

    _name = "cloud_storage.unused.file"
    _description = "Drive File That Nothing Uses"
    _log_access = False

    auth_id = fields.Integer(required=True, index=True)
    drive_file_id = fields.Char(required=True, index=True)
    first_seen = fields.Datetime(required=True, default=fields.Datetime.now)

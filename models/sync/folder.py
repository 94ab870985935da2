from odoo import fields, models


class CloudStorageFolder(models.Model):
    """A folder in Drive below that of a model: a month, or the next one after a full one.

    Found or created once; its id is kept and checked once per run.
    """

    _name = "cloud_storage.folder"
    _description = "Drive Folder"
    _order = "id"

    model_config_id = fields.Many2one(
        "cloud_storage.model.config", required=True, ondelete="cascade", index=True
    )
    name = fields.Char(required=True)
    drive_folder_id = fields.Char()
    item_count = fields.Integer()

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from ...utils.filenames import normalize_extension
from ..odoo.cloud_storage_mixin import CloudStorageMixin

#: Extension, description, largest size in MB (0: any).
DEFAULT_FILE_TYPES = [
    ("pdf", "PDF document", 0),
    ("doc", "Word document", 100),
    ("docx", "Word document", 100),
    ("xls", "Excel workbook", 100),
    ("xlsx", "Excel workbook", 100),
    ("ppt", "PowerPoint presentation", 200),
    ("pptx", "PowerPoint presentation", 200),
    ("odt", "OpenDocument text", 100),
    ("ods", "OpenDocument spreadsheet", 100),
    ("csv", "Table as text", 100),
    ("txt", "Plain text", 20),
    ("jpg", "JPEG image", 50),
    ("jpeg", "JPEG image", 50),
    ("png", "PNG image", 50),
    ("gif", "GIF image", 50),
    ("zip", "ZIP archive", 0),
    ("mp4", "MP4 video", 0),
]


class CloudStorageFileType(models.Model):
    """An extension that may go to the cloud."""

    _name = "cloud_storage.file.type"
    _description = "Cloud Storage File Type"
    _inherit = CloudStorageMixin._name
    _order = "extension"
    _rec_name = "extension"

    config_id = fields.Many2one(
        "cloud_storage.config", "Configuration", required=True, ondelete="cascade"
    )
    extension = fields.Char(
        help="Without the dot, like pdf or tar.gz. Empty: files without an extension."
    )
    description = fields.Char()
    max_size_mb = fields.Float("Largest Size (MB)", help="0: any size.")
    is_active = fields.Boolean("Active", default=True)

    _sql_constraints = [
        (
            "extension_unique",
            "unique(config_id, extension)",
            "This extension is in the list already.",
        ),
        ("max_size_positive", "check(max_size_mb >= 0)", "A size is not negative."),
    ]

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            vals["extension"] = normalize_extension(vals.get("extension"))
        return super().create(vals_list)

    def write(self, vals):
        if "extension" in vals:
            vals = dict(vals, extension=normalize_extension(vals["extension"]))
        return super().write(vals)

    @api.constrains("extension")
    def _check_extension(self):
        for file_type in self:
            extension = file_type.extension or ""
            if any(char in extension for char in "/\\*?, ;") or ".." in extension:
                raise ValidationError(
                    _("Enter one extension, like pdf or tar.gz, not %s.", extension)
                )

    def name_get(self):
        return [(record.id, record.extension or _("(none)")) for record in self]

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..drive.errors import DriveError, ForbiddenError, NotFoundError
from ..drive.query import FOLDER_TYPE
from ..engine import candidates

#: Models offered to begin with, where they are installed.
DEFAULT_MODELS = [
    "res.partner",
    "product.template",
    "sale.order",
    "purchase.order",
    "account.move",
    "project.project",
    "project.task",
    "crm.lead",
    "hr.employee",
    "hr.expense",
    "helpdesk.ticket",
    "stock.picking",
    "mrp.production",
    "maintenance.request",
    "fleet.vehicle",
]
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


class CloudStorageConfig(models.Model):
    """What to sync to an account, and how."""

    _name = "cloud_storage.config"
    _description = "Cloud Storage Configuration"
    _inherit = "cloud_storage.mixin"
    _order = "name, id"

    name = fields.Char(required=True)
    auth_id = fields.Many2one(
        "cloud_storage.auth", "Account", required=True, ondelete="restrict"
    )
    is_active = fields.Boolean("Active", default=True)
    auto_sync = fields.Boolean(
        "Automatic Sync", default=True, help="Sync once a day in the background."
    )
    delete_local_after_sync = fields.Boolean(
        "Free Local Space",
        help="Delete the local copy once the copy in Drive was verified.",
    )
    keep_local_days = fields.Integer(
        "Keep Local For (days)", help="Days before the local copy goes. 0: at once."
    )
    replace_local_with_cloud = fields.Boolean(
        "Serve From the Cloud",
        default=True,
        help="Turn synced attachments into links to the proxy, which serves local bytes"
        " while there are any.",
    )
    enable_cloud_access = fields.Boolean(
        default=True,
        help="Off: files that are only in Drive can not be opened, nothing is fetched.",
    )
    drive_root_folder_id = fields.Char(
        "Root Folder ID",
        copy=False,
        help="Empty: a folder is created in Drive and its id kept here.",
    )
    folder_layout = fields.Selection(
        [("flat", "One folder per model"), ("monthly", "One folder per model and month")],
        required=True,
        default="flat",
    )
    max_parallel_uploads = fields.Integer("Parallel Uploads", default=4)
    requests_per_second = fields.Float(default=10.0)
    min_file_size_kb = fields.Float("Smallest Size (KB)")
    deduplicate = fields.Boolean(
        default=True, help="Files with the same content share one file in Drive."
    )
    cache_timeout_minutes = fields.Integer("Memory Cache (minutes)", default=5)
    max_cache_size = fields.Integer("Memory Cache (files)", default=50)
    model_config_ids = fields.One2many(
        "cloud_storage.model.config", "config_id", "Models", copy=True
    )
    file_type_ids = fields.One2many(
        "cloud_storage.file.type", "config_id", "File Types", copy=True
    )
    paused_until = fields.Datetime(
        readonly=True,
        copy=False,
        help="Google Drive takes no more uploads of this account before.",
    )
    notify_user_ids = fields.Many2many("res.users", string="Notify")
    run_ids = fields.One2many("cloud_storage.sync.run", "config_id", "Runs")

    pending_count = fields.Integer(compute="_compute_counts")
    synced_count = fields.Integer(compute="_compute_counts")
    error_count = fields.Integer(compute="_compute_counts")
    bytes_freed = fields.Float(compute="_compute_counts", digits=(18, 0))

    _sql_constraints = [
        (
            "parallel_positive",
            "check(max_parallel_uploads between 1 and 32)",
            "Between 1 and 32 uploads may go at once.",
        ),
        (
            "rate_positive",
            "check(requests_per_second > 0)",
            "Requests per second must be more than zero.",
        ),
        (
            "not_negative",
            "check(keep_local_days >= 0 and min_file_size_kb >= 0"
            " and cache_timeout_minutes >= 0 and max_cache_size >= 0)",
            "Days, sizes and minutes are not negative.",
        ),
    ]

    def _compute_counts(self):
        for config in self:
            counts = candidates.count_states(config.sudo(), self._reader())
            config.pending_count = counts["pending"]
            config.synced_count = counts["synced"]
            config.error_count = counts["errors"]
            config.bytes_freed = sum(config.sudo().run_ids.mapped("bytes_freed"))

    # -- checks --------------------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        configs = super().create(vals_list)
        configs.filtered("drive_root_folder_id")._check_root_folder()
        self.env["ir.attachment"]._configure_memory_cache()
        return configs

    def write(self, vals):
        if "auth_id" in vals:
            # folder ids belong to the account they were created in
            moved = self.filtered(lambda config: config.auth_id.id != vals["auth_id"])
            moved.model_config_ids.sudo().write({"drive_folder_id": False})
            if moved:
                vals = dict({"drive_root_folder_id": False}, **vals)
        result = super().write(vals)
        if vals.get("drive_root_folder_id") and not self.env.context.get("folder_known"):
            self._check_root_folder()
        if vals.keys() & {"cache_timeout_minutes", "max_cache_size", "is_active"}:
            self.env["ir.attachment"]._configure_memory_cache()
        return result

    def _check_root_folder(self):
        """:raises ValidationError: Drive does not know that folder"""
        for config in self.filtered(lambda c: c.auth_id.state == "authorized"):
            folder_id = config.drive_root_folder_id
            try:
                found = config.auth_id._drive_client(tries=2).get(folder_id)
            except (NotFoundError, ForbiddenError) as err:
                raise ValidationError(config._no_folder_message(folder_id)) from err
            except (DriveError, UserError):
                continue  # Drive is away: the first run will tell
            if found["mimeType"] != FOLDER_TYPE or found.get("trashed"):
                raise ValidationError(config._no_folder_message(folder_id))

    def _no_folder_message(self, folder_id):
        message = _(
            "The account %(account)s sees no folder with the id %(id)s in Drive. Leave it"
            " empty to have one created.",
            account=self.auth_id.name,
            id=folder_id,
        )
        if self.auth_id.scope == "drive.file":
            message += " " + _(
                "With access to files created by Odoo only, folders that you made"
                " yourself stay invisible."
            )
        return message

    # -- API -----------------------------------------------------------------------------

    @api.model
    def get_active_config(self):
        """The configuration in force: the first active one, empty when there is none."""
        return self.search([("is_active", "=", True)], limit=1, order="id")

    def manual_sync(self):
        """Sync up to 500 files now; see ``cloud_storage.sync.service.manual_sync``.

        :rtype: dict
        """
        config = self[:1] or self.get_active_config()
        return self.env["cloud_storage.sync.service"].manual_sync(config.id)

    def create_default_model_configs(self):
        """Add the common models that are installed and not yet in the list."""
        self._check_manager()
        for config in self:
            known = set(config.model_config_ids.mapped("model_name"))
            config.model_config_ids = [
                (0, 0, {"model_name": name})
                for name in DEFAULT_MODELS
                if name not in known and self._may_cover(name)
            ]
        return True

    @api.model
    def _may_cover(self, model_name):
        """Whether a model is installed, and the user may have a rule for it."""
        if model_name not in self.env:
            return False
        rules = self.env["cloud_storage.model.config"]
        return not rules.new({"model_name": model_name})._rights_problem(self.env.user)

    def create_default_file_types(self):
        """Add the common extensions that are not yet in the list."""
        self._check_manager()
        for config in self:
            known = set(config.file_type_ids.mapped("extension"))
            config.file_type_ids = [
                (0, 0, {"extension": ext, "description": text, "max_size_mb": size})
                for ext, text, size in DEFAULT_FILE_TYPES
                if ext not in known
            ]
        return True

    @api.model
    def clear_file_cache(self):
        """Forget the cached copies of files, in memory and on disk."""
        self._check_manager()
        self.env["ir.attachment"]._clear_cloud_cache()
        return self._notification(_("The file caches are empty."))

    # -- tokens --------------------------------------------------------------------------

    @api.model
    def action_check_and_refresh_tokens(self):
        """Refresh the tokens that are about to expire; one failure stops no other.

        :return: the notification with the outcome; the cron ignores it
        """
        return self._refresh_tokens(force=False)

    @api.model
    def action_force_refresh_tokens(self):
        """Refresh every token now."""
        return self._refresh_tokens(force=True)

    @api.model
    def action_force_token_refresh(self):
        """Alias of :meth:`action_force_refresh_tokens`."""
        return self.action_force_refresh_tokens()

    @api.model
    def _refresh_tokens(self, force):
        self._check_manager()
        accounts = (
            self.env["cloud_storage.auth"]
            .sudo()
            .search(
                [
                    ("is_active", "=", True),
                    ("state", "in", ("authorized", "expired")),
                ]
            )
        )
        failed = accounts.filtered(lambda auth: not auth._try_refresh(force))
        if failed:
            return self._notification(
                _("Not refreshed: %s", ", ".join(failed.mapped("name"))), "warning"
            )
        return self._notification(_("%s accounts are in order.", len(accounts)))

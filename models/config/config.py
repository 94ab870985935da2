from odoo import SUPERUSER_ID, _, api, fields, models
from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tools.sql import column_exists, table_exists

from ...drive.errors import DriveError, ForbiddenError, NotFoundError
from ...drive.query import FOLDER_TYPE
from ...engine import candidates
from ...engine.account.files import count_files
from ...engine.insight import savings
from ..odoo.cloud_storage_mixin import CloudStorageMixin

#: What tells that the sync of a configuration was under way before it was asked for.
RAN = """
    UPDATE cloud_storage_config AS config
    SET started_on = COALESCE(config.create_date, now() at time zone 'UTC')
    WHERE config.is_active AND (
        EXISTS (SELECT 1 FROM cloud_storage_sync_run AS run
                WHERE run.config_id = config.id AND run.total_success > 0
                AND run.sync_type IN ('manual', 'automatic'))
        OR EXISTS (SELECT 1 FROM cloud_storage_sync_log AS log
                   WHERE log.config_id = config.id AND log.status = 'success'
                   AND log.sync_type IN ('manual', 'automatic'))
        OR EXISTS (SELECT 1 FROM ir_attachment AS file
                   WHERE file.cloud_auth_id = config.auth_id
                   AND file.cloud_sync_status = 'synced')
           AND NOT EXISTS (SELECT 1 FROM cloud_storage_config AS other
                           WHERE other.auth_id = config.auth_id
                           AND other.id != config.id))"""


class CloudStorageConfig(models.Model):
    """What to sync to an account, and how."""

    _name = "cloud_storage.config"
    _description = "Cloud Storage Configuration"
    _inherit = CloudStorageMixin._name
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
    started_on = fields.Datetime(
        readonly=True,
        copy=False,
        help="When somebody pressed Sync Now, knowing how many files that moves. Before,"
        " nothing leaves this server by itself. Another account, or switching the"
        " configuration off, asks for it again.",
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

    def _auto_init(self):
        known = column_exists(self.env.cr, self._table, "started_on")
        existed = table_exists(self.env.cr, self._table)
        result = super()._auto_init()
        if existed and not known:
            # the other tables may get their columns only now
            self.pool.post_init(self._start_those_that_ran)
        return result

    @api.model
    def _start_those_that_ran(self):
        """Let what synced with the last version of this addon go on, and nothing else."""
        self.env.cr.execute(RAN)
        self.invalidate_cache(["started_on"])

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._check_start_field(vals)
        # an explicit value: neither the context nor ir.default can slip in another
        vals_list = [dict({"started_on": False}, **vals) for vals in vals_list]
        configs = super().create(vals_list)
        configs.filtered("drive_root_folder_id")._check_root_folder()
        self.clear_caches()  # the limits of the memory cache
        return configs

    def write(self, vals):
        self._check_start_field(vals)
        changed = self.filtered(lambda config: config._is_another_sync(vals))
        result = super().write(self._forget_folders(vals))
        if "started_on" not in vals:
            changed._ask_again()
        if vals.get("drive_root_folder_id") and not self.env.context.get("folder_known"):
            self._check_root_folder()
        if vals.keys() & {"cache_timeout_minutes", "max_cache_size", "is_active"}:
            self.clear_caches()  # the limits of the memory cache
        return result

    # -- folders -----------------------------------------------------------------------

    def _forget_folders(self, vals):
        """``vals`` without the folders known so far, where they lead to another account:
        folder ids belong to the account they were created in.
        """
        moved = self.filtered(
            lambda config: "auth_id" in vals and config.auth_id.id != vals["auth_id"]
        )
        if not moved:
            return vals
        moved.model_config_ids.sudo().write({"drive_folder_id": False})
        return dict({"drive_root_folder_id": False}, **vals)

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

    # -- warnings before a change is saved that costs something --------------------------

    @api.onchange("delete_local_after_sync")
    def _onchange_delete_local(self):
        if not self.delete_local_after_sync or not self._origin:
            return {}
        return self._form_warning(
            _(
                "Once saved, syncs delete local copies: those of the files that are in"
                " the cloud already, %s, with the next automatic sync or when their"
                " days are over, and those of what is synced from now on. The copy in"
                " Drive is verified before.",
                self._files_text(*savings.to_release(self.env, self._origin)),
            )
        )

    @api.onchange("enable_cloud_access")
    def _onchange_cloud_access(self):
        if self.enable_cloud_access or not self._origin:
            return {}
        _all, only_there = count_files(self._origin.auth_id)
        return self._form_warning(
            _(
                "Once saved, nobody can open the files that are only in the cloud: %s."
                " They are not deleted.",
                self._files_text(*only_there),
            )
        )

    # -- nothing leaves before a person has started the sync -------------------------------

    @api.model
    def _check_start_field(self, vals):
        """Like the cloud fields of attachments: being in ``sudo()`` is not enough.

        :raises AccessError: somebody else than the server says when the sync started
        """
        if "started_on" in vals and self.env.uid != SUPERUSER_ID:
            raise AccessError(_("Press Sync Now to start the sync."))

    def _is_another_sync(self, vals):
        """Whether values make this another sync than the one that a person agreed to."""
        self.ensure_one()
        to_another = "auth_id" in vals and vals["auth_id"] != self.auth_id.id
        switched = "is_active" in vals and bool(vals["is_active"]) != self.is_active
        return to_another or switched

    def _ask_again(self):
        """Have nothing leave by itself before somebody presses Sync Now again."""
        started = self.with_user(SUPERUSER_ID).filtered("started_on")
        started.write({"started_on": False})

    def _mark_started(self):
        """Note that a person started the sync; the caller knows that it was one."""
        new = self.with_user(SUPERUSER_ID).filtered(lambda config: not config.started_on)
        new.write({"started_on": fields.Datetime.now()})

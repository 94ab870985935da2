"""The dashboard: one page that is computed when it is looked at."""

import json
from datetime import timedelta

from odoo import _, api, fields, models
from odoo.tools.misc import format_date

from ...engine import candidates
from ...engine.insight import statistics
from ..odoo.cloud_storage_mixin import CloudStorageMixin
from ..sync.run import UNFINISHED

TREND_DAYS = 30
MOST_PROBLEMS = 10
MOST_RUNS = 5


class CloudStorageDashboard(models.Model):
    """What is in the cloud and how the sync is doing; a table of one computed row."""

    _name = "cloud_storage.dashboard"
    _description = "Cloud Storage Dashboard"
    _inherit = CloudStorageMixin._name
    _auto = False
    _table_query = "SELECT 1 AS id"

    missing = fields.Char(compute="_compute_missing")
    synced_files = fields.Integer("In the Cloud", compute="_compute_totals")
    synced_bytes = fields.Float(
        "Size in the Cloud", compute="_compute_totals", digits=(18, 0)
    )
    freed_bytes = fields.Float("Space Freed", compute="_compute_totals", digits=(18, 0))
    pending_files = fields.Integer("Pending", compute="_compute_totals")
    error_files = fields.Integer("Errors", compute="_compute_totals")
    read_count = fields.Integer("Reads", compute="_compute_reads")
    hit_ratio = fields.Float(
        compute="_compute_reads",
        help="Reads of cloud files that needed nothing from Google, in per cent.",
    )
    upload_trend = fields.Text(compute="_compute_trends")
    error_trend = fields.Text(compute="_compute_trends")
    read_trend = fields.Text(compute="_compute_trends")
    auth_ids = fields.Many2many(
        "cloud_storage.auth", string="Accounts", compute="_compute_lists"
    )
    run_ids = fields.Many2many(
        "cloud_storage.sync.run", string="Runs", compute="_compute_lists"
    )
    cause_ids = fields.Many2many(
        "cloud_storage.cause", string="Problems", compute="_compute_lists"
    )

    def name_get(self):
        return [(record.id, _("Dashboard")) for record in self]

    # -- numbers -----------------------------------------------------------------------

    def _compute_missing(self):
        setup = self.env["cloud_storage.setup"]
        self.missing = setup._first_missing() if self._is_manager() else False

    def _compute_totals(self):
        self.synced_files, self.synced_bytes = statistics.in_cloud(self.env)
        self.freed_bytes = statistics.bytes_freed(self.env)
        configs = self.env["cloud_storage.config"].sudo()
        configs = configs.search([("is_active", "=", True)])
        reader = self._reader()
        self.pending_files = sum(candidates.count_waiting(c, reader) for c in configs)
        problems = self.env["cloud_storage.cause"].search([])
        self.error_files = sum(problems.mapped("files"))

    def _compute_reads(self):
        reads, hits = statistics.reads(self.env, self._trend_start())
        self.read_count = reads
        self.hit_ratio = 100.0 * hits / reads if reads else 0.0

    # -- trends ------------------------------------------------------------------------

    def _compute_trends(self):
        self.upload_trend = self._trend(_("MB uploaded"), "uploaded_mb")
        self.error_trend = self._trend(_("Errors"), "errors")
        self.read_trend = self._trend(_("Files read"), "reads")

    def _trend(self, label, kind):
        """One bar per day, as the widget ``dashboard_graph`` wants it."""
        start = self._trend_start()
        numbers = statistics.daily(self.env, kind, start)
        days = [start.date() + timedelta(days=i) for i in range(TREND_DAYS + 1)]
        values = [
            {
                "label": format_date(self.env, day, date_format="d MMM"),
                "value": round(float(numbers.get(day, 0)), 2),
                "type": "past",
            }
            for day in days
        ]
        return json.dumps([{"key": label, "values": values}])

    @api.model
    def _trend_start(self):
        midnight = fields.Datetime.now().replace(hour=0, minute=0, second=0)
        return midnight - timedelta(days=TREND_DAYS)

    # -- lists -------------------------------------------------------------------------

    def _compute_lists(self):
        runs = self.env["cloud_storage.sync.run"]
        unfinished = runs.search([("state", "in", UNFINISHED)])
        self.auth_ids = self.env["cloud_storage.auth"].search([])
        self.run_ids = unfinished | runs.search([], limit=MOST_RUNS)
        self.cause_ids = self.env["cloud_storage.cause"].search([], limit=MOST_PROBLEMS)

    # -- buttons -----------------------------------------------------------------------

    def action_sync(self):
        """Sync the active configuration, as its own button does."""
        service = self.env["cloud_storage.sync.service"]
        config = self.env["cloud_storage.config"].get_active_config()
        return service._configs(config.id)[0].with_env(self.env).action_ask_sync()

    def action_setup(self):
        """Go on with the guided start."""
        return self.env["cloud_storage.setup"].action_open()

    def action_view_synced(self):
        """The files in the cloud."""
        return self._open("ir_attachment_action")

    def action_view_pending(self):
        """The files that the next sync moves."""
        config = self.env["cloud_storage.config"].get_active_config()
        return config.action_view_pending()

    def action_view_errors(self):
        """The files with a problem, by what it is."""
        context = {"search_default_errors": 1, "search_default_by_error": 1}
        return dict(self._open("ir_attachment_action"), context=context)

    def action_view_runs(self):
        """All runs."""
        return self._open("cloud_storage_sync_run_action")

    def action_view_reads(self):
        """Who read what."""
        return self._open("cloud_storage_access_log_action")

    @api.model
    def _open(self, name):
        return self.env["ir.actions.act_window"]._for_xml_id("cloud_storage." + name)

"""What a sync would move and free, without moving it."""

from odoo import _, api, fields, models
from odoo.tools import human_size

from ...engine import candidates
from ...engine.insight import savings
from ..odoo.cloud_storage_mixin import CloudStorageMixin


class CloudStorageSavings(models.TransientModel):
    """The savings report of a configuration, from the clauses that select files."""

    _name = "cloud_storage.savings"
    _description = "Cloud Storage Savings Report"
    _inherit = CloudStorageMixin._name

    config_id = fields.Many2one(
        "cloud_storage.config", "Configuration", required=True, ondelete="cascade"
    )
    delete_local = fields.Boolean(related="config_id.delete_local_after_sync")
    auth_state = fields.Selection(related="config_id.auth_state")
    started_on = fields.Datetime(related="config_id.started_on")
    sync_words = fields.Char(
        compute="_compute_sync_words", help="What the button does, on the button."
    )
    consequence = fields.Char(compute="_compute_consequence")
    line_ids = fields.One2many("cloud_storage.savings.line", "report_id")
    go_line_ids = fields.One2many(
        "cloud_storage.savings.line", "report_id", domain=[("goes", "=", True)]
    )
    stay_line_ids = fields.One2many(
        "cloud_storage.savings.line", "report_id", domain=[("goes", "=", False)]
    )
    files = fields.Integer(
        "Files to Move", compute="_compute_totals", help="What a sync would move now."
    )
    size_bytes = fields.Float(
        "Size of These Files", compute="_compute_totals", digits=(18, 0)
    )
    duplicate_files = fields.Integer(
        "Duplicates",
        compute="_compute_totals",
        help="Files whose content is uploaded with another one, or in Drive already.",
    )
    upload_bytes = fields.Float(
        "To Upload",
        compute="_compute_totals",
        digits=(18, 0),
        help="Without the duplicates.",
    )
    freed_bytes = fields.Float(
        "Space to Free",
        digits=(18, 0),
        readonly=True,
        help="On this server's disk, when the local copies go. Less than the size of"
        " the files when attachments share a file with one that stays.",
    )
    stay_files = fields.Integer("Files That Stay", compute="_compute_totals")
    stay_bytes = fields.Float(
        "Size of What Stays", compute="_compute_totals", digits=(18, 0)
    )

    def name_get(self):
        return [
            (report.id, _("Savings of %s", report.config_id.name)) for report in self
        ]

    @api.depends("line_ids")
    def _compute_totals(self):
        for report in self:
            goes, stays = report.go_line_ids, report.stay_line_ids
            report.files = sum(goes.mapped("files"))
            report.size_bytes = sum(goes.mapped("size_bytes"))
            report.duplicate_files = sum(goes.mapped("duplicate_files"))
            report.upload_bytes = report.size_bytes - sum(
                goes.mapped("duplicate_bytes")
            )
            report.stay_files = sum(stays.mapped("files"))
            report.stay_bytes = sum(stays.mapped("size_bytes"))

    @api.depends("files", "size_bytes")
    def _compute_sync_words(self):
        for report in self:
            report.sync_words = report._button_text()

    def _button_text(self):
        if not self.files:
            return _("Start: no file goes now")
        return _(
            "Sync %(files)s files (%(size)s)",
            files=self.files,
            size=human_size(self.size_bytes) or _("0 bytes"),
        )

    @api.depends("freed_bytes", "files")
    def _compute_consequence(self):
        for report in self:
            report.consequence = report._consequence_text()

    def _consequence_text(self):
        freed = human_size(self.freed_bytes) or _("0 bytes")
        if not self.files:
            return _("There is nothing to move. What Stays tells why.")
        if not self.delete_local:
            return _(
                "The local copies stay and nothing is freed, because Free Local Space"
                " is off in the configuration. With it, %s would become free.",
                freed,
            )
        days = self.config_id.keep_local_days
        when = _("%s days after", days) if days else _("at once")
        return _(
            "A sync deletes the local copies of these %(files)s files, %(when)s:"
            " %(freed)s of this server's disk become free. The copy in Drive"
            " is verified before.",
            files=self.files,
            when=when,
            freed=freed,
        )

    @api.model_create_multi
    def create(self, vals_list):
        reports = super().create(vals_list)
        for report in reports:
            report._fill()
        return reports

    def _fill(self):
        service = self.env["cloud_storage.sync.service"].sudo()
        config = self.config_id.sudo()
        clauses = service._clauses(config, reader=self._reader())
        lines, self.freed_bytes = savings.judge(self.env, config, clauses)
        self.line_ids = [(0, 0, self._prepare_line(clauses, *line)) for line in lines]

    @api.model
    def _prepare_line(self, clauses, number, model, extension, *numbers):
        files, size, duplicate_files, duplicate_bytes = numbers
        reason = clauses[number].reason if number is not None else False
        if reason and "%s" in reason:
            reason = reason % model
        return {
            "goes": number is None,
            "reason": reason,
            "model_name": model,
            "extension": extension,
            "files": files,
            "size_bytes": size,
            "duplicate_files": duplicate_files,
            "duplicate_bytes": duplicate_bytes,
        }

    def action_sync(self):
        """Move what the report shows, now.

        Before the first time, a number that has grown meanwhile is shown again.
        """
        self.ensure_one()
        self._check_manager()
        config = self.config_id
        waiting = candidates.count_waiting(config.sudo())
        if not config.started_on and waiting > self.files:
            return config.action_ask_sync()
        return config.action_start_sync()

    def action_analyze(self):
        """The lines as a pivot, to turn and sum as one likes."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": "cloud_storage.savings.line",
            "view_mode": "pivot,graph,tree",
            "domain": [("report_id", "=", self.id)],
            "name": self.display_name,
        }


class CloudStorageSavingsLine(models.TransientModel):
    """Files of one model and extension that go, or that stay for one reason."""

    _name = "cloud_storage.savings.line"
    _description = "Cloud Storage Savings Report Line"
    _order = "size_bytes desc, id"

    report_id = fields.Many2one(
        "cloud_storage.savings", required=True, ondelete="cascade", index=True
    )
    goes = fields.Boolean("Goes to the Cloud", readonly=True)
    reason = fields.Char("Why It Stays", readonly=True)
    model_name = fields.Char("Model", readonly=True)
    extension = fields.Char(readonly=True)
    files = fields.Integer(readonly=True)
    size_bytes = fields.Float("Size", digits=(18, 0), readonly=True)
    duplicate_files = fields.Integer("Duplicates", readonly=True)
    duplicate_bytes = fields.Float("Size of Duplicates", digits=(18, 0), readonly=True)

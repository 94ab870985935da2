import json
import logging

from odoo import _, api, fields, models
from odoo.tools import human_size

from ...engine import attachments, transaction
from ...engine.runner import is_alive
from ..odoo.cloud_storage_mixin import CloudStorageMixin
from .log import SYNC_TYPES

_logger = logging.getLogger(__name__)

UNFINISHED = ("queued", "running")
RESUMABLE = ("stopped", "failed")


class CloudStorageSyncRun(models.Model):
    """One run and its progress.

    While a process works on a run it holds an advisory lock of PostgreSQL, so whoever
    comes next knows at once whether the run lives: a killed process loses its lock.
    """

    _name = "cloud_storage.sync.run"
    _description = "Cloud Storage Run"
    _inherit = CloudStorageMixin._name
    _order = "id desc"

    name = fields.Char(compute="_compute_name")
    config_id = fields.Many2one(
        "cloud_storage.config", "Configuration", ondelete="cascade", readonly=True
    )
    sync_type = fields.Selection(
        SYNC_TYPES, "Type", required=True, default="manual", readonly=True
    )
    state = fields.Selection(
        [
            ("queued", "Queued"),
            ("running", "Running"),
            ("done", "Done"),
            ("failed", "Failed"),
            ("stopped", "Stopped"),
        ],
        required=True,
        default="queued",
        index=True,
        readonly=True,
    )
    start_time = fields.Datetime(readonly=True)
    end_time = fields.Datetime(readonly=True)
    file_limit = fields.Integer(readonly=True, help="Most files to process; 0: all.")
    last_id = fields.Integer(
        readonly=True, help="Attachments up to here were looked at."
    )
    total_files = fields.Integer("Files", readonly=True)
    total_processed = fields.Integer("Processed", readonly=True)
    total_success = fields.Integer("Succeeded", readonly=True)
    total_errors = fields.Integer("Errors", readonly=True)
    total_skipped = fields.Integer("Skipped", readonly=True)
    total_missing = fields.Integer("Missing", readonly=True)
    bytes_uploaded = fields.Float(digits=(18, 0), readonly=True)
    bytes_freed = fields.Float(digits=(18, 0), readonly=True)
    progress = fields.Float(compute="_compute_progress", help="Per cent.")
    stop_requested = fields.Boolean(readonly=True)
    is_resumable = fields.Boolean(compute="_compute_is_resumable")
    message = fields.Text(readonly=True)
    params = fields.Text(readonly=True, help="What the run works on, as JSON.")
    log_ids = fields.One2many("cloud_storage.sync.log", "run_id", "Logs")

    @api.depends("sync_type", "start_time")
    def _compute_name(self):
        kinds = dict(self._fields["sync_type"]._description_selection(self.env))
        for run in self:
            run.name = "%s #%s" % (kinds.get(run.sync_type, ""), run.id or "")

    @api.depends("total_files", "total_processed", "state")
    def _compute_progress(self):
        for run in self:
            if run.state == "done":
                run.progress = 100.0
            elif run.total_files:
                run.progress = min(100.0, 100.0 * run.total_processed / run.total_files)
            else:
                run.progress = 0.0

    @api.depends("state", "params", "sync_type")
    def _compute_is_resumable(self):
        for run in self:
            knows_its_work = run.params or run.sync_type in ("manual", "automatic")
            run.is_resumable = bool(knows_its_work) and run.state in RESUMABLE

    def action_stop(self):
        """Ask the runs to stop; a running one does within seconds."""
        self._check_manager()
        runs = self.sudo().filtered(lambda run: run.state in UNFINISHED)
        runs.write({"stop_requested": True})
        for run in runs:
            if not is_alive(run):
                run._finish("stopped", _("Stopped by %s.", self.env.user.name))
        return True

    def action_resume(self):
        """Let runs that were stopped or failed go on in the background."""
        self._check_manager()
        runs = self.sudo().filtered("is_resumable")
        # what was done is not looked for again, what failed gets another try
        runs.write(
            {
                "state": "queued",
                "stop_requested": False,
                "message": False,
                "last_id": 0,
                "end_time": False,
            }
        )
        for run in runs:
            run._forget_failures()
        runs._go_on()
        return True

    def _forget_failures(self):
        """Let the run try again what failed in it."""
        attachments.forget_failures(
            self.env.cr, self.id, self._get_params().get("ids", [])
        )
        self.env["ir.attachment"].invalidate_cache(["cloud_run_id"])

    def action_open(self):
        """The action that shows this run."""
        self.ensure_one()
        return {
            "type": "ir.actions.act_window",
            "res_model": self._name,
            "res_id": self.id,
            "view_mode": "form",
            "name": self.name,
        }

    # -- for the services ----------------------------------------------------------------

    def _may_send(self):
        """Whether somebody agreed that the files of this upload run leave.

        The files of a single run were chosen by a person, for the account of then.
        """
        self.ensure_one()
        if self.sync_type not in ("manual", "automatic", "single"):
            return True  # restore, migrate and the like say themselves what they move
        if self.config_id.started_on:
            return True
        chosen_for = self._get_params().get("chosen_for")
        return self.sync_type == "single" and chosen_for == self.config_id.auth_id.id

    def _get_params(self):
        return json.loads(self.params or "{}")

    def _start(self, total):
        self.write(
            {
                "state": "running",
                "start_time": self.start_time or fields.Datetime.now(),
                "total_files": self.total_processed + total,
            }
        )

    def _finish(self, state, message=False):
        self.write(
            {"state": state, "end_time": fields.Datetime.now(), "message": message}
        )
        _logger.info(
            "Run %s %s: %s processed, %s errors, %s uploaded",
            self.id,
            state,
            self.total_processed,
            self.total_errors,
            human_size(self.bytes_uploaded),
        )

    def _finish_stopped(self, message):
        """End a run that saw :meth:`_is_stop_requested`.

        One that only made room for an uninstallation waits to go on.
        """
        if self._is_stop_pressed():
            self._finish("stopped", message)
        else:
            self.write({"state": "queued"})
            self._go_on()

    def _add(self, **numbers):
        """Add to the counters, in SQL so that two writers lose nothing."""
        names = sorted(name for name in numbers if numbers[name])
        if names:
            assignments = ", ".join(
                "%s = COALESCE(%s, 0) + %%s" % (n, n) for n in names
            )
            self.env.cr.execute(
                "UPDATE cloud_storage_sync_run SET %s WHERE id = %%s" % assignments,
                [numbers[n] for n in names] + [self.id],
            )
            self.invalidate_cache(names, self.ids)

    def _is_stop_requested(self):
        """Whether this run is to end early: somebody pressed Stop, or the addon leaves.

        The latter is not written down: whoever uninstalls may be refused, then the run
        goes on (see :meth:`_finish_stopped`).
        """
        return self._is_stop_pressed() or not transaction.share_installation(
            self.env.cr
        )

    def _is_stop_pressed(self):
        self.env.cr.execute(
            "SELECT stop_requested FROM cloud_storage_sync_run WHERE id = %s",
            (self.id,),
        )
        row = self.env.cr.fetchone()
        return not row or bool(row[0])  # a deleted run is a stopped run

    def _summary(self, remaining=0):
        """The dict that the services return, over all runs in ``self``."""
        return {
            "synced": sum(self.mapped("total_success")),
            "errors": sum(self.mapped("total_errors")),
            "skipped": sum(self.mapped("total_skipped")),
            "remaining": remaining,
            "bytes_uploaded": int(sum(self.mapped("bytes_uploaded"))),
            "bytes_freed": int(sum(self.mapped("bytes_freed"))),
            "duration_s": sum(run._duration() for run in self),
            "run_ids": self.ids,
        }

    def _duration(self):
        if not self.start_time:
            return 0.0
        end = self.end_time or fields.Datetime.now()
        return (end - self.start_time).total_seconds()

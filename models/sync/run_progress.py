"""How a run is doing, for the person who watches it."""

from datetime import timedelta

from babel import Locale
from babel.dates import format_timedelta

from odoo import _, api, fields, models
from odoo.tools import get_lang, human_size

from .run import UNFINISHED
from .run import CloudStorageSyncRun as Run


class CloudStorageSyncRun(models.Model):
    _inherit = Run._name

    is_unfinished = fields.Boolean(compute="_compute_progress_text")
    duration_s = fields.Float("Duration (s)", compute="_compute_progress_text")
    speed = fields.Float(
        "Speed (bytes/s)", compute="_compute_progress_text", digits=(18, 0)
    )
    seconds_left = fields.Float("Time Left (s)", compute="_compute_progress_text")
    progress_text = fields.Char("How It Goes", compute="_compute_progress_text")
    duration_words = fields.Char("Duration", compute="_compute_progress_text")

    @api.depends(
        "state",
        "end_time",
        "total_files",
        "total_processed",
        "bytes_uploaded",
        "bytes_freed",
    )
    def _compute_progress_text(self):
        for run in self:
            run.is_unfinished = run.state in UNFINISHED
            run.duration_s = run._duration()
            run.duration_words = run._describe_duration(run.duration_s)
            run.speed = run.duration_s and run.bytes_uploaded / run.duration_s
            run.seconds_left = run._estimate_seconds_left()
            run.progress_text = run._describe_progress()

    def _estimate_seconds_left(self):
        """What the rest takes when it goes on like this; 0 when that is unknown."""
        left = self.total_files - self.total_processed
        if self.state != "running" or left <= 0 or not self.total_processed:
            return 0.0
        return left * self.duration_s / self.total_processed

    def _describe_progress(self):
        parts = self._describe_counts() + self._describe_activity()
        if self.bytes_freed and not self.is_unfinished:
            parts.append(_("%s freed", human_size(self.bytes_freed)))
        return ", ".join(parts)

    def _describe_counts(self):
        if self.state == "done" and not self.total_processed:
            return [_("there was nothing to do")]
        total = max(self.total_files, self.total_processed)
        parts = [
            _("%(done)s of %(total)s files", done=self.total_processed, total=total)
        ]
        if self.total_errors:
            parts.append(_("%s errors", self.total_errors))
        return parts

    def _describe_activity(self):
        if self.stop_requested and self.is_unfinished:
            return [_("stopping")]
        if self.state == "queued":
            return [_("waiting for the background job")]
        return self._describe_speed() if self.state == "running" else []

    def _describe_speed(self):
        parts = []
        if self.speed:
            parts.append(_("%s/s", human_size(self.speed)))
        if self.seconds_left:
            parts.append(_("%s left", self._describe_duration(self.seconds_left)))
        return parts

    @api.model
    def _describe_duration(self, seconds):
        locale = Locale.parse(get_lang(self.env).code.partition("@")[0])
        return format_timedelta(timedelta(seconds=seconds), locale=locale)

    def action_view_logs(self):
        """The rows of these runs, one per file."""
        return self._logs_action([])

    def action_view_errors(self):
        """The rows of the files that failed."""
        return self._logs_action([("status", "=", "error")])

    def _logs_action(self, domain):
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "cloud_storage.cloud_storage_sync_log_action"
        )
        action["domain"] = [("run_id", "in", self.ids)] + domain
        return action

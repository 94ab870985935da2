"""Files in Drive that no attachment uses: given back, kept for a while, or trashed."""

from datetime import timedelta

from odoo import fields

from ...content import unused
from ...content.lost import lacking_for, lacking_ids
from ...content.metadata import attachment_id, properties_of
from ...content.relink import RELINK_NEEDED
from ...outbox import queue
from ...transaction import retrying
from .compare import PAGE
from .difference import Difference

GRACE_DAYS = 7  # that a file nobody uses stays in Drive, from when that was first seen


class UnusedFiles:
    """What a comparison found unused.

    ``waiting`` counts those in their grace period, ``kept`` those that stay because the
    attachments with the ids ``lacking`` have no content; ``are_new`` tells that some were
    seen for the first time, ``relink_needed`` that rows were lost by going back to a
    backup.

    :param job: the :class:`~.job.ReconcileJob`
    :param Progress progress: of a complete comparison
    """

    def __init__(self, job, progress):
        self.env, self.auth, self.counts = job.env, job.auth, job.counts
        self._files, self._in_trash = progress.unused, progress.unused_in_trash
        self.waiting = self.kept = 0
        self.lacking, self.are_new = [], False
        self.relink_needed = self._notice_lost_rows()

    def _notice_lost_rows(self):
        """Files of attachments that never were: this database was a later one before.

        Until somebody relinks, files that nobody uses stay: they may be all that is
        left of what the backup does not know.
        """
        marks = [attachment_id(properties_of(file)) for file in self._files]
        self.env.cr.execute("SELECT last_value FROM ir_attachment_id_seq")
        parameters = self.env["ir.config_parameter"]
        if max(marks, default=0) > self.env.cr.fetchone()[0]:
            parameters.set_param(RELINK_NEEDED, "True")
        return bool(parameters.get_param(RELINK_NEEDED))

    def relinkable(self):
        """Those that attachments lost, in the trash of Drive included.

        :rtype: list[Difference]
        """
        files, found = self._files + self._in_trash, []
        for start in range(0, len(files), PAGE):
            found += lacking_for(self.env, files[start : start + PAGE])
        return [Difference("relinked", file, []) for file in found]

    def overdue(self):
        """Those that had their time, unless one may be what somebody lacks.

        :rtype: list[Difference]
        """
        files = [f for f in self._files if not queue.is_used(self.env, f["id"])]
        ids = [file["id"] for file in files]
        self.are_new = bool(retrying(self.env, lambda: unused.note(self.auth, ids)))
        since = unused.first_seen(self.auth)
        overdue = [file for file in files if self._is_overdue(since[file["id"]])]
        self.waiting = len(files) - len(overdue)
        if self.relink_needed:
            self.counts["errors"] += len(files)
            return []
        if self._keep_lacking(overdue):
            return []
        return [Difference("unused", file, []) for file in overdue]

    def _is_overdue(self, first_seen):
        days = self.env["cloud_storage.mixin"]._int_parameter(
            "orphan_grace_days", GRACE_DAYS
        )
        return fields.Datetime.now() - first_seen >= timedelta(days=days)

    def _keep_lacking(self, overdue):
        """Keep all files while an attachment lacks its content; tell whether one does."""
        waiting = self.env["cloud_storage.trash"].sudo()
        queued = waiting.search_count(
            [("drive_file_id", "!=", False), ("auth_id", "=", self.auth.id)]
        )
        if not overdue and not queued:
            return False
        self.lacking = lacking_ids(self.env, fresh=True)
        self.kept = len(overdue) + queued if self.lacking else 0
        return bool(self.lacking)

"""One comparison of an account's files in Drive with the attachments that use them."""

import json
import logging
import random
from datetime import timedelta

from odoo import _, fields

from ..drive.errors import DriveError
from ..engine import candidates, runner
from ..engine.jobs.base import FileJob
from ..engine.transaction import Deadline, retrying
from .cloud_storage_restore_relink import RELINK_NEEDED
from .reconcile_compare import PAGE, Comparison, Drift, select_rows
from .reconcile_drift import Mender
from .reconcile_folders import AccountFolders

_logger = logging.getLogger(__name__)

TRIES = 4  # per request: an outage shall end the comparison soon
GRACE_DAYS = 7  # that a file nobody uses stays in Drive, from when that was first seen
HEADROOM = 10  # seconds for mending after a comparison that took all the time
#: What Drive or a backup is about to lose: first, and however much it is.
RESCUES = ("trashed", "missing")
#: The others, in this order.
OTHERS = (
    "changed",
    "unproven",
    "healed",
    "lost",
    "public",
    "unused",
    "unmarked",
    "renamed",
    "moved",
)
#: Parameter with how many attachments lacked their content when it was last mailed.
LACKING_TOLD = "cloud_storage.lacking_told"
NAMED = 10  # attachments without content that a message names


class ReconcileRun(FileJob):
    """Compare all, then mend what differs.

    Nothing is mended before Drive gave the whole list, so an outage changes nothing.
    What does not fit into the budget or the time goes on in the background at once.
    """

    def __init__(self, run, deadline):
        super().__init__(run, deadline)
        self.service = self.env["cloud_storage.sync.service"]
        self.auth = self.env["cloud_storage.auth"].browse(self.params["auth_id"])
        self.budget = self.params.get("budget")
        self.checked = self.fixed = self.missing = self.errors = 0
        self.unknown = 0  # attachments whose file could not be checked
        self.relinked = 0  # attachments that got their content back
        self.waiting = self.gone = self.kept = (
            0  # unused files: in grace, trashed, kept
        )
        self.left = 0  # differences that nobody looked at yet
        self.lacking = []  # ids of attachments without content, when that matters
        self.writes = 0  # rows and files that were changed and count
        self.relink_needed = False  # rows were lost by going back to a backup
        self.damage = self.news = False  # something was flagged, or is to be told

    def total(self):
        """Attachments that are in this account, less those compared before."""
        count = candidates.count(self.env, [("cloud_auth_id", "=", self.auth.id)])
        return max(0, count - self.run.total_processed)

    def work(self):
        """Compare and mend.

        :raises UserError: the account can not be used, or is not the one it was
        :raises DriveError: Drive does not answer; nothing was changed
        """
        if self.params.get("fix_rows"):
            self.fixed += self.service._fix_links()
        self.limits.overtime = None  # a list that ends early would begin anew
        self.drive = self.client(self.auth, write=True, tries=TRIES)
        self.folders = AccountFolders(self.auth, self.drive)
        self.comparison = Comparison(self)
        drifts = self.comparison.drifts()
        self._notice_lost_rows(self.comparison.highest_mark())
        if self.deadline.over:
            self.deadline = Deadline(
                HEADROOM
            )  # else it would never get beyond comparing
        try:
            self._mend_all(drifts)
        except DriveError as err:
            self.env.cr.rollback()
            self.end(err)
        retrying(self.env, self._end)

    # -- mend --------------------------------------------------------------------------

    def _mend_all(self, drifts):
        """First what may be lost soon, then the rest as far as budget and time go."""
        mender = Mender(self)
        rescues = [drift for drift in drifts if drift.kind in RESCUES]
        rescues.sort(key=lambda drift: RESCUES.index(drift.kind))
        self._mend(mender, rescues)
        self._mend(mender, self._relinkable())
        counted = self.writes
        rest = [drift for drift in drifts if drift.kind not in RESCUES]
        rest += self._overdue()
        rest.sort(key=lambda drift: OTHERS.index(drift.kind))
        limit = None if self.budget is None else counted + self.budget
        self._mend(mender, rest, limit)
        if self.reason is None:
            mender.finish()

    def _mend(self, mender, drifts, limit=None):
        """:param int limit: of ``writes``, where it ends"""
        for number, drift in enumerate(drifts):
            is_spent = limit is not None and self.writes >= limit
            if is_spent or self.must_pause():
                self.left += len(drifts) - number
                return
            mender.mend(drift)

    def _relinkable(self):
        """Unused files that attachments lost, those in the trash of Drive included."""
        files = self.comparison.unused + self.comparison.unused_in_trash
        found = []
        for start in range(0, len(files), PAGE):
            found += self.service._lacking_for(files[start : start + PAGE])
        return [Drift("relinked", file, []) for file in found]

    # -- what nobody uses --------------------------------------------------------------

    def _overdue(self):
        """Unused files that had their time, unless one may be what somebody lacks."""
        used = self.env["cloud_storage.trash"]._is_used
        files = [file for file in self.comparison.unused if not used(file["id"])]
        unused = self.env["cloud_storage.unused.file"]
        ids = [file["id"] for file in files]
        if retrying(self.env, lambda: unused._note(self.auth, ids)):
            self.news = True
        since = unused._first_seen(self.auth)
        overdue = [file for file in files if self.is_overdue(since[file["id"]])]
        self.waiting = len(files) - len(overdue)
        if self.relink_needed:
            self.errors += len(files)
            return []
        if self._must_keep(overdue):
            return []
        return [Drift("unused", file, []) for file in overdue]

    def is_overdue(self, first_seen):
        """Whether a file has been unused for long enough.

        :param datetime first_seen: UTC
        """
        days = self.env["cloud_storage.mixin"]._int_parameter(
            "orphan_grace_days", GRACE_DAYS
        )
        return fields.Datetime.now() - first_seen >= timedelta(days=days)

    def _must_keep(self, overdue):
        """Whether files stay because an attachment lacks its content."""
        queued = (
            self.env["cloud_storage.trash"]
            .sudo()
            .search_count(
                [("drive_file_id", "!=", False), ("auth_id", "=", self.auth.id)]
            )
        )
        if not overdue and not queued:
            return False
        self.lacking = self.service._lacking_ids(fresh=True)
        self.kept = len(overdue) + queued if self.lacking else 0
        return bool(self.lacking)

    def _notice_lost_rows(self, number):
        """Files of attachments that never were: this database was a later one before.

        Until somebody relinks, files that nobody uses stay: they may be all that is
        left of what the backup does not know.

        :param int number: highest id of an attachment among them
        """
        self.env.cr.execute("SELECT last_value FROM ir_attachment_id_seq")
        if number > self.env.cr.fetchone()[0]:
            self.env["ir.config_parameter"].set_param(RELINK_NEEDED, "True")
        self.relink_needed = self.env["ir.config_parameter"].get_param(RELINK_NEEDED)

    def sample(self, count, largest):
        """Some attachments whose content is proven, others each time.

        :param int largest: bytes that each of them has at most
        :rtype: list[Row]
        """
        newest = select_rows(self.env, self.auth, "TRUE ORDER BY id DESC LIMIT 1")
        return select_rows(
            self.env,
            self.auth,
            "id >= %s AND cloud_sync_status = 'synced' AND cloud_sha1 IS NOT NULL"
            " AND cloud_size_bytes BETWEEN 1 AND %s ORDER BY id LIMIT %s",
            random.randint(1, newest[0].id if newest else 1),
            largest,
            count,
        )

    # -- the end -----------------------------------------------------------------------

    def _end(self):
        """Report, and have the background go on where that gets anywhere."""
        rows_left = bool(self.params.get("rows_left"))
        moves = self.fixed or self.writes or self.budget == 0
        self.out_of_time = bool(
            self.reason is None and (self.left or rows_left) and moves
        )
        if self.out_of_time:
            rest = {"auth_id": self.auth.id, "is_rest": True, "fix_rows": rows_left}
            self.run.params = json.dumps(rest)
        self._report()

    def _report(self):
        self.run.write(
            {
                "total_processed": self.checked,
                "total_success": self.run.total_success + self.fixed,
                "total_missing": self.missing,
                "total_errors": self.errors,
            }
        )
        self.run.message = " ".join([self._summary()] + self._details())
        self._tell()

    def _summary(self):
        return _(
            "%(checked)s checked, %(fixed)s fixed, %(missing)s missing, %(errors)s"
            " errors.",
            checked=self.run.total_processed,
            fixed=self.run.total_success,
            missing=self.run.total_missing,
            errors=self.run.total_errors,
        )

    def _details(self):
        """Sentences about what there was besides."""
        counted = [
            (self.relinked, _("%s linked again to what was their content.")),
            (self.waiting, _("%s files that nothing uses wait in Drive.")),
            (self.gone, _("%s went to the trash of Drive.")),
            (self.unknown, _("%s could not be checked.")),
            (self.left, self._left_text()),
        ]
        texts = [text % count for count, text in counted if count]
        return texts + self._kept_text() + self._relink_text()

    def _left_text(self):
        if self.out_of_time:
            return _("%s differences are left; the background goes on.")
        return _("%s differences are left for the next comparison.")

    def _kept_text(self):
        if not self.kept:
            return []
        ids = ", ".join(map(str, self.lacking[:NAMED]))
        return [
            _(
                "%(files)s files stay in Drive because %(count)s attachments have no"
                " content: they may be what these lost. Give them a new file or delete"
                " them; their ids: %(ids)s.",
                files=self.kept,
                count=len(self.lacking),
                ids=ids + (", …" if len(self.lacking) > NAMED else ""),
            )
        ]

    def _relink_text(self):
        if not self.relink_needed:
            return []
        return [
            _(
                "There are files in Drive of attachments that this database does not"
                " know: was it restored from an old backup? To get them back, call"
                " _relink_from_drive() of cloud_storage.sync.service in a shell."
            )
        ]

    def _tell(self):
        """Mail what people have to know, what stays as it is only once."""
        is_new = self.news or self.relinked or (self.left and not self._is_rest())
        # first, as it also notes what was told
        if self._lacking_changed() or self.damage or is_new:
            subject = _("Cloud Storage: %s has news", self.run.name)
            if self.damage:
                subject = _("Cloud Storage: %s found damage", self.run.name)
            runner.mail_about(self.run, subject, self.run.message)

    def _is_rest(self):
        return bool(self.params.get("is_rest"))

    def _lacking_changed(self):
        parameters = self.env["ir.config_parameter"]
        told = parameters.get_param(LACKING_TOLD) or "0"
        count = str(len(self.lacking) if self.kept else 0)
        if count == told:
            return False
        parameters.set_param(LACKING_TOLD, count)
        return count != "0"

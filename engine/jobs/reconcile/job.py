"""One comparison of an account's files in Drive with the attachments that use them."""

import json
import logging
from collections import Counter

from ....drive.errors import (
    DriveError,
    InvalidRequestError,
    OutOfTimeError,
    StoppedError,
)
from ... import candidates, invariants
from ...transaction import retrying
from ..base import Job
from .compare import Comparison
from .difference import OTHERS, RESCUES
from .folders import AccountFolders
from .progress import Progress
from .repair import Repairs
from .report import Report
from .unused_files import UnusedFiles

_logger = logging.getLogger(__name__)

TRIES = 4  # per request: an outage shall end the comparison soon
HEADROOM = 10  # seconds for repairs after a comparison that took all the time


class ReconcileJob(Job):
    """Compare all, then repair what differs.

    Nothing is changed before Drive gave the whole list, so an outage changes nothing. What
    does not fit into the budget or the time goes on in the background at once: a list that
    is longer than a slice with the next page.

    ``counts`` has what there was: attachments ``checked``, ``missing`` and ``unknown``
    (they could not be checked); differences ``fixed``, ``writes`` (fixed or flagged) and
    ``left``; ``relinked`` attachments; unused files ``gone`` to the trash; ``errors``.
    """

    def __init__(self, run, deadline):
        super().__init__(run, deadline)
        self.auth = self.env["cloud_storage.auth"].browse(self.params["auth_id"])
        self.counts = Counter()
        self.is_damaged = False  # something was flagged

    def total(self):
        """Attachments that are in this account, less those compared before."""
        count = candidates.count(self.env, [("cloud_auth_id", "=", self.auth.id)])
        return max(0, count - self.run.total_processed)

    def client_to_write(self, auth):
        """A client of any account that may change Drive."""
        return self.client(auth, write=True, tries=TRIES)

    def work(self):
        """Compare and repair.

        :raises UserError: the account can not be used, or is not the one it was
        :raises DriveError: Drive does not answer; nothing was changed
        """
        if self.params.pop("fix_rows", False):
            self.counts["fixed"] += invariants.mend(self.env)
        self.limits.overtime = None  # a page takes as long as it does
        self.drive = self.client_to_write(self.auth)
        self.folders = AccountFolders(self.auth, self.drive)
        self.progress = Progress(self.auth, self.params.pop("comparison", None))
        try:
            differences = self._compare()
        except OutOfTimeError as err:
            self.end(err)
            retrying(self.env, self._keep_progress)
            return
        self.counts.update(self.progress.counts)
        unused = UnusedFiles(self, self.progress)
        if self.deadline.over:
            self.extend(HEADROOM)  # else it would never get beyond comparing
        try:
            self._repair_all(differences, unused)
        except DriveError as err:
            self.env.cr.rollback()
            self.end(err)
        retrying(self.env, lambda: self._close(unused))

    def _compare(self):
        try:
            return Comparison(self, self.progress).differences()
        except InvalidRequestError as err:
            if not self.progress.is_continued:
                raise
            # Drive does not know any more where the list was
            _logger.info("The comparison of %s begins anew: %s", self.auth.name, err)
        self.progress = Progress(self.auth)
        return Comparison(self, self.progress).differences()

    def _keep_progress(self):
        """The next slice goes on with the next page."""
        self.progress.counts["fixed"] += self.counts.pop("fixed", 0)
        params = dict(self.params, comparison=self.progress.dump())
        checked = self.progress.counts["checked"]
        self.run.write({"params": json.dumps(params), "total_processed": checked})

    # -- repair ------------------------------------------------------------------------

    def _repair_all(self, differences, unused):
        """First what may be lost soon, then the rest as far as budget and time go."""
        repairs = Repairs(self)
        rescues = [one for one in differences if one.kind in RESCUES]
        rescues.sort(key=lambda one: RESCUES.index(one.kind))
        self._repair(repairs, rescues)
        self._repair(repairs, unused.relinkable())
        rest = [one for one in differences if one.kind not in RESCUES]
        rest += unused.overdue()
        rest.sort(key=lambda one: OTHERS.index(one.kind))
        self._repair(repairs, rest, self._limit())
        if self.reason is None:
            repairs.finish()

    def _limit(self):
        """Of ``writes``: the budget counts from here."""
        budget = self.params.get("budget")
        return None if budget is None else self.counts["writes"] + budget

    def _repair(self, repairs, differences, limit=None):
        """:param int limit: of ``writes``, where it ends"""
        for number, difference in enumerate(differences):
            is_spent = limit is not None and self.counts["writes"] >= limit
            if is_spent or self.pause_if_due() or not self._try(repairs, difference):
                self.counts["left"] += len(differences) - number
                return

    def _try(self, repairs, difference):
        """:return: False when it is time to end"""
        # something has to come of each slice, however large its first file is
        self.limits.overtime = 0 if self.counts["writes"] else None
        try:
            repairs.repair(difference)
        except StoppedError as err:
            self.env.cr.rollback()
            self.end(err)
        return not self.is_ending

    # -- the end -----------------------------------------------------------------------

    def _close(self, unused):
        """Report, and have the background go on where that gets anywhere."""
        rows_left = bool(self.params.get("rows_left"))
        is_more = self.counts["left"] or rows_left
        moves = self.counts["fixed"] or self.counts["writes"]
        moves = moves or self.params.get("budget") == 0
        self.out_of_time = bool(self.reason is None and is_more and moves)
        if self.out_of_time:
            rest = {"auth_id": self.auth.id, "is_rest": True, "fix_rows": rows_left}
            self.run.params = json.dumps(rest)
        elif self.progress.is_continued:
            self.run.params = json.dumps(self.params)  # without what was kept
        Report(self, unused).write()

"""Uploads: claim, send in threads, write down, release; over and over.

The main thread alone talks to the database. What is about to happen is committed before it
happens (rows ``pending`` with their reserved Drive ids), what happened right after; so a
process may die anywhere and the next one knows where it stood.
"""

from collections import deque

from ...drive.errors import (
    DriveError,
    FolderFullError,
    ForbiddenError,
    NotFoundError,
    StoppedError,
)
from ...drive.pool import Task, UploadPool
from ...drive.source import MULTIPART_LIMIT
from ..account.database import database_uuid
from ..content.checksums import measure_for
from ..content.metadata import app_properties, drive_name
from ..folders import Folders
from ..local_files import opener
from ..release import release_due, release_uploaded
from ..rules import rule_of
from ..transaction import retrying
from .base import Job
from .claims import ID_RESERVE, Claims
from .duplicates import Duplicates, content_of
from .results import Results

CLAIM_PER_WORKER = 8  # rows claimed ahead, per upload thread
SETUP_SECONDS = 10  # that folders and the first files may take after the deadline
RELEASE_TRIES = 4  # per request: an outage shall end it soon
SAME_REFUSALS = 5  # files in a row that are refused for one reason, before a run ends
FLUSH_SECONDS = 0.5  # how often results are written down and Stop is looked at


class UploadJob(Job):
    """Sends what a configuration covers, or the attachments that the run names."""

    def __init__(self, run, deadline):
        super().__init__(run, deadline)
        self.auth = self.config.auth_id
        self.claims = Claims(self.run, self.params.get("ids"))
        self.results, self.duplicates = Results(self.run), Duplicates(self.run)
        self._sessions = deque()
        self._refused, self._refusals = (
            None,
            0,
        )  # the last reason, and how often in a row

    # -- the loop ------------------------------------------------------------------------

    def total(self):
        """How many files there are to work on."""
        return self.claims.count()

    def work(self):
        """Run to the end of this slice.

        :raises UserError: the account can not be used
        :raises DriveError: not even a start was possible
        """
        if not self.claims.is_selection:
            measure_for(self.config, self.deadline)
        self.limits.overtime = SETUP_SECONDS
        rate = self.config.requests_per_second
        self.drive = self.client(self.auth, write=True, rate=rate)
        if self.run.sync_type == "automatic" and not self.run.last_id:
            self._release_due()  # a copy of the database was refused right before
        self.pool = UploadPool(
            self.drive,
            self.config.max_parallel_uploads,
            self.limits,
            self._note_session,
        )
        self.folders = Folders(self.env, self.config, self.drive)
        try:
            self._loop()
        finally:
            self._drain()
        retrying(self.env, self.folders.save_counts)

    def _release_due(self):
        """Free what was synced before and kept for some days."""
        freed = release_due(self.config, self._release_client, self.deadline)
        retrying(self.env, lambda: self.run._add(bytes_freed=freed))

    def _release_client(self):
        return self.client(self.auth, tries=RELEASE_TRIES)

    def _loop(self):
        while True:
            self._fill()
            if not self.pool.busy and (self.claims.exhausted or self.is_ending):
                return
            self._settle(self.pool.collect(FLUSH_SECONDS))
            self._look()

    def _look(self):
        """End when the time is over or somebody pressed stop."""
        self.limits.overtime = 0
        if not self.is_ending:
            self.pause_if_due()

    def _drain(self):
        """Let the threads end, and write down what they achieved."""
        self.pool.close()
        while self.pool.busy:
            self._settle(self.pool.collect(FLUSH_SECONDS))

    # -- claim ---------------------------------------------------------------------------

    def _fill(self):
        """Keep the threads busy with rows that are claimed, committed and have ids."""
        room = self.pool.workers * CLAIM_PER_WORKER - self.pool.busy
        if room < self.pool.workers or self.claims.exhausted or self.is_ending:
            return
        try:
            rows = self._claim(min(room, self._budget()))
            if rows:
                self._submit(rows)
        except DriveError as err:
            self.end(err)

    def _budget(self):
        if not self.run.file_limit:
            return ID_RESERVE
        taken = self.run.total_processed + self.pool.busy + self.duplicates.waiting()
        return max(0, min(ID_RESERVE, self.run.file_limit - taken))

    def _claim(self, count):
        if count <= 0:
            self.claims.exhausted = not self.pool.busy
            return []
        return self.claims.claim(self.drive, count)

    # -- upload --------------------------------------------------------------------------

    def _submit(self, rows):
        leaders = self.duplicates.lead(rows)
        found = self.duplicates.in_drive(leaders)
        try:
            for row in leaders:
                self.pool.submit(self._task(row, found.get(content_of(row))))
        except DriveError:
            # no folder, no upload: what was not handed out goes back
            back = []
            for leader in leaders[leaders.index(row) :]:
                same, others = self.duplicates.landed(leader)
                back += [leader] + same + others
            retrying(self.env, lambda: self.results.put_back(back))
            raise

    def _task(self, row, duplicate_id):
        rule = rule_of(self.config, row._asdict())
        folder_id = self.folders.folder_for(rule, row.create_date)
        return Task(
            key=row,
            body={
                "id": row.cloud_reserved_id,
                "name": drive_name(row),
                "parents": [folder_id],
                "appProperties": app_properties(database_uuid(self.auth.env), row),
            },
            open_file=opener(self.env, row),
            size=row.file_size or 0,
            mimetype=row.mimetype,
            sha1=row.checksum,
            session_uri=self._session_of(row),
            duplicate_id=duplicate_id,
        )

    def _session_of(self, row):
        if (row.file_size or 0) <= MULTIPART_LIMIT:
            return None
        attachment = self.env["ir.attachment"].browse(row.id)
        return (
            self.env["cloud_storage.secret"]._get(attachment, "upload_session") or None
        )

    def _note_session(self, task, uri):
        self._sessions.append((task.key.id, uri))  # called in an upload thread

    # -- write down ----------------------------------------------------------------------

    def _settle(self, outcomes):
        """Commit what happened, then release local bytes in a transaction of its own."""
        if not outcomes and not self._sessions:
            return
        good, bad, back = [], [], []
        for outcome in outcomes:
            self._judge(outcome)
            self._sort(outcome, good, bad, back)
        sessions = [self._sessions.popleft() for _i in range(len(self._sessions))]
        synced = retrying(
            self.env, lambda: self.results.write(good, bad, back, sessions)
        )
        if self.results.orphaned:
            self.claims.take_again(self.results.orphaned)
        if synced and self.config.delete_local_after_sync:
            freed = retrying(self.env, lambda: release_uploaded(self.config, synced))
            retrying(self.env, lambda: self.run._add(bytes_freed=freed))

    def _sort(self, outcome, good, bad, back):
        """What the outcome means for its row, and for those with the same content."""
        row = outcome.task.key
        same, others = self.duplicates.landed(row)
        back += others  # to be read themselves; what is in Drive now they can share
        self.claims.take_again([other.id for other in others])
        if outcome.error is None:
            good += [(outcome, one) for one in [row] + same]
        elif outcome.error.stops_run or self.claims.is_due_again(row):
            back += [row] + same
        else:
            bad.append(outcome)
            back += same

    def _judge(self, outcome):
        """Does this outcome end the run, or is the file worth a second try?"""
        err, row = outcome.error, outcome.task.key
        if err is None:
            self._refused = None
            return
        if isinstance(err, StoppedError):
            return  # the echo of what ended the run
        if err.stops_run or self._note_refusal(err):
            self.end(err)
        elif isinstance(err, FolderFullError) and self.claims.try_again(row):
            self.folders.fill(outcome.task.body["parents"][0])
        elif isinstance(err, NotFoundError) and self.claims.try_again(row):
            self.folders.forget()  # its folder was deleted in Drive: make another

    def _note_refusal(self, err):
        """Count how often in a row Drive refused for the same reason; is it too often?

        A reason that nobody knows yet may be about all of them.
        """
        same = type(err) is ForbiddenError and err.reason
        self._refusals = self._refusals + 1 if same and same == self._refused else 1
        self._refused = same
        return bool(same) and self._refusals >= SAME_REFUSALS

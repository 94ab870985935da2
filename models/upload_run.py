"""One upload run: claim, upload in threads, write down, release; over and over.

The main thread alone talks to the database. What is about to happen is committed before it
happens (rows ``pending`` with their reserved Drive ids), what happened right after; so a
process may die anywhere and the next one knows where it stood.
"""
from collections import deque

from ..drive.batch import StopSignal, Task, UploadPool
from ..drive.errors import DriveError, NotFoundError, StoppedError
from ..drive.source import MULTIPART_LIMIT
from ..engine.transaction import retrying
from .cloud_storage_folder import FolderBook
from .drive_metadata import app_properties, drive_name
from .upload_claims import ID_RESERVE, Claims
from .upload_ledger import UploadLedger
from .upload_source import opener
from .upload_twins import Twins, content_of

CLAIM_PER_WORKER = 8  # rows claimed ahead, per upload thread
FLUSH_SECONDS = 0.5  # how often results are written down and the stop button is looked at


class UploadRun:
    """Work on a run until it is done, stopped, out of time, or Drive refuses.

    :param service: the ``cloud_storage.sync.service`` model
    :param run: a ``cloud_storage.sync.run`` record, not worked on by anybody else
    :param box: a deadline
    :param ids: only these attachments
    """

    def __init__(self, service, run, box, ids=None):
        self.env = service.env
        self.service, self.run, self.box = service, run, box
        self.config, self.auth = run.config_id, run.config_id.auth_id
        self.claims = Claims(service, run, ids)
        self.ledger, self.twins = UploadLedger(run), Twins(run)
        self.reason = None  # the error that ended the run early
        self.out_of_time = False
        self._sessions = deque()

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
            self.service._measure_for(self.config, self.box)
        stop = StopSignal()
        self.client = self.auth._drive_client(
            write=True,
            rate=self.config.requests_per_second,
            should_stop=stop.check,
            sleep=stop.sleep,
        )
        if self.run.sync_type == "automatic" and not self.run.last_id:
            self._release_due()  # a copy of the database was refused right before
        self.pool = UploadPool(
            self.client, self.config.max_parallel_uploads, stop, self._note_session
        )
        self.book = FolderBook(self.env, self.config, self.client)
        try:
            self._loop()
        finally:
            self._drain()
        retrying(self.env, self.book.save_counts)

    def _release_due(self):
        """Free what was synced before and kept for some days."""
        freed = self.service._release_due(self.config, self.box)
        retrying(self.env, lambda: self.run._add(bytes_freed=freed))

    def _loop(self):
        while True:
            self._fill()
            if not self.pool.busy and (self.claims.exhausted or self._ending):
                return
            self._settle(self.pool.collect(FLUSH_SECONDS))
            self._look_up()

    @property
    def _ending(self):
        return self.reason is not None or self.out_of_time

    def _look_up(self):
        """Is the time over, did somebody press stop?"""
        if self._ending:
            return
        if self.run._is_stop_requested():
            self._end(StoppedError("stopped by a user"))
        elif self.box.over:
            self.out_of_time = True
            self.pool.stop()
        self.env.cr.commit()  # the next look needs a new snapshot

    def _end(self, err):
        """End the run early; the first reason counts."""
        self.reason = self.reason or err
        self.pool.stop()

    def _drain(self):
        """Let the threads end, and write down what they achieved."""
        self.pool.close()
        while self.pool.busy:
            self._settle(self.pool.collect(FLUSH_SECONDS))

    # -- claim ---------------------------------------------------------------------------

    def _fill(self):
        """Keep the threads busy with rows that are claimed, committed and have ids."""
        room = self.pool.workers * CLAIM_PER_WORKER - self.pool.busy
        if room < self.pool.workers or self.claims.exhausted or self._ending:
            return
        try:
            rows = self._claim(min(room, self._budget()))
            if rows:
                self._submit(rows)
        except DriveError as err:
            self._end(err)

    def _budget(self):
        if not self.run.file_limit:
            return ID_RESERVE
        taken = self.run.total_processed + self.pool.busy + self.twins.waiting()
        return max(0, min(ID_RESERVE, self.run.file_limit - taken))

    def _claim(self, count):
        if count <= 0:
            self.claims.exhausted = not self.pool.busy
            return []
        return self.claims.claim(self.client, count)

    # -- upload --------------------------------------------------------------------------

    def _submit(self, rows):
        leaders = self.twins.lead(rows)
        twins = self.twins.in_drive(leaders)
        try:
            for row in leaders:
                self.pool.submit(self._task(row, twins.get(content_of(row))))
        except DriveError:
            # no folder, no upload: what was not handed out goes back
            back = []
            for leader in leaders[leaders.index(row) :]:
                same, others = self.twins.landed(leader)
                back += [leader] + same + others
            retrying(self.env, lambda: self.ledger.put_back(back))
            raise

    def _task(self, row, twin_id):
        rule = self.service._rule_of(self.config, row._asdict())
        folder_id = self.book.folder_for(rule, row.create_date)
        return Task(
            key=row,
            body={
                "id": row.cloud_reserved_id,
                "name": drive_name(row),
                "parents": [folder_id],
                "appProperties": app_properties(self.auth._database_uuid(), row),
            },
            open_file=opener(self.env["ir.attachment"], row),
            size=row.file_size or 0,
            mimetype=row.mimetype,
            sha1=row.checksum,
            session_uri=self._session_of(row),
            duplicate_id=twin_id,
        )

    def _session_of(self, row):
        if (row.file_size or 0) <= MULTIPART_LIMIT:
            return None
        attachment = self.env["ir.attachment"].browse(row.id)
        return self.env["cloud_storage.secret"]._get(attachment, "upload_session") or None

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
            self.env, lambda: self.ledger.write(good, bad, back, sessions)
        )
        if self.ledger.orphaned:
            self.claims.take_again(self.ledger.orphaned)
        if synced and self.config.delete_local_after_sync:
            freed = retrying(
                self.env, lambda: self.service._release_now(self.config, synced)
            )
            retrying(self.env, lambda: self.run._add(bytes_freed=freed))

    def _sort(self, outcome, good, bad, back):
        """What the outcome means for its row, and for those with the same content."""
        row = outcome.task.key
        same, others = self.twins.landed(row)
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
            return
        if isinstance(err, StoppedError):
            return  # the echo of what ended the run
        if err.stops_run:
            self._end(err)
        elif isinstance(err, NotFoundError) and self.claims.try_again(row):
            self.book.forget()  # its folder was deleted in Drive: make another

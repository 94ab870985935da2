"""One upload run: claim, upload in threads, write down, release; over and over.

The main thread alone talks to the database. What is about to happen is committed before it
happens (rows ``pending`` with their reserved Drive ids), what happened right after; so a
process may die anywhere and the next one knows where it stood.
"""
import contextlib
import logging
from collections import deque, namedtuple

from psycopg2.extras import execute_values

from ..drive.batch import StopSignal, Task, UploadPool
from ..drive.errors import DriveError, NotFoundError, StoppedError
from ..drive.transfer import MULTIPART_LIMIT
from .cloud_storage_folder import FolderBook
from .drive_metadata import app_properties, drive_name
from .transaction import retrying
from .upload_ledger import UploadLedger
from .upload_source import opener

_logger = logging.getLogger(__name__)

#: First key of the advisory lock under which rows of an account are claimed.
CLAIM_LOCK = 0x434C4F43
ID_RESERVE = 500  # Drive ids asked for at once, at most
CLAIM_PER_WORKER = 8  # rows claimed ahead, per upload thread
FLUSH_SECONDS = 0.5  # how often results are written down and the stop button is looked at

ROW_COLUMNS = (
    "id name res_model res_id res_field store_fname file_size checksum mimetype"
    " create_date cloud_reserved_id cloud_run_id"
)
Row = namedtuple("Row", ROW_COLUMNS)


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
        self.ledger = UploadLedger(run)
        self.only_ids = ids
        self.reason = None  # the error that ended the run early
        self.out_of_time = False
        self._drive_ids = []
        self._sessions = deque()
        self._again = set()  # attachments that deserve one more try in this run
        self._tried_again = set()
        self._exhausted = False
        self._uploading = {}  # content (sha1, size): id of the attachment that brings it
        self._followers = {}  # attachment id: rows with the same content

    # -- the loop ------------------------------------------------------------------------

    def total(self):
        """How many files there are to work on, those that failed before left out."""
        left = [("cloud_run_id", "!=", self.run.id), ("id", ">", self.run.last_id)]
        if self.only_ids is None:
            left += self.service._candidate_domain(self.config)
        else:
            left += [("id", "in", self.only_ids)]
            left += [("cloud_sync_status", "in", ("local", "error"))]
        return self.service._attachments().search_count(left)

    def work(self):
        """Run to the end of this slice.

        :raises UserError: the account can not be used
        :raises DriveError: not even a start was possible
        """
        if self.run.sync_type == "automatic" and not self.run.last_id:
            self._release_due()
        stop = StopSignal()
        self.client = self.auth._drive_client(
            write=True,
            rate=self.config.requests_per_second,
            should_stop=stop.check,
            sleep=stop.sleep,
        )
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
            if not self.pool.busy and (self._exhausted or self._ending):
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
        if room < self.pool.workers or self._exhausted or self._ending:
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
        taken = self.run.total_processed + self.pool.busy
        return max(0, min(ID_RESERVE, self.run.file_limit - taken))

    def _claim(self, count):
        if count <= 0:
            self._exhausted = not self.pool.busy
            return []
        self._reserve_ids(count)
        with self._claim_lock():
            while True:
                ids, rows = retrying(self.env, lambda: self._mark_next(count))
                self._again.difference_update(ids)
                if self.only_ids is not None:
                    self.only_ids = [i for i in self.only_ids if i not in ids]
                if rows or not ids:
                    break
        self._exhausted = not ids
        return rows

    def _reserve_ids(self, count):
        if len(self._drive_ids) < count:
            expected = max(count, self.run.total_files - self.run.total_processed)
            self._drive_ids += self.client.generate_ids(min(ID_RESERVE, expected))

    @contextlib.contextmanager
    def _claim_lock(self):
        """Claims of an account happen one after the other, each with a fresh snapshot."""
        with contextlib.closing(self.env.registry.cursor()) as cr:
            keys = (CLAIM_LOCK, self.auth.id)
            cr.execute("SELECT pg_advisory_xact_lock(%s, %s)", keys)
            self.env.cr.commit()
            yield

    def _mark_next(self, count):
        """Mark the next candidates; return ``(ids looked at, rows marked)``."""
        ids = self._next_ids(count)
        ids = sorted(self._again.union(ids))
        if not ids:
            return set(), []
        self.env.cr.execute(
            "SELECT %s FROM ir_attachment WHERE id IN %%s"
            " AND cloud_sync_status IN ('local', 'error')"
            " AND cloud_run_id IS DISTINCT FROM %%s"  # else it failed in this run
            " ORDER BY id FOR UPDATE SKIP LOCKED" % ROW_COLUMNS.replace(" ", ", "),
            (tuple(ids), self.run.id),
        )
        rows = [Row(*values) for values in self.env.cr.fetchall()]
        return set(ids), self._mark(self._without_busy_twins(rows))

    def _next_ids(self, count):
        if self.only_ids is not None:
            return self.only_ids[:count]
        ids, up_to = self.service._next_candidates(self.config, self.run.last_id, count)
        if ids:
            self.run.last_id = up_to or ids[-1]
        return ids

    def _without_busy_twins(self, rows):
        """Leave what another worker is uploading right now, it will be there to share."""
        if not self.config.deduplicate:
            return rows
        checksums = tuple({row.checksum for row in rows if row.checksum})
        if not checksums:
            return rows
        self.env.cr.execute(
            "SELECT checksum FROM ir_attachment WHERE checksum IN %s"
            " AND cloud_sync_status = 'pending' AND cloud_run_id IS DISTINCT FROM %s",
            (checksums, self.run.id),
        )
        busy = {checksum for (checksum,) in self.env.cr.fetchall()}
        return [row for row in rows if row.checksum not in busy]

    def _mark(self, rows):
        if not rows:
            return []
        marked = [
            row._replace(cloud_reserved_id=row.cloud_reserved_id or self._drive_ids.pop())
            for row in rows
        ]
        execute_values(
            self.env.cr._obj,
            "UPDATE ir_attachment AS a SET cloud_sync_status = 'pending',"
            " cloud_run_id = v.run, cloud_reserved_id = v.drive_id"
            " FROM (VALUES %s) AS v (id, run, drive_id) WHERE a.id = v.id",
            [(row.id, self.run.id, row.cloud_reserved_id) for row in marked],
        )
        return marked

    # -- upload --------------------------------------------------------------------------

    def _submit(self, rows):
        leaders = self._group(rows)
        twins = self._synced_twins(leaders)
        try:
            for row in leaders:
                self.pool.submit(self._task(row, twins.get(_content(row))))
        except DriveError:
            # no folder, no upload: what was not handed out goes back
            back = []
            for leader in leaders[leaders.index(row) :]:
                back += [leader] + self._landed(leader)
            retrying(self.env, lambda: self.ledger.put_back(back))
            raise

    def _landed(self, row):
        """The upload of ``row`` is over: its followers, who share its fate."""
        self._uploading.pop(_content(row), None)
        return self._followers.pop(row.id, [])

    def _group(self, rows):
        """One upload per content; the other rows follow it."""
        if not self.config.deduplicate:
            return rows
        leaders = []
        for row in rows:
            leader_id = self._uploading.get(_content(row))
            if row.file_size and leader_id:
                self._followers.setdefault(leader_id, []).append(row)
                continue
            self._uploading[_content(row)] = row.id
            leaders.append(row)
        return leaders

    def _synced_twins(self, rows):
        """Drive files of this account that hold the same content already."""
        checksums = tuple({r.checksum for r in rows if r.checksum and r.file_size})
        if not self.config.deduplicate or not checksums:
            return {}
        self.env.cr.execute(
            "SELECT checksum, file_size, min(cloud_file_id) FROM ir_attachment"
            " WHERE checksum IN %s AND cloud_sync_status = 'synced'"
            " AND cloud_auth_id = %s AND cloud_file_id IS NOT NULL"
            " GROUP BY checksum, file_size",
            (checksums, self.auth.id),
        )
        return {(sha1, size): drive_id for sha1, size, drive_id in self.env.cr.fetchall()}

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
            twin_id=twin_id,
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
        if synced and self.config.delete_local_after_sync:
            freed = retrying(
                self.env, lambda: self.service._release_now(self.config, synced)
            )
            retrying(self.env, lambda: self.run._add(bytes_freed=freed))

    def _sort(self, outcome, good, bad, back):
        """What the outcome means for its row, and for those with the same content."""
        row = outcome.task.key
        followers = self._landed(row)
        if outcome.error is None:
            good += [(outcome, same) for same in [row] + followers]
        elif outcome.error.stops_run or row.id in self._again:
            back += [row] + followers
        else:
            bad.append(outcome)
            back += followers

    def _judge(self, outcome):
        """Does this outcome end the run, or is the file worth a second try?"""
        err, row = outcome.error, outcome.task.key
        if err is None:
            return
        if isinstance(err, StoppedError):
            return  # the echo of what ended the run
        if err.stops_run:
            self._end(err)
        elif isinstance(err, NotFoundError) and row.id not in self._tried_again:
            self.book.forget()  # its folder was deleted in Drive: make another
            self._tried_again.add(row.id)
            self._again.add(row.id)
            self._exhausted = False


def _content(row):
    return (row.checksum, row.file_size)

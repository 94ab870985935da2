"""Taking rows for a run, so that each is uploaded by one worker only.

A row that was taken is ``pending`` with its reserved Drive id, and that is committed before
anything is sent.
"""

import contextlib

from ...drive.source import MULTIPART_LIMIT
from .. import attachments, candidates
from ..account.identity import reserved_for
from ..outbox import queue
from ..rows import HERE, ROW_COLUMNS, SENDABLE, WAITING, Row
from ..rules import WAITING_DOMAIN
from ..transaction import CLAIM_LOCK, retrying

ID_RESERVE = 500  # Drive ids asked for at once, at most


class Claims:
    """The rows that are left for a run, taken a few at a time.

    :param run: a ``cloud_storage.sync.run`` record
    :param ids: only these attachments
    """

    def __init__(self, run, ids=None):
        self.env, self.run = run.env, run
        self.config, self.auth = run.config_id, run.config_id.auth_id
        self.exhausted = False  # nothing was left at the last look
        self.is_selection = ids is not None
        self._only_ids = ids
        self._drive_ids = []
        self._again = set()  # attachments that deserve one more try in this run
        self._tried_again = set()

    def count(self):
        """How many files there are to work on, those that failed before left out."""
        left = [("cloud_run_id", "!=", self.run.id), ("id", ">", self.run.last_id)]
        if self._only_ids is None:
            left += candidates.domain(self.config)
        else:
            left += [("id", "in", self._only_ids)]
            left += WAITING_DOMAIN
        return candidates.count(self.env, left)

    def claim(self, client, count):
        """Take the next rows and commit.

        :param DriveClient client: gives the Drive ids
        :param int count: most rows to take
        :rtype: list[Row]
        :raises DriveError: there are no Drive ids to be had
        """
        self._reserve_ids(client, count)
        with self._claim_lock():
            while True:
                ids, rows = retrying(self.env, lambda: self._mark_next(count))
                self._use_up(rows)
                self._again.difference_update(ids)
                if self._only_ids is not None:
                    self._only_ids = [i for i in self._only_ids if i not in ids]
                if rows or not ids:
                    break
        self.exhausted = not ids
        return rows

    def try_again(self, row):
        """Let a row be taken a second time in this run.

        :return: False when it was already
        """
        if row.id in self._tried_again:
            return False
        self._tried_again.add(row.id)
        self._again.add(row.id)
        self.exhausted = False
        return True

    def take_again(self, ids):
        """Let rows that went back through no fault of theirs be taken once more."""
        self._again.update(ids)
        self.exhausted = False

    def is_due_again(self, row):
        """Whether the row waits for its second try."""
        return row.id in self._again

    def _reserve_ids(self, client, count):
        if len(self._drive_ids) < count:
            expected = max(count, self.run.total_files - self.run.total_processed)
            self._drive_ids += client.generate_ids(min(ID_RESERVE, expected))

    def _use_up(self, rows):
        """Drive ids that rows were marked with are theirs, once that is committed."""
        taken = {row.cloud_reserved_id for row in rows}
        self._drive_ids = [i for i in self._drive_ids if i not in taken]

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
            "SELECT %s FROM ir_attachment WHERE id IN %%s AND %s"
            " AND cloud_run_id IS DISTINCT FROM %%s"  # else it failed in this run
            " AND (file_size IS NOT NULL AND checksum IS NOT NULL OR NOT %s)"
            " AND %s ORDER BY id FOR UPDATE SKIP LOCKED"
            % (ROW_COLUMNS.replace(" ", ", "), WAITING, HERE, SENDABLE),
            (tuple(ids), self.run.id),
        )
        rows = [Row(*values) for values in self.env.cr.fetchall()]
        return set(ids), self._mark(self._without_busy_duplicates(rows))

    def _next_ids(self, count):
        if self._only_ids is not None:
            return self._only_ids[:count]
        ids, up_to = candidates.next_ids(self.config, self.run.last_id, count)
        if ids:
            self.run.last_id = up_to or ids[-1]
        return ids

    def _without_busy_duplicates(self, rows):
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
        target = reserved_for(self.auth)
        kept = [
            r for r in rows if r.cloud_reserved_id and r.cloud_reserved_for == target
        ]
        self._give_up([row for row in rows if row not in kept])
        new_ids = iter(self._drive_ids)  # not used up before the commit
        marked = [
            row if row in kept else row._replace(cloud_reserved_id=next(new_ids))
            for row in rows
        ]
        attachments.mark_pending(self.env.cr, self.run.id, marked, target)
        return marked

    def _give_up(self, rows):
        """Forget what rows began with another account, person or content, if they did."""
        large = [row.id for row in rows if (row.file_size or 0) > MULTIPART_LIMIT]
        records = self.env["ir.attachment"].browse(large)
        self.env["cloud_storage.secret"]._wipe(records, ["upload_session"])
        for row in rows:
            if row.cloud_reserved_id:
                begun = (row.cloud_reserved_id, row.cloud_reserved_for)
                queue.add_given_up(self.env, *begun)

"""What an upload run writes down about its files: facts about Drive, below the ORM.

Plain SQL keeps ``write_date`` and ``write_uid`` what they were and costs little per file.
"""

from odoo import _

from ...drive.errors import ChecksumError, InvalidRequestError
from .. import attachments
from ..account.identity import reserved_for
from ..outbox import queue
from ..rows import Uploaded

ATTEMPTS = 5  # failed runs after which a file waits for days


class Results:
    """Writes down what became of the files of one run; the caller commits.

    :param run: a ``cloud_storage.sync.run`` record
    """

    def __init__(self, run):
        self.env, self.run = run.env, run
        self.config, self.auth = run.config_id, run.config_id.auth_id
        self.orphaned = []  # ids of rows whose file to share went, by the last writing

    def write(self, good, bad, back, sessions):
        """Write down what became of the rows.

        :param good: pairs ``(outcome, row)`` of what is in Drive
        :param bad: outcomes of what failed
        :param back: rows that were not really tried
        :param sessions: pairs ``(attachment id, address of its upload session)``
        :return: ids of the attachments that are synced now
        :rtype: list[int]
        """
        for attachment_id, uri in sessions:
            attachment = self.env["ir.attachment"].browse(attachment_id)
            self.env["cloud_storage.secret"]._set(attachment, "upload_session", uri)
        good, orphaned = self._sort_out(good)
        synced = self._write_synced(good)
        self._write_failed(bad)
        self.put_back(back + orphaned)
        self.orphaned = [row.id for row in orphaned]
        self._count(good, bad, synced)
        return synced

    def _sort_out(self, pairs):
        """Pairs that can be written, and rows that leaned on a file that is let go of.

        Whoever takes a file's last attachment away may delete the file: an upload that
        shares it keeps one of the others as it is until its own row is committed, so
        there always is one that tells that the file is used.
        """
        shared = {o.metadata["id"] for o, _row in pairs if _is_shared(o)}
        kept = self._keep(shared)
        lost = [pair for pair in pairs if pair[0].metadata["id"] in shared - kept]
        return [pair for pair in pairs if pair not in lost], [row for _o, row in lost]

    def _keep(self, drive_ids):
        """Those of the files that an attachment has, which stays so until the commit.

        When it is changed at the same time, PostgreSQL raises a serialization failure and
        the caller begins again with a new snapshot.
        """
        if not drive_ids:
            return set()
        self.env.cr.execute(
            "SELECT cloud_file_id FROM ir_attachment WHERE id IN ("
            " SELECT min(id) FROM ir_attachment WHERE cloud_file_id IN %s"
            "  AND cloud_sync_status = 'synced' AND cloud_auth_id = %s"
            "  GROUP BY cloud_file_id) ORDER BY id FOR SHARE",
            (tuple(drive_ids), self.auth.id),
        )
        return {drive_id for (drive_id,) in self.env.cr.fetchall()}

    def _write_synced(self, pairs):
        """Mark rows as synced unless they changed meanwhile.

        :return: ids of the attachments that are synced now
        """
        if not pairs:
            return []
        synced = attachments.mark_synced(
            self.env.cr, [self._uploaded(outcome, row) for outcome, row in pairs]
        )
        self._trash_unused(
            {o.metadata["id"] for o, row in pairs if row.id not in synced}
        )
        self._forget_sessions(synced)
        done = set(synced)
        self._log("success", [pair for pair in pairs if pair[1].id in done])
        self._log("skipped", [pair for pair in pairs if pair[1].id not in done])
        return synced

    def _uploaded(self, outcome, row):
        return Uploaded(
            row.id,
            outcome.metadata["id"],
            outcome.metadata.get("webViewLink"),
            outcome.md5,
            outcome.sha1,
            outcome.task.size,
            self.auth.id,
            self.run.id,
            row.checksum,
            row.store_fname,
            self.config.replace_local_with_cloud,
        )

    def _trash_unused(self, drive_ids):
        """The attachment changed or went while it was uploaded."""
        for drive_id in drive_ids:
            queue.add(self.env, self.auth.id, drive_id)

    def _forget_sessions(self, ids):
        self.env["cloud_storage.secret"]._wipe(
            self.env["ir.attachment"].browse(ids), ["upload_session"]
        )

    def _write_failed(self, outcomes):
        """Note the failures; ``cloud_run_id`` stays, for a run tries a file once."""
        for outcome in outcomes:
            row, err = outcome.task.key, outcome.error
            forget_id = isinstance(err, (ChecksumError, InvalidRequestError))
            if forget_id:
                self._forget_sessions([row.id])
                target = reserved_for(self.auth)
                queue.add_given_up(self.env, row.cloud_reserved_id, target)
            attachments.mark_failed(self.env.cr, self.run.id, row.id, err, forget_id)
        failed = [outcome.task.key.id for outcome in outcomes]
        attachments.postpone(self.env.cr, failed, ATTEMPTS)
        self._log("error", [(outcome, outcome.task.key) for outcome in outcomes])

    def put_back(self, rows):
        """Rows that were claimed and not tried: as if nothing had happened."""
        if not rows:
            return
        attachments.put_back(self.env.cr, self.run.id, [row.id for row in rows])
        # a later slice of this run has to look at them again
        self.run.last_id = min([self.run.last_id] + [row.id - 1 for row in rows])

    def _log(self, status, pairs):
        self.env["cloud_storage.sync.log"]._append(
            [
                {
                    "sync_type": self.run.sync_type,
                    "status": status,
                    "attachment_id": row.id,
                    "file_name": row.name,
                    "model_name": row.res_model,
                    "record_id": row.res_id,
                    "file_size_bytes": outcome.task.size,
                    "drive_file_id": outcome.metadata and outcome.metadata["id"],
                    "drive_url": outcome.metadata
                    and outcome.metadata.get("webViewLink"),
                    "error_message": self._error_text(status, outcome),
                    "duration_ms": int(outcome.duration * 1000),
                    "attempts": 1,
                    "config_id": self.config.id,
                    "run_id": self.run.id,
                }
                for outcome, row in pairs
            ]
        )

    def _error_text(self, status, outcome):
        if status == "skipped":
            return _("It was changed or deleted while it was uploaded.")
        return outcome.error and str(outcome.error)

    def _count(self, good, bad, synced):
        uploaded = sum(
            outcome.task.size
            for outcome, row in good
            if row is outcome.task.key and not _is_shared(outcome)
        )
        self.run._add(
            total_processed=len(good) + len(bad),
            total_success=len(synced),
            total_errors=len(bad),
            total_skipped=len(good) - len(synced),
            bytes_uploaded=uploaded,
        )
        ids = [row.id for _o, row in good] + [o.task.key.id for o in bad]
        self.env["ir.attachment"].invalidate_cache(ids=ids)


def _is_shared(outcome):
    """Whether it shares a file that was in Drive before."""
    return outcome.metadata["id"] != outcome.task.key.cloud_reserved_id

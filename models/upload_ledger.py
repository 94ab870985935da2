"""What an upload run writes down about its files: facts about Drive, below the ORM.

Plain SQL keeps ``write_date`` and ``write_uid`` what they were and costs little per file.
"""
from psycopg2.extras import execute_values

from odoo import _

from ..drive.errors import ChecksumError, InvalidRequestError
from .ir_attachment import CLOUD_FIELDS

PATIENT_RUNS = 5  # failed runs after which a file waits for days
#: Rows that are still this run's, with the content that was sent: the checksum is what
#: Odoo changes with it, file and column are what code below the ORM may change.
MARK_SYNCED = """
UPDATE ir_attachment AS a SET cloud_sync_status = 'synced',
    cloud_file_id = v.drive_id, cloud_storage_url = v.link, cloud_md5 = v.md5,
    cloud_sha1 = v.sha1, cloud_size_bytes = v.size,
    cloud_synced_date = now() at time zone 'UTC',
    cloud_auth_id = v.auth, cloud_reserved_id = NULL, cloud_reserved_for = NULL,
    cloud_run_id = NULL,
    cloud_attempts = 0, cloud_next_attempt = NULL, cloud_error_message = NULL,
    type = CASE WHEN v.link_it AND a.cloud_keep_local IS NOT TRUE
        THEN 'url' ELSE a.type END,
    url = CASE WHEN v.link_it AND a.cloud_keep_local IS NOT TRUE
        THEN '/cloud_storage/file/' || a.id ELSE a.url END
FROM (VALUES %s) AS v (id, drive_id, link, md5, sha1, size, auth, run, checksum,
    fname, link_it)
WHERE a.id = v.id AND a.cloud_sync_status = 'pending'
    AND a.cloud_run_id = v.run AND a.checksum IS NOT DISTINCT FROM v.checksum
    AND a.store_fname IS NOT DISTINCT FROM v.fname
    AND (a.db_datas IS NULL
         OR octet_length(a.db_datas) = v.size AND md5(a.db_datas) = v.md5)
RETURNING a.id
"""


class UploadLedger:
    """The book of one run. Nothing in it commits: that is the caller's.

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
        shares it keeps one of the others in place until its own row is committed, so
        there always is one that tells that the file is used.
        """
        shared = {o.metadata["id"] for o, _row in pairs if _is_shared(o)}
        held = self._hold(shared)
        lost = [pair for pair in pairs if pair[0].metadata["id"] in shared - held]
        return [pair for pair in pairs if pair not in lost], [row for _o, row in lost]

    def _hold(self, drive_ids):
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
        rows = execute_values(
            self.env.cr._obj,
            MARK_SYNCED,
            [self._facts(outcome, row) for outcome, row in pairs],
            template="(%s, %s, %s::varchar, %s, %s, %s::numeric, %s, %s, %s::varchar,"
            " %s::varchar, %s)",
            page_size=len(pairs),
            fetch=True,
        )
        synced = [row_id for (row_id,) in rows]
        self._trash_unused({o.metadata["id"] for o, row in pairs if row.id not in synced})
        self._forget_sessions(synced)
        done = set(synced)
        self._log("success", [pair for pair in pairs if pair[1].id in done])
        self._log("skipped", [pair for pair in pairs if pair[1].id not in done])
        return synced

    def _facts(self, outcome, row):
        """What :data:`MARK_SYNCED` wants to know of a row."""
        return (
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
            self.env["cloud_storage.trash"].sudo().create(
                {"auth_id": self.auth.id, "drive_file_id": drive_id}
            )

    def _forget_sessions(self, ids):
        self.env["cloud_storage.secret"]._wipe(
            self.env["ir.attachment"].browse(ids), ["upload_session"]
        )

    def _write_failed(self, outcomes):
        """Note the failures; ``cloud_run_id`` stays, for a run tries a file once."""
        for outcome in outcomes:
            row, err = outcome.task.key, outcome.error
            burnt = isinstance(err, (ChecksumError, InvalidRequestError))
            if burnt:
                self._forget_sessions([row.id])
                self.env["cloud_storage.trash"]._queue_given_up(
                    row.cloud_reserved_id, self.auth._reserved_for()
                )
            self.env.cr.execute(
                "UPDATE ir_attachment SET cloud_sync_status = %(status)s,"
                " cloud_error_message = %(message)s,"
                " cloud_attempts = COALESCE(cloud_attempts, 0) + 1, cloud_reserved_id ="
                " CASE WHEN %(burnt)s THEN NULL ELSE cloud_reserved_id END"
                " WHERE id = %(id)s AND cloud_run_id = %(run)s",
                {
                    "status": "local" if err.retryable else "error",
                    "message": str(err),
                    "burnt": burnt,
                    "id": row.id,
                    "run": self.run.id,
                },
            )
        self._make_patient([outcome.task.key.id for outcome in outcomes])
        self._log("error", [(outcome, outcome.task.key) for outcome in outcomes])

    def _make_patient(self, ids):
        """Files that failed in many runs wait: a day, two, four, up to thirty."""
        if ids:
            self.env.cr.execute(
                "UPDATE ir_attachment SET cloud_next_attempt = (now() at time zone 'UTC')"
                " + interval '1 day' * least(power(2, least(cloud_attempts - %s, 10)), 30)"
                " WHERE id IN %s AND cloud_attempts >= %s",
                (PATIENT_RUNS, tuple(ids), PATIENT_RUNS),
            )

    def put_back(self, rows):
        """Rows that were claimed and not tried: as if nothing had happened."""
        if not rows:
            return
        self.env.cr.execute(
            "UPDATE ir_attachment SET cloud_sync_status = 'local', cloud_run_id = NULL"
            " WHERE id IN %s AND cloud_run_id = %s",
            (tuple(row.id for row in rows), self.run.id),
        )
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
                    "drive_url": outcome.metadata and outcome.metadata.get("webViewLink"),
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
        self.env["ir.attachment"].invalidate_cache(CLOUD_FIELDS + ["type", "url"], ids)


def _is_shared(outcome):
    """Whether it shares a file that was in Drive before."""
    return outcome.metadata["id"] != outcome.task.key.cloud_reserved_id

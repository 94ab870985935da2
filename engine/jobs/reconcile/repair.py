"""What to do about each kind of difference between Odoo and Drive."""

import logging

from odoo.exceptions import UserError

from ....drive.errors import DriveError
from ... import runner
from ...content.rows import size_in_drive
from ...outbox.deliver import deliver
from ...transaction import retrying
from .difference import sentences
from .repair_files import FileRepairs
from .repair_rows import FIXED, FLAGGED, RowRepairs

_logger = logging.getLogger(__name__)


class Repairs:
    """Mends or flags one difference after the other, each in transactions of its own.

    :param job: the :class:`~.job.ReconcileJob`; its ``counts`` are added to
    """

    def __init__(self, job):
        self.job, self.env = job, job.env
        self._sentences = sentences(job.env)
        self._rows = RowRepairs(job, self._sentences)
        files = FileRepairs(job)
        #: By kind: a method that gives FIXED, FLAGGED, NOTED or None.
        self._by_kind = {
            "missing": self._rows.missing,
            "changed": self._rows.changed,
            "healed": self._rows.healed,
            "unproven": self._rows.unproven,
            "lost": self._rows.lost,
            "trashed": files.trashed,
            "public": files.public,
            "renamed": files.renamed,
            "moved": files.moved,
            "unmarked": files.unmarked,
            "relinked": files.relinked,
            "unused": files.unused,
        }

    def repair(self, difference):
        """Mend or flag one difference; what is wrong with it stops no other.

        :raises DriveError: Drive does not answer, or it is time to end
        """
        self.env.cr.commit()  # users go on meanwhile: a new snapshot
        self.env["ir.attachment"].invalidate_cache()
        kind, file, _rows = difference
        try:
            self._note(difference, self._by_kind[kind](difference))
        except DriveError as err:
            if err.retryable or err.stops_run:
                raise  # it is about more than a file or a folder
            _logger.info("%s: %s not mended: %s", kind, file, err)
            self.job.counts["errors"] += 1
            self._log(difference, "error", str(err))
        except Exception:  # pylint: disable=broad-except
            # whatever a file of Drive or a row has in it
            _logger.exception("%s: %s not mended", kind, file)
            self.env.cr.rollback()
            self.env.cache.invalidate()
            self.job.counts["errors"] += 1

    def _note(self, difference, result):
        counts, sentence = self.job.counts, self._sentences[difference.kind]
        if result == FIXED:
            counts["fixed"] += 1
            self._log(difference, "success", sentence)
        elif result == FLAGGED:
            self.job.is_damaged = True
            self._log(difference, "error", sentence)
        counts["writes"] += result in (FIXED, FLAGGED)

    def _log(self, difference, status, message):
        entries = [self._describe(row) for row in difference.rows]
        if not entries:
            file = difference.file
            entries = [{"file_name": file.get("name"), "drive_file_id": file["id"]}]
        for values in entries:
            values["error_message"] = message
        retrying(self.env, lambda: [self.job.log(status, entry) for entry in entries])

    def _describe(self, row):
        return {
            "attachment_id": row.id,
            "file_name": row.name,
            "model_name": row.res_model,
            "record_id": row.res_id,
            "file_size_bytes": size_in_drive(row),
            "drive_file_id": row.cloud_file_id,
        }

    # -- after all of them -------------------------------------------------------------

    def finish(self):
        """Send again what Drive lost, read a sample, tell Drive what it has to learn.

        :raises StoppedError: it is time to end
        """
        self._upload_again()
        if not self.job.is_ending:
            self._rows.read_sample()
            client_of = self.job.client_to_write
            deliver(self.env, self.job.deadline, client_of)

    def _upload_again(self):
        """In a run of its own; what its time does not suffice for goes on by itself."""
        ids, config = sorted(self._rows.here_again), self.job.config
        if not ids or not config.is_active:
            return
        try:
            again = runner.new_run(config, "single", ids=ids)
            runner.work(again, self.job.deadline)
        except UserError as err:
            _logger.warning("Not uploaded again: %s", err)

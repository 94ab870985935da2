"""Runs that treat one file after the other, each in a transaction of its own."""
import errno
import logging
import time

from odoo import SUPERUSER_ID
from odoo.exceptions import UserError

from ..drive.errors import DriveError, StoppedError
from ..engine.transaction import retrying

_logger = logging.getLogger(__name__)

BATCH = 500  # ids looked up at once


class FileRun:
    """Work on a run until it is done, stopped, out of time, or Drive refuses.

    What was done is committed file by file, so a process may die anywhere: the next one
    goes on behind ``run.last_id``.

    :param service: the ``cloud_storage.sync.service`` model
    :param run: a ``cloud_storage.sync.run`` record, not worked on by anybody else
    :param box: a deadline
    """

    def __init__(self, service, run, box):
        # as the server: nobody else may write cloud fields
        self.service, self.box = service.with_user(SUPERUSER_ID), box
        self.env, self.run = self.service.env, run.with_user(SUPERUSER_ID)
        self.config, self.params = self.run.config_id, run._get_params()
        self.reason = None  # the error that ended the run early
        self.out_of_time = False

    # -- for the kinds of runs ---------------------------------------------------------

    def total(self):
        """How many files there are to work on, as far as is known beforehand."""
        raise NotImplementedError

    def items(self):
        """Iterate over what is to be treated."""
        raise NotImplementedError

    def treat(self, item):
        """Treat one file, and commit.

        :return: its values for the log, None when there was nothing to do
        :rtype: dict
        """
        raise NotImplementedError

    def describe(self, item):
        """What the log says of a file that failed.

        :rtype: dict
        """
        raise NotImplementedError

    def passed(self, item):
        """Remember that it was treated, well or not."""

    # -- the loop ----------------------------------------------------------------------

    def work(self):
        """Run to the end of this slice."""
        for item in self.items():
            if self._must_pause():
                return
            self._try(item)
            if self.reason is not None:
                return

    def _must_pause(self):
        """Is the time over, did somebody press stop?"""
        self.env.cr.commit()  # the look needs a new snapshot
        if self.run._is_stop_requested():
            self.reason = StoppedError("stopped by a user")
        elif self.box.over:
            self.out_of_time = True
        return self.reason is not None or self.out_of_time

    def _try(self, item):
        started, error, done = time.monotonic(), None, None
        try:
            done = self.treat(item)
        except (DriveError, UserError, OSError) as err:
            self.env.cr.rollback()
            self.env.cache.invalidate()
            if self._ends_run(err):
                self.reason = err
                return
            _logger.info("Run %s: %s failed: %s", self.run.id, item, err)
            error = err
        milliseconds = int((time.monotonic() - started) * 1000)
        retrying(self.env, lambda: self._note(item, done, error, milliseconds))

    def _ends_run(self, err):
        """No other file would fare better, and this one is not to blame."""
        cause = err if isinstance(err, DriveError) else err.__cause__ or err
        if isinstance(cause, OSError):
            return cause.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
        return getattr(cause, "stops_run", False)

    def _note(self, item, done, error, milliseconds):
        self.passed(item)
        self.run._add(
            total_processed=1,
            total_success=int(bool(done)),
            total_errors=int(bool(error)),
            total_skipped=int(not done and not error),
        )
        if error:
            values = dict(self.describe(item), error_message=str(error))
            self.log("error", values, milliseconds)
        elif done:
            self.log("success", done, milliseconds)

    def log(self, status, values, milliseconds=0):
        """Add a row to the log of the run."""
        row = dict(
            values,
            sync_type=self.run.sync_type,
            status=status,
            duration_ms=milliseconds,
            attempts=1,
            config_id=self.config.id or None,
            run_id=self.run.id,
        )
        self.env["cloud_storage.sync.log"]._append([row])


class AttachmentRun(FileRun):
    """A run over attachments, in the order of their ids."""

    def domain(self):
        """The attachments to treat, those done before included or not."""
        raise NotImplementedError

    def total(self):
        """How many are left."""
        return self.service._count_attachments(self._rest())

    def _rest(self):
        return [("id", ">", self.run.last_id)] + self.domain()

    def items(self):
        """Ids behind the last one that was treated."""
        while True:
            found = self.service._attachments().search(
                self._rest(), order="id", limit=BATCH
            )
            if not found:
                return
            yield from found.ids

    def passed(self, attachment_id):
        """Go on behind it."""
        self.run.last_id = attachment_id

    def describe(self, attachment_id):
        """Name, record and size of an attachment."""
        attachment = self.service._attachments().browse(attachment_id).exists()
        if not attachment:
            return {}
        return {
            "attachment_id": attachment.id,
            "file_name": attachment.name,
            "model_name": attachment.res_model or None,
            "record_id": attachment.res_id or None,
            "file_size_bytes": attachment.cloud_size_bytes,
            "drive_file_id": attachment.cloud_file_id or None,
            "drive_url": attachment.cloud_storage_url or None,
        }

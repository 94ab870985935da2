"""A job: one slice of a run, with its end built in.

A job may begin to wait for Google in one place only: the client that :meth:`Job.client`
gives. That client asks before and during each request, wait, page and block whether the
deadline is over or somebody pressed Stop, so a job can not forget to.
"""

import errno
import logging
import threading
import time

from odoo import SUPERUSER_ID
from odoo.exceptions import UserError

from ...drive.errors import DriveError, OutOfTimeError, StoppedError
from ...drive.pool import StopSignal
from .. import candidates
from ..account.client import drive_client
from ..transaction import Deadline, retrying

_logger = logging.getLogger(__name__)

BATCH = 500  # ids looked up at once
FEW_TRIES = 2  # per request, for what is asked in passing
LOOK_SECONDS = 0.5  # how often the stop button is looked at while Google is waited for


class Limits(StopSignal):
    """When a job has to end, for whichever of its threads asks.

    :param run: a ``cloud_storage.sync.run`` record
    :param Deadline deadline: of the slice
    """

    def __init__(self, run, deadline):
        super().__init__()
        self._registry, self._run_id = run.env.registry, run.id
        self.deadline = deadline
        self._lock = threading.Lock()
        self._next_look = 0.0
        #: Seconds that may be worked after the deadline, None: as long as it takes. What
        #: gets a slice anywhere has to be possible in each, or it would begin anew forever.
        self.overtime = 0

    def check(self):
        """:raises StoppedError: it is time to end; OutOfTimeError: until the next slice"""
        self._look()
        super().check()
        if self.overtime is not None and self.deadline.is_over_by(self.overtime):
            raise OutOfTimeError("out of time")

    def _look(self):
        """Has Stop been pressed? Looks every half second, in its own transaction."""
        with self._lock:
            if time.monotonic() < self._next_look:
                return
            with self._registry.cursor() as cr:
                cr.execute(
                    "SELECT stop_requested FROM cloud_storage_sync_run WHERE id = %s",
                    (self._run_id,),
                )
                row = cr.fetchone()
            self._next_look = time.monotonic() + LOOK_SECONDS
        if not row or row[0]:  # a deleted run is a stopped run
            self.set()


class Job:
    """Work on a run until it is done, stopped, out of time, or Drive refuses.

    Afterwards ``reason`` is the error that ended it early, and ``out_of_time`` tells that
    there is more to do.

    :param run: a ``cloud_storage.sync.run`` record, not worked on by anybody else
    :param Deadline deadline: when the slice ends
    """

    def __init__(self, run, deadline):
        self.run = run.with_user(SUPERUSER_ID)  # nobody else may write cloud fields
        self.env, self.deadline = self.run.env, deadline
        self.config, self.params = self.run.config_id, run._get_params()
        self.limits = Limits(run, deadline)
        self._quick_clients = {}
        self.reason = None
        self.out_of_time = False

    def total(self):
        """How many files there are to work on, as far as is known beforehand."""
        raise NotImplementedError

    def work(self):
        """Run to the end of this slice.

        :raises UserError: the account can not be used
        :raises DriveError: not even a start was possible
        """
        raise NotImplementedError

    def client(self, auth, **options):
        """A client of an account that ends with the job.

        :param options: ``write``, ``rate``, ``tries``: see
            :func:`..account.client.drive_client`
        :raises UserError: the account can not be used
        """
        return drive_client(auth, should_stop=self.limits.check, **options)

    def quick_client(self, auth):
        """As :meth:`client`, for what is asked in passing of any account: it soon gives up.

        :raises UserError: the account can not be used
        """
        if auth.id not in self._quick_clients:
            self._quick_clients[auth.id] = self.client(auth, tries=FEW_TRIES)
        return self._quick_clients[auth.id]

    def extend(self, seconds):
        """Work so many seconds more, from now on."""
        self.deadline = self.limits.deadline = Deadline(seconds)

    def pause_if_due(self):
        """End when the time is over, somebody pressed stop, or the addon is about to leave.

        Commits.

        :return: whether nothing new is to be begun
        """
        self.env.cr.commit()  # the look needs a new snapshot
        if self.run._is_stop_requested():
            self.end(StoppedError("stopped by a user"))
        elif self.deadline.over:
            self.end(OutOfTimeError("out of time"))
        return self.is_ending

    def end(self, err):
        """End the run early; the first reason counts."""
        if isinstance(err, OutOfTimeError):
            self.out_of_time = True
        else:
            self.reason = self.reason or err
        self.limits.set()

    @property
    def is_ending(self):
        """Whether nothing new is to be begun."""
        return self.reason is not None or self.out_of_time

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


class FileJob(Job):
    """Treats one file after the other, each in a transaction of its own.

    What was done is committed file by file, so a process may die anywhere: the next one
    goes on behind ``run.last_id``.
    """

    # -- for the kinds of jobs ---------------------------------------------------------

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
        self.limits.overtime = None  # a large file is read in one go
        for item in self.items():
            if self.pause_if_due():
                return
            self._try(item)
            if self.is_ending:
                return
            self.limits.overtime = 0

    def _try(self, item):
        started, error, done = time.monotonic(), None, None
        try:
            done = self.treat(item)
        except (DriveError, UserError, OSError) as err:
            self.env.cr.rollback()
            self.env.cache.invalidate()
            refusal = (
                err if isinstance(err, (DriveError, OSError)) else err.__cause__ or err
            )
            if ends_run(refusal):
                # what a sentence for people was made of tells more than the sentence
                self.end(refusal if isinstance(refusal, StoppedError) else err)
                return
            _logger.info("Run %s: %s failed: %s", self.run.id, item, err)
            error = err
        milliseconds = int((time.monotonic() - started) * 1000)
        retrying(self.env, lambda: self._note(item, done, error, milliseconds))

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


class AttachmentJob(FileJob):
    """Treats attachments, in the order of their ids."""

    def domain(self):
        """The attachments to treat, those done before included or not."""
        raise NotImplementedError

    def total(self):
        """How many are left."""
        return candidates.count(self.env, self._rest())

    def _rest(self):
        return [("id", ">", self.run.last_id)] + self.domain()

    def items(self):
        """Ids behind the last one that was treated."""
        while True:
            found = candidates.everything(self.env).search(
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
        attachment = candidates.everything(self.env).browse(attachment_id).exists()
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


def ends_run(err):
    """Whether no other file would fare better, and this one is not to blame."""
    if isinstance(err, OSError):
        return err.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
    return getattr(err, "stops_run", False)

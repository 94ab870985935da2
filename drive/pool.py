"""Many uploads at once, in threads that know nothing but paths and results."""

import logging
import queue
import threading
import time
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor

from .compare import is_trashed
from .errors import (
    ChecksumError,
    DriveError,
    NotFoundError,
    StoppedError,
    UnverifiedError,
)
from .source import Source
from .upload import upload, verify

_logger = logging.getLogger(__name__)

LINGER = 0.1  # seconds

#: One file to upload. ``body`` has the reserved ``id``; ``open_file`` opens its bytes;
#: ``duplicate_id`` is a Drive file that should hold the same content already.
Task = namedtuple(
    "Task", "key body open_file size mimetype sha1 session_uri duplicate_id"
)
#: What became of it: ``metadata``, ``sha1`` and ``md5``, or ``error`` (a DriveError).
Outcome = namedtuple("Outcome", "task metadata sha1 md5 error duration")


class StopSignal:
    """Tells threads to stop."""

    def __init__(self):
        self._event = threading.Event()

    def set(self):
        """Make everybody stop soon."""
        self._event.set()

    def check(self):
        """:raises StoppedError: after :meth:`set`"""
        if self._event.is_set():
            raise StoppedError("stopped")


class UploadPool:
    """A bounded number of upload threads for one Drive client.

    :param DriveClient client: shared by the threads, it has a transport for each
    :param int workers: threads
    :param StopSignal stop: makes the uploads end with StoppedError; sessions stay
    :param on_session: called as ``on_session(task, uri)``, in the upload's thread
    """

    def __init__(self, client, workers, stop, on_session=None):
        self._client = client
        self._on_session = on_session
        self._done = queue.Queue()
        self._stop = stop
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="drive-upload")
        self.workers = workers
        self.busy = 0  # tasks submitted and not collected yet

    def submit(self, task):
        """Queue a task."""
        self.busy += 1
        self._executor.submit(self._work, task)

    def collect(self, timeout, linger=LINGER):
        """Outcomes that are ready.

        Waits at most ``timeout`` seconds for the first and ``linger`` for others, so that
        many are written down at once.

        :rtype: list[Outcome]
        """
        outcomes, until = [], None
        while self.busy > len(outcomes):
            wait = timeout if until is None else max(0.0, until - time.monotonic())
            try:
                outcomes.append(self._done.get(timeout=wait))
            except queue.Empty:
                break
            until = until or time.monotonic() + linger
        self.busy -= len(outcomes)
        return outcomes

    def stop(self):
        """Make the uploads end soon."""
        self._stop.set()

    def close(self):
        """Stop and wait for the threads."""
        self.stop()
        self._executor.shutdown(wait=True)

    def _work(self, task):
        started = time.monotonic()
        metadata = sha1 = md5 = error = None
        try:
            self._stop.check()
            metadata, sha1, md5 = self._upload(task)
        except DriveError as err:
            error = err
            if err.stops_run:
                self.stop()  # no other file would fare better: save the requests
        except OSError as err:
            error = DriveError("The local file can not be read: %s" % err)
        # a thread must always give an outcome, else the run waits for ever
        except Exception as err:  # pylint: disable=broad-except
            _logger.exception("Upload of %s failed", task.key)
            error = DriveError("Internal error: %s" % err)
        duration = time.monotonic() - started
        self._done.put(Outcome(task, metadata, sha1, md5, error, duration))

    def _upload(self, task):
        """Send one file, or find it in Drive already.

        A copy that turns out wrong is left where it is: whoever writes the failure down
        gives its id up, and what is under it goes once nothing can need it.
        """
        source = Source(task.open_file, task.size, task.mimetype)
        try:
            sha1, md5 = source.measure(task.sha1)
            found = task.duplicate_id and self._duplicate(task, sha1)
            if found:
                return found, sha1, md5
            metadata = upload(
                self._client,
                task.body,
                source,
                session_uri=task.session_uri,
                on_session=lambda uri: self._on_session and self._on_session(task, uri),
                on_progress=lambda done: self._stop.check(),
            )
        finally:
            source.close()
        return verify(self._client, metadata, task.size, sha1, md5), sha1, md5

    def _duplicate(self, task, sha1):
        """Metadata of the file to share, None when it is not there or not the same."""
        try:
            found = self._client.get(task.duplicate_id)
            verify(self._client, found, task.size, sha1)
        except (ChecksumError, NotFoundError, UnverifiedError):
            return None
        return None if is_trashed(found) else found

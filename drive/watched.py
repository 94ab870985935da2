"""Requests that can be given up while they wait for an answer.

The libraries wait as long as their timeout is, and nothing stops them. So a request is sent
from a thread beside, and who wants the answer looks at the clock meanwhile.
"""
import concurrent.futures
import queue
import threading
import weakref

LOOK_SECONDS = 0.25  # how often it is asked whether to go on waiting


class Watcher:
    """Calls functions in one thread beside, which keeps its connections.

    :param check: called while one waits; raises to give up
    """

    def __init__(self, check):
        self._check = check
        self._tasks = self._finalizer = None

    def call(self, func):
        """Return what ``func()`` returns, or raise what it raises.

        What is given up goes on by itself until it fails or ends, and nobody hears of it.

        :raises DriveError: whatever ``check`` raises
        """
        if self._tasks is None:
            self._begin()
        outcome = concurrent.futures.Future()
        self._tasks.put((func, outcome))
        while not concurrent.futures.wait([outcome], timeout=LOOK_SECONDS).done:
            try:
                self._check()
            except BaseException:
                self._leave()
                raise
        return outcome.result()

    def _begin(self):
        self._tasks = queue.SimpleQueue()
        # the thread ends with this object, that is with its client
        self._finalizer = weakref.finalize(self, self._tasks.put, None)
        threading.Thread(
            target=_serve, args=(self._tasks,), name="drive-request", daemon=True
        ).start()

    def _leave(self):
        """Have the thread end after what it is at; the next call gets another."""
        self._finalizer()
        self._tasks = None


def _serve(tasks):
    """Do one task after the other, until there comes None."""
    while True:
        task = tasks.get()
        if task is None:
            return
        func, outcome = task
        del task
        try:
            outcome.set_result(func())
        except BaseException as err:  # pylint: disable=broad-except
            outcome.set_exception(err)  # it is raised where the answer is waited for
        del func, outcome

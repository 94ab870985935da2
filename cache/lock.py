"""File locks between threads and processes; the kernel frees them after a crash."""

import contextlib
import fcntl
import os
import time

POLL_SECONDS = 0.02


@contextlib.contextmanager
def file_lock(path, timeout, sleep=time.sleep, timer=time.monotonic):
    """Hold the lock file ``path``; it exists only while someone holds or wants it.

    ``flock`` belongs to an open file, not to a process, so threads exclude each other
    as processes do. It is polled, as a blocking call can not be given a timeout.

    :param float timeout: seconds to wait, 0 to just try
    :return: context manager that gives True when the lock is taken, False when time ran
        out or the directory can not be written to
    """
    fd = _acquire(path, timer() + timeout, sleep, timer)
    try:
        yield fd is not None
    finally:
        if fd is not None:
            # Removed before it is let go: those who wait see that it is gone.
            with contextlib.suppress(OSError):
                os.unlink(path)
            os.close(fd)


def try_flock(fd, operation=fcntl.LOCK_EX):
    """Lock an open file without waiting; tell whether that worked."""
    try:
        fcntl.flock(fd, operation | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _acquire(path, deadline, sleep, timer):
    while True:
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return None
        if try_flock(fd) and _is_same_file(fd, path):
            return fd
        os.close(fd)
        remaining = deadline - timer()
        if remaining <= 0:
            return None
        sleep(min(POLL_SECONDS, remaining))


def _is_same_file(fd, path):
    """Tell whether ``path`` still names the open file, not one made after it."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path))
    except OSError:
        return False

"""How many bytes a cache directory holds, known to all processes without a scan."""

import contextlib
import fcntl
import os
import re
from typing import NamedTuple

_TEXT = re.compile(r"(?P<total>\d+) (?P<scanned>\d+)\s*")


class Usage(NamedTuple):
    """``total`` bytes counted; ``scanned``: when files were last looked at (seconds).

    ``scanned`` is 0 when nothing is known: only a scan can tell.
    """

    total: int
    scanned: int


class UsageCounter:
    """A number in a file; what a dying process leaves wrong in it, a scan corrects."""

    def __init__(self, path):
        self._path = path

    def add(self, delta):
        """Add ``delta`` bytes (may be negative) and return the :class:`Usage`.

        :raise OSError: when the file can not be written
        """
        with self._locked() as fd:
            match = _TEXT.fullmatch(os.pread(fd, 64, 0).decode("ascii", "replace"))
            known = Usage(*map(int, match.groups())) if match else Usage(0, 0)
            usage = known._replace(total=max(known.total + delta, 0))
            self._write(fd, usage)
            return usage

    def set(self, total, now):
        """Replace the number by what a scan at ``now`` (seconds) found."""
        with self._locked() as fd:
            self._write(fd, Usage(int(total), int(now)))

    @contextlib.contextmanager
    def _locked(self):
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield fd
        finally:
            os.close(fd)

    @staticmethod
    def _write(fd, usage):
        text = "{:d} {:d}".format(*usage).encode("ascii")
        # Fixed width: a shorter number needs no truncation, a crash leaves no half.
        os.pwrite(fd, text.ljust(48), 0)

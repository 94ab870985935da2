"""Transactions, deadlines, and every advisory lock of PostgreSQL that the addon takes.

A lock has two keys: its number below, and what it is about (0 where there is one for the
whole database). Nobody may wait for one while Google is asked.
"""

import contextlib
import random
import time

from psycopg2 import OperationalError, errorcodes

CONCURRENCY_ERRORS = (
    errorcodes.SERIALIZATION_FAILURE,
    errorcodes.DEADLOCK_DETECTED,
    errorcodes.LOCK_NOT_AVAILABLE,
)

#: A process works on a run; second key: id of the run. Held by a connection as long as the
#: process lives, so whoever comes next knows at once whether the run does.
LIVE_LOCK = 0x434C4F55
#: Rows are being claimed for uploads; second key: id of the account.
CLAIM_LOCK = 0x434C4F43
#: Folders are being made in Drive; second key: id of the account.
FOLDER_LOCK = 0x434C4F44
#: Drive is being told what is in the queue (``cloud_storage.trash``).
QUEUE_LOCK = 0x434C4F51
#: The addon is installed. Shared by whoever works on a run, and by each transaction that
#: leaves an attachment without bytes of its own; taken alone by the uninstallation.
INSTALLED_LOCK = 0x434C4F49

GIVEN_UP = (errorcodes.LOCK_NOT_AVAILABLE, errorcodes.DEADLOCK_DETECTED)


class Deadline:
    """The end of the time that something may take.

    :param float seconds: from now on; None means that there is no end
    """

    def __init__(self, seconds=None):
        self._end = None if seconds is None else time.monotonic() + seconds

    @property
    def over(self):
        """Whether the time is up."""
        return self.is_over_by(0)

    def is_over_by(self, seconds):
        """Whether it was up that many seconds ago."""
        return self._end is not None and time.monotonic() >= self._end + seconds


def retrying(env, func, tries=6):
    """Call ``func()`` and commit; again after a conflict with a concurrent transaction."""
    for attempt in range(tries):
        try:
            result = func()
            env.cr.commit()  # a fact about Drive must not be lost with the rest
            return result
        except OperationalError as err:
            if err.pgcode not in CONCURRENCY_ERRORS or attempt + 1 == tries:
                raise
            env.cr.rollback()
            env.cache.invalidate()
            time.sleep(random.uniform(0, 0.05 * 2**attempt))
    return None


@contextlib.contextmanager
def session_lock(cr, number, key=0, shared=False):
    """Hold a lock by a connection, over its commits, if it can be had at once.

    :param cr: a cursor that nobody else uses; the transaction begins anew in here
    :return: whether it is held
    """
    kind = "_shared" if shared else ""
    # the name is one of two, the keys are parameters
    cr.execute(  # pylint: disable=sql-injection
        "SELECT pg_try_advisory_lock%s(%%s, %%s)" % kind, (number, key)
    )
    is_mine = cr.fetchone()[0]
    cr.commit()
    try:
        yield is_mine
    finally:
        # the connection goes back to a pool: a lock would stay with it
        if is_mine:
            with contextlib.suppress(Exception):
                cr.execute(  # pylint: disable=sql-injection
                    "SELECT pg_advisory_unlock%s(%%s, %%s)" % kind, (number, key)
                )
                cr.commit()


def share_installation(cr):
    """Keep an uninstallation out until this transaction ends.

    To be called first in every transaction that drops the bytes of an attachment, or makes
    a row lean on Drive alone.

    :return: False when the addon is about to leave: nothing of the kind may be done then
    """
    cr.execute("SELECT pg_try_advisory_xact_lock_shared(%s, 0)", (INSTALLED_LOCK,))
    return cr.fetchone()[0]


def lock_installation(cr, seconds):
    """Wait until nobody shares :data:`INSTALLED_LOCK`, and keep all out from now on.

    PostgreSQL gives it to nobody else as soon as somebody waits for it. It is free again
    when the transaction ends, or goes back to a savepoint before this call.

    :param int seconds: how long to wait
    :return: False when there still are others
    """
    try:
        with cr.savepoint(flush=False):
            _lock_within(cr, seconds)
    except OperationalError as err:
        if err.pgcode not in GIVEN_UP:
            raise
        return False
    return True


def _lock_within(cr, seconds):
    cr.execute("SELECT current_setting('lock_timeout')")
    before = cr.fetchone()
    set_lock_timeout(cr, seconds)
    cr.execute(
        "SELECT pg_advisory_xact_lock(%s, 0)", (INSTALLED_LOCK,), log_exceptions=False
    )
    cr.execute("SELECT set_config('lock_timeout', %s, true)", before)


def set_lock_timeout(cr, seconds):
    """Let statements of this transaction fail that wait longer than this for a lock."""
    cr.execute("SELECT set_config('lock_timeout', %s, true)", ("%ds" % seconds,))


def is_locked(cr, number, key=0):
    """Whether any connection to this database holds a lock, in whatever way."""
    return key in locked_keys(cr, number)


def locked_keys(cr, number):
    """What the locks of a number are about that are held in this database."""
    cr.execute(
        "SELECT DISTINCT objid::bigint FROM pg_locks WHERE locktype = 'advisory'"
        " AND granted AND classid = %s AND objsubid = 2 AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())",
        (number,),
    )
    return {key for (key,) in cr.fetchall()}

"""Every advisory lock of PostgreSQL that the addon takes, with its number, side by side.

A lock has two keys: its number below, and what it is about (0 where there is one for the
whole database). Nobody may wait for one while Google is asked.
"""
import contextlib

from psycopg2 import OperationalError, errorcodes

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


@contextlib.contextmanager
def held(cr, number, key=0, shared=False):
    """Hold a lock by a connection, over its commits, if it can be had at once.

    :param cr: a cursor that nobody else uses; the transaction begins anew in here
    :return: whether it is held
    """
    kind = "_shared" if shared else ""
    # the name is one of two, the keys are parameters
    cr.execute(  # pylint: disable=sql-injection
        "SELECT pg_try_advisory_lock%s(%%s, %%s)" % kind, (number, key)
    )
    is_held = cr.fetchone()[0]
    cr.commit()
    try:
        yield is_held
    finally:
        # the connection goes back to a pool: a lock would stay with it
        if is_held:
            with contextlib.suppress(Exception):
                cr.execute(  # pylint: disable=sql-injection
                    "SELECT pg_advisory_unlock%s(%%s, %%s)" % kind, (number, key)
                )
                cr.commit()


def hold_shared(cr):
    """Keep an uninstallation out until this transaction ends.

    To be called first in every transaction that drops the bytes of an attachment, or makes
    a row lean on Drive alone.

    :return: False when the addon is about to leave: nothing of the kind may be done then
    """
    cr.execute("SELECT pg_try_advisory_xact_lock_shared(%s, 0)", (INSTALLED_LOCK,))
    return cr.fetchone()[0]


def hold_alone(cr, seconds):
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
    set_timeout(cr, seconds)
    cr.execute(
        "SELECT pg_advisory_xact_lock(%s, 0)", (INSTALLED_LOCK,), log_exceptions=False
    )
    cr.execute("SELECT set_config('lock_timeout', %s, true)", before)


def set_timeout(cr, seconds):
    """Let statements of this transaction fail that wait longer than this for a lock."""
    cr.execute("SELECT set_config('lock_timeout', %s, true)", ("%ds" % seconds,))


def is_held(cr, number, key=0):
    """Whether any connection to this database holds a lock, in whatever way."""
    return key in keys_held(cr, number)


def keys_held(cr, number):
    """What the locks of a number are about that are held in this database."""
    cr.execute(
        "SELECT DISTINCT objid::bigint FROM pg_locks WHERE locktype = 'advisory'"
        " AND granted AND classid = %s AND objsubid = 2 AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())",
        (number,),
    )
    return {key for (key,) in cr.fetchall()}

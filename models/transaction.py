"""Transactions that other workers may get in the way of."""
import random
import time

from psycopg2 import OperationalError, errorcodes

CONCURRENCY_ERRORS = (
    errorcodes.SERIALIZATION_FAILURE,
    errorcodes.DEADLOCK_DETECTED,
    errorcodes.LOCK_NOT_AVAILABLE,
)


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

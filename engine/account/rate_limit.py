"""One rate limit for an account, whatever the number of processes that work on it."""

import contextlib
import threading

import psycopg2

from odoo.sql_db import db_connect

from ...drive.retry import Bucket, CircuitBreaker, RateLimiter

BURST = 100  # requests that may go at once after a quiet time
AHEAD = 0.25  # seconds for which a process takes tokens at once
LONGEST_DEBT = 600  # seconds; a clock that is set back must not stop everything
NOW = "extract(epoch FROM clock_timestamp())::float8"
TAKE = """
INSERT INTO cloud_storage_pace AS known (auth_id, paid_until)
VALUES (%(auth)s, {now} - %(quiet)s + %(cost)s)
ON CONFLICT (auth_id) DO UPDATE SET paid_until =
    LEAST(GREATEST(known.paid_until, {now} - %(quiet)s), {now} + %(cap)s) + %(cost)s
RETURNING paid_until - %(cost)s - {now}
""".format(now=NOW)
EMPTY = """
INSERT INTO cloud_storage_pace AS known (auth_id, paid_until)
VALUES (%(auth)s, {now} + %(seconds)s)
ON CONFLICT (auth_id) DO UPDATE SET
    paid_until = GREATEST(known.paid_until, {now} + %(seconds)s)
RETURNING 0
""".format(now=NOW)

_LOCK = threading.Lock()
_LIMITS = {}  # (database, account id): Limits of this process


class SharedBucket(Bucket):
    """Tokens that all processes take from the same row, some at once.

    For threads without a cursor: each call opens one of its own, for a moment.
    Without the database it goes on by itself.
    """

    def __init__(self, dbname, auth_id):
        super().__init__()
        self._dbname, self._auth_id = dbname, auth_id

    def block(self, rate):
        """Tokens for a moment, so that the database is asked a few times per second."""
        return max(1, int(rate * AHEAD))

    def take(self, count, rate, burst):
        """Take tokens, on credit when there are none."""
        try:
            return self._ask(
                TAKE, cost=count / rate, quiet=burst / rate, cap=LONGEST_DEBT
            )
        except psycopg2.Error:
            return super().take(count, rate, burst)

    def empty(self, seconds=0.0):
        """Leave no tokens to any process."""
        super().empty(seconds)
        with contextlib.suppress(psycopg2.Error):
            self._ask(EMPTY, seconds=seconds)

    def _ask(self, statement, **values):
        # READ COMMITTED: who had to wait for the row goes on with what it is now
        cursor = db_connect(self._dbname).cursor(serialized=False)
        with contextlib.closing(cursor) as cr:
            cr.execute(
                statement, dict(values, auth=self._auth_id), log_exceptions=False
            )
            answer = cr.fetchone()[0]
            cr.commit()  # others wait for the row
            return answer


class Limits:
    """What all threads of this process share that use an account.

    Who waits for a file does not wait behind a run: reading has a limit of its own, in
    each process. What changes Drive has one limit over all processes.
    """

    def __init__(self, dbname, auth_id):
        self.writes = RateLimiter(burst=BURST, bucket=SharedBucket(dbname, auth_id))
        self.reads = RateLimiter(burst=BURST)
        self.breaker = CircuitBreaker()

    def set_rate(self, rate):
        """Let so many requests go per second from now on."""
        for limiter in (self.writes, self.reads):
            if rate != limiter.full_rate:
                limiter.full_rate = limiter.rate = float(rate)


def limits_of(auth):
    """The limits of an account.

    :rtype: Limits
    """
    key = (auth.env.cr.dbname, auth.id)
    with _LOCK:
        if key not in _LIMITS:
            _LIMITS[key] = Limits(*key)
        return _LIMITS[key]

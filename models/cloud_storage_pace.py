"""One pace for an account, whatever the number of processes that work on it."""
import contextlib

import psycopg2

from odoo import fields, models
from odoo.sql_db import db_connect

from ..drive.retry import Bucket

AHEAD = 0.25  # seconds for which a process takes tokens at once
LONGEST_DEBT = 600  # seconds; a clock that is set back must not stop everything
NOW = "extract(epoch FROM clock_timestamp())::float8"
TAKE = """
INSERT INTO cloud_storage_pace AS pace (auth_id, paid_until)
VALUES (%(auth)s, {now} - %(quiet)s + %(cost)s)
ON CONFLICT (auth_id) DO UPDATE SET paid_until =
    LEAST(GREATEST(pace.paid_until, {now} - %(quiet)s), {now} + %(cap)s) + %(cost)s
RETURNING paid_until - %(cost)s - {now}
""".format(now=NOW)
EMPTY = """
INSERT INTO cloud_storage_pace AS pace (auth_id, paid_until)
VALUES (%(auth)s, {now} + %(seconds)s)
ON CONFLICT (auth_id) DO UPDATE SET
    paid_until = GREATEST(pace.paid_until, {now} + %(seconds)s)
RETURNING 0
""".format(now=NOW)


class CloudStoragePace(models.Model):
    """Until when the requests of an account that were let go are paid for.

    Without a foreign key: its check would wait for whoever holds the account locked, while
    that one may wait for a request.
    """

    _name = "cloud_storage.pace"
    _description = "Cloud Storage Pace"
    _log_access = False

    auth_id = fields.Integer(required=True)
    paid_until = fields.Float(help="Seconds since 1970, by PostgreSQL's clock.")

    _sql_constraints = [
        ("auth_unique", "unique(auth_id)", "An account has one pace."),
    ]

    def init(self):
        """Writing a row should not wait for the disk, and a crash may take it."""
        super().init()
        self.env.cr.execute("ALTER TABLE cloud_storage_pace SET UNLOGGED")


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
            cr.execute(statement, dict(values, auth=self._auth_id), log_exceptions=False)
            answer = cr.fetchone()[0]
            cr.commit()  # others wait for the row
            return answer

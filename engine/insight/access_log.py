"""Writing ``cloud_storage.access.log`` below the ORM: it costs every request."""
import logging
import time

import psycopg2

from odoo import fields, registry

from ...utils.filenames import printable

_logger = logging.getLogger(__name__)

MAX_TEXT = 255  # characters kept of what a client sent
LOCK_TIMEOUT = 2000  # ms to wait for somebody who is deleting the user or the file
#: Rows without a duration are the counted ones.
COUNT = """
    UPDATE cloud_storage_access_log
    SET requests = requests + 1, bytes_served = bytes_served + %s
    WHERE id = (
        SELECT id FROM cloud_storage_access_log
        WHERE access_date = %s AND user_id = %s AND http_status = %s
        AND duration_ms IS NULL
        LIMIT 1 FOR UPDATE SKIP LOCKED)"""


class Access:
    """Collects what is known of a request; :meth:`write` makes it a row.

    :param str dbname: database
    :param bool is_public: nobody is logged in: what fails is only counted
    :param values: columns of ``cloud_storage.access.log`` that are known at once
    """

    def __init__(self, dbname, is_public, **values):
        self._dbname = dbname
        self._is_public = is_public
        self._values = values
        self._started = time.monotonic()
        self.is_counted_only = False
        self.http_status = 0
        self.bytes_served = 0
        self.cache_hit = False

    def concern(self, attachment):
        """Note which file it is about, of those that this visitor may read."""
        self._values.update(attachment_id=attachment.id, file_name=attachment.name)

    def refuse(self):
        """Note nothing of what was asked for: who may not see it reads the log too."""
        self.is_counted_only = True

    def write(self):
        """Write the row in a transaction of its own; a failure is only logged."""
        try:
            with registry(self._dbname).cursor() as cr:
                self._write_to(cr)
        except psycopg2.Error as err:
            _logger.warning("Access not logged: %s", err)

    def _write_to(self, cr):
        if self.is_counted_only or (self._is_public and self.http_status >= 400):
            user_id = self._values["user_id"]
            count(cr, user_id, self.http_status, self.bytes_served)
        else:
            insert(cr, self._row())

    def _row(self):
        elapsed = time.monotonic() - self._started
        return dict(
            self._values,
            http_status=self.http_status,
            bytes_served=self.bytes_served,
            cache_hit=self.cache_hit,
            duration_ms=int(elapsed * 1000),
        )


def insert(cr, row):
    """Add a row, in a transaction that has no other work.

    :param dict row: column values; texts come from clients and may be anything
    """
    row = {
        name: printable(value)[:MAX_TEXT] if isinstance(value, str) else value
        for name, value in row.items()
    }
    _commit_cheaply(cr)
    try:
        with cr.savepoint(flush=False):
            _insert_row(cr, row)
    except psycopg2.Error:
        # the user or the attachment is being deleted just now
        _insert_row(cr, dict(row, user_id=None, attachment_id=None))


def count(cr, user_id, http_status, bytes_served):
    """Count a refused request: one row per user, status and minute.

    Nobody waits for another process that counts: it gets a row of its own, so there are
    a few more.

    :param int user_id: who asked
    :param int bytes_served: length of the answer
    """
    minute = fields.Datetime.now().replace(second=0)
    _commit_cheaply(cr)
    try:
        with cr.savepoint(flush=False):
            values = (bytes_served, minute, user_id, http_status)
            cr.execute(COUNT, values, log_exceptions=False)
            is_counted = bool(cr.rowcount)
    except psycopg2.Error:
        is_counted = False  # another process was quicker by a moment
    if not is_counted:
        row = {"user_id": user_id, "http_status": http_status}
        insert(cr, dict(row, access_date=minute, bytes_served=bytes_served))


def _commit_cheaply(cr):
    # The row is safe from a rollback, and from a crash of Odoo; only one of PostgreSQL
    # loses the last half second. In turn no worker waits for the disk.
    cr.execute(
        "SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = %s", (LOCK_TIMEOUT,)
    )


def _insert_row(cr, row):
    columns = dict({"access_date": fields.Datetime.now(), "requests": 1}, **row)
    names = list(columns)
    # column names come from the code, never from a client
    cr.execute(
        "INSERT INTO cloud_storage_access_log (%s) VALUES (%s)"
        % (", ".join(names), ", ".join(["%s"] * len(names))),
        [columns[name] for name in names],
        log_exceptions=False,
    )

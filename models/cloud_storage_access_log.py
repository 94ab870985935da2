import psycopg2

from odoo import api, fields, models

from ..utils.filenames import printable

RETENTION_DAYS = 30
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


class CloudStorageAccessLog(models.Model):
    """One row per request that the proxy served; refused ones are only counted.

    What nobody may see is worth no row each: a stranger could fill the disk with them.
    """

    _name = "cloud_storage.access.log"
    _description = "Cloud Storage Access Log"
    _inherit = "cloud_storage.mixin"
    _order = "access_date desc, id desc"
    _rec_name = "file_name"
    _log_access = False

    access_date = fields.Datetime(
        required=True, default=fields.Datetime.now, index=True, readonly=True
    )
    user_id = fields.Many2one("res.users", "User", ondelete="set null", readonly=True)
    attachment_id = fields.Many2one(
        "ir.attachment", ondelete="set null", index=True, readonly=True
    )
    file_name = fields.Char(readonly=True)
    bytes_served = fields.Float(digits=(18, 0), readonly=True)
    cache_hit = fields.Boolean(
        readonly=True, help="No byte of the answer had to come from Drive."
    )
    http_status = fields.Integer("HTTP Status", readonly=True, group_operator=None)
    duration_ms = fields.Integer("Duration (ms)", readonly=True, group_operator="avg")
    range_request = fields.Char("Range", readonly=True)
    user_agent = fields.Char(readonly=True)
    ip_address = fields.Char("IP Address", readonly=True)
    requests = fields.Integer(
        default=1,
        readonly=True,
        help="More than one where refused requests of a minute are counted together.",
    )

    @api.model
    def _insert(self, row):
        """Add a row below the ORM, cheaply, in a transaction that has no other work.

        :param dict row: column values; texts come from clients and may be anything
        """
        row = {
            name: printable(value)[:MAX_TEXT] if isinstance(value, str) else value
            for name, value in row.items()
        }
        # The row is safe from a rollback, and from a crash of Odoo; only one of
        # PostgreSQL loses the last half second. In turn no worker waits for the disk.
        self._commit_cheaply()
        try:
            with self.env.cr.savepoint(flush=False):
                self._insert_row(row)
        except psycopg2.Error:
            # the user or the attachment is being deleted just now
            self._insert_row(dict(row, user_id=None, attachment_id=None))

    def _commit_cheaply(self):
        self.env.cr.execute(
            "SET LOCAL synchronous_commit = off; SET LOCAL lock_timeout = %s",
            (LOCK_TIMEOUT,),
        )

    @api.model
    def _count(self, user_id, http_status, bytes_served):
        """Count a refused request: one row per user, status and minute.

        Nobody waits for another process that counts: it gets a row of its own, so there
        are a few more.

        :param int user_id: who asked
        :param int bytes_served: length of the answer
        """
        minute = fields.Datetime.now().replace(second=0)
        self._commit_cheaply()
        try:
            with self.env.cr.savepoint(flush=False):
                self.env.cr.execute(
                    COUNT,
                    (bytes_served, minute, user_id, http_status),
                    log_exceptions=False,
                )
                counted = self.env.cr.rowcount
        except psycopg2.Error:
            counted = 0  # another process was quicker by a moment
        if not counted:
            self._insert(
                {
                    "access_date": minute,
                    "user_id": user_id,
                    "http_status": http_status,
                    "bytes_served": bytes_served,
                }
            )

    def _insert_row(self, row):
        columns = dict({"access_date": fields.Datetime.now(), "requests": 1}, **row)
        names = list(columns)
        # column names come from the code, never from a client
        self.env.cr.execute(
            "INSERT INTO cloud_storage_access_log (%s) VALUES (%s)"
            % (", ".join(names), ", ".join(["%s"] * len(names))),
            [columns[name] for name in names],
            log_exceptions=False,
        )

    @api.autovacuum
    def _gc_access_logs(self):
        """Forget rows older than ``cloud_storage.access_log_retention_days``."""
        self._gc_rows(
            "cloud_storage_access_log", "access_date", "access_log", RETENTION_DAYS
        )

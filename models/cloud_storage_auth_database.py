"""Whose database an account is bound to: a copy of it reads Drive and changes nothing."""
import contextlib
import logging
import os
import uuid
from collections import namedtuple

import psycopg2

from odoo import _, fields, models
from odoo.exceptions import UserError
from odoo.tools import config

_logger = logging.getLogger(__name__)

#: Below Odoo's data directory, beside the filestore: a backup, a copy or a duplicate of one
#: database takes the folder of its own files along, not this one.
MARKER_FOLDER = "cloud_storage_databases"
MARKER_TEXT = (
    "The Odoo server with this data directory works with the database %s as the one that\n"
    "may change its files in Google Drive. Do not copy this file to a test server.\n"
)
#: What tells this database from its copies; ``cluster`` is None where PostgreSQL does not
#: say, ``instance`` is when its server was started.
Database = namedtuple("Database", "uuid name cluster instance")


class CloudStorageAuth(models.Model):
    """The binding of an account to one database.

    A database is the one that authorized the account while all of this holds:

    - Odoo's ``database.uuid``: another in a duplicate or in a restored "copy";
    - its name: another after ``createdb -T`` in the same cluster;
    - PostgreSQL's system identifier, made by ``initdb``: another where a dump was restored,
      and after an upgrade of PostgreSQL;
    - the same start of PostgreSQL as at the last use, or a server that was there before: it
      left a marker in its data directory. A clone of the whole cluster (physical backup,
      promoted standby) has the same identifier; it is told apart by a start that nobody
      knows, met by an Odoo that nobody knows. One that is known vouches for a new start
      (restart, failover), and a known start vouches for a new Odoo server, so several
      servers, each with a data directory, are no copies.

    Whoever is really meant by a move, a restore or an upgrade confirms with one click.

    Not to be seen are copies that have everything: a clone of a machine with PostgreSQL and
    data directory, a standby that uses the data directory of production, and a copy that
    was made before the binding began (accounts of older versions are bound at their first
    use). For those there is the kill switch, ``CLOUD_STORAGE_DISABLED``.
    """

    _inherit = "cloud_storage.auth"

    database_cluster = fields.Char(
        readonly=True,
        copy=False,
        help="PostgreSQL's system identifier of the cluster with that database.",
    )
    database_instance = fields.Char(
        readonly=True,
        copy=False,
        help="When its PostgreSQL was started, as of the last use, in UTC.",
    )
    database_mark = fields.Char(
        readonly=True,
        copy=False,
        help="Name of the marker in the data directories of its Odoo servers.",
    )

    def _is_foreign_copy(self):
        """Whether another database than this one authorized the account."""
        self.ensure_one()
        if not self.database_uuid:
            return False
        here = self._this_database()
        known = (self.database_uuid, self.database_name or here.name)
        if known != (here.uuid, here.name):
            return True
        if self._is_other(self.database_cluster, here.cluster):
            return True
        moved = self._is_other(self.database_instance, here.instance)
        return bool(self.database_mark) and moved and not self._has_marker()

    @staticmethod
    def _is_other(known, here):
        """Whether two values are known and differ: nothing is concluded from silence."""
        return bool(known and here) and known != here

    def _this_database(self):
        """:rtype: Database"""
        cr = self.env.cr
        cr.execute("SELECT (pg_postmaster_start_time() AT TIME ZONE 'UTC')::text")
        [instance] = cr.fetchone()
        return Database(self._database_uuid(), cr.dbname, self._cluster(), instance)

    def _cluster(self):
        """PostgreSQL's system identifier, None where it does not tell this role."""
        with contextlib.suppress(psycopg2.Error):
            with self.env.cr.savepoint(flush=False):
                self.env.cr.execute(
                    "SELECT system_identifier::text FROM pg_control_system()",
                    log_exceptions=False,
                )
                return self.env.cr.fetchone()[0]
        return None

    def _database_uuid(self):
        return self.env["ir.config_parameter"].sudo().get_param("database.uuid")

    # -- may it write? -----------------------------------------------------------------

    def _check_may_write(self):
        """:raises UserError: this database must not change that Drive"""
        self._check_enabled()
        if self._is_foreign_copy():
            raise UserError(
                _(
                    "This database looks like a copy: %(account)s was authorized by"
                    " another one, whose files in Drive it must not touch. If this is"
                    " the real one now (moved to another server, restored, PostgreSQL"
                    ' upgraded), open the account and press "This Is the Real'
                    ' Database".',
                    account=self.name,
                )
            )
        self._keep_binding()

    # -- bind --------------------------------------------------------------------------

    def _new_binding(self):
        """Values that bind the account to this database, whose marker is made.

        :rtype: dict
        """
        here = self._this_database()
        mark = uuid.uuid4().hex
        return {
            "database_uuid": here.uuid,
            "database_name": here.name,
            "database_cluster": here.cluster or False,
            "database_instance": here.instance,
            "database_mark": self._write_marker(mark) and mark,
        }

    def _keep_binding(self):
        """Write down what is not known yet of an account in a database that is no copy."""
        if not self.database_uuid:
            return
        here = self._this_database()
        news = {
            "database_name": here.name,
            "database_cluster": here.cluster or self.database_cluster or None,
            "database_instance": here.instance,
            "database_mark": self._marked() or None,
            "granted_to": self._working_grantee() or None,
        }
        if any((self[name] or None) != value for name, value in news.items()):
            self._update_elsewhere(news)

    def _working_grantee(self):
        """To whom the tokens were given, also where nobody noted it at the consent."""
        works = self.state in ("authorized", "expired")
        return self.granted_to or (works and self._grantee())

    def _marked(self):
        """The mark, a new one where there was none; this server carries it if it can."""
        if self.database_mark and self._has_marker():
            return self.database_mark
        mark = self.database_mark or uuid.uuid4().hex
        return mark if self._write_marker(mark) else self.database_mark

    def _update_elsewhere(self, values):
        """Update columns in a transaction of their own, unless somebody has the row.

        Nobody waits for it, and the caller's transaction writes nothing: the next use does
        what this one could not.
        """
        columns = ", ".join("%s = %%(%s)s" % (name, name) for name in sorted(values))
        with contextlib.suppress(psycopg2.OperationalError):
            with self.env.registry.cursor() as cr:
                # names come from the code; of two servers at once, one sets the mark
                cr.execute(
                    "UPDATE cloud_storage_auth SET " + columns + " WHERE id IN ("
                    "SELECT id FROM cloud_storage_auth WHERE id = %(id)s"
                    " AND database_mark IS NOT DISTINCT FROM %(known)s"
                    " FOR NO KEY UPDATE SKIP LOCKED)",
                    dict(values, id=self.id, known=self.database_mark or None),
                    log_exceptions=False,
                )

    # -- the marker --------------------------------------------------------------------

    def _marker(self, mark=None):
        folder = os.path.join(config["data_dir"], MARKER_FOLDER)
        return os.path.join(folder, os.path.basename(mark or self.database_mark or "-"))

    def _has_marker(self):
        return os.path.exists(self._marker())

    def _write_marker(self, mark):
        """Make this server a known one; return whether that was possible."""
        path = self._marker(mark)
        try:
            os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
            with open(path, "w", encoding="utf-8") as stream:
                stream.write(MARKER_TEXT % self.env.cr.dbname)
        except OSError as err:
            _logger.info("No marker can be left in the data directory: %s", err)
            return False
        return True

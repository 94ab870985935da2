"""Whose database an account is bound to: a copy of it reads Drive and changes nothing.

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
import contextlib
import logging
import os
import uuid
from collections import namedtuple

import psycopg2

from odoo.tools import config

_logger = logging.getLogger(__name__)

#: Below Odoo's data directory, beside the filestore: a backup, a copy or a duplicate of one
#: database takes the folder of its own files along, not this one.
MARKER_FOLDER = "cloud_storage_databases"
MARKER_TEXT = (
    "The Odoo server with this data directory works with the database %s as the one that\n"
    "may change its files in Google Drive. Do not copy this file to a test server.\n"
)
#: Which database may change the files of the account in Drive.
DATABASE_FIELDS = (
    "database_uuid",
    "database_name",
    "database_cluster",
    "database_instance",
    "database_mark",
)
#: What tells this database from its copies; ``cluster`` is None where PostgreSQL does not
#: say, ``instance`` is when its server was started.
Database = namedtuple("Database", "uuid name cluster instance")


# -- this database ---------------------------------------------------------------------


def database_uuid(env):
    """Odoo's id of this database, which the files in Drive are marked with."""
    return env["ir.config_parameter"].sudo().get_param("database.uuid")


def this_database(env):
    """:rtype: Database"""
    env.cr.execute("SELECT (pg_postmaster_start_time() AT TIME ZONE 'UTC')::text")
    [instance] = env.cr.fetchone()
    return Database(database_uuid(env), env.cr.dbname, _cluster(env.cr), instance)


def _cluster(cr):
    """PostgreSQL's system identifier, None where it does not tell this role."""
    with contextlib.suppress(psycopg2.Error):
        with cr.savepoint(flush=False):
            cr.execute(
                "SELECT system_identifier::text FROM pg_control_system()",
                log_exceptions=False,
            )
            return cr.fetchone()[0]
    return None


def is_copy(auth):
    """Whether another database than this one authorized the account."""
    if not auth.database_uuid:
        return False
    here = this_database(auth.env)
    known = (auth.database_uuid, auth.database_name or here.name)
    if known != (here.uuid, here.name):
        return True
    if _is_other(auth.database_cluster, here.cluster):
        return True
    moved = _is_other(auth.database_instance, here.instance)
    return bool(auth.database_mark) and moved and not has_marker(auth.database_mark)


def _is_other(known, here):
    """Whether two values are known and differ: nothing is concluded from silence."""
    return bool(known and here) and known != here


# -- bind ------------------------------------------------------------------------------


def new_binding(env):
    """Values that bind an account to this database, whose marker is made.

    :rtype: dict
    """
    here = this_database(env)
    mark = uuid.uuid4().hex
    return {
        "database_uuid": here.uuid,
        "database_name": here.name,
        "database_cluster": here.cluster or False,
        "database_instance": here.instance,
        "database_mark": write_marker(env, mark) and mark,
    }


def keep_binding(auth, **news):
    """Write down what is not known yet of an account in a database that is no copy.

    :param news: more values to keep
    """
    if not auth.database_uuid:
        return
    here = this_database(auth.env)
    news.update(
        database_name=here.name,
        database_cluster=here.cluster or auth.database_cluster or None,
        database_instance=here.instance,
        database_mark=_marked(auth) or None,
    )
    if any((auth[name] or None) != value for name, value in news.items()):
        _update_elsewhere(auth, news)


def _marked(auth):
    """The mark, a new one where there was none; this server carries it if it can."""
    if auth.database_mark and has_marker(auth.database_mark):
        return auth.database_mark
    mark = auth.database_mark or uuid.uuid4().hex
    return mark if write_marker(auth.env, mark) else auth.database_mark


def _update_elsewhere(auth, values):
    """Update columns in a transaction of their own, unless somebody has the row.

    Nobody waits for it, and the caller's transaction writes nothing: the next use does
    what this one could not.
    """
    columns = ", ".join("%s = %%(%s)s" % (name, name) for name in sorted(values))
    with contextlib.suppress(psycopg2.OperationalError):
        with auth.env.registry.cursor() as cr:
            # names come from the code; of two servers at once, one sets the mark
            cr.execute(
                "UPDATE cloud_storage_auth SET " + columns + " WHERE id IN ("
                "SELECT id FROM cloud_storage_auth WHERE id = %(id)s"
                " AND database_mark IS NOT DISTINCT FROM %(known)s"
                " FOR NO KEY UPDATE SKIP LOCKED)",
                dict(values, id=auth.id, known=auth.database_mark or None),
                log_exceptions=False,
            )


# -- the marker ------------------------------------------------------------------------


def marker_path(mark):
    """Where the marker of a database is in the data directory of this Odoo."""
    return os.path.join(config["data_dir"], MARKER_FOLDER, os.path.basename(mark))


def has_marker(mark):
    """Whether this server was there before."""
    return os.path.exists(marker_path(mark))


def write_marker(env, mark):
    """Make this server a known one.

    :return: whether that was possible
    """
    path = marker_path(mark)
    try:
        os.makedirs(os.path.dirname(path), mode=0o700, exist_ok=True)
        with open(path, "w", encoding="utf-8") as stream:
            stream.write(MARKER_TEXT % env.cr.dbname)
    except OSError as err:
        _logger.info("No marker can be left in the data directory: %s", err)
        return False
    return True

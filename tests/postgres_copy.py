"""Second PostgreSQL clusters with a copy of the tests' database in them."""
import configparser
import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile
import uuid

import odoo
from odoo.tests.common import get_db_name

from ..dev.postgres import PORT, ROLE, Cluster
from .common_auth import environment

CONFIG = "CLOUD_STORAGE_TEST_ODOO_CONF"


@contextlib.contextmanager
def scratch():
    """A folder that everybody may enter, PostgreSQL's own user as well."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="cs-", dir="/tmp"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def dumped_cluster():
    """A new cluster that a dump of the tests' database was restored in, same name.

    :return: the directory of its socket
    """
    name, host = get_db_name(), odoo.tools.config["db_host"]
    with scratch() as folder:
        cluster = Cluster(folder / "data", folder / "log")
        cluster.create()
        with cluster:
            cluster.sql('CREATE DATABASE "%s"' % name)
            _pipe(
                [cluster.bin / "pg_dump", "-h", host, "-p", PORT, "-U", ROLE, name],
                [cluster.bin / "psql", "-h", cluster.socket, "-p", PORT, "-U", ROLE]
                + ["-Xq", name],
            )
            yield str(cluster.socket)


@contextlib.contextmanager
def cloned_cluster():
    """A copy of the tests' whole cluster, as a physical backup gives it.

    :return: the directory of its socket
    """
    with scratch() as folder:
        cluster = Cluster(folder / "data", folder / "log")
        host = odoo.tools.config["db_host"]
        command = [cluster.bin / "pg_basebackup", "-h", host, "-p", PORT]
        command += ["-U", "postgres", "-D", cluster.folder, "-c", "fast", "--no-sync"]
        subprocess.run([str(word) for word in command], check=True)
        cluster.own()
        with cluster:
            yield str(cluster.socket)


def as_postgres(statement, database):
    """Run a statement in the tests' cluster as its superuser."""
    cluster = Cluster(None, None)
    cluster.socket = odoo.tools.config["db_host"]
    cluster.sql(statement, database=database, user="postgres")


def _pipe(*commands):
    """Run programs, each with the output of the one before."""
    children, source = [], None
    for command in commands:
        children.append(
            subprocess.Popen(
                [str(word) for word in command],
                stdin=source,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
        source = children[-1].stdout
    children[-1].communicate()
    for child in children:
        assert not child.wait(), child.args


@contextlib.contextmanager
def other_server(host=None, own_data=True):
    """Let Odoo processes use another cluster, and by default a data directory of their
    own with a copy of the filestore.

    :param str host: directory of the cluster's socket; that of the tests by default
    """
    parser = configparser.RawConfigParser()
    parser.read(os.environ[CONFIG])
    with scratch() as folder:
        if host:
            parser.set("options", "db_host", host)
        if own_data:
            parser.set("options", "data_dir", str(folder / "data"))
            store = pathlib.Path(odoo.tools.config.filestore(get_db_name()))
            if store.is_dir():
                shutil.copytree(store, folder / "data" / "filestore" / store.name)
        path = folder / ("%s.conf" % uuid.uuid4().hex)
        with open(path, "w", encoding="utf-8") as stream:
            parser.write(stream)
        with environment(**{CONFIG: str(path)}):
            yield

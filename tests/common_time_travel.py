"""A database that goes back in time, and a neighbour that must not notice.

The traveller is a database of its own, with the addon, an account and files whose bytes
are known. The tests' own database is its neighbour: it has files in the same Google
account, by the same OAuth client.
"""
import atexit
import configparser
import contextlib
import os
import shutil
import subprocess
import tempfile
import uuid
from datetime import datetime
from types import SimpleNamespace
from unittest.mock import patch

import requests

import odoo
from odoo import SUPERUSER_ID
from odoo.sql_db import close_db
from odoo.tests.common import get_db_name

from ..dev import paths
from ..dev.postgres import Cluster
from ..engine.account.database import database_uuid
from ..engine.outbox.deliver import deliver
from ..odoo_bridge import fresh_environment
from .common import ENDPOINTS, TABLES, CloudCase
from .common_server import OdooServer
from .odoo_process import run_shell, sql

_STARTED = {}
#: Every moment that the addon wrote down, but those of tokens.
MOMENTS = """
SELECT table_name, column_name FROM information_schema.columns
JOIN information_schema.tables USING (table_schema, table_name)
WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
AND data_type IN ('timestamp without time zone', 'date')
AND (table_name LIKE 'cloud\\_storage%' AND table_name != 'cloud_storage_auth'
     OR table_name = 'ir_attachment')
"""
#: What the crons do in a night, in a process of its own.
NIGHT = """
from odoo.addons.cloud_storage.engine.outbox.deliver import deliver
service = env["cloud_storage.sync.service"]
service.automatic_sync()
service.reconcile_cloud_references(200)
deliver(env)
env.cr.commit()
"""
#: What of a file in Drive is nobody's business but its database's.
METADATA = (
    "id name parents mimeType trashed explicitlyTrashed appProperties permissions"
    " md5Checksum size owner"
).split()


def kick_out(database):
    """End every connection to a database, as a restore does."""
    close_db(database)
    sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'"
        " AND usename = current_user AND pid != pg_backend_pid()" % database
    )


def the_traveller():
    """The one of this test process, and a server on it; made when first needed."""
    if not _STARTED:
        _STARTED["traveller"] = Traveller(get_db_name())
        atexit.register(_STARTED["traveller"].destroy)
        _STARTED["server"] = OdooServer(_STARTED["traveller"].name)
        _STARTED["server"].__enter__()
        atexit.register(_STARTED["server"].__exit__)
    return _STARTED["traveller"], _STARTED["server"]


class Traveller:
    """A database with its filestore, which can be put back to what it was.

    :param str source: the database it begins as a copy of
    """

    def __init__(self, source):
        self.name = "travel_%s" % uuid.uuid4().hex[:8]
        self.filestore = odoo.tools.config.filestore(self.name)
        self._backup = "%s_backup" % self.name
        self._folder = tempfile.mkdtemp(prefix="travel-")
        kick_out(source)
        sql('CREATE DATABASE "%s" TEMPLATE "%s"' % (self.name, source))
        store = odoo.tools.config.filestore(source)
        if os.path.isdir(store):
            shutil.copytree(store, self.filestore, copy_function=os.link)
        self._keep_files("pristine")
        with patch.dict(odoo.tools.config.options, test_enable=False):
            self.registry = odoo.registry(self.name)

    def start_anew(self, tables):
        """Forget what an earlier test left."""
        self.restore_files("pristine")
        with self.env() as env:
            env.cr.execute("DELETE FROM ir_attachment WHERE name LIKE '%traveller%'")
            for table in tables:
                env.cr.execute(  # pylint: disable=sql-injection
                    "DELETE FROM %s" % table
                )
            env.cr.execute(
                "DELETE FROM ir_config_parameter WHERE key LIKE 'cloud\\_storage.%'"
            )
            env["ir.attachment"]._clear_cloud_cache()
        self.registry.clear_caches()

    def backup(self):
        """Keep the database as it is now, and its filestore as well; until restored."""
        kick_out(self.name)
        sql('DROP DATABASE IF EXISTS "%s"' % self._backup)
        sql('CREATE DATABASE "%s" TEMPLATE "%s"' % (self._backup, self.name))
        self._keep_files("backup")

    def restore(self):
        """Put the database back, under the same name; the filestore stays as it is."""
        kick_out(self.name)
        sql('DROP DATABASE "%s"' % self.name)
        sql('ALTER DATABASE "%s" RENAME TO "%s"' % (self._backup, self.name))
        self.registry.clear_caches()
        self.registry.setup_signaling()
        with self.env() as env:
            env["ir.attachment"]._clear_cloud_cache()

    def _keep_files(self, label):
        folder = os.path.join(self._folder, label)
        shutil.rmtree(folder, ignore_errors=True)
        if os.path.isdir(self.filestore):
            shutil.copytree(self.filestore, folder, copy_function=os.link)

    def restore_files(self, label="backup"):
        """Put the filestore back; the database stays as it is."""
        folder = os.path.join(self._folder, label)
        shutil.rmtree(self.filestore, ignore_errors=True)
        if os.path.isdir(folder):
            shutil.copytree(folder, self.filestore, copy_function=os.link)

    @contextlib.contextmanager
    def env(self):
        """An environment of the superuser in a new transaction, committed at the end."""
        server = SimpleNamespace(registry=self.registry, uid=SUPERUSER_ID, context={})
        with fresh_environment(server) as env:
            yield env

    def destroy(self):
        """Leave nothing behind."""
        for database in (self.name, self._backup):
            kick_out(database)
            sql('DROP DATABASE IF EXISTS "%s"' % database)
        for folder in (self.filestore, self._folder):
            shutil.rmtree(folder, ignore_errors=True)


class TimeTravelCase(CloudCase):
    """Files with known bytes in a traveller; nights pass; nothing may be lost."""

    def setUp(self):
        if odoo.release.version_info < (15, 0):
            self.skipTest("on Odoo 14 a second registry of a process computes no fields")
        super().setUp()
        if not _STARTED:  # a database that somebody looks at can not be copied
            self.cr.close()
            the_traveller()
            self.connect()
            self.auth, self.config = (
                record.with_env(self.env) for record in (self.auth, self.config)
            )
        self.traveller, self.server = the_traveller()
        self.contents = {}  # bytes, by id of the attachment
        self.config.delete_local_after_sync = True
        self.make_attachments(2, name="neighbour.txt")
        self.assertEqual(self.sync()["synced"], 2)
        self.traveller.start_anew(TABLES)
        self.tokens = self.emulator.grant(client_id=self.auth.client_id)
        with self.traveller.env() as env:
            self._settle_in(env)
        self.neighbours = self.files_of(database_uuid(self.env))
        self.assertEqual(len(self.neighbours), 2)

    def _settle_in(self, env):
        """An account and a configuration, which frees local space at once."""
        parameters = env["ir.config_parameter"]
        parameters.set_param("database.uuid", str(uuid.uuid4()))
        for key, path in ENDPOINTS.items():
            parameters.set_param(key, self.emulator.url.rstrip("/") + path)
        auth = env["cloud_storage.auth"].create(
            {
                "name": "Traveller",
                "client_id": self.tokens["client_id"],
                "client_secret": self.tokens["client_secret"],
            }
        )
        auth.write(
            {
                "access_token": self.tokens["access_token"],
                "refresh_token": self.tokens["refresh_token"],
                "token_expiry": odoo.fields.Datetime.add(
                    odoo.fields.Datetime.now(), seconds=self.tokens["expires_in"]
                ),
                "state": "authorized",
                "account_email": "admin@example.com",
                "database_uuid": database_uuid(auth.env),
                "database_name": env.cr.dbname,
            }
        )
        person = auth._drive_client().about()["user"]
        auth.google_user_id = person["permissionId"]  # as the consent does
        self.uuid = database_uuid(auth.env)
        env["cloud_storage.config"].create(
            {
                "name": "Traveller",
                "auth_id": auth.id,
                "requests_per_second": 1000,
                "delete_local_after_sync": True,
                "started_on": odoo.fields.Datetime.now(),
                "model_config_ids": [(0, 0, {"model_name": "res.partner"})],
                "file_type_ids": [(0, 0, {"extension": "txt"})],
            }
        )
        env["ir.attachment"]._clear_cloud_cache()

    # -- what happens --------------------------------------------------------------------

    def make(self, count=1, content=None, **vals):
        """New attachments; their bytes are remembered.

        :return: their ids
        """
        with self.traveller.env() as env:
            files = env["ir.attachment"]
            for _number in range(count):
                files += files.create(
                    dict(
                        {
                            "name": "traveller.txt",
                            "raw": content or uuid.uuid4().hex.encode(),
                            "res_model": "res.partner",
                            "res_id": env.ref("base.main_partner").id,
                            "public": True,  # so that the proxy serves it to the test
                        },
                        **vals
                    )
                )
            self.contents.update((file.id, file.raw) for file in files)
            return files.ids

    def synced(self, count=1, free=True, **options):
        """As :meth:`make`, in Drive; their local bytes go when ``free``."""
        ids = self.make(count, **options)
        self.sync_traveller(free)
        with self.traveller.env() as env:
            files = env["ir.attachment"].browse(ids)
            self.assertEqual(set(files.mapped("cloud_sync_status")), {"synced"})
            self.assertEqual(any(files.mapped("store_fname")), not free)
        return ids

    def sync_traveller(self, free=True):
        """What was just made goes to Drive; what nobody needs leaves the filestore."""
        with self.traveller.env() as env:
            config = env["cloud_storage.config"].search([])
            config.delete_local_after_sync = free
            env.cr.commit()
            env["cloud_storage.sync.service"].manual_sync(config.id)
            config.delete_local_after_sync = True
            env.cr.commit()
            env["ir.attachment"]._gc_file_store()

    def write(self, number, content):
        """New content, which is what counts from now on."""
        with self.traveller.env() as env:
            env["ir.attachment"].browse(number).raw = content
        self.contents[number] = content

    def delete(self, *ids):
        """Attachments go; in Drive as well when the time has come."""
        with self.traveller.env() as env:
            env["ir.attachment"].browse(ids).unlink()
        for number in ids:
            del self.contents[number]
        self.process_trash()

    def process_trash(self):
        """Let Drive hear of deletions, however long that is put off."""
        with self.traveller.env() as env:
            deliver(env)
        self.days_pass(40)
        with self.traveller.env() as env:
            deliver(env)

    def go_back(self, contents):
        """Restore the database to its backup, with what its attachments held then."""
        self.traveller.restore()
        self.contents = dict(contents)

    def days_pass(self, days):
        """Everything is so many days longer ago, in the database and in Drive."""
        with self.traveller.env() as env:
            env.cr.execute(MOMENTS)
            for table, column in env.cr.fetchall():
                env.cr.execute(  # pylint: disable=sql-injection
                    'UPDATE "{0}" SET "{1}" = "{1}" - %s * interval \'1 day\''
                    ' WHERE "{1}" IS NOT NULL'.format(table, column),
                    (days,),
                )
        for file in self.emulator.files():
            made = datetime.strptime(file["createdTime"], "%Y-%m-%dT%H:%M:%S.%fZ")
            seconds = (made - datetime(1970, 1, 1)).total_seconds() - days * 86400
            self.emulator.edit_file(file["id"], createdTime=seconds)

    def nights(self, *days):
        """The crons run; then so many days pass; and so on. The default is a month."""
        for number in days or (1, 1, 6, 24, 1):
            with self.traveller.env() as env:
                service = env["cloud_storage.sync.service"]
                service.automatic_sync()
                service.reconcile_cloud_references(200)
                deliver(env)
                env.cr.commit()
                env["ir.attachment"]._gc_file_store()
            self.days_pass(number)

    def relink(self):
        """What the run's message asks the administrator to call."""
        with self.traveller.env() as env:
            report = env["cloud_storage.sync.service"]._relink_from_drive()
        self.assertEqual(report["errors"], 0)
        return report

    # -- what must be so -----------------------------------------------------------------

    def files_of(self, database_uuid):
        """The metadata of a database's files in Drive, by id."""
        return {
            file["id"]: {name: file.get(name) for name in METADATA}
            for file in self.emulator.files()
            if file["appProperties"].get("odoo_db") == database_uuid
        }

    def drive_content(self, trashed=False):
        """What is in Drive of the traveller's, in the trash or not."""
        return {
            self.emulator.content(number)
            for number, file in self.files_of(self.uuid).items()
            if file["trashed"] == trashed
        }

    def assertNothingLost(self, flagged=()):
        """Every attachment gives its bytes, here and over HTTP; the neighbour's too.

        :param flagged: ids of those that may have something to say
        """
        with self.traveller.env() as env:
            env["ir.attachment"]._clear_cloud_cache()
            found = {
                file.id: (file.raw, file.cloud_sync_status, file.cloud_error_message)
                for file in env["ir.attachment"].browse(self.contents).exists()
            }
            env["ir.attachment"]._clear_cloud_cache()
        for number, content in self.contents.items():
            self.assertEqual(found[number][0], content, found[number])
            if number not in flagged:
                self.assertNotEqual(found[number][1], "error", found[number])
            self.assertEqual(self.download(number), content)
        self.assertNeighbourUntouched()

    def download(self, number):
        """The bytes that a browser gets, from the proxy when they are not here."""
        with requests.Session() as session:
            session.trust_env = False
            address = "%s/web/content/%d" % (self.server.url, number)
            answer = session.get(address, timeout=60)
        self.assertEqual(answer.status_code, 200, number)
        return answer.content

    def assertNeighbourUntouched(self):
        """Its files are what they were, in every respect; and it can read them."""
        self.assertEqual(self.files_of(database_uuid(self.env)), self.neighbours)

    def messages(self):
        """What the comparisons with Drive said."""
        with self.traveller.env() as env:
            runs = env["cloud_storage.sync.run"].search([("sync_type", "=", "reconcile")])
            return "\n".join(filter(None, runs.mapped("message")))

    @contextlib.contextmanager
    def other_cluster(self):
        """The traveller dumped and restored under its name on another server.

        :return: a function that runs code in an ``odoo-bin shell`` there
        """
        with contextlib.ExitStack() as stack:
            root = stack.enter_context(paths.scratch(paths.database_root()))
            home = stack.enter_context(tempfile.TemporaryDirectory())
            cluster = Cluster(root / "pgdata", os.path.join(home, "postgres.log"))
            cluster.create()
            stack.enter_context(cluster)
            cluster.sql('CREATE DATABASE "%s"' % self.traveller.name)
            self._pipe_into(cluster)
            data = os.path.join(home, "data")
            shutil.copytree(
                self.traveller.filestore,
                os.path.join(data, "filestore", self.traveller.name),
            )
            conf = self._conf(home, db_host=str(cluster.socket), data_dir=data)
            with patch.dict(os.environ, CLOUD_STORAGE_TEST_ODOO_CONF=conf):
                yield lambda code: run_shell(code, self.traveller.name)

    def _pipe_into(self, cluster):
        config = odoo.tools.config
        dump = [str(cluster.bin / "pg_dump"), "-O", "-x", "-h", config["db_host"]]
        dump += ["-p", str(config["db_port"]), "-U", config["db_user"]]
        load = [str(cluster.bin / "psql"), "-Xq", "-v", "ON_ERROR_STOP=1"]
        load += ["-h", str(cluster.socket), "-U", config["db_user"]]
        with subprocess.Popen(
            [*dump, self.traveller.name], stdout=subprocess.PIPE
        ) as source:
            subprocess.run(
                [*load, self.traveller.name],
                stdin=source.stdout,
                stdout=subprocess.DEVNULL,
                check=True,
            )
        self.assertEqual(source.returncode, 0)

    @staticmethod
    def _conf(folder, **options):
        parser = configparser.RawConfigParser()
        parser.read(os.environ["CLOUD_STORAGE_TEST_ODOO_CONF"])
        for name, value in options.items():
            parser.set("options", name, value)
        path = os.path.join(folder, "odoo.conf")
        with open(path, "w") as stream:
            parser.write(stream)
        return path

"""A database of the last version, updated as an administrator does it.

``fixtures/make_last_version.py`` tells what is in it. What its attachments held is what
was in its filestore or in Drive; that must be there afterwards, wherever it is read.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import tarfile
import tempfile

import requests

import odoo
from odoo.tests.common import BaseCase, tagged

from ..dev.postgres import binaries
from .common import ENDPOINTS
from .common_auth import environment
from .common_server import OdooServer
from .common_time_travel import NIGHT, kick_out
from .emulator import Emulator
from .odoo_process import TIMEOUT, run_shell, sql

ARCHIVE = pathlib.Path(__file__).parent / "fixtures" / "last_version.tar.xz"
NAME = "cloud_storage_last_version"  # the accounts know it: elsewhere it is a copy
KEY = "bGFzdCB2ZXJzaW9uIG9mIHRoZSBhZGRvbiwgYSBrZXk="
READ = """
import hashlib
files = env["ir.attachment"].browse(%r)
report({file.id: hashlib.sha1(file.raw).hexdigest() for file in files})
"""
SECRETS = """
names = ("client_secret", "access_token", "refresh_token")
accounts = env["cloud_storage.auth"].search([])
report([[auth._secret(name) for name in names] for auth in accounts])
"""
#: The backup has no views of Odoo's own modules, see ``fixtures/make_last_version.py``.
VIEWS = """
SELECT d.module, d.name, v.arch_db FROM ir_ui_view AS v
JOIN ir_model_data AS d ON d.model = 'ir.ui.view' AND d.res_id = v.id
WHERE d.module != 'cloud_storage'
"""
INVARIANTS = 'report(env["cloud_storage.sync.service"].check_invariants())'


@tagged("-at_install", "post_install")
class TestUpdate(BaseCase):
    """From a backup, over ``-u cloud_storage``, to the next night."""

    def setUp(self):
        super().setUp()
        if odoo.release.version_info[:2] != (15, 0):
            self.skipTest("the backup of the last version is one of Odoo 15.0")
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="update-"))
        self.addCleanup(shutil.rmtree, str(self.folder), ignore_errors=True)
        with tarfile.open(ARCHIVE) as archive:
            archive.extractall(self.folder)
        self.drive = self.drive_tables()
        self.emulator = Emulator.start(state_dir=self.folder / "drive")
        self.addCleanup(self.emulator.stop)
        variables = environment(CLOUD_STORAGE_ENCRYPTION_KEY=KEY)
        variables.__enter__()
        self.addCleanup(variables.__exit__, None, None, None)
        self.restore()
        self.expected = self.contents()
        self.before = self.rows()

    def restore(self):
        """As an administrator restores a backup."""
        self.addCleanup(self.drop)
        sql('CREATE DATABASE "%s" TEMPLATE template0' % NAME)
        command = [str(binaries() / "psql"), "-Xq", "-v", "ON_ERROR_STOP=1"]
        command += ["-h", odoo.tools.config["db_host"]]
        command += ["-p", str(odoo.tools.config["db_port"] or 5432)]
        command += ["-U", odoo.tools.config["db_user"]]
        command += ["-f", str(self.folder / "database.sql"), NAME]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        self.take_views()
        shutil.move(str(self.folder / "filestore"), odoo.tools.config.filestore(NAME))
        for key, path in ENDPOINTS.items():
            sql(
                "INSERT INTO ir_config_parameter (key, value) VALUES ('%s', '%s')"
                % (key, self.emulator.url.rstrip("/") + path),
                NAME,
            )

    def take_views(self):
        """The views of the modules below ours, as this Odoo has them."""
        with contextlib.closing(odoo.sql_db.db_connect(NAME).cursor()) as cr:
            for module, name, arch in sql(
                VIEWS, odoo.tests.common.get_db_name(), fetch=True
            ):
                cr.execute(
                    "UPDATE ir_ui_view SET arch_db = %s FROM ir_model_data AS d"
                    " WHERE d.model = 'ir.ui.view' AND d.res_id = ir_ui_view.id"
                    " AND d.module = %s AND d.name = %s",
                    (arch, module, name),
                )
            cr.commit()
        odoo.sql_db.close_db(NAME)

    def drop(self):
        kick_out(NAME)
        sql('DROP DATABASE IF EXISTS "%s"' % NAME)
        shutil.rmtree(odoo.tools.config.filestore(NAME), ignore_errors=True)

    # -- what there is -------------------------------------------------------------------

    def drive_tables(self):
        """What the emulator knows, by table and key."""
        tables = {}
        with open(self.folder / "drive" / "journal.jsonl") as journal:
            for line in journal:
                table, records = json.loads(line)
                tables.setdefault(table, {}).update(records)
        return tables

    def contents(self):
        """The sha1 of what each attachment of ours holds, by id."""
        found = {}
        files = sql(
            "SELECT id, store_fname, cloud_file_id FROM ir_attachment"
            " WHERE res_model IN ('res.partner', 'res.company') AND res_field IS NULL",
            NAME,
            fetch=True,
        )
        store = pathlib.Path(odoo.tools.config.filestore(NAME))
        for number, fname, drive_id in files:
            if fname:
                content = (store / fname).read_bytes()
            else:
                content = self.emulator.content(drive_id)
            found[number] = hashlib.sha1(content).hexdigest()
        return found

    def rows(self):
        """Every row of the addon's tables, and the attachments, as dicts by id."""
        tables = [
            name
            for (name,) in sql(
                "SELECT table_name FROM information_schema.tables WHERE table_schema ="
                " 'public' AND table_type = 'BASE TABLE' AND (table_name LIKE"
                " 'cloud\\_storage%' OR table_name = 'ir_attachment')",
                NAME,
                fetch=True,
            )
        ]
        return {
            table: {
                row["id"]: row
                for (row,) in sql(
                    "SELECT row_to_json(t) FROM %s AS t" % table, NAME, fetch=True
                )
                if table != "ir_attachment" or row["id"] in self.expected
            }
            for table in tables
        }

    def attachment(self, name):
        """The row of an attachment, as it is now."""
        [row] = [
            row for row in self.rows()["ir_attachment"].values() if row["name"] == name
        ]
        return row

    # -- what happens --------------------------------------------------------------------

    def update(self):
        """Update the addon; return what Odoo complained about."""
        command = [os.environ["CLOUD_STORAGE_TEST_PYTHON"]]
        command += [os.environ["CLOUD_STORAGE_TEST_ODOO_BIN"]]
        command += ["-c", os.environ["CLOUD_STORAGE_TEST_ODOO_CONF"], "-d", NAME]
        command += ["-u", "cloud_storage", "--stop-after-init", "--no-http"]
        done = subprocess.run(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT,
            universal_newlines=True,
        )
        self.assertEqual(done.returncode, 0, done.stdout)
        levels = (" WARNING ", " ERROR ", " CRITICAL ")
        return [
            line
            for line in done.stdout.splitlines()
            if any(level in line for level in levels) and "py.warnings" not in line
        ]

    def test_update(self):
        states = {
            row["state"] for row in self.before["cloud_storage_sync_run"].values()
        }
        self.assertEqual(states, {"done", "failed", "stopped", "queued", "running"})
        self.assertEqual(self.update(), [])
        self.assertSameRows()
        self.assertGone()
        self.assertSecrets()
        self.assertNothingLost()
        self.night()
        self.assertNothingLost()

    def night(self):
        """The crons take up what was left."""
        reserved = {
            name: self.attachment(name)["cloud_reserved_id"]
            for name in ("pending.txt", "large.pdf")
        }
        run_shell(NIGHT + "report(0)", NAME)
        for name, drive_id in reserved.items():
            row = self.attachment(name)
            self.assertEqual(row["cloud_sync_status"], "synced", name)
            self.assertEqual(row["cloud_file_id"], drive_id)
        for name in ("local.txt", "failed.txt", "pinned.txt"):
            self.assertEqual(self.attachment(name)["cloud_sync_status"], "synced", name)
        for name in ("local.docx", "pinned early.txt"):
            self.assertEqual(self.attachment(name)["cloud_sync_status"], "local", name)
        renamed = self.attachment("kept and renamed.txt")["cloud_file_id"]
        names = {file["id"]: file["name"] for file in self.emulator.files()}
        self.assertEqual(names[renamed], "kept and renamed.txt")
        states = {
            row["state"] for row in self.rows()["cloud_storage_sync_run"].values()
        }
        self.assertLessEqual(states, {"done", "failed", "stopped"})
        self.assertEqual(run_shell(INVARIANTS, NAME), [])

    # -- what must be so -----------------------------------------------------------------

    def assertSameRows(self):
        """Every row is what it was, but for columns that came or went."""
        after = self.rows()
        for table, rows in self.before.items():
            for number, row in rows.items():
                new = after[table][number]
                same = row.keys() & new.keys()
                for name in same - {"value"}:  # secrets are encrypted anew
                    self.assertEqual(new[name], row[name], (table, number, name))

    def assertGone(self):
        """Nothing is left of the analysis that is no more."""
        for statement in (
            "SELECT model FROM ir_model WHERE model = 'cloud_storage.access.report'",
            "SELECT name FROM ir_model_data WHERE module = 'cloud_storage'"
            " AND name LIKE '%access\\_report%'",
            "SELECT viewname FROM pg_views WHERE viewname LIKE 'cloud\\_storage%'",
        ):
            self.assertEqual(sql(statement, NAME, fetch=True), [])

    def assertSecrets(self):
        """They open with the key; none is left open at rest."""
        drive = self.drive
        clients = {client["client_secret"] for client in drive["clients"].values()}
        accounts = run_shell(SECRETS, NAME)
        self.assertEqual(len(accounts), 2)
        for client_secret, access, refresh in accounts:
            self.assertIn(client_secret, clients)
            self.assertIn(access, drive["access"])
            self.assertIn(refresh, drive["refresh"])
        for (value,) in sql("SELECT value FROM cloud_storage_secret", NAME, fetch=True):
            self.assertTrue(value.startswith("fernet:"))

    def assertNothingLost(self):
        """Each attachment gives its bytes, in Odoo and over HTTP, to whom it did."""
        found = run_shell(READ % list(self.expected), NAME)
        self.assertEqual(
            {int(number): sha1 for number, sha1 in found.items()}, self.expected
        )
        rows = self.rows()["ir_attachment"]
        with OdooServer(NAME) as server, contextlib.closing(requests.Session()) as web:
            web.trust_env = False
            for number, sha1 in self.expected.items():
                proxy = "%s/cloud_storage/file/%d" % (server.url, number)
                content = "%s/web/content/%d" % (server.url, number)
                row = rows[number]
                addresses = [content, proxy] if row["cloud_file_id"] else [content]
                for address in addresses:
                    answer = web.get(address, timeout=TIMEOUT)
                    if not row["public"]:
                        self.assertEqual(answer.status_code, 404)
                        continue
                    self.assertEqual(answer.status_code, 200, row)
                    self.assertEqual(hashlib.sha1(answer.content).hexdigest(), sha1)

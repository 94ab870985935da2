"""What the Odoo tests share.

Transactions are this addon's business, so most tests commit for real: each test cleans up
the rows it made. The Drive emulator is a process of its own, one for all tests.
"""
import atexit
import contextlib
import hashlib
import io
import os
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from PIL import Image

import odoo
from odoo import SUPERUSER_ID, api
from odoo.tests.common import BaseCase, get_db_name, tagged

from ..engine import release
from ..engine.account.database import database_uuid
from ..engine.account.rate_limit import limits_of
from ..engine.transaction import Deadline
from ..odoo_bridge import environments
from .emulator import Emulator

_STARTED = {}

ENDPOINTS = {
    "cloud_storage.google_auth_uri": "/o/oauth2/v2/auth",
    "cloud_storage.google_token_uri": "/token",
    "cloud_storage.google_revoke_uri": "/revoke",
    "cloud_storage.google_api_root": "/",
}
#: Tables that a test may fill, in the order in which they can be emptied.
TABLES = (
    "cloud_storage_access_log",
    "cloud_storage_sync_log",
    "cloud_storage_sync_run",
    "cloud_storage_trash",
    "cloud_storage_unused_file",
    "cloud_storage_folder",
    "cloud_storage_model_config",
    "cloud_storage_file_type",
    "cloud_storage_config",
    "cloud_storage_secret",
    "cloud_storage_pace",
    "cloud_storage_auth",
)


def the_emulator():
    """The emulator of this test process, started when it is first needed."""
    if "emulator" not in _STARTED:
        _STARTED["emulator"] = Emulator.start()
        atexit.register(_STARTED["emulator"].stop)
    return _STARTED["emulator"]


@tagged("-at_install", "post_install")
class CloudCase(BaseCase):
    """A committed account and configuration against a fresh emulator."""

    def setUp(self):
        super().setUp()
        self.emulator = the_emulator()
        self.emulator.reset()
        self.registry = odoo.registry(get_db_name())
        self.connect()
        self.addCleanup(lambda: self.cr.close())
        self.start = self._highest_ids()
        self.addCleanup(self._clean_up)
        self._use_emulator()
        self.auth = self.make_account()
        self.config = self.make_config(self.auth)
        self.env.cr.commit()

    @property
    def breaker(self):
        """What stops requests of the account after too many failures."""
        return limits_of(self.auth).breaker

    def connect(self):
        """Take a new cursor; records of an older one need ``with_env(self.env)``."""
        self.cr = self.registry.cursor()
        self.env = api.Environment(self.cr, SUPERUSER_ID, {})

    # -- fixtures ------------------------------------------------------------------------

    def _use_emulator(self):
        parameters = self.env["ir.config_parameter"]
        for key, path in ENDPOINTS.items():
            parameters.set_param(key, self.emulator.url.rstrip("/") + path)

    def make_account(self, email="admin@example.com", scope="drive.file", **vals):
        """An authorized account."""
        grant = self.emulator.grant(email=email, scope=scope)
        values = {
            "name": "Account %s" % email,
            "client_id": grant["client_id"],
            "client_secret": grant["client_secret"],
            "scope": scope,
        }
        auth = self.env["cloud_storage.auth"].create(dict(values, **vals))
        auth.write(
            {
                "access_token": grant["access_token"],
                "refresh_token": grant["refresh_token"],
                "token_expiry": odoo.fields.Datetime.add(
                    odoo.fields.Datetime.now(), seconds=grant["expires_in"]
                ),
                "state": "authorized",
                "account_email": email,
                "database_uuid": database_uuid(auth.env),
            }
        )
        return auth

    def make_config(self, auth, models=("res.partner",), types=("txt", "pdf"), **vals):
        """An active configuration for models and extensions."""
        values = {
            "name": "Configuration",
            "auth_id": auth.id,
            "requests_per_second": 1000,
            "started_on": odoo.fields.Datetime.now(),
            "model_config_ids": [(0, 0, {"model_name": name}) for name in models],
            "file_type_ids": [(0, 0, {"extension": ext}) for ext in types],
        }
        return self.env["cloud_storage.config"].create(dict(values, **vals))

    def make_attachment(self, content=None, name="note.txt", model="res.partner", **vals):
        """An attachment with content of its own, on the main company's partner."""
        if content is None:
            content = uuid.uuid4().hex.encode()
        if model == "res.partner":
            vals.setdefault("res_id", self.env.ref("base.main_partner").id)
        return self.env["ir.attachment"].create(
            dict({"name": name, "raw": content, "res_model": model}, **vals)
        )

    def make_attachments(self, count, **options):
        """Several attachments, each with content of its own; committed."""
        attachments = self.env["ir.attachment"].union(
            *(self.make_attachment(**options) for _i in range(count))
        )
        self.cr.commit()
        return attachments

    def sync(self, **options):
        """Run ``manual_sync`` on the configuration."""
        self.cr.commit()
        service = self.env["cloud_storage.sync.service"]
        return service.manual_sync(self.config.id, **options)

    @contextlib.contextmanager
    def other_transaction(self):
        """An environment that sees only what was committed."""
        with contextlib.closing(self.registry.cursor()) as cr:
            yield api.Environment(cr, SUPERUSER_ID, {})

    def fresh(self):
        """Forget the snapshot and the cache of the test's transaction."""
        self.cr.commit()
        self.env.cache.invalidate()

    def sync_elsewhere(self, **options):
        """``manual_sync`` as another worker would do it."""
        with self.other_transaction() as env:
            service = env["cloud_storage.sync.service"]
            return service.manual_sync(self.config.id, **options)

    @contextlib.contextmanager
    def in_thread(self, func, *args, **kwargs):
        """Run ``func`` beside the block; what it raises comes out at the end."""
        self.cr.commit()
        with ThreadPoolExecutor(1) as pool:
            future = pool.submit(self._in_environments, func, *args, **kwargs)
            yield future
            future.result()

    def _in_environments(self, func, *args, **kwargs):
        with environments():
            return func(*args, **kwargs)

    @property
    def queue_cron(self):
        """The cron that goes on with queued runs."""
        return self.env.ref("cloud_storage.cron_queued_runs")

    def let_crons_sleep(self):
        """No cron is due, and nobody has woken one."""
        self._clear_cron_triggers()
        tomorrow = odoo.fields.Datetime.add(odoo.fields.Datetime.now(), days=1)
        self.env["ir.cron"].search([]).write({"nextcall": tomorrow})
        self.addCleanup(self._clear_cron_triggers)
        self.cr.commit()

    def _clear_cron_triggers(self):
        if "ir.cron.trigger" in self.env:  # Odoo 15
            self.env["ir.cron.trigger"].search([]).unlink()
            self.cr.commit()

    def is_cron_woken(self):
        """Whether somebody woke the cron of the queue; see :meth:`let_crons_sleep`."""
        self.fresh()
        if "ir.cron.trigger" in self.env:
            domain = [("cron_id", "=", self.queue_cron.id)]
            return bool(self.env["ir.cron.trigger"].search(domain))
        return self.queue_cron.nextcall <= odoo.fields.Datetime.now()

    def run_crons(self):
        """Have Odoo run every cron that is due, as its own thread does."""
        with self.in_thread(self.registry["ir.cron"]._process_jobs, self.cr.dbname):
            pass
        self.fresh()

    def release_due(self, deadline=None):
        """Free what was kept long enough; return the bytes."""
        return release.release_due(
            self.config, self.auth._drive_client, deadline or Deadline()
        )

    def wait_for(self, condition, seconds=60):
        """Wait until ``condition()`` holds; fail when it never does."""
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                self.fail("waited for %s seconds in vain" % seconds)
            time.sleep(0.02)

    def make_user(self, login, *groups):
        """A user who can log in with the login as password."""
        login = "%s-%s" % (login, uuid.uuid4().hex[:8])
        return (
            self.env["res.users"]
            .with_context(no_reset_password=True)
            .create(
                {
                    "name": login,
                    "login": login,
                    "password": login,
                    "groups_id": [(6, 0, [self.env.ref(g).id for g in groups])],
                }
            )
        )

    # -- looking at the result -----------------------------------------------------------

    def drive_file(self, file_id):
        """Metadata of a file on the emulator, None when it is not there."""
        return next((f for f in self.emulator.files() if f["id"] == file_id), None)

    def drive_files(self):
        """Files on the emulator that are neither folders nor in the trash."""
        return [
            f
            for f in self.emulator.files(trashed=False)
            if f["mimeType"] != "application/vnd.google-apps.folder"
        ]

    def assertOnDrive(self, attachment, content):
        """The attachment is synced, and Drive holds exactly ``content``."""
        self.assertEqual(attachment.cloud_sync_status, "synced")
        self.assertEqual(self.emulator.content(attachment.cloud_file_id), content)
        self.assertEqual(attachment.cloud_md5, hashlib.md5(content).hexdigest())

    def local_path(self, attachment):
        """Path of the attachment's file in the filestore."""
        return attachment._full_path(attachment.store_fname)

    def collect_garbage(self):
        """Run Odoo's garbage collection of the filestore."""
        self.cr.commit()
        self.env["ir.attachment"]._gc_file_store()

    # -- cleaning up ---------------------------------------------------------------------

    def _highest_ids(self):
        found = {}
        for table in ("ir_attachment", "res_users", "res_partner"):
            self.cr.execute(  # pylint: disable=sql-injection
                "SELECT COALESCE(max(id), 0) FROM %s" % table
            )
            found[table] = self.cr.fetchone()[0]
        self.cr.commit()
        return found

    def _clean_up(self):
        self.cr.rollback()
        # asset bundles stay: the server may be handing out their addresses right now
        self.cr.execute(
            "DELETE FROM ir_attachment WHERE id > %s AND NOT ("
            " res_model IS NOT DISTINCT FROM 'ir.ui.view' AND url LIKE '/web/%%')",
            (self.start["ir_attachment"],),
        )
        for table in TABLES:
            self.cr.execute("DELETE FROM %s" % table)  # pylint: disable=sql-injection
        for table in ("res_users", "res_partner"):
            self.cr.execute(
                "DELETE FROM %s WHERE id > %%s" % table, (self.start[table],)
            )
        self.cr.execute(
            "DELETE FROM ir_config_parameter WHERE key IN %s", (tuple(ENDPOINTS),)
        )
        self.cr.commit()
        self.env.cache.invalidate()
        self.registry.clear_caches()
        self.env["ir.attachment"]._clear_cloud_cache()


def make_png(side):
    """A PNG image, ``side`` pixels wide and high, different at each call."""
    image = Image.frombytes("RGB", (side, side), os.urandom(side * side * 3))
    target = io.BytesIO()
    image.save(target, "PNG")
    return target.getvalue()

import contextlib
import os
import random
import signal
import time

from psycopg2 import InterfaceError, OperationalError

from odoo.sql_db import close_db

from .common import CloudCase
from .odoo_process import OdooShell

KILLS = 10
SYNC = """
ready()
report(env['cloud_storage.sync.service'].manual_sync(%d))
"""


class TestCrash(CloudCase):
    """Processes die anywhere; the next one goes on and nothing is lost or doubled."""

    def setUp(self):
        super().setUp()
        self.config.write({"delete_local_after_sync": True, "max_parallel_uploads": 2})

    def make_files(self, count):
        files = self.make_attachments(count)
        self.contents = {attachment: attachment.raw for attachment in files}
        return files

    def start_sync(self):
        self.cr.commit()
        shell = OdooShell(SYNC % self.config.id)
        self.wait_for(lambda: shell.is_ready)
        return shell

    def assertWhole(self, files):
        """Each file is once on Drive, with its bytes; nothing waits, nothing is lost."""
        self.fresh()
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"synced"})
        for attachment in files:
            self.assertOnDrive(attachment, self.contents[attachment])
            self.assertEqual(attachment.raw, self.contents[attachment])
        self.assertEqual(len(self.drive_files()), len(files))
        ids = [f["appProperties"]["odoo_attachment"] for f in self.drive_files()]
        self.assertEqual(len(set(ids)), len(files))
        states = self.env["cloud_storage.sync.run"].search([]).mapped("state")
        self.assertNotIn("running", states)

    def test_killed_at_ten_random_moments(self):
        files = self.make_files(60)
        self.emulator.latency(40)
        self.addCleanup(self.emulator.latency, 0)
        seed = random.randrange(10**6)
        moments = random.Random(seed)
        interrupted = 0
        for _i in range(KILLS):
            shell = self.start_sync()
            time.sleep(moments.uniform(0, 0.6))
            shell.kill()
            self.fresh()
            statuses = files.mapped("cloud_sync_status")
            interrupted += statuses.count("synced") < len(files)
            self.assertNothingLost(files)
        self.emulator.latency(0)
        self.start_sync().finish()
        with self.subTest(seed=seed):
            self.assertGreater(interrupted, 2, "the kills came too late to matter")
            self.assertWhole(files)

    def assertNothingLost(self, files):
        """At any moment each file is here, or verified over there."""
        drive = {f["id"]: f for f in self.drive_files()}
        for attachment in files:
            if attachment.store_fname:
                self.assertTrue(os.path.exists(self.local_path(attachment)))
                continue
            there = drive[attachment.cloud_file_id]
            self.assertEqual(there["md5Checksum"], attachment.cloud_md5)

    def test_killed_after_the_work_before_the_answer(self):
        files = self.make_files(20)
        self.emulator.fault("files.upload.multipart", times=8, lose_answer=True)
        self.emulator.latency(60)
        self.addCleanup(self.emulator.latency, 0)
        shell = self.start_sync()
        self.wait_for(lambda: len(self.drive_files()) > 3)
        shell.kill()
        self.emulator.latency(0)
        self.start_sync().finish()
        self.assertWhole(files)

    def test_killed_while_a_large_file_goes(self):
        content = os.urandom(60 * 1024 * 1024)
        attachment = self.make_attachment(content, name="large.pdf")
        self.contents = {attachment: content}
        self.cr.commit()
        self.emulator.fault("files.upload.chunk", times=-1, after=1, delay_ms=2000)
        shell = self.start_sync()
        self.wait_for(lambda: self.emulator.count("files.upload.chunk") >= 2)
        self.wait_for(lambda: self.fresh() or attachment.cloud_upload_session)
        shell.kill()
        self.emulator.clear_faults()
        self.emulator.clear_requests()
        self.start_sync().finish()
        self.assertWhole(attachment)
        self.assertEqual(self.emulator.count("files.upload.start"), 0)
        self.assertLess(self.emulator.bytes_in("files.upload.chunk"), len(content))

    def test_two_processes(self):
        files = self.make_files(200)
        self.emulator.latency(15)
        self.addCleanup(self.emulator.latency, 0)
        shells = [OdooShell(SYNC % self.config.id) for _i in range(2)]
        summaries = [shell.finish() for shell in shells]
        self.assertEqual(sum(summary["synced"] for summary in summaries), 200)
        self.assertEqual(self.emulator.count("files.upload.multipart"), 200)
        self.assertWhole(files)

    def test_postgresql_restarts(self):
        files = self.make_files(60)
        self.emulator.latency(40)
        self.addCleanup(self.emulator.latency, 0)
        shell = self.start_sync()
        self.wait_for(lambda: len(self.drive_files()) > 10)
        self.restart_postgresql()
        shell.process.wait(60)
        self.emulator.latency(0)
        self.start_sync().finish()
        self.assertWhole(files.with_env(self.env))

    def restart_postgresql(self):
        """A backend that is killed makes PostgreSQL restart with a crash recovery."""
        self.cr.execute("SELECT pg_backend_pid()")
        os.kill(self.cr.fetchone()[0], signal.SIGKILL)
        with contextlib.suppress(InterfaceError, OperationalError):
            self.cr.close()
        self.wait_for(self._is_back)
        # a recovery moves sequences on, which Odoo takes for news about its registry
        self.registry.setup_signaling()
        self.connect()
        self.config = self.config.with_env(self.env)

    def _is_back(self):
        close_db(self.cr.dbname)  # its pool holds connections that are dead
        try:
            with self.other_transaction() as env:
                env.cr.execute("SELECT 1")
        except (InterfaceError, OperationalError):
            return False
        return True

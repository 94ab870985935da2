import glob
import hashlib
import os
import time
import unittest

from .common_proxy import TIMEOUT, ProxyCase, make_content
from .common_server import OdooServer, PeakMemory, can_start

MB = 1024 * 1024
HUGE = 1024 * MB
LARGE = 48 * MB
BLOCK = 256 * 1024
MOST_GROWTH = 32 * MB
MODES = {"threaded": ["--workers=0"], "prefork": ["--workers=2"]}


@unittest.skipUnless(can_start(), "started by `make test` only")
class TestFileProxyServer(ProxyCase):
    """Servers of their own, threaded and prefork."""

    def read(self, answer):
        """Read to the end without keeping it; return the size and the sha1."""
        digest, size = hashlib.sha1(), 0
        for block in iter(lambda: answer.read(BLOCK), b""):
            digest.update(block)
            size += len(block)
        return size, digest.hexdigest()

    def start_reading(self, server, attachment, **headers):
        return self.begin(server.url, attachment, **headers)

    def make_huge_file(self):
        """A file of 1 GB on Drive that takes no room on the disk of the emulator."""
        content = b"\0" * MB
        attachment = self.make_cloud_file(content, public=True)
        stored = glob.glob(
            os.path.join(self.emulator._scratch, "**", "content", "*"), recursive=True
        )
        os.truncate(max(stored, key=os.path.getmtime), HUGE)
        digest = hashlib.sha1()
        for _number in range(HUGE // MB):
            digest.update(content)
        attachment.write({"cloud_size_bytes": HUGE, "cloud_sha1": digest.hexdigest()})
        self.cr.commit()
        return attachment

    def settled(self, count):
        """Wait until so many rows are in the access log, and return them."""
        deadline = time.monotonic() + TIMEOUT
        while True:
            self.cr.commit()
            self.env.cache.invalidate()
            rows = self.env["cloud_storage.access.log"].search(
                [("attachment_id", "!=", False)], order="id"
            )
            if len(rows) >= count:
                return rows
            self.assertLess(time.monotonic(), deadline, "%d rows" % len(rows))
            time.sleep(0.05)

    def test_huge_file_in_little_memory(self):
        warm_up = self.make_cloud_file(make_content(3 * MB), public=True)
        huge = self.make_huge_file()
        for mode, options in MODES.items():
            with self.subTest(mode), OdooServer(self.cr.dbname, *options) as server:
                for _worker in range(6):
                    self.read(self.start_reading(server, warm_up))
                self.env["ir.attachment"]._clear_cloud_cache()
                for state in ("cold", "warm"):
                    with PeakMemory(server.pids()) as memory:
                        answer = self.start_reading(server, huge)
                        found = self.read(answer)
                    self.assertEqual(found, (HUGE, huge.cloud_sha1))
                    self.assertLess(memory.growth, MOST_GROWTH, state)

    def test_streams_in_both_modes(self):
        content = make_content(LARGE)
        for mode, options in MODES.items():
            with self.subTest(mode), OdooServer(self.cr.dbname, *options) as server:
                self.emulator.clear_requests()
                self.env["ir.attachment"]._clear_cloud_cache()
                attachment = self.make_cloud_file(content, public=True)
                before = len(self.settled(0))
                readers = [self.start_reading(server, attachment) for _one in "12"]
                for reader in readers:
                    reader.read(MB)
                self.assertEqual(self.emulator.open_connections(), 1)
                self.assertNoTransaction()
                for reader in readers:
                    reader.leave()
                # both workers are free again, and Drive is left alone
                rows = self.settled(before + 2)[before:]
                self.assertLess(max(rows.mapped("bytes_served")), LARGE)
                self.assertEqual(self.emulator.open_connections(), 0)
                part = self.start_reading(server, attachment, Range="bytes=-1000")
                self.assertEqual((part.status, part.read()), (206, content[-1000:]))
                whole = self.start_reading(server, attachment)
                self.assertTrue(whole.read() == content)
                asked = self.emulator.count("files.media")
                again = self.start_reading(server, attachment)
                self.assertTrue(again.read() == content)
                self.assertEqual(self.emulator.count("files.media"), asked)
                self.settled(before + 5)

    def assertNoTransaction(self):
        """No connection of any process to the database is in use, but the test's."""
        query = """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
            AND backend_type = 'client backend' AND state <> 'idle'
        """
        deadline = time.monotonic() + TIMEOUT
        while True:
            self.cr.execute(query)
            busy = self.cr.fetchone()[0]
            self.cr.commit()
            if not busy:
                return
            self.assertLess(time.monotonic(), deadline, "a transaction stays open")
            time.sleep(0.02)

"""Each of these goes red when one guard of bytes is taken away."""
import os
import time
import uuid
from contextlib import closing
from unittest.mock import patch

from ..engine.transaction import CLAIM_LOCK
from .test_identity import IdentityCase, sha1_of

SLOW_MS = 1500  # that an upload takes, so that something can happen meanwhile


class TestGuards(IdentityCase):
    """What happens at the same moment, or right after a crash."""

    def during_the_upload(self, change):
        """Sync one file; call ``change(attachment)`` while it is on its way."""
        attachment = self.made([uuid.uuid4().bytes])
        self.emulator.fault("files.upload.multipart", delay_ms=SLOW_MS)
        with self.in_thread(self.sync_elsewhere):
            self.wait_for(lambda: self.emulator.count("files.upload.multipart"))
            change(attachment)
        self.fresh()
        return attachment

    def test_claims_wait_for_each_other(self):
        """Else two workers send the same content twice."""
        attachment = self.made([uuid.uuid4().bytes])
        with closing(self.registry.cursor()) as cr:
            cr.execute(
                "SELECT pg_advisory_xact_lock(%s, %s)", (CLAIM_LOCK, self.auth.id)
            )
            with self.in_thread(self.sync_elsewhere):
                time.sleep(2)
                self.fresh()
                self.assertEqual(attachment.cloud_sync_status, "local")
                cr.rollback()
        self.fresh()
        self.assertEqual(attachment.cloud_sync_status, "synced")

    def test_freed_files_are_collected(self):
        attachment = self.make_in("filestore")
        path = self.local_path(attachment)
        self.collect(attachment)  # Odoo marked it when it was written: forgotten now
        self.config.delete_local_after_sync = True
        self.sync()
        self.collect(attachment)
        self.assertFalse(os.path.exists(path))

    def test_restored_and_rolled_back(self):
        content = uuid.uuid4().bytes
        attachment = self.in_drive(content)
        self.collect(attachment)
        self.assertTrue(attachment.restore_from_cloud())
        path = self.local_path(attachment)
        self.assertTrue(os.path.exists(path))
        self.assertEqual(os.path.basename(path), sha1_of(content))
        self.cr.rollback()
        self.collect(attachment)
        self.assertFalse(os.path.exists(path))
        self.assertEqual(attachment.raw, content)

    def test_checksum_changed_during_the_upload(self):
        """Whoever writes it says that the content is another one."""

        def change(attachment):
            self.set_columns(attachment, checksum="0" * 40)

        attachment = self.during_the_upload(change)
        self.assertNotEqual(attachment.cloud_sync_status, "synced")
        self.assertTrue(attachment.store_fname)

    def test_file_changed_during_the_upload(self):
        newer = uuid.uuid4().bytes

        def change(attachment):
            fname = attachment._file_write(newer, uuid.uuid4().hex + "0" * 8)
            self.set_columns(attachment, store_fname=fname)

        attachment = self.during_the_upload(change)
        self.assertNotEqual(attachment.cloud_sync_status, "synced")
        self.assertEqual(attachment.raw, newer)

    def test_column_changed_during_the_upload(self):
        newer = uuid.uuid4().bytes

        def change(attachment):
            self.set_columns(attachment, db_datas=newer)

        attachment = self.during_the_upload(change)
        self.assertNotEqual(attachment.cloud_sync_status, "synced")

    def test_pinned_during_the_upload(self):
        def change(attachment):
            self.set_columns(attachment, cloud_keep_local=True)

        attachment = self.during_the_upload(change)
        self.assertEqual(attachment.cloud_sync_status, "synced")
        self.assertTrue(attachment.store_fname)
        self.assertEqual(attachment.type, "binary")

    def test_restored_files_survive_a_power_cut(self):
        """Bytes, name and folder are on the disk before anything else happens."""
        attachment = self.in_drive(uuid.uuid4().bytes)
        self.collect(attachment)
        flushed, fsync = [], os.fsync

        def spy(handle):
            flushed.append(os.readlink("/proc/self/fd/%d" % handle))
            return fsync(handle)

        with patch.object(os, "fsync", spy):
            self.assertTrue(attachment.restore_from_cloud())
        path = os.path.realpath(self.local_path(attachment))
        folder = os.path.dirname(path)
        self.assertLessEqual({path, folder, os.path.dirname(folder)}, set(flushed))

    def test_failed_for_ever(self):
        """A counter that has run high breaks no later run."""
        attachment = self.made([uuid.uuid4().bytes])
        self.set_columns(attachment, cloud_attempts=5000)
        self.emulator.fault(
            "files.upload.multipart", times=-1, status=403, reason="forbidden"
        )
        self.assertEqual(self.sync()["errors"], 1)
        self.fresh()
        self.assertTrue(attachment.cloud_next_attempt)

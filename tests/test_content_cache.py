import contextlib
import glob
import hashlib
import os
import stat
import threading
import time

from odoo.exceptions import UserError
from odoo.tools import mute_logger

from ..cache.shared import memory_cache
from ..exceptions import CloudFileError
from .common_content import MB, ContentCase


class TestContentCache(ContentCase):
    """Local first, then memory, then disk, then Drive; and what it means when it fails."""

    def entry(self, attachment):
        """Path of the attachment's bytes in the disk cache, None when not there."""
        cache = self.env["ir.attachment"]._disk_cache()
        return cache.get_path(attachment.cloud_sha1, int(attachment.cloud_size_bytes))

    def forget_memory(self):
        """As in another process."""
        memory_cache(self.cr.dbname).clear()
        self.env.cache.invalidate()

    # -- the way of the bytes ------------------------------------------------------------

    def test_one_download_then_caches(self):
        attachment = self.in_drive(b"once")
        self.assertEqual(attachment.raw, b"once")
        self.env.cache.invalidate()
        self.assertEqual(attachment.raw, b"once")  # memory
        os.unlink(self.entry(attachment))
        self.env.cache.invalidate()
        self.assertEqual(attachment.raw, b"once")
        self.assertEqual(self.downloads(), 1)

    def test_disk_serves_other_processes_and_later_ones(self):
        attachment = self.in_drive(b"kept on disk")
        self.assertTrue(attachment.raw)
        self.forget_memory()
        self.assertEqual(attachment.raw, b"kept on disk")
        self.assertEqual(self.downloads(), 1)
        mode = stat.S_IMODE(os.stat(os.path.dirname(self.entry(attachment))).st_mode)
        self.assertEqual(mode & 0o077, 0)

    def test_damaged_entry_is_fetched_again(self):
        attachment = self.in_drive(b"sound")
        self.assertTrue(attachment.raw)
        with open(self.entry(attachment), "r+b") as file:
            file.write(b"d")
        self.forget_memory()
        with mute_logger("odoo.addons.cloud_storage.cache.disk"):
            self.assertEqual(attachment.raw, b"sound")
        self.assertEqual(self.downloads(), 2)

    def test_clear_file_cache(self):
        attachment = self.in_drive(b"cleared")
        self.assertTrue(attachment.raw)
        self.config.clear_file_cache()
        self.env.cache.invalidate()
        self.assertEqual(attachment.raw, b"cleared")
        self.assertEqual(self.downloads(), 2)

    def test_parameters(self):
        parameters = self.env["ir.config_parameter"]
        folder = "/tmp/cloud-cache-%d" % os.getpid()
        parameters.set_param("cloud_storage.cache_dir", folder)
        self.addCleanup(self.env["ir.attachment"]._disk_cache().clear)
        attachment = self.in_drive(b"elsewhere")
        self.assertTrue(attachment.raw)
        self.assertTrue(glob.glob(folder + "/*/*/" + attachment.cloud_sha1))
        parameters.set_param("cloud_storage.cache_max_size_mb", "1")
        parameters.set_param("cloud_storage.cache_ttl_seconds", "7")
        cache = self.env["ir.attachment"]._disk_cache()
        self.assertEqual((cache.max_bytes, cache.ttl), (MB, 7))
        for key in ("cache_dir", "cache_max_size_mb", "cache_ttl_seconds"):
            parameters.set_param("cloud_storage." + key, False)

    def test_limits_of_the_configuration_reach_the_memory(self):
        self.config.write({"max_cache_size": 1, "cache_timeout_minutes": 3})
        files = [self.in_drive() for _i in range(3)]
        for attachment in files:
            self.assertTrue(attachment.raw)
        self.assertEqual(memory_cache(self.cr.dbname).stats()["files"], 1)
        self.config.max_cache_size = 0
        self.forget_memory()
        self.assertTrue(files[0].raw)
        self.assertEqual(memory_cache(self.cr.dbname).stats()["files"], 0)

    def test_large_file_stays_out_of_memory(self):
        attachment = self.in_drive(bytes(20 * MB), name="large.bin")
        self.assertEqual(len(attachment.raw), 20 * MB)
        self.assertEqual(memory_cache(self.cr.dbname).stats()["bytes"], 0)
        self.assertTrue(self.entry(attachment))

    def test_autovacuum_sweeps(self):
        self.env["ir.config_parameter"].set_param("cloud_storage.cache_ttl_seconds", "60")
        attachment = self.in_drive(b"old")
        self.assertTrue(attachment.raw)
        path = self.entry(attachment)
        os.utime(path, (time.time() - 90, time.time() - 90))
        self.env["ir.attachment"]._gc_cloud_cache()
        self.assertFalse(os.path.exists(path))
        self.env["ir.config_parameter"].set_param(
            "cloud_storage.cache_ttl_seconds", "86400"
        )

    def test_readers_at_once_share_one_download(self):
        attachment = self.in_drive(os.urandom(MB), name="shared.bin")
        self.emulator.fault("files.media", delay_ms=300)
        found = []

        def read():
            with self.other_transaction() as env:
                raw = env["ir.attachment"].browse(attachment.id).raw
                found.append(hashlib.sha1(raw).hexdigest())

        threads = [
            threading.Thread(target=self._in_environments, args=(read,)) for _i in range(5)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        self.assertEqual(found, [attachment.cloud_sha1] * 5)
        self.assertEqual(self.downloads(), 1)

    def test_one_file_is_asked_for_not_its_neighbours(self):
        files = self.env["ir.attachment"].union(*(self.in_drive() for _i in range(4)))
        self.emulator.remove_file(files[3].cloud_file_id)
        self.forget()
        self.assertTrue(files[1].raw)
        self.assertEqual(self.downloads(), 1)
        self.assertEqual([bool(a.datas) for a in files[:3]], [True] * 3)

    def test_list_view_asks_drive_nothing(self):
        one = self.in_drive()
        ids = [one.id] + [one.copy().id for _i in range(79)]
        self.cr.execute(
            "UPDATE ir_attachment AS a SET cloud_file_id = o.cloud_file_id,"
            " cloud_md5 = o.cloud_md5, cloud_sha1 = o.cloud_sha1,"
            " cloud_size_bytes = o.cloud_size_bytes,"
            " cloud_auth_id = o.cloud_auth_id, cloud_sync_status = 'synced',"
            " store_fname = NULL FROM ir_attachment AS o"
            " WHERE a.id IN %s AND o.id = %s",
            (tuple(ids), one.id),
        )
        self.forget()
        sized = self.env["ir.attachment"].with_context(bin_size=True)
        rows = sized.search_read([("id", "in", ids)], ["name", "datas", "raw"])
        self.assertEqual(len(rows), 80)
        self.assertEqual({bool(row["datas"]) for row in rows}, {True})
        self.assertEqual(self.emulator.count(), 0)

    # -- the filestore lost a file -------------------------------------------------------

    def test_lost_local_file_comes_from_drive(self):
        attachment = self.make_in("both", b"lost and found")
        os.unlink(self.local_path(attachment))
        with mute_logger("odoo.addons.base.models.ir_attachment"):
            self.assertEqual(attachment.raw, b"lost and found")
            self.assertEqual(
                attachment._file_read(attachment.store_fname), b"lost and found"
            )
            attachment.restore_from_cloud()
        self.assertTrue(os.path.exists(self.local_path(attachment)))

    def test_lost_local_file_of_another_attachment(self):
        self.in_drive(b"two of a kind")
        other = self.make_in("filestore", b"two of a kind")
        os.unlink(self.local_path(other))
        with mute_logger("odoo.addons.base.models.ir_attachment"):
            self.assertEqual(other.raw, b"two of a kind")

    def released(self, content):
        """An attachment as a transaction sees it that began before it left, and now."""
        now = self.make_in("filestore", content)
        self.config.delete_local_after_sync = True
        self.cr.commit()
        stack = contextlib.ExitStack()
        self.addCleanup(stack.close)
        env = stack.enter_context(self.other_transaction())
        old = env["ir.attachment"].browse(now.id)
        self.assertEqual(old.cloud_sync_status, "local")  # its snapshot begins
        self.sync_elsewhere()
        with mute_logger("odoo.addons.base.models.ir_attachment"):
            with self.other_transaction() as other:
                other["ir.attachment"]._gc_file_store()
        old.env.cache.invalidate()
        self.assertFalse(os.path.exists(self.local_path(old)))
        return old, now

    @mute_logger("odoo.addons.base.models.ir_attachment")
    def test_transaction_that_began_before_the_file_left(self):
        old, now = self.released(b"do not lose me")
        self.assertEqual(old.raw, b"do not lose me")
        copied = old.copy()
        old.env.cr.commit()
        self.fresh()
        self.assertTrue(now.cloud_file_id)
        self.assertEqual(copied.with_env(self.env).raw, b"do not lose me")

    @mute_logger("odoo.addons.base.models.ir_attachment")
    def test_such_a_transaction_reads_nothing_wrong(self):
        old, _now = self.released(b"do not lose me")
        self.forget()
        self.emulator.fault("files.media", times=-1, status=404)
        for read in (lambda: old.raw, lambda: old.datas, old.copy):
            old.env.cache.invalidate()
            with self.assertRaises(CloudFileError):
                read()

    # -- failures ------------------------------------------------------------------------

    def assertUnreadable(self, attachment, words, status=503):
        """Every way to read fails with words for a person, and loses nothing."""
        self.cr.commit()
        self.forget()
        for read in (
            lambda: attachment.raw,
            lambda: attachment.datas,
            lambda: attachment.read(["datas"]),
            lambda: attachment.copy(),
            lambda: attachment.export_data(["datas"]),
        ):
            self.env.cache.invalidate()
            with self.assertRaisesRegex(UserError, words) as caught:
                read()
            self.assertIsInstance(caught.exception, CloudFileError)
            self.assertEqual(caught.exception.http_status, status)
            self.cr.rollback()
        self.assertTrue(attachment.cloud_file_id)
        self.assertEqual(attachment.cloud_sync_status, "synced")

    def test_access_switched_off(self):
        attachment = self.in_drive(b"closed")
        self.assertTrue(attachment.raw)
        self.config.enable_cloud_access = False
        self.assertUnreadable(attachment, "switched off")
        self.assertEqual(self.downloads(), 0)
        self.config.enable_cloud_access = True
        self.assertEqual(attachment.raw, b"closed")

    def test_account_out_of_use_can_still_be_read(self):
        attachment = self.in_drive(b"still there")
        self.auth.is_active = False
        self.assertEqual(attachment.raw, b"still there")
        self.make_attachment()
        with self.assertRaisesRegex(UserError, "not active"):
            self.sync()

    def test_account_refused(self):
        attachment = self.in_drive()
        self.auth.write({"access_token": False, "refresh_token": False, "state": "draft"})
        self.assertUnreadable(attachment, attachment.name)

    def test_drive_down(self):
        attachment = self.in_drive(b"later")
        self.emulator.fault("files.media", times=-1, status=503)
        self.assertUnreadable(attachment, "can not be reached|Try again")
        self.assertFalse(attachment.cloud_error_message)
        self.emulator.clear_faults()
        self.breaker.success()
        self.assertEqual(attachment.raw, b"later")

    def test_too_many_requests_break_nothing(self):
        attachment = self.in_drive(b"soon")
        self.emulator.fault("files.media", status=429, reason="rateLimitExceeded")
        self.assertEqual(attachment.raw, b"soon")

    def test_gone(self):
        attachment = self.in_drive()
        self.emulator.remove_file(attachment.cloud_file_id)
        self.assertUnreadable(attachment, "gone from Google Drive", status=404)
        self.cr.commit()
        self.env.cache.invalidate()
        self.assertIn("gone", attachment.cloud_error_message)

    def test_changed(self):
        for content in (b"changed, longer than it was", b"short", b"same size"):
            with self.subTest(content=content):
                attachment = self.in_drive(b"my  bytes")
                self.emulator.edit_file(attachment.cloud_file_id, content=content)
                self.assertUnreadable(attachment, "changed in Google Drive")
                attachment.unlink()

    def test_refusal_is_no_loss(self):
        attachment = self.in_drive()
        self.emulator.fault(
            "files.media", times=-1, status=403, reason="cannotDownloadFile"
        )
        self.assertUnreadable(attachment, "does not give")
        self.assertFalse(attachment.cloud_error_message)
        self.emulator.clear_faults()

    def test_damaged_on_the_way_is_not_cached(self):
        attachment = self.in_drive(b"right bytes")
        self.emulator.fault("files.media", alter=True)
        with self.assertRaises(CloudFileError):
            attachment.raw  # pylint: disable=pointless-statement
        self.cr.rollback()
        self.assertEqual(attachment.raw, b"right bytes")

    def test_the_web_client_shows_a_message(self):
        attachment = self.in_drive()
        self.emulator.remove_file(attachment.cloud_file_id)
        user = self.make_user("sees", "base.group_user")
        self.forget()
        self.cr.commit()
        with mute_logger("odoo.http"):
            answer = self.session(user).post(
                self.base + "/web/dataset/call_kw",
                json={
                    "params": {
                        "model": "ir.attachment",
                        "method": "read",
                        "args": [[attachment.id], ["datas"]],
                        "kwargs": {},
                    }
                },
                timeout=60,
            )
        data = answer.json()["error"]["data"]
        self.assertEqual(data["context"]["exception_class"], "odoo.exceptions.UserError")
        self.assertIn("gone from Google Drive", data["message"])

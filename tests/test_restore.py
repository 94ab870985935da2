import glob
import hashlib
import os
import time

from odoo.exceptions import AccessError, UserError

from ..engine.content.restoring import PARTS
from ..engine.transaction import retrying
from .test_reconcile import ReconcileCase

MB = 1024 * 1024


class RestoreCase(ReconcileCase):
    """The wizard, and the background that does what it asks for."""

    def wizard(self, **values):
        return self.env["cloud_storage.wizard.restore"].create(
            dict({"config_id": self.config.id}, **values)
        )

    def confirm(self, wizard):
        """Confirm, let the background work; return the run."""
        action = wizard.action_confirm()
        run = self.env["cloud_storage.sync.run"].browse(action["res_id"])
        self.background()
        return run

    def background(self):
        self.cr.commit()
        self.env["cloud_storage.sync.service"].automatic_sync()
        self.env.cache.invalidate()

    def assertRestored(self, attachment, content):
        """The bytes are in the filestore, and the row says so."""
        self.assertTrue(attachment.cloud_keep_local)
        self.assertEqual((attachment.type, attachment.url), ("binary", False))
        with open(self.local_path(attachment), "rb") as file:
            self.assertEqual(file.read(), content)
        self.assertEqual(attachment.raw, content)


class TestRestoreWizard(RestoreCase):
    """Which files come back."""

    def test_everything(self):
        files = self.synced(3, keep=False)
        contents = files.mapped("raw")
        wizard = self.wizard(mode="all")
        wizard.action_preview()
        self.assertEqual((wizard.state, wizard.file_count), ("preview", 3))
        self.assertEqual(wizard.total_size, sum(map(len, contents)))
        self.assertEqual(wizard.sample.split("\n"), files.mapped("name"))
        self.assertRegex(wizard.free_text, r"\d")
        run = self.confirm(wizard)
        self.assertEqual((run.state, run.total_success), ("done", 3))
        self.assertEqual(run.progress, 100)
        for file, content in zip(files, contents):
            self.assertRestored(file, content)
        self.assertEqual(set(run.log_ids.mapped("status")), {"success"})
        self.assertAllWell()

    def test_selection(self):
        files = self.synced(3, keep=False)
        contents = files.mapped("raw")
        wizard = (
            self.env["cloud_storage.wizard.restore"]
            .with_context(active_model="ir.attachment", active_ids=files[1:].ids)
            .create({"config_id": self.config.id})
        )
        self.assertEqual(wizard.mode, "selection")
        self.confirm(wizard)
        self.assertFalse(files[0].store_fname)
        self.assertRestored(files[1], contents[1])
        self.assertRestored(files[2], contents[2])

    def test_model(self):
        self.config.model_config_ids = [(0, 0, {"model_name": "res.bank"})]
        bank = self.env["res.bank"].create({"name": "Bank"})
        self.addCleanup(self.cr.commit)
        self.addCleanup(bank.unlink)
        partner_file = self.synced(keep=False)
        bank_file = self.synced(keep=False, model="res.bank", res_id=bank.id)
        content = bank_file.raw
        model = self.env["ir.model"]._get("res.bank")
        self.confirm(self.wizard(mode="model", model_id=model.id))
        self.assertRestored(bank_file, content)
        self.assertFalse(partner_file.store_fname)

    def test_trash_afterwards(self):
        file = self.synced(keep=False)
        content, drive_id = file.raw, file.cloud_file_id
        self.confirm(self.wizard(mode="all", trash_afterwards=True))
        self.background()
        self.assertRestored(file, content)
        self.assertFalse(file.cloud_file_id)
        self.assertEqual(file.cloud_sync_status, "local")
        self.assertTrue(self.drive_file(drive_id)["trashed"])
        self.sync()
        self.assertEqual(file.cloud_sync_status, "local", "it is pinned")

    def test_refused_when_it_does_not_fit(self):
        file = self.synced(keep=False)
        self.cr.execute(
            "UPDATE ir_attachment SET cloud_size_bytes = 1e18 WHERE id = %s", (file.id,)
        )
        for action in ("action_preview", "action_confirm"):
            with self.assertRaisesRegex(UserError, "do not fit"):
                getattr(self.wizard(mode="all"), action)()

    def test_only_managers(self):
        user = self.make_user("user", "cloud_storage.group_cloud_storage_user")
        with self.assertRaises(AccessError):
            self.wizard().with_user(user).action_confirm()

    def test_manager_may(self):
        user = self.make_user(
            "manager", "base.group_user", "cloud_storage.group_cloud_storage_manager"
        )
        file = self.synced(keep=False)
        content = file.raw
        wizard = self.env["cloud_storage.wizard.restore"].with_user(user)
        wizard = wizard.create({"config_id": self.config.id, "mode": "all"})
        wizard.action_preview()
        self.confirm(wizard)
        self.assertRestored(file, content)


class TestRestoreFolder(RestoreCase):
    """A folder of Drive, with whatever is in it."""

    def test_folder(self):
        files = self.synced(2, keep=False)
        contents = files.mapped("raw")
        folder = self.drive_file(files[0].cloud_file_id)["parents"][0]
        below = self.emulator.put_file(
            "Below",
            parents=[folder],
            mimeType="application/vnd.google-apps.folder",
            client_id=self.auth.client_id,
        )
        self.emulator.put_file(
            "stranger.txt", b"unknown", parents=[below], client_id=self.auth.client_id
        )
        partner = self.env["res.partner"].create({"name": "Default"})
        wizard = self.wizard(
            mode="folder",
            folder_id=folder,
            default_record="res.partner,%d" % partner.id,
        )
        wizard.action_preview()
        self.assertEqual(wizard.file_count, 3)
        run = self.confirm(wizard)
        self.assertEqual((run.state, run.total_success), ("done", 3), run.message)
        for file, content in zip(files, contents):
            self.assertRestored(file, content)
        made = self.env["ir.attachment"].search([("res_id", "=", partner.id)])
        self.assertEqual(made.name, "stranger.txt")
        self.assertRestored(made, b"unknown")
        self.confirm(wizard)
        self.assertEqual(made.search_count([("res_id", "=", partner.id)]), 1)

    def test_lost_link_is_found_by_id_and_by_checksum(self):
        by_id, by_checksum = self.synced(2, keep=False)
        contents = [by_id.raw, by_checksum.raw]
        folder = self.drive_file(by_id.cloud_file_id)["parents"][0]
        self.emulator.edit_file(by_checksum.cloud_file_id, appProperties={})
        for file in (by_id, by_checksum):
            self.cr.execute(
                "UPDATE ir_attachment SET cloud_file_id = NULL, cloud_auth_id = NULL,"
                " cloud_sync_status = 'local', type = 'binary', url = NULL"
                " WHERE id = %s",
                (file.id,),
            )
        self.cr.execute("DELETE FROM cloud_storage_trash")
        self.confirm(self.wizard(mode="folder", folder_id=folder))
        self.assertRestored(by_id, contents[0])
        self.assertRestored(by_checksum, contents[1])

    def test_unknown_folder(self):
        wizard = self.wizard(mode="folder", folder_id="no-such-folder")
        with self.assertRaises(UserError):
            wizard.action_preview()

    def test_button_of_the_configuration(self):
        self.synced()
        action = self.config.action_restore_local_from_folder()
        wizard = self.env[action["res_model"]].browse(action["res_id"])
        self.assertEqual(wizard.folder_id, self.config.drive_root_folder_id)
        wizard.action_preview()
        self.assertEqual(wizard.file_count, 1)


class TestRestoreTroubles(RestoreCase):
    """One file's trouble is its own; a run can be stopped and go on."""

    def test_gone_and_changed_files_stop_no_other(self):
        gone, changed, good = self.synced(3, keep=False)
        content = good.raw
        self.emulator.remove_file(gone.cloud_file_id)
        self.emulator.edit_file(changed.cloud_file_id, content=b"changed")
        self.env["ir.attachment"]._clear_cloud_cache()
        run = self.confirm(self.wizard(mode="all"))
        self.assertEqual((run.total_success, run.total_errors), (1, 2))
        self.assertRestored(good, content)
        for file in (gone, changed):
            self.assertFalse(file.store_fname)
            self.assertEqual(file.type, "url")

    def test_stopped_and_resumed(self):
        files = self.synced(4, keep=False)
        contents = files.mapped("raw")
        action = self.wizard(mode="all").action_confirm()
        run = self.env["cloud_storage.sync.run"].browse(action["res_id"])
        run.action_stop()
        self.background()
        self.assertEqual(run.state, "stopped")
        self.assertFalse(any(files.mapped("store_fname")))
        run.action_resume()
        self.background()
        self.assertEqual((run.state, run.total_success), ("done", 4))
        for file, content in zip(files, contents):
            self.assertRestored(file, content)

    def restore_elsewhere(self):
        with self.other_transaction() as env:
            env["cloud_storage.sync.service"].automatic_sync()

    def test_stop_in_the_middle_of_a_large_file(self):
        content = os.urandom(20 * MB)
        file = self.synced(keep=False, content=content, name="large.pdf")
        self.env["ir.attachment"]._clear_cloud_cache()
        action = self.wizard(mode="all").action_confirm()
        run = self.env["cloud_storage.sync.run"].browse(action["res_id"])
        parts = file._full_path(PARTS) + "/*"
        before = set(glob.glob(parts))
        self.emulator.fault("files.media", times=-1, rate=MB / 2)  # 40 seconds of it
        with self.in_thread(self.restore_elsewhere) as future:
            self.wait_for(
                lambda: any(map(os.path.getsize, set(glob.glob(parts)) - before))
            )
            self.fresh()
            retrying(self.env, run.action_stop)
            pressed = time.monotonic()
            future.result(timeout=30)
        self.assertLess(time.monotonic() - pressed, 5)
        self.fresh()
        self.assertEqual((run.state, run.total_errors), ("stopped", 0))
        self.assertFalse(file.store_fname)
        self.assertEqual(set(glob.glob(parts)), before)
        self.emulator.clear_faults()
        run.action_resume()
        self.background()
        self.assertEqual(run.state, "done")
        self.assertRestored(file, content)

    def test_outage_ends_the_run_and_resume_goes_on(self):
        files = self.synced(4, keep=False)
        contents = files.mapped("raw")
        self.env["ir.attachment"]._clear_cloud_cache()
        self.breaker.threshold = 3
        self.addCleanup(setattr, self.breaker, "threshold", 12)
        self.emulator.fault("files.media", times=-1, status=503)
        run = self.confirm(self.wizard(mode="all"))
        self.assertEqual(run.state, "failed")
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"synced"})
        self.emulator.clear_faults()
        self.breaker.success()
        run.action_resume()
        self.background()
        self.assertEqual(run.state, "done")
        for file, content in zip(files, contents):
            self.assertRestored(file, content)

    def test_written_meanwhile(self):
        """New content that came while the run waited is not overwritten."""
        file = self.synced(keep=False)
        action = self.wizard(mode="all").action_confirm()
        file.raw = b"new content"
        self.background()
        run = self.env["cloud_storage.sync.run"].browse(action["res_id"])
        self.assertEqual(run.state, "done")
        self.assertEqual(file.raw, b"new content")

    def test_content_is_verified(self):
        file = self.synced(keep=False)
        self.env["ir.attachment"]._clear_cloud_cache()
        self.emulator.fault("files.media", times=-1, alter=True)
        run = self.confirm(self.wizard(mode="all"))
        self.assertEqual(run.total_errors, 1)
        self.assertFalse(file.store_fname)
        path = file._full_path("%s/%s" % (file.checksum[:2], file.checksum))
        with self.assertRaises(OSError):
            open(path, "rb")

    def test_local_and_remote_files_read_together(self):
        """Reading one computes for all: none may come out empty."""
        files = self.synced(2, keep=False) + self.make_attachments(2)
        for order in (files, files[::-1]):
            self.env.cache.invalidate()
            self.assertTrue(all(order.mapped("raw")))

    def test_restored_content_is_what_went(self):
        content = bytes(range(256)) * 40000
        file = self.make_attachment(content)
        self.config.delete_local_after_sync = True
        self.sync()
        self.collect_garbage()
        self.assertTrue(file.restore_from_cloud())
        self.cr.commit()
        self.assertRestored(file, content)
        self.assertEqual(file.checksum, hashlib.sha1(content).hexdigest())

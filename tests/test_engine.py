import os
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as Waited
from datetime import timedelta
from unittest.mock import patch

from odoo import fields

from ..drive import retry
from ..engine import release
from ..engine.account.database import database_uuid
from ..engine.insight import savings
from ..engine.jobs.results import Results
from ..engine.outbox.deliver import deliver
from .common import CloudCase

MB = 1024 * 1024


class TestUpload(CloudCase):
    """Bytes arrive once, whole, and verified."""

    def test_app_properties_and_names(self):
        name = 'Año "2026" \U0001f600 it\'s.pdf'
        attachment = self.make_attachment(b"unicode", name=name)
        self.sync()
        found = self.drive_file(attachment.cloud_file_id)
        self.assertEqual(found["name"], name)
        self.assertEqual(
            found["appProperties"],
            {
                "odoo_db": database_uuid(self.env),
                "odoo_attachment": str(attachment.id),
                "odoo_checksum": attachment.checksum,
                "odoo_record": "res.partner,%d," % attachment.res_id,
            },
        )

    def test_media_type_that_ends_its_header(self):
        content = os.urandom(1000)
        attachment = self.make_attachment(
            content, mimetype="text/plain\r\nContent-Transfer-Encoding: base64"
        )
        self.assertEqual(self.sync()["synced"], 1)
        self.assertOnDrive(attachment, content)

    def test_content_in_database(self):
        self.env["ir.config_parameter"].set_param("ir_attachment.location", "db")
        self.addCleanup(self._set_location, "file")
        self.config.delete_local_after_sync = True
        small = self.make_attachment(b"in a column")
        large = self.make_attachment(os.urandom(6 * MB), name="large.pdf")
        contents = {small: small.raw, large: large.raw}
        self.assertFalse(large.store_fname)
        self.assertEqual(self.sync()["synced"], 2)
        for attachment, content in contents.items():
            self.assertOnDrive(attachment, content)
            self.assertFalse(attachment.db_datas)

    def _set_location(self, location):
        self.env["ir.config_parameter"].set_param("ir_attachment.location", location)
        self.cr.commit()

    def test_nothing_of_the_row_is_disturbed(self):
        self.config.delete_local_after_sync = True
        attachment = self.make_attachment(b"some text to index")
        self.cr.commit()
        kept = ["file_size", "checksum", "mimetype", "index_content"]
        kept += ["write_date", "write_uid", "name", "res_model", "res_id"]
        before = attachment.read(kept)
        self.sync()
        self.assertFalse(attachment.store_fname)
        self.assertEqual(attachment.read(kept), before)

    def test_wrong_bytes_on_drive_are_removed(self):
        self.emulator.fault("files.upload.multipart", alter=True)
        self.config.delete_local_after_sync = True
        attachment = self.make_attachment(b"precious")
        self.assertEqual(self.sync()["errors"], 1)
        self.assertEqual(attachment.cloud_sync_status, "error")
        self.assertIn("sha1", attachment.cloud_error_message)
        deliver(self.env)  # as the next cron does
        self.assertFalse(self.drive_files())
        self.assertTrue(os.path.exists(self.local_path(attachment)))
        self.assertEqual(self.sync()["synced"], 1)
        self.assertOnDrive(attachment, b"precious")

    def test_damaged_local_file_does_not_go(self):
        attachment = self.make_attachment(b"precious bytes")
        self.cr.commit()
        with open(self.local_path(attachment), "wb") as stored:
            stored.write(b"precious bytez")
        self.assertEqual(self.sync()["errors"], 1)
        self.assertIn("damaged", attachment.cloud_error_message)
        self.assertFalse(self.drive_files())
        os.unlink(self.local_path(attachment))
        self.assertEqual(self.sync()["errors"], 1)
        self.assertIn("can not be read", attachment.cloud_error_message)

    def test_one_bad_file_never_stops_the_others(self):
        files = self.make_attachments(12)
        os.unlink(self.local_path(files[5]))
        summary = self.sync()
        self.assertEqual((summary["synced"], summary["errors"]), (11, 1))

    def test_content_changed_while_it_was_uploaded(self):
        self.config.delete_local_after_sync = True
        attachment = self.make_attachments(1)
        self.emulator.fault("files.upload.multipart", delay_ms=1500)
        with self.in_thread(self.sync_elsewhere):
            self.wait_for(lambda: self.emulator.faults() == [])
            with self.other_transaction() as env:
                env["ir.attachment"].browse(attachment.id).raw = b"newer content"
                env.cr.commit()
        self.fresh()
        self.assertEqual(attachment.cloud_sync_status, "local")
        self.assertEqual(attachment.raw, b"newer content")
        self.assertEqual(self.sync()["synced"], 1)
        self.assertOnDrive(attachment, b"newer content")
        deliver(self.env)
        self.assertEqual(len(self.drive_files()), 1)

    def test_deleted_while_it_was_uploaded(self):
        attachment = self.make_attachments(1)
        self.emulator.fault("files.upload.multipart", delay_ms=1500)
        with self.in_thread(self.sync_elsewhere):
            self.wait_for(lambda: self.emulator.faults() == [])
            with self.other_transaction() as env:
                env["ir.attachment"].browse(attachment.id).unlink()
                env.cr.commit()
        self.fresh()
        self.assertFalse(attachment.exists())
        deliver(self.env)
        self.assertFalse(self.drive_files())


class CountingDeadline:
    """A deadline that comes after some looks at it."""

    looks = 0

    @property
    def over(self):
        """Count a look."""
        self.looks += 1
        return self.looks > 20


class TestRelease(CloudCase):
    """Local bytes go late, and never those that somebody else needs."""

    def setUp(self):
        super().setUp()
        self.config.delete_local_after_sync = True

    def test_shared_file_of_the_filestore(self):
        goes = self.make_attachment(b"shared content")
        stays = self.make_attachment(b"shared content", name="program.exe")
        self.assertEqual(goes.store_fname, stays.store_fname)
        summary = self.sync()
        self.assertEqual((summary["synced"], summary["bytes_freed"]), (1, 0))
        self.collect_garbage()
        self.assertFalse(goes.store_fname)
        self.assertEqual(stays.raw, b"shared content")
        self.assertEqual(goes.raw, b"shared content")

    def test_both_go_counts_once(self):
        self.make_attachment(b"twice the same")
        self.make_attachment(b"twice the same")
        self.assertEqual(self.sync()["bytes_freed"], len(b"twice the same"))

    def test_keep_local_days(self):
        self.config.keep_local_days = 3
        attachment = self.make_attachment(b"kept for a while")
        self.assertEqual(self.sync()["bytes_freed"], 0)
        self.assertTrue(attachment.store_fname)
        self.assertEqual(attachment.type, "url")
        self.env["cloud_storage.sync.service"].automatic_sync()
        self.assertTrue(attachment.store_fname)
        attachment.cloud_synced_date -= timedelta(days=3, minutes=1)
        self.cr.commit()
        summary = self.env["cloud_storage.sync.service"].automatic_sync()
        self.assertEqual(summary["bytes_freed"], len(b"kept for a while"))
        self.assertFalse(attachment.store_fname)
        self.assertEqual(attachment.raw, b"kept for a while")

    def test_what_can_not_be_released_holds_up_nothing(self):
        self.config.keep_local_days = 1
        odd, fine = self.make_attachment(b"odd one"), self.make_attachment(b"fine one")
        self.sync()
        odd.cloud_size_bytes += 1
        for attachment in odd | fine:
            attachment.cloud_synced_date -= timedelta(days=2)
        self.cr.commit()
        deadline = CountingDeadline()
        freed = self.release_due(deadline)
        self.assertLessEqual(deadline.looks, 2)
        self.assertEqual(freed, len(b"fine one"))
        self.assertTrue(odd.store_fname)
        self.assertFalse(fine.store_fname)

    def kept(self, count=1):
        """Attachments that were synced and kept, and now are to go."""
        self.config.delete_local_after_sync = False
        files = self.make_attachments(count)
        self.sync()
        self.config.delete_local_after_sync = True
        self.cr.commit()
        return files

    def release(self):
        freed = self.release_due()
        self.fresh()
        return freed

    def test_drive_is_asked_long_after_the_upload(self):
        files = self.kept(5)
        gone, changed, trashed, flagged, fine = files
        contents = files.mapped("raw")
        self.emulator.remove_file(gone.cloud_file_id)
        self.emulator.edit_file(changed.cloud_file_id, content=b"else")
        self.emulator.edit_file(trashed.cloud_file_id, trashed=True)
        flagged.cloud_error_message = "looks odd"
        self.cr.commit()
        self.assertEqual(self.release(), len(contents[-1]))
        self.assertEqual(files.filtered("store_fname"), files - fine)
        self.collect_garbage()
        self.env["cloud_storage.sync.service"].reconcile_cloud_references()
        self.fresh()
        self.assertEqual(files.mapped("raw"), contents)

    def test_many_are_asked_for_at_once(self):
        """And never by a list, which may show what was deleted a second ago."""
        files = self.kept(110)
        gone, unlisted = files[0], files[1]
        self.emulator.freeze_list()
        self.emulator.remove_file(gone.cloud_file_id)
        self.emulator.edit_file(unlisted.cloud_file_id, appProperties={})
        self.emulator.clear_requests()
        self.release()
        self.assertEqual(files.filtered("store_fname"), gone)
        self.assertEqual(self.emulator.count("batch"), 2)
        self.assertEqual(self.emulator.count("files.list"), 0)

    def test_a_thousand_files_cost_ten_requests(self):
        self.config.write({"max_parallel_uploads": 16, "requests_per_second": 1000})
        self.config.delete_local_after_sync = False
        files = self.make_attachments(1000)
        self.assertEqual(self.sync(limit=None)["synced"], 1000)
        self.config.delete_local_after_sync = True
        self.cr.commit()
        before = self.emulator.http_count()
        self.release()
        self.assertLessEqual(self.emulator.http_count() - before, 10)
        self.assertFalse(any(files.mapped("store_fname")))

    def test_release_belongs_to_its_configuration(self):
        self.config.delete_local_after_sync = False
        by_model = self.make_attachments(1)
        by_type = self.make_attachments(1, name="kept.pdf")
        self.sync()
        other = self.make_config(
            self.auth,
            models=("res.users",),
            types=("txt",),
            delete_local_after_sync=True,
        )
        self.cr.commit()
        service = self.env["cloud_storage.sync.service"]
        service.automatic_sync()
        self.fresh()
        self.assertTrue(by_model.store_fname)
        self.assertTrue(by_type.store_fname)
        self.assertEqual(savings.to_release(self.env, other), (0, 0))
        other.model_config_ids.model_name = "res.partner"
        self.cr.commit()
        self.assertEqual(savings.to_release(self.env, other)[0], 1)
        service.automatic_sync()
        self.fresh()
        self.assertFalse(by_model.store_fname)
        self.assertTrue(by_type.store_fname)
        self.assertEqual(release.release_uploaded(other, by_type.ids), 0)
        self.assertTrue(by_type.store_fname)

    def test_nothing_is_released_while_drive_is_down(self):
        for count in (1, 101):
            with self.subTest(count=count):
                files = self.kept(count)
                self.emulator.fault("*", times=-1, status=403, reason="forbidden")
                self.assertEqual(self.release(), 0)
                self.emulator.clear_faults()
                self.emulator.fault("*", times=-1, status=503)
                with patch.object(retry, "BASE_DELAY", 0.01):
                    self.assertEqual(self.release(), 0)
                self.assertEqual(files.filtered("store_fname"), files)
                self.emulator.clear_faults()
                self.breaker.success()
                self.release()
                self.assertFalse(files.filtered("store_fname"))

    def test_pinned_stays_local_and_binary(self):
        attachment = self.make_attachment(b"pinned later")
        self.config.delete_local_after_sync = False
        self.sync()
        attachment.cloud_keep_local = True
        self.assertEqual(attachment.type, "binary")
        self.config.delete_local_after_sync = True
        self.sync()
        self.env["cloud_storage.sync.service"].automatic_sync()
        self.assertTrue(attachment.store_fname)

    def test_type_without_replacement(self):
        self.config.replace_local_with_cloud = False
        self.config.delete_local_after_sync = False
        attachment = self.make_attachment()
        self.sync()
        self.assertEqual((attachment.type, attachment.url), ("binary", False))
        self.config.delete_local_after_sync = True
        self.cr.commit()
        self.env["cloud_storage.sync.service"].automatic_sync()
        self.assertFalse(attachment.store_fname)
        self.assertEqual(attachment.type, "url")


class TestDeduplicate(CloudCase):
    """The same content is in Drive once."""

    def test_within_a_run_and_later(self):
        first = [self.make_attachment(b"same") for _i in range(5)]
        self.assertEqual(self.sync()["synced"], 5)
        later = self.make_attachment(b"same", name="other.pdf")
        summary = self.sync()
        self.assertEqual((summary["synced"], summary["bytes_uploaded"]), (1, 0))
        self.assertEqual(len(self.drive_files()), 1)
        self.assertEqual(len({a.cloud_file_id for a in first + [later]}), 1)

    def test_off(self):
        self.config.deduplicate = False
        self.make_attachment(b"same")
        self.make_attachment(b"same")
        self.sync()
        self.assertEqual(len(self.drive_files()), 2)

    def test_twin_that_is_gone_is_not_trusted(self):
        self.config.delete_local_after_sync = True
        first = self.make_attachment(b"same")
        self.sync()
        for change in (
            lambda file_id: self.emulator.edit_file(file_id, trashed=True),
            lambda file_id: self.emulator.edit_file(file_id, content=b"else"),
            self.emulator.remove_file,
        ):
            change(first.cloud_file_id)
            other = self.make_attachment(b"same", name="other.txt")
            self.assertEqual(self.sync()["synced"], 1)
            self.assertOnDrive(other, b"same")
            self.assertNotEqual(other.cloud_file_id, first.cloud_file_id)
            first = other

    def share_while(self, method, meanwhile):
        """Upload the same content again, and call ``meanwhile`` before ``method``."""
        self.config.delete_local_after_sync = True
        first = self.make_attachment(b"same")
        self.sync()
        second = self.make_attachment(b"same", name="other.txt")
        genuine, done = getattr(Results, method), []

        def between(ledger, pairs, *rest):
            if pairs and not done:
                done.append(meanwhile(first))
            return genuine(ledger, pairs, *rest)

        with patch.object(Results, method, between):
            self.assertEqual(self.sync()["synced"], 1)
        self.assertTrue(done)
        return second

    def assertStillThere(self, attachment):
        deliver(self.env)
        self.collect_garbage()
        self.env["ir.attachment"]._clear_cloud_cache()
        self.fresh()
        self.assertOnDrive(attachment, b"same")
        self.assertFalse(self.drive_file(attachment.cloud_file_id)["trashed"])
        self.assertEqual(attachment.raw, b"same")

    def delete_elsewhere(self, attachment):
        with self.other_transaction() as env:
            env["ir.attachment"].browse(attachment.id).unlink()
            env.cr.commit()
            deliver(env)
        return True

    def test_last_user_goes_while_its_file_is_shared(self):
        self.assertStillThere(self.share_while("write", self.delete_elsewhere))

    def test_last_user_stays_until_the_sharer_is_written(self):
        with ThreadPoolExecutor(1) as pool:
            futures = []

            def begin(first):
                delete = self._in_environments
                futures.append(pool.submit(delete, self.delete_elsewhere, first))
                with self.assertRaises(Waited):
                    futures[0].result(timeout=1)  # it has to wait for this transaction
                return True

            second = self.share_while("_write_synced", begin)
            futures[0].result(timeout=60)
        self.assertStillThere(second)
        self.assertEqual(len(self.drive_files()), 1)

    def test_trash_waits_for_the_last_user(self):
        one, two = self.make_attachment(b"same"), self.make_attachment(b"same")
        self.sync()
        one.unlink()
        self.cr.commit()
        deliver(self.env)
        self.assertOnDrive(two, b"same")
        self.assertEqual(len(self.drive_files()), 1)
        two.unlink()
        self.cr.commit()
        deliver(self.env)
        self.assertFalse(self.drive_files())


class TestFolders(CloudCase):
    """Found or created once, kept, and made again when they are gone."""

    def folders(self):
        return {
            f["name"]: f
            for f in self.emulator.files(trashed=False)
            if f["mimeType"] == "application/vnd.google-apps.folder"
            and f["name"] != "My Drive"
        }

    def test_flat(self):
        attachment = self.make_attachment()
        self.sync()
        self.assertEqual(set(self.folders()), {"Odoo Cloud Storage", "res_partner"})
        rule = self.config.model_config_ids
        parents = self.drive_file(attachment.cloud_file_id)["parents"]
        self.assertEqual(parents, [rule.drive_folder_id])
        model_folder = self.folders()["res_partner"]
        self.assertEqual(model_folder["parents"], [self.config.drive_root_folder_id])

    def test_created_once(self):
        for _i in range(3):
            self.make_attachment()
            self.sync()
        self.assertEqual(len(self.folders()), 2)

    def test_monthly(self):
        self.config.folder_layout = "monthly"
        attachment = self.make_attachment()
        self.cr.execute(
            "UPDATE ir_attachment SET create_date = '2024-02-29' WHERE id = %s",
            (attachment.id,),
        )
        self.make_attachment()
        self.assertEqual(self.sync()["synced"], 2)
        today = fields.Date.today().strftime("%Y-%m")
        folders = self.folders()
        self.assertLessEqual({"2024-02", today}, set(folders))
        self.assertEqual(
            self.drive_file(attachment.cloud_file_id)["parents"],
            [folders["2024-02"]["id"]],
        )
        self.assertEqual(
            folders["2024-02"]["parents"], [self.config.model_config_ids.drive_folder_id]
        )

    def test_names_with_quotes(self):
        for name in ("It's \\ a \"name\"", "Ñandú 😀 100%"):
            self.config.model_config_ids.drive_folder_name = name
            self.make_attachment()
            self.assertEqual(self.sync()["synced"], 1)
            self.config.model_config_ids.drive_folder_id = False
            self.make_attachment()
            self.assertEqual(self.sync()["synced"], 1)
            self.assertIn(name, self.folders())
        self.assertEqual(len(self.folders()), 3)

    def test_deleted_or_trashed_folder_is_made_again(self):
        self.make_attachment()
        self.sync()
        for remove in (
            self.emulator.remove_file,
            lambda file_id: self.emulator.edit_file(file_id, trashed=True),
        ):
            for gone in (
                self.config.model_config_ids.drive_folder_id,
                self.config.drive_root_folder_id,
            ):
                remove(gone)
                attachment = self.make_attachment()
                self.assertEqual(self.sync()["synced"], 1)
                folder = self.drive_file(attachment.cloud_file_id)["parents"][0]
                self.assertNotEqual(folder, gone)
                self.assertFalse(self.drive_file(folder)["trashed"])

    def test_deleted_in_the_middle_of_a_run(self):
        files = self.make_attachments(40)
        self.config.max_parallel_uploads = 1
        self.emulator.latency(20)
        self.addCleanup(self.emulator.latency, 0)
        with self.in_thread(self.sync_elsewhere):
            self.wait_for(lambda: self.emulator.count("files.upload.multipart") > 5)
            self.fresh()
            self.emulator.remove_file(self.config.model_config_ids.drive_folder_id)
        self.fresh()
        alive = {f["id"] for f in self.emulator.files()}
        lost = files.filtered(lambda a: a.cloud_file_id not in alive)
        self.assertTrue(all(a.cloud_sync_status == "synced" for a in files))
        self.assertLess(len(lost), 40)

    def test_given_root(self):
        auth = self.make_account(scope="drive", email="other@example.com")
        folder = self.emulator.put_file(
            "Mine",
            mimeType="application/vnd.google-apps.folder",
            owner="other@example.com",
        )
        self.config.write({"auth_id": auth.id})
        self.config.drive_root_folder_id = folder
        self.make_attachment()
        self.assertEqual(self.sync()["synced"], 1)
        self.assertEqual(self.folders()["res_partner"]["parents"], [folder])

    def test_full_folder_gets_a_second_one(self):
        self.make_attachment()
        self.sync()
        full = self.config.model_config_ids.drive_folder_id
        row = self.env["cloud_storage.folder"].search([])
        row.item_count = 490000
        attachment = self.make_attachment()
        self.assertEqual(self.sync()["synced"], 1)
        parent = self.drive_file(attachment.cloud_file_id)["parents"]
        self.assertNotEqual(parent, [full])
        self.assertIn("res_partner (2)", self.folders())


class TestRequests(CloudCase):
    """What a sync costs."""

    def test_requests_per_small_file(self):
        self.make_attachments(200)
        self.sync()
        self.emulator.clear_requests()
        self.make_attachments(200)
        self.assertEqual(self.sync()["synced"], 200)
        self.assertLessEqual(self.emulator.count() / 200.0, 1.1)

import os
from datetime import datetime, timedelta
from unittest.mock import patch

from odoo.exceptions import AccessError
from odoo.sql_db import PoolError
from odoo.tools import mute_logger

from ..engine import runner
from ..engine.account.database import database_uuid
from .common import CloudCase
from .common_content import ContentCase

ACCOUNTS = "odoo.addons.cloud_storage.engine.jobs.reconcile.accounts"


class ReconcileCase(CloudCase):
    """Files that were synced, and ways to make Drive differ from Odoo."""

    def reconcile(self, limit=200):
        self.cr.commit()
        service = self.env["cloud_storage.sync.service"]
        report = service.reconcile_cloud_references(limit)
        self.env.cache.invalidate()
        return report

    def synced(self, count=1, keep=True, **options):
        """Attachments in the cloud, with or without local bytes."""
        self.config.delete_local_after_sync = not keep
        files = self.make_attachments(count, **options)
        self.assertEqual(self.sync()["synced"], count)
        self.collect_garbage()
        return files

    def extra(self, age_days=30, attachment_id=1, **metadata):
        """A file in Drive that this database sent and no attachment uses."""
        made = datetime.utcnow() - timedelta(days=age_days)
        properties = {
            "odoo_db": database_uuid(self.env),
            "odoo_attachment": str(attachment_id),
        }
        return self.emulator.put_file(
            "extra.txt",
            b"extra",
            client_id=self.auth.client_id,
            appProperties=dict(properties, **metadata.pop("appProperties", {})),
            createdTime=made.timestamp(),
            **metadata,
        )

    def run_of(self, sync_type="reconcile"):
        return self.env["cloud_storage.sync.run"].search(
            [("sync_type", "=", sync_type)], limit=1
        )

    def assertAllWell(self):
        self.cr.commit()
        service = self.env["cloud_storage.sync.service"]
        self.assertEqual(service.check_invariants(), [])


class TestDifferences(ReconcileCase):
    """Each way in which Drive can come to differ from Odoo."""

    def test_nothing_to_do(self):
        self.synced(3)
        report = self.reconcile()
        self.assertEqual(
            report, {"checked": 3, "fixed": 0, "missing": 0, "errors": 0}
        )
        self.assertAllWell()

    def test_deleted_with_local_bytes(self):
        file = self.synced()
        content, old_id = file.raw, file.cloud_file_id
        self.emulator.remove_file(old_id)
        report = self.reconcile()
        self.assertEqual((report["missing"], report["fixed"]), (1, 1))
        self.assertNotEqual(file.cloud_file_id, old_id)
        self.assertOnDrive(file, content)
        self.assertAllWell()

    def test_deleted_without_local_bytes(self):
        file = self.synced(keep=False)
        self.emulator.remove_file(file.cloud_file_id)
        report = self.reconcile()
        self.assertEqual((report["missing"], report["fixed"]), (1, 0))
        self.assertEqual(file.cloud_sync_status, "error")
        self.assertIn("gone", file.cloud_error_message)
        self.assertTrue(file.cloud_file_id)
        again = self.reconcile()
        self.assertEqual((again["missing"], again["fixed"]), (1, 0))

    def test_trashed(self):
        file = self.synced()
        self.emulator.edit_file(file.cloud_file_id, trashed=True)
        self.assertEqual(self.reconcile()["fixed"], 1)
        self.assertFalse(self.drive_file(file.cloud_file_id)["trashed"])
        self.assertEqual(file.cloud_sync_status, "synced")

    def test_folder_trashed(self):
        files = self.synced(3)
        folder = self.drive_file(files[0].cloud_file_id)["parents"][0]
        self.emulator.edit_file(folder, trashed=True)
        self.reconcile()
        self.assertFalse(self.drive_file(folder)["trashed"])
        self.assertEqual(self.emulator.count("files.update"), 1)
        self.assertAllWell()

    def test_changed_is_flagged_and_never_blessed(self):
        for content in (b"something else", b""):
            with self.subTest(content=content):
                file = self.synced(keep=False)
                md5 = file.cloud_md5
                self.emulator.edit_file(file.cloud_file_id, content=content)
                self.assertEqual(self.reconcile()["errors"], 1)
                self.assertEqual(file.cloud_sync_status, "error")
                self.assertEqual(file.cloud_md5, md5)
                self.assertIn("changed", file.cloud_error_message)
                file.unlink()

    def test_changed_with_local_bytes_keeps_them(self):
        file = self.synced()
        content = file.raw
        self.emulator.edit_file(file.cloud_file_id, content=b"something else")
        self.reconcile()
        self.assertEqual(file.cloud_sync_status, "error")
        self.assertEqual(file.raw, content)
        self.sync()
        self.assertOnDrive(file, content)

    def test_changed_back_is_healed(self):
        file = self.synced(keep=False)
        content = file.raw
        self.emulator.edit_file(file.cloud_file_id, content=b"something else")
        self.reconcile()
        self.emulator.edit_file(file.cloud_file_id, content=content)
        self.assertEqual(self.reconcile()["fixed"], 1)
        self.assertEqual(file.cloud_sync_status, "synced")
        self.assertFalse(file.cloud_error_message)

    def test_damaged_behind_right_metadata(self):
        """The sample downloads for real: right metadata do not excuse wrong bytes."""
        file = self.synced(keep=False)
        self.emulator.fault("files.media", times=-1, alter=True)
        self.assertEqual(self.reconcile()["errors"], 1)
        self.assertEqual(file.cloud_sync_status, "error")
        self.reconcile()
        self.assertEqual(file.cloud_sync_status, "error", "healed without proof")
        self.emulator.clear_faults()
        self.reconcile()
        self.assertEqual(file.cloud_sync_status, "synced")

    def test_renamed_and_moved(self):
        file = self.synced()
        before = self.drive_file(file.cloud_file_id)
        elsewhere = self.emulator.put_file(
            "Elsewhere",
            mimeType="application/vnd.google-apps.folder",
            client_id=self.auth.client_id,
        )
        self.emulator.edit_file(
            file.cloud_file_id, name="another.txt", parents=[elsewhere]
        )
        self.assertEqual(self.reconcile()["fixed"], 2)
        after = self.drive_file(file.cloud_file_id)
        self.assertEqual(after["name"], before["name"])
        self.assertEqual(after["parents"], before["parents"])

    def test_made_public(self):
        file = self.synced()
        anyone = {"id": "anyoneWithLink", "type": "anyone", "role": "reader"}
        self.emulator.edit_file(file.cloud_file_id, permissions=[anyone])
        self.assertEqual(self.reconcile()["fixed"], 1)
        found = self.drive_file(file.cloud_file_id)["permissions"]
        self.assertNotIn("anyone", [permission["type"] for permission in found])

    def test_folder_made_public(self):
        files = self.synced(2)
        folder = self.drive_file(files[0].cloud_file_id)["parents"][0]
        anyone = {"id": "anyoneWithLink", "type": "anyone", "role": "reader"}
        self.emulator.edit_file(folder, permissions=[anyone])
        self.reconcile()
        found = self.drive_file(folder)["permissions"]
        self.assertNotIn("anyone", [permission["type"] for permission in found])

    def test_shared_with_a_person_stays(self):
        file = self.synced()
        person = {
            "id": "123",
            "type": "user",
            "role": "reader",
            "emailAddress": "colleague@example.com",
        }
        self.emulator.edit_file(file.cloud_file_id, permissions=[person])
        self.assertEqual(self.reconcile()["fixed"], 0)

    def test_duplicates_and_extra_files_go_after_a_grace_period(self):
        file = self.synced()
        old = self.extra(attachment_id=file.id)
        foreign = self.emulator.put_file("foreign.txt", b"x", client_id="another")
        self.assertEqual(self.reconcile()["fixed"], 0)
        self.cr.execute("UPDATE cloud_storage_unused_file SET first_seen = '2020-01-01'")
        young = self.extra(attachment_id=file.id)
        self.assertEqual(self.reconcile()["fixed"], 1)
        self.assertTrue(self.drive_file(old)["trashed"])
        self.assertFalse(self.drive_file(young)["trashed"])
        self.assertFalse(self.drive_file(foreign)["trashed"])

    def test_files_of_a_lost_database_are_never_trashed(self):
        """Their attachments have ids this database has not given out yet."""
        self.synced()
        file_id = self.extra(attachment_id=900000000)
        self.assertEqual(self.reconcile()["errors"], 1)
        self.assertFalse(self.drive_file(file_id)["trashed"])
        self.assertIn("old backup", self.run_of().message)
        self.env["cloud_storage.sync.service"]._relink_from_drive()
        self.assertEqual(self.reconcile()["errors"], 0)

    def test_mark_lost(self):
        file = self.synced()
        self.emulator.edit_file(file.cloud_file_id, appProperties={})
        self.assertEqual(self.reconcile()["fixed"], 1)
        self.emulator.clear_requests()
        self.assertEqual(self.reconcile()["fixed"], 0)
        self.assertEqual(self.emulator.count("files.get"), 0)

    def test_other_google_account_changes_nothing(self):
        files = self.synced(3, keep=False)
        grant = self.emulator.grant(
            email="stranger@example.com", client_id=self.auth.client_id
        )
        self.auth.write(
            {
                "access_token": grant["access_token"],
                "refresh_token": grant["refresh_token"],
            }
        )
        self.assertEqual(self.reconcile()["errors"], 1)
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"synced"})
        self.assertIn("another Google account", self.run_of().message)

    def test_configuration_switched_to_another_account(self):
        files = self.synced(2, keep=False)
        self.config.auth_id = self.make_account("second@example.com")
        self.emulator.edit_file(files[0].cloud_file_id, trashed=True)
        report = self.reconcile()
        self.assertEqual((report["checked"], report["fixed"]), (2, 1))
        self.assertAllWell()


class TestReconcileRows(ReconcileCase):
    """Rows that contradict where their bytes are."""

    def test_remote_file_without_its_link(self):
        file = self.synced(keep=False)
        content = file.raw
        for values in ("type = 'binary', url = NULL", "url = '/cloud_storage/file/1'"):
            with self.subTest(values):
                self.cr.execute(
                    "UPDATE ir_attachment SET %s WHERE id = %%s" % values, (file.id,)
                )
                self.assertEqual(self.reconcile()["fixed"], 1)
                self.assertEqual(file.url, "/cloud_storage/file/%d" % file.id)
                self.assertEqual((file.type, file.raw), ("url", content))

    def test_link_without_a_file(self):
        file = self.make_attachments(1)
        self.cr.execute(
            "UPDATE ir_attachment SET type = 'url', cloud_sync_status = 'synced',"
            " url = '/cloud_storage/file/' || id WHERE id = %s",
            (file.id,),
        )
        self.assertEqual(self.reconcile()["fixed"], 1)
        self.assertEqual((file.type, file.cloud_sync_status), ("binary", "local"))

    def test_link_that_a_person_made(self):
        file = self.synced(keep=False)
        link = self.env["ir.attachment"].create(
            {"name": "see there", "type": "url", "url": file.url}
        )
        self.assertEqual(self.reconcile()["fixed"], 0)
        self.assertEqual((link.type, link.url), ("url", file.url))
        self.assertAllWell()

    def test_local_file_with_the_address_of_a_link(self):
        self.config.replace_local_with_cloud = False
        file = self.synced()
        self.cr.execute(
            "UPDATE ir_attachment SET url = '/cloud_storage/file/' || id WHERE id = %s",
            (file.id,),
        )
        self.assertEqual(self.reconcile()["fixed"], 1)
        self.assertEqual((file.type, file.url), ("binary", False))
        self.assertAllWell()

    def test_switch_of_the_configuration_is_followed(self):
        file = self.synced()
        self.assertEqual(file.type, "url")
        self.config.replace_local_with_cloud = False
        self.assertEqual(self.reconcile()["fixed"], 1)
        self.assertEqual((file.type, file.url), ("binary", False))
        self.config.replace_local_with_cloud = True
        self.assertEqual(self.reconcile()["fixed"], 1)
        self.assertEqual(file.type, "url")

    def test_local_file_lost(self):
        file = self.synced()
        content = file.raw
        os.unlink(self.local_path(file))
        self.assertEqual(self.reconcile()["fixed"], 1)
        self.assertFalse(file.store_fname)
        self.assertEqual(file.raw, content)
        self.assertAllWell()


class TestReconcileManners(ReconcileCase):
    """How it behaves."""

    def test_limit_holds_for_writes(self):
        files = self.synced(5)
        for file in files:
            self.emulator.edit_file(file.cloud_file_id, name="another.txt")
        self.assertEqual(self.reconcile(2)["fixed"], 2)
        names = [f["name"] for f in self.emulator.files()]
        self.assertEqual(names.count("another.txt"), 3)
        self.assertEqual(self.reconcile(2)["fixed"], 2)
        self.assertEqual(self.reconcile(2)["fixed"], 1)
        self.assertAllWell()

    def test_limit_holds_for_rows(self):
        files = self.synced(4, keep=False)
        self.cr.execute(
            "UPDATE ir_attachment SET type = 'binary' WHERE id IN %s",
            (tuple(files.ids),),
        )
        self.assertEqual(self.reconcile(3)["fixed"], 3)
        self.assertEqual(self.reconcile(3)["fixed"], 1)

    def test_list_that_lags_behind(self):
        self.emulator.set_list_lag(requests=100)
        files = self.synced(3, keep=False)
        self.emulator.edit_file(files[0].cloud_file_id, trashed=True)
        report = self.reconcile()
        self.assertEqual((report["missing"], report["fixed"]), (0, 1))
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"synced"})

    def assertUntouched(self, files):
        """Nothing about the files or the account was changed by a failure."""
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"synced"})
        self.assertFalse(any(files.mapped("cloud_error_message")))
        self.assertEqual(self.auth.state, "authorized")

    def test_outage_changes_nothing(self):
        files = self.synced(3)
        self.emulator.remove_file(files[0].cloud_file_id)
        for route in ("files.list", "files.get"):
            with self.subTest(route):
                self.emulator.fault(route, times=-1, status=503)
                self.assertEqual(self.reconcile()["errors"], 1)
                self.assertUntouched(files)
                self.assertEqual(self.run_of().state, "failed")
                self.emulator.clear_faults()
        self.breaker.success()

    def test_storm_of_429_changes_nothing(self):
        files = self.synced(3)
        self.emulator.remove_file(files[0].cloud_file_id)
        self.emulator.fault("files.get", times=-1, status=429)
        self.reconcile()
        self.assertUntouched(files)

    def test_account_that_can_not_even_begin_stops_no_other(self):
        """Its run was seen by nobody yet when the database gave no connection."""
        second = self.make_account("second@example.com")
        self.cr.commit()
        tried, keep_alive = [], runner.keep_alive

        def refusing(run):
            tried.append(run._get_params()["auth_id"])
            if len(tried) == 1:
                raise PoolError("The Connection Pool Is Full")
            return keep_alive(run)

        with patch.object(runner, "keep_alive", refusing), mute_logger(ACCOUNTS):
            report = self.reconcile()
        self.assertEqual(tried, [self.auth.id, second.id])
        self.assertEqual(report["errors"], 1)

    def test_run_reports(self):
        files = self.synced(3, keep=False)
        self.emulator.remove_file(files[0].cloud_file_id)
        self.emulator.edit_file(files[1].cloud_file_id, trashed=True)
        self.reconcile()
        run = self.run_of()
        self.assertEqual(run.state, "done")
        self.assertEqual(run.message, "3 checked, 1 fixed, 1 missing, 0 errors.")
        statuses = dict(run.log_ids.mapped(lambda log: (log.attachment_id, log.status)))
        self.assertEqual(statuses, {files[0]: "error", files[1]: "success"})

    def test_button_works_in_the_background(self):
        file = self.synced()
        self.emulator.edit_file(file.cloud_file_id, trashed=True)
        action = self.config.action_reconcile()
        run = self.env["cloud_storage.sync.run"].browse(action["res_id"])
        self.assertEqual(run.state, "queued")
        self.env["cloud_storage.sync.service"].automatic_sync()
        self.assertEqual((run.state, run.total_success), ("done", 1))

    def test_only_managers(self):
        user = self.make_user("user", "base.group_user")
        service = self.env["cloud_storage.sync.service"].with_user(user)
        for call in (service.reconcile_cloud_references, service.check_invariants):
            with self.assertRaises(AccessError):
                call()

    def test_manager_may(self):
        user = self.make_user(
            "manager", "base.group_user", "cloud_storage.group_cloud_storage_manager"
        )
        file = self.synced(keep=False)
        self.emulator.remove_file(file.cloud_file_id)
        self.cr.commit()
        service = self.env["cloud_storage.sync.service"].with_user(user)
        self.assertEqual(service.reconcile_cloud_references()["missing"], 1)
        self.assertEqual(len(service.check_invariants()), 0)


class TestReconcileMany(ReconcileCase):
    """Thousands of files."""

    COUNT = 5000

    def test_one_list_call_per_thousand_files(self):
        first = self.synced()
        row = self.drive_file(first.cloud_file_id)
        properties = dict(row["appProperties"])
        ids = [
            self.emulator.put_file(
                first.name,
                b"",
                parents=row["parents"],
                client_id=self.auth.client_id,
                appProperties=properties,
            )
            for _i in range(self.COUNT - 1)
        ]
        self.cr.execute(
            "INSERT INTO ir_attachment (name, type, res_model, res_id, url, file_size,"
            " cloud_file_id, cloud_md5, cloud_size_bytes, cloud_auth_id,"
            " cloud_sync_status, create_date)"
            " SELECT %s, 'url', 'res.partner', %s, NULL, 0, drive_id, %s, 0, %s,"
            " 'synced', now() FROM unnest(%s) AS drive_id",
            (
                first.name,
                first.res_id,
                "d41d8cd98f00b204e9800998ecf8427e",
                self.auth.id,
                ids,
            ),
        )
        for file_id in ids[:3]:
            self.emulator.edit_file(file_id, trashed=True)
        self.emulator.remove_file(ids[3])
        self.emulator.clear_requests()
        report = self.reconcile(10)
        self.assertEqual(report["checked"], self.COUNT)
        self.assertEqual((report["fixed"], report["missing"]), (4, 1))
        self.assertEqual(self.emulator.count("files.list"), self.COUNT // 1000)
        # one for the missing file, one for the folder of its next upload
        self.assertEqual(self.emulator.count("files.get"), 2)


class TestReconcileStates(ContentCase):
    """What people or a consent did to rows and accounts in between."""

    def test_other_google_account_is_noticed_after_a_sync_as_well(self):
        old = self.make_in("drive")
        kept = self.make_in("both")
        kept_id = kept.cloud_file_id
        grant = self.emulator.grant(
            email="other@example.com", client_id=self.auth.client_id
        )
        self.auth.write({name: grant[name] for name in ("access_token", "refresh_token")})
        self.make_in("both")
        self.env["cloud_storage.sync.service"].reconcile_cloud_references()
        self.fresh()
        self.assertEqual(old.cloud_sync_status, "synced")
        self.assertEqual(kept.cloud_file_id, kept_id)

    def test_flagged_file_that_was_retried_in_vain_is_healed(self):
        """Whatever sets a file to local that is only in Drive: it is judged, and heals."""
        service = self.env["cloud_storage.sync.service"]
        for retry in ("button", "by hand"):
            with self.subTest(retry):
                attachment = self.in_drive(b"away")
                drive_id = attachment.cloud_file_id
                self.emulator.edit_file(drive_id, content=b"else")
                self.cr.commit()
                service.reconcile_cloud_references()
                self.fresh()
                self.assertEqual(attachment.cloud_sync_status, "error")
                if retry == "button":
                    self.assertFalse(attachment._retry_cloud_sync())
                else:
                    attachment.cloud_sync_status = "local"
                    self.assertFalse(attachment.sync_to_cloud())
                self.emulator.edit_file(drive_id, content=b"away")
                service.reconcile_cloud_references()
                self.fresh()
                self.assertEqual(attachment.cloud_sync_status, "synced")
                self.assertFalse(attachment.cloud_error_message)

    def test_retry_looks_again_at_what_is_only_in_drive(self):
        attachment = self.in_drive(b"away")
        self.emulator.edit_file(attachment.cloud_file_id, content=b"else")
        self.cr.commit()
        self.env["cloud_storage.sync.service"].reconcile_cloud_references()
        self.emulator.edit_file(attachment.cloud_file_id, content=b"away")
        self.fresh()
        attachment._retry_cloud_sync()
        self.fresh()
        self.assertEqual(attachment.cloud_sync_status, "synced")
        self.assertEqual(attachment.raw, b"away")

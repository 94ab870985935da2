"""Files in Drive that nothing uses: linked where content is lacking, else they wait."""
import hashlib
import os
from datetime import timedelta

from odoo import fields

from ..engine.outbox.deliver import deliver
from .test_reconcile_rescue import RescueCase

#: What the row of an attachment is to a backup made before the file left.
BEFORE = (
    "store_fname = %s, type = 'binary', url = NULL, cloud_sync_status = 'local',"
    " cloud_file_id = NULL, cloud_auth_id = NULL, cloud_md5 = NULL, cloud_sha1 = NULL,"
    " cloud_size_bytes = NULL, cloud_synced_date = NULL"
)


class UnusedCase(RescueCase):
    """Databases that went back in time."""

    def back_to_backup(self, file):
        """Make the row what it was before its file left; the filestore has not got it."""
        sha1 = file.checksum
        file.flush()
        self.cr.execute(
            "UPDATE ir_attachment SET " + BEFORE + " WHERE id = %s",
            ("%s/%s" % (sha1[:2], sha1), file.id),
        )
        self.cr.execute("DELETE FROM cloud_storage_trash")
        self.fresh()

    def lost_file(self, content=b"lost for good"):
        """An attachment whose file is missing in the filestore."""
        file = self.make_attachment(content)
        self.cr.commit()
        os.unlink(self.local_path(file))
        return file

    def first_seen(self, days):
        """Unused files were first seen so many days ago."""
        self.cr.execute(
            "UPDATE cloud_storage_unused_file SET first_seen ="
            " (now() at time zone 'UTC') - %s * interval '1 day'",
            (days,),
        )
        self.cr.commit()

    def is_trashed(self, file_id):
        return self.drive_file(file_id)["trashed"]


class TestBackInTime(UnusedCase):
    """A backup does not know what left after it was made."""

    def test_the_only_copy_is_linked_again(self):
        file = self.synced(keep=False)
        content, drive_id = file.raw, file.cloud_file_id
        self.emulator.edit_file(drive_id, createdTime=1.0)  # far beyond any grace
        self.back_to_backup(file)
        self.config.is_active = False
        texts = [text for _subject, text in self.reconcile_by_mail()]
        self.assertFalse(self.is_trashed(drive_id))
        self.assertEqual((file.cloud_file_id, file.raw), (drive_id, content))
        self.assertEqual(file.cloud_sync_status, "synced")
        self.assertEqual(file.cloud_sha1, hashlib.sha1(content).hexdigest())
        self.assertIn("1 linked again", self.message())
        self.assertIn("1 linked again", "".join(texts))
        self.assertAllWell()

    def test_the_only_copy_in_the_trash_of_drive_is_linked_again(self):
        file = self.synced(keep=False)
        content, drive_id = file.raw, file.cloud_file_id
        self.emulator.edit_file(drive_id, trashed=True)
        self.back_to_backup(file)
        self.reconcile()
        self.assertFalse(self.is_trashed(drive_id))
        self.assertEqual(file.raw, content)

    def test_another_attachment_with_that_content(self):
        file = self.synced(keep=False)
        content, drive_id = file.raw, file.cloud_file_id
        other = self.make_attachment(content)
        self.cr.commit()
        file.unlink()
        self.cr.execute("DELETE FROM cloud_storage_trash")
        self.collect_garbage()
        os.unlink(self.local_path(other))
        self.reconcile()
        self.assertEqual((other.cloud_file_id, other.raw), (drive_id, content))

    def test_a_file_with_another_content_is_not_linked(self):
        file = self.synced(keep=False)
        drive_id = file.cloud_file_id
        self.back_to_backup(file)
        self.emulator.edit_file(drive_id, content=b"edited by somebody")
        self.reconcile()
        self.assertFalse(file.cloud_file_id)
        self.first_seen(days=100)
        self.reconcile()
        self.assertFalse(self.is_trashed(drive_id))

    def test_a_file_whose_sha1_drive_does_not_tell_is_not_linked(self):
        file = self.synced(keep=False)
        drive_id = file.cloud_file_id
        self.back_to_backup(file)
        self.emulator.fault("*", times=-1, omit=["sha1Checksum"])
        self.reconcile()
        self.assertFalse(file.cloud_file_id)
        self.assertFalse(self.is_trashed(drive_id))
        self.emulator.clear_faults()
        self.reconcile()
        self.assertEqual(file.cloud_file_id, drive_id)

    def test_an_attachment_with_other_bytes_is_left_alone(self):
        """The mark names it, its checksum fits; its bytes are newer."""
        file = self.synced(keep=False)
        drive_id, sha1 = file.cloud_file_id, file.checksum
        self.back_to_backup(file)
        self.write_file(file, b"newer")
        self.reconcile()
        self.env["cloud_storage.sync.service"]._relink_from_drive()
        self.fresh()
        self.assertNotEqual(file.cloud_file_id, drive_id)
        self.assertEqual((file.raw, file.checksum), (b"newer", sha1))

    def write_file(self, file, content):
        path = self.local_path(file)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as target:
            target.write(content)
        self.addCleanup(os.unlink, path)

    def test_gone_file_is_linked_to_an_unused_one_with_its_content(self):
        file = self.synced(keep=False)
        content, old_id = file.raw, file.cloud_file_id
        copy_id = self.emulator.put_file(
            "copy.txt",
            content,
            client_id=self.auth.client_id,
            appProperties=self.drive_file(old_id)["appProperties"],
        )
        self.emulator.remove_file(old_id)
        self.reconcile()
        self.assertEqual(file.cloud_file_id, copy_id)
        self.assertEqual((file.cloud_sync_status, file.raw), ("synced", content))


class TestNothingIsTrashed(UnusedCase):
    """While an attachment lacks its content, Drive keeps all that is there."""

    def test_unused_files_stay(self):
        lost, extra = self.lost_file(), self.extra()
        self.reconcile()
        self.first_seen(days=100)
        self.reconcile()
        self.assertFalse(self.is_trashed(extra))
        self.assertFalse(self.env["cloud_storage.trash"].search([]))
        self.assertIn(
            "1 files stay in Drive because 1 attachments have no content", self.message()
        )
        self.assertIn(str(lost.id), self.message())
        lost.unlink()
        self.cr.commit()
        self.reconcile()
        self.assertTrue(self.is_trashed(extra))

    def test_files_of_deleted_attachments_stay(self):
        lost, file = self.lost_file(), self.synced(keep=False)
        drive_id = file.cloud_file_id
        file.unlink()
        self.cr.commit()
        self.assertEqual(deliver(self.env), 0)
        self.assertFalse(self.is_trashed(drive_id))
        lost.unlink()
        self.cr.commit()
        self.assertEqual(deliver(self.env), 1)
        self.assertTrue(self.is_trashed(drive_id))

    def test_names_still_follow(self):
        self.lost_file()
        file = self.synced(keep=False)
        file.name = "renamed.txt"
        file.flush()
        self.cr.commit()
        self.assertEqual(deliver(self.env), 1)

    def test_flagged_attachments_lack_their_content(self):
        gone, file = self.synced(2, keep=False)
        drive_id = file.cloud_file_id
        self.emulator.remove_file(gone.cloud_file_id)
        self.reconcile()
        self.assertEqual(gone.cloud_sync_status, "error")
        file.unlink()
        self.cr.commit()
        deliver(self.env)
        self.assertFalse(self.is_trashed(drive_id))

    def test_system_files_do_not_count(self):
        """They never go to Drive, and caches of Odoo come and go."""
        asset = self.lost_file()
        self.set_row(asset, "res_model = 'ir.ui.view'")
        file = self.synced(keep=False)
        drive_id = file.cloud_file_id
        file.unlink()
        self.cr.commit()
        deliver(self.env)
        self.assertTrue(self.is_trashed(drive_id))

    def test_it_is_mailed_once(self):
        self.lost_file()
        self.extra()
        self.reconcile()
        self.first_seen(days=100)
        self.assertEqual(len(self.reconcile_by_mail()), 1)
        self.assertEqual(len(self.reconcile_by_mail()), 0)

    def test_files_of_a_neighbour_are_never_trashed(self):
        file = self.synced(keep=False)
        drive_id = file.cloud_file_id
        mark = dict(self.drive_file(drive_id)["appProperties"], odoo_db="another")
        self.emulator.edit_file(drive_id, appProperties=mark, name="theirs.txt")
        self.reconcile()
        self.assertEqual(self.drive_file(drive_id)["name"], "theirs.txt")
        file.unlink()
        self.cr.commit()
        deliver(self.env)
        self.assertFalse(self.is_trashed(drive_id))
        self.assertFalse(self.env["cloud_storage.trash"].search([]))


class TestGrace(UnusedCase):
    """It counts from the first night a file was seen unused."""

    def unused(self):
        return self.env["cloud_storage.unused.file"].sudo().search([])

    def test_age_of_the_file_does_not_count(self):
        extra = self.extra(age_days=400)
        self.assertEqual(self.reconcile()["fixed"], 0)
        self.assertFalse(self.is_trashed(extra))
        self.assertEqual(self.unused().drive_file_id, extra)
        self.assertIn("1 files that nothing uses wait", self.message())
        self.first_seen(days=6)
        self.reconcile()
        self.assertFalse(self.is_trashed(extra))
        self.first_seen(days=8)
        self.assertEqual(self.reconcile()["fixed"], 1)
        self.assertTrue(self.is_trashed(extra))
        self.assertIn("1 went to the trash", self.message())
        self.assertFalse(self.unused())

    def test_grace_is_a_parameter(self):
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("cloud_storage.orphan_grace_days", "0")
        self.addCleanup(self.cr.commit)
        self.addCleanup(
            parameters.set_param, "cloud_storage.orphan_grace_days", False
        )
        extra = self.extra()
        self.reconcile()
        self.assertTrue(self.is_trashed(extra))

    def test_forgotten_when_it_is_used_again(self):
        extra = self.extra()
        self.reconcile()
        file = self.synced(keep=False)
        before = file.cloud_file_id
        self.set_row(file, "cloud_file_id = '%s'" % extra)
        self.reconcile()
        self.assertNotIn(extra, self.unused().mapped("drive_file_id"))
        self.set_row(file, "cloud_file_id = '%s'" % before)
        self.cr.execute("DELETE FROM cloud_storage_trash")
        self.first_seen(days=100)
        self.reconcile()
        self.assertFalse(self.is_trashed(extra))
        first = self.unused().filtered(lambda one: one.drive_file_id == extra).first_seen
        self.assertLess(fields.Datetime.now() - first, timedelta(hours=1))

    def test_an_outage_forgets_nothing(self):
        self.extra()
        self.reconcile()
        self.first_seen(days=3)
        before = self.unused().first_seen
        self.emulator.fault("files.list", times=-1, status=503)
        self.reconcile()
        self.breaker.success()
        self.assertEqual(self.unused().first_seen, before)


class TestAdopted(UnusedCase):
    """Attachments made for files whose own is gone altogether."""

    def lost_row(self, **vals):
        """The Drive file of an attachment that this database does not know."""
        file = self.synced(keep=False, **vals)
        content, drive_id = file.raw, file.cloud_file_id
        self.cr.execute("DELETE FROM ir_attachment WHERE id = %s", (file.id,))
        self.cr.execute("DELETE FROM cloud_storage_trash")
        self.fresh()
        return content, drive_id

    def relink(self):
        self.cr.commit()
        report = self.env["cloud_storage.sync.service"]._relink_from_drive()
        self.fresh()
        return report

    def adopted(self, drive_id):
        return self.env["ir.attachment"].search([("cloud_file_id", "=", drive_id)])

    def test_verified_and_private(self):
        content, drive_id = self.lost_row()
        self.assertEqual(self.relink()["created"], 1)
        file = self.adopted(drive_id)
        self.assertFalse(file.public or file.access_token)
        self.assertEqual(file.cloud_sha1, hashlib.sha1(content).hexdigest())
        self.assertEqual(file.raw, content)
        self.assertAllWell()

    def test_not_without_a_sha1(self):
        _content, drive_id = self.lost_row()
        self.emulator.fault("*", times=-1, omit=["sha1Checksum"])
        report = self.relink()
        self.assertEqual((report["created"], report["errors"]), (0, 1))
        self.assertFalse(self.adopted(drive_id))

    def test_not_from_the_trash_of_drive(self):
        _content, drive_id = self.lost_row()
        self.emulator.edit_file(drive_id, trashed=True)
        self.assertEqual(self.relink()["created"], 0)

    def test_a_copy_in_the_trash_is_none(self):
        """Another attachment has that content in a file that Drive is about to purge."""
        self.config.deduplicate = False
        other = self.synced(keep=False, content=b"the same")
        self.reconcile()
        content, drive_id = self.lost_row(content=b"the same")
        self.emulator.edit_file(other.cloud_file_id, trashed=True)
        self.assertEqual(self.relink()["created"], 1)
        self.assertEqual(self.adopted(drive_id).raw, content)

    def test_field_that_has_a_newer_file(self):
        """The file of a binary field does not hide the one that is there now."""
        partner = self.env.ref("base.main_partner")
        content, drive_id = self.lost_row()
        partner.image_1920 = False
        here = self.make_attachment(
            b"now", res_id=partner.id, res_field="image_1920", name="image_1920"
        )
        mark = self.drive_file(drive_id)["appProperties"]
        mark["odoo_record"] = "res.partner,%d,image_1920" % partner.id
        self.emulator.edit_file(drive_id, appProperties=mark)
        self.relink()
        file = self.adopted(drive_id)
        self.assertEqual((file.res_field, file.res_id), (False, partner.id))
        self.assertEqual((file.raw, here.raw), (content, b"now"))


class TestUnusedInvariants(UnusedCase):
    """The checker knows these rules."""

    def problems(self):
        self.fresh()
        found = self.env["cloud_storage.sync.service"].check_invariants()
        return [(one["invariant"], one["attachment_id"]) for one in found]

    def test_content_in_drive_that_is_not_linked(self):
        file = self.synced(keep=False)
        self.back_to_backup(file)
        self.assertIn((11, file.id), self.problems())

    def test_sha1_of_drive_is_another(self):
        file = self.synced(keep=False)
        self.set_row(file, "cloud_sha1 = repeat('1', 40)")
        self.assertIn((1, file.id), self.problems())

    def test_remote_file_that_would_be_uploaded(self):
        for columns in ("cloud_sync_status = 'local'", "cloud_sync_status = NULL"):
            with self.subTest(columns):
                file = self.synced(keep=False)
                self.set_row(file, columns)
                self.assertIn((11, file.id), self.problems())

    def test_used_file_that_is_noted_as_unused(self):
        file = self.synced(keep=False)
        self.env["cloud_storage.unused.file"].sudo().create(
            {"auth_id": self.auth.id, "drive_file_id": file.cloud_file_id}
        )
        self.assertIn((11, False), self.problems())

    def test_an_answer_that_lacks_fields_is_no_problem(self):
        self.synced(keep=False)
        self.emulator.fault("*", times=-1, omit=["sha1Checksum", "md5Checksum"])
        self.assertEqual(self.problems(), [])

import time

from odoo.exceptions import UserError

from ..engine.outbox.deliver import deliver
from ..engine.transaction import Deadline
from .common_content import ContentCase


class TestTrash(ContentCase):
    """The queue of what Drive has to learn: never early, never lost."""

    def process(self):
        """Tell Drive what is in the queue and due."""
        self.cr.commit()
        return deliver(self.env)

    def queue(self):
        """Rows that wait."""
        return self.env["cloud_storage.trash"].search([])

    def test_only_after_commit(self):
        attachment = self.in_drive()
        attachment.unlink()
        with self.other_transaction() as env:
            deliver(env)
        self.assertTrue(self.drive_files())
        self.assertEqual(self.process(), 1)
        self.assertFalse(self.drive_files())
        self.assertTrue(self.emulator.files(trashed=True))
        self.assertFalse(self.queue())

    def test_whatever_deletes_the_row(self):
        partner = self.env["res.partner"].create({"name": "Goes"})
        ways = {
            "ORM": lambda a: a.unlink(),
            "SQL": lambda a: self.cr.execute(
                "DELETE FROM ir_attachment WHERE id = %s", (a.id,)
            ),
            "record": lambda a: partner.unlink(),
        }
        for name, delete in ways.items():
            with self.subTest(way=name):
                vals = {"res_id": partner.id} if name == "record" else {}
                attachment = self.in_drive(**vals)
                attachment.flush()
                delete(attachment)
                self.assertEqual(self.process(), 1)
                self.assertFalse(self.drive_files())

    def test_garbage_collection_of_transient_models(self):
        wizard = self.env["base.language.export"].create({})
        attachment = self.in_drive()
        attachment.write({"res_model": wizard._name, "res_id": wizard.id})
        self.cr.execute(
            "UPDATE base_language_export SET write_date = now() - interval '9 days',"
            " create_date = now() - interval '9 days'"
        )
        self.env.cache.invalidate()
        wizard._transient_vacuum()
        self.assertFalse(attachment.exists())
        self.assertEqual(self.process(), 1)

    def test_a_long_wait_ends_with_the_deadline(self):
        """What Google asks to wait may be longer than anybody has time."""
        self.in_drive().unlink()
        self.cr.commit()
        self.emulator.fault("files.get", times=-1, status=429, retry_after=60)
        started = time.monotonic()
        self.assertEqual(deliver(self.env, Deadline(1)), 0)
        self.assertLess(time.monotonic() - started, 20)
        self.assertEqual(self.queue().attempts, 0)  # it was not refused

    def test_outage(self):
        attachment = self.in_drive()
        drive_id = attachment.cloud_file_id
        attachment.unlink()
        self.emulator.fault("files.update", times=-1, status=503)
        self.assertEqual(self.process(), 0)
        row = self.queue()
        self.assertEqual((row.drive_file_id, row.attempts), (drive_id, 1))
        self.assertGreater(row.next_attempt, row.queued_at)
        self.emulator.clear_faults()
        self.assertEqual(self.process(), 0)  # not due yet
        row.next_attempt = row.queued_at
        self.breaker.success()
        self.assertEqual(self.process(), 1)
        self.assertTrue(self.drive_file(drive_id)["trashed"])

    def test_a_mass_deletion_is_done_in_one_turn(self):
        files = self.make_attachments(450)
        self.sync()
        self.env["ir.attachment"].browse(files.ids).unlink()
        self.assertEqual(self.process(), 450)
        self.assertFalse(self.drive_files())

    def test_the_time_box_holds_and_the_rest_goes_on(self):
        files = self.make_attachments(5)
        self.sync()
        files.unlink()
        self.cr.commit()
        self.assertEqual(deliver(self.env, Deadline(0)), 0)
        self.assertEqual(len(self.queue()), 5)
        self.assertEqual(self.process(), 5)

    def test_drive_learns_soon(self):
        """Not only with the next turn of a cron, which may be an hour away."""
        if "ir.cron.trigger" not in self.env:
            self.skipTest("this Odoo has no triggers for crons")
        self.let_crons_sleep()
        triggers = self.env["ir.cron.trigger"]
        local = self.make_attachment()
        for change in ("rename", "unlink"):
            with self.subTest(change=change):
                gone, renamed = self.in_drive(), self.in_drive()
                triggers.search([]).unlink()
                self.cr.commit()
                if change == "unlink":
                    local.unlink()
                    self.assertFalse(triggers.search([]))
                    (gone | self.in_drive()).unlink()
                else:
                    local.name = "other.txt"
                    local.flush()
                    self.assertFalse(triggers.search([]))
                    renamed.name = "other.txt"
                    gone.name = "another.txt"
                    gone.flush()
                self.assertEqual(triggers.search([]).cron_id, self.queue_cron)
                self.assertEqual(len(triggers.search([])), 1)
                self.run_crons()
                self.assertFalse(self.queue())

    def test_gone_already(self):
        attachment = self.in_drive()
        self.emulator.remove_file(attachment.cloud_file_id)
        attachment.unlink()
        self.assertEqual(self.process(), 0)
        self.assertFalse(self.queue())

    def test_refusals_that_may_pass_wait(self):
        """What is refused of the project or the account says nothing about the file."""
        self.in_drive().unlink()
        for reason in ("accessNotConfigured", "appNotAuthorizedToFile", "domainPolicy"):
            with self.subTest(reason=reason):
                self.emulator.fault("files.update", status=403, reason=reason)
                self.assertEqual(self.process(), 0)
                self.assertEqual(len(self.queue()), 1)
                self.queue().write({"next_attempt": False})
        self.assertEqual(self.process(), 1)
        self.assertFalse(self.drive_files())

    def test_refusal_of_this_very_file(self):
        """It will never be this account's to trash."""
        self.in_drive().unlink()
        reason = "insufficientFilePermissions"
        self.emulator.fault("files.update", status=403, reason=reason)
        self.assertEqual(self.process(), 0)
        self.assertFalse(self.queue())

    def test_lost_answer(self):
        self.in_drive().unlink()
        self.emulator.fault("files.update", lose_answer=True)
        self.assertEqual(self.process(), 1)
        self.assertFalse(self.drive_files())

    def test_duplicates_share_a_file(self):
        one, two = self.in_drive(b"same"), self.in_drive(b"same")
        self.assertEqual(one.cloud_file_id, two.cloud_file_id)
        drive_id = two.cloud_file_id
        one.raw = b"not the same any more"
        self.assertEqual(self.process(), 1, "it is marked as the other's")
        self.assertFalse(self.drive_file(drive_id)["trashed"])
        self.assertFalse(self.queue())
        self.forget()
        self.assertEqual(two.raw, b"same")
        two.unlink()
        self.assertEqual(self.process(), 1)

    def test_account_that_is_gone(self):
        self.in_drive().unlink()
        self.cr.execute("UPDATE cloud_storage_trash SET auth_id = 0")
        self.assertEqual(self.process(), 0)
        self.assertFalse(self.queue())

    def test_account_with_files_to_trash_can_not_be_deleted(self):
        self.in_drive().unlink()
        self.cr.commit()
        self.config.unlink()
        self.cr.commit()
        with self.assertRaisesRegex(UserError, "1 files of deleted attachments"):
            self.auth.unlink()
        self.assertEqual(self.process(), 1)
        self.assertFalse(self.drive_files())
        self.assertTrue(self.auth.unlink())

    def test_account_that_is_of_no_use_can_be_deleted(self):
        self.in_drive().unlink()
        self.cr.commit()
        self.config.unlink()
        self.auth.is_active = False
        self.cr.commit()
        self.assertTrue(self.auth.unlink())

    def test_upload_session_goes_with_the_row(self):
        attachment = self.make_in("filestore")
        attachment.write(
            {"cloud_reserved_id": "reserved", "cloud_upload_session": "https://secret"}
        )
        attachment.flush()
        self.cr.execute("DELETE FROM ir_attachment WHERE id = %s", (attachment.id,))
        secrets = self.env["cloud_storage.secret"].search(
            [("res_model", "=", "ir.attachment"), ("res_id", "=", attachment.id)]
        )
        self.assertFalse(secrets)

    # -- names ---------------------------------------------------------------------------

    def test_name_follows(self):
        attachment = self.in_drive(name="before.txt")
        self.assertEqual(self.drive_file(attachment.cloud_file_id)["name"], "before.txt")
        attachment.name = "in between.txt"
        attachment.name = "after «日本».txt"
        attachment.flush()
        self.assertEqual(self.process(), 1)
        self.assertEqual(
            self.drive_file(attachment.cloud_file_id)["name"], "after «日本».txt"
        )

    def test_name_follows_after_an_outage(self):
        attachment = self.in_drive(name="before.txt")
        attachment.name = "after.txt"
        self.emulator.fault("files.update", times=-1, status=500)
        self.assertEqual(self.process(), 0)
        self.emulator.clear_faults()
        self.queue().write({"next_attempt": False})
        self.breaker.success()
        self.assertEqual(self.process(), 1)
        self.assertEqual(self.drive_file(attachment.cloud_file_id)["name"], "after.txt")

    def test_renamed_and_deleted(self):
        attachment = self.in_drive()
        drive_id = attachment.cloud_file_id
        attachment.name = "last words.txt"
        attachment.flush()
        attachment.unlink()
        self.assertEqual(self.process(), 1)
        self.assertTrue(self.drive_file(drive_id)["trashed"])
        self.assertFalse(self.queue())

    def test_name_written_but_not_changed(self):
        attachment = self.in_drive(name="same.txt")
        attachment.write({"name": "same.txt"})
        local = self.make_in("filestore")
        local.write({"name": "of a local file.txt"})
        attachment.flush()
        self.assertFalse(self.queue())

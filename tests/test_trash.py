from .common_content import ContentCase


class TestTrash(ContentCase):
    """The queue of what Drive has to learn: never early, never lost."""

    def process(self):
        """Tell Drive what is in the queue and due."""
        self.cr.commit()
        return self.env["cloud_storage.trash"]._process()

    def queue(self):
        """Rows that wait."""
        return self.env["cloud_storage.trash"].search([])

    def test_only_after_commit(self):
        attachment = self.in_drive()
        attachment.unlink()
        with self.other_transaction() as env:
            env["cloud_storage.trash"]._process()
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
        self.auth._pacing()[1].success()
        self.assertEqual(self.process(), 1)
        self.assertTrue(self.drive_file(drive_id)["trashed"])

    def test_gone_already(self):
        attachment = self.in_drive()
        self.emulator.remove_file(attachment.cloud_file_id)
        attachment.unlink()
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
        one.raw = b"not the same any more"
        self.assertEqual(self.process(), 0)
        self.forget()
        self.assertEqual(two.raw, b"same")
        two.unlink()
        self.assertEqual(self.process(), 1)

    def test_account_that_is_gone(self):
        self.in_drive().unlink()
        self.cr.execute("UPDATE cloud_storage_trash SET auth_id = 0")
        self.assertEqual(self.process(), 0)
        self.assertFalse(self.queue())

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
        self.auth._pacing()[1].success()
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

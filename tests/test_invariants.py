import os

from .test_reconcile import ReconcileCase

#: What a broken row looks like, and the invariant that it breaks.
BROKEN_ROWS = [
    (1, False, "store_fname = NULL, type = 'binary', url = NULL, cloud_file_id = NULL"),
    (3, False, "type = 'binary'"),
    (3, False, "url = '/cloud_storage/file/1'"),
    (3, True, "cloud_keep_local = TRUE, type = 'url'"),
    (3, True, "type = 'binary', url = '/cloud_storage/file/' || id"),
    (
        3,
        True,
        "type = 'binary', url = '/cloud_storage/file/' || id, cloud_file_id = NULL,"
        " cloud_sync_status = 'local'",
    ),
    (4, True, "cloud_file_id = NULL, cloud_sync_status = 'local'"),
    (4, True, "cloud_file_id = NULL, type = 'binary', url = NULL"),
    (7, True, "res_model = NULL"),
    (7, True, "res_model = 'ir.ui.view'"),
    (9, True, "file_size = 1"),
    (9, True, "checksum = NULL"),
]


class TestInvariants(ReconcileCase):
    """The checker finds what it is there to find, and nothing else."""

    def check(self, **options):
        self.cr.commit()
        return self.env["cloud_storage.sync.service"].check_invariants(**options)

    def test_all_is_well(self):
        self.synced(2)
        self.synced(2, keep=False)
        self.make_attachments(2)
        self.assertEqual(self.check(), [])

    def test_links_of_persons_are_well(self):
        file = self.synced()
        self.env["ir.attachment"].create(
            {"name": "see there", "type": "url", "url": file.url}
        )
        self.assertEqual(self.check(), [])

    def test_reads_only(self):
        self.synced(3)
        self.emulator.clear_requests()
        self.check()
        self.assertEqual(self.emulator.count(), 1)
        self.assertEqual(self.emulator.count("files.list"), 1)
        self.check(with_drive=False)
        self.assertEqual(self.emulator.count(), 1)

    def test_broken_rows(self):
        for invariant, keep, change in BROKEN_ROWS:
            with self.subTest(change):
                file = self.synced(keep=keep)
                self.cr.execute(
                    "UPDATE ir_attachment SET %s WHERE id = %%s" % change, (file.id,)
                )
                found = self.check(with_drive=False)
                self.assertIn(
                    (invariant, file.id),
                    [(one["invariant"], one["attachment_id"]) for one in found],
                )
                self.cr.execute("DELETE FROM ir_attachment WHERE id = %s", (file.id,))

    def assertProblem(self, file, invariant, text):
        problems = self.check()
        self.assertEqual(len(problems), 1, problems)
        self.assertEqual(problems[0]["invariant"], invariant)
        self.assertEqual(problems[0]["attachment_id"], file.id)
        self.assertIn(text, problems[0]["problem"])

    def test_local_file_missing(self):
        file = self.synced()
        os.unlink(self.local_path(file))
        self.assertProblem(file, 1, "missing in the filestore")

    def test_gone_from_drive(self):
        file = self.synced(keep=False)
        self.emulator.remove_file(file.cloud_file_id)
        self.assertProblem(file, 1, "not in Drive")

    def test_trashed_in_drive(self):
        file = self.synced(keep=False)
        self.emulator.edit_file(file.cloud_file_id, trashed=True)
        self.assertProblem(file, 1, "trash")

    def test_changed_in_drive(self):
        file = self.synced(keep=False)
        self.emulator.edit_file(file.cloud_file_id, content=b"changed")
        self.assertProblem(file, 1, "changed")

    def test_second_copy_in_drive(self):
        file = self.synced(keep=False)
        self.extra(attachment_id=file.id)
        self.assertProblem(file, 2, "nothing uses")

    def test_drive_that_can_not_be_asked(self):
        self.synced()
        self.emulator.fault("files.list", times=-1, status=503)
        problems = self.check()
        self.assertEqual([problem["invariant"] for problem in problems], [10])
        self.breaker.success()

from unittest.mock import patch

from odoo.exceptions import UserError

from ..engine import runner
from ..engine.jobs.migrate import MigrateJob
from ..engine.jobs.results import Results
from ..engine.outbox.deliver import deliver
from ..engine.runner import keep_alive
from ..engine.transaction import Deadline
from .test_restore import RestoreCase


class TestMigrate(RestoreCase):
    """From one account to another."""

    def setUp(self):
        super().setUp()
        self.target = self.make_account("second@example.com")
        self.cr.commit()

    def migrate(self, **values):
        """Run the wizard and the background; return the run."""
        return self.confirm(self.migration(**values))

    def migration(self, **values):
        return self.env["cloud_storage.wizard.migrate"].create(
            dict(
                {"source_auth_id": self.auth.id, "target_auth_id": self.target.id},
                **values
            )
        )

    def owned(self, email="second@example.com"):
        return [file for file in self.drive_files() if file["owner"] == email]

    def assertMigrated(self, files, contents):
        self.assertEqual(files.cloud_auth_id, self.target)
        self.env["ir.attachment"]._clear_cloud_cache()
        for file, content in zip(files, contents):
            found = self.drive_file(file.cloud_file_id)
            self.assertEqual(found["owner"], "second@example.com")
            self.assertEqual(self.emulator.content(file.cloud_file_id), content)
            self.assertEqual(file.raw, content)

    def test_copied_in_drive(self):
        files = self.synced(3, keep=False)
        contents = files.mapped("raw")
        old = files.mapped("cloud_file_id")
        wizard = self.migration()
        wizard.action_preview()
        self.assertEqual((wizard.file_count, wizard.state), (3, "preview"))
        self.emulator.clear_requests()
        run = self.confirm(wizard)
        self.assertEqual((run.state, run.total_success), ("done", 3), run.message)
        self.assertEqual(self.emulator.count("files.copy"), 3)
        self.assertEqual(self.emulator.bytes_out("files.media"), 0)
        self.assertMigrated(files, contents)
        for file_id in old:
            found = self.drive_file(file_id)
            self.assertFalse(found["trashed"], "kept")
            self.assertEqual(len(found["permissions"]), 1, "lent for a moment only")
        self.assertEqual(self.config.auth_id, self.target)
        self.assertAllWell()

    def test_kept_files_are_not_ours_any_more(self):
        files = self.synced(2, keep=False)
        old = files.mapped("cloud_file_id")
        self.migrate(after="keep")
        for file_id in old:
            self.assertFalse(self.drive_file(file_id)["appProperties"])
        self.assertFalse(self.env["cloud_storage.trash"].search([]))

    def test_trashed_or_deleted(self):
        first, second = self.synced(2, keep=False)
        old = first.cloud_file_id, second.cloud_file_id
        self.migrate(after="trash")
        self.background()
        self.assertTrue(self.drive_file(old[0])["trashed"])
        third = self.make_account("third@example.com")
        moved = first.cloud_file_id
        self.migrate(
            after="delete", source_auth_id=self.target.id, target_auth_id=third.id
        )
        self.assertIsNone(self.drive_file(moved))
        self.assertEqual((first + second).cloud_auth_id, third)
        self.assertAllWell()

    def test_through_this_server_when_drive_refuses_to_copy(self):
        contents = [b"small", bytes(range(256)) * 4096 * 6]
        self.config.delete_local_after_sync = True
        files = self.env["ir.attachment"].union(
            *(self.make_attachment(content) for content in contents)
        )
        self.sync()
        self.collect_garbage()
        self.emulator.fault("files.copy", times=-1, status=403, reason="cannotCopyFile")
        self.emulator.clear_requests()
        run = self.migrate()
        self.assertEqual((run.state, run.total_success), ("done", 2), run.message)
        moved = self.emulator.bytes_out("files.media")
        self.assertEqual(moved, sum(map(len, contents)))
        self.assertFalse(any(files.mapped("store_fname")))
        self.assertMigrated(files, contents)
        self.assertAllWell()

    def test_existing_permission_stays(self):
        file = self.synced(keep=False)
        old = file.cloud_file_id
        person = {
            "id": "123",
            "type": "user",
            "role": "writer",
            "emailAddress": "second@example.com",
        }
        self.emulator.edit_file(old, permissions=[person])
        self.migrate()
        self.assertEqual(file.cloud_auth_id, self.target)
        found = self.drive_file(old)["permissions"]
        self.assertIn("second@example.com", [p["emailAddress"] for p in found])

    def test_shared_content_moves_once(self):
        content = b"the same for all"
        self.config.delete_local_after_sync = True
        files = self.env["ir.attachment"].union(
            *(self.make_attachment(content) for _i in range(3))
        )
        self.sync()
        self.assertEqual(len(set(files.mapped("cloud_file_id"))), 1)
        self.migrate(after="delete")
        self.assertEqual(len(self.drive_files()), 1)
        self.assertMigrated(files, [content] * 3)

    def test_wrong_copy_changes_no_row(self):
        file = self.synced(keep=False)
        old = file.cloud_file_id
        self.emulator.edit_file(old, content=b"changed behind our back")
        run = self.migrate(after="delete")
        self.assertEqual(run.total_errors, 1)
        self.assertEqual((file.cloud_file_id, file.cloud_auth_id), (old, self.auth))
        self.assertFalse(file.cloud_reserved_id)
        deliver(self.env)  # as the next cron does
        self.assertFalse(self.owned())
        self.assertTrue(self.drive_file(old), "the source is still there")

    def test_lost_answers_make_no_duplicates(self):
        files = self.synced(3, keep=False)
        contents = files.mapped("raw")
        for route in ("files.copy", "permissions.create", "permissions.delete"):
            self.emulator.fault(route, times=2, lose_answer=True)
        run = self.migrate(after="trash")
        self.assertEqual(run.total_success, 3, run.log_ids.mapped("error_message"))
        self.assertMigrated(files, contents)
        self.assertEqual(len(self.owned()), 3)
        self.background()
        self.assertAllWell()

    def test_after_another_migration_was_given_up(self):
        files = self.synced(2, keep=False)
        contents = files.mapped("raw")
        third = self.make_account("third@example.com")

        def crash(*_args):
            raise UserError(third.name)

        with patch.object(MigrateJob, "_repoint", crash):
            self.migrate(target_auth_id=third.id)
        self.assertEqual(files.cloud_auth_id, self.auth)
        self.assertEqual(len(self.owned("third@example.com")), 2)
        run = self.migrate()
        self.assertEqual(run.total_success, 2, run.log_ids.mapped("error_message"))
        self.assertMigrated(files, contents)
        self.background()
        self.assertFalse(self.owned("third@example.com"), "half-done copies go")
        self.assertEqual(len(self.owned()), 2)

    def test_moved_while_an_upload_shares_it(self):
        first = self.synced(keep=False)
        content = first.raw
        second = self.make_attachment(content, name="second.txt")
        self.config.delete_local_after_sync = True
        self.cr.commit()
        genuine, done = Results.write, []

        def between(ledger, good, *rest):
            if good and not done:
                done.append(True)
                self.move_elsewhere()
            return genuine(ledger, good, *rest)

        with patch.object(Results, "write", between):
            self.assertEqual(self.sync()["synced"], 1)
        self.assertTrue(done)
        self.fresh()
        self.collect_garbage()
        self.env["ir.attachment"]._clear_cloud_cache()
        self.assertEqual(first.cloud_auth_id, self.target)
        self.assertEqual(second.cloud_auth_id, self.auth)
        self.assertEqual((first | second).mapped("raw"), [content] * 2)

    def move_elsewhere(self):
        """Migrate, and delete the sources for good, as another process."""
        with self.other_transaction() as env:
            wizard = env["cloud_storage.wizard.migrate"].create(
                {
                    "source_auth_id": self.auth.id,
                    "target_auth_id": self.target.id,
                    "after": "delete",
                    "switch_configs": False,
                }
            )
            wizard.action_confirm()
            run = env["cloud_storage.sync.run"].search([("state", "=", "queued")])
            with keep_alive(run):
                runner.job_of(run, Deadline()).work()
            env.cr.commit()

    def test_same_account_refused(self):
        twin = self.make_account()
        for target in (self.auth, twin):
            with self.assertRaisesRegex(UserError, "same account"):
                self.migration(target_auth_id=target.id).action_preview()
            with self.assertRaisesRegex(UserError, "same account"):
                self.migration(target_auth_id=target.id).action_confirm()

    def test_no_room_refused(self):
        self.synced(keep=False)
        self.emulator.set_quota(limit=10, email="second@example.com")
        with self.assertRaisesRegex(UserError, "do not fit"):
            self.migration().action_preview()

    def test_written_meanwhile_stays(self):
        file, other = self.synced(2, keep=False)
        action = self.migration(switch_configs=False).action_confirm()
        file.raw = b"new content"
        self.background()
        run = self.env["cloud_storage.sync.run"].browse(action["res_id"])
        self.assertEqual(run.state, "done", run.message)
        self.assertEqual(file.raw, b"new content")
        self.assertEqual(other.cloud_auth_id, self.target)

    def test_button_of_the_configuration(self):
        action = self.config.action_migrate_between_accounts()
        wizard = self.env[action["res_model"]].with_context(**action["context"])
        values = wizard.default_get(["source_auth_id"])
        self.assertEqual(values["source_auth_id"], self.auth.id)

from odoo.exceptions import AccessError, UserError

from ..engine.account.database import database_uuid
from .common_browser import MANAGER, USER
from .test_restore import RestoreCase

SIZE = 1024


class TestConfirmations(RestoreCase):
    """Whatever takes something away says before how many files, and how large."""

    def setUp(self):
        super().setUp()
        self.manager = self.make_user("manager", MANAGER)
        self.cr.commit()

    def in_cloud(self, count, **options):
        """Files of 1 KB whose bytes are only in Drive."""
        self.config.delete_local_after_sync = True
        return self.in_both(count, **options)

    def in_both(self, count, **options):
        files = self.env["ir.attachment"].union(
            *(self.make_attachment(bytes([65 + i]) * SIZE) for i in range(count))
        )
        self.sync()
        return files

    def question(self, action):
        """The dialog that an action opens, as the manager sees it."""
        self.assertEqual(action["target"], "new")
        records = self.env[action["res_model"]].with_user(self.manager)
        return records.browse(action["res_id"])

    # -- accounts ----------------------------------------------------------------------

    def test_revoke(self):
        self.in_cloud(2)
        auth = self.auth.with_user(self.manager)
        question = self.question(auth.action_ask_revoke())
        self.assertIn("2 files (2.00 Kb) are only in", question.consequence)
        self.assertEqual(self.auth.state, "authorized")
        question.action_confirm()
        self.assertEqual(self.auth.state, "draft")

    def test_revoke_where_every_file_is_here_as_well(self):
        self.in_both(2)
        question = self.question(self.auth.with_user(self.manager).action_ask_revoke())
        self.assertIn("has a copy on this server", question.consequence)

    def test_confirm_database(self):
        self.in_both(3)
        self.auth.database_uuid = "another one"
        self.cr.commit()
        auth = self.auth.with_user(self.manager)
        question = self.question(auth.action_ask_database())
        self.assertIn("3 files (3.00 Kb)", question.consequence)
        question.action_confirm()
        self.assertEqual(self.auth.database_uuid, database_uuid(self.env))

    def test_users_confirm_nothing_of_an_account(self):
        user = self.make_user("user", USER)
        auth = self.auth.with_user(user)
        for call in (auth.action_ask_revoke, auth.action_ask_database):
            with self.assertRaises(AccessError):
                call()
        forged = self.env["cloud_storage.confirmation"].with_user(user)
        for kind in ("revoke", "database"):
            with self.assertRaises(AccessError):
                forged.create({"kind": kind, "auth_id": self.auth.id}).action_confirm()

    def test_account_that_holds_files_is_not_deleted(self):
        self.in_both(2)
        self.config.unlink()
        with self.assertRaisesRegex(UserError, r"2 files \(2.00 Kb\) live in this"):
            self.auth.unlink()

    def test_changed_credentials(self):
        self.in_cloud(2)
        self.assertFalse(self.warning(self.auth, name="Another name"))
        for values in ({"client_id": "another"}, {"client_secret": "another"}):
            warning = self.warning(self.auth, **values)
            self.assertIn("2 files (2.00 Kb) are only in", warning)

    # -- configurations ----------------------------------------------------------------

    def test_free_local_space(self):
        self.in_both(2)
        self.assertIn(
            "2 files (2.00 Kb)", self.warning(self.config, delete_local_after_sync=True)
        )

    def test_cloud_access_off(self):
        self.in_cloud(2)
        self.assertIn(
            "2 files (2.00 Kb)", self.warning(self.config, enable_cloud_access=False)
        )

    def warning(self, record, **values):
        """What the form warns of when somebody changes a field."""
        [name] = values
        answer = record.with_user(self.manager).onchange(values, name, {name: "1"})
        return answer.get("warning", {}).get("message", "")

    # -- attachments -------------------------------------------------------------------

    def test_sync_of_a_selection(self):
        self.config.delete_local_after_sync = True
        good, bad = self.make_attachment(b"x" * SIZE), self.make_attachment(name="a.exe")
        self.cr.commit()
        files = (good + bad).with_user(self.env.ref("base.user_admin"))
        action = files.action_cloud_ask_sync()
        question = self.env[action["res_model"]].browse(action["res_id"])
        question = question.with_user(self.env.ref("base.user_admin"))
        self.assertIn("1 files (1.00 Kb) are deleted, at once", question.consequence)
        self.assertEqual(good.cloud_sync_status, "local")
        question.action_confirm()
        self.assertFalse(good.store_fname)
        self.assertOnDrive(good, b"x" * SIZE)

    def test_sync_that_deletes_nothing_does_not_ask(self):
        files = self.make_attachments(2)
        files.action_cloud_ask_sync()
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"synced"})

    def test_nobody_syncs_the_files_of_others_by_a_confirmation(self):
        attachment = self.make_attachments(1)
        user = self.make_user("user", USER)
        self.cr.commit()
        question = self.env["cloud_storage.confirmation"].with_user(user)
        with self.assertRaises(AccessError):
            attachment.with_user(user).action_cloud_ask_sync()
        with self.assertRaises(AccessError):
            question.create(
                {"kind": "sync", "attachment_ids": [(6, 0, attachment.ids)]}
            ).action_confirm()
        self.assertEqual(attachment.cloud_sync_status, "local")

    # -- wizards -----------------------------------------------------------------------

    def test_restore_that_trashes(self):
        self.in_cloud(2)
        self.config.delete_local_after_sync = False
        self.make_attachment(b"here as well" * 100)
        self.sync()
        wizard = self.wizard(mode="all", trash_afterwards=True)
        wizard.action_preview()
        self.assertTrue(wizard.is_destructive)
        self.assertIn("trash: 3 files (3.17 Kb)", wizard.consequence)
        self.assertEqual(wizard.total_size, 2 * SIZE, "what is here needs no room")

    def test_restore_that_keeps(self):
        self.in_cloud(2)
        wizard = self.wizard(mode="all")
        wizard.action_preview()
        self.assertFalse(wizard.is_destructive)
        self.assertIn("stay where they are", wizard.consequence)

    def test_migrate(self):
        self.in_cloud(2)
        target = self.make_account("second@example.com")
        wizard = self.env["cloud_storage.wizard.migrate"].create(
            {
                "source_auth_id": self.auth.id,
                "target_auth_id": target.id,
                "after": "delete",
            }
        )
        self.cr.commit()
        wizard.action_preview()
        self.assertTrue(wizard.is_destructive)
        words = "%s is deleted for good: 2 files (2.00 Kb)" % self.auth.name
        self.assertIn(words, wizard.consequence)
        self.assertIn("Configuration sync to %s" % target.name, wizard.consequence)
        wizard.after = "trash"
        self.assertIn("goes to the trash: 2 files (2.00 Kb)", wizard.consequence)
        wizard.after = "keep"
        self.assertFalse(wizard.is_destructive)
        self.assertIn("stay in %s: 2 files" % self.auth.name, wizard.consequence)

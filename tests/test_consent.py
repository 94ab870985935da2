from odoo import fields
from odoo.exceptions import AccessError
from odoo.tools.convert import convert_file

from ..engine import runner
from .common import CloudCase

MANAGER = "cloud_storage.group_cloud_storage_manager"


class TestConsent(CloudCase):
    """The first file leaves when a person pressed a button that says how many go."""

    def setUp(self):
        super().setUp()
        self.service = self.env["cloud_storage.sync.service"]
        self.manager = self.make_user("manager", MANAGER)
        self.config.started_on = False
        self.file = self.make_attachments(1)

    def run_cron(self):
        """The nightly sync, and whatever was handed to the background."""
        self.cr.commit()
        summary = self.service.automatic_sync()
        self.fresh()
        return summary

    def assertNothingLeft(self):
        self.fresh()
        self.assertEqual(self.drive_files(), [])
        self.assertEqual(self.file.cloud_sync_status, "local")

    def as_manager(self, records=None):
        records = self.config if records is None else records
        return records.with_user(self.manager)

    # -- what moves nothing ------------------------------------------------------------

    def test_nothing_leaves_before_somebody_started(self):
        summary = self.run_cron()
        self.assertEqual((summary["synced"], summary["remaining"]), (0, 0))
        self.assertEqual(summary["run_ids"], [])
        self.assertNothingLeft()

    def test_a_new_configuration_is_not_started(self):
        self.config.unlink()
        config = self.as_manager(self.env["cloud_storage.config"]).create(
            {
                "name": "Mine",
                "auth_id": self.auth.id,
                "model_config_ids": [(0, 0, {"model_name": "res.partner"})],
                "file_type_ids": [(0, 0, {"extension": "txt"})],
            }
        )
        self.assertFalse(config.started_on)
        self.run_cron()
        self.assertNothingLeft()

    def test_the_guided_start_moves_nothing_until_its_last_button(self):
        self.config.unlink()
        setup = self.as_manager(self.env["cloud_storage.setup"])
        setup = setup.create({"step": "account", "auth_id": self.auth.id})
        for _step in range(5):
            setup.action_next()
            self.run_cron()
            self.assertNothingLeft()
        self.assertEqual(setup.step, "sync")
        self.assertEqual(setup.missing, "Nobody has started the sync yet.")
        action = setup.action_sync()
        self.run_cron()
        self.assertNothingLeft()
        report = self.as_manager(self.env[action["res_model"]]).browse(action["res_id"])
        self.assertEqual((action["target"], report.files), ("new", 1))
        self.assertEqual(report.sync_words, "Sync 1 files (32.00 bytes)")
        report.action_sync()
        self.run_cron()
        self.assertEqual(self.file.cloud_sync_status, "synced")

    def test_runs_that_nobody_agreed_to_send_nothing(self):
        """Such as those of the comparison with Drive, which sends again what is lost."""
        for sync_type, params in (
            ("single", {"ids": self.file.ids}),
            ("automatic", {}),
            ("manual", {}),
        ):
            run = runner.create_run(self.config, sync_type, **params)
            self.run_cron()
            self.assertNothingLeft()
            self.assertEqual(run.state, "stopped")
            self.assertIn("press Sync Now", run.message)

    def test_demo_data_is_not_active(self):
        self.addCleanup(self._forget_demo)
        path = "demo/cloud_storage_demo.xml"
        convert_file(self.cr, "cloud_storage", path, {}, "init", kind="demo")
        demo = self.env.ref("cloud_storage.config_demo")
        self.assertFalse(demo.is_active or demo.started_on)
        self.assertEqual(demo.get_active_config(), self.config)
        demo.auth_id.write({"state": "authorized"})
        self.run_cron()
        self.assertNothingLeft()

    def test_the_guided_start_goes_on_with_a_configuration_that_is_not_active(self):
        self.config.is_active = False
        setup = self.as_manager(self.env["cloud_storage.setup"])
        setup.create({"step": "account", "auth_id": self.auth.id}).action_next()
        self.assertTrue(self.config.is_active)
        self.assertFalse(self.config.started_on)

    def _forget_demo(self):
        self.cr.rollback()
        self.env["ir.model.data"].search(
            [("module", "=", "cloud_storage"), ("name", "like", "%\\_demo")]
        ).unlink()
        self.cr.commit()

    # -- what starts -------------------------------------------------------------------

    def test_the_first_sync_always_asks(self):
        action = self.as_manager().action_ask_sync()
        self.assertNothingLeft()
        self.assertEqual(action["target"], "new")
        report = self.as_manager(self.env[action["res_model"]]).browse(action["res_id"])
        self.assertEqual((report.files, report.delete_local), (1, False))
        report.action_sync()
        self.assertTrue(self.config.started_on)
        action = self.as_manager().action_ask_sync()
        self.assertEqual(action["res_model"], "cloud_storage.sync.run", "no dialog twice")

    def test_the_first_sync_asks_also_while_nothing_waits(self):
        self.file.unlink()
        action = self.as_manager().action_ask_sync()
        report = self.as_manager(self.env[action["res_model"]]).browse(action["res_id"])
        self.assertEqual(report.sync_words, "Start: no file goes now")
        report.action_sync()
        self.file = self.make_attachments(1)
        self.run_cron()
        self.assertEqual(self.file.cloud_sync_status, "synced")

    def test_numbers_that_grew_are_shown_again(self):
        action = self.as_manager().action_ask_sync()
        report = self.as_manager(self.env[action["res_model"]]).browse(action["res_id"])
        self.make_attachments(2)
        action = report.action_sync()
        self.assertNothingLeft()
        self.assertEqual(action["res_model"], report._name)
        report = report.browse(action["res_id"])
        self.assertEqual(report.files, 3)
        report.action_sync()
        self.assertTrue(self.config.started_on)

    def test_explicit_calls_start(self):
        for call in (
            lambda config: self.service.manual_sync(config.id, limit=10),
            lambda config: config.manual_sync(),
            lambda config: config.action_manual_sync(),
            lambda config: config.action_start_sync(),
        ):
            self.config.started_on = False
            self.cr.commit()
            call(self.config)
            self.assertTrue(self.config.started_on)

    def test_counting_does_not_start(self):
        self.assertEqual(self.service.manual_sync(self.config.id, limit=0)["synced"], 0)
        self.assertFalse(self.config.started_on)

    def test_single_files_move_alone(self):
        other = self.make_attachments(1)
        self.assertTrue(self.file.sync_to_cloud())
        self.run_cron()
        self.assertEqual(self.file.cloud_sync_status, "synced")
        self.assertEqual(other.cloud_sync_status, "local")
        self.assertFalse(self.config.started_on)

    def test_a_selection_asks_before_the_first_sync(self):
        action = self.file.action_cloud_ask_sync()
        self.assertNothingLeft()
        question = self.env[action["res_model"]].browse(action["res_id"])
        self.assertIn("1 files (32.00 bytes) go to Google Drive", question.consequence)
        self.assertIn("The local copies stay.", question.consequence)
        question.action_confirm()
        self.assertEqual(self.file.cloud_sync_status, "synced")

    # -- what asks again ---------------------------------------------------------------

    def test_another_sync_is_asked_for_again(self):
        other = self.make_account("second@example.com")
        for values in (
            {"auth_id": other.id},
            {"is_active": False},
            {"is_active": True},
        ):
            self.config._mark_started()
            self.config.write(values)
            self.assertFalse(self.config.started_on, values)
        self.run_cron()
        self.assertNothingLeft()

    def test_the_same_sync_is_not_asked_for_again(self):
        self.config._mark_started()
        self.config.write({"auth_id": self.auth.id, "is_active": True, "name": "Other"})
        rule = {"model_name": "res.users"}
        self.config.write({"model_config_ids": [(0, 0, rule)], "auto_sync": False})
        self.config.auto_sync = True
        self.auth.write({"account_email": self.auth.account_email, "name": "Other"})
        self.assertTrue(self.config.started_on)

    def test_another_drive_of_the_account_is_asked_for_again(self):
        for values in (
            {"account_email": "second@example.com"},
            {"shared_drive_id": "0Ashared"},
        ):
            self.config._mark_started()
            self.auth.write(values)
            self.assertFalse(self.config.started_on, values)
        self.auth.google_user_id = "1"
        self.config._mark_started()
        self.auth.account_email = "renamed@example.com"
        self.assertTrue(self.config.started_on)
        self.auth.google_user_id = "2"
        self.assertFalse(self.config.started_on)

    def test_chosen_files_do_not_follow_to_another_account(self):
        run = runner.create_run(
            self.config, "single", ids=self.file.ids, chosen_for=self.auth.id
        )
        self.config.auth_id = self.make_account("second@example.com")
        self.run_cron()
        self.assertNothingLeft()
        self.assertEqual(run.state, "stopped")

    def test_a_copy_is_not_started(self):
        self.config._mark_started()
        self.assertFalse(self.config.copy({"name": "Copy"}).started_on)

    # -- who says so -------------------------------------------------------------------

    def test_nobody_writes_it(self):
        now = fields.Datetime.now()
        config = self.as_manager()
        for records in (config, config.sudo()):
            with self.assertRaises(AccessError):
                records.write({"started_on": now})
            with self.assertRaises(AccessError):
                records.copy({"started_on": now})
        values = {"name": "New", "auth_id": self.auth.id}
        with self.assertRaises(AccessError):
            config.create(dict(values, started_on=now))
        with_default = config.with_context(default_started_on=now)
        self.assertFalse(with_default.create(values).started_on)
        self.env["ir.default"].set("cloud_storage.config", "started_on", "2020-01-01 00:00:00")
        self.addCleanup(self._forget_defaults)
        self.assertFalse(config.create(values).started_on)

    def _forget_defaults(self):
        self.env["ir.default"].search([("field_id.name", "=", "started_on")]).unlink()
        self.cr.commit()

    def test_users_start_nothing(self):
        user = self.make_user("user", "cloud_storage.group_cloud_storage_user")
        config = self.config.with_user(user)
        report = self.env["cloud_storage.savings"].with_user(user)
        report = report.create({"config_id": config.id})
        for call in (
            config.action_start_sync,
            config.action_manual_sync,
            config.manual_sync,
            report.action_sync,
        ):
            with self.assertRaises(AccessError):
                call()
        self.assertFalse(self.config.started_on)

    # -- databases of the last version -------------------------------------------------

    def test_what_ran_before_goes_on(self):
        idle = self.make_config(
            self.make_account("idle@example.com"), started_on=False, types=("doc",)
        )
        paused = self.config.copy({"name": "Paused", "is_active": False})
        self.config._mark_started()
        self.sync()
        self.config.with_context(active_test=False).started_on = False
        self.config.flush()
        self.config._start_those_that_ran()
        self.assertTrue(self.config.started_on)
        self.assertFalse(idle.started_on)
        self.assertFalse(paused.started_on)

    def test_what_synced_and_was_vacuumed_goes_on(self):
        self.config._mark_started()
        self.sync()
        self.env["cloud_storage.sync.run"].search([]).unlink()
        self.config.started_on = False
        self.config.flush()
        self.config._start_those_that_ran()
        self.assertTrue(self.config.started_on)

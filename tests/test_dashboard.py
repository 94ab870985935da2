import json
from datetime import datetime, timedelta

from odoo.exceptions import AccessError, UserError
from odoo.tests.common import tagged

from .common import CloudCase
from .common_browser import MANAGER, USER


@tagged("-at_install", "post_install")
class TestDashboard(CloudCase):
    """What the dashboard, the guided start and a run's progress say."""

    def dashboard(self, user=None):
        self.cr.commit()
        board = self.env["cloud_storage.dashboard"].browse(1)
        board.invalidate_cache()
        return board.with_user(user) if user else board

    def refuse(self, **options):
        self.emulator.fault("files.upload.multipart", times=-1, status=400, **options)

    def test_counts(self):
        self.config.delete_local_after_sync = True
        self.make_attachment(b"x" * 1000)
        self.sync()
        self.make_attachment()
        board = self.dashboard()
        self.assertEqual((board.synced_files, board.synced_bytes), (1, 1000))
        self.assertEqual((board.freed_bytes, board.pending_files), (1000, 1))
        self.assertEqual(board.error_files, 0)
        self.assertEqual(board.auth_ids, self.auth)
        self.assertEqual(len(board.run_ids), 1)

    def test_hit_ratio(self):
        log = self.env["cloud_storage.access.log"]
        for hit in (True, True, True, False):
            log.create({"cache_hit": hit, "http_status": 200})
        log.create({"cache_hit": False, "http_status": 404})
        board = self.dashboard()
        self.assertEqual((board.read_count, board.hit_ratio), (4, 75.0))

    def test_trends_end_today(self):
        self.make_attachment(b"x" * 1024 * 1024)
        self.sync()
        board = self.dashboard()
        uploads = json.loads(board.upload_trend)[0]["values"]
        self.assertEqual([day["value"] for day in uploads if day["value"]], [1.0])
        self.assertEqual(uploads[-1]["value"], 1.0)
        self.assertEqual(
            sum(d["value"] for d in json.loads(board.error_trend)[0]["values"]), 0
        )

    def test_problems_are_grouped_by_cause_and_retried(self):
        files = self.make_attachments(3)
        self.refuse(message="First cause")
        self.sync()
        board = self.dashboard()
        cause = board.cause_ids
        self.assertEqual((cause.files, board.error_files), (3, 3))
        self.assertIn("First cause", cause.message)
        shown = self.env["ir.attachment"].search(cause.action_show()["domain"])
        self.assertEqual(shown, files.sorted("id", reverse=True))
        self.emulator.clear_faults()
        cause.action_retry()
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"synced"})
        self.assertFalse(self.dashboard().cause_ids)

    def test_retry_is_for_managers(self):
        self.make_attachment()
        self.refuse(message="No!")
        self.sync()
        user = self.make_user("user", USER)
        board = self.dashboard(user)
        self.assertEqual(board.error_files, 1)
        with self.assertRaises(AccessError):
            board.cause_ids.action_retry()
        with self.assertRaises(AccessError):
            board.action_sync()

    def test_guided_start_asks_for_what_is_missing(self):
        manager = self.make_user("manager", MANAGER)
        setup = self.env["cloud_storage.setup"].with_user(manager)
        self.assertIn("Nothing was synced", setup._first_missing())
        self.sync()
        self.assertFalse(setup._first_missing())
        self.config.file_type_ids.unlink()
        self.assertIn("No file type", setup._first_missing())
        self.config.model_config_ids.unlink()
        self.assertIn("No model", setup._first_missing())
        self.auth.state = "error"
        self.assertIn("Google", setup._first_missing())
        self.assertEqual(self.dashboard(manager).missing, setup._first_missing())
        self.auth.client_id = False
        self.assertIn("client ID", setup._first_missing())

    def test_guided_start_goes_on_only_when_a_step_is_done(self):
        self.config.file_type_ids.unlink()
        setup = self.env["cloud_storage.setup"].create({})
        self.assertEqual(setup.step, "types")
        with self.assertRaises(UserError):
            setup.action_next()
        setup.action_add_types()
        setup.action_next()
        self.assertEqual(setup.step, "report")

    def test_guided_start_keeps_no_secret(self):
        """Out of reach of everybody, also while the step waits for the rest."""
        setup = self.env["cloud_storage.setup"].create({"step": "account"})
        setup.write({"client_secret": "very secret", "client_id": ""})
        with self.assertRaisesRegex(UserError, "client ID is missing"):
            setup.action_next()
        self.assertFalse(setup.read(["client_secret"])[0]["client_secret"])
        with self.assertRaises(AccessError):
            setup.search([("client_secret", "like", "very")])
        setup.client_id = "known"
        setup.action_next()
        self.assertEqual(self.auth._secret("client_secret"), "very secret")
        secrets = self.env["cloud_storage.secret"]
        self.assertFalse(secrets.search([("res_model", "=", setup._name)]))

    def test_what_was_typed_goes_with_the_guided_start(self):
        setup = self.env["cloud_storage.setup"].create({"client_secret": "very secret"})
        secrets = self.env["cloud_storage.secret"]
        typed = [("res_model", "=", setup._name)]
        self.assertTrue(secrets.search(typed))
        setup.unlink()
        self.assertFalse(secrets.search(typed))

    def test_guided_start_is_for_managers(self):
        user = self.make_user("user", USER)
        with self.assertRaises(AccessError):
            self.env["cloud_storage.setup"].with_user(user).action_open()

    def test_progress_tells_speed_and_time_left(self):
        run = self.env["cloud_storage.sync.run"].create({"config_id": self.config.id})
        self.assertEqual(
            run.progress_text, "0 of 0 files, waiting for the background job"
        )
        begin = datetime(2020, 1, 1)
        run.write(
            {
                "state": "running",
                "start_time": begin,
                "end_time": begin + timedelta(seconds=10),
                "total_files": 40,
                "total_processed": 10,
                "total_errors": 2,
                "bytes_uploaded": 10 * 1024,
            }
        )
        self.assertEqual(
            run.progress_text, "10 of 40 files, 2 errors, 1.00 Kb/s, 30 seconds left"
        )
        self.assertEqual((run.speed, run.seconds_left), (1024.0, 30.0))

    def test_logs_know_their_size_class(self):
        self.make_attachment(b"x" * 1024 * 1024)
        self.make_attachment(b"x")
        self.sync()
        groups = self.env["cloud_storage.sync.log"].read_group([], [], ["size_class"])
        self.assertEqual(
            {g["size_class"]: g["size_class_count"] for g in groups}, {"1": 1, "2": 1}
        )

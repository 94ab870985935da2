import contextlib
import time
from unittest.mock import patch

from odoo.exceptions import AccessError, UserError

from ..drive import source
from ..engine import runner
from ..engine.transaction import LIVE_LOCK, Deadline, retrying
from .common import CloudCase
from .mailbox import Mailbox

UPLOAD = "files.upload.multipart"


class RunCase(CloudCase):
    def setUp(self):
        super().setUp()
        self.service = self.env["cloud_storage.sync.service"]

    def runs(self):
        self.fresh()
        return self.env["cloud_storage.sync.run"].search([])

    def slow_down(self, milliseconds):
        self.emulator.latency(milliseconds)
        self.addCleanup(self.emulator.latency, 0)

    def press_stop(self):
        """As over RPC, where Odoo repeats what met a concurrent update."""
        run = self.runs()
        retrying(self.env, run.action_stop)

    def logs(self, **values):
        domain = [(name, "=", value) for name, value in values.items()]
        return self.env["cloud_storage.sync.log"].search(domain)


class TestSummary(RunCase):
    """What callers get back, and what is written down."""

    def test_summary_and_run(self):
        self.config.delete_local_after_sync = True
        files = self.make_attachments(5)
        size = sum(files.mapped("file_size"))
        summary = self.sync()
        duration = summary.pop("duration_s")
        self.assertIsInstance(duration, float)
        run = self.runs()
        expected = {
            "synced": 5,
            "errors": 0,
            "skipped": 0,
            "remaining": 0,
            "bytes_uploaded": size,
            "bytes_freed": size,
            "run_ids": run.ids,
        }
        self.assertEqual(summary, expected)
        self.assertEqual(run.state, "done")
        self.assertEqual(run.sync_type, "manual")
        self.assertEqual((run.total_files, run.total_processed), (5, 5))
        self.assertEqual(run.progress, 100)
        self.assertTrue(run.start_time and run.end_time)

    def test_one_log_row_per_file_and_attempt(self):
        good, bad = self.make_attachment(), self.make_attachment(name="bad.pdf")
        self.emulator.fault(UPLOAD, status=400, reason="badRequest")
        self.config.max_parallel_uploads = 1
        self.sync()
        self.sync()
        self.assertEqual(len(self.logs(status="success")), 2)
        failed = self.logs(status="error")
        self.assertEqual(len(failed), 1)
        self.assertIn(failed.attachment_id, good | bad)
        done = self.logs(status="success", attachment_id=good.id)
        self.assertEqual(done.drive_file_id, good.cloud_file_id)
        self.assertEqual(done.file_size_bytes, good.file_size)
        self.assertEqual((done.model_name, done.record_id), ("res.partner", good.res_id))
        self.assertEqual(done.run_id.config_id, self.config)

    def test_limit(self):
        files = self.make_attachments(20)
        summary = self.sync(limit=7)
        self.assertEqual((summary["synced"], summary["remaining"]), (7, 13))
        synced = files.filtered(lambda a: a.cloud_sync_status == "synced")
        self.assertEqual(synced.ids, sorted(files.ids)[:7])
        self.assertEqual(self.sync(limit=100)["synced"], 13)

    def test_without_a_configuration_the_active_ones(self):
        other = self.make_config(self.auth, models=("res.company",), name="Other")
        idle = self.make_config(self.auth, models=("res.users",), is_active=False)
        self.make_attachments(3)
        company = self.env.company.id
        for number in range(2):
            self.make_attachment(b"%d" % number, model="res.company", res_id=company)
        self.cr.commit()
        service = self.env["cloud_storage.sync.service"]
        summary = service.manual_sync(limit=4)
        self.assertEqual((summary["synced"], summary["remaining"]), (4, 1))
        runs = self.env["cloud_storage.sync.run"].browse(summary["run_ids"])
        self.assertEqual(runs.config_id, self.config | other)
        self.assertEqual(service.manual_sync()["synced"], 1)
        self.assertNotIn(idle, runs.config_id)

    def test_limit_of_a_night(self):
        self.make_attachments(3)
        self.config._mark_started()
        self.cr.commit()
        service = self.env["cloud_storage.sync.service"]
        self.assertEqual(service.automatic_sync(batch_limit=0)["run_ids"], [])
        summary = service.automatic_sync(batch_limit=2)
        self.assertEqual((summary["synced"], summary["remaining"]), (2, 1))
        with self.assertRaisesRegex(UserError, "negative"):
            service.automatic_sync(batch_limit=-1)

    def test_limit_of_nothing(self):
        self.make_attachments(3)
        summary = self.sync(limit=0)
        self.assertEqual((summary["synced"], summary["remaining"]), (0, 3))
        self.assertEqual(summary["run_ids"], [])
        self.assertFalse(self.drive_files())
        with self.assertRaisesRegex(UserError, "can not be negative: -1"):
            self.sync(limit=-1)
        self.assertFalse(self.drive_files())
        self.assertEqual(self.sync(limit=None)["synced"], 3)

    def test_no_configuration(self):
        with self.assertRaisesRegex(UserError, "no active configuration"):
            self.service.manual_sync(0)

    def test_only_managers(self):
        user = self.make_user("user", "cloud_storage.group_cloud_storage_user")
        service = self.service.with_user(user)
        for call in (
            lambda: service.manual_sync(self.config.id),
            service.automatic_sync,
            self.config.with_user(user).action_manual_sync,
            self.runs().with_user(user).action_stop,
        ):
            with self.assertRaises(AccessError):
                call()
        manager = self.make_user("manager", "cloud_storage.group_cloud_storage_manager")
        self.make_attachment()
        self.cr.commit()
        result = self.service.with_user(manager).manual_sync(self.config.id)
        self.assertEqual(result["synced"], 1)

    def test_retry_button(self):
        attachment = self.make_attachment()
        self.emulator.fault(UPLOAD, status=400, reason="badRequest")
        self.sync()
        self.assertEqual(attachment.cloud_sync_status, "error")
        self.logs(status="error").action_retry_sync()
        self.assertEqual(attachment.cloud_sync_status, "synced")
        with self.assertRaisesRegex(UserError, "nothing to retry"):
            self.logs(status="success").action_retry_sync()

    def test_failed_run_is_mailed_once(self):
        mailbox = Mailbox()
        self.addCleanup(mailbox.stop)
        self.addCleanup(self._without_mail_servers)
        self.env["ir.mail_server"].create(
            {
                "name": "Here",
                "smtp_host": "127.0.0.1",
                "smtp_port": mailbox.port,
                "smtp_encryption": "none",
            }
        )
        user = self.make_user("watcher", "base.group_user")
        user.email = "watcher@example.com"
        self.env.company.email = "odoo@example.com"
        self.config.notify_user_ids = user
        self.make_attachments(5)
        self.emulator.set_quota(limit=10, usage=10, email="admin@example.com")
        with self.in_thread(self.sync_elsewhere):
            pass  # Odoo sends no mail from a test's own thread
        self.wait_for(lambda: mailbox.messages)
        self.assertEqual(len(mailbox.messages), 1)
        self.assertIn("failed", mailbox.messages[0]["Subject"])
        self.assertIn("is full", mailbox.messages[0].get_content())

    def _without_mail_servers(self):
        self.env["ir.mail_server"].search([]).unlink()
        self.cr.commit()

    def test_retention(self):
        self.make_attachments(3)
        self.sync()
        self.cr.execute(
            "UPDATE cloud_storage_sync_log SET sync_date = sync_date"
            " - interval '91 days' WHERE id IN (SELECT id FROM cloud_storage_sync_log"
            " ORDER BY id LIMIT 2)"
        )
        self.fresh()
        with patch("odoo.addons.cloud_storage.engine.insight.retention.BATCH", 1):
            self.env["cloud_storage.sync.log"]._gc_sync_logs()
        self.fresh()
        self.assertEqual(len(self.logs()), 1)

    def test_sync_to_cloud_on_many(self):
        good, bad = self.make_attachments(2), self.make_attachment(name="program.exe")
        self.assertIs(good.sync_to_cloud(), True)
        self.assertIs((good | bad).sync_to_cloud(), False)
        self.assertEqual(set(good.mapped("cloud_sync_status")), {"synced"})
        self.assertEqual(set(self.runs().mapped("sync_type")), {"single"})

    def test_sync_to_cloud_needs_write_access(self):
        owner = self.make_user("owner", "base.group_user", "base.group_partner_manager")
        reader = self.make_user("reader", "base.group_user")
        attachment = self.make_attachments(1)
        with self.assertRaises(AccessError):
            attachment.with_user(reader).sync_to_cloud()
        self.assertTrue(attachment.with_user(owner).sync_to_cloud())


class TestProgress(RunCase):
    """Live progress, the stop button, slices."""

    def test_progress_is_visible_while_it_runs(self):
        self.make_attachments(40)
        self.config.max_parallel_uploads = 2
        self.slow_down(100)
        seen = set()
        with self.in_thread(self.sync_elsewhere) as future:
            while not future.done():
                for run in self.runs():
                    seen.add((run.state, run.total_processed))
                time.sleep(0.05)
        running = {count for state, count in seen if state == "running" and count < 40}
        self.assertGreater(len(running), 2)

    def test_stop(self):
        files = self.make_attachments(60)
        self.config.max_parallel_uploads = 2
        self.slow_down(100)
        with self.in_thread(self.sync_elsewhere) as future:
            self.wait_for(lambda: self.runs().total_processed > 4)
            self.press_stop()
            summary = future.result(timeout=30)
        run = self.runs()
        self.assertEqual(run.state, "stopped")
        self.assertLess(summary["synced"], 60)
        statuses = files.mapped("cloud_sync_status")
        self.assertEqual(statuses.count("synced"), summary["synced"])
        self.assertNotIn("pending", statuses)
        self.assertEqual(self.sync()["remaining"], 0)
        self.assertEqual(len(self.drive_files()), 60)

    def test_stop_while_waiting_for_drive(self):
        self.make_attachments(2)
        self.emulator.fault(UPLOAD, times=-1, status=503, retry_after=50)
        with self.in_thread(self.sync_elsewhere) as future:
            self.wait_for(lambda: self.emulator.count(UPLOAD) >= 2)
            self.press_stop()
            future.result(timeout=30)
        self.assertEqual(self.runs().state, "stopped")

    def test_stop_of_a_queued_run(self):
        run = runner.create_run(self.config, "manual", 10)
        run.action_stop()
        self.assertEqual(run.state, "stopped")
        self.make_attachments(1)
        runner.work_in_background(run, Deadline(None))
        self.assertFalse(self.drive_files())

    def test_button_goes_on_in_the_background(self):
        files = self.make_attachments(30)
        self.config.max_parallel_uploads = 1
        self.slow_down(60)
        module = "odoo.addons.cloud_storage.models.config.config_actions"
        with patch(module + ".BUTTON_SECONDS", 0.5):
            action = self.config.action_manual_sync()
        self.assertEqual(action["res_model"], "cloud_storage.sync.run")
        run = self.env["cloud_storage.sync.run"].browse(action["res_id"])
        self.assertEqual(run.state, "queued")
        self.assertGreater(run.total_processed, 0)
        self.emulator.latency(0)
        self.service.automatic_sync()
        self.fresh()
        self.assertEqual(run.state, "done")
        self.assertEqual(run.total_processed, 30)
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"synced"})
        self.assertEqual(len(self.drive_files()), 30)

    def start_sync(self):
        """Press the button of the page; return the run."""
        action = self.config.action_start_sync()
        self.assertEqual(action["res_model"], "cloud_storage.sync.run")
        return self.env["cloud_storage.sync.run"].browse(action["res_id"])

    def test_background_works_on_what_a_button_started(self):
        files = self.make_attachments(3)
        self.let_crons_sleep()
        run = self.start_sync()
        self.assertEqual((run.state, run.file_limit), ("queued", 0))
        self.assertTrue(self.is_cron_woken())
        self.run_crons()
        self.assertEqual((run.state, run.total_success), ("done", 3))
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"synced"})
        self.assertFalse(self.is_cron_woken())

    def test_background_wakes_itself_for_the_rest(self):
        self.make_attachments(30)
        self.config.max_parallel_uploads = 1
        self.slow_down(60)
        self.let_crons_sleep()
        run = self.start_sync()
        with patch.object(runner, "slice_seconds", return_value=0.5) as slices:
            while self.is_cron_woken():
                self.run_crons()
        self.assertEqual((run.state, run.total_processed), ("done", 30))
        self.assertGreater(slices.call_count, 1)

    def test_waking_waits_for_nobody(self):
        run = runner.create_run(self.config, "manual")
        self.let_crons_sleep()
        with contextlib.closing(self.registry.cursor()) as cr:
            cr.execute(  # as Odoo does while a cron runs
                "SELECT id FROM ir_cron WHERE id = %s FOR NO KEY UPDATE",
                (self.queue_cron.id,),
            )
            self.cr.execute("SET LOCAL statement_timeout = 2000")
            run._go_on()
            self.cr.commit()
        run._go_on()
        self.assertTrue(self.is_cron_woken())

    def test_cron_of_the_queue_begins_no_run(self):
        self.make_attachments(1)
        self.service._work_on_queue()
        self.assertFalse(self.runs())

    def test_only_managers_start(self):
        user = self.make_user("user", "cloud_storage.group_cloud_storage_user")
        with self.assertRaises(AccessError):
            self.config.with_user(user).action_start_sync()

    def test_run_that_can_not_begin_says_why(self):
        run = self.start_sync()
        self.auth.is_active = False
        self.make_attachments(1)
        self.service._work_on_queue()
        self.fresh()
        self.assertEqual(run.state, "failed")
        self.assertTrue(run.message)

    def test_run_without_files_says_so(self):
        run = self.start_sync()
        self.service._work_on_queue()
        self.fresh()
        self.assertEqual(run.state, "done")
        self.assertEqual(run.progress_text, "there was nothing to do")

    def test_button_shows_the_summary(self):
        self.make_attachments(3)
        action = self.config.action_manual_sync()
        self.assertEqual(action["tag"], "display_notification")
        self.assertIn("3 files synced", action["params"]["message"])

    def test_automatic_slices(self):
        self.make_attachments(30)
        self.config.max_parallel_uploads = 1
        self.slow_down(60)
        with patch.object(runner, "slice_seconds", lambda: 0.5):
            first = self.service.automatic_sync()
        self.assertGreater(first["remaining"], 0)
        self.assertGreater(first["synced"], 0)
        self.emulator.latency(0)
        self.assertEqual(self.service.automatic_sync()["remaining"], 0)
        run = self.runs()
        self.assertEqual(len(run), 1)
        self.assertEqual((run.state, run.total_processed), ("done", 30))

    def test_slice_resumes_a_large_file(self):
        content = b"0123456789abcdef" * 1024 * 1024
        attachment = self.make_attachment(content, name="large.pdf")
        self.slow_down(300)
        short = patch.object(runner, "slice_seconds", lambda: 0.8)
        with short, patch.object(source, "CHUNK", 4 * 1024 * 1024):
            self.service.automatic_sync()
        self.assertEqual(attachment.cloud_sync_status, "local")
        self.emulator.latency(0)
        self.emulator.clear_requests()
        self.service.automatic_sync()
        self.assertOnDrive(attachment, content)
        self.assertEqual(self.emulator.count("files.upload.start"), 0)
        self.assertLess(self.emulator.bytes_in("files.upload.chunk"), len(content))

    def test_automatic_off(self):
        self.config.auto_sync = False
        self.make_attachments(1)
        self.assertEqual(self.service.automatic_sync()["synced"], 0)
        self.config.write({"auto_sync": True, "is_active": False})
        self.assertEqual(self.service.automatic_sync()["synced"], 0)

    def test_cron_is_woken(self):
        self.make_attachments(10)
        self.config.max_parallel_uploads = 1
        self.slow_down(60)
        self.let_crons_sleep()
        with patch.object(runner, "slice_seconds", lambda: 0.2):
            self.service.automatic_sync()
        self.assertTrue(self.is_cron_woken())

    def test_two_workers_share_the_work(self):
        files = self.make_attachments(60)
        self.config.max_parallel_uploads = 2
        self.slow_down(30)
        with self.in_thread(self.sync_elsewhere) as one:
            with self.in_thread(self.sync_elsewhere) as two:
                pass
        done = [one.result()["synced"], two.result()["synced"]]
        self.assertEqual(sum(done), 60)
        self.assertGreater(min(done), 0)
        self.fresh()
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"synced"})
        self.assertEqual(self.emulator.count(UPLOAD), 60)
        self.assertEqual(len(self.drive_files()), 60)

    def test_stale_rows_are_taken_up(self):
        attachment = self.make_attachments(1)
        dead = runner.create_run(self.config, "manual", 10)
        dead.write({"state": "running"})
        attachment.write({"cloud_sync_status": "pending", "cloud_run_id": dead.id})
        self.assertEqual(self.sync()["synced"], 1)
        self.assertEqual(dead.state, "failed")
        self.assertIn("interrupted", dead.message)

    def test_rows_of_a_living_run_are_left_alone(self):
        attachment = self.make_attachments(1)
        living = runner.create_run(self.config, "manual", 10)
        attachment.write(
            {"cloud_sync_status": "pending", "cloud_run_id": living.id}
        )
        self.cr.commit()
        with contextlib.closing(self.registry.cursor()) as cr:
            cr.execute("SELECT pg_advisory_lock(%s, %s)", (LIVE_LOCK, living.id))
            self.assertEqual(self.sync()["synced"], 0)
            cr.execute("SELECT pg_advisory_unlock(%s, %s)", (LIVE_LOCK, living.id))
        self.assertEqual(attachment.cloud_sync_status, "pending")
        self.assertEqual(self.sync()["synced"], 1)


class TestSliceLength(RunCase):
    """A slice is over before the worker's time is."""

    def test_limits_of_the_worker(self):
        config = dict(limit_time_real=120, limit_time_cpu=60, limit_time_real_cron=-1)
        for name, value, expected in (
            ("limit_time_cpu", 60, 30),
            ("limit_time_cpu", 1000, 60),
            ("limit_time_real_cron", 40, 20),
        ):
            config[name] = value
            with patch.object(runner, "odoo_config", config):
                self.assertEqual(runner.slice_seconds(), expected)

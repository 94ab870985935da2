import contextlib
import os
import time
import unittest
from unittest.mock import patch

from ..engine import runner
from ..engine.runner import is_alive
from ..engine.transaction import LIVE_LOCK
from ..models.config import config_actions as buttons
from . import common_server
from .test_restore import RestoreCase

UPLOAD = "files.upload.multipart"
CHANNEL = "root.cloud_storage"
WAITING = ("pending", "enqueued")


class JobCase(RestoreCase):
    """Runs that OCA's queue_job goes on with; its own code makes and performs the jobs."""

    def setUp(self):
        super().setUp()
        if "queue.job" not in self.env:
            self.skipTest(
                "OCA's queue_job is not there: ODOO_ADDONS names no folder of it"
            )
        self.service = self.env["cloud_storage.sync.service"]
        self.addCleanup(self.delete_jobs)

    def delete_jobs(self):
        self.fresh()
        self.jobs().unlink()
        self.cr.commit()

    def jobs(self, *states):
        domain = [("model_name", "=", "cloud_storage.sync.run")]
        if states:
            domain.append(("state", "in", states))
        return self.env["queue.job"].search(domain, order="id")

    def perform(self, record):
        """Perform a job as the controller that the job runner calls does."""
        from odoo.addons.queue_job.controllers.main import RunJobController
        from odoo.addons.queue_job.job import Job

        job = Job.load(self.env, record.uuid)
        RunJobController()._try_perform_job(self.env, job)
        self.fresh()
        self.assertEqual(record.state, "done")

    def assertPostponed(self, record):
        """The job asks for another try that does not count, and is given it."""
        from odoo.addons.queue_job.exception import RetryableJobError

        # not assertRaises, whose savepoint would not survive what is committed inside
        try:
            self.perform(record)
        except RetryableJobError as err:
            self.assertTrue(err.ignore_retry)
        else:
            self.fail("the job was not postponed")
        self.fresh()
        record.requeue()  # as the controller does
        self.cr.commit()

    def perform_all(self):
        """Perform jobs until none waits; return how many there were."""
        count = 0
        while self.jobs(*WAITING):
            self.perform(self.jobs(*WAITING)[0])
            count += 1
        return count

    def short_slices(self, seconds=0.5):
        patcher = patch.object(runner, "slice_seconds", lambda: seconds)
        patcher.start()
        self.addCleanup(patcher.stop)

    def long_run(self, count=30):
        """Files for more than a slice, and the run that the button began."""
        self.config.max_parallel_uploads = 1
        files = self.make_attachments(count)
        self.contents = {file: file.raw for file in files}
        self.slow_down(60)
        with patch.object(buttons, "BUTTON_SECONDS", 0.3):
            action = self.config.action_manual_sync()
        self.fresh()
        run = self.env["cloud_storage.sync.run"].browse(action["res_id"])
        self.assertEqual(run.state, "queued")
        self.assertGreater(run.total_processed, 0)
        return files, run

    def slow_down(self, milliseconds):
        self.emulator.latency(milliseconds)
        self.addCleanup(self.emulator.latency, 0)

    def assertSynced(self, files):
        """Each file is on Drive once, with its bytes, and was sent once."""
        self.fresh()
        for file in files:
            self.assertOnDrive(file, self.contents[file])
        self.assertEqual(len(self.drive_files()), len(files))
        self.assertEqual(self.emulator.count(UPLOAD), len(files))

    @contextlib.contextmanager
    def somebody_works_on(self, run):
        with contextlib.closing(self.registry.cursor()) as cr:
            cr.execute("SELECT pg_advisory_lock(%s, %s)", (LIVE_LOCK, run.id))
            yield
            cr.execute("SELECT pg_advisory_unlock(%s, %s)", (LIVE_LOCK, run.id))


class TestJobs(JobCase):
    """What the jobs are, and that nothing is lost or done twice."""

    def test_each_slice_is_a_job(self):
        self.let_crons_sleep()
        files, run = self.long_run()
        self.short_slices()
        job = self.jobs()
        self.assertEqual((len(job), job.state, job.channel), (1, "pending", CHANNEL))
        self.assertIn(run.name, job.name)
        self.assertIn(self.config.name, job.name)
        self.assertEqual(job.records, run)
        self.assertGreater(self.perform_all(), 1)
        self.assertEqual((run.state, run.total_processed), ("done", len(files)))
        self.assertSynced(files)
        self.assertFalse(self.is_cron_woken(), "the cron was woken as well")

    def test_one_job_waits_per_run(self):
        _files, run = self.long_run(10)
        run._go_on()
        run._go_on()
        self.assertEqual(len(self.jobs(*WAITING)), 1)

    def test_accounts_go_at_the_same_time(self):
        other = self.make_config(
            self.make_account("second@example.com"),
            models=["res.partner"],
            types=["bin"],
        )
        first, second = self.make_attachments(2), self.make_attachments(2, name="a.bin")
        self.contents = {file: file.raw for file in first | second}
        self.short_slices(0)  # the cron has no time for any of them
        self.service.automatic_sync()
        self.fresh()
        jobs = self.jobs(*WAITING)
        runs = self.env["cloud_storage.sync.run"].search([], order="id")
        self.assertEqual(runs.config_id, self.config | other)
        self.assertEqual([job.records for job in jobs], list(runs))
        self.short_slices(60)
        with self.in_thread(self.perform_elsewhere, jobs[1].uuid):
            self.perform(jobs[0])
        self.fresh()
        self.assertEqual(runs.mapped("state"), ["done", "done"])
        self.assertSynced(first | second)

    def perform_elsewhere(self, uuid):
        from odoo.addons.queue_job.controllers.main import RunJobController
        from odoo.addons.queue_job.job import Job

        with self.other_transaction() as env:
            RunJobController()._try_perform_job(env, Job.load(env, uuid))

    def test_other_kinds_of_runs(self):
        files = self.synced(3, keep=False)
        contents = files.mapped("raw")
        self.wizard(mode="all").action_confirm()
        self.assertEqual(self.perform_all(), 1)
        for file, content in zip(files, contents):
            self.assertRestored(file, content)
        target = self.make_account("second@example.com")
        self.env["cloud_storage.wizard.migrate"].create(
            {"source_auth_id": self.auth.id, "target_auth_id": target.id}
        ).action_confirm()
        self.assertEqual(self.perform_all(), 1)
        self.assertEqual(files.cloud_auth_id, target)
        for file, content in zip(files, contents):
            self.assertEqual(self.emulator.content(file.cloud_file_id), content)
        self.config.action_reconcile()
        self.assertEqual(self.perform_all(), 1)
        runs = self.env["cloud_storage.sync.run"].search([], order="id")
        self.assertEqual(set(runs.mapped("state")), {"done"})
        self.assertEqual(
            runs.mapped("sync_type")[-3:], ["restore", "migrate", "reconcile"]
        )

    def test_busy_run_is_looked_at_later(self):
        files, run = self.long_run(10)
        self.emulator.latency(0)
        done = run.total_processed
        with self.somebody_works_on(run):
            self.assertPostponed(self.jobs(*WAITING))
        self.assertEqual(run.total_processed, done)
        self.perform_all()
        self.assertEqual(run.state, "done")
        self.assertSynced(files)

    def test_cron_and_job_at_once(self):
        files, run = self.long_run(40)
        with self.in_thread(self.service_elsewhere):
            self.wait_for(lambda: is_alive(run) or self.fresh())
            self.assertPostponed(self.jobs(*WAITING))
        self.perform_all()
        self.assertEqual((run.state, run.total_processed), ("done", len(files)))
        self.assertEqual(len(run.log_ids), len(files))
        self.assertSynced(files)

    def service_elsewhere(self):
        with self.other_transaction() as env:
            env["cloud_storage.sync.service"].automatic_sync()

    def test_job_of_a_finished_run_does_nothing(self):
        _files, run = self.long_run(10)
        self.emulator.latency(0)
        self.service.automatic_sync()  # the cron was quicker
        self.fresh()
        self.assertEqual(run.state, "done")
        late = self.make_attachments(1)
        ended = run.end_time
        self.perform(self.jobs(*WAITING))
        self.assertEqual((run.state, run.end_time), ("done", ended))
        self.assertEqual(late.cloud_sync_status, "local")

    def test_job_of_a_stopped_or_deleted_run_does_nothing(self):
        files, run = self.long_run(10)
        run.action_stop()
        count = self.emulator.count(UPLOAD)
        self.perform(self.jobs(*WAITING))
        self.assertEqual(run.state, "stopped")
        _more, run = self.long_run(10)
        count = self.emulator.count(UPLOAD)
        run.unlink()
        self.perform(self.jobs(*WAITING))
        self.assertEqual(self.emulator.count(UPLOAD), count)

    def test_failing_run_does_not_fail_the_job(self):
        _files, run = self.long_run(10)
        self.auth.is_active = False
        self.perform(self.jobs(*WAITING))
        self.assertEqual(run.state, "failed")
        self.assertIn("not active", run.message)
        self.assertFalse(self.jobs(*WAITING))

    def test_a_manager_starts_jobs_of_the_server(self):
        manager = self.make_user("manager", "cloud_storage.group_cloud_storage_manager")
        files = self.synced(2, keep=False)
        wizard = self.env["cloud_storage.wizard.restore"].with_user(manager)
        wizard.create({"config_id": self.config.id, "mode": "all"}).action_confirm()
        self.cr.commit()
        self.assertEqual(self.jobs(*WAITING).user_id, self.env.user)
        self.perform_all()
        self.assertEqual(set(files.mapped("cloud_keep_local")), {True})


class TestJobRunner(JobCase):
    """queue_job's own runner, in an Odoo server as an administrator starts it."""

    @unittest.skipUnless(common_server.can_start(), "no Odoo program is named")
    def test_runner_does_the_work(self):
        other = self.make_config(
            self.make_account("second@example.com"),
            models=["res.partner"],
            types=["bin"],
        )
        other.max_parallel_uploads = 1
        theirs = self.make_attachments(30, name="a.bin")
        files, run = self.long_run(30)
        self.contents.update({file: file.raw for file in theirs})
        runs = run | runner.create_run(other, "manual")
        runs._go_on()
        self.cr.commit()
        channels = {"ODOO_QUEUE_JOB_CHANNELS": "root:4,%s:2" % CHANNEL}
        options = ["--load", "base,web,queue_job", "--limit-time-cpu", "3"]
        with patch.dict(os.environ, channels):
            with common_server.OdooServer(self.cr.dbname, *options):
                overlap = self.watch(runs)
        self.assertEqual(runs.mapped("state"), ["done", "done"])
        self.assertTrue(overlap, "one run waited for the other")
        self.assertSynced(files | theirs)
        self.assertEqual(set(self.jobs().mapped("state")), {"done"})
        self.assertGreater(len(self.jobs()), 2)

    def watch(self, runs):
        """Wait for the end; return whether both were at work at the same time."""
        overlap = False
        until = time.monotonic() + 120
        while self.jobs(*WAITING, "started") and time.monotonic() < until:
            overlap = overlap or set(runs.mapped("state")) == {"running"}
            time.sleep(0.1)
            self.fresh()
        return overlap

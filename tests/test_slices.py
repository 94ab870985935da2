import os
from unittest.mock import patch

from ..engine import runner
from ..engine.runner import keep_alive
from ..engine.transaction import Deadline
from .common import CloudCase

MB = 1024 * 1024


class TestTurns(CloudCase):
    """Every configuration has its turn, however much another has to do."""

    def setUp(self):
        super().setUp()
        self.service = self.env["cloud_storage.sync.service"]
        other = self.make_account("second@example.com")
        self.other = self.make_config(other, types=["bin"])
        self.files = self.make_attachments(1) | self.make_attachments(1, name="a.bin")

    def automatic_sync(self, seconds):
        self.cr.commit()
        slices = patch.object(runner, "slice_seconds", lambda: seconds)
        with slices:
            self.service.automatic_sync()
        self.fresh()
        return self.env["cloud_storage.sync.run"].search([], order="id")

    def test_what_there_was_no_time_for_goes_on_in_the_next_turn(self):
        runs = self.automatic_sync(0)
        self.assertEqual(runs.config_id, self.config | self.other)
        self.assertEqual(runs.mapped("state"), ["queued", "queued"])
        self.assertEqual(self.automatic_sync(60), runs)
        self.assertEqual(runs.mapped("state"), ["done", "done"])
        self.assertEqual(set(self.files.mapped("cloud_sync_status")), {"synced"})

    def test_cron_goes_on_where_a_button_had_to_end(self):
        self.let_crons_sleep()
        run = runner.create_run(self.config, "manual")
        runner.work(run, Deadline(0))
        self.fresh()
        self.assertEqual(run.state, "queued")
        self.assertTrue(self.is_cron_woken())

    def test_run_of_another_process_is_left_to_it(self):
        runs = self.automatic_sync(0)
        with keep_alive(runs[0]):
            self.automatic_sync(60)
        self.assertEqual(runs.mapped("state"), ["queued", "done"])

    def test_ended_run_is_not_begun_again(self):
        run = self.automatic_sync(60)[0]
        ended = run.end_time
        self.make_attachments(1)
        runner.work_in_background(run, Deadline())
        self.fresh()
        self.assertEqual((run.state, run.end_time), ("done", ended))
        self.assertEqual(run.total_processed, 1)


class TestSlices(CloudCase):
    """A run that goes on in several slices is one run."""

    def setUp(self):
        super().setUp()
        self.service = self.env["cloud_storage.sync.service"]
        self.config.max_parallel_uploads = 2
        # the first one keeps the run busy until its time is over, the next ones fail
        self.large = self.make_attachment(os.urandom(40 * MB), name="large.pdf")
        self.broken = self.make_attachments(3)
        for attachment in self.broken:
            os.unlink(self.local_path(attachment))
        self.good = self.make_attachments(2)
        self.emulator.fault("files.upload.chunk", times=-1, delay_ms=1000)

    def first_slice(self, work):
        """Work until the time is over and the large file goes back."""
        with patch.object(runner, "slice_seconds", lambda: 0.7):
            work()
        self.fresh()
        self.emulator.clear_faults()
        run = self.env["cloud_storage.sync.run"].search([])
        self.assertEqual((run.state, run.total_errors), ("queued", 3))
        self.assertEqual(self.large.cloud_sync_status, "local")
        return run

    def assertTriedOnce(self, run):
        """What failed in the first slice was left alone in the second."""
        self.fresh()
        self.assertEqual(run.state, "done")
        self.assertEqual((run.total_files, run.total_processed), (6, 6))
        self.assertEqual((run.total_success, run.total_errors), (3, 3))
        self.assertEqual(set(self.broken.mapped("cloud_attempts")), {1})
        failed = run.log_ids.filtered(lambda log: log.status == "error")
        self.assertEqual(len(failed), 3)
        self.assertEqual(failed.attachment_id, self.broken)

    def test_failed_file_is_tried_once_per_run(self):
        run = self.first_slice(self.service.automatic_sync)
        self.service.automatic_sync()
        self.assertTriedOnce(run)
        self.assertEqual(self.service.automatic_sync()["errors"], 3)
        self.fresh()
        self.assertEqual(set(self.broken.mapped("cloud_attempts")), {2})

    def test_failed_file_of_a_selection_is_tried_once_per_run(self):
        ids = (self.large | self.broken | self.good).ids
        run = runner.create_run(self.config, "single", ids=ids)
        self.first_slice(lambda: runner.work_in_background(run, Deadline(0.7)))
        runner.work_in_background(run, Deadline())
        self.assertTriedOnce(run)

    def test_resumed_run_tries_again(self):
        run = runner.create_run(self.config, "single", ids=self.broken.ids)
        runner.work_in_background(run, Deadline())
        run.write({"state": "failed"})  # as if something had ended it early
        run.action_resume()
        runner.work_in_background(run, Deadline())
        self.fresh()
        self.assertEqual(set(self.broken.mapped("cloud_attempts")), {2})

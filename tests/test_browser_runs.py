"""Runs in the web client, in a headless Chromium: how they are watched and stopped.

Each test drives it step by step (``HttpCase.browser_js`` could run one script). No cron
runs meanwhile: a run moves because somebody looks at it.
"""

from .common_browser import DONE, MANAGER, BrowserCase

BAR = ".o_cloud_storage_progress [role=progressbar]"
WORDS = ".o_cloud_storage_progress small"


class RunBrowserCase(BrowserCase):
    def setUp(self):
        super().setUp()
        self.manager = self.make_user("manager", MANAGER).login

    def slow_down(self, milliseconds=150):
        self.config.max_parallel_uploads = 1
        self.emulator.latency(milliseconds)
        self.addCleanup(self.emulator.latency, 0)

    def see_progress_move(self):
        """The bar leaves zero, and grows again."""
        now = "Number(%s.getAttribute('aria-valuenow'))" % self.see(BAR)
        self.wait(now + " > 0")
        self.wait("%s > %d" % (now, self.js(now)))

    def the_run(self):
        """The only run, as the database has it now."""
        self.cr.commit()
        return self.fresh(self.env["cloud_storage.sync.run"].search([]))


class TestSyncRun(RunBrowserCase):
    def test_progress_moves_and_stop_stops(self):
        files = self.make_attachments(60)
        self.slow_down()
        self.open_record(self.config, self.manager)
        self.click("button[name=action_ask_sync]")
        self.see_progress_move()
        self.see(WORDS, "left")
        self.see(WORDS, "/s")
        self.see(".alert-info", "You may leave this page")
        self.click("button[name=action_stop]")
        self.see(".o_statusbar_status [aria-current=step]", "Stopped")
        run = self.the_run()
        self.assertEqual(run.state, "stopped")
        synced = self.fresh(files).filtered(lambda a: a.cloud_sync_status == "synced")
        self.assertLess(len(synced), len(files))
        self.assertEqual(len(synced), run.total_success)

    def test_page_is_not_rebuilt_while_it_refreshes(self):
        self.make_attachments(40)
        self.slow_down()
        self.open_record(self.config, self.manager)
        self.click("button[name=action_ask_sync]")
        stop = self.see("button[name=action_stop]")
        self.js("%s.focus()" % stop)
        self.see_progress_move()
        self.assertTrue(self.js("document.activeElement === %s" % stop))
        self.press("Enter")
        self.see(".o_statusbar_status [aria-current=step]", "Stopped")

    def test_run_goes_on_where_the_slice_of_another_ended(self):
        self.make_attachments(4)
        run = self.env["cloud_storage.sync.service"]._create_run(self.config, "manual")
        self.open_record(run, self.manager)
        self.see(DONE)
        self.see(WORDS, "4 of 4 files")
        self.assertEqual(len(self.drive_files()), 4)

    def test_dashboard_shows_and_stops_the_run(self):
        self.make_attachments(60)
        self.slow_down()
        self.open_action("cloud_storage_dashboard_action", self.manager)
        self.click("button[name=action_sync]")
        self.see_progress_move()
        self.click(".breadcrumb-item a", "Dashboard")
        self.see_progress_move()
        self.click(".o_data_row button[name=action_stop]")
        self.see(".o_data_row", "Stopped")
        self.assertEqual(self.the_run().state, "stopped")

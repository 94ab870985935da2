"""Runs in the web client, in a headless Chromium: how they are watched and stopped.

Each test drives it step by step (``HttpCase.browser_js`` could run one script).
"""

from ..engine import runner
from ..engine.runner import keep_alive
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

    def test_end_is_told(self):
        """What a sync came to: files, errors, space freed."""
        self.config.delete_local_after_sync = True
        self.make_attachments(2, content=b"x" * 2048)
        run = runner.create_run(self.config, "manual")
        with keep_alive(run):  # so that nobody works on it yet
            self.open_record(run, self.manager)
            self.see(WORDS, "waiting for the background job")
        self.see(".o_notification", "2 of 2 files, ")
        self.see(".o_notification", "freed")
        self.see(WORDS, "freed")

    def test_run_goes_on_where_the_slice_of_another_ended(self):
        self.make_attachments(4)
        run = runner.create_run(self.config, "manual")
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

    def test_failed_run_says_why_and_goes_on(self):
        files = self.make_attachments(3)
        self.emulator.set_quota(limit=10, usage=10, email="admin@example.com")
        self.sync()
        self.emulator.set_quota(limit=None, usage=0, email="admin@example.com")
        self.open_record(self.the_run(), self.manager)
        self.see(".alert-warning", "is full")
        self.click("button[name=action_resume]")
        self.see(DONE)
        self.assertEqual(set(self.fresh(files).mapped("cloud_sync_status")), {"synced"})
        self.assertFalse(self.is_seen(".alert-warning"))


class TestWizards(RunBrowserCase):
    """Restore and migrate: preview, confirm, a run with progress, done."""

    def in_cloud(self, count):
        """Files of 1 KB whose bytes are only in Drive."""
        self.config.delete_local_after_sync = True
        files = self.env["ir.attachment"].union(
            *(self.make_attachment(bytes([65 + i]) * 1024) for i in range(count))
        )
        self.assertEqual(self.sync()["synced"], count)
        self.env["ir.attachment"]._clear_cloud_cache()
        return files

    def test_restore_everything(self):
        files = self.in_cloud(30)
        contents = [bytes([65 + i]) * 1024 for i in range(30)]
        self.open_action("cloud_storage_wizard_restore_action", self.manager)
        self.click(".modal [name=trash_afterwards] input")
        self.click(".modal button[name=action_preview]")
        self.see(".modal [name=file_count]", "30")
        self.see(".modal [name=total_size_text]", "30.00 Kb")
        self.see(".modal .alert-warning", "goes to the trash: 30 files (30.00 Kb)")
        self.slow_down(100)
        self.click(".modal button[name=action_confirm]")
        self.see_progress_move()
        self.see(DONE)
        self.emulator.latency(0)
        self.see(WORDS, "30 of 30 files")
        self.assertEqual(self.fresh(files).mapped("raw"), contents)
        for file, content in zip(files, contents):
            with open(self.local_path(file), "rb") as local:
                self.assertEqual(local.read(), content)

    def test_restore_is_stopped_and_goes_on(self):
        files = self.in_cloud(30)
        self.slow_down(150)
        self.open_action("cloud_storage_wizard_restore_action", self.manager)
        self.click(".modal button[name=action_preview]")
        self.click(".modal button[name=action_confirm]")
        self.see_progress_move()
        self.click("button[name=action_stop]")
        self.see(".o_statusbar_status [aria-current=step]", "Stopped")
        self.assertFalse(all(self.fresh(files).mapped("store_fname")))
        self.emulator.latency(0)
        self.click("button[name=action_resume]")
        self.see(DONE)
        self.assertTrue(all(self.fresh(files).mapped("store_fname")))

    def test_migrate_and_delete_the_old_files(self):
        files = self.in_cloud(12)
        old = files.mapped("cloud_file_id")
        target = self.make_account("second@example.com")
        self.slow_down(100)
        self.open_record(self.config, self.manager)
        self.click("button[name=action_migrate_between_accounts]")
        self.see(".modal [name=source_auth_id] input", self.auth.name)
        self.choose("target_auth_id", target.name)
        self.click(".modal [name=after] label", "Delete them for good")
        self.click(".modal button[name=action_preview]")
        self.see(".modal [name=file_count]", "12")
        self.see(".modal .alert-warning", "is deleted for good: 12 files (12.00 Kb)")
        self.click(".modal button[name=action_confirm]")
        self.see_progress_move()
        self.emulator.latency(0)
        self.see(DONE)
        self.assertEqual(self.fresh(files).cloud_auth_id, target)
        self.assertEqual([self.drive_file(file_id) for file_id in old], [None] * 12)
        self.assertEqual(self.fresh(self.config).auth_id, target)

    def choose(self, field, name):
        """Pick a record in a many2one of the dialog."""
        box = ".modal [name=%s] input" % field
        self.focus(box)
        self.click(box)
        entry = self.see(".ui-autocomplete .ui-menu-item a", name)
        # the list takes what the mouse is over
        self.js(
            "%s.dispatchEvent(new MouseEvent('mouseover', {bubbles: true}))" % entry
        )
        self.js("%s.click()" % entry)

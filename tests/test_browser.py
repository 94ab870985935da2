"""What people do with the addon in the web client, in a headless Chromium.

Each test drives it step by step (``HttpCase.browser_js`` could run one script).
"""

from odoo import SUPERUSER_ID, api
from odoo.exceptions import AccessError

from ..models.cloud_storage_sync_run import TimeBox
from .common_browser import MANAGER, USER, BrowserCase


class TestBrowser(BrowserCase):
    def setUp(self):
        super().setUp()
        self.manager = self.make_user("manager", MANAGER).login

    # -- the first day -----------------------------------------------------------------

    def test_guided_start_from_nothing_to_the_first_sync(self):
        self.config.unlink()
        self.auth.unlink()
        partner = self.make_attachment(b"the first one", name="first.pdf")
        redirect_uri = self.base_url() + "/cloud_storage/oauth/callback"
        client = self.emulator.client([redirect_uri])
        self.open_action("cloud_storage_setup_action", self.manager)
        self.see("h2", "1. Which Google account?")
        self.see(".alert-warning", "There is no account yet.")
        self.see("li", redirect_uri)
        self.fill("input[name=client_id]", client["client_id"])
        self.fill("input[name=client_secret]", client["client_secret"])
        self.click("button[name=action_next]")
        self.see("h2", "2. May Odoo use that Drive?")
        self.click("button[name=action_authorize]")
        self.click("button[value=approve]")
        self.see("h1", "Google Drive is connected")
        self.click("a", "Go on")
        self.see("h2", "3. Whose files?")
        self.see(".o_data_row", "res.partner")
        self.click("button[name=action_next]")
        self.see("h2", "4. Which files?")
        self.see(".o_data_row", "pdf")
        self.click("button[name=action_next]")
        self.see("h2", "5. What would it save?")
        self.click("button[name=action_report]")
        self.see("h2", "would move to the cloud")
        self.click(".breadcrumb-item a", "Guided Start")
        self.click("button[name=action_next]")
        self.see("h2", "6. The first sync")
        self.click("button[name=action_sync]")
        self.see(".o_notification", "files synced")
        self.assertOnDrive(self.fresh(partner), b"the first one")

    def test_each_step_says_what_is_missing(self):
        self.config.unlink()
        self.auth.unlink()
        self.open_action("cloud_storage_setup_action", self.manager)
        self.see("h2", "1. Which Google account?")
        self.click("button[name=action_next]")
        self.see(".modal, .o_notification", "The client ID is missing.")

    # -- every day ---------------------------------------------------------------------

    def test_synced_attachment_is_found_through_the_menus(self):
        self.make_attachment(name="contract.txt")
        self.sync()
        self.open("/web", self.manager)
        self.click(".o_navbar_apps_menu button, .o_menu_apps > li > a")
        self.click(".o_app", "Cloud Storage")
        self.click(".o_menu_sections button, .o_menu_sections > li > a", "Operations")
        self.click(
            ".o_menu_sections .dropdown-item, .o_menu_entry_lvl_2", "Attachments"
        )
        self.see(".o_data_row", "contract.txt")
        self.see(".o_data_row", "In the Cloud")

    def test_dashboard_shows_problems_and_retries(self):
        attachment = self.make_attachment(name="refused.txt")
        self.emulator.fault(
            "files.upload.multipart", times=-1, status=400, message="No!"
        )
        self.sync()
        self.emulator.clear_faults()
        self.open_action("cloud_storage_dashboard_action", self.manager)
        self.see("button[name=action_view_errors]", "1")
        self.click("button[name=action_retry]")
        self.see(".o_notification", "1 of 1 files")
        self.wait("!(%s)" % "document.querySelector('button[name=action_retry]')")
        self.assertEqual(self.fresh(attachment).cloud_sync_status, "synced")

    def test_log_is_retried(self):
        attachment = self.make_attachment(name="refused.txt")
        self.emulator.fault(
            "files.upload.multipart", times=-1, status=400, message="No!"
        )
        self.sync()
        self.emulator.clear_faults()
        self.open_action("cloud_storage_sync_log_action", self.manager)
        self.see(".o_data_row", "refused.txt")
        self.click(".o_data_row button[name=action_retry_sync]")
        self.see(".o_notification", "1 of 1 files synced")
        self.assertEqual(self.fresh(attachment).cloud_sync_status, "synced")

    def test_sync_that_frees_space_asks_first(self):
        self.config.delete_local_after_sync = True
        attachment = self.make_attachment(b"x" * 2048)
        self.open_record(self.config, self.manager)
        self.click("button[name=action_ask_sync]")
        self.see(".modal .alert-warning", "the local copies of these 1 files, at once")
        self.see(".modal .alert-warning", "2.00 Kb of this server's disk")
        self.assertEqual(self.fresh(attachment).cloud_sync_status, "local")
        self.click(".modal-footer button[name=action_sync]")
        self.see(".o_notification", "1 files synced, 0 errors, 2.00 Kb freed")
        self.assertFalse(self.fresh(attachment).store_fname)

    def test_savings_report(self):
        self.make_attachment(b"a" * 3000, name="a.txt")
        self.make_attachment(b"a" * 3000, name="b.txt")
        self.make_attachment(name="program.exe")
        self.open_record(self.config, self.manager)
        self.click("button[name=action_savings_report]")
        self.see("h2", "2 files (5.86 Kb) would move to the cloud")
        self.see(".o_data_row", "res.partner")
        self.click(".nav-link", "What Stays")
        self.see(".o_data_row", "Its file type is not one of those to sync")

    # -- a run -------------------------------------------------------------------------

    def test_progress_moves_and_stop_stops(self):
        self.config.max_parallel_uploads = 1
        files = self.make_attachments(60)
        service = self.env["cloud_storage.sync.service"]
        run = service._create_run(self.config, "manual", 0)
        self.emulator.latency(150)
        self.addCleanup(self.emulator.latency, 0)
        self.open_record(run, self.manager)
        self.see(".alert-info", "goes on in the background")
        with self.in_thread(self.work, run.id):
            progress = ".o_cloud_storage_progress [role=progressbar]"
            now = "Number(%s.getAttribute('aria-valuenow'))" % self.see(progress)
            self.wait(now + " > 0")
            self.wait("%s > %d" % (now, self.js(now)))
            self.see(".o_cloud_storage_progress small", "left")
            self.see(".o_cloud_storage_progress small", "/s")
            self.click("button[name=action_stop]")
            self.see(".o_statusbar_status [aria-current=step]", "Stopped")
        self.assertEqual(self.fresh(run).state, "stopped")
        synced = self.fresh(files).filtered(lambda a: a.cloud_sync_status == "synced")
        self.assertLess(len(synced), len(files))
        self.assertEqual(len(synced), run.total_success)

    def work(self, run_id):
        with self.registry.cursor() as cr:
            env = api.Environment(cr, SUPERUSER_ID, {})
            run = env["cloud_storage.sync.run"].browse(run_id)
            env["cloud_storage.sync.service"]._work(run, TimeBox())

    # -- attachments -------------------------------------------------------------------

    def test_restore_and_keep_local(self):
        self.config.delete_local_after_sync = True
        attachment = self.make_attachment(b"come back", name="away.txt")
        self.sync()
        self.open_record(attachment, "admin")
        self.click("button[name=action_cloud_restore]")
        self.see(".o_notification", "1 files (9.00 bytes) are on this server again")
        self.see("button[name=action_cloud_unpin]")
        self.assertTrue(self.fresh(attachment).store_fname)
        self.assertTrue(attachment.cloud_keep_local)
        self.assertEqual(attachment.raw, b"come back")

    def test_selected_attachments_are_synced_from_the_action_menu(self):
        good = self.make_attachment(name="good.txt")
        bad = self.make_attachment(name="bad.exe")
        self.open_action("ir_attachment_action", "admin")
        self.click(".o_facet_remove")
        self.see(".o_data_row", "good.txt")
        self.see(".o_data_row", "bad.exe")
        self.click("thead .o_list_record_selector input")
        self.click(".o_cp_action_menus button", "Action")
        self.click(
            ".o_cp_action_menus a.dropdown-item, .o_cp_action_menus li > a",
            "Sync to the Cloud",
        )
        self.see(
            ".o_notification", "bad.exe: Its file type is not one of those to sync"
        )
        self.assertEqual(self.fresh(good).cloud_sync_status, "synced")
        self.assertEqual(self.fresh(bad).cloud_sync_status, "local")

    # -- who sees what -----------------------------------------------------------------

    def test_user_sees_states_and_logs_only(self):
        self.make_attachment(name="seen.txt")
        self.sync()
        user = self.make_user("user", USER).login
        self.open_action("cloud_storage_dashboard_action", user)
        self.see("button[name=action_view_synced]", "1")
        for name in ("action_sync", "action_test_connection", "action_setup"):
            self.assertFalse(self.is_seen("button[name=%s]" % name), name)
        self.click(".o_navbar_apps_menu button, .o_menu_apps > li > a")
        self.click(".o_app", "Cloud Storage")
        self.see(".o_menu_sections button, .o_menu_sections > li > a", "Operations")
        self.assertFalse(self.is_seen(".o_menu_sections *", "Configuration"))
        self.open_action("cloud_storage_sync_log_action", user)
        self.see(".o_data_row", "seen.txt")
        with self.assertRaises(AccessError):
            self.config.with_user(
                self.env["res.users"].search([("login", "=", user)])
            ).write({"name": "mine"})

    def test_employee_sees_nothing(self):
        employee = self.make_user("employee", "base.group_user")
        self.open("/web", employee.login)
        self.see(".o_user_menu, .o_menu_systray")
        self.assertNotIn("Cloud Storage", self.js("document.body.textContent"))
        for model in ("auth", "config", "sync.run", "sync.log", "dashboard", "cause"):
            with self.assertRaises(AccessError):
                self.env["cloud_storage." + model].with_user(employee).search_read([])

"""What people do with the addon in the web client, in a headless Chromium.

Each test drives it step by step (``HttpCase.browser_js`` could run one script).
"""

from .common_browser import DONE, MANAGER, BrowserCase


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
        self.see(".modal-footer button[name=action_sync]", "Sync 1 files (13.00 bytes)")
        self.assertEqual(self.fresh(partner).cloud_sync_status, "local")
        self.click(".modal-footer button[name=action_sync]")
        self.see(DONE)
        self.assertOnDrive(self.fresh(partner), b"the first one")

    def test_each_step_says_what_is_missing(self):
        self.config.unlink()
        self.auth.unlink()
        self.open_action("cloud_storage_setup_action", self.manager)
        self.see("h2", "1. Which Google account?")
        self.click("button[name=action_next]")
        self.see(".modal, .o_notification", "The client ID is missing.")

    def test_account_is_authorized_from_its_form(self):
        auth = self.new_account()
        self.open_record(auth, self.manager)
        self.click(".alert-info button[name=action_authorize]")
        self.see("button[value=approve]")
        self.click("button[value=approve]")
        self.see("h1", "Google Drive is connected")
        self.click("a", "Go on")
        self.see(".alert-success", "The account works.")
        self.see(".alert-success", "admin@example.com")
        self.assertEqual(self.fresh(auth).state, "authorized")
        self.click("button[name=action_test_connection]")
        self.see(".o_notification", "Connected as admin@example.com.")

    def test_consent_that_is_refused_leads_back_to_try_again(self):
        auth = self.new_account()
        self.open_record(auth, self.manager)
        self.click(".alert-info button[name=action_authorize]")
        self.click("button[value=deny]")
        self.see("h1", "Google Drive was not connected")
        self.click("a", "Try again")
        self.see("button[name=action_authorize]", "Authorize Again")
        self.assertNotEqual(self.fresh(auth).state, "authorized")

    def new_account(self):
        """An account that Google does not know yet."""
        client = self.emulator.client([self.base_url() + "/cloud_storage/oauth/callback"])
        return self.env["cloud_storage.auth"].create(
            {
                "name": "New account",
                "client_id": client["client_id"],
                "client_secret": client["client_secret"],
            }
        )

    def test_revoke_says_what_can_not_be_opened(self):
        self.config.delete_local_after_sync = True
        self.make_attachment(b"x" * 2048)
        self.sync()
        self.open_record(self.auth, self.manager)
        self.click("button[name=action_ask_revoke]")
        self.see(".modal .alert-warning", "1 files (2.00 Kb) are only in this account")
        self.assertEqual(self.fresh(self.auth).state, "authorized")
        self.click(".modal-footer button[name=action_confirm]", "Revoke")
        self.see(".o_notification", "The authorization was revoked.")
        self.see(".o_statusbar_status [aria-current=step]", "Draft")

    # -- every day ---------------------------------------------------------------------

    def test_synced_attachment_is_found_through_the_menus(self):
        self.make_attachment(name="contract.txt")
        self.sync()
        self.open("/web", self.manager)
        self.see(".o_view_controller")
        self.settle()
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
        self.see(DONE)
        self.see("[name=bytes_freed]", "2.00 Kb")
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

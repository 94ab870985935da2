"""Who sees what, with which keys, on how small a screen: a headless Chromium.

Each test drives it step by step (``HttpCase.browser_js`` could run one script).
"""

from odoo.exceptions import AccessError

from ..engine import runner
from ..engine.runner import keep_alive
from .common_browser import DONE, MANAGER, USER, BrowserCase

APPS = ".o_navbar_apps_menu button, .o_menu_apps > li > a"
SECTIONS = ".o_menu_sections button, .o_menu_sections > li > a"


class TestAccess(BrowserCase):
    def test_user_sees_states_and_logs_only(self):
        attachment = self.make_attachment(name="seen.txt")
        self.sync()
        user = self.make_user("user", USER)
        self.open_action("cloud_storage_dashboard_action", user.login)
        self.see("button[name=action_view_synced]", "1")
        self.assertNoButtons(
            "action_sync", "action_test_connection", "action_setup", "action_stop"
        )
        self.settle()
        self.click(APPS)
        self.click(".o_app", "Cloud Storage")
        self.see(SECTIONS, "Operations")
        self.assertFalse(self.is_seen(".o_menu_sections *", "Configuration"))
        self.click(SECTIONS, "Operations")
        entries = ".o_menu_sections .dropdown-item, .o_menu_entry_lvl_2"
        self.see(entries, "Sync Logs")
        for name in ("Restore From the Cloud", "Migrate Between Accounts"):
            self.assertFalse(self.is_seen(entries, name), name)
        self.open_action("cloud_storage_sync_log_action", user.login)
        self.see(".o_data_row", "seen.txt")
        self.assertNoButtons("action_retry_sync")
        self.open_record(attachment, user.login)
        self.see(".o_statusbar_status [aria-current=step]", "In the Cloud")
        with self.assertRaises(AccessError):
            self.config.with_user(user).write({"name": "mine"})

    def test_user_gets_no_buttons_by_address(self):
        self.make_attachment()
        self.sync()
        user = self.make_user("user", USER).login
        self.open_record(self.config, user)
        self.see("h1", "Configuration")
        self.assertNoButtons(
            "action_ask_sync",
            "action_reconcile",
            "action_restore_local_from_folder",
            "action_migrate_between_accounts",
            "action_check_and_refresh_tokens",
            "clear_file_cache",
        )
        self.assertFalse(self.is_seen(".o_form_button_edit, .o_form_button_create"))
        self.open_record(self.auth, user)
        self.see("h1", self.auth.name)
        self.assertNoButtons(
            "action_authorize", "action_test_connection", "action_ask_revoke"
        )
        run = runner.create_run(self.config, "manual")
        with keep_alive(run):  # so that nobody works on it
            self.open_record(run, user)
            self.see(".o_cloud_storage_progress", "waiting for the background job")
            self.assertNoButtons("action_stop", "action_resume")

    def test_user_is_refused_what_is_for_managers(self):
        user = self.make_user("user", USER).login
        for name in (
            "cloud_storage_setup_action",
            "cloud_storage_wizard_restore_action",
        ):
            self.open_action(name, user)
            self.see(".modal, .o_notification", "")
            self.assertFalse(self.is_seen(".modal button[name=action_preview]"), name)
            self.assertFalse(self.is_seen("button[name=action_next]"), name)

    def test_employee_sees_nothing(self):
        attachment = self.make_attachment(name="seen.txt")
        self.sync()
        employee = self.make_user("employee", "base.group_user")
        self.open("/web", employee.login)
        self.see(".o_user_menu, .o_menu_systray")
        self.assertNotIn("Cloud Storage", self.js("document.body.textContent"))
        self.open_record(attachment, employee.login)
        self.see(".o_form_view", "seen.txt")
        self.assertNotIn("Cloud", self.js("document.body.innerText"))
        self.assertFalse(
            self.is_seen(".o_cp_action_menus button", "Action")
            and (self.is_seen(".o_cp_action_menus *", "Restore from the Cloud"))
        )
        for model in ("auth", "config", "sync.run", "sync.log", "dashboard", "cause"):
            with self.assertRaises(AccessError):
                self.env["cloud_storage." + model].with_user(employee).search_read([])

    def assertNoButtons(self, *names):
        for name in names:
            self.assertFalse(self.is_seen("button[name=%s]" % name), name)


class TestKeyboard(BrowserCase):
    """Everything can be done without a mouse."""

    def setUp(self):
        super().setUp()
        self.manager = self.make_user("manager", MANAGER).login

    def tab_to(self, selector):
        """Go on from element to element until one has the focus."""
        for _step in range(80):
            if self.js("document.activeElement.matches(%r)" % selector):
                return
            self.press("Tab")
        self.fail("Tab never leads to " + selector)

    def assertFocusIsSeen(self):
        look = (
            "(() => {const s = getComputedStyle(document.activeElement);"
            " return [s.outlineStyle + s.outlineWidth, s.boxShadow,"
            " s.backgroundColor, s.borderColor].join()})()"
        )
        self.js("window.focused = document.activeElement; window.focusLook = %s" % look)
        self.js("focused.blur()")
        look = look.replace("document.activeElement", "focused")
        self.wait("%s !== focusLook" % look)  # colours fade
        self.js("focused.focus()")

    def test_sync_from_the_dashboard(self):
        attachment = self.make_attachment(b"typed")
        self.open_action("cloud_storage_dashboard_action", self.manager)
        self.see("button[name=action_sync]")
        self.press("Tab")
        self.press("Tab", shift=True)
        self.tab_to("button[name=action_sync]")
        self.assertFocusIsSeen()
        self.press("Enter")
        self.see(DONE)
        self.assertOnDrive(self.fresh(attachment), b"typed")

    def test_tiles_and_lists_of_the_dashboard(self):
        self.make_attachment(name="typed.txt")
        self.sync()
        self.open_action("cloud_storage_dashboard_action", self.manager)
        self.see("button[name=action_view_synced]", "1")
        self.tab_to("button[name=action_view_synced]")
        self.assertFocusIsSeen()
        self.press("Enter")
        self.see(".o_data_row", "typed.txt")

    def test_revoke_and_its_dialog(self):
        self.open_record(self.auth, self.manager)
        self.see("button[name=action_ask_revoke]")
        self.tab_to("button[name=action_ask_revoke]")
        self.assertFocusIsSeen()
        self.press("Enter")
        self.see(".modal button[name=action_confirm]")
        self.wait("document.activeElement.matches('.modal [name=action_confirm]')")
        self.assertFocusIsSeen()
        self.press("Enter")
        self.see(".o_notification", "The authorization was revoked.")
        self.assertEqual(self.fresh(self.auth).state, "draft")


class TestNarrow(BrowserCase):
    """A screen that is 400 pixels wide."""

    def setUp(self):
        super().setUp()
        self.addCleanup(lambda: self.devtools("Emulation.clearDeviceMetricsOverride"))

    def test_no_view_is_wider_than_the_screen(self):
        records = some_of_everything(self)
        self.open_action("cloud_storage_dashboard_action", "admin")
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            width=400,
            height=900,
            deviceScaleFactor=1,
            mobile=False,
        )
        wide = []
        for page in self.walk(records, every_mode=False):
            widths = self.js(
                "[document.documentElement.scrollWidth,"
                " ...[...document.querySelectorAll('.o_form_view, .o_kanban_view')]"
                " .map((e) => e.scrollWidth)]"
            )
            if max(widths) > 400:
                wide.append((page, widths))
        self.assertFalse(wide)


def some_of_everything(case):
    """Files in every state, their runs and logs.

    :return: ``(model, id)`` of records to look at
    """
    case.make_attachments(2)
    refused = case.make_attachment(name="refused.txt")
    case.make_attachment(name="program.exe")
    case.emulator.fault("files.upload.multipart", status=400, message="No!")
    case.config.max_parallel_uploads = 1
    case.sync()
    waiting = case.make_attachment(name="waiting.txt")
    log = case.env["cloud_storage.sync.log"].search([], limit=1)
    run = case.env["cloud_storage.sync.run"].search([], limit=1)
    report = case.env["cloud_storage.savings"].with_user(
        case.env.ref("base.user_admin")
    )
    report = report.with_context(lang=case.env.ref("base.user_admin").lang)
    report = report.create({"config_id": case.config.id})
    records = (refused, waiting, log, run, report, case.auth, case.config)
    records += (case.config.model_config_ids, case.config.file_type_ids[0])
    case.cr.commit()
    return [(record._name, record.id) for record in records]

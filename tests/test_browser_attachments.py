"""What people do with attachments in the web client, in a headless Chromium.

Each test drives it step by step (``HttpCase.browser_js`` could run one script).
"""

from .common_browser import DONE, USER, BrowserCase

LOGIN = "admin"
MENU_ENTRY = ".o_cp_action_menus a.dropdown-item, .o_cp_action_menus li > a"


class AttachmentBrowserCase(BrowserCase):
    def in_cloud(self, *names):
        """Attachments whose bytes are only in Drive."""
        self.config.delete_local_after_sync = True
        files = self.env["ir.attachment"].union(
            *(self.make_attachment(name.encode(), name=name) for name in names)
        )
        self.sync()
        self.config.delete_local_after_sync = False
        self.cr.commit()
        return files

    def open_list(self, login=LOGIN):
        """All attachments, in the cloud or not."""
        self.open_action("ir_attachment_action", login)
        self.click(".o_facet_remove")
        self.see(".o_data_row")

    def choose_action(self, name):
        """An entry of the menu *Action*."""
        self.click(".o_cp_action_menus button", "Action")
        self.click(MENU_ENTRY, name)

    def select_all(self):
        self.click("thead .o_list_record_selector input")

    def assertOpens(self, url):
        """There is another window with that address, which is closed again."""
        targets = {}

        def look():
            targets.update(self.windows())
            return url in targets

        self.wait_for(look)
        self.devtools("Target.closeTarget", targetId=targets[url])

    def windows(self):
        """``(address, id)`` of each window of the browser."""
        found = self.devtools("Target.getTargets")["targetInfos"]
        return [(target["url"], target["targetId"]) for target in found]


class TestAttachmentForm(AttachmentBrowserCase):
    def test_sync_now(self):
        attachment = self.make_attachment(b"mine", name="mine.txt")
        self.open_record(attachment, LOGIN)
        self.click("button[name=action_cloud_ask_sync]")
        self.see(".o_notification", "1 of 1 files (4.00 bytes) are in the cloud.")
        self.see(".o_statusbar_status [aria-current=step]", "In the Cloud")
        self.assertOnDrive(self.fresh(attachment), b"mine")

    def test_sync_now_asks_where_it_deletes_the_local_copy(self):
        self.config.delete_local_after_sync = True
        attachment = self.make_attachment(b"mine", name="mine.txt")
        self.open_record(attachment, LOGIN)
        self.click("button[name=action_cloud_ask_sync]")
        self.see(".modal .alert-warning", "1 files (4.00 bytes) are deleted, at once")
        self.assertEqual(self.fresh(attachment).cloud_sync_status, "local")
        self.click(".modal-footer button[name=action_confirm]", "Sync Now")
        self.see(".o_notification", "1 of 1 files (4.00 bytes) are in the cloud.")
        self.assertFalse(self.fresh(attachment).store_fname)

    def test_restore(self):
        attachment = self.in_cloud("come back.txt")
        self.open_record(attachment, LOGIN)
        self.click("button[name=action_cloud_restore]")
        self.see(".o_notification", "1 files (13.00 bytes) are on this server again")
        self.see("button[name=action_cloud_unpin]")
        self.assertTrue(self.fresh(attachment).store_fname)
        self.assertTrue(attachment.cloud_keep_local)
        self.assertEqual(attachment.raw, b"come back.txt")

    def test_keep_local_and_back(self):
        attachment = self.make_attachment()
        self.open_record(attachment, LOGIN)
        self.click("button[name=action_cloud_keep_local]")
        self.see("button[name=action_cloud_unpin]")
        self.assertTrue(self.fresh(attachment).cloud_keep_local)
        self.assertEqual(self.sync()["synced"], 0)
        self.click("button[name=action_cloud_unpin]")
        self.see("button[name=action_cloud_keep_local]")
        self.assertFalse(self.fresh(attachment).cloud_keep_local)

    def test_open_in_drive(self):
        attachment = self.in_cloud("seen.txt")
        self.open_record(attachment, LOGIN)
        self.focus("button[name=action_cloud_open_in_drive]")
        self.press("Enter")
        self.assertOpens(attachment.cloud_storage_url)

    def test_open_in_drive_from_the_action_menu(self):
        attachment = self.in_cloud("seen.txt")
        self.open_record(attachment, LOGIN)
        self.click(".o_cp_action_menus button", "Action")
        self.focus(MENU_ENTRY, "Open in Drive")
        self.press("Enter")
        self.assertOpens(attachment.cloud_storage_url)

    def test_failed_file_says_why_and_is_tried_again(self):
        attachment = self.make_attachment(name="refused.txt")
        self.emulator.fault(
            "files.upload.multipart", times=-1, status=400, message="No!"
        )
        self.sync()
        self.emulator.clear_faults()
        self.open_record(attachment, LOGIN)
        self.see(".alert-danger", "No!")
        self.click("button[name=action_cloud_ask_sync]")
        self.see(".o_statusbar_status [aria-current=step]", "In the Cloud")
        self.assertFalse(self.is_seen(".alert-danger"))
        self.assertEqual(self.fresh(attachment).cloud_sync_status, "synced")


class TestAttachmentList(AttachmentBrowserCase):
    def test_sync_the_selection(self):
        good = self.make_attachment(name="good.txt")
        bad = self.make_attachment(name="bad.exe")
        self.open_list()
        self.see(".o_data_row", "good.txt")
        self.see(".o_data_row", "bad.exe")
        self.select_all()
        self.choose_action("Sync to the Cloud")
        self.see(
            ".o_notification", "bad.exe: Its file type is not one of those to sync"
        )
        self.assertEqual(self.fresh(good).cloud_sync_status, "synced")
        self.assertEqual(self.fresh(bad).cloud_sync_status, "local")

    def test_restore_the_selection(self):
        files = self.in_cloud("one.txt", "two.txt")
        self.open_list()
        self.select_all()
        self.choose_action("Restore from the Cloud")
        self.see(".modal [name=file_count]", "2")
        self.see(".modal [name=total_size_text]", "14.00 bytes")
        self.see(".modal [name=sample]", "two.txt")
        self.click(".modal-footer button[name=action_confirm]")
        self.see(DONE)
        self.assertEqual(
            self.fresh(files).mapped("raw"), [b"one.txt", b"two.txt"], "their content"
        )
        self.assertTrue(all(files.mapped("store_fname")))

    def test_keep_the_selection_local(self):
        files = self.make_attachments(2)
        self.open_list()
        self.select_all()
        self.choose_action("Keep Local")
        self.click("body")
        self.wait_for(lambda: all(self.fresh(files).mapped("cloud_keep_local")))

    def test_buttons_of_a_row(self):
        attachment = self.make_attachment(b"mine", name="mine.txt")
        self.open_list()
        self.click(".o_data_row button[name=action_cloud_ask_sync]")
        self.see(".o_data_row", "In the Cloud")
        self.assertOnDrive(self.fresh(attachment), b"mine")
        self.click(".o_data_row button[name=action_cloud_restore]")
        self.see(".o_notification", "are on this server again")
        self.assertTrue(self.fresh(attachment).cloud_keep_local)

    def test_card_has_the_same_actions(self):
        attachment = self.make_attachment(b"mine", name="mine.txt")
        self.open_action("ir_attachment_action", LOGIN, view_type="kanban")
        self.click(".o_facet_remove")
        self.see(".o_cloud_storage_attachment", "mine.txt")
        self.click(".o_cloud_storage_attachment .dropdown-toggle")
        self.click(".o_cloud_storage_attachment .dropdown-item", "Sync Now")
        self.see(".o_cloud_storage_attachment", "In the Cloud")
        self.assertOnDrive(self.fresh(attachment), b"mine")

    def test_user_who_may_not_write_a_file_is_refused(self):
        attachment = self.make_attachment(name="seen.txt")
        user = self.make_user("user", USER).login
        self.open_list(user)
        self.see(".o_data_row", "seen.txt")
        self.select_all()
        self.choose_action("Sync to the Cloud")
        self.see(".modal, .o_notification", "ou are not allowed to modify")
        self.assertEqual(self.fresh(attachment).cloud_sync_status, "local")

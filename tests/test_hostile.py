"""Rows, answers and callers that mean no good, or know no better."""

import os
import uuid

from odoo.exceptions import AccessError, UserError

from ..engine import uninstall
from ..engine.account.identity import Identity, reserved_for
from ..exceptions import CloudFileError
from .common import CloudCase
from .test_identity import IdentityCase, sha1_of
from .test_restore import RestoreCase
from .test_unused_files import UnusedCase

USER = "cloud_storage.group_cloud_storage_user"
MANAGER = "cloud_storage.group_cloud_storage_manager"
EMPTY_SHA1 = sha1_of(b"")


class TestWhoMayBegin(CloudCase):
    """Nobody but a manager sends the first file of a configuration."""

    CALLS = ("sync_to_cloud", "action_cloud_sync", "action_cloud_ask_sync")

    def setUp(self):
        super().setUp()
        self.config.started_on = False
        self.file = self.make_attachments(1)

    def writer(self, *groups):
        return self.make_user("writer", "base.group_partner_manager", *groups)

    def assertRefused(self, user):
        self.cr.commit()
        for delete_local in (False, True):
            self.config.delete_local_after_sync = delete_local
            for name in self.CALLS:
                with self.subTest(name), self.assertRaisesRegex(UserError, "Sync Now"):
                    getattr(self.file.with_user(user), name)()
        self.fresh()
        self.assertEqual(self.drive_files(), [])
        self.assertEqual(self.file.cloud_sync_status, "local")
        self.assertFalse(self.env["cloud_storage.sync.run"].search([]))

    def test_employees(self):
        self.assertRefused(self.writer("base.group_user"))

    def test_users_of_cloud_storage(self):
        self.assertRefused(self.writer(USER))

    def test_a_question_that_was_made_by_hand(self):
        user = self.writer(USER)
        values = {"kind": "sync", "attachment_ids": [(6, 0, self.file.ids)]}
        question = self.env["cloud_storage.confirmation"].with_user(user).create(values)
        self.cr.commit()
        with self.assertRaisesRegex(UserError, "Sync Now"):
            question.action_confirm()
        self.assertEqual(self.drive_files(), [])

    def test_managers_and_the_server(self):
        self.assertTrue(self.file.with_user(self.writer(MANAGER)).sync_to_cloud())
        self.assertTrue(self.make_attachments(1).sync_to_cloud())

    def test_employees_once_it_was_started(self):
        self.config._mark_started()
        self.assertTrue(
            self.file.with_user(self.writer("base.group_user")).sync_to_cloud()
        )

    def test_bringing_back_needs_no_start(self):
        self.assertTrue(self.file.sync_to_cloud())
        user = self.writer("base.group_user")
        self.assertTrue(self.file.with_user(user).restore_from_cloud())


class TestSizesOfNothing(IdentityCase):
    """A file that is known by its sha1 is not empty because a row has no size of it."""

    SIZES = (0, None, -1)

    def without_size(self, size):
        content = uuid.uuid4().bytes
        attachment = self.in_drive(content)
        self.set_columns(attachment, cloud_size_bytes=size)
        self.collect(attachment)
        self.forget()
        return attachment, content

    def test_read(self):
        reader = self.make_user("reader", "base.group_user", "base.group_system")
        for size in self.SIZES:
            with self.subTest(size=size):
                attachment, content = self.without_size(size)
                self.assertEqual(attachment.raw, content)
                self.forget()
                path = "/cloud_storage/file/%d" % attachment.id
                self.assertEqual(self.get(path, reader).content, content)
                self.fresh()
                self.assertEqual(attachment.cloud_size_bytes, len(content))

    def test_restore(self):
        for size in self.SIZES:
            with self.subTest(size=size):
                attachment, content = self.without_size(size)
                self.assertTrue(attachment.restore_from_cloud())
                self.cr.commit()
                self.assertIntact(attachment, "note.txt", content)

    def test_sha1_of_another_content(self):
        """The row knows it: what Drive has now is not taken for it."""
        attachment, _content = self.without_size(0)
        self.emulator.edit_file(attachment.cloud_file_id, content=b"another one")
        with self.assertRaises(CloudFileError):
            attachment.raw  # pylint: disable=pointless-statement
        with self.assertRaises(CloudFileError):
            attachment.restore_from_cloud()

    def test_wrong_size(self):
        """The sha1 tells that it is the file: nothing is flagged, and a night heals it."""
        for size in (3, 4000):
            with self.subTest(size=size):
                attachment, content = self.without_size(size)
                with self.assertRaises(CloudFileError) as caught:
                    attachment.raw  # pylint: disable=pointless-statement
                self.assertEqual(caught.exception.http_status, 503)
                self.fresh()
                self.assertFalse(attachment.cloud_error_message)
                self.env["cloud_storage.sync.service"].reconcile_cloud_references(0)
                self.fresh()
                self.assertEqual(attachment.cloud_sync_status, "synced")
                self.forget()
                self.assertEqual(attachment.raw, content)

    def test_empty_file(self):
        attachment = self.in_drive(b"")
        self.assertEqual((attachment.raw, self.downloads()), (b"", 0))
        self.assertTrue(attachment.restore_from_cloud())


class TestGone(UnusedCase):
    """What is said of files that Drive has not got."""

    def set_columns(self, attachment, columns):
        attachment.flush()
        self.cr.execute(  # pylint: disable=sql-injection
            "UPDATE ir_attachment SET %s WHERE id = %%s" % columns, (attachment.id,)
        )
        self.cr.commit()
        attachment.invalidate_cache()

    def test_file_of_unknown_size_is_not_replaced_by_an_empty_one(self):
        for columns in (
            "cloud_size_bytes = NULL, file_size = 0",
            "cloud_size_bytes = 0, file_size = NULL, cloud_sha1 = NULL",
            "cloud_size_bytes = 0, cloud_sha1 = NULL, cloud_md5 = NULL, file_size = 0",
            "cloud_size_bytes = NULL, file_size = 0, type = 'binary', url = NULL",
        ):
            with self.subTest(columns):
                file = self.synced(keep=False)
                self.collect_garbage()
                self.set_columns(file, columns)
                drive_id = file.cloud_file_id
                self.emulator.remove_file(drive_id)
                self.reconcile()
                self.fresh()
                self.assertEqual(file.cloud_file_id, drive_id)
                self.assertEqual(file.cloud_sync_status, "error")
                self.assertEqual(self.drive_files(), [])
                file.unlink()
                self.cr.commit()

    def test_empty_file_goes_again(self):
        file = self.synced(keep=False, content=b"")
        self.emulator.remove_file(file.cloud_file_id)
        self.reconcile()
        self.fresh()
        self.assertEqual(file.cloud_sync_status, "synced")
        self.assertEqual(len(self.drive_files()), 1)

    def test_link_that_lost_what_it_led_to(self):
        """It is no empty file, and what it was in Drive is found again."""
        file = self.synced(keep=False)
        content, drive_id = file.raw, file.cloud_file_id
        self.collect_garbage()
        self.set_columns(
            file,
            "cloud_sync_status = 'local', cloud_file_id = NULL, cloud_auth_id = NULL,"
            " cloud_md5 = NULL, cloud_sha1 = NULL, cloud_size_bytes = NULL,"
            " file_size = NULL, checksum = NULL",
        )
        self.cr.execute("DELETE FROM cloud_storage_trash")
        self.reconcile()
        self.sync()
        self.fresh()
        self.assertEqual(file.cloud_file_id, drive_id)
        self.assertEqual(file.raw, content)

    def shorten(self, file):
        path = self.local_path(file)
        content = file.raw
        with open(path, "wb") as target:
            target.write(content[:-3])
        file.invalidate_cache()
        return content

    def test_shortened_file_is_read_from_drive(self):
        file = self.synced(keep=True)
        content = self.shorten(file)
        self.reconcile()
        self.fresh()
        self.env["ir.attachment"]._clear_cloud_cache()
        self.assertEqual(file.raw, content)

    def test_shortened_file_is_not_what_is_left_of_a_gone_one(self):
        """A sibling has it."""
        self.config.deduplicate = False
        content = uuid.uuid4().bytes
        file = self.synced(keep=True, content=content)
        other = self.synced(keep=False, content=content)
        self.assertNotEqual(file.cloud_file_id, other.cloud_file_id)
        self.shorten(file)
        self.emulator.remove_file(file.cloud_file_id)
        self.reconcile()
        self.fresh()
        self.env["ir.attachment"]._clear_cloud_cache()
        self.assertEqual(file.raw, content)

    def test_shortened_file_keeps_what_it_lost_in_drive(self):
        file = self.synced(keep=True)
        content, drive_id = self.shorten(file), file.cloud_file_id
        self.set_columns(
            file,
            "type = 'binary', url = NULL, cloud_sync_status = 'local',"
            " cloud_file_id = NULL, cloud_auth_id = NULL, cloud_md5 = NULL,"
            " cloud_sha1 = NULL, cloud_size_bytes = NULL, cloud_synced_date = NULL",
        )
        self.cr.execute("DELETE FROM cloud_storage_trash")
        self.cr.commit()
        for days in (0, 30):
            self.first_seen(days)
            self.reconcile()
            self.fresh()
        self.assertFalse(self.is_trashed(drive_id))
        self.assertEqual(self.emulator.content(drive_id), content)

    def test_whole_file_of_another_recorded_size_is_here(self):
        """The size of a row is a hint."""
        file = self.synced(keep=True)
        name = file.store_fname
        self.set_columns(file, "file_size = 7")
        self.reconcile()
        self.fresh()
        self.assertEqual(file.store_fname, name)


class TestWayOut(RestoreCase):
    """What keeps the addon from being uninstalled can be restored."""

    ROWS = (
        "cloud_size_bytes = NULL",
        "cloud_size_bytes = 0, file_size = 0",
        "cloud_size_bytes = -1",
        "cloud_size_bytes = NULL, cloud_sha1 = NULL, file_size = NULL",
        "store_fname = ''",
    )

    def test_pinned_files_that_are_in_drive_alone(self):
        for row in self.ROWS:
            with self.subTest(row):
                file = self.synced(keep=False)
                content = file.raw
                self.collect_garbage()
                self.cr.execute(  # pylint: disable=sql-injection
                    "UPDATE ir_attachment SET cloud_keep_local = true, type = 'binary',"
                    " url = NULL, %s WHERE id = %%s" % row,
                    (file.id,),
                )
                self.fresh()
                self.assertEqual(uninstall.count_remote_files(self.cr)[0], 1)
                wizard = self.wizard(mode="all")
                wizard.action_preview()
                self.assertEqual(wizard.file_count, 1)
                self.confirm(wizard)
                self.fresh()
                self.assertRestored(file, content)
                self.assertEqual(uninstall.count_remote_files(self.cr)[0], 0)

    def test_empty_file_in_the_place_of_another(self):
        file = self.synced(keep=False)
        content = file.raw
        self.collect_garbage()
        name = "%s/%s" % (EMPTY_SHA1[:2], EMPTY_SHA1)
        path = file._full_path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        open(path, "wb").close()
        self.addCleanup(os.unlink, path)
        self.cr.execute(
            "UPDATE ir_attachment SET store_fname = %s WHERE id = %s", (name, file.id)
        )
        self.fresh()
        self.assertEqual(uninstall.count_remote_files(self.cr)[0], 1)
        self.confirm(self.wizard(mode="all", trash_afterwards=True))
        self.fresh()
        self.assertEqual(file.raw, content)

    def test_folder_whose_list_lacks_fields(self):
        """What a list leaves out is asked for."""
        content = uuid.uuid4().bytes
        for omitted in (
            ["md5Checksum"],
            ["sha1Checksum"],
            ["size"],
            ["md5Checksum", "size"],
        ):
            with self.subTest(omitted):
                file = self.synced(
                    keep=False, content=content + bytes(str(omitted), "ascii")
                )
                known = file.raw
                self.collect_garbage()
                folder = self.drive_file(file.cloud_file_id)["parents"][0]
                self.emulator.fault("files.list", times=-1, omit=omitted)
                wizard = self.wizard(mode="folder", folder_id=folder)
                wizard.action_preview()
                self.assertGreaterEqual(wizard.file_count, 1)
                self.confirm(wizard)
                self.emulator.clear_faults()
                self.fresh()
                self.assertRestored(file, known)

    def test_stranger_in_a_folder_whose_list_lacks_fields(self):
        file = self.synced(keep=False)
        folder = self.drive_file(file.cloud_file_id)["parents"][0]
        self.emulator.put_file(
            "stranger.txt", b"unknown", parents=[folder], client_id=self.auth.client_id
        )
        self.emulator.fault(
            "files.list", times=-1, omit=["sha1Checksum", "md5Checksum", "size"]
        )
        partner = self.env["res.partner"].create({"name": "Default"})
        record = "res.partner,%d" % partner.id
        wizard = self.wizard(mode="folder", folder_id=folder, default_record=record)
        wizard.action_preview()
        self.confirm(wizard)
        made = self.env["ir.attachment"].search([("res_id", "=", partner.id)])
        self.assertRestored(made, b"unknown")


class TestReservedIds(IdentityCase):
    """An id that a row reserved may have become somebody else's file."""

    def test_file_of_another_database(self):
        attachment, file_id, content = self.interrupted()
        self.emulator.edit_file(
            file_id, appProperties={"odoo_db": "of a neighbour", "odoo_attachment": "1"}
        )
        self.sync()
        self.sync()
        self.fresh()
        self.assertEqual(attachment.cloud_sync_status, "synced")
        self.assertNotEqual(attachment.cloud_file_id, file_id)
        self.env["cloud_storage.sync.service"].automatic_sync()
        self.assertFalse(self.drive_file(file_id)["trashed"])
        self.assertOwn(attachment, [content])


class TestForgedDefaults(CloudCase):
    """Defaults are values too, wherever they come from."""

    def test_endpoints(self):
        settings = self.make_user("settings", "base.group_system")
        parameters = self.env["ir.config_parameter"].with_user(settings)
        key = "cloud_storage.google_token_uri"
        self.env["ir.config_parameter"].search([("key", "=", key)]).unlink()
        self.cr.commit()
        self.addCleanup(self.forget_defaults)
        with self.assertRaises(AccessError):
            parameters.with_context(default_key=key).create({"value": "https://evil"})
        self.cr.rollback()
        self.env["ir.default"].with_user(settings).set(
            "ir.config_parameter", "key", key, True
        )
        with self.assertRaises(AccessError):
            parameters.create({"value": "https://evil"})
        self.cr.rollback()

    def test_state_of_an_account(self):
        manager = self.make_user("manager", MANAGER)
        self.addCleanup(self.forget_defaults)
        forged = {
            "state": "authorized",
            "account_email": "ceo@example.com",
            "database_uuid": "of a neighbour",
            "granted_to": "somebody",
            "access_token": "forged",
        }
        defaults = self.env["ir.default"].with_user(manager)
        for name, value in forged.items():
            defaults.set("cloud_storage.auth", name, value, True)
        account = self.env["cloud_storage.auth"].with_user(manager)
        account = account.create({"name": "Mine"}).sudo()
        self.assertEqual(account.state, "draft")
        for name in ("account_email", "database_uuid", "granted_to", "token_set"):
            self.assertFalse(account[name], name)

    def forget_defaults(self):
        self.cr.rollback()
        names = ("ir.config_parameter", "cloud_storage.auth")
        self.env["ir.default"].search([("field_id.model", "in", names)]).unlink()
        self.cr.commit()


class TestOddRowsAtNight(IdentityCase):
    """Whatever stands in a row: its content is readable after some nights."""

    ROWS = {
        "upper case": {"checksum": "upper"},
        "no status": {"cloud_sync_status": None},
        "no checksum": {"checksum": None},
        "negative size": {"file_size": -1},
        "size 0": {"file_size": 0},
        "no size": {"file_size": None},
        "empty checksum": {"checksum": EMPTY_SHA1},
        "no account's sha1": {"cloud_sha1": None, "cloud_md5": None},
        "binary": {"type": "binary", "url": None},
        "local": {"cloud_sync_status": "local"},
    }

    def columns(self, row, content):
        upper = sha1_of(content).upper()
        return {k: upper if v == "upper" else v for k, v in row.items()}

    def nights(self):
        service = self.env["cloud_storage.sync.service"]
        for _night in range(2):
            service.reconcile_cloud_references(0)
            service.automatic_sync()
            self.fresh()

    def test_in_drive_alone(self):
        files, contents = self.env["ir.attachment"], []
        for row in self.ROWS.values():
            content = uuid.uuid4().bytes
            file = self.in_drive(content)
            self.set_columns(file, **self.columns(row, content))
            files, contents = files | file, contents + [content]
        self.collect(files)
        self.nights()
        self.assertOwn(files, contents)

    def test_here(self):
        files, contents = self.env["ir.attachment"], []
        self.config.delete_local_after_sync = True
        for row in self.ROWS.values():
            content = uuid.uuid4().bytes
            file = self.make_in("filestore", content)
            self.set_columns(file, **self.columns(row, content))
            files, contents = files | file, contents + [content]
        self.config.delete_local_after_sync = True
        self.nights()
        self.assertOwn(files, contents)

    def in_the_wrong_account(self):
        """Two share a file; the row of one names an account that can not see it."""
        content = uuid.uuid4().bytes
        first, second = files = self.made([content, content])
        self.config.delete_local_after_sync = True
        self.assertEqual(self.sync()["synced"], 2)
        self.assertEqual(first.cloud_file_id, second.cloud_file_id)
        self.collect(files)
        other = self.make_account("second@example.com")
        other.granted_to = Identity(other).working_grantee()
        self.set_columns(second, cloud_auth_id=other.id)
        self.forget()
        return first, second, content

    def test_account_that_can_not_see_the_file(self):
        first, second, content = self.in_the_wrong_account()
        self.assertEqual(second.raw, content)
        self.forget()
        self.assertTrue(second.restore_from_cloud())
        self.cr.commit()
        self.assertOwn(second, [content])

    def test_account_that_can_not_see_the_file_at_night(self):
        first, second, content = self.in_the_wrong_account()
        self.nights()
        self.assertEqual(second.cloud_sync_status, "synced")
        self.assertEqual(second.cloud_auth_id, self.auth)
        self.assertFalse(self.drive_file(first.cloud_file_id)["trashed"])
        self.assertOwn(first | second, [content, content])

    def test_one_id_in_two_accounts(self):
        other = self.make_account("second@example.com")
        content = uuid.uuid4().bytes
        first, second = self.in_drive(content), self.in_drive(b"x" + content)
        file_id = first.cloud_file_id
        self.set_columns(second, cloud_auth_id=other.id, cloud_file_id=file_id)
        self.collect(first | second)
        second.unlink()
        self.cr.commit()
        self.nights()
        self.assertOwn(first, [content])
        self.assertFalse(self.drive_file(file_id)["trashed"])


class TestNeighboursFiles(RestoreCase):
    """A file that another database uses stays as it is when its copy moves on."""

    def setUp(self):
        super().setUp()
        self.target = self.make_account("second@example.com")
        self.cr.commit()

    def migrate(self, **values):
        accounts = {"source_auth_id": self.auth.id, "target_auth_id": self.target.id}
        wizard = self.env["cloud_storage.wizard.migrate"]
        values = dict(accounts, switch_configs=False, **values)
        return self.confirm(wizard.create(values))

    def assertMigrated(self, file, content):
        self.assertEqual(file.cloud_auth_id, self.target)
        self.assertEqual(self.emulator.content(file.cloud_file_id), content)

    def shared_with_a_neighbour(self):
        file = self.synced(keep=False)
        marks = {"odoo_db": "of a neighbour", "odoo_attachment": "1"}
        self.emulator.edit_file(file.cloud_file_id, appProperties=marks)
        return file, file.cloud_file_id, file.raw, marks

    def test_moving_changes_nothing_of_it(self):
        for after in ("keep", "trash", "delete"):
            with self.subTest(after):
                file, drive_id, content, marks = self.shared_with_a_neighbour()
                self.migrate(after=after)
                self.background()
                self.fresh()
                self.assertMigrated(file, content)
                there = self.drive_file(drive_id)
                self.assertTrue(there and not there["trashed"])
                self.assertEqual(there["appProperties"], marks)

    def test_id_in_the_target_is_a_neighbours(self):
        file = self.synced(keep=False)
        content = file.raw
        drive_id = self.emulator.put_file(
            "theirs.txt",
            content,
            owner="second@example.com",
            client_id=self.target.client_id,
            appProperties={"odoo_db": "of a neighbour"},
        )
        file.write(
            {
                "cloud_reserved_id": drive_id,
                "cloud_reserved_for": reserved_for(self.target),
            }
        )
        self.migrate()
        self.migrate()
        self.fresh()
        self.assertMigrated(file, content)
        self.assertNotEqual(file.cloud_file_id, drive_id)
        self.assertFalse(self.drive_file(drive_id)["trashed"])


class TestSilentAnswers(IdentityCase):
    """Who does not say that a file is not in the trash has not said it."""

    def test_release(self):
        attachment = self.make_in("both", uuid.uuid4().bytes)
        self.config.delete_local_after_sync = True
        self.cr.commit()
        for route in ("files.get", "batch"):
            self.emulator.fault(route, times=-1, omit=["trashed"])
        self.release_due()
        self.fresh()
        self.assertTrue(attachment.store_fname)

    def test_sharing(self):
        content = uuid.uuid4().bytes
        first = self.in_drive(content)
        second = self.made([content])
        self.config.delete_local_after_sync = True
        self.emulator.fault("files.get", times=-1, omit=["trashed"])
        self.assertEqual(self.sync()["synced"], 1)
        self.assertNotEqual(first.cloud_file_id, second.cloud_file_id)


class TestNewerBytes(IdentityCase):
    """Bytes that somebody put here below the ORM are what people get, everywhere."""

    def test_proxy(self):
        attachment = self.in_drive(uuid.uuid4().bytes)
        newer = uuid.uuid4().bytes * 3
        fname = attachment._file_write(newer, sha1_of(newer))
        self.set_columns(attachment, store_fname=fname)
        self.forget()
        reader = self.make_user("reader", "base.group_user", "base.group_system")
        path = "/cloud_storage/file/%d" % attachment.id
        self.assertEqual(attachment.raw, newer)
        self.assertEqual(self.get(path, reader).content, newer)

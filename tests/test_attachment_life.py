import base64
import contextlib
import os
import time
import uuid

from odoo.exceptions import AccessError, UserError
from odoo.tools import mute_logger

from ..engine import runner
from ..engine.content.restoring import PARTS
from ..engine.outbox.deliver import deliver
from .common_content import ContentCase


class Rollback(Exception):
    """Ends a transaction on purpose."""


class TestAttachmentLife(ContentCase):
    """What happens to an attachment in Odoo, and what becomes of its Drive file."""

    def process(self):
        """Tell Drive what is in the queue."""
        self.cr.commit()
        return deliver(self.env)

    @contextlib.contextmanager
    def rolled_back(self):
        """A transaction that ends in an error."""
        self.cr.commit()
        with self.assertRaises(Rollback):
            yield
            self.env["ir.attachment"].flush()
            raise Rollback()
        self.cr.rollback()
        self.forget()

    # -- new content ---------------------------------------------------------------------

    def test_same_content_with_local_bytes_keeps_the_link(self):
        attachment = self.make_in("both", b"the same")
        drive_id = attachment.cloud_file_id
        attachment.raw = b"the same"
        self.process()
        self.assertEqual(attachment.cloud_file_id, drive_id)
        self.assertEqual(attachment.cloud_sync_status, "synced")
        self.assertTrue(self.drive_files())

    def test_same_content_without_local_bytes_is_local(self):
        attachment = self.in_drive(b"the same")
        attachment.raw = b"the same"
        self.process()
        self.assertEqual((attachment.type, attachment.url), ("binary", False))
        self.assertEqual(attachment.cloud_sync_status, "local")
        self.assertFalse(self.drive_files())
        self.assertEqual(attachment.raw, b"the same")

    def test_empty_content_is_new_content(self):
        attachment = self.in_drive()
        attachment.raw = b""
        self.assertEqual(attachment.cloud_sync_status, "local")
        self.assertEqual((attachment.raw or b"", attachment.file_size), (b"", 0))

    def test_database_column_written_directly(self):
        attachment = self.in_drive()
        attachment.db_datas = b"sneaked in"
        self.assertEqual(attachment.cloud_sync_status, "local")
        self.assertEqual(attachment.raw, b"sneaked in")

    def test_new_content_after_a_failed_upload(self):
        attachment = self.make_in("filestore")
        attachment.write(
            {"cloud_sync_status": "error", "cloud_error_message": "No", "cloud_attempts": 3}
        )
        attachment.raw = b"another try"
        self.assertEqual(attachment.cloud_sync_status, "local")
        self.assertFalse(attachment.cloud_error_message)
        self.assertFalse(attachment.cloud_attempts)

    def row(self, attachment):
        """Type and address as they are in the database."""
        attachment.flush()
        self.cr.execute(
            "SELECT type, url FROM ir_attachment WHERE id = %s", (attachment.id,)
        )
        return self.cr.fetchone()

    def test_new_content_with_its_type(self):
        """As Odoo's form writes it: from URL to File, and a file."""
        employee = self.make_user(
            "employee", "base.group_user", "base.group_partner_manager"
        )
        new = base64.b64encode(b"new")
        for user in (self.env.user, employee):
            for place in ("drive", "both"):
                for vals in ({"datas": new}, {"raw": b"new"}):
                    with self.subTest(user=user.name, place=place, vals=vals):
                        attachment = self.make_in(place)
                        mine = attachment.with_user(user)
                        mine.write(dict(vals, type="binary"))
                        self.assertEqual(self.row(attachment), ("binary", None))
                        self.assertEqual(attachment.cloud_sync_status, "local")
                        self.assertEqual(attachment.raw, b"new")
        self.process()
        self.assertFalse(self.drive_files())

    def test_new_content_with_type_and_address(self):
        """As somebody writes it who sends the whole record back."""
        attachment = self.in_drive()
        vals = attachment.read(["type", "url"])[0]
        attachment.write({"type": vals["type"], "url": vals["url"], "raw": b"new"})
        self.assertEqual(self.row(attachment), ("binary", None))
        self.assertEqual(attachment.raw, b"new")

    def test_type_and_address_of_what_is_only_in_drive(self):
        """They follow from where the bytes are."""
        employee = self.make_user(
            "employee", "base.group_user", "base.group_partner_manager"
        )
        for vals in (
            {"type": "binary"},
            {"type": "binary", "url": False},
            {"url": "https://example.com"},
        ):
            for user in (self.env.user, employee):
                with self.subTest(vals=vals, user=user.name):
                    attachment = self.in_drive(b"only there")
                    other = self.make_in("filestore", b"another")
                    # Odoo itself lets no employee give a file an address
                    both = attachment + other if "type" in vals else attachment
                    both.with_user(user).write(dict(vals, description="seen"))
                    self.assertEqual(self.row(attachment), ("url", attachment.url))
                    self.assertIn("/cloud_storage/file/%d" % attachment.id, attachment.url)
                    self.assertEqual(set(both.mapped("description")), {"seen"})
                    self.assertEqual((other.type, other.url), ("binary", False))
                    self.assertEqual(attachment.raw, b"only there")

    def test_type_of_what_is_in_both_places(self):
        attachment = self.make_in("both", b"here too")
        attachment.write({"type": "binary"})
        self.assertEqual(self.row(attachment), ("binary", None))
        self.assertEqual(attachment.cloud_sync_status, "synced")

    # -- rollback ------------------------------------------------------------------------

    def test_rollback_leaves_drive_alone(self):
        changes = {
            "write": lambda a: a.write({"raw": b"not kept"}),
            "unlink": lambda a: a.unlink(),
            "copy": lambda a: a.copy(),
            "rename": lambda a: a.write({"name": "not kept.txt"}),
            "restore": lambda a: a.restore_from_cloud(),
            "pin": lambda a: a.write({"cloud_keep_local": True}),
        }
        for name, change in changes.items():
            for place in ("both", "drive"):
                with self.subTest(change=name, place=place):
                    attachment = self.make_in(place, b"content of " + name.encode())
                    before = attachment.read()
                    drive = self.drive_file(attachment.cloud_file_id)
                    with self.rolled_back():
                        change(attachment)
                    self.assertEqual(self.process(), 0)
                    self.assertEqual(attachment.read(), before)
                    self.assertEqual(self.drive_file(attachment.cloud_file_id), drive)

    # -- moving and pinning --------------------------------------------------------------

    def test_move_to_another_record(self):
        attachment = self.in_drive(b"moves")
        user = self.make_user("mover", "base.group_user", "base.group_partner_manager")
        attachment.with_user(user).write({"res_model": "res.users", "res_id": user.id})
        self.assertEqual(attachment.cloud_sync_status, "synced")
        self.assertEqual(attachment.raw, b"moves")

    def test_pin_and_unpin(self):
        attachment = self.make_in("both")
        attachment.cloud_keep_local = True
        self.assertEqual((attachment.type, attachment.url), ("binary", False))
        self.assertEqual(attachment.cloud_sync_status, "synced")
        self.config.delete_local_after_sync = True
        self.env["cloud_storage.sync.service"].automatic_sync()
        self.assertTrue(attachment.store_fname)
        attachment.cloud_keep_local = False
        self.assertEqual(attachment.type, "url")
        self.assertEqual(attachment.url, "/cloud_storage/file/%d" % attachment.id)
        self.env["cloud_storage.sync.service"].automatic_sync()
        self.assertFalse(attachment.store_fname)

    def test_pinning_what_is_only_in_drive_loses_nothing(self):
        attachment = self.in_drive(b"only there")
        attachment.cloud_keep_local = True
        self.assertEqual(attachment.type, "url")
        self.assertEqual(attachment.raw, b"only there")

    # -- storage -------------------------------------------------------------------------

    def test_force_storage(self):
        places = ("filestore", "database", "both", "drive")
        files = {place: self.make_in(place, place.encode()) for place in places}
        for storage in ("db", "file"):
            self.env["ir.config_parameter"].set_param("ir_attachment.location", storage)
            self.cr.commit()
            # the real one takes every file of the database: only ours here
            others = self.env["ir.attachment"].search(
                [("id", "<=", self.start["ir_attachment"])]
            )
            self.assertTrue(others)
            self.env["ir.attachment"].force_storage()
            for place, attachment in files.items():
                with self.subTest(storage=storage, place=place):
                    in_database = bool(attachment.db_datas)
                    local = place != "drive"
                    self.assertEqual(in_database, local and storage == "db")
                    self.assertEqual(bool(attachment.store_fname), local and not in_database)
                    self.assertEqual(attachment.raw, place.encode())
                    synced = place in ("both", "drive")
                    self.assertEqual(bool(attachment.cloud_file_id), synced)
        self.cr.rollback()
        self.env["ir.config_parameter"].set_param("ir_attachment.location", "file")

    # -- restore -------------------------------------------------------------------------

    def test_restore(self):
        for storage in ("file", "db"):
            with self.subTest(storage=storage):
                attachment = self.in_drive(b"comes back to " + storage.encode())
                parameters = self.env["ir.config_parameter"]
                parameters.set_param("ir_attachment.location", storage)
                self.assertTrue(attachment.restore_from_cloud())
                parameters.set_param("ir_attachment.location", "file")
                self.cr.commit()
                self.forget()
                self.assertEqual(bool(attachment.db_datas), storage == "db")
                self.assertEqual(attachment.raw, b"comes back to " + storage.encode())
                self.assertEqual(self.downloads(), 0)
                self.assertEqual((attachment.type, attachment.url), ("binary", False))
                self.assertTrue(attachment.cloud_keep_local)
        self.collect(attachment)
        self.assertEqual(attachment.raw, b"comes back to db")

    def test_restore_survives_the_garbage_collection(self):
        attachment = self.in_drive(b"stays")
        self.collect(attachment)
        attachment.restore_from_cloud()
        self.collect(attachment)
        with open(self.local_path(attachment), "rb") as file:
            self.assertEqual(file.read(), b"stays")

    def test_restore_of_many(self):
        files = self.env["ir.attachment"].union(*(self.in_drive() for _i in range(3)))
        self.assertTrue(files.restore_from_cloud())
        self.assertTrue(all(files.mapped("store_fname")))

    def test_restore_refuses_wrong_bytes(self):
        attachment = self.in_drive(b"right")
        self.emulator.edit_file(attachment.cloud_file_id, content=b"wrong")
        with self.assertRaisesRegex(UserError, "changed"):
            attachment.restore_from_cloud()
        self.cr.rollback()
        self.assertFalse(attachment.store_fname)

    def damaged(self, content):
        """An attachment in both places whose local file was cut short."""
        attachment = self.make_in("both", content)
        with open(self.local_path(attachment), "r+b") as file:
            file.truncate(10)
        return attachment

    def test_restore_replaces_a_damaged_local_file(self):
        for storage in ("file", "db"):
            with self.subTest(storage=storage):
                content = uuid.uuid4().bytes * 100
                attachment = self.damaged(content)
                parameters = self.env["ir.config_parameter"]
                parameters.set_param("ir_attachment.location", storage)
                self.assertTrue(attachment.restore_from_cloud())
                parameters.set_param("ir_attachment.location", "file")
                self.collect(attachment)
                self.forget()
                self.assertEqual(bool(attachment.db_datas), storage == "db")
                self.assertEqual(attachment.raw, content)
                self.assertEqual(self.downloads(), 0)

    def test_restore_leaves_a_sound_local_file_alone(self):
        for place in ("filestore", "database"):
            attachment = self.make_in(place, place.encode())
            self.assertTrue(attachment.sync_to_cloud(), self.why(attachment))
            self.forget()
            self.assertTrue(attachment.restore_from_cloud())
            self.assertEqual(self.downloads(), 0)
            self.assertEqual(attachment.raw, place.encode())

    def test_damaged_local_file_is_replaced_before_drive_lets_go(self):
        content = uuid.uuid4().bytes * 100
        attachment = self.damaged(content)
        service = self.env["cloud_storage.sync.service"]
        run = runner.create_run(
            self.config, "restore", ids=attachment.ids, trash=True
        )
        service.automatic_sync()
        self.forget()
        self.assertEqual((run.state, run.total_success), ("done", 1), run.message)
        self.process()
        self.forget()
        self.assertFalse(self.drive_files())
        self.assertEqual(attachment.raw, content)

    def test_drive_keeps_what_could_not_be_restored(self):
        attachment = self.damaged(uuid.uuid4().bytes * 100)
        drive_id = attachment.cloud_file_id
        self.emulator.edit_file(drive_id, content=b"changed")
        service = self.env["cloud_storage.sync.service"]
        run = runner.create_run(
            self.config, "restore", ids=attachment.ids, trash=True
        )
        service.automatic_sync()
        self.forget()
        self.assertEqual(run.total_errors, 1)
        self.process()
        self.assertEqual(attachment.cloud_file_id, drive_id)
        self.assertFalse(self.drive_file(drive_id)["trashed"])

    @mute_logger("odoo.addons.base.models.ir_attachment")
    def test_garbage_collection_while_a_restore_downloads(self):
        attachment = self.in_drive(b"slowly" * 1000)
        self.collect(attachment)
        self.emulator.fault("files.media", delay_ms=3000)
        with self.in_thread(self.restore_elsewhere, attachment.id) as restored:
            self.wait_for(self.parts)
            self.collect(attachment)
            self.assertFalse(restored.done(), "the collection came too late")
        self.fresh()
        self.forget()
        self.assertEqual(attachment.raw, b"slowly" * 1000)
        self.assertEqual(self.downloads(), 0)
        self.assertEqual(self.parts(), [])

    def restore_elsewhere(self, attachment_id):
        """As another worker does it."""
        with self.other_transaction() as env:
            env["ir.attachment"].browse(attachment_id).restore_from_cloud()
            env.cr.commit()

    def parts(self):
        """What restores began to write."""
        path = self.env["ir.attachment"]._full_path(PARTS)
        return os.listdir(path) if os.path.isdir(path) else []

    def test_failed_restore_leaves_no_part(self):
        attachment = self.in_drive(b"right")
        self.emulator.edit_file(attachment.cloud_file_id, content=b"wrong")
        with self.assertRaises(UserError):
            attachment.restore_from_cloud()
        self.assertEqual(self.parts(), [])

    def test_parts_of_a_crash_are_swept(self):
        path = self.env["ir.attachment"]._full_path(PARTS)
        os.makedirs(path, exist_ok=True)
        for name, age in (("old", 3 * 86400), ("running", 0)):
            with open(os.path.join(path, name), "wb") as part:
                part.write(b"half a file")
            self.addCleanup(self.drop_part, part.name)
            then = time.time() - age
            os.utime(part.name, (then, then))
        self.env["ir.attachment"]._gc_cloud_parts()
        self.assertEqual(self.parts(), ["running"])

    def drop_part(self, path):
        """Remove a file that may be there."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)

    # -- who may -------------------------------------------------------------------------

    def test_who_may_write_may_move(self):
        attachment = self.make_in("filestore", b"of a partner")
        private = self.make_in("filestore", res_model="res.users", model="res.users")
        cron = self.env["ir.cron"].search([], limit=1)
        private.write({"res_model": "ir.cron", "res_id": cron.id})
        writer = self.make_user("writer", "base.group_user", "base.group_partner_manager")
        reader = self.make_user("reader", "base.group_user")
        portal = self.make_user("portal", "base.group_portal")
        self.cr.commit()
        for user, record in ((reader, attachment), (portal, attachment), (writer, private)):
            for method in ("sync_to_cloud", "restore_from_cloud"):
                with self.assertRaises(AccessError):
                    getattr(record.with_user(user), method)()
        self.config.delete_local_after_sync = True
        self.assertTrue(attachment.with_user(writer).sync_to_cloud())
        self.assertFalse(attachment.store_fname)
        self.assertEqual(attachment.with_user(reader).raw, b"of a partner")
        self.assertTrue(attachment.with_user(writer).restore_from_cloud())
        self.assertTrue(attachment.store_fname)

    def test_record_rules_hold_for_moves(self):
        self.env["ir.rule"].create(
            {
                "name": "frozen files",
                "model_id": self.env.ref("base.model_ir_attachment").id,
                "domain_force": "[('name', '!=', 'frozen.txt')]",
                "perm_read": False,
                "perm_create": False,
                "perm_unlink": False,
            }
        )
        self.addCleanup(self.drop_rule)
        user = self.make_user(
            "employee",
            "base.group_user",
            "base.group_partner_manager",
            "cloud_storage.group_cloud_storage_manager",
        )
        there = self.in_drive(name="frozen.txt") + self.in_drive(name="frozen.txt")
        here = self.make_in("filestore", name="frozen.txt")
        self.cr.commit()
        with self.assertRaises(AccessError):
            there.with_user(user).write({"description": "x"})
        for method in (
            "restore_from_cloud",
            "action_cloud_restore",
            "action_cloud_keep_local",
            "action_cloud_unpin",
            "sync_to_cloud",
            "action_cloud_sync",
            "action_cloud_ask_sync",
            "_retry_cloud_sync",
        ):
            for files in (there, there[0], here):
                if files == here and method == "action_cloud_restore":
                    continue
                with self.subTest(method), self.assertRaises(AccessError):
                    getattr(files.with_user(user), method)()

    def drop_rule(self):
        """Let everybody write again."""
        self.cr.rollback()
        self.env["ir.rule"].search([("name", "=", "frozen files")]).unlink()
        self.cr.commit()

    def test_on_many(self):
        good = self.make_in("filestore") + self.make_in("filestore")
        bad = self.make_attachment(name="program.exe")
        self.assertTrue(good.sync_to_cloud())
        self.assertFalse((good + bad).sync_to_cloud())
        self.assertIn("file type", self.why(bad))
        self.assertEqual(set(good.mapped("cloud_sync_status")), {"synced"})

    def test_retry_as_a_user(self):
        attachment = self.make_in("filestore")
        attachment.write({"cloud_sync_status": "error", "cloud_attempts": 9})
        user = self.make_user("again", "base.group_user", "base.group_partner_manager")
        self.cr.commit()
        self.assertTrue(attachment.with_user(user)._retry_cloud_sync())

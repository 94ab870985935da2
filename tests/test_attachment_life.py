import contextlib

from odoo.exceptions import AccessError, UserError

from .common_content import ContentCase


class Rollback(Exception):
    """Ends a transaction on purpose."""


class TestAttachmentLife(ContentCase):
    """What happens to an attachment in Odoo, and what becomes of its Drive file."""

    def process(self):
        """Tell Drive what is in the queue."""
        self.cr.commit()
        return self.env["cloud_storage.trash"]._process()

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

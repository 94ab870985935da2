"""Attachments whose size or checksum Odoo never recorded."""
import hashlib
import os
import uuid

from ..engine import release
from ..engine.local_files import is_here
from .common_content import MB, ContentCase


class TestMeasure(ContentCase):
    """Bytes count as much when nobody wrote down how many they are."""

    def make_in_column(self, content, name="old.txt"):
        """Bytes put straight into ``db_datas``, a plain field."""
        attachment = self.env["ir.attachment"].create(
            {
                "name": name,
                "db_datas": content,
                "res_model": "res.partner",
                "res_id": self.env.ref("base.main_partner").id,
            }
        )
        attachment.flush()
        self.cr.execute(
            "SELECT 1 FROM ir_attachment WHERE id = %s AND file_size IS NULL",
            (attachment.id,),
        )
        self.assertTrue(self.cr.fetchone())
        self.cr.commit()
        return attachment

    def set_columns(self, attachment, **values):
        attachment.flush()
        for name, value in values.items():
            self.cr.execute(  # pylint: disable=sql-injection
                "UPDATE ir_attachment SET %s = %%s WHERE id = %%s" % name,
                (value, attachment.id),
            )
        self.cr.commit()
        attachment.invalidate_cache()

    def test_content_without_recorded_size(self):
        content = b"kept in the database, size never recorded"
        attachment = self.make_in_column(content)
        self.assertEqual(attachment.raw, content)
        self.assertTrue(attachment.sync_to_cloud())
        self.forget()
        self.assertFalse(is_here(attachment))
        self.assertOnDrive(attachment, content)
        self.assertIntact(attachment, "old.txt", content)

    def test_run_over_all(self):
        contents = [uuid.uuid4().bytes, os.urandom(3 * MB), b"\0"]
        files = [self.make_in_column(content) for content in contents]
        self.assertEqual(self.sync()["synced"], 3)
        self.forget()
        for attachment, content in zip(files, contents):
            self.assertFalse(is_here(attachment))
            self.assertIntact(attachment, "old.txt", content)

    def test_limits_hold_for_the_true_size(self):
        self.config.file_type_ids.filtered(lambda t: t.extension == "txt").write(
            {"max_size_mb": 1}
        )
        self.config.min_file_size_kb = 1
        large = self.make_in_column(os.urandom(2 * MB))
        small = self.make_in_column(b"small")
        fits = self.make_in_column(os.urandom(MB // 2))
        self.assertEqual(self.sync()["synced"], 1)
        self.fresh()
        self.assertEqual(fits.cloud_sync_status, "synced")
        self.assertEqual(large.file_size, 2 * MB)
        self.assertEqual((small | large).mapped("cloud_sync_status"), ["local"] * 2)

    def test_other_models_are_left_alone(self):
        attachment = self.make_in_column(b"of somebody else")
        attachment.res_model = "res.users"
        self.sync()
        self.cr.execute(
            "SELECT checksum FROM ir_attachment WHERE id = %s", (attachment.id,)
        )
        self.assertEqual(self.cr.fetchone(), (None,))

    def test_nothing_recorded_and_file_gone(self):
        attachment = self.make_attachment()
        self.set_columns(attachment, file_size=None, checksum=None)
        os.unlink(self.local_path(attachment))
        self.assertFalse(attachment.sync_to_cloud())
        self.assertIn("never recorded", self.why(attachment))
        self.assertEqual(self.sync()["synced"], 0)
        self.fresh()
        self.assertEqual(attachment.cloud_sync_status, "local")

    def test_damaged_file_is_not_blessed(self):
        attachment = self.make_attachment(b"as it was")
        self.set_columns(attachment, file_size=None, checksum=None)
        with open(self.local_path(attachment), "wb") as file:
            file.write(b"changed!!")
        self.assertFalse(attachment.sync_to_cloud())
        self.assertFalse(self.drive_files())

    def test_restore_without_a_checksum(self):
        for place in ("file", "db"):
            with self.subTest(place=place):
                content = uuid.uuid4().bytes
                attachment = self.in_drive(content)
                self.set_columns(attachment, checksum=None)
                parameters = self.env["ir.config_parameter"]
                parameters.set_param("ir_attachment.location", place)
                try:
                    self.assertTrue(attachment.restore_from_cloud())
                finally:
                    parameters.set_param("ir_attachment.location", "file")
                self.collect(attachment)
                self.assertTrue(is_here(attachment))
                self.assertIntact(attachment, "note.txt", content)

    def test_synced_and_restored_without_a_checksum(self):
        content = uuid.uuid4().bytes
        attachment = self.make_attachment(content)
        self.set_columns(attachment, checksum=None)
        self.assertTrue(attachment.sync_to_cloud())
        self.forget()
        self.assertEqual(attachment.checksum, hashlib.sha1(content).hexdigest())
        self.assertTrue(attachment.restore_from_cloud())
        self.assertEqual(attachment.raw, content)

    def test_local_bytes_of_another_size_stay(self):
        """Whatever the row says of them."""
        longer = self.make_in("both", uuid.uuid4().bytes)
        with open(self.local_path(longer), "ab") as file:
            file.write(b"more")
        column = self.make_in("both", b"in a column")
        self.set_columns(column, store_fname=None, db_datas=b"in a column, and more")
        same_size = self.make_in("both", b"in a column")
        self.set_columns(same_size, store_fname=None, db_datas=b"IN A COLUMN")
        unknown = self.make_in("both", b"size unknown")
        self.set_columns(unknown, file_size=None)
        files = longer | column | same_size | unknown
        self.assertEqual(release.release_uploaded(self.config, files.ids), 0)
        self.env.cr.commit()
        rows = release._copies(self.env, "id IN %s", [tuple(files.ids)])
        proven = release._proven(self.env, self.auth._drive_client, rows)
        self.assertEqual(release._release(self.env, proven), 0)
        self.fresh()
        self.assertTrue(all(is_here(a) for a in files))

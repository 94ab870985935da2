import base64
import itertools

from odoo.tools import human_size

from ..engine.local_files import is_here
from ..engine.outbox.deliver import deliver
from .common_content import PLACES, SAMPLES, ContentCase


class TestContentMatrix(ContentCase):
    """Each way to read or change a content, wherever it is: the same result."""

    def each(self, check):
        """Call ``check(attachment, name, content, place)`` for all, each on its own."""
        for sample, place in itertools.product(SAMPLES, PLACES):
            name, content = SAMPLES[sample]()
            with self.subTest(place=place, sample=sample):
                check(self.make_in(place, content, name=name), name, content, place)

    def test_places_are_what_they_say(self):
        for place in PLACES:
            attachment = self.make_in(place)
            found = (
                bool(attachment.store_fname),
                bool(attachment.db_datas),
                bool(attachment.cloud_file_id),
                attachment.type,
            )
            self.assertEqual(
                found,
                {
                    "filestore": (True, False, False, "binary"),
                    "database": (False, True, False, "binary"),
                    "both": (True, False, True, "url"),
                    "drive": (False, False, True, "url"),
                }[place],
            )

    def test_read(self):
        def check(attachment, name, content, place):
            encoded = base64.b64encode(content)
            self.assertIntact(attachment, name, content)
            self.assertEqual(attachment.datas, encoded)
            read = attachment.read(["datas", "name", "mimetype"])[0]
            self.assertEqual((read["datas"], read["name"]), (encoded, name))
            found = attachment.search_read([("id", "=", attachment.id)], ["raw"])
            self.assertEqual(found[0]["raw"], content)
            rows = attachment.export_data(["name", "datas"])["datas"]
            self.assertEqual(rows, [[name, encoded]])

        self.each(check)

    def test_sizes_without_bytes(self):
        def check(attachment, name, content, place):
            size = human_size(len(content))
            sized = attachment.with_context(bin_size=True)
            row = sized.read(["datas", "raw"])[0]
            self.assertEqual(_text(row["datas"]), size)
            if place == "drive":  # Odoo tells wrong sizes of raw contents
                self.assertEqual(_text(row["raw"]), size)
            self.assertEqual(self.downloads(), 0)
            self.assertEqual(attachment.raw, content)

        self.each(check)

    def test_copy(self):
        def check(attachment, name, content, place):
            copied = attachment.copy()
            self.assertEqual((copied.name, copied.raw), (name, content))
            if place == "drive":  # Odoo 14 forgets the sizes of its own copies
                self.assertIntact(copied, name, content)
            self.assertEqual(copied.mimetype, attachment.mimetype)
            self.assertEqual(copied.index_content, attachment.index_content)
            self.assertEqual((copied.type, copied.url), ("binary", False))
            self.assertEqual(copied.cloud_sync_status, "local")
            self.assertFalse(copied.cloud_file_id)
            self.assertTrue(is_here(copied))
            attachment.unlink()
            self.assertEqual(copied.raw, content)

        self.each(check)

    def test_web_content(self):
        user = self.make_user("reader", "base.group_user", "base.group_partner_manager")

        def check(attachment, name, content, place):
            answer = self.get("/web/content/%d?download=true" % attachment.id, user)
            self.assertEqual(answer.status_code, 200)
            self.assertEqual(answer.content, content)
            self.assertIn("attachment", answer.headers["Content-Disposition"])
            if name.isascii():
                self.assertIn(name, answer.headers["Content-Disposition"])

        self.each(check)

    def test_new_content(self):
        def check(attachment, name, content, place):
            for field, newer in (("raw", b"newer 1"), ("datas", b"newer 2")):
                value = newer if field == "raw" else base64.b64encode(newer)
                attachment.write({field: value})
                self.cr.commit()
                self.forget()
                self.assertIntact(attachment, name, newer)
                self.assertEqual((attachment.type, attachment.url), ("binary", False))
                self.assertEqual(attachment.cloud_sync_status, "local")
                self.assertFalse(attachment.cloud_file_id)
            deliver(self.env)
            self.assertFalse(self.drive_files())

        self.each(check)

    def test_kept_by_a_sync(self):
        for sample in SAMPLES:
            name, content = SAMPLES[sample]()
            attachment = self.make_in("filestore", content, name=name)
            fields = ["mimetype", "index_content", "checksum", "file_size", "name"]
            before = attachment.read(fields)
            self.config.delete_local_after_sync = True
            self.assertTrue(attachment.sync_to_cloud())
            self.assertFalse(is_here(attachment))
            self.assertEqual(attachment.read(fields), before)

    def test_virtual_record(self):
        """What onchanges work on has the content of the record it stands for."""
        for place in PLACES:
            content = b"content in " + place.encode()
            attachment = self.make_in(place, content)
            virtual = attachment.new(origin=attachment)
            sized = virtual.with_context(bin_size=True)
            with self.subTest(place=place):
                self.assertEqual(virtual.raw, content)
                self.assertEqual(base64.b64decode(virtual.datas), content)
                self.assertTrue(sized.datas)
                self.assertEqual(attachment.raw, content)


def _text(value):
    return value.decode() if isinstance(value, bytes) else value

from odoo.exceptions import AccessError
from odoo.tests.common import tagged

from ..engine import candidates
from .common import CloudCase
from .common_browser import USER


@tagged("-at_install", "post_install")
class TestSavings(CloudCase):
    """What a sync would move and free, without moving it."""

    def report(self):
        self.cr.commit()
        action = self.config.action_savings_report()
        return self.env[action["res_model"]].browse(action["res_id"])

    def line(self, report, **values):
        """The only line of a report with these values."""
        found = report.line_ids.filtered(
            lambda line: all(line[name] == value for name, value in values.items())
        )
        self.assertEqual(len(found), 1, values)
        return found

    def test_counts_what_a_sync_moves(self):
        self.config.delete_local_after_sync = True
        self.make_attachment(b"a" * 1000, name="a.TXT")
        self.make_attachment(b"b" * 2000, name="b.pdf")
        self.make_attachment(b"c" * 4000, name="c.pdf")
        report = self.report()
        self.assertEqual((report.files, report.size_bytes), (3, 7000))
        line = self.line(report, model_name="res.partner", extension="pdf", goes=True)
        self.assertEqual((line.files, line.size_bytes), (2, 6000))
        self.assertFalse(self.drive_files())
        summary = self.sync()
        self.assertEqual(summary["synced"], report.files)
        self.assertEqual(summary["bytes_freed"], report.freed_bytes)
        self.assertEqual(summary["bytes_uploaded"], report.upload_bytes)

    def test_tells_duplicates(self):
        for name in ("a.txt", "b.txt", "c.txt"):
            self.make_attachment(b"same" * 100, name=name)
        report = self.report()
        self.assertEqual((report.files, report.duplicate_files), (3, 2))
        self.assertEqual((report.size_bytes, report.upload_bytes), (1200, 400))
        self.assertEqual(report.freed_bytes, 400)

    def test_knows_what_is_in_drive_already(self):
        self.make_attachment(b"there" * 100, name="a.txt")
        self.sync()
        self.make_attachment(b"there" * 100, name="b.txt")
        report = self.report()
        self.assertEqual((report.files, report.duplicate_files), (1, 1))
        self.assertEqual(report.upload_bytes, 0)

    def test_without_deduplication_every_file_is_uploaded(self):
        self.config.deduplicate = False
        self.make_attachment(b"same" * 100, name="a.txt")
        self.make_attachment(b"same" * 100, name="b.txt")
        self.assertEqual(self.report().upload_bytes, 800)

    def test_frees_nothing_that_another_attachment_uses(self):
        self.make_attachment(b"shared" * 100, name="goes.txt")
        self.make_attachment(b"shared" * 100, name="stays.exe")
        report = self.report()
        self.assertEqual((report.files, report.freed_bytes), (1, 0))

    def test_tells_why_files_stay(self):
        self.config.min_file_size_kb = 0.05
        self.config.file_type_ids.filtered(
            lambda t: t.extension == "pdf"
        ).max_size_mb = 0.001
        stay = {
            "Its file type is not one of those to sync": {"name": "a.exe"},
            "It is pinned: keep local": {"cloud_keep_local": True},
            "It is larger than its file type may be": {
                "name": "a.pdf",
                "content": b"x" * 4096,
            },
            "It is smaller than the smallest size to sync": {"content": b"x"},
            "res.bank is not one of the models to sync, or its record is filtered"
            " out": {
                "model": "res.bank"
            },
        }
        for values in stay.values():
            self.make_attachment(**values)
        report = self.report()
        self.assertEqual(report.files, 0)
        for reason in stay:
            self.assertEqual(self.line(report, reason=reason).files, 1, reason)

    def test_agrees_with_the_selection(self):
        """Every attachment is in one line, and those that go are the candidates."""
        self.make_attachments(5)
        self.make_attachments(3, name="x.exe")
        report = self.report()
        self.assertEqual(report.files, candidates.count_waiting(self.config))
        total = self.env["ir.attachment"].search_count([("id", "!=", 0)])
        self.assertEqual(report.files + report.stay_files, total)

    def test_system_files_are_one_line(self):
        self.line(self.report(), reason="It is a file of the system, not of a record")

    def test_sync_asks_where_it_frees_space(self):
        self.make_attachment()
        self.config.delete_local_after_sync = True
        action = self.config.action_ask_sync()
        self.assertEqual(action["target"], "new")
        self.assertFalse(self.drive_files())
        self.config.delete_local_after_sync = False
        self.cr.commit()
        action = self.config.action_ask_sync()
        self.assertEqual(action["res_model"], "cloud_storage.sync.run")

    def test_users_may_look_and_not_sync(self):
        self.make_attachment()
        user = self.make_user("user", USER)
        self.cr.commit()
        action = self.config.with_user(user).action_savings_report()
        report = self.env[action["res_model"]].with_user(user).browse(action["res_id"])
        self.assertEqual(report.files, 1)
        with self.assertRaises(AccessError):
            report.action_sync()

    def test_employees_may_not_look(self):
        employee = self.make_user("employee", "base.group_user")
        with self.assertRaises(AccessError):
            self.config.with_user(employee).action_savings_report()

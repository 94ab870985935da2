"""Marks in Drive follow their attachment: a lost row is found again where it belongs."""

import hashlib
from unittest.mock import patch

from odoo.tools import mute_logger

from ..engine.account.identity import reserved_for
from ..engine.content.metadata import ATTACHMENT, CHECKSUM, RECORD
from ..engine.outbox import queue
from ..engine.outbox.deliver import Outbox, deliver
from .common_content import ContentCase

TRASH = "odoo.addons.cloud_storage.engine.outbox.deliver"
#: A field name that makes the record's mark longer than Drive takes.
LONG_FIELD = "x_" + "long_" * 30


class MarksCase(ContentCase):
    """Attachments in Drive, contacts to move them to, and the queue."""

    def setUp(self):
        super().setUp()
        self.one, self.other = self.env["res.partner"].create(
            [{"name": "C"}, {"name": "D"}]
        )
        self.cr.commit()

    def process(self):
        """Tell Drive what is in the queue and due."""
        self.cr.commit()
        return deliver(self.env)

    def queue(self):
        """Rows that wait."""
        return self.env["cloud_storage.trash"].search([])

    def due(self):
        """What was postponed is due again, and Drive is asked again."""
        self.queue().write({"next_attempt": False})
        self.breaker.success()

    def marks(self, file_id):
        """Attachment and record as a file's marks have them."""
        found = self.drive_file(file_id)["appProperties"]
        return found.get(ATTACHMENT), found.get(RECORD)

    def assertMarked(self, attachment, file_id=None):
        """The file's marks are those of the attachment, word for word."""
        file_id = file_id or attachment.cloud_file_id
        record = "%s,%s,%s" % (
            attachment.res_model,
            attachment.res_id,
            attachment.res_field or "",
        )
        self.assertEqual(self.marks(file_id), (str(attachment.id), record))

    def on(self, partner, content=None, **options):
        """An attachment of a contact, in Drive alone."""
        return self.in_drive(content, res_id=partner.id, **options)

    def update_sql(self, attachments, **columns):
        """Plain SQL, as tools below the ORM use it."""
        attachments.flush()
        names = ", ".join("%s = %%s" % name for name in columns)
        self.cr.execute(
            "UPDATE ir_attachment SET %s WHERE id IN %%s" % names,
            (*columns.values(), tuple(attachments.ids)),
        )
        attachments.invalidate_cache()

    def lose(self, attachment):
        """Lose a row as going back to an old backup does: nothing is queued for it."""
        self.cr.execute("DELETE FROM ir_attachment WHERE id = %s", (attachment.id,))
        self.cr.execute("DELETE FROM cloud_storage_trash")
        self.fresh()

    def found_again(self, file_id):
        """Relink from Drive; return the attachment that has the file then."""
        self.env["cloud_storage.sync.service"]._relink_from_drive()
        return self.env["ir.attachment"].search(
            [("id", "!=", 0), ("cloud_file_id", "=", file_id)]
        )


class TestMarksAndRelink(MarksCase):
    """The salary of D is never found again on C."""

    def relinked_to(self, attachment):
        file_id, content = attachment.cloud_file_id, attachment.raw
        self.lose(attachment)
        found = self.found_again(file_id)
        self.assertEqual(len(found), 1)
        self.assertEqual(found.raw, content)
        self.assertEqual(found.res_model, "res.partner")
        return found.res_id

    def test_moved(self):
        attachment = self.on(self.one, name="salary.pdf")
        attachment.res_id = self.other
        attachment.flush()
        self.assertEqual(self.process(), 1)
        self.assertMarked(attachment)
        self.assertEqual(self.relinked_to(attachment), self.other.id)

    def test_merged(self):
        attachment = self.on(self.one, name="salary.pdf")
        wizard = self.env["base.partner.merge.automatic.wizard"]
        wizard._merge((self.one | self.other).ids, self.other)
        self.assertFalse(self.one.exists())
        self.assertEqual(self.process(), 1)
        self.assertMarked(attachment)
        self.assertEqual(self.relinked_to(attachment), self.other.id)

    def test_first_of_two_is_deleted(self):
        first = self.on(self.one, b"same", name="salary.pdf")
        second = self.on(self.other, b"same", name="of D.pdf")
        self.assertEqual(first.cloud_file_id, second.cloud_file_id)
        self.assertMarked(first)
        first.unlink()
        self.assertEqual(self.process(), 1)
        self.assertMarked(second)
        self.assertEqual(self.drive_file(second.cloud_file_id)["name"], "of D.pdf")
        self.assertEqual(self.relinked_to(second), self.other.id)

    def test_marks_of_what_was_relinked(self):
        """By its content, to another row than the one that was marked."""
        attachment = self.on(self.one, b"found by content")
        file_id = attachment.cloud_file_id
        lost = self.make_attachment(b"found by content", res_id=self.other.id)
        self.update_sql(lost, store_fname="no/such file", cloud_sync_status="error")
        self.lose(attachment)
        self.assertEqual(self.found_again(file_id), lost)
        self.assertEqual(self.process(), 1)
        self.assertMarked(lost)

    def test_relinking_to_the_same_changes_nothing(self):
        attachment = self.on(self.one)
        file_id = attachment.cloud_file_id
        self.update_sql(attachment, cloud_file_id=None, cloud_sync_status="local")
        self.cr.execute("DELETE FROM cloud_storage_trash")
        self.fresh()
        self.assertEqual(self.found_again(file_id), attachment)
        self.emulator.clear_requests()
        self.assertEqual(self.process(), 0)
        self.assertEqual(self.emulator.count("files.update"), 0)
        self.assertFalse(self.queue())


class TestMarksFollow(MarksCase):
    """Whatever moves an attachment, one update tells Drive."""

    def test_each_column(self):
        """By the ORM and by SQL, each alone."""
        user = self.env.ref("base.user_admin")
        changes = [
            {"res_id": self.other.id},
            {"res_model": "res.users", "res_id": user.id},
            {"res_field": "image_1920"},
            {"res_field": None},
        ]
        for below_orm in (False, True):
            attachment = self.on(self.one)
            for change in changes:
                with self.subTest(change=change, sql=below_orm):
                    if below_orm:
                        self.update_sql(attachment, **change)
                    else:
                        attachment.write(change)
                        attachment.flush()
                    self.assertEqual(self.process(), 1)
                    self.env.cache.invalidate()
                    self.assertMarked(attachment)

    def test_everything_at_once_is_one_update(self):
        attachment = self.on(self.one, name="before.txt")
        attachment.name = "between.txt"
        attachment.flush()
        attachment.res_id = self.other
        attachment.flush()
        attachment.write({"name": "after.txt", "res_field": "image_128"})
        attachment.flush()
        self.assertEqual(len(self.queue()), 1)
        self.emulator.clear_requests()
        self.assertEqual(self.process(), 1)
        self.assertEqual(self.emulator.count("files.update"), 1)
        self.assertMarked(attachment)
        self.assertEqual(
            self.drive_file(attachment.cloud_file_id)["name"],
            "res.partner-%d-after.txt" % self.other.id,
        )

    def test_several_transactions_are_one_update(self):
        attachment = self.on(self.one)
        for partner in (self.other, self.one, self.other):
            attachment.res_id = partner
            self.cr.commit()
        self.emulator.clear_requests()
        self.assertEqual(self.process(), 1)
        self.assertEqual(self.emulator.count("files.update"), 1)
        self.assertMarked(attachment)
        self.assertFalse(self.queue())

    def test_there_and_back_is_none(self):
        attachment = self.on(self.one)
        attachment.res_id = self.other
        attachment.flush()
        attachment.res_id = self.one
        self.assertEqual(self.process(), 0)
        self.assertMarked(attachment)
        self.assertFalse(self.queue())

    def test_rollback(self):
        attachment = self.on(self.one)
        attachment.res_id = self.other
        attachment.flush()
        self.assertTrue(self.queue())
        self.cr.rollback()
        self.env.cache.invalidate()
        self.assertFalse(self.queue())
        self.assertEqual(self.process(), 0)
        self.assertMarked(attachment)

    def test_merge_of_many(self):
        """Rows that share files: each file once, and no duplicates in the queue."""
        contents = [b"shared %d" % (number % 3) for number in range(300)]
        files = self.env["ir.attachment"].union(
            *(self.make_attachment(c, res_id=self.one.id) for c in contents)
        )
        self.sync()
        self.process()
        ids = set(files.mapped("cloud_file_id"))
        self.assertEqual(len(ids), 3)
        self.emulator.clear_requests()
        self.update_sql(files, res_id=self.other.id)
        self.assertEqual(len(self.queue()), 3)
        self.assertEqual(self.process(), 3)
        self.assertEqual(self.emulator.count("files.update"), 3)
        for file_id in ids:
            owner = files.filtered(lambda a, i=file_id: a.cloud_file_id == i).sorted(
                "id"
            )
            self.assertMarked(owner[0], file_id)

    def test_long_record_is_unmarked(self):
        """Rather no record than the wrong one."""
        attachment = self.on(self.one)
        file_id = attachment.cloud_file_id
        self.update_sql(attachment, res_field=LONG_FIELD)
        self.assertEqual(self.process(), 1)
        self.assertEqual(self.marks(file_id), (str(attachment.id), None))
        self.update_sql(attachment, res_field=None)
        self.assertEqual(self.process(), 1)
        self.env.cache.invalidate()
        self.assertMarked(attachment)

    def test_folder_stays(self):
        """The month is that of the upload, whoever has the file."""
        self.config.folder_layout = "monthly"
        attachment = self.on(self.one)
        before = self.drive_file(attachment.cloud_file_id)
        attachment.res_id = self.other
        attachment.flush()
        self.assertEqual(self.process(), 1)
        after = self.drive_file(attachment.cloud_file_id)
        self.assertEqual(after["parents"], before["parents"])
        self.assertEqual(after["md5Checksum"], before["md5Checksum"])

    def test_checksum_mark_is_what_was_proven(self):
        """The row's checksum is only a hint; what is proven about the content stays."""
        content = b"proven"
        attachment = self.on(self.one, content)
        file_id = attachment.cloud_file_id
        sha1 = hashlib.sha1(content).hexdigest()
        self.update_sql(attachment, checksum="0" * 40, res_id=self.other.id)
        self.assertEqual(self.process(), 1)
        self.assertEqual(self.drive_file(file_id)["appProperties"][CHECKSUM], sha1)
        self.emulator.edit_file(file_id, appProperties={})
        self.update_sql(attachment, cloud_sha1=sha1, res_id=self.one.id)
        self.assertEqual(self.process(), 1)
        self.assertEqual(self.drive_file(file_id)["appProperties"][CHECKSUM], sha1)

    def test_marks_of_another_database_stay(self):
        """This one was a copy of it once, and both use the file."""
        attachment = self.on(self.one)
        mine = self.drive_file(attachment.cloud_file_id)["appProperties"]
        theirs = dict(mine, odoo_db="another")
        self.emulator.edit_file(attachment.cloud_file_id, appProperties=theirs)
        attachment.res_id = self.other
        attachment.flush()
        self.assertEqual(self.process(), 0)
        found = self.drive_file(attachment.cloud_file_id)["appProperties"]
        self.assertEqual(found, theirs)

    def test_local_files_cost_nothing(self):
        local = self.make_in("filestore", res_id=self.one.id)
        local.write({"res_id": self.other.id, "name": "other.txt"})
        local.flush()
        self.update_sql(local, res_field="image_128", res_model="res.users")
        local.unlink()
        self.assertFalse(self.queue())

    def test_written_but_not_changed(self):
        attachment = self.on(self.one)
        attachment.write({"res_id": self.one.id, "res_model": "res.partner"})
        attachment.flush()
        self.update_sql(attachment, res_id=self.one.id, name=attachment.name)
        self.assertFalse(self.queue())


class TestOwnerOfMarks(MarksCase):
    """Of several attachments that share a file it carries the mark of the lowest id."""

    def shared(self, count=2):
        """Attachments on the same file, in the order of their ids."""
        files = self.env["ir.attachment"].union(
            *(
                self.on(partner, b"same")
                for partner in [self.one, self.other, self.one][:count]
            )
        )
        self.assertEqual(len(set(files.mapped("cloud_file_id"))), 1)
        self.process()
        self.assertMarked(files[0])
        return files

    def test_whatever_takes_the_owner_away(self):
        ways = {
            "unlink": lambda a: a.unlink(),
            "SQL": lambda a: self.cr.execute(
                "DELETE FROM ir_attachment WHERE id = %s", (a.id,)
            ),
            "new content": lambda a: a.write({"raw": b"new"}),
            "restored and forgotten": lambda a: (
                a.restore_from_cloud(),
                a._forget_cloud(),
                a.flush(),
            ),
            "record": lambda a: self.one.unlink(),
        }
        for name, change in ways.items():
            with self.subTest(way=name):
                first, second = self.shared()
                file_id = second.cloud_file_id
                change(first)
                self.env["ir.attachment"].flush()
                self.assertEqual(self.process(), 1)
                self.assertFalse(self.drive_file(file_id)["trashed"])
                self.assertMarked(second)
                self.assertFalse(self.queue())
                (first | second).exists().unlink()
                self.process()

    def test_each_owner_in_turn(self):
        first, second, third = self.shared(3)
        file_id = first.cloud_file_id
        second.unlink()
        self.assertEqual(self.process(), 0)
        self.assertMarked(first, file_id)
        first.unlink()
        self.assertEqual(self.process(), 1)
        self.assertMarked(third)
        third.unlink()
        self.assertEqual(self.process(), 1)
        self.assertTrue(self.drive_file(file_id)["trashed"])
        self.assertFalse(self.queue())

    def test_many_of_one_file_are_deleted_at_once(self):
        """One row for the trash and one for the mark, however many there were."""
        files = self.env["ir.attachment"].union(
            *(self.make_attachment(b"same", res_id=self.one.id) for _i in range(50))
        )
        self.sync()
        self.process()
        last, file_id = files[-1], files[-1].cloud_file_id
        (files - last).unlink()
        self.assertEqual(len(self.queue()), 2)
        self.emulator.clear_requests()
        self.assertEqual(self.process(), 1)
        self.assertLessEqual(self.emulator.count("files.get"), 2)
        self.assertMarked(last, file_id)
        self.assertFalse(self.queue())

    def test_another_than_the_owner_moves(self):
        first, second = self.shared()
        second.write({"res_id": self.one.id, "name": "other.txt"})
        second.flush()
        self.assertEqual(self.process(), 0)
        self.assertMarked(first)
        self.assertFalse(self.queue())

    def test_deletion_that_was_queued_before_the_other_came(self):
        """A row in the queue alone says that the file was let go of."""
        first = self.on(self.one, b"same")
        second = self.make_attachment(b"same", res_id=self.other.id)
        file_id, auth_id = first.cloud_file_id, self.auth.id
        first.unlink()
        self.assertEqual(len(self.queue()), 1)
        self.update_sql(second, cloud_file_id=file_id, cloud_auth_id=auth_id)
        self.cr.execute("DELETE FROM cloud_storage_trash WHERE drive_file_id IS NULL")
        self.process()
        self.process()
        self.assertFalse(self.drive_file(file_id)["trashed"])
        self.assertMarked(second)
        self.assertFalse(self.queue())

    def test_a_lower_id_joins(self):
        lower = self.make_attachment(b"same", res_id=self.one.id)
        higher = self.on(self.other, b"same")
        self.assertMarked(higher)
        self.assertTrue(lower.sync_to_cloud())
        self.assertEqual(lower.cloud_file_id, higher.cloud_file_id)
        self.assertEqual(self.process(), 1)
        self.assertMarked(lower)

    def test_migrated(self):
        """The copy is marked for the owner, also when it changed in between."""
        first, second = self.shared()
        target = self.make_account("new@example.com")
        self.make_config(target, models=(), types=(), name="Other")
        self.cr.commit()
        place = {"cloud_reserved_for": reserved_for(target)}
        copy_id = self.emulator.put_file("copy", b"same", owner="new@example.com")
        self.update_sql(first | second, cloud_reserved_id=copy_id, **place)
        first.unlink()
        second.res_id = self.one
        second.flush()
        self.assertEqual(self.process(), 0, "the copy is on its way")
        self.assertTrue(self.queue())
        self.emulator.edit_file(copy_id, client_id=self.auth.client_id)
        self.update_sql(
            second,
            cloud_file_id=copy_id,
            cloud_auth_id=target.id,
            cloud_reserved_id=None,
        )
        self.process()
        self.assertMarked(second, copy_id)


class TestMarksWhileGoingUp(MarksCase):
    """A file that is just going up is marked as it was claimed."""

    def claimed(self):
        """An attachment with the id its upload will use."""
        attachment = self.make_attachment(res_id=self.one.id)
        (reserved,) = self.auth._drive_client().generate_ids(1)
        attachment.write(
            {
                "cloud_reserved_id": reserved,
                "cloud_reserved_for": reserved_for(self.auth),
            }
        )
        attachment.flush()
        self.cr.commit()
        return attachment

    def test_moved_while_going_up(self):
        attachment = self.claimed()
        reserved = attachment.cloud_reserved_id
        uploaded = self.emulator.put_file(
            "note.txt", attachment.raw, client_id=self.auth.client_id
        )
        attachment.res_id = self.other
        attachment.flush()
        self.assertEqual(self.process(), 0)
        self.assertEqual(self.queue().attempts, 1)
        self.assertTrue(reserved)
        # as the run writes it down; what was postponed is due at once
        self.update_sql(attachment, cloud_reserved_id=uploaded)
        attachment.name = "renamed.txt"
        attachment.flush()
        self.process()
        self.update_sql(
            attachment,
            cloud_file_id=uploaded,
            cloud_reserved_id=None,
            cloud_auth_id=self.auth.id,
            cloud_sync_status="synced",
        )
        self.assertEqual(self.process(), 1)
        self.assertMarked(attachment)
        self.assertEqual(self.drive_file(uploaded)["name"], "renamed.txt")

    def test_owner_goes_while_two_go_up(self):
        """The file was sent for one, and is the other's."""
        first, second = self.claimed(), self.claimed()
        reserved = first.cloud_reserved_id
        uploaded = self.emulator.put_file(
            "note.txt", first.raw, client_id=self.auth.client_id
        )
        first.unlink()
        self.assertTrue(reserved)
        self.update_sql(
            second,
            cloud_file_id=uploaded,
            cloud_reserved_id=None,
            cloud_auth_id=self.auth.id,
            cloud_sync_status="synced",
        )
        self.assertEqual(self.process(), 1)
        self.assertMarked(second)

    def test_plain_uploads_queue_nothing(self):
        self.make_attachments(5)
        self.make_attachment(b"same")
        self.sync()
        self.assertFalse(self.queue())
        self.make_attachment(b"same")
        self.sync()
        self.emulator.clear_requests()
        self.assertEqual(self.process(), 0)
        self.assertEqual(self.emulator.count("files.update"), 0)


class TestMarksRobust(MarksCase):
    """One bad row never stops the others; what can not be done waits."""

    def moved(self):
        attachment = self.on(self.one)
        attachment.res_id = self.other
        attachment.flush()
        return attachment

    def test_outage(self):
        for route in ("files.get", "files.update"):
            with self.subTest(route=route):
                attachment = self.moved()
                self.emulator.fault(route, times=-1, status=503)
                self.assertEqual(self.process(), 0)
                self.assertEqual(self.queue().attempts, 1)
                self.emulator.clear_faults()
                self.due()
                self.assertEqual(self.process(), 1)
                self.assertMarked(attachment)

    def test_refusals_wait(self):
        """A refusal may be the project's or the account's and pass."""
        attachment = self.moved()
        self.emulator.fault("files.update", status=403, reason="accessNotConfigured")
        self.assertEqual(self.process(), 0)
        self.due()
        self.assertEqual(self.process(), 1)
        self.assertMarked(attachment)

    def test_gone_from_drive(self):
        attachment = self.moved()
        self.emulator.remove_file(attachment.cloud_file_id)
        self.assertEqual(self.process(), 0)
        self.assertFalse(self.queue())

    def test_page_in_the_place_of_an_answer(self):
        attachment = self.moved()
        self.emulator.fault("files.get", times=1, html=True)
        with mute_logger(TRASH):
            self.process()
        self.due()
        self.process()
        self.assertMarked(attachment)

    def test_lost_answer(self):
        attachment = self.moved()
        self.emulator.fault("files.update", lose_answer=True)
        self.assertEqual(self.process(), 1)
        self.assertMarked(attachment)

    def test_rows_of_the_version_before(self):
        """They name the attachment, not its file."""
        attachment = self.moved()
        self.cr.execute(
            "UPDATE cloud_storage_trash SET marked_file_id = NULL, attachment_id = %s",
            (attachment.id,),
        )
        self.assertEqual(self.process(), 1)
        self.assertMarked(attachment)
        self.assertFalse(self.queue())

    def test_bad_rows(self):
        """Before and after one that can be done, of all kinds."""
        file_id = self.on(self.one).cloud_file_id
        bad = [
            "(%(auth)s, %(file)s, NULL, NULL, 2147483647, now())",
            "(%(auth)s, 'x', NULL, NULL, 5000, now())",
            "(%(auth)s, NULL, 'x', NULL, -5000, now())",
            "(%(auth)s, NULL, %(file)s, NULL, NULL, now())",
            "(0, 'x', NULL, NULL, NULL, now())",
            "(-1, NULL, 'x', NULL, NULL, now())",
            "(%(auth)s, NULL, NULL, NULL, NULL, now())",
            "(%(auth)s, NULL, NULL, 2147483647, NULL, now())",
            "(%(auth)s, '', '', 0, 0, now())",
        ]
        insert = (
            "INSERT INTO cloud_storage_trash (auth_id, drive_file_id, marked_file_id,"
            " attachment_id, attempts, queued_at) VALUES "
        )
        values = {"auth": self.auth.id, "file": file_id}
        self.cr.execute(insert + ", ".join(bad), values)
        attachment = self.moved()
        self.cr.execute(insert + ", ".join(bad), values)
        for route in ("files.get", "files.update"):
            self.emulator.fault(route, times=1, status=400, after=0)
        self.process()
        self.due()
        self.process()
        self.assertMarked(attachment)
        self.assertFalse(self.drive_file(file_id)["trashed"])
        self.assertFalse(self.queue())

    def test_postponing_never_overflows(self):
        trash = self.env["cloud_storage.trash"]
        for attempts in (-5000, 0, 3, 5000, 2147483647, None):
            with self.subTest(attempts=attempts):
                row = trash.create({"auth_id": self.auth.id, "drive_file_id": "x"})
                row.flush()
                self.cr.execute(
                    "UPDATE cloud_storage_trash SET attempts = %s WHERE id = %s",
                    (attempts, row.id),
                )
                queue.postpone(self.env, [row.id])
                row.invalidate_cache()
                wait = (row.next_attempt - row.queued_at).total_seconds()
                self.assertLessEqual(0, wait)
                self.assertLessEqual(wait, 24 * 3600 + 60)
                row.unlink()

    def test_an_error_of_ours_stops_nothing(self):
        """Whatever one row makes the code raise, the others are done."""
        bad, good = self.on(self.one), self.on(self.one)
        for attachment in (bad, good):
            attachment.res_id = self.other
            attachment.flush()
        self.update_sql(bad, cloud_auth_id=None)
        real = Outbox._mark

        def broken(outbox, row_id, file_id):
            if file_id == bad.cloud_file_id:
                outbox.env.cr.execute("SELECT 1/0")
            return real(outbox, row_id, file_id)

        with patch.object(Outbox, "_mark", broken), mute_logger(TRASH, "odoo.sql_db"):
            self.assertEqual(self.process(), 1)
        self.assertMarked(good)
        self.assertEqual(self.queue().mapped("attempts"), [1])

    def test_one_at_a_time(self):
        """Two workers could write an older state over a newer one."""
        attachment = self.moved()
        self.emulator.fault("files.get", delay_ms=1500)
        self.cr.commit()
        with self.in_thread(self.process_elsewhere) as first:
            self.wait_for(lambda: self.emulator.count("files.get"))
            self.assertEqual(self.process(), 0)
            attachment.res_id = self.one
            self.cr.commit()
        self.assertEqual(first.result(), 2)
        self.assertMarked(attachment)
        self.assertFalse(self.queue())

    def process_elsewhere(self):
        with self.other_transaction() as env:
            return deliver(env)

    def test_no_snapshot_while_drive_is_asked(self):
        """An open snapshot keeps PostgreSQL from cleaning up, in every table."""
        for change in ("mark", "trash"):
            with self.subTest(change=change):
                attachment = self.moved()
                if change == "trash":
                    attachment.unlink()
                self.emulator.clear_requests()
                self.emulator.fault("files.get", delay_ms=1500)
                self.cr.commit()
                with self.in_thread(self.process_elsewhere):
                    self.wait_for(lambda: self.emulator.count("files.get"))
                    self.cr.execute(
                        "SELECT count(*) FROM pg_stat_activity"
                        " WHERE datname = current_database()"
                        " AND backend_type = 'client backend'"
                        " AND pid != pg_backend_pid() AND backend_xmin IS NOT NULL"
                    )
                    self.assertEqual(self.cr.fetchone(), (0,))
                    self.cr.rollback()
                self.assertFalse(self.queue())

    def test_no_lock_while_drive_is_asked(self):
        """Deleting an account or a row meanwhile waits for nothing."""
        self.moved()
        self.emulator.fault("files.get", delay_ms=1500)
        self.cr.commit()
        with self.in_thread(self.process_elsewhere):
            self.wait_for(lambda: self.emulator.count("files.get"))
            for table in ("cloud_storage_trash", "ir_attachment"):
                self.cr.execute("SELECT id FROM %s FOR UPDATE NOWAIT" % table)
            self.cr.rollback()

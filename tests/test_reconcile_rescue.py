"""The comparison with Drive believes nothing, saves first and goes on by itself."""
import hashlib
import os
import time
from unittest.mock import patch

from odoo.tools import mute_logger

from ..engine import runner
from ..engine.jobs.reconcile import compare
from ..engine.local_files import is_here
from ..engine.transaction import Deadline, retrying
from .mailbox import Mailbox
from .test_reconcile import ReconcileCase

#: Two contents of equal length with the same md5 (X. Wang and others, 2004).
COMMON_MD5 = tuple(
    bytes.fromhex(
        "d131dd02c5e6eec4693d9a0698aff95c2fcab5%s712467eab4004583eb8fb7f8"
        "955ad340609f4b30283e4888325%s1415a085125e8f7cdc99fd91dbd%s280373"
        "c5bd8823e3156348f5bae6dacd436c919c6dd53e2%s487da03fd02396306d248"
        "cda0e99f33420f577ee8ce54b67080%s80d1ec69821bcb6a8839396f965%sb6f"
        "f72a70" % tuple(digits)
    )
    for digits in ("87fba2", "0f732a")
)


class RescueCase(ReconcileCase):
    """Ways to look at a comparison."""

    def set_row(self, attachment, columns):
        """Change a row below the ORM, as other tools do."""
        attachment.flush()
        self.cr.execute(
            "UPDATE ir_attachment SET %s WHERE id IN %%s" % columns,
            (tuple(attachment.ids),),
        )
        self.fresh()

    def background(self):
        """What the cron does next."""
        self.cr.commit()
        self.env["cloud_storage.sync.service"].automatic_sync()
        self.fresh()

    def message(self):
        """What the last comparison says."""
        return self.run_of().message or ""

    def reconcile_by_mail(self, limit=200):
        """Compare in another thread, as mails are only sent from there.

        :return: the subjects and texts that were mailed
        """
        box = Mailbox()
        self.addCleanup(box.stop)
        servers = self.env["ir.mail_server"]
        server = servers.create(
            {
                "name": "Here",
                "smtp_host": "127.0.0.1",
                "smtp_port": box.port,
                "smtp_encryption": "none",
            }
        )
        self.addCleanup(self.cr.commit)
        self.addCleanup(server.unlink)
        user = self.make_user("watcher", "base.group_user")
        user.email = "watcher@example.com"
        self.env.company.email = "odoo@example.com"
        self.config.notify_user_ids = user
        with self.in_thread(self.reconcile_elsewhere, limit):
            pass
        self.fresh()
        return [(mail["Subject"], mail.get_content()) for mail in self.mails(box)]

    def mails(self, box):
        """What was mailed, from the queue where there is one."""
        if "mail.mail" in self.env:
            found = self.env["mail.mail"].search([("email_to", "ilike", "watcher")])
            found.send()
            self.cr.commit()
        return box.messages

    def reconcile_elsewhere(self, limit):
        """As another worker would do it."""
        with self.other_transaction() as env:
            env["cloud_storage.sync.service"].reconcile_cloud_references(limit)


class TestRescueFirst(RescueCase):
    """What Drive is about to purge comes first, whatever else there is to do."""

    def test_rescues_have_no_limit(self):
        files = self.synced(6, keep=False)
        for file in files:
            self.emulator.edit_file(file.cloud_file_id, trashed=True)
        self.assertEqual(self.reconcile(2)["fixed"], 6)
        self.assertFalse(self.emulator.files(trashed=True))
        self.assertEqual(self.run_of().state, "done")
        self.assertAllWell()

    def test_names_do_not_keep_a_rescue_waiting(self):
        files = self.synced(8, keep=False)
        for file in files[:2]:  # the list has the newest first
            self.emulator.edit_file(file.cloud_file_id, trashed=True)
        for file in files[2:]:
            self.emulator.edit_file(file.cloud_file_id, name="another.txt")
        self.assertEqual(self.reconcile(3)["fixed"], 5)
        self.assertFalse(self.emulator.files(trashed=True))
        self.assertIn("3 differences are left", self.message())
        self.assertEqual(self.run_of().state, "queued")
        self.background()
        self.assertNotIn("another.txt", [f["name"] for f in self.emulator.files()])
        self.assertEqual((self.run_of().state, self.run_of().total_success), ("done", 8))
        self.assertNotIn("left", self.message())

    def test_what_is_left_is_mailed(self):
        for file in self.synced(4, keep=False):
            self.emulator.edit_file(file.cloud_file_id, name="another.txt")
        texts = [text for _subject, text in self.reconcile_by_mail(1)]
        self.assertIn("3 differences are left", "".join(texts))

    def test_one_run_goes_on_not_two(self):
        for file in self.synced(6, keep=False):
            self.emulator.edit_file(file.cloud_file_id, name="another.txt")
        for left in (4, 2):
            self.assertEqual(self.reconcile(2)["fixed"], 2)
            self.assertIn("%s differences are left" % left, self.message())
        runs = self.env["cloud_storage.sync.run"].search(
            [("sync_type", "=", "reconcile")]
        )
        self.assertEqual(len(runs), 1)

    def test_rows_that_the_limit_left_go_on(self):
        files = self.synced(4, keep=False)
        self.set_row(files, "type = 'binary'")
        self.assertEqual(self.reconcile(3)["fixed"], 3)
        self.background()
        self.assertEqual(set(files.mapped("type")), {"url"})
        self.assertEqual(self.run_of().state, "done")


class TestStop(RescueCase):
    """Stop is heard wherever a comparison waits for Google."""

    def stopped_at(self, route):
        """Seconds from Stop to the end, while Drive asks to wait on a route."""
        self.emulator.clear_requests()
        self.emulator.fault(route, times=-1, status=429, retry_after=30)
        with self.in_thread(self.reconcile_elsewhere, 200):
            self.wait_for(lambda: self.emulator.count(route))
            started = time.monotonic()
            retrying(self.env, self.run_of().action_stop)
        self.emulator.clear_faults()
        self.fresh()
        return time.monotonic() - started

    def test_in_lists_questions_repairs_and_downloads(self):
        for route in ("files.list", "files.get", "files.update", "files.media"):
            with self.subTest(route=route):
                renamed, hidden, flagged = self.synced(3, keep=False)
                self.emulator.edit_file(renamed.cloud_file_id, name="another.txt")
                self.emulator.edit_file(hidden.cloud_file_id, appProperties={})
                self.set_row(flagged, "cloud_sync_status = 'error'")
                self.assertLess(self.stopped_at(route), 5)
                self.assertEqual(self.run_of().state, "stopped")
                self.assertEqual(renamed.cloud_sync_status, "synced")


class TestLongList(RescueCase):
    """A list that takes longer than a slice goes on with the next page."""

    def setUp(self):
        super().setUp()
        patcher = patch.object(compare, "PAGE", 2)
        patcher.start()
        self.addCleanup(patcher.stop)

    def slices(self, meanwhile=lambda: None):
        """Compare a page per slice; return how many slices that took.

        :param meanwhile: what happens after the first one
        """
        run = runner.create_run(self.config, "reconcile", auth_id=self.auth.id)
        for number in range(1, 20):
            runner.work(run, Deadline(0))
            self.fresh()
            if run.state != "queued":
                return number
            if number == 1:
                meanwhile()
        return self.fail("it never ends")

    def differing(self):
        """Files that Drive has in several pages, with all that can be wrong of them."""
        files = self.synced(7, keep=False)
        for file in files[:2]:
            self.emulator.edit_file(file.cloud_file_id, trashed=True)
        self.emulator.edit_file(files[6].cloud_file_id, name="another.txt")
        self.emulator.remove_file(files[3].cloud_file_id)
        self.extra(attachment_id=files[4].id)
        self.emulator.clear_requests()
        return files

    def assertCompared(self, files):
        run = self.run_of()
        self.assertEqual((run.state, run.total_processed), ("done", 7))
        self.assertEqual((run.total_success, run.total_missing), (3, 1))
        self.assertFalse(self.emulator.files(trashed=True))
        self.assertNotIn("another.txt", [f["name"] for f in self.emulator.files()])
        self.assertEqual(files[3].cloud_sync_status, "error")
        self.assertEqual(self.env["cloud_storage.unused.file"].search_count([]), 1)

    def test_goes_on_with_the_next_page(self):
        files = self.differing()
        self.assertEqual(self.slices(), 4)
        self.assertEqual(self.emulator.count("files.list"), 4)
        self.assertCompared(files)

    def test_page_that_drive_does_not_know_any_more(self):
        files = self.differing()

        def forget():
            self.cr.execute(
                "UPDATE cloud_storage_sync_run SET params = regexp_replace("
                "params, '\"token\": \"[^\"]+\"', '\"token\": \"gone\"')"
            )
            self.cr.commit()

        self.assertEqual(self.slices(forget), 5)
        self.assertEqual(self.emulator.count("files.list"), 6)
        self.assertCompared(files)

    def test_row_that_changed_in_between(self):
        files = self.differing()

        def change():
            files[6].raw = b"something new"
            files[:2].unlink()
            self.cr.commit()

        self.slices(change)
        run = self.run_of()
        self.assertEqual((run.state, run.total_success), ("done", 0))
        self.assertEqual(files[6].raw, b"something new")


class TestProof(RescueCase):
    """A file is what its sha1 and size say; what could not be read says nothing."""

    def test_proven_sha1_is_taken_over(self):
        file = self.synced(keep=False)
        sha1 = hashlib.sha1(file.raw).hexdigest()
        self.set_row(file, "cloud_sha1 = NULL")
        self.assertEqual(self.reconcile()["fixed"], 0)
        self.assertEqual(file.cloud_sha1, sha1)

    def test_other_content_of_the_same_md5(self):
        one, other = COMMON_MD5
        self.assertEqual(hashlib.md5(one).digest(), hashlib.md5(other).digest())
        file = self.synced(keep=False, content=one)
        self.reconcile()
        self.emulator.edit_file(file.cloud_file_id, content=other)
        self.assertEqual(self.reconcile()["errors"], 1)
        self.assertEqual(file.cloud_sync_status, "error")
        self.assertFalse(file._retry_cloud_sync())
        self.assertEqual(file.cloud_sync_status, "error")

    def test_wrong_checksum_is_no_damage_and_gets_measured(self):
        """The row of another tool: Drive has what went there, the checksum is old."""
        file = self.synced(keep=False)
        sha1 = file.checksum
        self.set_row(file, "cloud_sha1 = NULL, checksum = repeat('0', 40)")
        report = self.reconcile()
        self.assertEqual((report["errors"], file.cloud_sync_status), (0, "synced"))
        self.assertEqual(file.cloud_sha1, sha1)

    def test_unproven_file_that_can_not_be_read(self):
        file = self.synced(keep=False)
        self.set_row(file, "cloud_sha1 = NULL, checksum = repeat('0', 40)")
        self.emulator.fault("files.media", times=-1, status=503)
        report = self.reconcile()
        self.breaker.success()
        self.assertEqual((report["errors"], file.cloud_sync_status), (0, "synced"))
        self.assertFalse(file.cloud_sha1)
        self.assertIn("1 could not be checked", self.message())

    def test_row_that_has_a_file_and_knows_no_size(self):
        """The original addon left such rows: they are looked at, and healed."""
        file = self.synced(keep=False)
        content, sha1 = file.raw, file.checksum
        self.set_row(
            file,
            "file_size = 0, checksum = NULL, cloud_md5 = NULL, cloud_sha1 = NULL,"
            " cloud_sync_status = 'error', type = 'binary', url = NULL",
        )
        self.reconcile()
        self.assertEqual(file.cloud_sync_status, "synced")
        self.assertEqual((file.file_size, file.checksum), (len(content), sha1))
        self.assertEqual(file.raw, content)
        self.assertAllWell()

    def test_files_that_can_not_be_read_are_not_damaged(self):
        faults = {
            "quota": {"status": 403, "reason": "downloadQuotaExceeded"},
            "abuse": {"status": 403, "reason": "cannotDownloadAbusiveFile"},
            "gone": {"status": 404},
            "page": {"status": 200},
            "outage": {"status": 503},
        }
        file = self.synced(keep=False)
        for name, fault in faults.items():
            with self.subTest(fault=name):
                self.emulator.fault("files.media", times=-1, **fault)
                mails = self.reconcile_by_mail()
                self.emulator.clear_faults()
                self.breaker.success()
                self.assertEqual(file.cloud_sync_status, "synced")
                self.assertFalse(file.cloud_error_message)
                self.assertIn("1 could not be checked", self.message())
                self.assertFalse(mails)

    def test_flagged_file_is_not_damaged_because_it_could_not_be_read(self):
        file = self.synced(keep=False)
        self.set_row(file, "cloud_sync_status='error', cloud_error_message='before'")
        self.emulator.fault(
            "files.media", times=-1, status=403, reason="downloadQuotaExceeded"
        )
        self.reconcile()
        self.assertEqual(file.cloud_error_message, "before")
        file._retry_cloud_sync()
        self.assertEqual(file.cloud_error_message, "before")
        self.emulator.clear_faults()
        self.reconcile()
        self.assertEqual(file.cloud_sync_status, "synced")

    def test_answers_that_lack_fields(self):
        for routes in (["files.list"], ["files.list", "files.get"]):
            for fields in ("sha1Checksum,md5Checksum", "size", "createdTime,name"):
                with self.subTest(routes=routes, fields=fields):
                    file = self.synced(keep=False)
                    for route in routes:
                        self.emulator.fault(route, times=-1, omit=fields.split(","))
                    report = self.reconcile()
                    self.emulator.clear_faults()
                    self.assertEqual((report["errors"], report["missing"]), (0, 0))
                    self.assertEqual(file.cloud_sync_status, "synced")
                    self.assertFalse(self.drive_file(file.cloud_file_id)["trashed"])
                    file.unlink()

    def test_list_that_lacks_fields_is_asked_again(self):
        file = self.synced(keep=False)
        self.set_row(file, "cloud_sha1 = NULL")
        self.emulator.fault("files.list", times=-1, omit=["sha1Checksum", "md5Checksum"])
        self.reconcile()
        self.assertTrue(file.cloud_sha1)
        self.assertEqual(self.emulator.count("files.get"), 1)


class TestSiblings(RescueCase):
    """A file that is gone from Drive, whose content another attachment has."""

    def shared(self):
        """Two attachments, in Drive alone, that share one file."""
        content = os.urandom(20)
        files = self.synced(2, keep=False, content=content)
        self.assertEqual(len(set(files.mapped("cloud_file_id"))), 1)
        return files[0], files[1], content

    def test_restored_sibling(self):
        restored, other, content = self.shared()
        restored.restore_from_cloud()
        self.cr.commit()
        self.emulator.remove_file(other.cloud_file_id)
        self.reconcile()
        self.assertNotEqual(other.cloud_sync_status, "error")
        self.assertEqual((other.raw, restored.raw), (content, content))
        self.assertEqual(other.checksum, hashlib.sha1(content).hexdigest())
        self.assertAllWell()

    def test_sibling_that_never_left(self):
        file = self.synced(keep=False)
        content = file.raw
        self.config.is_active = False
        local = self.make_attachment(content)
        self.emulator.remove_file(file.cloud_file_id)
        self.reconcile()
        self.assertEqual(file.cloud_sync_status, "local")
        self.assertEqual(file.raw, content)
        local.unlink()
        self.collect_garbage()
        self.assertEqual(file.raw, content)

    def test_sibling_in_the_database(self):
        file = self.synced(keep=False)
        content = file.raw
        self.config.is_active = False
        parameters = self.env["ir.config_parameter"]
        parameters.set_param("ir_attachment.location", "db")
        self.make_attachment(content)
        parameters.set_param("ir_attachment.location", "file")
        self.emulator.remove_file(file.cloud_file_id)
        self.reconcile()
        self.assertEqual((file.cloud_sync_status, file.raw), ("local", content))

    def test_sibling_elsewhere_in_drive(self):
        self.config.deduplicate = False
        files = self.synced(2, keep=False, content=b"the same")
        self.reconcile()
        self.emulator.remove_file(files[0].cloud_file_id)
        self.reconcile()
        self.assertEqual(len(set(files.mapped("cloud_file_id"))), 1)
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"synced"})
        self.assertEqual(files[0].raw, b"the same")
        self.assertAllWell()

    def test_sibling_that_is_not_what_its_checksum_says(self):
        file = self.synced(keep=False)
        self.config.is_active = False
        local = self.make_attachment(b"something else")
        self.set_row(local, "checksum = '%s'" % file.checksum)
        self.emulator.remove_file(file.cloud_file_id)
        self.reconcile()
        self.assertEqual(file.cloud_sync_status, "error")
        self.assertFalse(is_here(file))

    def test_sibling_in_the_trash_of_drive_is_none(self):
        self.config.deduplicate = False
        files = self.synced(2, keep=False, content=b"the same")
        self.reconcile()
        self.emulator.remove_file(files[0].cloud_file_id)
        self.emulator.edit_file(files[1].cloud_file_id, trashed=True)
        self.reconcile()  # takes it out of the trash first
        self.assertEqual(files[0].cloud_file_id, files[1].cloud_file_id)
        self.assertAllWell()


class TestOneBadItem(RescueCase):
    """It is noted, and the others are compared all the same."""

    BAD_ROWS = (
        "name = ''",
        "cloud_size_bytes = 9e17",
        "cloud_size_bytes = NULL",
        "cloud_size_bytes = 'NaN'",
        "cloud_md5 = NULL, cloud_sha1 = NULL, checksum = NULL",
        "res_model = 'no.such.model', res_id = -1",
        "cloud_sha1 = 'not a digest'",
        "create_date = NULL",
    )

    @mute_logger("odoo.addons.cloud_storage.engine.jobs.reconcile.compare")
    @mute_logger("odoo.addons.cloud_storage.engine.jobs.reconcile.repair")
    def test_bad_rows(self):
        for columns in self.BAD_ROWS:
            with self.subTest(columns=columns):
                bad, good = self.synced(2, keep=False)
                self.set_row(bad, columns)
                self.emulator.edit_file(good.cloud_file_id, trashed=True)
                self.emulator.edit_file(bad.cloud_file_id, name="x.txt", parents=[])
                self.reconcile()
                self.assertFalse(self.drive_file(good.cloud_file_id)["trashed"])
                self.assertIn(self.run_of().state, ("done", "queued"))
                self.env["cloud_storage.sync.service"].check_invariants()
                self.cr.execute("DELETE FROM ir_attachment WHERE id = %s", (bad.id,))
                self.cr.commit()

    @mute_logger("odoo.addons.cloud_storage.engine.jobs.reconcile.compare")
    def test_bad_marks(self):
        good = self.synced(keep=False)
        self.emulator.edit_file(good.cloud_file_id, trashed=True)
        for number in ("", "-1", "1e3", "x", "9" * 30, "\u0663", "\u00b2", "[1]", "0"):
            self.extra(appProperties={"odoo_attachment": number})
        for record in (",,", "no.such.model,1,", "base,-1,x", "ir.attachment", "x" * 90):
            self.extra(appProperties={"odoo_record": record})
        self.reconcile()
        self.assertFalse(self.drive_file(good.cloud_file_id)["trashed"])
        self.assertEqual(self.run_of().state, "done")
        self.assertFalse(self.emulator.files(trashed=True))
        report = self.env["cloud_storage.sync.service"]._relink_from_drive()
        self.assertEqual(report["errors"], 0)

    def test_one_account_does_not_stop_the_others(self):
        other = self.make_account("second@example.com")
        self.make_config(other, name="Second")
        file = self.synced(keep=False)
        self.emulator.edit_file(file.cloud_file_id, trashed=True)
        broken = self.make_account("third@example.com")
        broken.write({"access_token": False, "refresh_token": False})
        self.reconcile()
        self.assertFalse(self.drive_file(file.cloud_file_id)["trashed"])

import os
import struct
from datetime import timedelta
from unittest.mock import patch

from odoo import fields

from ..drive import retry, source
from ..engine.account.rate_limit import limits_of
from ..engine.outbox.deliver import deliver
from .common import CloudCase

MB = 1024 * 1024
UPLOAD = "files.upload.multipart"


class FaultCase(CloudCase):
    """Short waits, so that the tests of outages are quick."""

    def setUp(self):
        super().setUp()
        patcher = patch.object(retry, "BASE_DELAY", 0.01)
        patcher.start()
        self.addCleanup(patcher.stop)
        self.config.delete_local_after_sync = True

    def assertAllThere(self, attachments, contents):
        """Every file is on Drive once, with its bytes."""
        self.assertEqual(set(attachments.mapped("cloud_sync_status")), {"synced"})
        for attachment in attachments:
            self.assertOnDrive(attachment, contents[attachment])
        self.assertEqual(len(self.drive_files()), len(attachments))

    def make_files(self, count=12):
        files = self.make_attachments(count)
        return files, {attachment: attachment.raw for attachment in files}


class TestFaults(FaultCase):
    """Whatever Drive answers, or does not."""

    def test_passing_faults_go_unnoticed(self):
        for fault in (
            {"status": 500},
            {"status": 503},
            {"status": 429},
            {"status": 403, "reason": "rateLimitExceeded"},
            {"status": 403, "reason": "userRateLimitExceeded"},
            {"cut_after": 10},
            {"lose_answer": True},
        ):
            for route in (UPLOAD, "files.generateIds", "files.get", "*"):
                with self.subTest(route=route, **fault):
                    self._passes_unnoticed(route, fault)

    def _passes_unnoticed(self, route, fault):
        self.emulator.clear_faults()
        limiter = limits_of(self.auth).writes
        limiter.rate = limiter.full_rate  # each refusal has halved it
        before = len(self.drive_files())
        attachment = self.make_attachment()
        content = attachment.raw
        self.emulator.fault(route, times=2, **fault)
        summary = self.sync()
        self.assertEqual((summary["synced"], summary["errors"]), (1, 0))
        self.assertOnDrive(attachment, content)
        self.assertEqual(len(self.drive_files()), before + 1)
        self.assertEqual(self.auth.state, "authorized")

    def test_many_answers_lost(self):
        files, contents = self.make_files(30)
        self.emulator.fault(UPLOAD, times=15, lose_answer=True)
        self.assertEqual(self.sync()["synced"], 30)
        self.assertAllThere(files, contents)

    def test_retry_after_is_obeyed(self):
        waits = []
        with patch.object(retry.Retrier, "_pause", lambda _self, s: waits.append(s)):
            self.make_attachment()
            self.emulator.fault(UPLOAD, status=429, retry_after=7)
            self.assertEqual(self.sync()["synced"], 1)
        self.assertGreaterEqual(max(waits), 6)

    def test_expired_token_is_renewed_in_the_middle(self):
        files, contents = self.make_files()
        self.emulator.expire_tokens()
        self.assertEqual(self.sync()["synced"], len(files))
        self.assertAllThere(files, contents)
        self.assertGreaterEqual(self.emulator.count("token"), 1)

    def test_revoked_in_the_middle(self):
        files, _contents = self.make_files()
        self.emulator.revoke_grants()
        summary = self.sync()
        self.assertEqual((summary["synced"], summary["errors"]), (0, 0))
        run = self.env["cloud_storage.sync.run"].browse(summary["run_ids"])
        self.assertEqual(run.state, "failed")
        self.fresh()
        self.assertEqual(self.auth.state, "error")
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"local"})
        self.assertTrue(all(os.path.exists(self.local_path(a)) for a in files))

    def test_permanent_refusal_is_not_repeated(self):
        attachment = self.make_attachment()
        self.emulator.fault(UPLOAD, times=-1, status=400, reason="badRequest")
        self.assertEqual(self.sync()["errors"], 1)
        self.assertEqual(self.emulator.count(UPLOAD), 1)
        self.assertEqual(attachment.cloud_sync_status, "error")

    def test_outage_opens_the_circuit(self):
        files, contents = self.make_files(40)
        self.emulator.fault(UPLOAD, times=-1, status=503)
        summary = self.sync()
        run = self.env["cloud_storage.sync.run"].browse(summary["run_ids"])
        self.assertEqual(run.state, "failed")
        self.assertIn("in a row", run.message)
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"local"})
        self.assertLess(self.emulator.count(UPLOAD), 40)
        self.assertEqual(self.auth.state, "authorized")
        self.emulator.clear_faults()
        with patch.object(retry.CircuitBreaker, "check", lambda _self: None):
            self.assertEqual(self.sync()["synced"], 40)
        self.assertAllThere(files, contents)

    def test_storage_full(self):
        files, _contents = self.make_files()
        self.emulator.set_quota(limit=2000, usage=2000, email="admin@example.com")
        summary = self.sync()
        run = self.env["cloud_storage.sync.run"].browse(summary["run_ids"])
        self.assertEqual(run.state, "failed")
        self.assertIn("1.95 Kb of 1.95 Kb", run.message)
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"local"})
        self.assertLess(self.emulator.count(UPLOAD), len(files))

    def test_daily_limit_pauses_until_tomorrow(self):
        self.make_files()
        self.emulator.fault(
            UPLOAD,
            times=-1,
            status=403,
            reason="userRateLimitExceeded",
            message="User rate limit exceeded.",
        )
        self.sync()
        self.assertGreater(self.config.paused_until, fields.Datetime.now())
        self.emulator.clear_faults()
        self.emulator.clear_requests()
        service = self.env["cloud_storage.sync.service"]
        self.assertEqual(service.automatic_sync()["synced"], 0)
        self.assertEqual(self.emulator.count(), 0)
        self.config.paused_until -= timedelta(days=1)
        self.cr.commit()
        self.assertEqual(service.automatic_sync()["synced"], 12)

    def test_five_failures_wait_for_days(self):
        broken = self.make_attachments(1)
        os.unlink(self.local_path(broken))
        for attempt in range(1, 6):
            self.assertEqual(self.sync()["errors"], 1)
            self.assertEqual(broken.cloud_attempts, attempt)
        self.assertGreater(
            broken.cloud_next_attempt, fields.Datetime.now() + timedelta(hours=23)
        )
        behind = self.make_attachments(3)
        summary = self.sync()
        self.assertEqual((summary["synced"], summary["errors"]), (3, 0))
        self.assertEqual(set(behind.mapped("cloud_sync_status")), {"synced"})

    def test_disabled_and_foreign(self):
        self.make_files(2)
        with patch.dict(os.environ, {"CLOUD_STORAGE_DISABLED": "1"}):
            with self.assertRaisesRegex(Exception, "switched off"):
                self.sync()
        self.auth.database_uuid = "another"
        with self.assertRaisesRegex(Exception, "looks like a copy"):
            self.sync()
        self.assertEqual(self.emulator.count(), 0)


class TestPictures(FaultCase):
    """What anybody can upload stops nothing."""

    def test_picture_that_is_a_bomb(self):
        size = struct.pack("<HH", 60000, 60000)
        bomb = (
            b"GIF89a" + size + b"\x80\x00\x00\x00\x00\x00\xff\xff\xff,\x00\x00\x00\x00"
        )
        bomb += size + b"\x00\x02\x02D\x01\x00;"
        self.config.file_type_ids = [(0, 0, {"extension": "png"})]
        bad = self.env["ir.attachment"].create(
            {
                "name": "x.png",
                "mimetype": "image/webp",  # a kind that Odoo does not look into
                "raw": bomb,
                "res_model": "res.partner",
                "res_id": self.env.ref("base.main_partner").id,
            }
        )
        rest = self.make_attachments(40)
        for _night in range(2):
            self.env["cloud_storage.sync.service"].automatic_sync()
            self.fresh()
        self.assertEqual(set((bad | rest).mapped("cloud_sync_status")), {"synced"})
        self.assertFalse((bad | rest).filtered("store_fname"))
        self.assertEqual(bad.raw, bomb)


class TestResumable(FaultCase):
    """Large files go on where they stood."""

    def setUp(self):
        super().setUp()
        patcher = patch.object(source, "CHUNK", 4 * MB)
        patcher.start()
        self.addCleanup(patcher.stop)
        self.content = os.urandom(18 * MB)
        self.attachment = self.make_attachment(self.content, name="large.pdf")
        self.cr.commit()

    def sent(self):
        return self.emulator.bytes_in("files.upload.chunk")

    def test_faults_in_the_middle(self):
        for fault in (
            {"status": 503},
            {"status": 429},
            {"cut_after": MB},
            {"lose_answer": True},
        ):
            with self.subTest(**fault):
                self.emulator.clear_requests()
                content = os.urandom(18 * MB)
                attachment = self.make_attachment(content, name="other.pdf")
                self.emulator.fault("files.upload.chunk", times=2, after=1, **fault)
                self.assertIn(self.sync()["synced"], (1, 2))
                self.assertFalse(attachment.cloud_error_message)
                self.assertOnDrive(attachment, content)

    def test_resumed_within_the_run(self):
        self.emulator.fault("files.upload.chunk", times=1, after=2, cut_after=2 * MB)
        self.assertEqual(self.sync()["synced"], 1)
        self.assertOnDrive(self.attachment, self.content)
        self.assertEqual(self.emulator.count("files.upload.start"), 1)
        self.assertLess(self.sent(), 18 * MB + 5 * MB)

    def test_resumed_by_a_later_run(self):
        self.emulator.fault("files.upload.chunk", times=-1, after=2, status=503)
        self.assertEqual(self.sync()["synced"], 0)
        self.assertTrue(self.attachment.cloud_upload_session)
        self.emulator.clear_faults()
        self.emulator.clear_requests()
        with patch.object(retry.CircuitBreaker, "check", lambda _self: None):
            self.assertEqual(self.sync()["synced"], 1)
        self.assertOnDrive(self.attachment, self.content)
        self.assertEqual(self.emulator.count("files.upload.start"), 0)
        self.assertLess(self.sent(), 11 * MB)
        self.assertEqual(len(self.drive_files()), 1)
        self.assertFalse(self.attachment.cloud_upload_session)

    def stop_half_way(self):
        """Leave an upload with a session that has some of the bytes."""
        self.emulator.fault("files.upload.chunk", times=-1, after=2, status=503)
        self.assertEqual(self.sync()["synced"], 0)
        self.assertTrue(self.attachment.cloud_upload_session)
        self.emulator.clear_faults()
        self.breaker.success()

    def assertUploadedBy(self, email):
        """The file is whole, and with whom the attachment says."""
        self.assertEqual(self.sync()["errors"], 0)
        self.fresh()
        self.assertOnDrive(self.attachment, self.content)
        self.assertEqual(self.drive_file(self.attachment.cloud_file_id)["owner"], email)
        self.assertFalse(self.attachment.cloud_upload_session)
        self.collect_garbage()
        self.env["ir.attachment"]._clear_cloud_cache()
        self.assertEqual(self.attachment.raw, self.content)

    def test_session_of_another_account(self):
        self.stop_half_way()
        self.config.auth_id = self.make_account("second@example.com")
        self.assertUploadedBy("second@example.com")
        self.assertEqual(self.attachment.cloud_auth_id, self.config.auth_id)

    def become_somebody_else(self):
        """The same account, authorized by another person."""
        grant = self.emulator.grant(
            email="other@example.com", client_id=self.auth.client_id
        )
        self.auth.write(
            {name: grant[name] for name in ("access_token", "refresh_token")}
        )

    def test_session_of_another_person(self):
        self.stop_half_way()
        self.become_somebody_else()
        self.auth.account_email = "other@example.com"
        self.assertUploadedBy("other@example.com")

    def test_session_of_another_person_unnoticed(self):
        """The session would go on: it asks nobody who he is."""
        self.stop_half_way()
        self.become_somebody_else()
        self.sync()
        self.fresh()
        self.assertNotEqual(self.attachment.cloud_sync_status, "synced")
        self.assertUploadedBy("other@example.com")

    def test_upload_that_another_account_ended(self):
        """Its answer was lost, so a file nobody knows of is there: it goes."""
        self.emulator.fault("files.upload.chunk", times=-1, after=4, lose_answer=True)
        self.emulator.fault("files.upload.status", times=-1, status=503)
        self.sync()
        self.emulator.clear_faults()
        self.breaker.success()
        first, [left] = self.auth, self.drive_files()
        self.assertEqual(left["id"], self.attachment.cloud_reserved_id)
        self.config.auth_id = self.make_account("second@example.com")
        self.assertUploadedBy("second@example.com")
        self.assertNotEqual(self.attachment.cloud_file_id, left["id"])
        deliver(self.env)
        self.assertTrue(self.drive_file(left["id"])["trashed"])
        self.assertEqual(len(self.drive_files()), 1)
        self.assertTrue(first.exists())

    def test_lost_session_starts_over(self):
        self.emulator.fault("files.upload.chunk", times=-1, after=2, status=503)
        self.sync()
        self.emulator.clear_faults()
        self.emulator.fault("files.upload.status", times=1, status=404)
        with patch.object(retry.CircuitBreaker, "check", lambda _self: None):
            self.assertEqual(self.sync()["synced"], 1)
        self.assertOnDrive(self.attachment, self.content)
        self.assertEqual(len(self.drive_files()), 1)

    def test_token_expires_in_the_middle(self):
        self.emulator.fault("files.upload.chunk", times=1, after=1, status=401)
        self.assertEqual(self.sync()["synced"], 1)
        self.assertOnDrive(self.attachment, self.content)

    def test_first_chunk_lost(self):
        for fault in ({"status": 503}, {"cut_after": 0}, {"cut_after": MB}):
            with self.subTest(**fault):
                content = os.urandom(9 * MB)
                attachment = self.make_attachment(content, name="other.pdf")
                self.emulator.fault("files.upload.chunk", times=2, **fault)
                self.sync()
                self.assertOnDrive(attachment, content)

    def test_last_answer_lost(self):
        self.emulator.fault("files.upload.chunk", times=1, after=4, lose_answer=True)
        self.assertEqual(self.sync()["synced"], 1)
        self.assertOnDrive(self.attachment, self.content)
        self.assertEqual(len(self.drive_files()), 1)

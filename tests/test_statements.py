"""Rows that changed meanwhile: each condition of the statements on cloud columns."""

from ..drive.errors import InvalidRequestError
from ..engine import attachments
from ..engine.content.attachments import drop_bytes, make_plain, note_sha1s
from ..engine.jobs.claims import Claims
from ..engine.rows import Copy, Uploaded
from .test_identity import IdentityCase

RUN = 7
OTHER = "0" * 40


class TestConditions(IdentityCase):
    """A row is changed by whoever still has the right to, and by nobody else."""

    def changed(self, attachment, **columns):
        """Change a row in the test's transaction; it is what it was at the next call."""
        self.cr.rollback()
        for name, value in columns.items():
            self.cr.execute(  # pylint: disable=sql-injection
                "UPDATE ir_attachment SET %s = %%s WHERE id = %%s" % name,
                (value, attachment.id),
            )
        attachment.invalidate_cache()
        return attachment

    def row(self, attachment, columns):
        self.cr.execute(  # pylint: disable=sql-injection
            "SELECT %s FROM ir_attachment WHERE id = %%s" % columns, (attachment.id,)
        )
        return self.cr.fetchone()

    def copy_of(self, attachment):
        return Copy(
            attachment.id,
            attachment.cloud_file_id,
            attachment.store_fname or None,
            attachment.cloud_sha1,
            attachment.cloud_size_bytes,
        )

    def pending(self):
        """An attachment on its way for a run, and what its upload came to."""
        attachment = self.make_in("filestore")
        content = attachment.raw
        self.set_columns(attachment, cloud_sync_status="pending", cloud_run_id=RUN)
        uploaded = Uploaded(
            attachment.id,
            "drive-id",
            None,
            "f" * 32,
            attachment.checksum,
            len(content),
            self.auth.id,
            RUN,
            attachment.checksum,
            attachment.store_fname,
            True,
        )
        return attachment, uploaded

    # -- local bytes ---------------------------------------------------------------------

    def test_bytes_stay_when_the_row_is_not_what_was_proven(self):
        attachment = self.make_in("both")
        copy = self.copy_of(attachment)
        changes = {
            "cloud_sync_status": "pending",
            "cloud_file_id": "another",
            "cloud_keep_local": True,
            "cloud_error_message": "It was changed in Google Drive.",
            "store_fname": "00/" + OTHER,
            "checksum": OTHER,
            "file_size": 1,
            "cloud_size_bytes": 1,
            "db_datas": b"newer",
        }
        for column, value in changes.items():
            with self.subTest(column):
                self.changed(attachment, **{column: value})
                self.assertEqual(drop_bytes(self.env, [copy]), [])
        self.changed(attachment)
        self.assertEqual(len(drop_bytes(self.env, [copy])), 1)

    def test_bytes_stay_when_others_were_proven(self):
        attachment = self.make_in("both")
        copy = self.copy_of(attachment)
        for wrong in (
            copy._replace(cloud_file_id="another"),
            copy._replace(store_fname="00/" + OTHER),
            copy._replace(cloud_sha1=OTHER),
            copy._replace(cloud_size_bytes=1),
        ):
            self.assertEqual(drop_bytes(self.env, [wrong]), [])

    def test_bytes_in_the_database(self):
        """They are compared where they are given up."""
        attachment = self.make_in("database")
        self.assertTrue(attachment.sync_to_cloud())
        self.cr.commit()
        copy = self.copy_of(attachment)
        same_size = b"x" * attachment.file_size
        for value in (same_size, same_size + b"x", None):
            self.changed(attachment, db_datas=value)
            self.assertEqual(drop_bytes(self.env, [copy]), [])
        self.changed(attachment)
        self.assertEqual(len(drop_bytes(self.env, [copy])), 1)

    def test_rows_of_others_are_not_waited_for(self):
        attachment = self.make_in("both")
        copy = self.copy_of(attachment)
        self.cr.commit()
        with self.other_transaction() as env:
            env.cr.execute(
                "SELECT 1 FROM ir_attachment WHERE id = %s FOR UPDATE", (attachment.id,)
            )
            self.cr.execute("SET LOCAL lock_timeout = '2s'")
            self.assertEqual(drop_bytes(self.env, [copy]), [])
            self.cr.rollback()

    # -- an upload -----------------------------------------------------------------------

    def test_synced_is_only_what_was_sent(self):
        attachment, uploaded = self.pending()
        changes = {
            "cloud_sync_status": "local",
            "cloud_run_id": RUN + 1,
            "checksum": OTHER,
            "store_fname": "00/" + OTHER,
            "db_datas": b"newer",
        }
        for column, value in changes.items():
            with self.subTest(column):
                self.changed(attachment, **{column: value})
                self.assertEqual(attachments.mark_synced(self.cr, [uploaded]), [])
        self.changed(attachment)
        self.assertEqual(attachments.mark_synced(self.cr, [uploaded]), [attachment.id])

    def test_pinned_files_get_no_address(self):
        attachment, uploaded = self.pending()
        self.changed(attachment, cloud_keep_local=True)
        attachments.mark_synced(self.cr, [uploaded])
        self.assertEqual(self.row(attachment, "type, url"), ("binary", None))
        self.changed(attachment)
        attachments.mark_synced(self.cr, [uploaded])
        self.assertEqual(self.row(attachment, "type")[0], "url")

    def test_rows_of_another_run_stay_its_own(self):
        attachment, _uploaded = self.pending()
        columns = "cloud_sync_status, cloud_run_id, cloud_attempts"
        before = self.row(attachment, columns)
        err = InvalidRequestError("Bad request")
        attachments.mark_failed(self.cr, RUN + 1, attachment.id, err, True)
        attachments.put_back(self.cr, RUN + 1, attachment.ids)
        attachments.put_back_all(self.cr, [RUN + 1])
        attachments.forget_failures(self.cr, RUN + 1, attachment.ids)
        self.assertEqual(self.row(attachment, columns), before)
        attachments.forget_failures(self.cr, RUN, attachment.ids)  # it did not fail
        self.assertEqual(self.row(attachment, columns), before)
        attachments.put_back(self.cr, RUN, attachment.ids)
        self.assertEqual(self.row(attachment, columns)[:2], ("local", None))

    def test_failures_of_another_run_stay_failures(self):
        attachment, _uploaded = self.pending()
        self.changed(attachment, cloud_sync_status="error")
        attachments.forget_failures(self.cr, RUN + 1, attachment.ids)
        self.assertEqual(self.row(attachment, "cloud_run_id")[0], RUN)
        attachments.forget_failures(self.cr, RUN, attachment.ids)
        self.assertIsNone(self.row(attachment, "cloud_run_id")[0])

    def test_claimed_is_only_what_may_be_sent(self):
        attachment = self.make_in("filestore")
        vals = {"config_id": self.config.id, "sync_type": "single"}
        run = self.env["cloud_storage.sync.run"].create(vals)
        self.cr.commit()

        def claimed(**columns):
            self.changed(attachment, **columns)
            claims = Claims(run, attachment.ids)
            claims._drive_ids = ["reserved"]
            return [row.id for row in claims._mark_next(1)[1]]

        nothing_here = {"store_fname": None, "cloud_sync_status": "error"}
        for columns in (
            {"cloud_sync_status": "pending"},
            {"cloud_sync_status": "synced"},
            {"cloud_run_id": run.id},  # it failed in this run
            {"file_size": None},
            {"checksum": None},
            dict(nothing_here),
            dict(nothing_here, file_size=0, cloud_file_id="whole"),
            dict(nothing_here, file_size=None, cloud_file_id="whole"),
        ):
            with self.subTest(**columns):
                self.assertEqual(claimed(**columns), [])
        for columns in (
            {},
            {"cloud_sync_status": None},
            {"cloud_sync_status": "error", "cloud_run_id": run.id + 1},
            dict(nothing_here, file_size=0),
        ):
            with self.subTest(**columns):
                self.assertEqual(claimed(**columns), attachment.ids)

    # -- which file in Drive ---------------------------------------------------------------

    def test_sha1_of_another_file_is_not_noted(self):
        attachment = self.make_in("both")
        proven = [(attachment.id, attachment.cloud_file_id, OTHER, 5)]
        note_sha1s(self.env, proven)
        self.assertNotEqual(self.row(attachment, "cloud_sha1")[0], OTHER)
        for file_id, sha1 in ((attachment.cloud_file_id, OTHER), ("another", None)):
            self.changed(attachment, cloud_sha1=None)
            note_sha1s(self.env, [(attachment.id, file_id, OTHER, 5)])
            self.assertEqual(self.row(attachment, "cloud_sha1")[0], sha1)

    def test_rows_that_changed_are_not_moved_to_the_copy(self):
        attachment = self.make_in("drive")
        file_id, sha1 = attachment.cloud_file_id, attachment.cloud_sha1
        target = self.make_account("target@example.com")
        self.cr.commit()
        copy = {"id": "copy", "sha1Checksum": sha1}
        changes = {
            "cloud_file_id": "another",
            "cloud_auth_id": target.id,
            "cloud_sha1": OTHER,
            "cloud_sync_status": "pending",
        }

        def repoint():
            return attachments.repoint(self.env, self.auth, file_id, target, copy)

        for column, value in changes.items():
            with self.subTest(column):
                self.changed(attachment, **{column: value})
                self.assertEqual(repoint(), [])
        self.changed(attachment)
        self.assertEqual(repoint(), attachment.ids)

    def test_persons_links_stay_links(self):
        """Also when all files become plain ones, as before an uninstallation."""
        attachment = self.make_in("both")
        self.assertEqual(attachment.type, "url")
        link = self.env["ir.attachment"].create(
            {"name": "link", "type": "url", "url": attachment.url}
        )
        link.flush()
        make_plain(self.cr)
        self.assertEqual(self.row(attachment, "type, url"), ("binary", None))
        self.assertEqual(self.row(link, "type, url"), ("url", attachment.url))

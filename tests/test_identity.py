"""Bytes are what their sha1 and their size say; rows, names and md5 are hints."""

import hashlib
import os
import uuid

from ..engine import release
from ..engine.account.identity import reserved_for
from ..engine.content.restoring import free_bytes
from ..exceptions import CloudFileError
from .collision import pair
from .common_content import ContentCase

TRIES = ("files.upload.multipart", "files.get")


def sha1_of(content):
    return hashlib.sha1(content).hexdigest()


class IdentityCase(ContentCase):
    """Rows as other tools, older versions and crashes leave them."""

    def set_columns(self, attachments, **values):
        """Below the ORM, committed."""
        attachments.flush()
        for name, value in values.items():
            self.cr.execute(  # pylint: disable=sql-injection
                "UPDATE ir_attachment SET %s = %%s WHERE id IN %%s" % name,
                (value, tuple(attachments.ids)),
            )
        self.cr.commit()
        attachments.invalidate_cache()

    def forget_queue(self):
        """Nothing waits to go to Drive's trash: that was before the story begins."""
        self.cr.execute("DELETE FROM cloud_storage_trash")
        self.cr.commit()

    def contents(self, count, size=64):
        """Contents of one size, each other than the others."""
        return [uuid.uuid4().bytes * (size // 16) for _i in range(count)]

    def made(self, contents, **vals):
        """Local attachments with these contents."""
        files = [self.make_attachment(content, **vals) for content in contents]
        self.cr.commit()
        return self.env["ir.attachment"].union(*files)

    def interrupted(self):
        """Uploaded, and the process died before that was written down."""
        content = uuid.uuid4().bytes
        attachment = self.make_in("both", content)
        file_id = attachment.cloud_file_id
        self.set_columns(
            attachment,
            cloud_file_id=None,
            cloud_sync_status="pending",
            cloud_reserved_id=file_id,
            cloud_reserved_for=reserved_for(self.auth),
            type="binary",
            url=None,
        )
        self.forget_queue()
        self.config.delete_local_after_sync = True
        return attachment, file_id, content

    def assertOwn(self, attachments, contents):
        """Each has its own bytes, whatever cache or copy they come from."""
        self.collect(attachments)
        self.forget()
        for attachment, content in zip(attachments, contents):
            self.assertEqual(attachment.raw, content)


class TestSharing(IdentityCase):
    """Attachments share a file in Drive when their bytes were compared, not their rows."""

    def test_rows_without_a_checksum(self):
        """However many are selected."""
        contents = self.contents(230)
        files = self.made(contents)
        self.set_columns(files, checksum=None)
        self.assertTrue(files.sync_to_cloud())
        self.assertEqual(len(set(files.mapped("cloud_file_id"))), len(files))
        self.assertFalse(any(a.store_fname for a in files))
        self.assertOwn(files, contents)

    def test_rows_with_each_others_checksum(self):
        """What a row says of bytes of its own is compared with them."""
        contents = self.contents(3)
        files = self.made(contents)
        self.set_columns(files, checksum=sha1_of(contents[0]))
        summary = self.sync()
        self.assertEqual((summary["synced"], summary["errors"]), (1, 2))
        self.assertIn("damaged", files[1].cloud_error_message)
        self.assertOwn(files, contents)

    def test_same_file_is_read_once(self):
        content = uuid.uuid4().bytes
        files = self.made([content] * 5)
        self.assertEqual(self.sync()["synced"], 5)
        self.assertEqual(len(self.drive_files()), 1)
        self.assertOwn(files, [content] * 5)

    def test_same_content_in_another_place(self):
        """A column and a file: both are read, one file in Drive is enough."""
        content = uuid.uuid4().bytes
        files = self.made([content, content])
        self.set_columns(files[1], store_fname=None, db_datas=content)
        self.assertEqual(self.sync()["synced"], 2)
        self.assertEqual(len(self.drive_files()), 1)
        self.assertOwn(files, [content, content])

    def test_same_md5(self):
        contents = pair(b"two papers with one fingerprint")
        files = self.made(contents)
        self.assertEqual(len({hashlib.md5(c).hexdigest() for c in contents}), 1)
        self.assertEqual(self.sync()["synced"], 2)
        self.assertOwn(files, contents)
        for attachment, content in zip(files, contents):
            path = "/cloud_storage/file/%d" % attachment.id
            for user in (self.admin(), self.admin()):
                self.assertEqual(self.get(path, user).content, content)
        self.assertTrue(files.restore_from_cloud())
        self.cr.commit()
        self.assertOwn(files, contents)

    def admin(self):
        return self.make_user("reader", "base.group_user", "base.group_system")

    def test_limit_counts_duplicates(self):
        self.made([b"three times the same"] * 3)
        self.assertEqual(self.sync(limit=1)["synced"], 1)
        self.assertEqual(self.sync(limit=1)["remaining"], 1)


class TestUploading(IdentityCase):
    """What an upload may take for granted."""

    def left_by_the_original(self):
        """Its file is in Drive; the row says it has none and no bytes."""
        content = uuid.uuid4().bytes
        attachment = self.in_drive(content)
        self.set_columns(
            attachment,
            file_size=0,
            checksum=sha1_of(b""),
            cloud_md5=None,
            cloud_sha1=None,
            cloud_sync_status="error",
            type="binary",
            url=None,
        )
        return attachment, content

    def test_nothing_here_and_a_file_in_drive(self):
        attachment, content = self.left_by_the_original()
        file_id = attachment.cloud_file_id
        self.sync()
        self.assertFalse(attachment.sync_to_cloud())
        self.env["cloud_storage.sync.service"].automatic_sync()
        self.fresh()
        self.assertEqual(attachment.cloud_file_id, file_id)
        self.assertEqual(self.emulator.content(file_id), content)
        self.assertEqual([f["id"] for f in self.drive_files()], [file_id])

    def test_nothing_here_is_readable_all_the_same(self):
        attachment, content = self.left_by_the_original()
        self.forget()
        self.assertEqual(attachment.raw, content)
        self.fresh()
        self.assertEqual(attachment.cloud_sha1, sha1_of(content))
        self.assertTrue(attachment.restore_from_cloud())
        self.cr.commit()
        self.assertIntact(attachment, "note.txt", content)

    def test_size_that_nobody_recorded_right(self):
        attachment, content = self.left_by_the_original()
        self.set_columns(attachment, cloud_size_bytes=0)
        self.forget()
        self.assertEqual(attachment.raw, content)

    def test_copy_of_an_interrupted_run_in_the_trash(self):
        attachment, file_id, content = self.interrupted()
        self.emulator.edit_file(file_id, trashed=True)
        self.assertEqual(self.sync()["synced"], 1)
        self.assertEqual(attachment.cloud_file_id, file_id)
        self.assertFalse(self.drive_file(file_id)["trashed"])
        self.assertOwn(attachment, [content])

    def test_something_else_under_the_reserved_id(self):
        """It is left alone by the upload, and the bytes stay here."""
        attachment, file_id, content = self.interrupted()
        self.emulator.edit_file(file_id, content=b"from another time")
        self.assertEqual(self.sync()["errors"], 1)
        self.assertTrue(attachment.store_fname)
        self.assertTrue(self.drive_file(file_id))
        self.assertEqual(self.sync()["synced"], 1)
        self.assertNotEqual(attachment.cloud_file_id, file_id)
        self.assertOwn(attachment, [content])

    def test_answer_without_digests(self):
        content = uuid.uuid4().bytes
        attachment = self.made([content])
        digests = ["md5Checksum", "sha1Checksum"]
        self.emulator.fault("files.upload.multipart", times=-1, omit=digests)
        self.assertEqual(self.sync()["synced"], 1)
        self.assertEqual(self.emulator.count("files.upload.multipart"), 1)
        self.assertOwn(attachment, [content])

    def test_drive_never_tells_its_digests(self):
        """Neither good nor bad: nothing is deleted, nothing is sent again."""
        content = uuid.uuid4().bytes
        attachment = self.made([content])
        for route in TRIES:
            omitted = ["md5Checksum", "sha1Checksum"]
            self.emulator.fault(route, times=-1, omit=omitted)
        self.assertEqual(self.sync()["synced"], 0)
        self.assertTrue(attachment.store_fname)
        self.assertEqual(attachment.cloud_sync_status, "local")
        (there,) = self.drive_files()
        self.emulator.clear_faults()
        self.assertEqual(self.sync()["synced"], 1)
        self.assertEqual(attachment.cloud_file_id, there["id"])
        self.assertOwn(attachment, [content])

    def test_too_large_to_be_recorded(self):
        """One bad row stops nobody, and says why it stays."""
        large, small = self.made(self.contents(2))
        with open(self.local_path(large), "r+b") as file:
            file.truncate(2**31 + 1)  # sparse
        name = "no/sha1-in-the-name"
        os.makedirs(os.path.dirname(large._full_path(name)), exist_ok=True)
        os.rename(self.local_path(large), large._full_path(name))
        self.addCleanup(os.unlink, large._full_path(name))
        self.set_columns(large, file_size=None, checksum=None, store_fname=name)
        self.assertEqual(self.sync()["synced"], 1)
        self.fresh()
        self.assertEqual(small.cloud_sync_status, "synced")
        self.assertIn("larger than", large.cloud_error_message)


class TestReading(IdentityCase):
    """What is read was proven, or there is an error."""

    def test_changed_in_drive_to_a_content_with_the_same_md5(self):
        good, bad = pair(b"an invoice")
        attachment = self.in_drive(good)
        self.emulator.edit_file(attachment.cloud_file_id, content=bad)
        self.forget()
        with self.assertRaises(CloudFileError):
            attachment.raw  # pylint: disable=pointless-statement
        answer = self.get("/cloud_storage/file/%d" % attachment.id, self.admin())
        self.assertNotIn(bad, answer.content)
        with self.assertRaises(CloudFileError):
            attachment.restore_from_cloud()

    def admin(self):
        return self.make_user("reader", "base.group_user", "base.group_system")

    def test_row_of_an_older_version(self):
        content = uuid.uuid4().bytes
        attachment = self.in_drive(content)
        self.set_columns(attachment, cloud_sha1=None, checksum="0" * 40)
        self.forget()
        path = "/cloud_storage/file/%d" % attachment.id
        self.assertEqual(self.get(path, self.admin()).content, content)
        self.fresh()
        self.assertEqual(attachment.cloud_sha1, sha1_of(content))
        self.emulator.clear_requests()
        self.assertEqual(attachment.raw, content)
        self.assertEqual(self.emulator.count("files.get"), 0)

    def shared(self):
        """Two attachments with one file in Drive, which somebody deletes."""
        content = uuid.uuid4().bytes
        first, second = files = self.made([content, content])
        self.assertEqual(self.sync()["synced"], 2)
        self.assertEqual(first.cloud_file_id, second.cloud_file_id)
        self.collect(files)
        return first, second, content

    def test_sibling_on_this_server(self):
        first, second, content = self.shared()
        self.assertTrue(first.restore_from_cloud())
        self.cr.commit()
        self.emulator.remove_file(second.cloud_file_id)
        self.forget()
        self.assertEqual(second.raw, content)
        self.forget()
        answer = self.get("/cloud_storage/file/%d" % second.id, self.admin())
        self.assertEqual((answer.status_code, answer.content), (200, content))
        self.forget()
        self.assertTrue(second.restore_from_cloud())
        self.cr.commit()
        self.assertIntact(second, "note.txt", content)

    def test_sibling_with_a_file_of_its_own(self):
        self.config.deduplicate = False
        content = uuid.uuid4().bytes
        first, second = files = self.made([content, content])
        self.assertEqual(self.sync()["synced"], 2)
        self.collect(files)
        self.emulator.remove_file(second.cloud_file_id)
        self.forget()
        self.assertEqual(second.raw, content)
        self.forget()
        answer = self.get("/cloud_storage/file/%d" % second.id, self.admin())
        self.assertEqual((answer.status_code, answer.content), (200, content))

    def test_row_that_only_claims_the_same_content(self):
        first, second, _content = self.shared()
        self.assertTrue(first.restore_from_cloud())
        self.cr.commit()
        with open(self.local_path(first), "wb") as file:
            file.write(b"something else")
        self.emulator.remove_file(second.cloud_file_id)
        self.forget()
        with self.assertRaises(CloudFileError):
            second.raw  # pylint: disable=pointless-statement

    def test_lost_file_is_not_taken_from_a_row_that_lies(self):
        """A file is found in Drive by its checksum: the bytes must have it."""
        lost, liar = self.made(self.contents(1)), self.in_drive(b"of somebody else")
        self.set_columns(liar, checksum=lost.checksum)
        os.unlink(self.local_path(lost))
        self.forget()
        self.assertNotEqual(lost.raw, b"of somebody else")


class TestRestoring(IdentityCase):
    """Bringing back replaces nothing."""

    def test_row_with_the_checksum_of_another(self):
        """The download is named by what it is."""
        mine, theirs = self.contents(2)
        other = self.make_in("filestore", theirs)
        attachment = self.in_drive(mine)
        for known in (sha1_of(mine), None):
            with self.subTest(known=known):
                self.set_columns(attachment, checksum=other.checksum, cloud_sha1=known)
                self.forget()
                self.assertTrue(attachment.restore_from_cloud())
                self.cr.commit()
                self.assertOwn(attachment | other, [mine, theirs])
                self.assertEqual(attachment.checksum, sha1_of(mine))
                self.set_columns(
                    attachment, store_fname=None, type="url", cloud_keep_local=False
                )

    def test_other_bytes_under_that_name(self):
        """A file of the filestore that is not what its name says stays what it is."""
        content = uuid.uuid4().bytes
        attachment = self.in_drive(content)
        self.collect(attachment)
        name = "%s/%s" % (sha1_of(content)[:2], sha1_of(content))
        path = attachment._full_path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"the last trace of something")
        self.addCleanup(os.unlink, path)
        self.assertTrue(attachment.restore_from_cloud())
        self.cr.commit()
        self.assertOwn(attachment, [content])
        with open(path, "rb") as file:
            self.assertEqual(file.read(), b"the last trace of something")

    def test_newer_local_bytes_stay(self):
        """Whoever wrote them, and however."""
        for column in ("store_fname", "db_datas"):
            with self.subTest(column=column):
                attachment = self.in_drive(uuid.uuid4().bytes)
                newer = uuid.uuid4().bytes
                fname, checksum = attachment._file_write(newer, sha1_of(newer)), None
                values = {"store_fname": fname}
                if column == "db_datas":
                    values = {"db_datas": newer, "checksum": checksum}
                self.set_columns(attachment, **values)
                self.forget()
                self.assertTrue(attachment.restore_from_cloud())
                self.cr.commit()
                self.assertOwn(attachment, [newer])

    def test_room_that_is_kept_free(self):
        attachment = self.in_drive(uuid.uuid4().bytes)
        size = free_bytes(self.env)
        self.set_columns(attachment, cloud_size_bytes=size)
        with self.assertRaises(CloudFileError) as caught:
            attachment.restore_from_cloud()
        self.assertIn("do not fit", str(caught.exception))


class TestReleasing(IdentityCase):
    """Local bytes go when they, not their rows, are what Drive has."""

    def kept(self, content):
        """Synced long ago, still here, and to be freed."""
        attachment = self.make_in("both", content)
        self.config.delete_local_after_sync = True
        self.cr.commit()
        return attachment

    def release(self, attachment):
        self.release_due()
        self.fresh()
        return not attachment.store_fname

    def test_drive_has_a_content_with_the_same_md5(self):
        good, bad = pair(b"a contract")
        attachment = self.kept(good)
        self.emulator.edit_file(attachment.cloud_file_id, content=bad)
        self.assertFalse(self.release(attachment))

    def test_local_bytes_of_the_same_size(self):
        attachment = self.kept(b"as it was when it went")
        with open(self.local_path(attachment), "wb") as file:
            file.write(b"AS IT IS NOW, AND HERE")
        self.assertFalse(self.release(attachment))

    def test_row_that_lies_about_its_checksum(self):
        attachment = self.kept(b"honest bytes")
        self.set_columns(attachment, checksum="0" * 40)
        self.assertFalse(self.release(attachment))

    def test_row_of_an_older_version(self):
        content = uuid.uuid4().bytes
        attachment = self.kept(content)
        self.set_columns(attachment, cloud_sha1=None, cloud_md5=None)
        self.assertTrue(self.release(attachment))
        self.assertEqual(attachment.cloud_sha1, sha1_of(content))
        self.assertOwn(attachment, [content])

    def test_in_the_trash(self):
        attachment = self.kept(uuid.uuid4().bytes)
        self.emulator.edit_file(attachment.cloud_file_id, trashed=True)
        self.assertFalse(self.release(attachment))

    def test_pinned_while_drive_is_asked(self):
        attachment = self.kept(uuid.uuid4().bytes)
        rows = release._releasable(self.config, 0)
        proven = release._proven(self.env, self.auth._drive_client, rows)
        self.assertEqual([row.id for row in proven], attachment.ids)
        attachment.cloud_keep_local = True
        self.cr.commit()
        self.assertEqual(release._release(self.env, proven), 0)
        self.assertTrue(attachment.store_fname)

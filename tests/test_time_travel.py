import os
import unittest
import uuid
from urllib.parse import parse_qs, urlsplit

from odoo.exceptions import UserError

from .common_server import can_start
from .common_time_travel import NIGHT, TimeTravelCase

#: Somebody works in a copy: files come and go, and a night passes.
WORK_IN_A_COPY = (
    """
files = env["ir.attachment"].search([("name", "=", "traveller.txt")], order="id")
files[0].unlink()
files[1].raw = b"other content"
files[2].name = "renamed.txt"
files.create({"name": "new.txt", "raw": b"new", "res_model": "res.partner",
              "res_id": files[2].res_id})
env.cr.commit()
"""
    + NIGHT
    + """
report([a.raw.decode() for a in files[2:]])
"""
)


@unittest.skipUnless(can_start(), "started by `make test` only")
class TestDatabaseGoesBack(TimeTravelCase):
    """The database is restored to a backup; Drive and the filestore are of today."""

    def test_before_a_sync(self):
        """The backup knows nothing of Drive, where the only copies are."""
        self.make(3)
        self.traveller.backup()
        contents = dict(self.contents)
        self.sync_traveller()
        self.go_back(contents)
        self.nights()
        self.assertNothingLost()

    def test_before_a_sync_that_kept_the_files(self):
        self.make(3)
        self.traveller.backup()
        contents = dict(self.contents)
        self.sync_traveller(free=False)
        self.go_back(contents)
        self.nights()
        self.assertNothingLost()
        self.assertEqual(len(self.drive_content()), 3)

    def test_before_an_upload(self):
        """Files that the backup does not know stay in Drive until somebody relinks."""
        old = self.synced(2)
        self.traveller.backup()
        contents = dict(self.contents)
        late = self.synced(2)
        lost = {self.contents[number] for number in late}
        self.days_pass(30)
        self.go_back(contents)
        self.nights(1, 1)
        self.assertNothingLost()
        self.assertLessEqual(lost, self.drive_content())
        self.assertIn("_relink_from_drive", self.messages())
        self.relink()
        with self.traveller.env() as env:
            files = env["ir.attachment"].search([("name", "=", "traveller.txt")])
            files.public = True  # as they were, for the sake of the test
            self.contents.update((f.id, f.raw) for f in files if f.id not in old)
        self.assertLessEqual(lost, set(self.contents.values()))
        self.nights()
        self.assertNothingLost()

    def test_before_an_upload_and_new_files_took_the_ids(self):
        """The sequence went back: a mark in Drive names another attachment now."""
        self.synced(1)
        self.traveller.backup()
        contents = dict(self.contents)
        late = self.synced(3)
        lost = {self.contents[number] for number in late}
        self.days_pass(30)
        self.go_back(contents)
        again = self.synced(2) + self.make(2)
        self.assertTrue(set(late) & set(again), "the drill is about this")
        self.nights(1, 1)
        self.assertNothingLost()
        self.assertLessEqual(lost, self.drive_content())
        self.relink()
        self.assertNothingLost()
        with self.traveller.env() as env:
            files = env["ir.attachment"].search([("name", "=", "traveller.txt")])
            self.assertLessEqual(lost, set(files.mapped("raw")))
        self.nights()
        self.assertNothingLost()

    def test_before_a_deletion(self):
        """The rows are back, their files went to the trash of Drive meanwhile."""
        ids = self.synced(3)
        self.traveller.backup()
        contents = dict(self.contents)
        self.delete(*ids[:2])
        self.assertEqual(len(self.drive_content(trashed=True)), 2)
        self.go_back(contents)
        self.nights()
        self.assertNothingLost()
        self.assertEqual(self.drive_content(), set(contents.values()))

    def test_before_a_deletion_of_one_that_shared(self):
        """Two attachments with one file in Drive; both were deleted, one by one."""
        ids = self.synced(2, content=b"the same bytes in both")
        self.assertEqual(len(self.drive_content()), 1)
        self.traveller.backup()
        contents = dict(self.contents)
        self.delete(ids[0])
        self.assertEqual(len(self.drive_content()), 1)
        self.delete(ids[1])
        self.go_back(contents)
        self.nights()
        self.assertNothingLost()

    def test_before_new_content(self):
        """The old content is in the trash of Drive, the new one is nobody's."""
        [number] = self.synced()
        self.traveller.backup()
        contents = dict(self.contents)
        self.write(number, b"new content")
        self.sync_traveller()
        self.process_trash()
        self.go_back(contents)
        self.nights(1, 1)
        self.assertNothingLost()
        self.assertIn(b"new content", self.drive_content())

    def test_before_new_content_of_a_file_that_waited(self):
        """A local file was rewritten and synced: its old bytes left the filestore."""
        [number] = self.make()
        self.traveller.backup()
        self.write(number, b"new content")
        self.sync_traveller()
        self.go_back({})
        self.nights(1, 1)
        with self.traveller.env() as env:
            file = env["ir.attachment"].browse(number)
            self.assertFalse(file.cloud_file_id, "other bytes than the row's")
            self.assertNotEqual(file.raw, b"new content")
        self.assertIn(b"new content", self.drive_content())
        self.assertNeighbourUntouched()

    def test_sequence_set_back(self):
        """Rows and sequence of an older day, as after a partial restore."""
        ids = self.synced(3)
        lost = {self.contents.pop(number) for number in ids[1:]}
        self.days_pass(30)
        with self.traveller.env() as env:
            env.cr.execute("ALTER TABLE ir_attachment DISABLE TRIGGER USER")
            env.cr.execute("DELETE FROM ir_attachment WHERE id IN %s", (tuple(ids[1:]),))
            env.cr.execute("ALTER TABLE ir_attachment ENABLE TRIGGER USER")
            env.cr.execute("SELECT setval('ir_attachment_id_seq', %s)", (ids[0],))
        self.assertTrue(set(self.synced(2)) & set(ids))
        self.nights(1, 1)
        self.assertNothingLost()
        self.assertLessEqual(lost, self.drive_content())
        self.relink()
        self.assertNothingLost()
        with self.traveller.env() as env:
            files = env["ir.attachment"].search([("name", "=", "traveller.txt")])
            self.assertLessEqual(lost, set(files.mapped("raw")))

    def test_trash_of_drive_was_emptied(self):
        """What is lost is told, and looks like nothing else; the others are well."""
        ids = self.synced(3)
        self.traveller.backup()
        contents = dict(self.contents)
        self.delete(*ids[:2])
        gone, back = ids[:2]
        [drive_id] = [
            number
            for number in self.files_of(self.uuid)
            if self.emulator.content(number) == contents[gone]
        ]
        self.emulator.remove_file(drive_id)
        self.go_back(contents)
        del self.contents[gone]
        self.nights()
        self.assertNothingLost()
        self.assertIn(back, self.contents)
        self.assertTold(gone)

    def assertTold(self, number):
        """An attachment that lost its bytes says so; it never seems to be empty."""
        with self.traveller.env() as env:
            file = env["ir.attachment"].browse(number)
            self.assertEqual(file.cloud_sync_status, "error")
            self.assertIn("gone", file.cloud_error_message)
            with self.assertRaises(UserError):
                file.mapped("raw")
        self.assertRegex(self.messages(), "1 missing")


@unittest.skipUnless(can_start(), "started by `make test` only")
class TestFilestoreGoesBack(TimeTravelCase):
    """Database and filestore are of different days."""

    def test_older_filestore(self):
        """Local copies of what is in Drive are missing; one file is really lost."""
        self.synced(2, free=False)
        twin = self.synced(1, content=b"in Drive and once more here")
        self.traveller.backup()
        later = self.synced(2, free=False)
        [same] = self.make(content=self.contents[twin[0]])
        [lost] = self.make()
        del self.contents[lost]
        self.traveller.restore_files()
        self.nights()
        self.assertNothingLost(flagged=[same])  # it may say that it could not be sent
        self.assertTrue(set(later) < set(self.contents) and same in self.contents)
        with self.traveller.env() as env:
            file = env["ir.attachment"].browse(lost)
            self.assertNotEqual(file.cloud_sync_status, "synced")
            self.assertTrue(file.file_size, "it never was an empty file")
        self.assertNotIn(b"", self.drive_content())

    def test_newer_filestore(self):
        """Files that the database does not know are no reason for anything."""
        kept, freed = self.synced(2, free=False), self.make(2)
        self.traveller.backup()
        contents = dict(self.contents)
        self.sync_traveller()
        self.synced(2, free=False)
        self.go_back(contents)
        self.nights()
        self.assertNothingLost()
        self.assertEqual(set(kept + freed), set(self.contents))

    def test_filestore_is_gone(self):
        self.synced(2)
        self.synced(2, free=False)
        for folder, _folders, names in os.walk(self.traveller.filestore):
            for name in names:
                os.unlink(os.path.join(folder, name))
        self.nights()
        self.assertNothingLost()


@unittest.skipUnless(can_start(), "started by `make test` only")
class TestElsewhere(TimeTravelCase):
    """The database is somewhere else, or the account somebody else's."""

    def test_copy_on_another_cluster(self):
        """Same name, same uuid, own server and filestore: Drive stays as it is."""
        ids = self.synced(4)
        before = self.files_of(self.uuid)
        with self.other_cluster() as shell:
            read = shell(WORK_IN_A_COPY)
        self.assertEqual(read, [self.contents[i].decode() for i in ids[2:]])
        self.assertEqual(self.files_of(self.uuid), before)
        self.nights()
        self.assertNothingLost()

    def test_copy_under_another_name(self):
        """As somebody makes one for a test, on the same server."""
        self.synced(4)
        before = self.files_of(self.uuid)
        with self.traveller.env() as env:
            env["cloud_storage.auth"].search([]).database_name = "production"
        self.delete(*list(self.contents)[:2])
        self.nights()
        self.assertEqual(self.files_of(self.uuid), before)
        self.assertNothingLost()

    def test_another_oauth_client(self):
        """With drive.file it sees none of the files: it is refused before it counts."""
        self.synced(3)
        client = self.emulator.client()
        with self.assertRaises(UserError):
            self.authorize(client)
        self.nights()
        self.authorize(self.tokens)
        self.nights(1)
        self.assertNothingLost()

    def test_another_person(self):
        self.synced(3)
        self.refuse_somebody_else()

    def test_another_person_and_an_account_of_an_old_version(self):
        """Authorized before the addon knew by which id Google knows people."""
        self.synced(3)
        with self.traveller.env() as env:
            env["cloud_storage.auth"].search([]).google_user_id = False
        self.refuse_somebody_else()

    def refuse_somebody_else(self):
        with self.assertRaises(UserError):
            self.authorize(self.tokens, email="somebody@example.com")
        self.nights()
        self.authorize(self.tokens)
        self.nights(1)
        self.assertNothingLost()

    def authorize(self, client, email="admin@example.com"):
        """A manager enters a client and consents as a person."""
        with self.traveller.env() as env:
            auth = env["cloud_storage.auth"].search([])
            auth = auth.with_user(env.ref("base.user_admin"))
            auth.write({name: client[name] for name in ("client_id", "client_secret")})
            address = self.emulator.consent(auth.get_auth_url(), email=email)
            env.cr.commit()
            [code] = parse_qs(urlsplit(address).query)["code"]
            auth.exchange_code_for_token(code)

    def test_unknown_uuid_is_nobodys(self):
        """A database that got a new uuid, as a duplicate does, owns nothing in Drive."""
        self.synced(3)
        before = self.files_of(self.uuid)
        with self.traveller.env() as env:
            env["ir.config_parameter"].set_param("database.uuid", str(uuid.uuid4()))
        self.delete(*list(self.contents)[:1])
        self.nights()
        self.assertEqual(self.files_of(self.uuid), before)
        self.assertNothingLost()

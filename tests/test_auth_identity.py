"""Whose Drive an account is, and what its OAuth client sees there."""
import json

from odoo.exceptions import UserError

from ..engine.account.identity import Identity
from ..engine.account.rate_limit import limits_of
from ..engine.account.tokens import Tokens
from .test_oauth_callback import CallbackCase

OTHER_CLIENT = "does not see the files"


class IdentityCase(CallbackCase):
    """An account that was authorized by consent, with files in the cloud."""

    def setUp(self):
        super().setUp()
        self.config.write({"auth_id": self.draft.id, "delete_local_after_sync": True})
        self.cr.commit()

    def consent(self, email="admin@example.com"):
        address = self.begin(self.session, self.draft)
        return self.follow(self.session, self.emulator.consent(address, email=email))

    def in_cloud(self, count=3):
        files = self.make_attachments(count)
        self.sync()
        self.collect_garbage()
        self.fresh(self.draft)
        self.assertEqual(set(files.mapped("cloud_sync_status")), {"synced"})
        return files

    def authorized(self, count=3):
        """Authorize, and send some files."""
        self.assertEqual(self.consent().status_code, 200)
        return self.in_cloud(count)

    def use_other_client(self, account=None, **vals):
        self.fresh(self.draft)
        client = self.emulator.client([self.redirect_uri])
        names = ("client_id", "client_secret")
        vals.update({name: client[name] for name in names})
        (account or self.draft).write(vals)
        self.cr.commit()

    def kept(self):
        return self.secrets_of(self.draft), self.draft.state, self.draft.account_email

    def assertKept(self, answer, status, words, before):
        """Refused with a reason; what the account had it has still."""
        self.assertEqual(answer.status_code, status, answer.text)
        self.assertIn(words, " ".join(answer.text.split()))
        self.assertSafe(answer)
        self.assertEqual(self.kept(), before)
        self.assertIn(words, self.draft.last_error)


class TestOtherClient(IdentityCase):
    """With the scope drive.file each OAuth client sees its own files, and no others."""

    def test_consent_is_refused(self):
        files = self.authorized()
        contents = files.mapped("raw")
        former = self.draft.client_id, self.draft._secret("client_secret")
        self.use_other_client()
        before = self.kept()
        self.assertKept(self.consent(), 400, OTHER_CLIENT, before)
        self.draft.write(dict(zip(("client_id", "client_secret"), former)))
        self.cr.commit()
        self.env["ir.attachment"]._clear_cloud_cache()
        self.env.cache.invalidate()
        self.assertEqual(files.mapped("raw"), contents, "the old tokens work")
        self.assertEqual(self.consent().status_code, 200)

    def test_account_of_the_previous_version(self):
        """Nobody wrote down which client it was."""
        self.authorized()
        self.draft.write({"granted_to": False, "google_user_id": False})
        self.cr.commit()
        self.use_other_client()
        self.assertKept(self.consent(), 400, OTHER_CLIENT, self.kept())

    def test_manager_changes_the_client(self):
        """Which forgets the tokens at once: the former client brings the files back."""
        files = self.authorized()
        former = self.draft.client_id, self.draft._secret("client_secret")
        account = self.draft.with_user(self.manager)
        self.use_other_client(account)
        self.assertKept(self.consent(), 400, OTHER_CLIENT, self.kept())
        self.assertFalse(self.draft.token_set)
        account.write(dict(zip(("client_id", "client_secret"), former)))
        self.cr.commit()
        self.assertEqual(self.consent().status_code, 200)
        self.fresh(self.draft)
        self.env["ir.attachment"]._clear_cloud_cache()
        self.env.cache.invalidate()
        self.assertTrue(files[0].raw)

    def test_whole_drive_sees_them(self):
        self.authorized()
        self.use_other_client(scope="drive")
        self.assertEqual(self.consent().status_code, 200)

    def test_without_files_any_client_will_do(self):
        self.assertEqual(self.consent().status_code, 200)
        self.use_other_client()
        self.assertEqual(self.consent().status_code, 200)

    def test_some_files_are_gone_for_good(self):
        """One that is seen is enough."""
        files = self.authorized(4)
        for file in files[1:]:
            self.emulator.remove_file(file.cloud_file_id)
        self.draft.granted_to = False
        self.cr.commit()
        self.assertEqual(self.consent().status_code, 200)

    def test_all_files_are_gone_for_good(self):
        """The same client as before: that is no reason to lock anybody out."""
        for file in self.authorized():
            self.emulator.remove_file(file.cloud_file_id)
        self.assertEqual(self.consent().status_code, 200)
        # of an account that never noted its client, the folders tell
        self.fresh(self.draft).granted_to = False
        self.cr.commit()
        self.assertEqual(self.consent().status_code, 200)

    def test_few_requests(self):
        self.authorized(12)
        self.use_other_client()
        self.emulator.clear_requests()
        self.assertEqual(self.consent().status_code, 400)
        self.assertLessEqual(self.emulator.count("files.get"), 10)

    def test_noise_is_no_answer(self):
        """Neither a refusal nor a blessing: nothing is changed, try again."""
        self.authorized()
        self.use_other_client()
        before = self.kept()
        faults = (
            {"status": 503},
            {"status": 429, "reason": "rateLimitExceeded"},
            {"status": 500},
            {"cut_after": 0},
        )
        for what in faults:
            with self.subTest(**what):
                self.emulator.fault("files.get", times=-1, **what)
                answer = self.consent()
                self.emulator.clear_faults()
                limits_of(self.draft).breaker.__init__()
                self.assertKept(answer, 503, "could not be reached", before)

    def test_forbidden_by_drive(self):
        """What Drive may say of a file of another application, too."""
        self.authorized()
        self.use_other_client()
        self.emulator.fault(
            "files.get", times=-1, status=403, reason="appNotAuthorizedToFile"
        )
        self.assertKept(self.consent(), 400, OTHER_CLIENT, self.kept())

    def test_connection_is_tested(self):
        self.authorized()
        self.assertTrue(self.draft.action_test_connection())
        self.use_other_client()
        grant = self.emulator.grant(client_id=self.draft.client_id)
        self.draft.write(
            {name: grant[name] for name in ("access_token", "refresh_token")}
        )
        self.cr.commit()
        with self.assertRaisesRegex(UserError, OTHER_CLIENT):
            self.draft.action_test_connection()

    def test_first_use_notes_the_client(self):
        """An account of the previous version: who writes now made the files."""
        self.authorized()
        self.draft.granted_to = False
        self.cr.commit()
        self.in_cloud(1)
        known = self.fresh(self.draft).granted_to
        self.assertEqual(known, "oauth %s drive.file" % self.draft.client_id)


class TestAbout(IdentityCase):
    """Nobody becomes the person of an account while Drive does not say who it is."""

    def test_unknown_person(self):
        self.authorized()
        before = self.kept()
        for what in ({"status": 503}, {"cut_after": 0}, {"truncate": 3}):
            with self.subTest(**what):
                self.emulator.fault("about", times=-1, **what)
                answer = self.consent("other@example.com")
                self.emulator.clear_faults()
                limits_of(self.draft).breaker.__init__()
                self.assertKept(answer, 503, "could not be reached", before)

    def test_unknown_person_without_files(self):
        """There is nothing to mix up; the name of the former is not kept."""
        self.assertEqual(self.consent().status_code, 200)
        self.emulator.fault("about", times=-1, status=503)
        self.assertEqual(self.consent("other@example.com").status_code, 200)
        self.emulator.clear_faults()
        self.fresh(self.draft)
        self.assertFalse(self.draft.account_email or self.draft.google_user_id)
        self.assertTrue(self.draft.granted_to)

    def test_refusal_by_drive(self):
        self.authorized()
        before = self.kept()
        self.emulator.fault(
            "about", times=-1, status=403, reason="accessNotConfigured", message="Why."
        )
        answer = self.consent()
        self.emulator.clear_faults()
        self.assertKept(answer, 400, "Why.", before)

    def test_another_member_of_a_shared_drive(self):
        """Any member will do, as long as it sees the files; they may be elsewhere."""
        self.authorized()
        self.draft.shared_drive_id = "shared"
        self.cr.commit()
        self.assertKept(
            self.consent("other@example.com"), 400, OTHER_CLIENT, self.kept()
        )

    def test_nameless_answer(self):
        self.authorized()
        for user in ({}, {"displayName": "Somebody"}, {"permissionId": ""}):
            with self.assertRaisesRegex(UserError, "did not say whose Drive"):
                Identity(self.draft).check_user(user)

    def test_mail_address_decides_without_an_id(self):
        self.authorized()
        Identity(self.draft).check_user({"emailAddress": "admin@example.com"})
        with self.assertRaisesRegex(UserError, "another Google account"):
            Identity(self.draft).check_user({"emailAddress": "other@example.com"})


class TestServiceAccount(IdentityCase):
    """There is no consent that could ask: the first token of another key does."""

    def setUp(self):
        super().setUp()
        self.key = self.emulator.service_account(
            "bot@x.iam", delegation=["drive", "drive.file"]
        )
        self.draft.write(
            {
                "auth_type": "service_account",
                "service_account_json": json.dumps(self.key),
                "delegated_user": "boss@example.com",
            }
        )
        self.cr.commit()

    def other_key(self, **vals):
        key = self.emulator.service_account("new@x.iam", delegation=["drive.file"])
        self.draft.write(dict(vals, service_account_json=json.dumps(key)))
        self.cr.commit()

    def assertRefusesToken(self, words):
        before = self.kept()
        self.assertFalse(self.draft.refresh_access_token())
        self.assertEqual(self.kept(), before)
        self.assertIn(words, self.draft.last_error)
        with self.assertRaisesRegex(UserError, words):
            Tokens(self.draft).renew(force=True)
        self.fresh(self.draft)

    def test_other_key(self):
        files = self.in_cloud()
        self.other_key()
        self.assertRefusesToken(OTHER_CLIENT)
        self.draft.service_account_json = json.dumps(self.key)
        self.cr.commit()
        self.assertTrue(self.draft.refresh_access_token())
        self.assertTrue(files.mapped("raw"))

    def test_other_key_after_the_tokens_were_forgotten(self):
        self.in_cloud()
        self.other_key()
        self.draft._forget_grant()
        self.cr.commit()
        for granted_to in (self.draft.granted_to, False):
            self.draft.granted_to = granted_to
            self.cr.commit()
            with self.assertRaisesRegex(UserError, OTHER_CLIENT):
                self.draft.action_test_connection()
            self.assertFalse(self.fresh(self.draft).token_set)
            self.assertEqual(self.draft.state, "draft")

    def test_other_person(self):
        self.in_cloud()
        self.draft.delegated_user = "other@example.com"
        self.cr.commit()
        self.assertRefusesToken("another Google account")

    def test_drive_is_away(self):
        self.in_cloud()
        self.other_key()
        self.emulator.fault("files.get", times=-1, status=503)
        before = self.kept()
        self.assertFalse(self.draft.refresh_access_token())
        self.emulator.clear_faults()
        self.assertEqual(self.kept(), before)
        self.assertIn("could not be reached", self.draft.last_error)

    def test_same_key_asks_nothing(self):
        """Nor does a new key of the same service account."""
        self.in_cloud()
        again = self.emulator.service_account(
            "bot@x.iam", delegation=["drive", "drive.file"]
        )
        self.draft.service_account_json = json.dumps(again)
        self.cr.commit()
        self.emulator.clear_requests()
        self.assertTrue(self.draft.refresh_access_token())
        self.assertEqual(self.emulator.count(), 1)

    def test_account_of_the_previous_version(self):
        """It works: that is taken over without a question."""
        self.in_cloud()
        self.draft.granted_to = False
        self.cr.commit()
        self.emulator.clear_requests()
        self.assertTrue(self.draft.refresh_access_token())
        self.assertEqual(self.emulator.count(), 1)
        self.assertTrue(self.fresh(self.draft).granted_to)

    def test_key_for_another_cloud(self):
        """One that was stored before keys were looked at: no token, and the reason."""
        secrets = self.env["cloud_storage.secret"]
        bad = json.dumps(dict(self.key, universe_domain="example.com"))
        secrets._set(self.draft, "service_account_json", bad)
        self.cr.commit()
        self.emulator.clear_requests()
        self.assertFalse(self.draft.refresh_access_token())
        self.fresh(self.draft)
        self.assertEqual(self.draft.state, "error")
        self.assertIn("universe_domain", self.draft.last_error)
        self.assertFalse(self.draft.token_set)
        self.assertEqual(self.emulator.count(), 0)
        with self.assertRaisesRegex(UserError, "universe_domain"):
            self.draft.service_account_json = bad

import json
import traceback

from psycopg2.errors import LockNotAvailable

from odoo import fields
from odoo.exceptions import UserError

from ..engine.account.consent import pending_consent
from .common_auth import AuthCase, Capture


class TestSecretsInLogs(AuthCase):
    """Every record of every logger at the level debug, searched for every secret."""

    def setUp(self):
        super().setUp()
        self.known = list(self.secrets_of(self.auth).values())

    def assertClean(self, capture, secrets):
        self.assertGreater(len(capture.texts), 10)
        self.assertTrue(all(secrets), "a secret to look for is empty")
        for secret in secrets:
            for text in capture.texts:
                self.assertNotIn(secret, text)

    def test_consent(self):
        draft = self.make_draft()
        session = self.login(self.make_manager())
        address = self.begin(session, draft)
        state = self.query(address)["state"].partition(".")[2]
        verifier = pending_consent(self.fresh(draft))["verifier"]
        back = self.emulator.consent(address)
        code = self.query(back)["code"]
        with Capture() as capture:
            self.assertEqual(self.follow(session, back).status_code, 200)
            self.assertEqual(self.follow(session, back).status_code, 400)
            session.cookies.clear()
            self.assertIn(self.follow(session, back).status_code, (302, 303))
        secrets = [state, verifier, code, *self.secrets_of(draft).values()]
        self.assertClean(capture, secrets)
        self.assertTrue([t for t in capture.texts if "oauth/callback?..." in t])

    def test_begin(self):
        draft = self.make_draft()
        session = self.login(self.make_manager())
        with Capture() as capture:
            address = self.begin(session, draft)
        state = self.query(address)["state"].partition(".")[2]
        verifier = pending_consent(self.fresh(draft))["verifier"]
        self.assertClean(capture, [state, verifier, draft._secret("client_secret")])

    def test_typed_over_rpc(self):
        """Odoo logs calls at the level debug, their arguments and answers included."""
        execute = self.rpc(self.make_manager())
        session = self.login(self.make_manager("second"))
        key = self.emulator.service_account()
        typed = {
            "client_secret": "GOCSPX-typed",
            "service_account_json": json.dumps(key),
        }
        with Capture() as capture:
            execute("cloud_storage.auth", "write", self.auth.ids, typed)
            self.call(
                session,
                "/web/dataset/call_kw",
                {
                    "model": "cloud_storage.auth",
                    "method": "write",
                    "args": [self.auth.ids, typed],
                    "kwargs": {},
                },
            )
        lines = key["private_key"].split("\n")[1:-2]
        self.assertClean(capture, ["GOCSPX-typed", key["private_key_id"], *lines])

    def test_refresh_and_failure(self):
        secrets = [*self.secrets_of(self.auth).values()]
        with Capture() as capture:
            self.assertTrue(self.fresh(self.auth).refresh_access_token())
            secrets += self.secrets_of(self.auth).values()
            self.emulator.fault("token", times=-1, truncate=100)
            self.assertFalse(self.auth.refresh_access_token())
            self.emulator.clear_faults()
            self.emulator.fault("token", times=-1, status=503)
            self.assertFalse(self.fresh(self.auth).refresh_access_token())
            self.emulator.clear_faults()
            self.emulator.revoke_grants()
            self.env["cloud_storage.config"].action_force_refresh_tokens()
        self.assertEqual(self.fresh(self.auth).state, "error")
        self.assertClean(capture, secrets)

    def test_service_account(self):
        key = self.emulator.service_account()
        with Capture() as capture:
            account = self.env["cloud_storage.auth"].create(
                {
                    "name": "Service",
                    "auth_type": "service_account",
                    "service_account_json": json.dumps(key),
                }
            )
            self.cr.commit()
            account.action_test_connection()
        secrets = [self.secret(account, "access_token"), key["private_key_id"]]
        lines = key["private_key"].split("\n")[1:-2]
        self.assertClean(capture, secrets + lines)

    def test_sync_and_read(self):
        self.make_attachments(3)
        large = self.make_attachment(bytes(range(256)) * 4096 * 6, name="large.pdf")
        self.emulator.fault("files.upload.chunk", cut_after=1000)
        with Capture() as capture:
            self.assertEqual(self.sync()["synced"], 4)
            self.assertTrue(large.raw)
            self.auth.action_test_connection()
            self.auth.action_revoke()
        self.assertGreater(self.emulator.count("files.upload.chunk"), 1)
        # the address of an upload session is a secret as such
        self.assertClean(capture, ["upload_id=A", *self.known])

    def test_upload_that_fails(self):
        """What people read about a failure is as clean as the log."""
        large = self.make_attachment(bytes(range(256)) * 4096 * 6, name="large.pdf")
        self.emulator.fault("files.upload.chunk", times=-1, cut_after=1000)
        with Capture() as capture:
            self.sync()
        self.fresh(large)
        logs = self.env["cloud_storage.sync.log"].search([])
        runs = self.env["cloud_storage.sync.run"].search([])
        capture.texts += [*filter(None, logs.mapped("error_message"))]
        capture.texts += [*filter(None, runs.mapped("message"))]
        capture.texts += [large.cloud_error_message or ""]
        self.assertNotEqual(large.cloud_sync_status, "synced")
        session = self.env["cloud_storage.secret"]._get(large, "upload_session")
        secrets = [session.partition("upload_id=")[2]] if session else []
        self.assertClean(capture, ["upload_id=A", *secrets, *self.known])

    def test_statement_that_fails(self):
        """Odoo logs failed statements with their values."""
        with Capture() as capture, self.other_transaction() as env:
            self.auth.refresh_token = "1//0first"
            self.auth.flush()
            env.cr.execute("SET LOCAL lock_timeout = '100ms'")
            auth = env["cloud_storage.auth"].browse(self.auth.id)
            secret = env["cloud_storage.secret"]
            with self.assertRaises(LockNotAvailable):
                secret._set(auth, "refresh_token", "1//0second")
            env.cr.rollback()
        self.cr.rollback()
        capture.texts += ["filler"] * 11
        self.assertClean(capture, ["1//0first", "1//0second"])

    def test_tracebacks_and_messages(self):
        """What a failure shows, all its causes included, and what it leaves behind."""
        self.emulator.revoke_grants()
        self.auth.token_expiry = fields.Datetime.now()
        self.cr.commit()
        with self.assertRaises(UserError) as caught:
            self.auth._get_valid_token()
        text = "".join(
            traceback.TracebackException.from_exception(caught.exception).format()
        )
        text += self.fresh(self.auth).last_error
        for secret in self.known:
            self.assertNotIn(secret, text)

    def test_key_that_is_none(self):
        """A rejected key is not quoted."""
        key = dict(self.emulator.service_account(), private_key="-----BEGIN my secret")
        for text in (
            json.dumps(key),
            json.dumps(key)[:-9],
            json.dumps([key]),
            "my secret",
        ):
            with self.assertRaises(UserError) as caught:
                self.auth.service_account_json = text
            shown = traceback.TracebackException.from_exception(caught.exception)
            self.assertNotIn("my secret", "".join(shown.format()))
            self.cr.rollback()

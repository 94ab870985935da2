import json
from datetime import timedelta

from psycopg2.errors import SerializationFailure

from odoo import fields
from odoo.exceptions import UserError

from ..drive import oauth_transport
from ..drive.errors import TransientError
from ..engine.outbox.deliver import deliver
from .common_auth import AuthCase, environment
from .odoo_process import run_at_once

REFRESH = """
wait()
auth = env["cloud_storage.auth"].browse({auth_id})
report(bool({call}))
"""


class TokenCase(AuthCase):
    def set_life(self, **left):
        """How long the stored access token still lives, as far as Odoo knows."""
        self.fresh(self.auth)
        self.auth.token_expiry = fields.Datetime.now() + timedelta(**left)
        self.cr.commit()

    def token_requests(self):
        return self.emulator.count("token")


class TestRefresh(TokenCase):
    """Tokens are renewed in time, and only then."""

    def test_fresh_token_is_used(self):
        self.set_life(minutes=6)
        known = self.auth._secret("access_token")
        self.assertEqual(self.auth._get_valid_token(), known)
        self.assertEqual(self.token_requests(), 0)

    def test_refreshes_under_five_minutes(self):
        known = self.auth._secret("access_token")
        for left in ({"minutes": 4, "seconds": 50}, {"seconds": 1}, {"days": -3}):
            with self.subTest(**left):
                self.set_life(**left)
                self.emulator.clear_requests()
                token = self.auth._get_valid_token()
                self.assertNotEqual(token, known)
                self.assertEqual(self.secret(self.auth, "access_token"), token)
                self.assertEqual(self.auth._get_valid_token(), token)
                self.assertEqual(self.token_requests(), 1)
                known = token

    def test_refresh_token_is_kept(self):
        """Google's answer to a refresh has none."""
        known = self.auth._secret("refresh_token")
        self.assertTrue(self.auth.refresh_access_token())
        self.assertEqual(self.secret(self.auth, "refresh_token"), known)

    def test_caller_sees_the_result_in_its_old_snapshot(self):
        self.fresh(self.auth).state = "expired"
        self.set_life(days=-1)
        self.assertEqual(self.auth.state, "expired")  # the snapshot begins
        known = self.auth.access_token
        self.assertTrue(self.auth.refresh_access_token())
        self.assertEqual(self.auth.state, "authorized")
        self.assertGreater(self.auth.token_expiry, fields.Datetime.now())
        self.assertNotEqual(self.auth.access_token, known)
        self.assertTrue(self.auth.refresh_access_token())
        self.assertEqual(self.token_requests(), 2)

    def test_survives_rollback(self):
        self.set_life(seconds=1)
        token = self.auth._get_valid_token()
        self.cr.rollback()
        self.auth.invalidate_cache()
        self.assertEqual(self.auth._secret("access_token"), token)
        self.assertEqual(self.auth._get_valid_token(), token)
        self.assertEqual(self.token_requests(), 1)

    def test_uncommitted_account(self):
        account = self.make_account("second@example.com")
        self.assertTrue(account.refresh_access_token())
        self.assertEqual(self.token_requests(), 1)
        self.assertEqual(account.state, "authorized")

    def test_account_changed_in_a_savepoint(self):
        """No other transaction could lock it: the refresh must not wait for itself."""
        with self.cr.savepoint():
            self.auth.name = "Renamed"
        self.assertTrue(self.auth.refresh_access_token())
        self.cr.commit()
        self.assertEqual(self.auth.name, "Renamed")

    def test_account_referred_to_by_the_caller(self):
        """A foreign key locks the row, too, and must not block the refresh."""
        self.make_config(self.auth)
        self.env["cloud_storage.config"].flush()
        self.assertTrue(self.auth.refresh_access_token())

    def test_token_refused_by_drive_is_renewed(self):
        self.emulator.expire_tokens()  # though the stored expiry says otherwise
        about = self.auth._drive_client().about()
        self.assertEqual(about["user"]["emailAddress"], "admin@example.com")
        self.assertEqual(self.token_requests(), 1)

    def test_clock_skew(self):
        for skew in (60, -60):
            with self.subTest(skew=skew):
                self.emulator.set_clock(skew)
                self.emulator.set_token_life(3599)
                self.assertTrue(self.fresh(self.auth).refresh_access_token())
                client = self.fresh(self.auth)._drive_client()
                self.assertTrue(client.about()["user"])
                key = self.emulator.service_account()
                account = self.make_service_account(key)
                self.assertTrue(account.refresh_access_token())
        self.emulator.set_clock(0)

    def make_service_account(self, key, **vals):
        values = {
            "name": "Service",
            "auth_type": "service_account",
            "service_account_json": json.dumps(key),
        }
        account = self.env["cloud_storage.auth"].create(dict(values, **vals))
        self.cr.commit()
        return account

    def test_clock_skew_at_consent(self):
        """The consent's own ten minutes are counted by one clock only."""
        for skew in (60, -60):
            with self.subTest(skew=skew):
                self.emulator.set_clock(skew)
                draft = self.make_draft()
                session = self.login(self.make_manager())
                address = self.emulator.consent(self.begin(session, draft))
                self.assertEqual(self.follow(session, address).status_code, 200)
        self.emulator.set_clock(0)

    def test_service_account(self):
        account = self.make_service_account(self.emulator.service_account("bot@x.iam"))
        self.assertEqual(account.state, "draft")
        account.action_authorize()
        self.fresh(account)
        self.assertEqual(
            (account.state, account.account_email), ("authorized", "bot@x.iam")
        )

    def test_delegated_user(self):
        scope = "https://www.googleapis.com/auth/drive.file"
        key = self.emulator.service_account("bot@x.iam", delegation=[scope])
        account = self.make_service_account(key, delegated_user="boss@example.com")
        account.action_test_connection()
        self.assertEqual(self.fresh(account).account_email, "boss@example.com")

    def test_delegation_that_was_not_granted(self):
        key = self.emulator.service_account("bot@x.iam")
        account = self.make_service_account(key, delegated_user="boss@example.com")
        with self.assertRaisesRegex(UserError, "domain-wide delegation"):
            account.action_test_connection()
        self.assertEqual(self.fresh(account).state, "error")


class TestFailures(TokenCase):
    """What Google refuses needs a person; what only fails is tried again."""

    def test_invalid_grant(self):
        self.emulator.revoke_grants()
        self.set_life(seconds=1)
        self.assertFalse(self.auth.refresh_access_token())
        self.fresh(self.auth)
        self.assertEqual(self.auth.state, "error")
        for cause in ("revoked", "7 days", "Testing", "6 months", "Authorize again"):
            self.assertIn(cause, self.auth.last_error)
        with self.assertRaisesRegex(UserError, "usual causes"):
            self.auth._get_valid_token()

    def test_invalid_client(self):
        self.auth.client_secret = "GOCSPX-wrong"
        self.cr.commit()
        self.assertFalse(self.auth.refresh_access_token())
        self.assertEqual(self.fresh(self.auth).state, "error")
        self.assertIn("client secret", self.auth.last_error)

    def test_google_away_changes_no_state(self):
        faults = (
            {"status": 503},
            {"status": 502},
            {"status": 429},
            {"cut_after": 0},
            {"truncate": 20},
        )
        for state, what in zip(("authorized", "expired") * 3, faults):
            with self.subTest(**what):
                self.fresh(self.auth).state = state
                self.set_life(days=-1)
                self.emulator.fault("token", times=-1, **what)
                self.assertFalse(self.auth.refresh_access_token())
                with self.assertRaises(TransientError):
                    self.auth._get_valid_token()
                self.fresh(self.auth)
                self.assertEqual(self.auth.state, state)
                self.assertIn("could not be reached", self.auth.last_error)
                self.emulator.clear_faults()
                self.assertTrue(self.auth._get_valid_token())
                self.fresh(self.auth)
                self.assertEqual(
                    (self.auth.state, self.auth.last_error), ("authorized", False)
                )

    def test_timeout(self):
        self.addCleanup(setattr, oauth_transport, "TIMEOUT", oauth_transport.TIMEOUT)
        oauth_transport.TIMEOUT = 0.2
        self.set_life(days=-1)
        self.emulator.fault("token", times=-1, delay_ms=2000)
        self.assertFalse(self.auth.refresh_access_token())
        self.assertEqual(self.fresh(self.auth).state, "authorized")

    def test_no_network(self):
        parameters = self.env["ir.config_parameter"]
        parameters.set_param(
            "cloud_storage.google_token_uri", "http://127.0.0.1:9/token"
        )
        self.set_life(days=-1)
        self.assertFalse(self.auth.refresh_access_token())
        self.assertEqual(self.fresh(self.auth).state, "authorized")
        self.assertIn("could not be reached", self.auth.last_error)

    def test_not_authorized_yet(self):
        draft = self.make_draft()
        with self.assertRaisesRegex(UserError, "not authorized yet"):
            draft._get_valid_token()
        self.assertFalse(draft.refresh_access_token())
        self.assertEqual(self.fresh(draft).state, "draft")

    def test_expired_when_nothing_can_renew_it(self):
        self.auth.refresh_token = False
        self.set_life(minutes=-1)
        self.assertFalse(self.auth.refresh_access_token())
        self.assertEqual(self.fresh(self.auth).state, "expired")

    def test_expired_is_noticed_and_mended(self):
        self.set_life(minutes=-1)
        self.auth.action_check_token_status()
        self.assertEqual(self.fresh(self.auth).state, "expired")
        self.auth.action_refresh_token()
        self.assertEqual(self.fresh(self.auth).state, "authorized")

    def test_consent_mends_an_error(self):
        self.auth.redirect_uri = self.redirect_uri
        self.auth.write({"state": "error", "last_error": "gone"})
        session = self.login(self.make_manager())
        address = self.emulator.consent(self.begin(session, self.auth))
        self.assertEqual(self.fresh(self.auth).state, "pending")
        self.follow(session, address)
        self.fresh(self.auth)
        self.assertEqual((self.auth.state, self.auth.last_error), ("authorized", False))


class TestCron(TokenCase):
    """Every account gets its turn."""

    def setUp(self):
        super().setUp()
        self.second = self.make_account("second@example.com")
        self.third = self.make_account("third@example.com")
        self.accounts = self.auth | self.second | self.third
        self.cr.commit()

    def expire(self):
        self.fresh(self.accounts).write(
            {"token_expiry": fields.Datetime.now() - timedelta(hours=1)}
        )
        self.cr.commit()
        self.emulator.clear_requests()

    def test_one_failure_stops_no_other(self):
        self.auth.client_secret = "GOCSPX-wrong"  # refused
        self.second.service_account_json = False
        self.expire()
        # what no code foresees: a column that holds no secret of any kind
        secrets = self.env["cloud_storage.secret"]
        secrets._set(self.second, "refresh_token", "x")
        self.cr.execute(
            "UPDATE cloud_storage_secret SET value = NULL"
            " WHERE res_id = %s AND name = 'refresh_token'",
            (self.second.id,),
        )
        self.cr.commit()
        cron = self.env.ref("cloud_storage.cron_token_refresh")
        cron.method_direct_trigger()
        self.fresh(self.accounts)
        self.assertEqual(self.auth.state, "error")
        self.assertEqual(self.second.state, "authorized")
        self.assertGreater(self.third.token_expiry, fields.Datetime.now())

    def test_check_leaves_fresh_tokens_alone(self):
        config = self.env["cloud_storage.config"]
        config.action_check_and_refresh_tokens()
        self.assertEqual(self.token_requests(), 0)
        config.action_force_refresh_tokens()
        self.assertEqual(self.token_requests(), 3)

    def test_check_renews_what_ran_out(self):
        self.expire()
        self.env["cloud_storage.config"].action_check_and_refresh_tokens()
        self.assertEqual(self.token_requests(), 3)
        self.fresh(self.accounts)
        self.assertEqual(set(self.accounts.mapped("state")), {"authorized"})


class TestWorkers(TokenCase):
    """Two Odoo processes, one account."""

    def run_at_once(self, call):
        code = REFRESH.format(auth_id=self.auth.id, call=call)
        self.emulator.clear_requests()
        self.emulator.fault("token", times=-1, delay_ms=700)  # so that they overlap
        self.assertEqual(run_at_once(code), [True, True])
        self.assertEqual(self.token_requests(), 1)

    def test_both_need_a_token(self):
        self.set_life(seconds=1)
        known = self.auth._secret("access_token")
        self.run_at_once("auth._get_valid_token()")
        self.assertNotEqual(self.secret(self.auth, "access_token"), known)

    def test_both_are_told_to_refresh(self):
        self.run_at_once("auth.refresh_access_token()")

    def test_change_by_another_is_no_lost_update(self):
        """A caller that saw an older account is told so by PostgreSQL, as always."""
        self.assertTrue(self.auth.name)
        with self.other_transaction() as env:
            env["cloud_storage.auth"].browse(self.auth.id).refresh_access_token()
        self.assertTrue(self.auth._get_valid_token())

        def rename():
            self.auth.name = "Renamed"
            self.auth.flush()

        self.assertRaises(SerializationFailure, rename)
        self.cr.rollback()


class TestKillSwitch(TokenCase):
    """Nothing leaves a server that is switched off, whatever is asked for."""

    def test_no_call_at_all(self):
        self.set_life(days=-1)
        session = self.login(self.make_manager())
        self.make_attachment()
        self.cr.commit()
        self.emulator.clear_requests()
        calls = [
            self.auth._get_valid_token,
            self.auth._drive_client,
            self.auth.get_auth_url,
            self.auth.action_authorize,
            self.auth.action_test_connection,
            self.auth.action_revoke,
            lambda: self.auth.exchange_code_for_token("4/0code"),
            lambda: self.env["cloud_storage.sync.service"].manual_sync(self.config.id),
        ]
        for value in ("1", "true", "yes", "on"):
            with environment(CLOUD_STORAGE_DISABLED=value):
                for call in calls:
                    with self.subTest(value=value, call=call):
                        with self.assertRaisesRegex(UserError, "switched off"):
                            call()
                        self.fresh(self.auth)
                self.assertFalse(self.auth.refresh_access_token())
                self.env["cloud_storage.config"].action_force_refresh_tokens()
                self.env["cloud_storage.sync.service"].automatic_sync()
                self.env["cloud_storage.sync.service"].reconcile_cloud_references(10)
                self.call_method(session, self.auth, "action_check_token_status")
                self.assertEqual(self.fresh(self.auth).health, "disabled")
        self.assertEqual(self.emulator.count(), 0, self.emulator.requests())
        self.assertIn(self.fresh(self.auth).state, ("authorized", "expired"))

    def test_zero_is_off(self):
        for value in ("0", "false", ""):
            with environment(CLOUD_STORAGE_DISABLED=value):
                self.assertTrue(self.fresh(self.auth)._drive_client().about())


class TestCopiedDatabase(TokenCase):
    """A restored copy reads, and changes nothing until a manager says so."""

    def setUp(self):
        super().setUp()
        self.auth.database_uuid = "11111111-of-the-original"
        self.attachment = self.make_attachment(b"content")
        self.cr.commit()
        self.emulator.clear_requests()

    def changes(self):
        return [
            r
            for r in self.emulator.requests()
            if r["method"] != "GET" and r["route"] != "token"
        ]

    def test_no_write_until_confirmed(self):
        self.assertEqual(self.auth.health, "copy")
        with self.assertRaisesRegex(UserError, "looks like a copy"):
            self.sync()
        with self.assertRaisesRegex(UserError, "looks like a copy"):
            self.auth._drive_client(write=True)
        self.assertTrue(self.auth._drive_client().about())
        self.assertFalse(self.changes())
        self.auth.action_confirm_database()
        self.assertEqual(self.auth.health, "authorized")
        self.assertEqual(self.sync()["synced"], 1)

    def test_no_delete_until_confirmed(self):
        file_id = self.emulator.put_file("x", b"x", client_id=self.auth.client_id)
        self.attachment.write({"cloud_file_id": file_id, "cloud_auth_id": self.auth.id})
        self.cr.commit()
        self.attachment.unlink()
        self.cr.commit()
        deliver(self.env)
        self.assertFalse(self.drive_file(file_id)["trashed"])
        self.assertFalse(self.changes())

    def test_refresh_does_not_confirm(self):
        self.assertTrue(self.auth.refresh_access_token())
        self.assertEqual(self.fresh(self.auth).health, "copy")

    def test_revoking_a_copy_leaves_the_original_alone(self):
        self.auth.action_revoke()
        self.assertEqual(self.emulator.count("revoke"), 0)
        self.fresh(self.auth)
        self.assertFalse(self.auth.token_set)
        self.assertEqual(self.auth.database_uuid, "11111111-of-the-original")

    def test_consent_is_no_confirmation(self):
        """Whoever tries a copy out logs in as well: the original's files stay safe."""
        self.auth.redirect_uri = self.redirect_uri
        session = self.login(self.make_manager())
        address = self.emulator.consent(self.begin(session, self.auth))
        self.assertEqual(self.follow(session, address).status_code, 200)
        self.assertEqual(self.fresh(self.auth).health, "copy")
        with self.assertRaisesRegex(UserError, "looks like a copy"):
            self.auth._drive_client(write=True)

    def test_a_user_can_not_confirm(self):
        execute = self.rpc(
            self.make_user("user", "cloud_storage.group_cloud_storage_user")
        )
        with self.assertRaisesRegex(Exception, "Only managers"):
            execute("cloud_storage.auth", "action_confirm_database", self.auth.ids)

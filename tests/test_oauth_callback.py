import json
import time
from urllib.parse import parse_qs, urlsplit

from lxml import html

from ..engine.account.consent import pending_consent
from .common_auth import CALLBACK, AuthCase, environment

SCRIPT = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
ANYTHING = (
    "code",
    "state",
    "error",
    "scope",
    "error_description",
    "authuser",
    "hd",
    SCRIPT,
)
DRIVE_FILE = "https://www.googleapis.com/auth/drive.file"


class CallbackCase(AuthCase):
    def setUp(self):
        super().setUp()
        self.draft = self.make_draft()
        self.manager = self.make_manager()
        self.session = self.login(self.manager)

    def assertRefused(self, answer, status, words):
        """A friendly page that says why, and nothing was stored."""
        self.assertEqual(answer.status_code, status)
        page = html.fromstring(answer.text)
        text = " ".join(page.text_content().split())
        self.assertIn("Google Drive was not connected", text)
        self.assertIn(words, text)
        self.assertTrue(page.xpath("//a[starts-with(@href, '/web')]"))
        self.assertSafe(answer)
        self.assertNothingStored()

    def assertSafe(self, answer):
        self.assertNotIn("<script", answer.text)
        self.assertNotIn("onerror", answer.text)
        self.assertIn("default-src 'none'", answer.headers["Content-Security-Policy"])
        self.assertEqual(answer.headers["Referrer-Policy"], "no-referrer")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")

    def assertNothingStored(self):
        self.fresh(self.draft)
        self.assertFalse(self.draft._secret("access_token"))
        self.assertFalse(self.draft._secret("refresh_token"))
        self.assertFalse(self.draft.token_expiry)
        self.assertIn(self.draft.state, ("draft", "pending"))


class TestConsent(CallbackCase):
    """From the button to tokens, through Google's page and back."""

    def test_address_asks_for_what_is_needed(self):
        address = self.begin(self.session, self.draft)
        asked = self.query(address)
        self.assertTrue(address.startswith(self.emulator.url + "/o/oauth2/v2/auth?"))
        self.assertEqual(asked["access_type"], "offline")
        self.assertEqual(asked["prompt"], "consent")
        self.assertEqual(asked["scope"], DRIVE_FILE)
        self.assertEqual(asked["response_type"], "code")
        self.assertEqual(asked["redirect_uri"], self.redirect_uri)
        self.assertEqual(asked["code_challenge_method"], "S256")
        self.assertEqual(len(asked["code_challenge"]), 43)
        head, _dot, secret = asked["state"].partition(".")
        self.assertEqual(head, "auth_%d" % self.draft.id)
        self.assertGreaterEqual(len(secret), 43)
        self.assertNotIn(self.draft._secret("client_secret"), address)

    def test_consent_ends_at_the_form(self):
        address = self.begin(self.session, self.draft)
        self.assertEqual(self.fresh(self.draft).state, "pending")
        answer = self.follow(self.session, self.emulator.consent(address))
        self.assertEqual(answer.status_code, 200)
        page = html.fromstring(answer.text)
        form = "/web#id=%d&model=cloud_storage.auth&view_type=form" % self.draft.id
        self.assertEqual(page.xpath("//a/@href"), [form])
        self.assertTrue(
            page.xpath("//meta[@http-equiv='refresh']/@content")[0].endswith(form)
        )
        self.assertIn("admin@example.com", page.text_content())
        self.assertSafe(answer)
        self.fresh(self.draft)
        self.assertEqual(self.draft.state, "authorized")
        self.assertEqual(self.draft.account_email, "admin@example.com")
        self.assertTrue(self.draft._secret("refresh_token"))
        self.assertEqual(
            self.draft._drive_client().about()["user"]["emailAddress"],
            "admin@example.com",
        )

    def test_state_is_another_each_time(self):
        states = {
            self.query(self.begin(self.session, self.draft))["state"] for _i in "123"
        }
        self.assertEqual(len(states), 3)

    def test_name_of_the_account_is_escaped(self):
        self.draft.name = SCRIPT
        address = self.begin(self.session, self.draft)
        answer = self.follow(self.session, self.emulator.consent(address))
        self.assertEqual(answer.status_code, 200)
        self.assertNotIn("<script", answer.text)
        self.assertNotIn("<img", answer.text)

    def test_login_page_for_who_is_not_logged_in(self):
        address = self.emulator.consent(self.begin(self.session, self.draft))
        self.session.cookies.clear()
        answer = self.follow(self.session, address)
        self.assertIn(answer.status_code, (302, 303))
        self.assertIn("/web/login", answer.headers["Location"])
        self.assertNothingStored()


class TestRefusals(CallbackCase):
    """Everything that is not the one good answer."""

    def test_wrong_states(self):
        good = self.query(self.begin(self.session, self.draft))["state"]
        nonce = good.partition(".")[2]
        other = self.make_draft()
        states = [
            None,
            "",
            "auth_%d" % self.draft.id,
            "auth_%d." % self.draft.id,
            "auth_%d.wrong" % self.draft.id,
            "auth_%d.%s" % (other.id, nonce),
            "auth_999999999.%s" % nonce,
            "auth_99999999999999999999.%s" % nonce,
            "auth_-1.%s" % nonce,
            "auth_٣.%s" % nonce,
            "auth_.%s" % nonce,
            "account_%d.%s" % (self.draft.id, nonce),
            good + "x",
            "auth_%d.%s" % (self.draft.id, "é€\x00"),
            SCRIPT,
        ]
        for state in states:
            with self.subTest(state=state):
                params = {} if state is None else {"state": state}
                answer = self.callback(self.session, code="4/0code", **params)
                self.assertRefused(answer, 400, "works once, for ten minutes")
        self.assertFalse(self.emulator.count("token"))

    def test_guesses_do_not_use_the_state_up(self):
        address = self.emulator.consent(self.begin(self.session, self.draft))
        self.callback(self.session, code="x", state="auth_%d.guess" % self.draft.id)
        self.assertEqual(self.follow(self.session, address).status_code, 200)

    def test_replay(self):
        address = self.emulator.consent(self.begin(self.session, self.draft))
        self.assertEqual(self.follow(self.session, address).status_code, 200)
        before = self.secrets_of(self.draft)
        tokens = self.emulator.count("token")
        answer = self.follow(self.session, address)
        self.assertEqual(answer.status_code, 400)
        self.assertIn("works once", answer.text)
        self.assertEqual(self.secrets_of(self.draft), before)
        self.assertEqual(self.draft.state, "authorized")
        self.assertEqual(self.emulator.count("token"), tokens)

    def test_only_the_latest_consent_counts(self):
        first = self.emulator.consent(self.begin(self.session, self.draft))
        second = self.emulator.consent(self.begin(self.session, self.draft))
        self.assertRefused(self.follow(self.session, first), 400, "works once")
        self.assertEqual(self.follow(self.session, second).status_code, 200)

    def test_other_session_of_the_same_person(self):
        address = self.emulator.consent(self.begin(self.session, self.draft))
        answer = self.follow(self.login(self.manager), address)
        self.assertRefused(answer, 400, "in the browser session that started it")
        self.assertEqual(self.follow(self.session, address).status_code, 200)

    def test_other_person(self):
        address = self.emulator.consent(self.begin(self.session, self.draft))
        answer = self.follow(self.login(self.make_manager("second")), address)
        self.assertRefused(answer, 400, "in the browser session that started it")

    def test_begun_over_rpc_ends_in_any_session_of_that_person(self):
        execute = self.rpc(self.manager)
        address = execute("cloud_storage.auth", "get_auth_url", self.draft.ids)
        address = self.emulator.consent(address)
        stranger = self.login(self.make_manager("second"))
        self.assertRefused(self.follow(stranger, address), 400, "works once")
        self.assertEqual(self.follow(self.session, address).status_code, 200)

    def test_expired_state(self):
        address = self.emulator.consent(self.begin(self.session, self.draft))
        self.change_pending(expires=time.time() - 1)
        self.assertRefused(self.follow(self.session, address), 400, "for ten minutes")
        self.assertFalse(self.emulator.count("token"))

    def test_state_lives_ten_minutes(self):
        self.begin(self.session, self.draft)
        left = pending_consent(self.fresh(self.draft))["expires"] - time.time()
        self.assertTrue(500 < left <= 600, left)

    def change_pending(self, **values):
        pending = dict(pending_consent(self.fresh(self.draft)), **values)
        secret = self.env["cloud_storage.secret"]
        secret._set(self.draft, "oauth_state", json.dumps(pending))
        self.cr.commit()

    def test_pkce_mismatch(self):
        address = self.emulator.consent(self.begin(self.session, self.draft))
        self.change_pending(verifier="w" * 64)
        answer = self.follow(self.session, address)
        self.assertRefused(answer, 400, "belongs to another authorization")
        self.assertEqual(self.emulator.count("token"), 1)

    def test_code_of_another_consent(self):
        """Code injection: a stolen code does not fit the verifier of this session."""
        stolen = self.query(self.emulator.consent(self.begin(self.session, self.draft)))
        state = self.query(self.begin(self.session, self.draft))["state"]
        answer = self.callback(self.session, code=stolen["code"], state=state)
        self.assertRefused(answer, 400, "belongs to another authorization")

    def test_declined(self):
        address = self.begin(self.session, self.draft)
        answer = self.follow(
            self.session, self.emulator.consent(address, approve=False)
        )
        self.assertRefused(answer, 403, "Access to Google Drive was declined")
        self.assertEqual(self.fresh(self.draft).state, "pending")
        # the state is used up, whatever came with it
        code = self.query(self.emulator.consent(address))["code"]
        state = self.query(address)["state"]
        answer = self.callback(self.session, state=state, code=code)
        self.assertRefused(answer, 400, "works once")
        self.assertFalse(self.emulator.count("token"))

    def test_declined_with_scripts_everywhere(self):
        for error in ("access_denied", SCRIPT):
            with self.subTest(error=error):
                state = self.query(self.begin(self.session, self.draft))["state"]
                params = dict(dict.fromkeys(ANYTHING, SCRIPT), error=error, state=state)
                answer = self.callback(self.session, **params)
                status = 403 if error == "access_denied" else 400
                self.assertRefused(answer, status, "authoriz")
        params = dict(dict.fromkeys(ANYTHING, SCRIPT), error="access_denied")
        self.assertRefused(self.callback(self.session, **params), 400, "works once")

    def test_no_code(self):
        for params in ({}, {"code": ""}):
            state = self.query(self.begin(self.session, self.draft))["state"]
            answer = self.callback(self.session, state=state, **params)
            self.assertRefused(answer, 400, "Google sent no code")

    def test_bad_code(self):
        state = self.query(self.begin(self.session, self.draft))["state"]
        answer = self.callback(self.session, state=state, code=SCRIPT)
        self.assertRefused(answer, 400, "Google did not accept the code")

    def test_no_refresh_token(self):
        address = self.begin(self.session, self.draft)
        self.emulator.consent(address)  # the first consent of this person
        online = address.replace("access_type=offline", "access_type=online")
        answer = self.follow(self.session, self.emulator.consent(online))
        self.assertRefused(answer, 400, "gave no refresh token. Remove the access")

    def test_unticked_scope(self):
        address = self.begin(self.session, self.draft)
        more = address.replace("drive.file", "drive.file+openid")
        answer = self.follow(
            self.session, self.emulator.consent(more, scopes=["openid"])
        )
        self.assertRefused(answer, 400, "leave the box for Google Drive ticked")

    def test_more_scopes_than_asked(self):
        address = self.begin(self.session, self.draft)
        more = address.replace("drive.file", "drive.file+openid")
        answer = self.follow(self.session, self.emulator.consent(more))
        self.assertEqual(answer.status_code, 200)

    def test_wrong_redirect_uri(self):
        """The account's address was changed while the person was at Google."""
        address = self.emulator.consent(self.begin(self.session, self.draft))
        self.fresh(self.draft).redirect_uri = "https://example.com" + CALLBACK
        self.cr.commit()
        answer = self.follow(self.session, address)
        self.assertRefused(answer, 400, "Google does not know this redirect URI. Enter")

    def test_wrong_client_secret(self):
        address = self.emulator.consent(self.begin(self.session, self.draft))
        self.fresh(self.draft).client_secret = "GOCSPX-wrong"
        self.cr.commit()
        answer = self.follow(self.session, address)
        self.assertRefused(answer, 400, "Compare client ID and client secret")

    def test_google_is_away(self):
        for what in ({"status": 503}, {"cut_after": 0}):
            with self.subTest(**what):
                address = self.emulator.consent(self.begin(self.session, self.draft))
                self.emulator.fault("token", times=-1, **what)
                answer = self.follow(self.session, address)
                self.emulator.clear_faults()
                self.assertRefused(answer, 503, "Google could not be reached")

    def test_a_working_account_survives_a_failed_consent(self):
        self.auth.redirect_uri = self.redirect_uri
        before = self.secrets_of(self.auth)
        address = self.begin(self.session, self.auth)
        self.follow(self.session, self.emulator.consent(address, approve=False))
        state = self.query(self.begin(self.session, self.auth))["state"]
        self.callback(self.session, state=state, code="4/0wrong")
        self.assertEqual(self.secrets_of(self.auth), before)
        self.assertEqual(self.auth.state, "authorized")


class TestIdentity(CallbackCase):
    """An account stays the Drive of one person while files of ours are there."""

    def consent(self, email):
        address = self.begin(self.session, self.draft)
        return self.follow(self.session, self.emulator.consent(address, email=email))

    def put_a_file(self):
        attachment = self.make_attachment()
        attachment.write({"cloud_file_id": "there", "cloud_auth_id": self.draft.id})
        self.cr.commit()
        return attachment

    def test_another_person_is_refused(self):
        self.assertEqual(self.consent("admin@example.com").status_code, 200)
        self.put_a_file()
        before = self.secrets_of(self.draft)
        answer = self.consent("other@example.com")
        self.assertEqual(answer.status_code, 400)
        self.assertIn("other@example.com", html.fromstring(answer.text).text_content())
        self.assertSafe(answer)
        self.assertEqual(self.secrets_of(self.draft), before)
        self.assertEqual(self.draft.account_email, "admin@example.com")
        self.assertEqual(self.consent("admin@example.com").status_code, 200)

    def test_without_files_anybody_may(self):
        self.consent("admin@example.com")
        self.assertEqual(self.consent("other@example.com").status_code, 200)
        self.assertEqual(self.fresh(self.draft).account_email, "other@example.com")

    def test_shared_drive_is_nobodys(self):
        self.consent("admin@example.com")
        self.put_a_file()
        self.draft.shared_drive_id = "shared"
        self.cr.commit()
        self.assertEqual(self.consent("other@example.com").status_code, 200)

    def test_consent_confirms_no_copy(self):
        """A copied database may write once a manager said so, not by a consent."""
        self.consent("admin@example.com")
        self.assertEqual(self.fresh(self.draft).health, "authorized")
        self.draft.database_uuid = "another database's"
        self.cr.commit()
        self.assertEqual(self.consent("admin@example.com").status_code, 200)
        self.assertEqual(self.fresh(self.draft).health, "copy")
        self.draft.action_confirm_database()
        self.assertEqual(self.fresh(self.draft).health, "authorized")


class TestWhoMay(CallbackCase):
    """Callback and buttons are for managers."""

    def test_callback_for_managers_only(self):
        address = self.emulator.consent(self.begin(self.session, self.draft))
        for groups in (
            "base.group_portal",
            "base.group_user",
            "cloud_storage.group_cloud_storage_user",
        ):
            with self.subTest(groups):
                session = self.login(self.make_user("other", groups))
                answer = self.follow(session, address)
                self.assertRefused(answer, 403, "Only managers of Cloud Storage")
        self.assertEqual(self.follow(self.session, address).status_code, 200)

    def test_post_is_no_way_in(self):
        address = urlsplit(self.emulator.consent(self.begin(self.session, self.draft)))
        data = {k: v[0] for k, v in parse_qs(address.query).items()}
        answer = self.session.post(self.redirect_uri, data=data, timeout=60)
        self.assertIn(answer.status_code, (400, 404, 405))
        self.assertNothingStored()

    def test_kill_switch(self):
        address = self.emulator.consent(self.begin(self.session, self.draft))
        self.emulator.clear_requests()
        with environment(CLOUD_STORAGE_DISABLED="1"):
            answer = self.follow(self.session, address)
        self.assertRefused(answer, 400, "switched off on this server")
        self.assertEqual(self.emulator.count(), 0)

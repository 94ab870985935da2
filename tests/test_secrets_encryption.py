import base64
import json

from cryptography.fernet import Fernet

from odoo.exceptions import UserError, ValidationError
from odoo.tools import config

from .common_auth import AuthCase, environment


def keys(*some):
    """The environment with these encryption keys."""
    return environment(CLOUD_STORAGE_ENCRYPTION_KEY=",".join(some) or None)


class TestEncryption(AuthCase):
    """Secrets at rest."""

    def setUp(self):
        super().setUp()
        self.old, self.new = (Fernet.generate_key().decode() for _i in range(2))
        self.plain = self.secrets_of(self.auth)

    def at_rest(self):
        self.cr.commit()
        self.cr.execute("SELECT value FROM cloud_storage_secret")
        return [row[0] for row in self.cr.fetchall()]

    def assertOpens(self):
        self.assertEqual(self.secrets_of(self.auth), self.plain)

    def assertEncrypted(self):
        values = self.at_rest()
        self.assertTrue(values)
        for value in values:
            self.assertTrue(value.startswith("fernet:"))
            for secret in self.plain.values():
                self.assertNotIn(secret, value)

    def restart(self):
        """What a start of Odoo does."""
        self.env["cloud_storage.secret"]._register_hook()
        self.cr.commit()

    def test_nothing_in_other_columns(self):
        """No table of the whole database holds a secret in plain text."""
        with keys(self.new):
            self.restart()
        self.cr.execute(
            "SELECT c.table_name, c.column_name FROM information_schema.columns c"
            " JOIN information_schema.tables t USING (table_schema, table_name)"
            " WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            " AND data_type IN ('text', 'character varying')"
        )
        for table, column in self.cr.fetchall():
            query = 'SELECT 1 FROM "%s" WHERE "%s" = ANY(%%s) LIMIT 1' % (table, column)
            self.cr.execute(query, (list(self.plain.values()),))
            self.assertFalse(self.cr.fetchone(), "%s.%s" % (table, column))

    def test_switching_on_encrypts_what_is_there(self):
        self.assertTrue(all(v.startswith("plain:") for v in self.at_rest()))
        with keys(self.new):
            self.assertOpens()
            self.restart()
            self.assertEncrypted()
            self.assertOpens()

    def test_new_secrets_are_encrypted(self):
        with keys(self.new):
            self.auth.refresh_access_token()
            self.plain = self.secrets_of(self.auth)
            self.restart()
            self.assertEncrypted()
            self.assertTrue(self.auth._drive_client().about())

    def test_key_in_odoo_conf(self):
        option = "cloud_storage_encryption_key"
        self.addCleanup(config.options.pop, option, None)
        config.options[option] = self.new
        self.restart()
        self.assertEncrypted()
        self.assertOpens()

    def test_rotation(self):
        with keys(self.old):
            self.restart()
            under_old = self.at_rest()
        with keys(self.new, self.old):
            self.assertOpens()
            self.restart()
            self.assertEncrypted()
            self.assertFalse(set(under_old) & set(self.at_rest()))
            again = self.at_rest()
            self.restart()
            self.assertEqual(self.at_rest(), again)
        with keys(self.new):
            self.assertOpens()

    def test_lost_key(self):
        with keys(self.old):
            self.restart()
        for left in (keys(self.new), keys()):
            with left:
                self.restart()
                self.fresh(self.auth)
                self.assertEqual(self.auth.health, "key_lost")
                self.assertTrue(self.auth.client_secret_set)
                self.assertFalse(self.auth.access_token)
                self.assertTrue(self.auth.read())
                with self.assertRaisesRegex(
                    UserError, "Put the key back into odoo.conf"
                ):
                    self.auth._get_valid_token()
                self.fresh(self.auth)
                self.assertEqual(self.auth.state, "error")
                self.assertIn("Put the key back", self.auth.last_error)
                with self.assertRaisesRegex(UserError, "Put the key back"):
                    self.auth.action_test_connection()
        with keys(self.old):  # and everything is as it was
            self.assertOpens()
            self.assertTrue(self.fresh(self.auth)._get_valid_token())
            self.assertTrue(self.auth.refresh_access_token())
            self.assertEqual(self.fresh(self.auth).health, "authorized")

    def test_lost_key_and_new_secrets(self):
        with keys(self.old):
            self.restart()
        with keys(self.new):
            session = self.login(self.make_manager())
            grant = self.emulator.grant()
            self.auth.write(
                {
                    "redirect_uri": self.redirect_uri,
                    "client_id": grant["client_id"],
                    "client_secret": grant["client_secret"],
                }
            )
            self.cr.commit()
            address = self.emulator.consent(self.begin(session, self.auth))
            self.assertEqual(self.follow(session, address).status_code, 200)
            self.assertEqual(self.fresh(self.auth).health, "authorized")

    def test_key_that_is_none(self):
        with keys("not a key"):
            self.restart()  # Odoo starts all the same
            self.assertEqual(self.fresh(self.auth).health, "key_lost")
            with self.assertRaisesRegex(UserError, "not a Fernet key"):
                self.auth._get_valid_token()
            self.cr.rollback()
            with self.assertRaisesRegex(UserError, "not a Fernet key"):
                self.auth.client_secret = "never stored in plain"
            self.cr.rollback()
        self.assertOpens()


class TestTypedSecrets(AuthCase):
    """What managers enter, and what comes from the environment."""

    def values(self, **vals):
        return dict({"name": "Service", "auth_type": "service_account"}, **vals)

    def test_key_is_validated_at_once(self):
        good = self.emulator.service_account()
        bad = {
            "not JSON": "{",
            "another kind": json.dumps(dict(good, type="authorized_user")),
            "a list": json.dumps([good]),
            "no key": json.dumps(dict(good, private_key="")),
            "a broken key": json.dumps(dict(good, private_key="x")),
            "no address": json.dumps(
                {k: v for k, v in good.items() if k != "client_email"}
            ),
        }
        accounts = self.env["cloud_storage.auth"]
        for name, text in bad.items():
            uploaded = base64.b64encode(text.encode())
            for values in (
                {"service_account_json": text},
                {"service_account_file": uploaded},
            ):
                with self.subTest(name, field=list(values)):
                    with self.assertRaisesRegex(ValidationError, "whole JSON file"):
                        accounts.create(self.values(**values))
                    self.cr.rollback()
        for raw in (b"\xff\xfe\x00", b"PK\x03\x04"):
            uploaded = base64.b64encode(raw)
            with self.assertRaises(ValidationError):
                accounts.create(self.values(service_account_file=uploaded))
            self.cr.rollback()

    def test_key_is_uploaded_or_pasted(self):
        """As the form sends it: the empty way in is there, too."""
        text = json.dumps(self.emulator.service_account())
        uploaded = base64.b64encode(text.encode("utf-8-sig")).decode()
        manager = self.make_manager()
        accounts = self.env["cloud_storage.auth"].with_user(manager)
        for values in (
            {"service_account_json": text, "service_account_file": False},
            {"service_account_json": False, "service_account_file": uploaded},
        ):
            account = accounts.create(self.values(**values))
            self.cr.commit()
            self.assertTrue(account.service_account_set)
            self.assertFalse(
                account.service_account_json or account.service_account_file
            )
            account.action_authorize()
            self.assertEqual(self.fresh(account).state, "authorized")
            account.write({"service_account_file": uploaded})
            self.assertEqual(account.state, "draft")  # another key, another grant

    def test_new_credentials_void_the_grant(self):
        account = self.auth.with_user(self.make_manager())
        account.write({"name": "Renamed", "client_id": account.client_id})
        self.assertEqual(account.state, "authorized")
        account.write({"client_secret": "GOCSPX-other"})
        self.assertEqual((account.state, account.token_set), ("draft", False))
        self.assertFalse(self.auth._secret("refresh_token"))

    def test_copy_has_no_secret(self):
        copy = self.auth.copy()
        self.cr.commit()
        self.assertEqual(copy.state, "draft")
        for name in ("client_secret", "access_token", "refresh_token"):
            self.assertFalse(copy._secret(name))
        self.assertFalse(copy.client_id or copy.account_email or copy.token_expiry)
        self.assertEqual(copy.scope, self.auth.scope)

    def test_deleted_account_leaves_no_secret(self):
        self.env["cloud_storage.config"].search([]).unlink()
        self.auth.unlink()
        self.cr.execute("SELECT count(*) FROM cloud_storage_secret")
        self.assertEqual(self.cr.fetchone()[0], 0)

    def test_values_from_the_environment(self):
        client = self.emulator.client([self.redirect_uri])
        account = self.env["cloud_storage.auth"].create(
            {"name": "Twelve", "redirect_uri": self.redirect_uri}
        )
        session = self.login(self.make_manager())
        variables = {"CLOUD_STORAGE_%s" % k.upper(): v for k, v in client.items()}
        with environment(**{k: v for k, v in variables.items() if isinstance(v, str)}):
            self.assertTrue(self.fresh(account).client_secret_set)
            address = self.emulator.consent(self.begin(session, account))
            self.assertEqual(self.follow(session, address).status_code, 200)
            self.assertTrue(self.fresh(account).refresh_access_token())
        self.assertFalse(self.fresh(account).client_secret_set)

    def test_key_from_odoo_conf(self):
        option = "cloud_storage_service_account_json"
        self.addCleanup(config.options.pop, option, None)
        config.options[option] = json.dumps(self.emulator.service_account("bot@x.iam"))
        account = self.env["cloud_storage.auth"].create(self.values())
        self.cr.commit()
        account.action_test_connection()
        self.assertEqual(self.fresh(account).account_email, "bot@x.iam")
        self.cr.execute(
            "SELECT name FROM cloud_storage_secret WHERE res_id = %s", (account.id,)
        )
        self.assertEqual(self.cr.fetchall(), [("access_token",)])

"""A manager of Cloud Storage who is not in Settings gains nothing over people's Drives."""
import json
import xmlrpc.client

from odoo.exceptions import AccessError

from .common_auth import AuthCase, environment

ACCOUNT = "cloud_storage.auth"


class RightsCase(AuthCase):
    def setUp(self):
        super().setUp()
        self.manager = self.make_manager()
        self.settings = self.make_user("settings", "base.group_system")
        self.key = self.key_of("bot@x.iam")
        self.service = self.make_service_account()

    def key_of(self, email):
        scopes = ["drive", "drive.file"]
        return json.dumps(self.emulator.service_account(email, delegation=scopes))

    def make_service_account(self, **vals):
        """A service account that somebody of Settings set up."""
        values = {
            "name": "Service",
            "auth_type": "service_account",
            "service_account_json": self.key,
        }
        account = self.env[ACCOUNT].create(dict(values, **vals))
        self.cr.commit()
        return account

    def assertRefused(self, account, **vals):
        """Neither by the ORM nor over RPC, and nothing is changed."""
        before = account.read(["delegated_user", "scope", "auth_type"])
        key = account._secret("service_account_json")
        execute = self.rpc(self.manager)
        with self.assertRaisesRegex(AccessError, "Settings"):
            account.with_user(self.manager).write(vals)
        with self.assertRaises(xmlrpc.client.Fault) as caught:
            execute(ACCOUNT, "write", account.ids, vals)
        self.assertEqual(caught.exception.faultCode, 4)  # access denied
        self.assertNotIn("PRIVATE KEY", caught.exception.faultString)
        self.fresh(account)
        self.assertEqual(account.read(["delegated_user", "scope", "auth_type"]), before)
        self.assertEqual(account._secret("service_account_json"), key)

    def assertCreateRefused(self, context=None, **vals):
        accounts = self.env[ACCOUNT].with_user(self.manager)
        accounts = accounts.with_context(**(context or {}))
        with self.assertRaisesRegex(AccessError, "Settings"):
            accounts.create(dict(vals, name="Made"))

    def write_as(self, user, account, **vals):
        account.with_user(user).write(vals)
        self.cr.commit()


class TestDelegation(RightsCase):
    """Whose Drive a service account with domain-wide delegation acts in."""

    def test_nobody_is_named_by_a_manager(self):
        self.assertRefused(self.service, delegated_user="ceo@example.com")
        self.assertRefused(self.auth, delegated_user="ceo@example.com")
        self.assertRefused(
            self.service, delegated_user="ceo@example.com", service_account_json=self.key
        )

    def test_nobody_is_named_at_the_creation(self):
        for auth_type in ("oauth", "service_account"):
            vals = {"auth_type": auth_type}
            self.assertCreateRefused(delegated_user="ceo@example.com", **vals)
            context = {"default_delegated_user": "ceo@example.com"}
            self.assertCreateRefused(context, **vals)

    def test_import_and_copy(self):
        account = self.make_service_account(delegated_user="archive@example.com")
        execute = self.rpc(self.manager)
        copy_id = execute(ACCOUNT, "copy", account.id)
        self.cr.commit()
        copy = self.env[ACCOUNT].browse(copy_id)
        self.assertFalse(copy.delegated_user or copy.service_account_set)
        answer = execute(
            ACCOUNT, "load", ["name", "delegated_user"], [["Made", "ceo@example.com"]]
        )
        self.assertFalse(answer["ids"])
        with self.assertRaises(xmlrpc.client.Fault):
            execute(ACCOUNT, "copy", account.id, {"delegated_user": "ceo@example.com"})

    def test_nothing_of_a_delegated_account_is_changed_by_a_manager(self):
        account = self.make_service_account(delegated_user="archive@example.com")
        own = self.key_of("mine@y.iam")
        for vals in (
            {"delegated_user": False},
            {"delegated_user": "ceo@example.com"},
            {"scope": "drive"},
            {"auth_type": "oauth"},
            {"shared_drive_id": "x"},
            {"service_account_json": own},
            {"service_account_json": False},
            {"service_account_file": False},
        ):
            with self.subTest(vals):
                self.assertRefused(account, **vals)
        self.write_as(self.manager, account, name="Renamed", is_active=False)
        # what a form sends along unchanged is no change
        self.write_as(
            self.manager, account, scope="drive.file", delegated_user="archive@example.com"
        )

    def test_oauth_account_with_a_name_is_no_way_around(self):
        self.write_as(self.settings, self.auth, delegated_user="archive@example.com")
        self.assertRefused(self.auth, auth_type="service_account")

    def test_settings_may(self):
        self.write_as(self.settings, self.service, delegated_user="archive@example.com")
        self.service.action_test_connection()
        self.assertEqual(self.fresh(self.service).account_email, "archive@example.com")

    def test_form(self):
        """The field is there to read; only Settings have it to write."""
        for user, is_limited in ((self.manager, True), (self.settings, False)):
            account = self.service.with_user(user)
            self.assertEqual(account.is_limited, is_limited)
            arch = account.fields_view_get(view_type="form")["arch"]
            self.assertRegex(arch, "delegated_user[^>]*readonly[^>]*is_limited")


class TestReach(RightsCase):
    """The whole Drive with a key that is the company's: nobody consents to that."""

    def test_wider_scope(self):
        self.assertRefused(self.service, scope="drive")
        own = self.key_of("mine@y.iam")
        self.write_as(self.manager, self.service, scope="drive", service_account_json=own)
        self.assertEqual(self.fresh(self.service).scope, "drive")

    def test_key_of_the_server(self):
        """CLOUD_STORAGE_SERVICE_ACCOUNT_JSON is for accounts without a key."""
        with environment(CLOUD_STORAGE_SERVICE_ACCOUNT_JSON=self.key):
            self.assertCreateRefused(auth_type="service_account", scope="drive")
            own = self.key_of("mine@y.iam")
            account = self.make_service_account(scope="drive", service_account_json=own)
            self.assertRefused(account, service_account_json=False)
            account.auth_type = "oauth"
            self.write_as(self.manager, account, service_account_json=False)
            self.assertRefused(account, auth_type="service_account")

    def test_what_managers_go_on_doing(self):
        made = self.env[ACCOUNT].with_user(self.manager).create(
            {
                "name": "Mine",
                "auth_type": "service_account",
                "service_account_json": self.key_of("mine@y.iam"),
            }
        )
        made.action_test_connection()
        made.write({"service_account_json": self.key_of("mine@y.iam")})
        made = made.create({"name": "OAuth", "scope": "drive"})
        made.write({"scope": "drive.file", "client_id": "x", "client_secret": "y"})

    def test_secret_of_the_server_goes_with_its_client(self):
        """It is no secret for a client ID that somebody typed in."""
        client = self.emulator.client([self.redirect_uri])
        other = self.emulator.client([self.redirect_uri])
        account = self.env[ACCOUNT].create({"name": "Twelve"})
        with environment(
            CLOUD_STORAGE_CLIENT_ID=client["client_id"],
            CLOUD_STORAGE_CLIENT_SECRET=client["client_secret"],
        ):
            for client_id, is_set in (
                (False, True),
                (client["client_id"], True),
                (other["client_id"], False),
            ):
                self.write_as(self.manager, account, client_id=client_id)
                self.fresh(account)
                self.assertEqual(account.client_secret_set, is_set)
                self.assertEqual(bool(account._secret("client_secret")), is_set)

    def test_folders_of_others(self):
        """An account for the whole Drive gives a manager the files of Odoo, no others."""
        account = self.make_account("boss@example.com", scope="drive")
        self.config.auth_id = account
        file = self.make_attachments(1)
        self.sync()
        [root] = self.drive_file(self.config.drive_root_folder_id)["parents"]
        self.emulator.put_file(
            "private.txt", b"private", parents=[root], owner="boss@example.com"
        )
        partner = self.env["res.partner"].create({"name": "Default"})
        self.cr.commit()
        names = {}
        for user in (self.manager, self.settings):
            user.groups_id |= self.env.ref("base.group_user")
            user.groups_id |= self.env.ref("base.group_partner_manager")
            wizard = self.env["cloud_storage.wizard.restore"].with_user(user).create(
                {
                    "mode": "folder",
                    "config_id": self.config.id,
                    "folder_id": root,
                    "default_record": "res.partner,%d" % partner.id,
                }
            )
            wizard.action_preview()
            wizard.action_confirm()
            self.cr.commit()
            self.env["cloud_storage.sync.service"].automatic_sync()
            self.env.cache.invalidate()
            made = self.env["ir.attachment"].search([("res_id", "=", partner.id)])
            names[user] = wizard.file_count, made.mapped("name")
        self.assertTrue(file.exists())
        self.assertEqual(names[self.manager], (1, []))
        self.assertEqual(names[self.settings], (2, ["private.txt"]))

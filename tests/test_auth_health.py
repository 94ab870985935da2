import json
import re
import smtplib
import socketserver
import threading
from datetime import timedelta

from lxml import etree

from odoo import fields
from odoo.exceptions import UserError

from .common_auth import MANAGER, USER, AuthCase

BUTTONS = {
    "disabled": None,
    "copy": "action_ask_database",
    "key_lost": "action_authorize",
    "draft": "action_authorize",
    "pending": "action_authorize",
    "ending": "action_authorize",
    "authorized": "action_test_connection",
    "expired": "action_refresh_token",
    "error": "action_authorize",
}


class TestForm(AuthCase):
    """What the form tells, and the one button that helps."""

    def form(self, user=None):
        accounts = self.env["cloud_storage.auth"].with_user(user or self.env.user)
        return etree.fromstring(accounts.fields_view_get(view_type="form")["arch"])

    def banners(self, form):
        """Which banner shows for which health: ``{health: element}``."""
        found = {}
        for banner in form.xpath("//div[@role]"):
            match = re.search(r"'health', '!=', '(\w+)'", banner.get("attrs") or "")
            if match:
                self.assertNotIn(match.group(1), found)
                found[match.group(1)] = banner
        return found

    def test_one_banner_per_state_with_one_button(self):
        banners = self.banners(self.form(self.make_manager()))
        states = dict(self.env["cloud_storage.auth"]._fields["health"].selection)
        self.assertEqual(set(banners), set(states))
        for state, banner in banners.items():
            names = [b.get("name") for b in banner.iter("button")]
            self.assertEqual(names, [BUTTONS[state]] if BUTTONS[state] else [])
            self.assertTrue("".join(banner.itertext()).strip())

    def test_users_get_no_buttons(self):
        form = self.form(self.make_user("user", USER))
        self.assertTrue(self.banners(form))
        self.assertFalse(form.xpath("//button[not(@invisible='1')]"))

    def test_secrets_show_as_set_or_not_set(self):
        form = self.form(self.make_manager())
        self.assertTrue(form.xpath("//field[@name='client_secret'][@password]"))
        texts = [t.strip() for t in form.xpath("//span/text()")]
        self.assertEqual(texts.count("set"), 2)
        self.assertEqual(texts.count("not set"), 2)
        for name in ("access_token", "refresh_token", "database_uuid"):
            self.assertFalse(form.xpath("//field[@name='%s']" % name))

    def test_warnings(self):
        text = etree.tostring(self.form(), encoding="unicode")
        self.assertIn("A service account owns no storage", text)
        self.assertIn("change and delete <b>every</b> file", text)


class TestHealth(AuthCase):
    """States, ends that are known, and what the buttons say."""

    def test_known_end_of_the_authorization(self):
        self.assertEqual(self.auth.days_left, -1)
        for days, health in ((6, "ending"), (90, "authorized")):
            self.auth.grant_expiry = fields.Datetime.now() + timedelta(
                days=days, hours=1
            )
            self.auth.token_expiry = fields.Datetime.now() + timedelta(hours=1)
            self.assertEqual((self.auth.days_left, self.auth.health), (days, health))
            message = self.auth.action_check_token_status()["params"]["message"]
            self.assertIn("ends in %d days" % days, message)

    def test_test_connection(self):
        self.emulator.set_quota(limit=1024 * 1024 * 1024, usage=0)
        message = self.auth.action_test_connection()["params"]["message"]
        self.assertIn("admin@example.com", message)
        self.assertIn("of 1.00 Gb used", message)
        self.assertIn("will be created by the first sync", message)
        self.make_attachment()
        self.sync()
        message = self.fresh(self.auth).test_connection()["params"]["message"]
        self.assertRegex(message, "The folder Odoo Cloud Storage is writable")
        self.emulator.remove_file(self.config.drive_root_folder_id)
        message = self.fresh(self.auth).action_test_connection()["params"]["message"]
        self.assertIn("does not exist", message)

    def test_test_connection_says_why_not(self):
        self.emulator.fault("about", times=-1, status=503)
        with self.assertRaisesRegex(UserError, "could not be reached"):
            self.auth.action_test_connection()
        self.assertEqual(self.fresh(self.auth).state, "authorized")

    def test_revoke(self):
        before = self.secrets_of(self.auth)
        self.auth.action_revoke()
        self.fresh(self.auth)
        self.assertEqual((self.auth.state, self.auth.token_set), ("draft", False))
        self.assertFalse(self.auth.account_email or self.auth.token_expiry)
        self.assertTrue(self.auth.client_secret_set)
        self.auth.refresh_token = before["refresh_token"]
        self.cr.commit()
        self.assertFalse(self.auth.refresh_access_token())  # Google forgot it, too
        self.assertEqual(self.fresh(self.auth).state, "error")

    def test_revoke_of_what_google_forgot_already(self):
        self.emulator.revoke_grants()
        self.auth.action_revoke()
        self.assertEqual(self.fresh(self.auth).state, "draft")

    def test_revoke_while_google_is_away(self):
        before = self.secrets_of(self.auth)
        self.emulator.fault("revoke", status=503)
        with self.assertRaisesRegex(UserError, "could not be reached"):
            self.auth.action_revoke()
        self.assertEqual(self.secrets_of(self.auth), before)

    def test_shared_drive_of_a_service_account(self):
        key = self.emulator.service_account("bot@x.iam")
        drive = self.emulator.shared_drive("Archive", ["bot@x.iam"])
        account = self.env["cloud_storage.auth"].create(
            {
                "name": "Service",
                "auth_type": "service_account",
                "service_account_json": json.dumps(key),
                "shared_drive_id": drive,
            }
        )
        self.config.auth_id = account
        attachment = self.make_attachment(b"shared")
        self.assertEqual(self.sync()["synced"], 1)
        self.assertEqual(self.drive_file(attachment.cloud_file_id)["driveId"], drive)

    def test_account_in_use_can_not_be_deleted(self):
        self.env["cloud_storage.config"].search([]).unlink()
        attachment = self.make_attachment()
        attachment.write({"cloud_file_id": "x", "cloud_auth_id": self.auth.id})
        with self.assertRaisesRegex(UserError, r"1 files \(.*\) live in this account"):
            self.auth.unlink()


class Mailbox(socketserver.ThreadingTCPServer):
    """A mail server that keeps what it gets."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), MailboxHandler)
        self.mails = []
        self.port = self.server_address[1]
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def close(self):
        """Stop listening."""
        self.shutdown()
        self.server_close()


class MailboxHandler(socketserver.StreamRequestHandler):
    """Just enough of RFC 5321."""

    def handle(self):
        """Talk to one client."""
        self.wfile.write(b"220 ready\r\n")
        for line in self.rfile:
            verb = line[:4].upper()
            if verb == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                self.server.mails.append(b"".join(iter(self.rfile.readline, b".\r\n")))
            if verb == b"QUIT":
                self.wfile.write(b"221 bye\r\n")
                return
            self.wfile.write(b"250 ok\r\n")


class TestNotification(AuthCase):
    """The people of the configuration hear of a lost authorization, once."""

    def setUp(self):
        super().setUp()
        self.mailbox = Mailbox()
        self.addCleanup(self.mailbox.close)
        self.manager = self.make_manager()
        self.manager.email = "keeper@example.com"
        self.config.notify_user_ids = self.manager
        company = self.env.company
        self.before = company.email
        company.email = "odoo@example.com"
        self.server = self.env["ir.mail_server"].create(
            {
                "name": "Mailbox",
                "smtp_host": "127.0.0.1",
                "smtp_port": self.mailbox.port,
                "smtp_encryption": "none",
            }
        )
        self.addCleanup(self.put_back, company)
        self.session = self.login(self.manager)

    def put_back(self, company):
        self.cr.rollback()
        self.server.unlink()
        company.email = self.before
        self.cr.commit()

    def refresh(self):
        """Through HTTP: Odoo sends no mail from a test's own thread."""
        return self.call_method(self.session, self.auth, "action_refresh_token")

    def test_one_mail_for_one_loss(self):
        self.emulator.revoke_grants()
        secrets = self.secrets_of(self.auth).values()
        for _again in range(2):
            self.refresh()
        self.assertEqual(self.fresh(self.auth).state, "error")
        self.assertEqual(len(self.mailbox.mails), 1)
        mail = self.mailbox.mails[0]
        self.assertIn(b"keeper@example.com", mail)
        self.assertIn(b"has to be authorized again", mail.replace(b"\r\n ", b" "))
        for secret in secrets:
            self.assertNotIn(secret.encode(), mail)

    def test_no_mail_while_google_is_away(self):
        self.emulator.fault("token", times=-1, status=503)
        self.refresh()
        self.assertFalse(self.mailbox.mails)

    def test_mail_that_fails_fails_nothing_else(self):
        with smtplib.SMTP("127.0.0.1", self.mailbox.port, timeout=5):
            pass  # it did listen
        self.mailbox.close()
        self.emulator.revoke_grants()
        self.assertEqual(self.refresh()["params"]["type"], "danger")
        self.assertEqual(self.fresh(self.auth).state, "error")
        self.assertIn("usual causes", self.auth.last_error)


class TestGroups(AuthCase):
    """Who may do what with which model: a table."""

    NOTHING, READ, LOGS, ALL = "0000", "1000", "1001", "1111"
    #: model: what employees, users and managers may (read, write, create, unlink)
    TABLE = {
        "cloud_storage.secret": (NOTHING, NOTHING, NOTHING),
        "cloud_storage.trash": (NOTHING, NOTHING, NOTHING),
        "cloud_storage.auth": (NOTHING, READ, ALL),
        "cloud_storage.config": (NOTHING, READ, ALL),
        "cloud_storage.model.config": (NOTHING, READ, ALL),
        "cloud_storage.file.type": (NOTHING, READ, ALL),
        "cloud_storage.folder": (NOTHING, NOTHING, READ),
        "cloud_storage.sync.run": (NOTHING, READ, LOGS),
        "cloud_storage.sync.log": (NOTHING, READ, LOGS),
        "cloud_storage.access.log": (NOTHING, READ, LOGS),
    }
    OPERATIONS = ("read", "write", "create", "unlink")

    def rights(self, user, model):
        model = self.env[model].with_user(user)
        return "".join(
            str(int(bool(model.check_access_rights(operation, raise_exception=False))))
            for operation in self.OPERATIONS
        )

    def test_table(self):
        people = [
            self.make_user("person", group)
            for group in ("base.group_user", USER, MANAGER)
        ]
        for model, expected in self.TABLE.items():
            rights = tuple(self.rights(user, model) for user in people)
            self.assertEqual(rights, expected, model)

    def test_strangers_get_nothing(self):
        """No model of this addon, known to the table or not, is open to others."""
        people = [
            self.env.ref("base.public_user"),
            self.make_user("portal", "base.group_portal"),
            self.make_user("employee", "base.group_user"),
        ]
        for model in self.our_models():
            for user in people:
                self.assertEqual(self.rights(user, model), self.NOTHING, model)

    def our_models(self):
        return [
            name
            for name, model in self.registry.items()
            if name.startswith("cloud_storage.") and not model._abstract
        ]

    def test_every_model_has_rights(self):
        """A model without a row is a mistake that Odoo only warns of."""
        self.cr.execute(
            "SELECT DISTINCT m.model FROM ir_model m JOIN ir_model_access a"
            " ON a.model_id = m.id WHERE m.model LIKE 'cloud_storage.%'"
        )
        self.assertEqual({row[0] for row in self.cr.fetchall()}, set(self.our_models()))

    def test_users_see_their_own_reads_only(self):
        user = self.make_user("user", USER)
        manager = self.make_manager()
        logs = self.env["cloud_storage.access.log"].create(
            [{"user_id": one.id, "file_name": "f"} for one in (user, manager)]
        )
        seen = logs.with_user(user).search([("id", "in", logs.ids)])
        self.assertEqual(seen.user_id, user)
        self.assertEqual(logs.with_user(manager).search([("id", "in", logs.ids)]), logs)

    def test_settings_are_managers(self):
        settings = self.make_user("settings", "base.group_system")
        self.assertTrue(settings.has_group(MANAGER))
        self.assertTrue(self.make_manager().has_group(USER))
        self.assertFalse(self.make_user("user", USER).has_group(MANAGER))

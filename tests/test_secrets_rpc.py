import json
import xmlrpc.client

from odoo.exceptions import UserError

from ..engine.account.tokens import Tokens
from .common_auth import MANAGER, USER, AuthCase

PEOPLE = {
    "portal": "base.group_portal",
    "employee": "base.group_user",
    "user": USER,
    "manager": MANAGER,
    "settings": "base.group_system",
}
ACCOUNT, FILE, STORE = "cloud_storage.auth", "ir.attachment", "cloud_storage.secret"
SECRET_FIELDS = (
    "client_secret",
    "service_account_json",
    "service_account_file",
    "access_token",
    "refresh_token",
)
SESSION = "cloud_upload_session"
SESSION_URI = "https://www.googleapis.com/upload/drive/v3/files?upload_id=ADPycd-secret"
TOKENS = ("access_token", "refresh_token")
PREFIXES = ("ya29.a%", "ya29%", "1//0%", "GOCSPX-%", "%", "")
OPERATORS = ("=", "!=", "like", "=like", "ilike", ">", "<", "in", "not in")


class SecretCase(AuthCase):
    """An account and a file with every kind of secret, and people of every group."""

    def setUp(self):
        super().setUp()
        key = self.emulator.service_account()
        self.auth.service_account_json = json.dumps(key)
        self.attachment = self.make_attachment(b"content", public=True)
        self.attachment.cloud_upload_session = SESSION_URI
        self.secrets = [
            *self.secrets_of(self.auth).values(),
            key["private_key"],
            key["private_key_id"],
            SESSION_URI,
        ]
        self.people = {
            name: self.rpc(self.make_user(name, group))
            for name, group in PEOPLE.items()
        }
        self.before = self.stored()

    def stored(self):
        """All secrets as stored, to see that nobody changed one."""
        self.cr.commit()
        self.cr.execute(
            "SELECT res_model, res_id, name, value FROM cloud_storage_secret"
            " ORDER BY res_model, res_id, name"
        )
        return self.cr.fetchall()

    def assertSilent(self, answer):
        """An answer, or an error's text, holds no secret."""
        text = answer if isinstance(answer, str) else json.dumps(answer, default=str)
        for secret in self.secrets:
            self.assertNotIn(secret, text)
            self.assertNotIn(json.dumps(secret)[1:-1], text)
            self.assertNotIn(secret[-24:].strip(), text)

    def ask(self, execute, *call, **kwargs):
        """The answer to a call, None when it was refused; neither gives a secret."""
        try:
            answer = execute(*call, **kwargs)
        except xmlrpc.client.Fault as fault:
            self.assertSilent(fault.faultString + str(fault.faultCode))
            return None
        self.assertSilent(answer)
        return answer

    def one_row(self):
        self.cr.execute("SELECT min(id) FROM cloud_storage_secret")
        return self.cr.fetchone()[0]


class TestSecretsOverRpc(SecretCase):
    """People of every group try to get at secrets, over XML-RPC."""

    def each(self):
        """Everybody, with every secret field and the record that has it."""
        for name, execute in self.people.items():
            fields = [(ACCOUNT, self.auth.id, field) for field in SECRET_FIELDS]
            for model, record_id, field in [
                *fields,
                (FILE, self.attachment.id, SESSION),
            ]:
                with self.subTest(who=name, model=model, field=field):
                    yield execute, model, record_id, field

    def test_read(self):
        for execute, model, record_id, field in self.each():
            for answer in (
                self.ask(execute, model, "read", [record_id], [field]),
                self.ask(
                    execute, model, "search_read", [("id", "=", record_id)], [field]
                ),
            ):
                self.assertFalse(answer and answer[0][field])

    def test_read_everything(self):
        for execute in self.people.values():
            self.ask(execute, ACCOUNT, "read", [self.auth.id])
            self.ask(execute, FILE, "read", [self.attachment.id])
            self.ask(execute, ACCOUNT, "fields_get")
            self.ask(execute, ACCOUNT, "name_search", "ya29")

    def test_mapped_and_filtered(self):
        for execute, model, record_id, field in self.each():
            self.assertFalse(
                any(self.ask(execute, model, "mapped", [record_id], field) or ())
            )
            for method in ("filtered", "sorted"):
                self.ask(execute, model, method, [record_id], field)
            self.ask(
                execute, model, "filtered_domain", [record_id], [(field, "like", "y")]
            )

    def test_search_is_no_oracle(self):
        for execute, model, record_id, field in self.each():
            for operator in OPERATORS:
                for value in PREFIXES:
                    if "in" in operator.split():
                        value = [value]
                    domain = [(field, operator, value), ("id", "=", record_id)]
                    self.assertIsNone(self.ask(execute, model, "search", domain))
            for method in ("search_count", "search_read"):
                domain = [(field, "=like", "ya29.%")]
                self.assertIsNone(self.ask(execute, model, method, domain))

    def test_search_through_relations_is_no_oracle(self):
        for execute in self.people.values():
            for field in SECRET_FIELDS:
                for model, path in (
                    ("cloud_storage.config", "auth_id.%s"),
                    (FILE, "cloud_auth_id.%s"),
                    ("cloud_storage.sync.log", "config_id.auth_id.%s"),
                ):
                    domain = [(path % field, "like", "ya29.%")]
                    self.assertIsNone(self.ask(execute, model, "search", domain))

    def test_group_and_order(self):
        for execute, model, _record_id, field in self.each():
            for fields, groups in (
                ([field], [field]),
                (["%s:max" % field], ["name"]),
                (["m:max(%s)" % field], ["name"]),
                (["m:array_agg(%s)" % field], ["name"]),
            ):
                answer = self.ask(execute, model, "read_group", [], fields, groups)
                self.assertFalse(
                    [g for g in answer or () if g.get("m") or g.get(field)]
                )
            self.ask(execute, model, "search", [], order="%s desc" % field)

    def test_export(self):
        for execute, model, record_id, field in self.each():
            answer = self.ask(execute, model, "export_data", [record_id], [field])
            self.assertFalse(answer and any(map(any, answer["datas"])))
        paths = ["auth_id/%s" % field for field in SECRET_FIELDS]
        for execute in self.people.values():
            config = "cloud_storage.config"
            self.ask(execute, config, "export_data", [self.config.id], paths)

    def test_onchange_and_defaults(self):
        for execute, model, record_id, field in self.each():
            spec = {field: "1", "name": "1"}
            self.ask(execute, model, "onchange", [record_id], {}, [], spec)
            self.ask(
                execute, model, "onchange", [record_id], {"id": record_id}, field, spec
            )
            self.ask(execute, model, "default_get", [field])

    def test_copy(self):
        for execute, model, record_id, field in self.each():
            data = self.ask(execute, model, "copy_data", [record_id])
            self.assertFalse(data and data.get(field))
            copy_id = self.ask(execute, model, "copy", record_id)
            if not copy_id:
                continue
            self.cr.commit()
            copy = self.env[model].browse(copy_id)
            self.assertFalse(copy[field])
            if model == ACCOUNT:
                self.assertEqual(copy.state, "draft")
        self.assertEqual(self.stored(), self.before)

    def test_write(self):
        """Tokens are the server's; credentials are for managers to replace."""
        for execute, model, record_id, field in self.each():
            if field in TOKENS or field == SESSION:
                self.assertIsNone(
                    self.ask(execute, model, "write", [record_id], {field: "x"})
                )
        for name in ("portal", "employee", "user"):
            for field in SECRET_FIELDS:
                values = {field: "x"}
                execute = self.people[name]
                self.assertIsNone(
                    self.ask(execute, ACCOUNT, "write", [self.auth.id], values)
                )
        self.assertEqual(self.stored(), self.before)

    def test_server_fields_can_not_be_forged(self):
        forged = {
            "state": "authorized",
            "token_expiry": "2099-01-01 00:00:00",
            "account_email": "boss@example.com",
            "database_uuid": "x",
            "access_token": "ya29.mine",
            "refresh_token": "1//0mine",
        }
        for name in ("manager", "settings"):
            execute = self.people[name]
            for field, value in forged.items():
                values = {field: value}
                calls = [
                    ("write", [self.auth.id], values),
                    ("create", dict(values, name="Forged")),
                    ("copy", self.auth.id, values),
                ]
                for call in calls:
                    self.assertIsNone(self.ask(execute, ACCOUNT, *call))
                context = {"default_%s" % field: value}
                made = execute(ACCOUNT, "create", {"name": "Forged"}, context=context)
                self.cr.commit()
                account = self.env[ACCOUNT].browse(made)
                self.assertEqual(account.state, "draft")
                self.assertFalse(account._secret("access_token"))
                self.assertFalse(account.token_expiry or account.database_uuid)
        self.assertEqual(self.stored(), self.before)

    def test_load(self):
        for execute in self.people.values():
            for field in TOKENS:
                rows = [["Imported", "x"]]
                self.ask(execute, ACCOUNT, "load", ["name", field], rows)
        self.assertEqual(self.stored(), self.before)

    def test_store_is_closed(self):
        row_id = self.one_row()
        for execute in self.people.values():
            for call in (
                ("search", []),
                ("search_count", []),
                ("read", [row_id]),
                ("read", [row_id], ["value"]),
                ("search_read", [("value", "like", "ya29.%")]),
                ("read_group", [], ["name"], ["name"]),
                ("export_data", [row_id], ["name"]),
                ("write", [row_id], {"name": "x"}),
                ("unlink", [row_id]),
                ("create", {"res_model": ACCOUNT, "res_id": 1, "name": "access_token"}),
            ):
                with self.subTest(call=call):
                    self.assertIsNone(self.ask(execute, STORE, *call))
        self.assertEqual(self.stored(), self.before)

    def test_private_methods_are_closed(self):
        for execute in self.people.values():
            for model, method, args in (
                (ACCOUNT, "_secret", [self.auth.ids, "access_token"]),
                (ACCOUNT, "_get_valid_token", [self.auth.ids]),
                (ACCOUNT, "_drive_client", [self.auth.ids]),
                (STORE, "_get", [self.auth.ids, "access_token"]),
            ):
                self.assertIsNone(self.ask(execute, model, method, *args))

    def test_account_methods_are_for_managers(self):
        for name in ("portal", "employee", "user"):
            execute = self.people[name]
            for method, args in (
                ("get_auth_url", []),
                ("exchange_code_for_token", ["4/0code"]),
                ("refresh_access_token", []),
                ("action_authorize", []),
                ("action_test_connection", []),
                ("test_connection", []),
                ("action_refresh_token", []),
                ("action_check_token_status", []),
                ("action_revoke", []),
                ("action_confirm_database", []),
            ):
                with self.subTest(who=name, method=method):
                    with self.assertRaises(xmlrpc.client.Fault) as caught:
                        execute(ACCOUNT, method, self.auth.ids, *args)
                    self.assertEqual(caught.exception.faultCode, 4)  # access denied
        self.assertEqual(self.stored(), self.before)
        self.assertEqual(self.emulator.count(), 0)


class TestSettingsUser(SecretCase):
    """Settings may change the database's structure and rights, and sees nothing."""

    def test_stored_custom_field(self):
        """Odoo computes a new stored field as the superuser."""
        execute = self.people["settings"]
        model_id = self.env["ir.model"]._get_id("cloud_storage.config")
        made = []
        for field in SECRET_FIELDS[:2] + TOKENS:
            name = "x_leak_%s" % field
            vals = {
                "name": name,
                "model_id": model_id,
                "field_description": name,
                "ttype": self.env[ACCOUNT]._fields[field].type,
                "related": "auth_id.%s" % field,
                "store": True,
                "readonly": True,
                "copied": False,
            }
            try:
                made.append(execute("ir.model.fields", "create", vals))
                answer = execute(
                    "cloud_storage.config", "read", self.config.ids, [name]
                )
                self.assertFalse(answer[0][name])
                self.assertSilent(answer)
            finally:
                execute("ir.model.fields", "unlink", made)
                made.clear()

    def test_rights_on_the_store(self):
        execute = self.people["settings"]
        model_id = self.env["ir.model"]._get_id(STORE)
        group_id = self.env.ref("base.group_system").id
        rights = dict.fromkeys(("perm_read", "perm_write", "perm_create"), True)
        vals = dict(rights, name="mine", model_id=model_id, group_id=group_id)
        right_id = execute("ir.model.access", "create", vals)
        try:
            rows = self.ask(execute, STORE, "search_read", [])
            self.assertTrue(rows)
            self.assertNotIn("value", rows[0])
            for call in (
                ("read", [self.one_row()], ["value"]),
                ("search", [("value", "like", "ya29.%")]),
                ("export_data", [self.one_row()], ["value"]),
                ("read_group", [], ["value:max"], ["name"]),
                ("search", [], 0, None, "value desc"),
            ):
                answer = self.ask(execute, STORE, *call)
                self.assertNotIn("ya29", json.dumps(answer))
        finally:
            execute("ir.model.access", "unlink", [right_id])

    def test_addresses_that_tokens_are_sent_to(self):
        execute = self.people["settings"]
        parameters = "ir.config_parameter"
        known = execute(parameters, "search", [("key", "like", "cloud_storage.google")])
        other_id = execute(parameters, "create", {"key": "x_other", "value": "x"})
        thief = "http://203.0.113.1/token"
        for call in (
            ("set_param", "cloud_storage.google_token_uri", thief),
            ("create", {"key": "cloud_storage.google_api_root", "value": thief}),
            ("write", known[:1], {"value": thief}),
            ("write", [other_id], {"key": "cloud_storage.google_revoke_uri"}),
        ):
            with self.subTest(call), self.assertRaises(xmlrpc.client.Fault) as caught:
                execute(parameters, *call)
            self.assertEqual(caught.exception.faultCode, 4, call)
        execute(parameters, "unlink", [other_id])

    def test_plain_http_to_another_machine(self):
        self.env["ir.config_parameter"].set_param(
            "cloud_storage.google_token_uri", "http://203.0.113.1/token"
        )
        self.cr.commit()
        self.assertFalse(self.auth.refresh_access_token())
        with self.assertRaisesRegex(UserError, "no https address"):
            Tokens(self.auth).renew(force=True)

import base64
import xmlrpc.client

from odoo.exceptions import AccessError
from odoo.tools import mute_logger

from ..models.attachment.attachment import CLOUD_FIELDS
from .common_content import ContentCase

VALUES = {
    "cloud_file_id": "somebody-elses",
    "cloud_storage_url": "https://example.com",
    "cloud_sync_status": "synced",
    "cloud_synced_date": "2021-01-01 00:00:00",
    "cloud_size_bytes": 5,
    "cloud_md5": "0" * 32,
    "cloud_sha1": "0" * 40,
    "cloud_error_message": "x",
    "cloud_attempts": 1,
    "cloud_next_attempt": "2021-01-01 00:00:00",
    "cloud_upload_session": "https://example.com",
    "cloud_reserved_id": "somebody-elses",
    "cloud_reserved_for": "1 somebody@example.com",
    "cloud_run_id": 1,
}


class TestAttachmentGuard(ContentCase):
    """Nobody sets cloud fields from outside, whatever the way."""

    def setUp(self):
        super().setUp()
        self.user = self.make_user(
            "attacker",
            "base.group_system",
            "base.group_partner_manager",
            "cloud_storage.group_cloud_storage_manager",
        )
        self.attachment = self.make_in("filestore", b"mine")
        self.victim = self.in_drive(b"secret of somebody else")
        self.values = dict(VALUES, cloud_auth_id=self.auth.id)
        self.assertEqual(set(self.values), set(CLOUD_FIELDS))
        self.cr.commit()

    def call(self, model, method, *args, **kwargs):
        """Call a method over XML-RPC as the attacker."""
        proxy = xmlrpc.client.ServerProxy(self.base + "/xmlrpc/2/object", allow_none=True)
        with proxy:
            return proxy.execute_kw(
                self.cr.dbname, self.user.id, self.user.login, model, method, args, kwargs
            )

    @mute_logger("odoo.http", "odoo.addons.base.controllers.rpc")
    def refused(self, model, method, *args, **kwargs):
        """The call fails for lack of rights."""
        with self.assertRaisesRegex(xmlrpc.client.Fault, "set by the server only"):
            self.call(model, method, *args, **kwargs)

    def untouched(self, attachment_id):
        """The attachment knows nothing of the cloud."""
        self.cr.rollback()
        self.env.cache.invalidate()
        attachment = self.env["ir.attachment"].browse(attachment_id)
        self.assertEqual(attachment.cloud_sync_status, "local")
        for field in set(CLOUD_FIELDS) - {"cloud_sync_status"}:
            self.assertFalse(attachment[field], field)
        return attachment

    def test_create_and_write(self):
        for field, value in self.values.items():
            with self.subTest(field=field):
                self.refused("ir.attachment", "create", {"name": "x", field: value})
                self.refused(
                    "ir.attachment", "write", [self.attachment.id], {field: value}
                )
        self.untouched(self.attachment.id)

    def test_context_defaults(self):
        context = {"default_%s" % name: value for name, value in self.values.items()}
        del context["default_cloud_upload_session"]
        made = self.call("ir.attachment", "create", {"name": "x"}, context=context)
        self.untouched(made)
        session = {"default_cloud_upload_session": "https://example.com"}
        self.refused("ir.attachment", "create", {"name": "x"}, context=session)

    def test_defaults_of_the_user(self):
        for field, value in self.values.items():
            self.call("ir.default", "set", "ir.attachment", field, value, True)
        self.addCleanup(self.drop_defaults)
        self.refused("ir.attachment", "create", {"name": "x"})
        self.cr.rollback()
        self.env["ir.default"].search(
            [("field_id.name", "=", "cloud_upload_session")]
        ).unlink()
        self.cr.commit()
        made = self.call("ir.attachment", "create", {"name": "x"})
        self.untouched(made)

    def drop_defaults(self):
        """Forget the defaults that were set."""
        with self.other_transaction() as env:
            env["ir.default"].search([("field_id.model", "=", "ir.attachment")]).unlink()
            env.cr.commit()

    def test_import(self):
        result = self.call(
            "ir.attachment", "load", ["name", "cloud_file_id"], [["x", "somebody-elses"]]
        )
        self.assertFalse(result["ids"])
        self.assertIn("set by the server only", result["messages"][0]["message"])
        result = self.call(
            "ir.attachment",
            "load",
            [".id", "name", "cloud_auth_id/.id"],
            [[str(self.attachment.id), "x", str(self.auth.id)]],
        )
        self.assertFalse(result["ids"])
        self.untouched(self.attachment.id)

    def test_copy(self):
        forged = {"cloud_file_id": self.victim.cloud_file_id}
        self.refused("ir.attachment", "copy", [self.attachment.id], forged)
        copied = self.call("ir.attachment", "copy", [self.victim.id])
        self.assertEqual(self.untouched(copied).raw, b"secret of somebody else")

    def test_superuser_mode_is_not_enough(self):
        sudo = self.attachment.with_user(self.user).sudo()
        for call in (
            lambda: sudo.write({"cloud_file_id": "x"}),
            lambda: sudo.create({"name": "x", "cloud_file_id": "x"}),
            lambda: sudo.copy({"cloud_file_id": "x"}),
            lambda: setattr(sudo, "cloud_upload_session", "https://example.com"),
        ):
            with self.assertRaises(AccessError):
                call()
        self.untouched(self.attachment.id)

    def test_nested_commands(self):
        """As commands of an x2many field, of which base itself has none."""
        field = self.env["ir.model.fields"].create(
            {
                "name": "x_files",
                "model_id": self.env.ref("base.model_res_partner").id,
                "ttype": "many2many",
                "relation": "ir.attachment",
            }
        )
        self.addCleanup(self.drop_field, field.id)
        partner = self.env["res.partner"].create({"name": "Has files"})
        self.cr.commit()
        for command in (
            (0, 0, {"name": "x", "cloud_file_id": "somebody-elses"}),
            (1, self.attachment.id, {"cloud_file_id": "somebody-elses"}),
        ):
            self.refused("res.partner", "write", [partner.id], {"x_files": [command]})
            self.refused(
                "res.partner", "create", {"name": "Another", "x_files": [command]}
            )
        self.untouched(self.attachment.id)

    def drop_field(self, field_id):
        """Take the field away again."""
        self.cr.rollback()  # or its locks would be waited for
        self.env["ir.model.fields"].browse(field_id).unlink()
        self.cr.commit()

    def test_server_may(self):
        self.attachment.cloud_sync_status = "local"
        self.assertTrue(self.attachment.sync_to_cloud())

    @mute_logger("odoo.http", "odoo.addons.base.controllers.rpc")
    def test_grouping(self):
        """The views of the addon group by these: its people can, others can not."""
        fields = ("cloud_sync_status", "cloud_auth_id", "cloud_error_message")
        groups = {"user": True, "manager": True, None: False}
        for group, may in groups.items():
            person = self.make_user(
                "person",
                "base.group_user",
                *["cloud_storage.group_cloud_storage_%s" % group] if group else [],
            )
            for field in fields:
                with self.subTest(group=group, field=field):
                    files = self.env["ir.attachment"].with_user(person)
                    if may:
                        files.read_group([], [field], [field])
                    else:
                        with self.assertRaises(AccessError):
                            files.read_group([], [field], [field])

    def test_filters_are_no_oracle(self):
        """They are evaluated in superuser mode: their result is not for everybody."""
        self.config.model_config_ids.domain = "[('comment', 'like', 'secret')]"
        for group in ("base.group_portal", "base.group_user"):
            person = self.make_user("person", group)
            with self.subTest(group), self.assertRaises(AccessError):
                self.config.with_user(person).action_view_pending()

    def test_reading_secrets(self):
        self.attachment.cloud_upload_session = "https://secret"
        self.cr.commit()
        row = self.call("ir.attachment", "read", [self.attachment.id], ["cloud_upload_session"])
        self.assertFalse(row[0]["cloud_upload_session"])

    def test_link_to_another_file_shows_nothing(self):
        reader = self.make_user("reader", "base.group_user")
        self.victim.write({"res_model": "ir.cron", "res_id": 1})
        link = self.env["ir.attachment"].with_user(reader).create(
            {"name": "x", "type": "url", "url": self.victim.url}
        )
        answer = self.get("/web/content/%d" % link.id, reader)
        self.assertNotIn(b"secret", answer.content)
        self.assertFalse(link.raw)

    @mute_logger(
        "odoo.http",
        "odoo.addons.base.controllers.rpc",
        "odoo.addons.base.models.ir_attachment",
    )
    def test_onchange_with_forged_cloud_fields(self):
        """A virtual record fetches nothing that its user may not read."""
        victim = self.victim
        victim.write({"res_model": "ir.cron", "res_id": 1})
        sha1 = victim.checksum
        self.user = self.make_user(
            "employee", "base.group_user", "base.group_partner_manager"
        )
        values = {
            "name": "x",
            "cloud_file_id": victim.cloud_file_id,
            "cloud_md5": victim.cloud_md5,
            "cloud_size_bytes": victim.cloud_size_bytes,
            "cloud_auth_id": self.auth.id,
        }
        named = dict(values, store_fname="%s/%s" % (sha1[:2], sha1), checksum=sha1)
        local, remote = self.attachment, self.in_drive(b"of a partner")
        self.collect(remote)
        self.forget()
        for ids in ([], local.ids, remote.ids, victim.ids):
            for forged in (values, named):
                with self.subTest(ids=ids, forged=sorted(forged)):
                    answer = self.onchange(ids, forged)
                    self.assertNotIn("secret of", answer)
                    encoded = base64.b64encode(b"secret of somebody else").decode()
                    self.assertNotIn(encoded, answer)
        asked = [one["path"] for one in self.emulator.requests("files.media")]
        self.assertFalse([path for path in asked if victim.cloud_file_id in path])

    def onchange(self, ids, values):
        """What an onchange answers, or its refusal."""
        spec = {"cloud_file_id": "1", "raw": "", "datas": ""}
        try:
            answer = self.call(
                "ir.attachment", "onchange", ids, values, "cloud_file_id", spec
            )
        except xmlrpc.client.Fault as err:
            answer = err.faultString
        return str(answer)

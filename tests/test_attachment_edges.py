"""Attachments at the edges: damaged, lost, virtual, in old transactions, made by hand."""
import base64
import os
import uuid
import xmlrpc.client

from odoo.exceptions import AccessError, UserError
from odoo.tools import mute_logger

from ..drive import download
from ..models.ir_attachment_restore import PARTS
from ..models.ir_module_module import count_remote_files
from .common_content import ContentCase


class EdgeCase(ContentCase):
    """Shared helpers."""

    def rpc(self, user):
        """``execute(model, method, *args, **kwargs)`` over XML-RPC."""
        self.cr.commit()
        models = xmlrpc.client.ServerProxy(
            self.base + "/xmlrpc/2/object", allow_none=True
        )

        def execute(model, method, *args, **kwargs):
            return models.execute_kw(
                self.cr.dbname, user.id, user.login, model, method, args, kwargs
            )

        return execute


class TestDamage(EdgeCase):
    """No byte is ever lost, whatever became of the local ones."""

    def test_restore_with_trash_of_a_damaged_local_file(self):
        """Restore verifies the md5 before the copy in Drive goes."""
        content = uuid.uuid4().bytes * 100
        attachment = self.make_in("both", content)
        with open(self.local_path(attachment), "r+b") as file:
            file.truncate(10)
        run = self.env["cloud_storage.sync.service"]._create_run(
            self.config, "restore", ids=attachment.ids, trash=True
        )
        self.env["cloud_storage.sync.service"].automatic_sync()
        self.forget()
        self.assertEqual(run.state, "done", run.message)
        self.env["cloud_storage.trash"]._process()
        self.forget()
        self.assertEqual(attachment.raw, content)

    def test_restore_of_a_damaged_local_file(self):
        content = uuid.uuid4().bytes * 100
        attachment = self.make_in("both", content)
        with open(self.local_path(attachment), "r+b") as file:
            file.truncate(10)
        self.assertTrue(attachment.restore_from_cloud())
        self.forget()
        self.assertEqual(attachment.raw, content)

    def test_older_snapshot_after_release_and_collection(self):
        """A transaction that began before the release reads the bytes, or an error."""
        attachment = self.make_in("filestore", b"do not lose me")
        self.config.delete_local_after_sync = True
        self.cr.commit()
        with self.other_transaction() as env:
            old = env["ir.attachment"].browse(attachment.id)
            self.assertEqual(old.cloud_sync_status, "local")  # its snapshot begins
            self.assertTrue(attachment.sync_to_cloud())
            self.assertFalse(attachment._has_local_bytes())
            self.collect(attachment)
            try:
                copied = old.copy()
                env.cr.commit()
            except UserError:
                return
        self.fresh()
        self.assertEqual(copied.with_env(self.env).raw, b"do not lose me")

    def test_collection_while_a_restore_downloads(self):
        """The filestore's garbage collection leaves a restore alone."""
        attachment = self.in_drive(b"slowly" * 1000)
        genuine = download.save

        def slow(client, file_id, size, md5, target):
            genuine(client, file_id, size, md5, target)
            target.flush()
            with self.other_transaction() as env:
                env["ir.attachment"]._gc_file_store()

        download.save = slow
        try:
            self.assertTrue(attachment.restore_from_cloud())
        finally:
            download.save = genuine
        self.forget()
        self.assertEqual(attachment.raw, b"slowly" * 1000)

    def test_parts_of_crashed_restores_go(self):
        attachments = self.env["ir.attachment"]
        paths = [attachments._full_path("%s/%s" % (PARTS, age)) for age in ("old", "new")]
        os.makedirs(os.path.dirname(paths[0]), exist_ok=True)
        for path in paths:
            with open(path, "wb") as file:
                file.write(b"part")
        os.utime(paths[0], (0, 0))
        attachments._gc_cloud_parts()
        self.assertEqual([os.path.exists(path) for path in paths], [False, True])
        os.unlink(paths[1])

    def test_uninstall_counts_lost_local_files(self):
        """Refused while files live only in Drive."""
        attachment = self.make_in("both", uuid.uuid4().bytes)
        os.unlink(self.local_path(attachment))
        self.assertEqual(count_remote_files(self.cr)[0], 1)


class TestByHand(EdgeCase):
    """What people and Odoo's own forms write, and who may."""

    def test_new_content_with_its_type(self):
        """As the form of Odoo writes it: from URL to File, and a file."""
        attachment = self.in_drive()
        attachment.write({"type": "binary", "datas": base64.b64encode(b"new")})
        self.cr.commit()
        self.assertEqual(attachment.cloud_sync_status, "local")
        self.assertEqual((attachment.type, attachment.url), ("binary", False))

    def test_new_content_with_its_type_by_an_employee(self):
        user = self.make_user(
            "employee", "base.group_user", "base.group_partner_manager"
        )
        attachment = self.in_drive()
        mine = attachment.with_user(user)
        mine.write({"type": "binary", "datas": base64.b64encode(b"new")})
        self.assertEqual(attachment.raw, b"new")

    def row(self, attachment):
        """Type and address as they are in the database."""
        attachment.flush()
        self.cr.execute(
            "SELECT type, url FROM ir_attachment WHERE id = %s", (attachment.id,)
        )
        return self.cr.fetchone()

    def test_type_by_hand(self):
        attachment = self.in_drive()
        attachment.write({"type": "binary"})
        self.cr.commit()
        self.assertEqual(
            self.row(attachment),
            ("url", "/cloud_storage/file/%d" % attachment.id),
        )

    def test_record_rules_hold_for_moves(self):
        """Who may write the attachment may do it: record rules on it count."""
        self.env["ir.rule"].create(
            {
                "name": "frozen",
                "model_id": self.env.ref("base.model_ir_attachment").id,
                "domain_force": "[('name', '!=', 'frozen.txt')]",
                "perm_read": False,
                "perm_create": False,
                "perm_unlink": False,
            }
        )
        self.addCleanup(self.drop_rule)
        user = self.make_user(
            "employee", "base.group_user", "base.group_partner_manager"
        )
        there = self.in_drive(name="frozen.txt")
        here = self.make_in("filestore", name="frozen.txt")
        self.cr.commit()
        with self.assertRaises(AccessError):
            there.with_user(user).write({"description": "x"})
        for file, method in ((there, "restore_from_cloud"), (here, "sync_to_cloud")):
            with self.subTest(method=method), self.assertRaises(AccessError):
                getattr(file.with_user(user), method)()

    def drop_rule(self):
        with self.other_transaction() as env:
            env["ir.rule"].search([("name", "=", "frozen")]).unlink()
            env.cr.commit()

    def test_link_that_a_person_made(self):
        """An attachment that never went to the cloud stays as it is."""
        attachment = self.in_drive()
        link = self.env["ir.attachment"].create(
            {"name": "see there", "type": "url", "url": attachment.url}
        )
        self.cr.commit()
        self.env["cloud_storage.sync.service"].reconcile_cloud_references()
        self.fresh()
        self.assertEqual((link.type, link.url), ("url", attachment.url))


class TestVirtual(EdgeCase):
    """Onchanges work on virtual copies of records."""

    def test_virtual_record_of_a_cloud_file(self):
        """Onchanges work on virtual copies of records."""
        attachment = self.in_drive(b"four words of text")
        virtual = attachment.new(origin=attachment)
        self.assertEqual(virtual.raw, b"four words of text")

    @mute_logger("odoo.http", "odoo.addons.base.controllers.rpc")
    def test_onchange_with_forged_cloud_fields(self):
        """A virtual record must not fetch what its user may not read."""
        victim = self.in_drive(b"secret of somebody else")
        victim.write({"res_model": "ir.cron", "res_id": 1})
        self.cr.commit()
        user = self.make_user("employee", "base.group_user")
        ask = self.rpc(user)
        values = {
            "name": "x",
            "cloud_file_id": victim.cloud_file_id,
            "cloud_md5": victim.cloud_md5,
            "cloud_size_bytes": victim.cloud_size_bytes,
            "cloud_auth_id": self.auth.id,
        }
        self.emulator.clear_requests()
        try:
            answer = ask(
                "ir.attachment",
                "onchange",
                [],
                values,
                "cloud_file_id",
                {"cloud_file_id": "1", "raw": "", "datas": ""},
            )
        except xmlrpc.client.Fault as err:
            answer = err.faultString
        self.assertNotIn("secret of", str(answer))
        self.assertNotIn(base64.b64encode(b"secret of somebody else").decode(), str(answer))
        self.assertEqual(self.downloads(), 0, answer)

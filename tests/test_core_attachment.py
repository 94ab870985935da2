"""Odoo's own tests of attachments: as they are, and with every file in the cloud."""
import hashlib

from odoo import api
from odoo.tests.common import TransactionCase, tagged

from odoo.addons.base.tests import test_image, test_ir_attachment, test_ir_http
from odoo.addons.web.tests import test_image as test_web_image

from ..engine import release
from ..engine.content.attachments import drop_bytes
from .common import ENDPOINTS, the_emulator


class DemoUser(TransactionCase):
    """What Odoo's tests take from its demo data."""

    def setUp(self):
        super().setUp()
        if self.env.ref("base.user_demo", False):
            return
        names = {"name": "Marc Demo", "login": "demo"}
        groups = [self.env.ref("base.group_user").id]
        groups.append(self.env.ref("base.group_partner_manager").id)
        user = self.env["res.users"].create(dict(names, groups_id=[(6, 0, groups)]))
        self.env["ir.model.data"].create(
            {
                "module": "base",
                "name": "user_demo",
                "model": "res.users",
                "res_id": user.id,
                "noupdate": True,
            }
        )


def permissions(base):
    """The bases of a class with Odoo's tests of permissions; Odoo 14 has none."""
    found = getattr(test_ir_attachment, "TestPermissions", None)
    return (found, base) if found else (base,)


@tagged("-at_install", "post_install")
class TestCoreAttachment(test_ir_attachment.TestIrAttachment, DemoUser):
    """Unchanged, with the addon installed."""


@tagged("-at_install", "post_install")
class TestCorePermissions(*permissions(DemoUser)):
    """Unchanged, with the addon installed."""


@tagged("-at_install", "post_install")
class TestCoreHttp(test_ir_http.test_ir_http_mimetype, DemoUser):
    """Unchanged, with the addon installed."""


@tagged("-at_install", "post_install")
class TestCoreImage(test_image.TestImage, DemoUser):
    """Unchanged, with the addon installed."""


@tagged("-at_install", "post_install")
class TestCoreWebImage(test_web_image.TestImage, DemoUser):
    """Unchanged, with the addon installed."""


class EverythingInDrive(DemoUser):
    """What is created is in Drive, and only there, before anybody reads it.

    All in the transaction of the test: the bytes go to Drive by the back door, the row
    becomes what the engine would make of it, and the engine releases the local bytes.
    """

    def setUp(self):
        super().setUp()
        self.emulator = the_emulator()
        self.emulator.reset()
        self.grant = self.emulator.grant()
        parameters = self.env["ir.config_parameter"].sudo()
        for key, path in ENDPOINTS.items():
            parameters.set_param(key, self.emulator.url.rstrip("/") + path)
        account = self.env["cloud_storage.auth"].create(
            {"name": "Everything", "client_id": self.grant["client_id"]}
        )
        account.write(
            {
                "access_token": self.grant["access_token"],
                "refresh_token": self.grant["refresh_token"],
                "token_expiry": "2099-01-01 00:00:00",
                "state": "authorized",
            }
        )
        self.account_id = account.id
        self.offloaded = set()
        self._offload_what_is_created()
        self.env["ir.attachment"]._clear_cloud_cache()

    def _offload_what_is_created(self):
        test, model = self, type(self.env["ir.attachment"])
        original = model.create

        @api.model_create_multi
        def create(self, vals_list):
            attachments = original(self, vals_list)
            for attachment in attachments.sudo():
                test.offload(attachment)
            return attachments

        self.patch(model, "create", create)

    def offload(self, attachment):
        """Move the bytes to Drive."""
        content = attachment.raw
        if not content or attachment.url or (attachment.res_model or "").startswith("ir."):
            return
        drive_id = self.emulator.put_file(
            attachment.name,
            content,
            client_id=self.grant["client_id"],
            owner="admin@example.com",
        )
        attachment.flush()
        self.env.cr.execute(
            "UPDATE ir_attachment SET cloud_sync_status = 'synced', cloud_file_id = %s,"
            " cloud_md5 = %s, cloud_size_bytes = %s, cloud_auth_id = %s WHERE id = %s",
            (
                drive_id,
                hashlib.md5(content).hexdigest(),
                len(content),
                self.account_id,
                attachment.id,
            ),
        )
        attachment.invalidate_cache()
        rows = release._copies(attachment.env, "id = %s", [attachment.id])
        measured = [release._measured(attachment.env, row) for row in rows]
        drop_bytes(attachment.env, measured)
        self.offloaded.add(attachment.id)


@tagged("-at_install", "post_install")
class TestDriveAttachment(test_ir_attachment.TestIrAttachment, EverythingInDrive):
    """With every file in Drive.

    Left out is what looks for the file in the filestore rather than for its content.
    """

    test_01_store_in_db = None
    test_02_store_on_disk = None
    test_04_keep_file = None
    test_05_change_data_change_file = None
    test_11_copy = None  # its contents are compared in test_content_matrix

    def test_files_really_left(self):
        attachment = self.Attachment.create({"name": "a", "raw": self.blob1})
        self.assertIn(attachment.id, self.offloaded)
        self.assertFalse(attachment.store_fname or attachment.db_datas)
        self.assertEqual(attachment.raw, self.blob1)


@tagged("-at_install", "post_install")
class TestDrivePermissions(*permissions(EverythingInDrive)):
    """With every file in Drive."""


@tagged("-at_install", "post_install")
class TestDriveHttp(test_ir_http.test_ir_http_mimetype, EverythingInDrive):
    """With every file in Drive."""


@tagged("-at_install", "post_install")
class TestDriveWebImage(test_web_image.TestImage, EverythingInDrive):
    """With every file in Drive."""

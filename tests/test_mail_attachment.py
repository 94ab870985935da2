from odoo.exceptions import ValidationError

from ..engine.outbox.deliver import deliver
from .common_content import ContentCase
from .mailbox import Mailbox


class TestMailAttachment(ContentCase):
    """Messages with attachments that are in the cloud."""

    def setUp(self):
        super().setUp()
        if "mail.mail" not in self.env:
            self.skipTest("the module mail is not installed")
        self.partner = self.env["res.partner"].create(
            {"name": "Reads Mail", "email": "reader@example.com"}
        )
        self.mailbox = Mailbox()
        self.addCleanup(self.mailbox.stop)
        server = self.env["ir.mail_server"].create(
            {"name": "Here", "smtp_host": "127.0.0.1", "smtp_port": self.mailbox.port,
             "smtp_encryption": "none", "sequence": -1}
        )
        self.addCleanup(self.drop_server, server.id)
        self.cr.commit()

    def test_nobody_reads_mails_by_a_rule(self):
        """A mail holds the link that resets a password: guessed letter by letter."""
        manager = self.make_user("boss", "cloud_storage.group_cloud_storage_manager")
        mail = self.env["mail.mail"].create(
            {"subject": "Reset", "body_html": "token=abc", "email_to": "x@example.com"}
        )
        self.make_attachment(model="mail.mail", res_id=mail.id)
        values = {
            "config_id": self.config.id,
            "model_name": "mail.mail",
            "domain": "[('body_html', 'like', 'token=a')]",
        }
        rules = self.env["cloud_storage.model.config"]
        with self.assertRaises(ValidationError), self.cr.savepoint():
            rules.with_user(manager).create(values)
        rules.create(values)
        config = self.config.with_user(manager)
        domain = config.action_view_pending()["domain"]
        found = self.env["ir.attachment"].with_user(manager).search(domain)
        self.assertNotIn("mail.mail", found.mapped("res_model"))
        mail.unlink()

    def drop_server(self, server_id):
        """Forget the mail server."""
        with self.other_transaction() as env:
            env["mail.mail"].search([("email_to", "=", "reader@example.com")]).unlink()
            env["ir.mail_server"].browse(server_id).unlink()
            env.cr.commit()

    def send(self, mail):
        """Send for real: Odoo sends nothing from the thread of a test."""
        self.cr.commit()

        def work():
            with self.other_transaction() as env:
                env["mail.mail"].browse(mail.id).send(raise_exception=True)
                env.cr.commit()

        with self.in_thread(work):
            pass
        return self.mailbox.messages[-1]

    def make_mail(self, *attachments):
        """A mail with these attachments, ready to go."""
        return self.env["mail.mail"].create(
            {
                "subject": "Files",
                "body_html": "<p>Here they are</p>",
                "email_from": "sender@example.com",
                "email_to": "reader@example.com",
                "auto_delete": False,
                "attachment_ids": [(6, 0, [a.id for a in attachments])],
            }
        )

    def test_mail_carries_the_bytes(self):
        content = bytes(range(256)) * 100
        files = [
            self.in_drive(content, name="Größe «日本».bin"),
            self.make_in("filestore", b"local one", name="local.txt"),
        ]
        message = self.send(self.make_mail(*files))
        found = {
            part.get_filename(): part.get_payload(decode=True)
            for part in message.iter_attachments()
        }
        self.assertEqual(found, {"Größe «日本».bin": content, "local.txt": b"local one"})

    def test_message_in_the_chatter(self):
        attachment = self.in_drive(b"in the chatter", name="chat.txt")
        attachment.write({"res_model": "mail.compose.message", "res_id": 0})
        message = self.partner.message_post(body="See", attachment_ids=attachment.ids)
        self.assertEqual(message.attachment_ids, attachment)
        self.assertEqual(
            (attachment.res_model, attachment.res_id), ("res.partner", self.partner.id)
        )
        self.assertEqual(attachment.cloud_sync_status, "synced")
        self.assertEqual(attachment.raw, b"in the chatter")
        self.forget()
        self.assertTrue(message.message_format())
        self.assertEqual(self.emulator.count(), 0)
        message.unlink()
        self.cr.commit()
        if not attachment.exists():
            self.assertEqual(deliver(self.env), 1)

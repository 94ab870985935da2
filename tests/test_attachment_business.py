import base64
import io
import os
import zipfile
from collections import OrderedDict

from PyPDF2 import PdfFileReader, PdfFileWriter

from odoo.tools.pdf import merge_pdf

from .common_content import ContentCase


class TestAttachmentBusiness(ContentCase):
    """Code that never heard of the cloud goes on working with files that are there."""

    def pdf_in_drive(self, number):
        """A PDF of one page, different for each number, in Drive only."""
        writer, target = PdfFileWriter(), io.BytesIO()
        writer.addBlankPage(width=100 + number, height=100)
        writer.write(target)
        return self.in_drive(target.getvalue(), name="page%d.pdf" % number)

    def assertPages(self, content, count):
        """The content is a PDF with so many pages."""
        self.assertEqual(PdfFileReader(io.BytesIO(content)).getNumPages(), count)

    def test_merge_pdf(self):
        files = [self.pdf_in_drive(number) for number in range(3)]
        self.assertPages(merge_pdf([file.raw for file in files]), 3)

    def test_reports_saved_as_attachments(self):
        files = [self.pdf_in_drive(number) for number in range(2)]
        report = self.env["ir.actions.report"].create(
            {
                "name": "Saved",
                "model": "res.partner",
                "report_type": "qweb-pdf",
                "report_name": "base.report_irmodulereference",
                "attachment_use": True,
            }
        )
        partner = self.env.ref("base.main_partner")
        report.attachment = repr(files[0].name)
        self.assertEqual(report.retrieve_attachment(partner), files[0])
        streams = OrderedDict(
            (file.id, io.BytesIO(base64.b64decode(file.datas))) for file in files
        )
        self.assertPages(report._post_pdf(streams, pdf_content=None), 2)
        if hasattr(report, "_retrieve_stream_from_attachment"):
            stream = report._retrieve_stream_from_attachment(files[1])
            self.assertPages(stream.getvalue(), 1)

    def test_zip(self):
        contents = {"a.txt": b"one", "Größe.txt": b"two", "empty.txt": b""}
        files = self.env["ir.attachment"].union(
            *(self.in_drive(content, name=name) for name, content in contents.items())
        )
        target = io.BytesIO()
        with zipfile.ZipFile(target, "w") as archive:
            for attachment in files:
                archive.writestr(attachment.name, base64.b64decode(attachment.datas))
        with zipfile.ZipFile(target) as archive:
            found = {name: archive.read(name) for name in archive.namelist()}
        self.assertEqual(found, contents)

    def test_copy_of_a_record_with_an_image(self):
        self.config.model_config_ids = [
            (0, 0, {"model_name": "res.partner", "attachment_field": "image_1920"})
        ]
        content = SMALL_PNG
        partner = self.env["res.partner"].create({"name": "One", "image_1920": content})
        original = self.env["ir.attachment"].search(
            [("res_field", "=", "image_1920"), ("res_id", "=", partner.id)]
        )
        self.config.delete_local_after_sync = True
        self.assertTrue(original.sync_to_cloud(), self.why(original))
        self.forget()
        self.assertEqual(partner.copy().image_1920, partner.image_1920)

    def test_export_and_import_back(self):
        attachment = self.in_drive(os.urandom(3000))
        rows = attachment.export_data(["name", "datas"])["datas"]
        result = self.env["ir.attachment"].load(["name", "datas"], rows)
        self.assertTrue(result["ids"], result["messages"])
        again = self.env["ir.attachment"].browse(result["ids"])
        self.assertEqual(again.raw, attachment.raw)


SMALL_PNG = (
    b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJ"
    b"RU5ErkJggg=="
)

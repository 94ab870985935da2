import json
import struct
import time

from .common_browser import BrowserCase
from .common_proxy import PATH, ProxyCase, make_content

MB = 1024 * 1024
PAGES = 60
PDF_TEXT = "BT /F1 24 Tf 50 700 Td (This is page %d) Tj ET\n"
PDF_JS = "/web/static/lib/pdfjs/build/pdf.js"
WAV_RATE = 44100 * 4  # bytes per second: two channels of 16 bits
SECONDS = 340


def make_pdf(pages=PAGES, page_size=MB):
    """A PDF whose pages are long, with the table of its objects at the end."""
    kids = " ".join("%d 0 R" % (4 + 2 * number) for number in range(pages))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids.encode(), pages),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    ]
    padding = b"%" + b"x" * 78 + b"\n"
    for number in range(pages):
        drawn = (PDF_TEXT % (number + 1)).encode()
        drawn += padding * (page_size // len(padding))
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents %d 0 R"
            b" /Resources << /Font << /F1 3 0 R >> >> >>" % (5 + 2 * number)
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn))
    return _with_table(objects)


def _with_table(objects):
    document, offsets = bytearray(b"%PDF-1.4\n"), []
    for number, content in enumerate(objects, 1):
        offsets.append(len(document))
        document += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start, count = len(document), len(objects) + 1
    document += b"xref\n0 %d\n0000000000 65535 f \n" % count
    for offset in offsets:
        document += b"%010d 00000 n \n" % offset
    document += b"trailer\n<< /Size %d /Root 1 0 R >>\n" % count
    document += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(document)


def make_wav(seconds=SECONDS):
    """Sound without compression: each second is at a known place."""
    size = seconds * WAV_RATE
    head = struct.pack("<4sI4s4sI", b"RIFF", 36 + size, b"WAVE", b"fmt ", 16)
    head += struct.pack("<HHIIHH4sI", 1, 2, 44100, WAV_RATE, 4, 16, b"data", size)
    return head + make_content(MB) * (size // MB) + bytes(size % MB)


class TestBrowserProxy(ProxyCase, BrowserCase):
    """What browsers make of it."""

    def setUp(self):
        super().setUp()
        self.reader = self.make_user("reader", "base.group_user").login

    def run_script(self, script):
        """Run JavaScript that sets ``window.result``; return that."""
        self.js("{window.result = undefined; %s}" % script)
        self.wait("window.result !== undefined")
        return self.js("window.result")

    def make_file(self, content, name, mimetype):
        attachment = self.make_cloud_file(content, name=name)
        sql = "UPDATE ir_attachment SET mimetype = %s WHERE id = %s"
        self.cr.execute(sql, (mimetype, attachment.id))
        self.cr.commit()
        return attachment

    def test_video_seeks(self):
        content = make_wav()
        attachment = self.make_file(content, "sound.wav", "audio/wav")
        self.open("/web", self.reader)
        duration = self.run_script(
            """
            window.video = document.createElement("video");
            video.preload = "auto";
            video.onerror = () => window.result = "error " + video.error.message;
            video.onloadedmetadata = () => window.result = video.duration;
            video.src = %s;
            document.body.appendChild(video);
            """
            % json.dumps(PATH % attachment.id)
        )
        self.assertEqual(round(duration), SECONDS)
        for position in (300, 120):
            reached = self.run_script(
                "video.onseeked = () => window.result = video.currentTime;"
                "video.currentTime = %d" % position
            )
            self.assertEqual(round(reached), position)
        self.js("{video.removeAttribute('src'); video.load()}")
        self.assertLess(self.emulator.bytes_out(), len(content) * 2 // 3)
        self.assertGreater(self.emulator.count("files.media"), 1)

    def test_pdf_viewer_turns_pages(self):
        content = make_pdf()
        attachment = self.make_file(content, "book.pdf", "application/pdf")
        self.open("/web", self.reader)
        found = self.run_script(
            """
            const script = document.createElement("script");
            script.src = %s;
            script.onload = async () => {
                const pdfjs = window.pdfjsLib || window["pdfjs-dist/build/pdf"];
                pdfjs.GlobalWorkerOptions.workerSrc =
                    script.src.replace("pdf.js", "pdf.worker.js");
                window.book = await pdfjs.getDocument({
                    url: %s, disableAutoFetch: true, disableStream: true,
                }).promise;
                window.result = book.numPages;
            };
            document.head.appendChild(script);
            """
            % (json.dumps(PDF_JS), json.dumps(PATH % attachment.id))
        )
        self.assertEqual(found, PAGES)
        for number in (50, 7, PAGES):
            text = self.run_script(
                """
                book.getPage(%d).then(async (page) => {
                    const text = await page.getTextContent();
                    window.result = text.items.map((item) => item.str).join("");
                });
                """
                % number
            )
            self.assertEqual(text, "This is page %d" % number)
        self.assertLess(self.emulator.bytes_out(), len(content) * 2 // 3)
        self.assertGreater(self.emulator.count("files.media"), 3)

    def test_active_content_does_not_run(self):
        script = b"top.caught = true; window.caught = true"
        page = self.make_file(
            b"<html><script>%s</script>" % script, "page.html", "text/html"
        )
        picture = self.make_file(
            b'<svg xmlns="http://www.w3.org/2000/svg"><script>%s</script></svg>'
            % script,
            "picture.svg",
            "image/svg+xml",
        )
        code = self.make_file(script, "code.js", "application/javascript")
        text = self.make_file(script, "code.txt", "text/plain")
        self.open("/web", self.reader)
        for attachment in (page, picture):
            self.js(
                "{const frame = document.createElement('iframe'); frame.src = %s;"
                " document.body.appendChild(frame)}" % json.dumps(PATH % attachment.id)
            )
        for attachment in (code, text):
            outcome = self.run_script(
                "const script = document.createElement('script'); script.src = %s;"
                " script.onload = () => window.result = 'ran';"
                " script.onerror = () => window.result = 'refused';"
                " document.body.appendChild(script)" % json.dumps(PATH % attachment.id)
            )
            self.assertEqual(outcome, "refused")
        deadline = time.monotonic() + 60
        while self.emulator.count("files.media") < 3 and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(0.5)  # what was going to run has run by now
        self.assertFalse(self.js("Boolean(window.caught)"))

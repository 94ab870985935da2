"""Real files of many kinds for the demo."""
import collections
import csv
import io
import json
import random
import wave
import zipfile

import xlsxwriter
from PIL import Image, ImageDraw
from reportlab.pdfgen import canvas

# ``reason`` tells why a file must stay, and is empty for the others
Sample = collections.namedtuple("Sample", "name content model reason")
Sample.__new__.__defaults__ = ("",)

SEED = 15
MODELS = ("res.partner", "res.company", "res.bank")
NASTY_NAME = "Müller & Söhne “Angebot” 'Nr. 7' \"final\" 🚀 été 報價.pdf"
BIG_SECONDS = 190  # of mono sound, 32 MiB
RATE = 88200  # samples per second, 2 bytes each
DOCX_PARTS = {
    "[Content_Types].xml": (
        '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType='
        '"application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/word/document.xml" ContentType="application/'
        'vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/>'
        "</Types>"
    ),
    "_rels/.rels": (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/'
        'relationships"><Relationship Id="r1" Target="word/document.xml" Type='
        '"http://schemas.openxmlformats.org/officeDocument/2006/relationships/'
        'officeDocument"/></Relationships>'
    ),
    "word/document.xml": (
        '<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/'
        '2006/main"><w:body><w:p><w:r><w:t>%s</w:t></w:r></w:p></w:body></w:document>'
    ),
}


def pdf(title, rng):
    """A document of a few pages."""
    buffer = io.BytesIO()
    page = canvas.Canvas(buffer, invariant=1)
    for number in range(rng.randint(1, 12)):
        page.drawString(72, 760, "%s, page %d" % (title, number + 1))
        for line in range(40):
            page.drawString(72, 740 - 16 * line, "%032x" % rng.getrandbits(128))
        page.showPage()
    page.save()
    return buffer.getvalue()


def _picture(kind):
    def make(title, rng):
        """A picture with a title; small enough that Odoo does not shrink it."""
        size = (rng.randint(200, 900), rng.randint(200, 700))
        image = Image.effect_noise(size, 60).convert("RGB")
        image.paste(tuple(rng.randrange(256) for _ in range(3)), (0, 0, size[0], 40))
        ImageDraw.Draw(image).text((10, 10), title, fill="white")
        buffer = io.BytesIO()
        image.save(buffer, kind)
        return buffer.getvalue()

    return make


def xlsx(title, rng):
    """A workbook with numbers and a sum."""
    buffer = io.BytesIO()
    book = xlsxwriter.Workbook(buffer, {"in_memory": True})
    sheet = book.add_worksheet("Numbers")
    sheet.write(0, 0, title)
    for row in range(rng.randint(50, 500)):
        sheet.write_row(row + 1, 0, [row, rng.random(), rng.randrange(10**6)])
    sheet.write_formula(0, 1, "=SUM(B2:B500)")
    book.close()
    return buffer.getvalue()


def docx(title, _rng):
    """The smallest document a word processor opens."""
    return _zip({n: t.replace("%s", title) for n, t in DOCX_PARTS.items()})


def txt(title, rng):
    """Lines of text."""
    count = rng.randint(9, 999)
    lines = ["%s %08x" % (title, rng.getrandbits(32)) for _ in range(count)]
    return "\n".join(lines).encode()


def table(title, rng):
    """Comma-separated values."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(["title", "number", "share"])
    for number in range(rng.randint(20, 2000)):
        writer.writerow([title, number, "%.4f" % rng.random()])
    return buffer.getvalue().encode()


def document(title, rng):
    """A JSON document."""
    content = {"title": title, "values": rng.sample(range(10**6), 300)}
    return json.dumps(content).encode()


def archive(title, rng):
    """An archive of two text files."""
    return _zip({"a.txt": txt(title, rng).decode(), "ü.txt": title[::-1]})


def _zip(parts):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in parts.items():
            packed.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


def sound(seconds, rng):
    """A recording of noise that does not compress."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as recording:
        recording.setnchannels(1)
        recording.setsampwidth(2)
        recording.setframerate(RATE)
        frames = seconds * RATE
        recording.writeframes(rng.getrandbits(16 * frames).to_bytes(2 * frames, "big"))
    return buffer.getvalue()


KINDS = {
    "pdf": pdf,
    "jpg": _picture("JPEG"),
    "png": _picture("PNG"),
    "gif": _picture("GIF"),
    "xlsx": xlsx,
    "docx": docx,
    "txt": txt,
    "csv": table,
    "json": document,
    "zip": archive,
}
EXTENSIONS = (*KINDS, "wav")


def samples():
    """What the demo attaches: files that must go and files that must stay.

    :rtype: list
    """
    rng = random.Random(SEED)
    made = []
    for number in range(4):
        for index, (extension, make) in enumerate(KINDS.items()):
            title = "Sample %s %d" % (extension, number + 1)
            model = MODELS[(number + index) % len(MODELS)]
            made.append(Sample("%s.%s" % (title, extension), make(title, rng), model))
    first = made[0].content
    made += [
        Sample(NASTY_NAME, pdf("A name with everything", rng), "res.partner"),
        Sample("empty.txt", b"", "res.partner"),
        Sample("recording.wav", sound(BIG_SECONDS, rng), "res.company"),
        Sample("copy of the first.pdf", first, "res.bank"),
        Sample("CAPITALS.PDF", first, "res.company"),
    ]
    return made + [
        Sample("database.bak", txt("wrong extension", rng), "res.partner", "extension"),
        Sample("no extension", txt("no extension", rng), "res.partner", "extension"),
        Sample("country.pdf", pdf("wrong model", rng), "res.country", "model"),
        Sample("web.assets.txt", txt("an asset", rng), "ir.ui.view", "asset"),
    ]

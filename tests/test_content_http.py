import base64
import io
from urllib.parse import parse_qs, urlsplit

from PIL import Image

from ..engine.local_files import is_here
from ..engine.reader import preview
from .common_content import ContentCase, picture


class TestWebContent(ContentCase):
    """``/web/content``: local bytes as ever, the rest by way of the proxy."""

    def redirect(self, path, user=None, status=302):
        """Where ``path`` leads; never for ever."""
        answer = self.get(path, user, follow=False)
        self.assertEqual(answer.status_code, status)
        url = urlsplit(answer.headers["Location"])
        query = {key: values[0] for key, values in parse_qs(url.query).items()}
        return url.path, query

    def test_redirect(self):
        attachment = self.in_drive(b"away", public=True)
        proxy = "/cloud_storage/file/%d" % attachment.id
        path = "/web/content/%d" % attachment.id
        self.assertEqual(self.redirect(path), (proxy, {}))
        self.assertEqual(
            self.redirect(path + "?download=true"), (proxy, {"download": "true"})
        )
        self.assertEqual(
            self.redirect(path + "/new%20name.txt?unique=1"),
            (proxy, {"filename": "new name.txt"}),
        )
        same = ("/web/content/ir.attachment/%d/datas", "/web/content?id=%d&field=raw")
        for path in same:
            self.assertEqual(self.redirect(path % attachment.id)[0], proxy)
        answer = self.get("/web/content/%d?download=true" % attachment.id)
        self.assertEqual(answer.content, b"away")
        self.assertIn("attachment", answer.headers["Content-Disposition"])

    def test_access(self):
        attachment = self.in_drive(b"private")
        token = attachment.generate_access_token()[0]
        path = "/web/content/%d" % attachment.id
        self.assertEqual(self.get(path, follow=False).status_code, 404)
        wrong = path + "?access_token=wrong"
        self.assertEqual(self.get(wrong, follow=False).status_code, 404)
        right = "%s?access_token=%s" % (path, token)
        self.assertEqual(self.redirect(right)[1], {"access_token": token})
        self.assertEqual(self.get(right).content, b"private")
        portal = self.make_user("portal", "base.group_portal")
        self.assertNotEqual(self.get(path, portal, follow=False).status_code, 200)
        employee = self.make_user("employee", "base.group_user")
        self.assertEqual(self.get(path, employee).content, b"private")

    def test_local_bytes_are_served_as_without_the_addon(self):
        attachment = self.make_in("both", b"still here", public=True, name="here.txt")
        self.assertEqual(attachment.type, "url")
        plain = self.make_in("filestore", b"still here", public=True, name="here.txt")
        path = "/web/content/%d?download=true"
        ours, odoos = (self.get(path % a.id, follow=False) for a in (attachment, plain))
        self.assertEqual(ours.status_code, 200)
        self.assertEqual(ours.content, odoos.content)
        kept = ("Content-Type", "Content-Disposition", "ETag", "Cache-Control")
        for header in kept:
            self.assertEqual(ours.headers.get(header), odoos.headers.get(header))
        self.assertEqual(self.downloads(), 0)

    def test_restored_is_served_again(self):
        attachment = self.in_drive(b"back", public=True)
        self.redirect("/web/content/%d" % attachment.id)
        attachment.restore_from_cloud()
        answer = self.get("/web/content/%d" % attachment.id, follow=False)
        self.assertEqual((answer.status_code, answer.content), (200, b"back"))

    def test_other_links_are_none_of_ours(self):
        link = self.env["ir.attachment"].create(
            {"name": "x", "type": "url", "url": "/elsewhere", "public": True}
        )
        self.assertEqual(
            self.redirect("/web/content/%d" % link.id, status=301), ("/elsewhere", {})
        )

    def test_other_callers_get_bytes(self):
        attachment = self.in_drive(b"bytes")
        status, headers, content = self.env["ir.http"].binary_content(id=attachment.id)
        self.assertEqual((status, base64.b64decode(content)), (200, b"bytes"))
        self.assertEqual(dict(headers)["Content-Type"], "text/plain")

    def test_failures_have_a_status(self):
        attachment = self.in_drive(picture(), name="a.png", public=True)
        self.emulator.fault("files.media", times=-1, status=503)
        self.env["ir.attachment"]._clear_cloud_cache()
        answer = self.get("/web/image/%d" % attachment.id)
        self.assertEqual(answer.status_code, 503)
        self.assertIn("Retry-After", answer.headers)
        self.emulator.clear_faults()
        self.breaker.success()
        self.emulator.remove_file(attachment.cloud_file_id)
        self.assertEqual(self.get("/web/image/%d" % attachment.id).status_code, 404)


class TestWebImage(ContentCase):
    """``/web/image``: the same pixels as if the image had stayed."""

    def both(self, path, **vals):
        """What a local image and one in Drive give for ``path``."""
        content = picture(800, 300)
        local = self.make_in("filestore", content, name="p.png", public=True)
        cloud = self.in_drive(content, name="p.png", public=True)
        found = []
        for attachment in (local, cloud):
            answer = self.get(path % attachment.id)
            self.assertEqual(answer.status_code, 200)
            found.append(answer)
        return found

    def test_same_as_local(self):
        sizes = ("", "/400x400", "/0x50", "/128x128", "/256x256", "/64x64?crop=1",
                 "/100x100?quality=60", "/x?width=500&height=100")
        for size in sizes:
            with self.subTest(size=size):
                local, cloud = self.both("/web/image/%d" + size)
                self.assertEqual(cloud.content, local.content)
                self.assertEqual(cloud.headers["ETag"], local.headers["ETag"])

    def test_small_ones_ask_drive_nothing(self):
        attachment = self.in_drive(picture(), name="p.png", public=True)
        # as after the memory of every process and the whole contents went
        cache = self.env["ir.attachment"]._disk_cache()
        content = self.emulator.content(attachment.cloud_file_id)
        preview.make_thumbnails(attachment, content)
        self.assertFalse(cache.read(attachment.cloud_sha1))
        for size, expected in (("128x128", (128, 64)), ("256x256", (256, 128)),
                               ("64x64", (64, 32)), ("200x100", (200, 100))):
            answer = self.get("/web/image/%d/%s" % (attachment.id, size))
            image = Image.open(io.BytesIO(answer.content))
            self.assertEqual(image.size, expected)
        self.assertEqual(self.downloads(), 0)

    def test_made_when_an_image_leaves(self):
        attachment = self.make_in("filestore", picture(), name="p.png", public=True)
        self.config.delete_local_after_sync = True
        self.assertTrue(attachment.sync_to_cloud())
        self.cr.commit()
        self.emulator.clear_requests()
        for side in (128, 256):
            answer = self.get("/web/image/%d/%dx%d" % (attachment.id, side, side))
            self.assertEqual(Image.open(io.BytesIO(answer.content)).size[0], side)
        self.assertEqual(self.downloads(), 0)

    def test_lost_ones_are_made_again_once(self):
        attachment = self.in_drive(picture(), name="p.png", public=True)
        for _turn in range(2):
            answer = self.get("/web/image/%d/128x128" % attachment.id)
            self.assertEqual(Image.open(io.BytesIO(answer.content)).size, (128, 64))
        self.assertEqual(self.downloads(), 1)

    def test_what_is_no_picture(self):
        answers = []
        for place in ("filestore", "drive"):
            attachment = self.make_in(place, b"no image", name="x.bin", public=True)
            attachment.flush()
            self.cr.execute(
                "UPDATE ir_attachment SET mimetype = 'image/png' WHERE id = %s",
                (attachment.id,),
            )
            answers.append(self.get("/web/image/%d/128x128" % attachment.id).status_code)
        self.assertEqual(answers[0], answers[1])

    def test_binary_field_in_drive(self):
        self.config.model_config_ids = [
            (0, 0, {"model_name": "res.partner", "attachment_field": "image_1920"})
        ]
        content = picture(800, 300)
        partner = self.env["res.partner"].create(
            {"name": "Pictured", "image_1920": base64.b64encode(content)}
        )
        original = self.env["ir.attachment"].search(
            [("res_model", "=", "res.partner"), ("res_id", "=", partner.id),
             ("res_field", "=", "image_1920")]
        )
        user = self.make_user("viewer", "base.group_user")
        path = "/web/image/res.partner/%d/" % partner.id
        fields = ("image_1920", "image_128", "avatar_128", "image_1920/128x128")
        before = [self.get(path + field, user).content for field in fields]
        self.config.delete_local_after_sync = True
        self.assertTrue(original.sync_to_cloud(), self.why(original))
        self.assertFalse(is_here(original))
        self.cr.commit()
        self.emulator.clear_requests()
        after = [self.get(path + field, user).content for field in fields[1:]]
        self.assertEqual(after, before[1:])
        self.assertEqual(self.downloads(), 0)
        self.assertEqual(self.get(path + "image_1920", user).content, before[0])
        self.forget()
        self.assertEqual(base64.b64decode(partner.image_1920), content)
        sized = partner.with_context(bin_size=True)
        self.forget()
        self.assertTrue(sized.image_1920)
        self.assertEqual(self.downloads(), 0)
        partner.image_1920 = base64.b64encode(picture(300, 300, seed=2))
        self.assertEqual(original.cloud_sync_status, "local")
        self.assertEqual(base64.b64decode(partner.image_1920), original.raw)

    def test_a_thumbnail_never_passes_for_a_field(self):
        content = picture(800, 300)
        attachment = self.in_drive(content, name="p.png")
        small = attachment.with_context(cloud_thumbnail=128)
        self.assertNotEqual(base64.b64decode(small.datas), content)
        self.assertEqual(base64.b64decode(attachment.datas), content)
        self.assertEqual(small.raw, content)

    def test_download_keeps_its_name(self):
        local, cloud = self.both("/web/image/%d/0x0/other.png?download=true")
        header = "Content-Disposition"
        self.assertEqual(cloud.headers[header], local.headers[header])
        self.assertIn("filename", local.headers[header])

import os
from unittest.mock import patch
from urllib.parse import unquote

from .common_proxy import ProxyCase, make_content

NASTY_NAMES = [
    'a"; filename="b.exe',
    "line\r\nSet-Cookie: session_id=stolen; x.txt",
    "nul\x00 tab\t.txt".replace("\x00", ""),
    "../../etc/passwd",
    "Angebot für 你好 😀 مرحبا.pdf",
    "x" * 500 + ".pdf",
    "percent%0d%0aSet-Cookie: a=b.txt",
    "\u202efdp.exe",
]
ACTIVE = [
    ("page.html", "text/html"),
    ("picture.svg", "image/svg+xml"),
    ("feed.xml", "application/xml"),
    ("page.xhtml", "application/xhtml+xml"),
    ("script.js", "application/javascript"),
    ("page.html", "application/octet-stream"),
    ("picture.txt", "text/html; charset=utf-8"),
]
PASSIVE = [
    ("a.pdf", "application/pdf"),
    ("a.png", "image/png"),
    ("a.mp4", "video/mp4"),
    ("a.txt", "text/plain"),
]


class TestFileProxyHeaders(ProxyCase):
    """What comes with a file, and what comes instead of one."""

    def file_like(self, name, mimetype, **vals):
        attachment = self.make_cloud_file(b"<script>alert(1)</script>", **vals)
        # below the ORM, which replaces some types and looks into images
        sql = "UPDATE ir_attachment SET name = %s, mimetype = %s WHERE id = %s"
        self.cr.execute(sql, (name, mimetype, attachment.id))
        self.cr.commit()
        return attachment

    # -- names and types ---------------------------------------------------------------

    def test_names(self):
        for name in NASTY_NAMES:
            with self.subTest(name=name):
                attachment = self.make_cloud_file(b"x", name=name, public=True)
                answer = self.get(attachment, params={"download": "1"})
                self.assertEqual(answer.status_code, 200)
                self.assertNotIn("Set-Cookie", answer.headers)
                disposition = answer.headers["Content-Disposition"]
                self.assertTrue(disposition.startswith('attachment; filename="'))
                self.assertTrue(disposition.isascii())
                self.assertNotIn("/", disposition)

    def test_unicode_name_arrives(self):
        attachment = self.make_cloud_file(b"x", name="Prüfung 你好.pdf", public=True)
        disposition = self.get(attachment).headers["Content-Disposition"]
        encoded = disposition.partition("filename*=UTF-8''")[2]
        self.assertEqual(unquote(encoded), "Prüfung 你好.pdf")
        self.assertTrue(disposition.startswith("inline;"))

    def test_name_of_the_link(self):
        attachment = self.make_cloud_file(b"x", public=True)
        for name in ("other.txt", "a\r\nSet-Cookie: b"):
            answer = self.get(attachment, params={"filename": name})
            self.assertNotIn("Set-Cookie", answer.headers)
        answer = self.get(attachment, params={"filename": "other.txt", "download": "1"})
        self.assertEqual(
            answer.headers["Content-Disposition"], 'attachment; filename="other.txt"'
        )

    def test_active_content(self):
        for name, mimetype in ACTIVE:
            with self.subTest(name=name, mimetype=mimetype):
                answer = self.get(self.file_like(name, mimetype, public=True))
                headers = answer.headers
                self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
                self.assertIn("sandbox", headers["Content-Security-Policy"])
                self.assertNotIn("allow-scripts", headers["Content-Security-Policy"])
                self.assertTrue(headers["Content-Disposition"].startswith("attachment"))

    def test_passive_content(self):
        for name, mimetype in PASSIVE:
            with self.subTest(name=name, mimetype=mimetype):
                headers = self.get(self.file_like(name, mimetype, public=True)).headers
                self.assertEqual(headers["Content-Type"].split(";")[0], mimetype)
                self.assertEqual(headers["X-Content-Type-Options"], "nosniff")
                self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
                self.assertTrue(headers["Content-Disposition"].startswith("inline"))

    def test_injected_type(self):
        mimetype = "text/plain\r\nSet-Cookie: a=b"
        attachment = self.file_like("a.txt", mimetype, public=True)
        answer = self.get(attachment)
        self.assertEqual(answer.headers["Content-Type"], "application/octet-stream")
        self.assertNotIn("Set-Cookie", answer.headers)

    # -- caches of others --------------------------------------------------------------

    def test_cache_control(self):
        public = self.make_cloud_file(b"public", public=True)
        self.assertIn("public", self.get(public).headers["Cache-Control"])
        private = self.make_cloud_file(b"private")
        private.generate_access_token()
        self.cr.commit()
        answer = self.get(private, params={"access_token": private.access_token})
        self.assertEqual(answer.content, b"private")
        self.assertIn("private", answer.headers["Cache-Control"])
        refused = self.get(private)
        self.assertEqual(refused.headers["Cache-Control"], "no-store")

    def test_cache_paths_can_not_be_steered(self):
        """The name in the cache is the sha1, whatever the file is called."""
        attachment = self.make_cloud_file(b"content", name="../../../x", public=True)
        self.get(attachment, params={"filename": "../../../y"})
        self.assertEqual(self.cached_files(), [attachment.cloud_sha1])

    # -- Drive does not deliver --------------------------------------------------------

    def assertUnavailable(self, answer):
        self.assertEqual(answer.status_code, 503)
        self.assertGreater(int(answer.headers["Retry-After"]), 0)
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertNotIn("ETag", answer.headers)
        self.assertTrue(answer.text)

    def test_gone_from_drive(self):
        for content in (b"small", make_content(2 * 1024 * 1024)):
            attachment = self.make_cloud_file(content, public=True)
            self.emulator.remove_file(attachment.cloud_file_id)
            for headers in ({}, {"Range": "bytes=1-3"}):
                self.assertEqual(self.get(attachment, **headers).status_code, 404)
            attachment.invalidate_cache()
            self.cr.commit()
            self.assertIn("gone", attachment.cloud_error_message)

    def test_drive_is_down(self):
        attachment = self.make_cloud_file(b"content", public=True)
        self.emulator.fault("files.media", times=-1, status=503)
        self.assertUnavailable(self.get(attachment))
        self.assertEqual(self.get(attachment, method="HEAD").status_code, 200)
        self.cr.commit()
        attachment.invalidate_cache()
        self.assertFalse(attachment.cloud_error_message)
        self.assertEqual(attachment.cloud_sync_status, "synced")
        self.emulator.clear_faults()
        self.assertEqual(self.get(attachment).content, b"content")

    def test_drive_is_down_and_the_file_is_cached(self):
        attachment = self.make_cloud_file(b"content", public=True)
        self.get(attachment)
        self.emulator.fault("*", times=-1, status=503)
        self.assertEqual(self.get(attachment).content, b"content")

    def test_switched_off(self):
        """No remote traffic at all from a copied database."""
        attachment = self.make_cloud_file(b"content", public=True)
        with patch.dict(os.environ, CLOUD_STORAGE_DISABLED="1"):
            self.assertUnavailable(self.get(attachment))
        self.assertEqual(self.emulator.count(), 0)
        self.assertEqual(self.get(attachment).content, b"content")

    def test_access_switched_off(self):
        attachment = self.make_cloud_file(b"content", public=True)
        self.config.enable_cloud_access = False
        self.cr.commit()
        self.assertUnavailable(self.get(attachment))
        self.assertEqual(self.emulator.count(), 0)

    def test_account_of_the_attachment(self):
        """Not that of the active configuration."""
        other = self.make_account(email="other@example.com")
        attachment = self.make_attachment(b"theirs", public=True)
        file_id = self.emulator.put_file(
            "x", b"theirs", client_id=other.client_id, owner="other@example.com"
        )
        self.link(attachment, file_id, b"theirs", other)
        self.assertEqual(self.get(attachment).content, b"theirs")
        # without its tokens nobody else's are tried
        other.write({"access_token": False, "refresh_token": False})
        other.flush()
        self.cr.commit()
        self.env["ir.attachment"]._clear_cloud_cache()
        self.assertUnavailable(self.get(attachment))

    def test_expired_token(self):
        attachment = self.make_cloud_file(b"content", public=True)
        self.emulator.expire_tokens()
        self.assertEqual(self.get(attachment).content, b"content")

    # -- nginx -------------------------------------------------------------------------

    def test_accelerated_by_nginx(self):
        attachment = self.make_cloud_file(make_content(2000000), public=True)
        self.env["ir.config_parameter"].set_param(
            "cloud_storage.x_accel_prefix", "/cloud_cache/"
        )
        self.addCleanup(self._forget_prefix)
        self.cr.commit()
        cold = self.get(attachment)
        self.assertNotIn("X-Accel-Redirect", cold.headers)
        self.assertEqual(len(cold.content), 2000000)
        for headers in ({}, {"Range": "bytes=5-9"}):
            warm = self.get(attachment, **headers)
            self.assertEqual((warm.status_code, warm.content), (200, b""))
            target = warm.headers["X-Accel-Redirect"]
            self.assertTrue(target.startswith("/cloud_cache/"))
            root = os.path.dirname(self.cache()._layout.base)
            with open(os.path.join(root, target[len("/cloud_cache/") :]), "rb") as file:
                self.assertEqual(file.read(), make_content(2000000))
            self.assertEqual(warm.headers["X-Content-Type-Options"], "nosniff")
            self.assertIn("ETag", warm.headers)
        served = sorted(self.rows().mapped("bytes_served"))
        self.assertEqual(served, [5, 2000000, 2000000])

    def _forget_prefix(self):
        self.env["ir.config_parameter"].set_param("cloud_storage.x_accel_prefix", False)
        self.cr.commit()

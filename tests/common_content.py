"""What the tests of attachments share: contents, and the places they can be in."""
import hashlib
import io
import random

import requests
from PIL import Image

from odoo.tools import config, mute_logger

from ..engine.local_files import is_here
from ..engine.transaction import retrying
from .common import CloudCase

TIMEOUT = 120  # seconds
MB = 1024 * 1024
PLACES = ("filestore", "database", "both", "drive")


def picture(width=400, height=200, seed=1, kind="PNG"):
    """An image that does not compress to nothing, the same for the same seed."""
    noise = random.Random(seed).getrandbits(8 * 3 * 40 * 20).to_bytes(3 * 40 * 20, "big")
    image = Image.frombytes("RGB", (40, 20), noise).resize((width, height))
    target = io.BytesIO()
    image.save(target, kind)
    return target.getvalue()


SAMPLES = {
    "small text": lambda: ("note.txt", b"Four words of text"),
    "image": lambda: ("photo.png", picture()),
    "20 MB": lambda: ("large.bin", bytes(range(256)) * (20 * MB // 256)),
    "Unicode name": lambda: ("Größe «日本» \U0001f4c4.txt", "ñandú naïve".encode()),
}


class ContentCase(CloudCase):
    """Attachments in every place their bytes can be in."""

    def setUp(self):
        super().setUp()
        self.base = "http://127.0.0.1:%d" % config["http_port"]
        self.config.write(
            {
                "file_type_ids": [(0, 0, {"extension": e}) for e in ("png", "bin")],
                "delete_local_after_sync": True,
            }
        )
        self.env["ir.attachment"]._clear_cloud_cache()

    def _clean_up(self):
        # the proxy writes to its log after the last byte, at its own pace
        retrying(self.env, super()._clean_up)

    def make_in(self, place, content=None, name="note.txt", **vals):
        """An attachment with its bytes in one of ``PLACES``; nothing cached."""
        in_database = place == "database"
        parameters = self.env["ir.config_parameter"]
        if in_database:
            parameters.set_param("ir_attachment.location", "db")
        attachment = self.make_attachment(content, name=name, **vals)
        if in_database:
            parameters.set_param("ir_attachment.location", "file")
        self.config.delete_local_after_sync = place == "drive"
        if place in ("both", "drive"):
            self.assertTrue(attachment.sync_to_cloud(), self.why(attachment))
        self.cr.commit()
        self.forget()
        return attachment

    def in_drive(self, content=None, **options):
        """An attachment with its bytes in Drive alone."""
        attachment = self.make_in("drive", content, **options)
        self.assertFalse(is_here(attachment))
        return attachment

    def why(self, attachment):
        """Why it was not synced."""
        log = self.env["cloud_storage.sync.log"].search(
            [("attachment_id", "=", attachment.id)], limit=1
        )
        return log.error_message

    def forget(self):
        """Empty every cache, and look at Drive's requests from here on."""
        self.env["ir.attachment"]._clear_cloud_cache()
        self.env.cache.invalidate()
        self.emulator.clear_requests()

    def downloads(self):
        """How often bytes were asked of Drive."""
        return self.emulator.count("files.media")

    def collect(self, attachment):
        """Commit, and let Odoo remove the files nobody needs."""
        with mute_logger("odoo.addons.base.models.ir_attachment"):
            self.collect_garbage()
        self.env.cache.invalidate()

    def assertIntact(self, attachment, name, content):
        """All that Odoo keeps about a content is right."""
        self.assertEqual(attachment.raw, content)
        self.assertEqual(attachment.name, name)
        self.assertEqual(attachment.file_size, len(content))
        self.assertEqual(attachment.checksum, hashlib.sha1(content).hexdigest())

    # -- HTTP ----------------------------------------------------------------------------

    def session(self, user=None):
        """A browser's session, logged in when a user is given."""
        session = requests.Session()
        session.trust_env = False
        self.addCleanup(session.close)
        if user:
            names = {"db": self.cr.dbname, "login": user.login, "password": user.login}
            answer = session.post(
                self.base + "/web/session/authenticate",
                json={"params": names},
                timeout=TIMEOUT,
            )
            self.assertEqual(answer.json()["result"]["uid"], user.id)
        return session

    def get(self, path, user=None, follow=True, **headers):
        """Ask Odoo for a page as the public or as a user, after a commit."""
        self.cr.commit()
        return self.session(user).get(
            self.base + path,
            headers=headers,
            allow_redirects=follow,
            timeout=TIMEOUT,
        )

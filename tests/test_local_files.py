import hashlib
import os

from ..engine.local_files import Content, is_here, is_whole, measure, open_content
from .common_content import ContentCase

CONTENT = b"what is here"


class TestLocalFiles(ContentCase):
    """Rows are hints, bytes are truth."""

    def assertFound(self, attachment, content):
        """These very bytes are here."""
        self.assertTrue(is_here(attachment))
        self.assertTrue(is_whole(self.env, attachment))
        self.assertTrue(is_whole(self.env, attachment, len(content)))
        self.assertFalse(is_whole(self.env, attachment, len(content) + 1))
        sha1, md5 = hashlib.sha1(content).hexdigest(), hashlib.md5(content).hexdigest()
        found = measure(self.env, attachment)
        self.assertEqual(found, Content(len(content), sha1, md5))
        with open_content(self.env, attachment) as file:
            self.assertEqual(file.read(), content)

    def assertNothing(self, attachment):
        self.assertFalse(is_whole(self.env, attachment))
        self.assertIsNone(measure(self.env, attachment))

    def test_in_the_filestore(self):
        attachment = self.make_in("filestore", CONTENT)
        self.assertFound(attachment, CONTENT)
        os.truncate(self.local_path(attachment), 0)
        self.assertFalse(is_whole(self.env, attachment))
        self.assertEqual(measure(self.env, attachment).size, 0)
        os.unlink(self.local_path(attachment))
        self.assertTrue(is_here(attachment))
        self.assertNothing(attachment)

    def test_in_the_database(self):
        attachment = self.make_in("database", CONTENT)
        self.assertFound(attachment, CONTENT)
        attachment.db_datas = b"not flushed"
        self.assertFound(attachment, b"not flushed")

    def test_in_drive(self):
        attachment = self.in_drive(CONTENT)
        self.assertFalse(is_here(attachment))
        self.assertNothing(attachment)

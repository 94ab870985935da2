from unittest.mock import patch

from ..models.attachment.schema import INDEXES
from .common import CloudCase

NAME = "ir_attachment_cloud_file_idx"


class TestIndexes(CloudCase):
    """An update of the addon brings the indexes of this version, whatever was there."""

    def setUp(self):
        super().setUp()
        self.addCleanup(self.cr.rollback)

    def update(self):
        self.env["ir.attachment"].init()

    def index(self, name=NAME):
        """Number and definition of an index."""
        self.cr.execute(
            "SELECT indexrelid, pg_get_indexdef(indexrelid) FROM pg_index"
            " WHERE indexrelid = to_regclass(%s)",
            (name,),
        )
        return self.cr.fetchone()

    def test_unchanged_ones_stay(self):
        before = {name: self.index(name) for name in INDEXES}
        self.assertNotIn(None, before.values())
        self.update()
        self.assertEqual({name: self.index(name) for name in INDEXES}, before)

    def test_changed_definition(self):
        before = self.index()
        changed = "ON ir_attachment (cloud_file_id, id) WHERE cloud_file_id LIKE '1%'"
        with patch.dict(INDEXES, {NAME: changed}):
            self.update()
            self.assertIn("(cloud_file_id, id)", self.index()[1])
        self.update()
        self.assertEqual(self.index()[1], before[1])

    def test_of_an_older_version(self):
        """Made by a version that left no comment, or by hand."""
        before = self.index()
        self.cr.execute(
            "DROP INDEX %s; CREATE INDEX %s ON ir_attachment (name)" % (NAME, NAME)
        )
        self.update()
        self.assertEqual(self.index()[1], before[1])

    def test_missing(self):
        before = self.index()
        self.cr.execute("DROP INDEX " + NAME)
        self.update()
        self.assertEqual(self.index()[1], before[1])

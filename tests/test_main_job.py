from .common import CloudCase


class TestMainJob(CloudCase):
    """From a file in the filestore to a file in Drive and back."""

    def test_files_arrive_whole(self):
        contents = [b"first", b"second" * 1000, b""]
        files = [self.make_attachment(content) for content in contents]
        summary = self.sync()
        self.assertEqual((summary["synced"], summary["errors"]), (3, 0))
        self.assertEqual(summary["remaining"], 0)
        for attachment, content in zip(files, contents):
            self.assertOnDrive(attachment, content)
            self.assertEqual(attachment.raw, content)

    def test_large_file_goes_in_chunks(self):
        content = bytes(range(256)) * 4096 * 33
        attachment = self.make_attachment(content, name="large.pdf")
        self.assertEqual(self.sync()["synced"], 1)
        self.assertOnDrive(attachment, content)
        self.assertGreater(self.emulator.count("files.upload.chunk"), 1)

    def test_local_bytes_go_when_asked(self):
        self.config.delete_local_after_sync = True
        content = b"only in the cloud" * 100
        attachment = self.make_attachment(content)
        path = self.local_path(attachment)
        summary = self.sync()
        self.assertEqual(summary["bytes_freed"], len(content))
        self.collect_garbage()
        with self.assertRaises(OSError):
            open(path, "rb")
        self.assertEqual(attachment.type, "url")
        self.assertEqual(attachment.url, "/cloud_storage/file/%d" % attachment.id)
        self.assertFalse(attachment.store_fname)
        self.assertEqual(attachment.raw, content)
        self.assertEqual(attachment.file_size, len(content))

    def test_what_must_not_go_stays(self):
        stays = [
            self.make_attachment(name="program.exe"),
            self.make_attachment(model="res.users", res_id=2),
            self.make_attachment(model="ir.ui.view", url="/web/content/x.txt"),
            self.make_attachment(cloud_keep_local=True),
        ]
        self.assertEqual(self.sync()["synced"], 0)
        self.assertEqual({a.cloud_sync_status for a in stays}, {"local"})
        self.assertFalse(self.drive_files())

import hashlib
import os

from .common_proxy import ProxyCase, make_content

MB = 1024 * 1024
SIZE = 3 * MB
DATE = "Thu, 04 Mar 2021 05:06:07 GMT"
OLD_DATE = "Wed, 03 Mar 2021 05:06:07 GMT"
ETAG = "ETag of the file"  # replaced by the real one

WHOLE = (200, 0, SIZE)
PART = (206, 100, 200)
NONE = (416, 0, 0)

#: Request headers, and what is expected: status, start and length
RANGES = [
    ({"Range": "bytes=0-99"}, (206, 0, 100)),
    ({"Range": "bytes=1000-1999"}, (206, 1000, 1000)),
    ({"Range": "bytes=-500"}, (206, SIZE - 500, 500)),
    ({"Range": "bytes=%d-" % (SIZE - 7)}, (206, SIZE - 7, 7)),
    ({"Range": "bytes=0-"}, (206, 0, SIZE)),
    ({"Range": "bytes=0-0"}, (206, 0, 1)),
    ({"Range": "bytes=%d-%d" % (SIZE - 1, SIZE - 1)}, (206, SIZE - 1, 1)),
    ({"Range": "bytes=-1"}, (206, SIZE - 1, 1)),
    ({"Range": "bytes=10-%d" % (SIZE * 9)}, (206, 10, SIZE - 10)),
    ({"Range": "bytes=-%d" % (SIZE * 9)}, (206, 0, SIZE)),
    ({"Range": "bytes=%d-" % SIZE}, NONE),
    ({"Range": "bytes=%d-%d" % (SIZE + 5, SIZE + 9)}, NONE),
    ({"Range": "bytes=-0"}, NONE),
    ({"Range": "bytes=9-5"}, WHOLE),
    ({"Range": "bytes=0-9,20-29"}, WHOLE),
    ({"Range": "bytes=a-b"}, WHOLE),
    ({"Range": "lines=1-2"}, WHOLE),
    ({"Range": "garbage"}, WHOLE),
    ({"Range": "bytes=100-299", "If-Range": ETAG}, PART),
    ({"Range": "bytes=100-299", "If-Range": '"stale"'}, WHOLE),
    ({"Range": "bytes=100-299", "If-Range": DATE}, PART),
    ({"Range": "bytes=100-299", "If-Range": OLD_DATE}, WHOLE),
    ({"Range": "bytes=100-299", "If-Range": "garbage"}, WHOLE),
]
CONDITIONS = [
    ({"If-None-Match": ETAG}, 304),
    ({"If-None-Match": '"other", W/' + ETAG}, 304),
    ({"If-None-Match": "*"}, 304),
    ({"If-None-Match": '"other"'}, 200),
    ({"If-None-Match": '"other"', "If-Modified-Since": DATE}, 200),
    ({"If-Modified-Since": DATE}, 304),
    ({"If-Modified-Since": OLD_DATE}, 200),
    ({"If-Match": '"other"'}, 412),
    ({"If-Match": ETAG}, 200),
    ({"If-Unmodified-Since": OLD_DATE}, 412),
]


class TestFileProxy(ProxyCase):
    """What is answered, byte by byte and header by header."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.content = make_content(SIZE)
        cls.etag = '"%s"' % hashlib.sha1(cls.content).hexdigest()

    def want(self, attachment, headers, method="GET"):
        headers = {
            name.replace("-", "_"): value.replace(ETAG, self.etag)
            for name, value in headers.items()
        }
        return self.get(attachment, session=self.visitor, method=method, **headers)

    def setUp(self):
        super().setUp()
        self.visitor = self.new_session()

    def make_public_file(self, content=None, **vals):
        content = self.content if content is None else content
        return self.make_cloud_file(content, public=True, **vals)

    # -- parts -------------------------------------------------------------------------

    def assertAnswers(self, attachment):
        for headers, (status, start, length) in RANGES:
            with self.subTest(headers=headers):
                answer = self.want(attachment, headers)
                self.assertEqual(answer.status_code, status)
                self.assertEqual(answer.headers["Accept-Ranges"], "bytes")
                self.assertEqual(answer.headers["Content-Length"], str(length))
                expected = None
                if status == 206:
                    last = start + length - 1
                    expected = "bytes %d-%d/%d" % (start, last, SIZE)
                if status == 416:
                    expected = "bytes */%d" % SIZE
                self.assertEqual(answer.headers.get("Content-Range"), expected)
                self.assertTrue(answer.content == self.content[start : start + length])

    def test_ranges_from_drive(self):
        name = "cloud_storage.cache_max_size_mb"
        self.env["ir.config_parameter"].set_param(name, "-1")
        self.addCleanup(self._forget_parameter, name)
        self.assertAnswers(self.make_public_file())
        self.assertFalse(self.cached_files())

    def test_ranges_from_the_cache(self):
        attachment = self.make_public_file()
        self.want(attachment, {})
        self.emulator.clear_requests()
        self.assertAnswers(attachment)
        self.assertEqual(self.emulator.count(), 0)

    def test_ranges_from_local_bytes(self):
        attachment = self.make_public_file()
        name = attachment._file_write(self.content, attachment.checksum)
        self.set_bytes(attachment, store_fname=name)
        self.assertAnswers(attachment)
        self.assertEqual(self.emulator.count(), 0)

    def test_ranges_of_a_file_in_the_database(self):
        attachment = self.make_public_file()
        self.set_bytes(attachment, db_datas=self.content)
        self.assertAnswers(attachment)
        self.assertEqual(self.emulator.count(), 0)

    def _forget_parameter(self, name):
        self.env["ir.config_parameter"].set_param(name, False)
        self.cr.commit()

    def test_range_of_a_large_file_stays_a_range(self):
        attachment = self.make_public_file()
        self.want(attachment, {"Range": "bytes=1000-1999"})
        self.assertEqual(self.emulator.bytes_out(), 1000)
        self.assertFalse(self.cached_files())

    def test_small_file_is_fetched_once_for_all_its_ranges(self):
        content = self.content[:100000]
        attachment = self.make_public_file(content)
        for start in range(0, 100000, 10000):
            part = self.want(attachment, {"Range": "bytes=%d-%d" % (start, start + 99)})
            self.assertEqual(part.content, content[start : start + 100])
        self.assertEqual(self.want(attachment, {}).content, content)
        self.assertEqual(self.emulator.count("files.media"), 1)

    def test_lost_local_bytes_come_from_the_cloud(self):
        attachment = self.make_public_file()
        self.set_bytes(attachment, store_fname="00/" + "0" * 40)
        self.assertTrue(self.want(attachment, {}).content == self.content)

    def test_truncated_local_bytes_are_not_served(self):
        attachment = self.make_public_file()
        name = attachment._file_write(self.content, attachment.checksum)
        with open(attachment._full_path(name), "wb") as file:
            file.write(self.content[:-1])
        self.addCleanup(os.unlink, attachment._full_path(name))
        self.set_bytes(attachment, store_fname=name)
        self.assertTrue(self.want(attachment, {}).content == self.content)

    # -- without a body ----------------------------------------------------------------

    def test_conditions(self):
        attachment = self.make_public_file()
        for headers, status in CONDITIONS:
            for method in ("GET", "HEAD"):
                with self.subTest(headers=headers, method=method):
                    answer = self.want(attachment, headers, method)
                    self.assertEqual(answer.status_code, status)
                    self.assertEqual(answer.headers["ETag"], self.etag)
                    if status != 200 or method == "HEAD":
                        self.assertFalse(answer.content)

    def test_not_modified_asks_drive_for_nothing(self):
        attachment = self.make_public_file()
        answer = self.want(attachment, {"If-None-Match": ETAG})
        self.assertEqual(answer.status_code, 304)
        self.assertEqual(self.emulator.count(), 0)

    def test_head(self):
        attachment = self.make_public_file(name="a.pdf", mimetype="application/pdf")
        head = self.want(attachment, {"Range": "bytes=0-9"}, "HEAD")
        self.assertEqual((head.status_code, head.content), (200, b""))
        self.assertEqual(self.emulator.count(), 0)
        whole = self.want(attachment, {})
        for answer in (head, whole):
            answer.headers.pop("Date")
        self.assertEqual(head.headers, whole.headers)

    def test_empty_file(self):
        attachment = self.make_public_file(b"")
        for headers in ({}, {"Range": "bytes=0-"}, {"Range": "bytes=-5"}):
            answer = self.want(attachment, headers)
            self.assertIn(answer.status_code, (200, 416))
            self.assertEqual(answer.headers["Content-Length"], "0")
            self.assertEqual(answer.content, b"")
        self.assertEqual(self.emulator.count(), 0)

import http.client
import os
import threading
import time

import odoo

from .common_proxy import TIMEOUT, ProxyCase, make_content

MB = 1024 * 1024
SIZE = 8 * MB
LARGE = 48 * MB  # more than all socket buffers between Drive and a reader can hold


class TestFileProxyStreams(ProxyCase):
    """Bytes flow through; what breaks on the way is mended, or seen by the reader."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.content = make_content(SIZE)
        cls.large = cls.content * (LARGE // SIZE)

    def start_reading(self, attachment, **headers):
        """Ask for a file; return the answer before its body is read."""
        self.logged += 1
        return self.begin(self.base, attachment, **headers)

    def wait_for(self, condition, message):
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            self.assertLess(time.monotonic(), deadline, message)
            time.sleep(0.02)

    def assertCutShort(self, attachment, content):
        """The body breaks off, and before its end."""
        answer = self.start_reading(attachment)
        self.assertEqual(answer.status, 200)
        with self.assertRaises(http.client.IncompleteRead) as caught:
            answer.read()
        self.assertLess(len(caught.exception.partial), len(content))

    def problem(self, attachment):
        """What is noted on the attachment."""
        self.cr.commit()
        attachment.invalidate_cache()
        return attachment.cloud_error_message

    # -- in the middle of it -----------------------------------------------------------

    def test_first_byte_before_the_last_left_drive(self):
        attachment = self.make_cloud_file(self.large, public=True)
        answer = self.start_reading(attachment)
        first = answer.read(1000)
        self.assertLess(self.emulator.bytes_out(), LARGE)
        self.assertEqual(self.emulator.open_connections(), 1)
        self.assertTrue(first + answer.read() == self.large)

    def test_no_cursor_while_bytes_flow(self):
        sources = {
            "Drive": self.make_cloud_file(self.large, public=True),
            "range": self.make_cloud_file(self.large, public=True),
        }
        for name, attachment in sources.items():
            with self.subTest(source=name):
                headers = {"Range": "bytes=5-"} if name == "range" else {}
                answer = self.start_reading(attachment, **headers)
                answer.read(1000)
                self.cr.commit()
                self.assertNoTransaction()
                answer.leave()
        whole = self.get(sources["Drive"])
        self.assertEqual(len(whole.content), LARGE)
        answer = self.start_reading(sources["Drive"])
        answer.read(1000)
        self.assertNoTransaction()
        self.assertGreater(self.emulator.bytes_out(), LARGE)

    def assertNoTransaction(self):
        """Of all connections to the database only that of the test is in use."""
        query = """
            SELECT count(*) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
            AND backend_type = 'client backend' AND state <> 'idle'
        """

        def is_quiet():
            self.cr.execute(query)
            busy = self.cr.fetchone()[0]
            self.cr.commit()
            pool = odoo.sql_db._Pool._connections
            return not busy and sum(bool(item[1]) for item in list(pool)) == 1

        # a request of the test before may be ending just now
        self.wait_for(is_quiet, "a transaction stays open while bytes flow")

    def test_slow_reader_holds_up_nobody(self):
        attachment = self.make_cloud_file(self.large, public=True)
        slow, pieces, hurry = self.start_reading(attachment), [], threading.Event()

        def read_slowly():
            while not hurry.wait(0.1):
                pieces.append(slow.read(16 * 1024))
            pieces.append(slow.read())

        thread = threading.Thread(target=read_slowly)
        thread.start()
        self.wait_for(lambda: pieces, "nothing came")
        quick = self.get(attachment)
        self.assertTrue(quick.content == self.large)
        # still far from its end: the quick one did not wait for it
        self.assertLess(sum(map(len, pieces)), LARGE // 2)
        hurry.set()
        thread.join(TIMEOUT)
        self.assertTrue(b"".join(pieces) == self.large)

    def test_reader_who_leaves(self):
        attachment = self.make_cloud_file(self.large, public=True)
        answer = self.start_reading(attachment)
        answer.read(MB)
        self.assertEqual(self.emulator.open_connections(), 1)
        answer.leave()
        self.wait_for(lambda: not self.emulator.open_connections(), "still downloading")
        self.assertLess(self.emulator.bytes_out(), LARGE)
        row = self.rows()
        self.assertEqual((row.http_status, row.attachment_id), (200, attachment))
        self.assertGreaterEqual(row.bytes_served, MB)
        self.assertLess(row.bytes_served, LARGE)
        self.assertFalse(self.cached_files())

    def test_followers_of_a_reader_who_leaves(self):
        attachment = self.make_cloud_file(self.large, public=True)
        leader = self.start_reading(attachment)
        leader.read(MB)
        follower = self.start_reading(attachment)
        start = follower.read(1000)
        self.assertEqual(self.emulator.count("files.media"), 1)
        leader.leave()
        self.assertTrue(start + follower.read() == self.large)
        self.assertEqual(self.emulator.count("files.media"), 2)

    def test_many_readers_of_a_cold_file(self):
        attachment = self.make_cloud_file(self.content, public=True)
        answers, barrier = [], threading.Barrier(20)

        def read():
            barrier.wait(TIMEOUT)
            answers.append(self.get(attachment))

        threads = [threading.Thread(target=read) for _number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(TIMEOUT)
        self.assertEqual([answer.status_code for answer in answers], [200] * 20)
        self.assertTrue(all(answer.content == self.content for answer in answers))
        # one in general; on a machine that stands still for seconds a few
        self.assertLess(self.emulator.count("files.media"), 5)
        self.assertEqual(self.cache().read(attachment.cloud_sha1), self.content)

    # -- Drive breaks off --------------------------------------------------------------

    def test_cut_is_mended(self):
        attachment = self.make_cloud_file(self.content, public=True)
        self.emulator.fault("files.media", times=2, cut_after=3 * MB)
        self.assertTrue(self.get(attachment).content == self.content)
        self.assertEqual(self.emulator.count("files.media"), 3)
        self.assertLess(self.emulator.bytes_out(), SIZE + MB)
        self.assertTrue(self.get(attachment).content == self.content)
        self.assertEqual(self.emulator.count("files.media"), 3)

    def test_cut_in_a_range_is_mended(self):
        attachment = self.make_cloud_file(self.content, public=True)
        self.emulator.fault("files.media", times=1, cut_after=MB)
        answer = self.get(attachment, Range="bytes=1000-%d" % (3 * MB))
        self.assertEqual(answer.status_code, 206)
        self.assertTrue(answer.content == self.content[1000 : 3 * MB + 1])

    def test_token_that_expires_in_the_middle(self):
        attachment = self.make_cloud_file(self.large, public=True)
        self.emulator.fault("files.media", times=1, cut_after=LARGE // 2)
        answer = self.start_reading(attachment)
        start = answer.read(1000)
        self.emulator.expire_tokens()
        self.assertTrue(start + answer.read() == self.large)
        self.assertEqual(self.emulator.count("token"), 1)

    def test_short_body_never_passes_for_a_whole_one(self):
        attachment = self.make_cloud_file(self.content, public=True)
        self.emulator.fault("files.media", times=1, cut_after=3 * MB)
        self.emulator.fault("files.media", times=-1, after=1, status=404)
        self.assertCutShort(attachment, self.content)
        self.assertFalse(self.cached_files())
        self.emulator.clear_faults()
        self.assertTrue(self.get(attachment).content == self.content)

    # -- wrong bytes -------------------------------------------------------------------

    def test_wrong_bytes_miss_their_end(self):
        attachment = self.make_cloud_file(self.content, public=True)
        self.emulator.fault("files.media", times=1, alter=True)
        self.assertCutShort(attachment, self.content)
        self.assertFalse(self.cached_files())
        self.assertFalse(self.problem(attachment), "Drive tells that it is the file")
        self.assertTrue(self.get(attachment).content == self.content)

    def test_wrong_bytes_of_a_small_file(self):
        attachment = self.make_cloud_file(b"small" * 1000, public=True)
        self.emulator.fault("files.media", times=1, alter=True)
        answer = self.get(attachment)
        self.assertEqual(answer.status_code, 503)
        self.assertNotIn(b"small", answer.content)
        self.assertFalse(self.cached_files())
        self.assertFalse(self.problem(attachment))

    def test_what_only_the_line_says_is_not_noted(self):
        """A page instead of the bytes, a range that nobody knows, a 404 of a proxy."""
        for fault in (
            {"html": True},
            {"status": 404, "html": True},
            {"status": 404},
            {"status": 416},
        ):
            for headers in ({"Range": "bytes=10-29"}, {}):
                with self.subTest(headers=headers, **fault):
                    content = os.urandom(2 * MB)  # nothing of it is in a cache
                    attachment = self.make_cloud_file(content, public=True)
                    self.emulator.fault("files.media", times=-1, **fault)
                    self.assertEqual(self.get(attachment, **headers).status_code, 503)
                    self.assertFalse(self.problem(attachment))
                    self.emulator.clear_faults()
                    answer = self.get(attachment, **headers)
                    wanted = content[10:30] if headers else content
                    self.assertTrue(answer.content == wanted)

    def test_file_that_was_replaced_on_drive(self):
        for content in (b"x" * 100, self.content[:-1], self.content + b"more"):
            with self.subTest(size=len(content)):
                attachment = self.make_cloud_file(self.content, public=True)
                self.emulator.edit_file(attachment.cloud_file_id, content=content)
                for headers in ({"Range": "bytes=10-29"}, {}):
                    answer = self.get(attachment, **headers)
                    self.assertEqual(answer.status_code, 503)
                self.assertIn("changed", self.problem(attachment))

    def test_damaged_cache_entry(self):
        attachment = self.make_cloud_file(self.content, public=True)
        self.get(attachment)
        path = self.cache().get_path(attachment.cloud_sha1, SIZE)
        for headers in ({}, {"Range": "bytes=0-9"}):
            with self.subTest(headers=headers):
                self.wait_for(lambda: os.path.exists(path), "not in the cache again")
                with open(path, "r+b") as file:
                    file.seek(SIZE // 2)
                    file.write(b"damaged")
                if headers:
                    answer = self.get(attachment, **headers)
                    self.assertEqual(answer.content, self.content[:10])
                else:
                    self.assertCutShort(attachment, self.content)
                self.assertFalse(self.problem(attachment))
                self.assertTrue(self.get(attachment).content == self.content)

import datetime
from concurrent.futures import ThreadPoolExecutor

from odoo.exceptions import AccessError

from ..engine.insight import access_log
from .common_proxy import PATH, ProxyCase, make_content

MB = 1024 * 1024


class TestAccessLog(ProxyCase):
    """One row per request, and what can be learned from them."""

    def ask(self, *args, **options):
        """Wait for the row as well: the next request could get its own before."""
        answer = super().ask(*args, **options)
        if not options.get("stream"):
            self._settle()
        return answer

    def test_every_request_has_its_row(self):
        user = self.make_user("reader", "base.group_user")
        attachment = self.make_cloud_file(b"0123456789", name="ten.txt")
        session = self.new_session(user)
        self.get(attachment, session=session, Range="bytes=2-5", User_Agent="Reader/1")
        self.get(attachment, session=session, method="HEAD")
        etag = '"%s"' % attachment.cloud_sha1
        self.get(attachment, session=session, If_None_Match=etag)
        self.get(attachment, session=session, Range="bytes=99-")
        self.get(attachment)
        self.ask(session, PATH % (2**31 - 1))
        rows = self.rows()
        self.assertEqual(rows.mapped("http_status"), [206, 200, 304, 416, 404, 404])
        self.assertEqual(rows.mapped("bytes_served"), [4, 0, 0, 0, 9, 9])
        first, last = rows[0], rows[-1]
        self.assertEqual((first.user_id, first.attachment_id), (user, attachment))
        self.assertEqual(first.file_name, "ten.txt")
        self.assertEqual(first.range_request, "bytes=2-5")
        self.assertEqual(first.user_agent, "Reader/1")
        self.assertEqual(first.ip_address, "127.0.0.1")
        self.assertFalse(first.cache_hit)
        self.assertFalse(last.attachment_id or last.file_name)
        age = datetime.datetime.utcnow() - first.access_date
        self.assertLess(abs(age.total_seconds()), 3600)

    def test_hits(self):
        attachment = self.make_cloud_file(b"content" * 100, public=True)
        for _time in range(3):
            self.get(attachment)
        self.assertEqual(self.rows().mapped("cache_hit"), [False, True, True])

    def test_texts_of_any_kind(self):
        attachment = self.make_cloud_file(b"x", public=True, name="名" * 400)
        self.get(attachment, User_Agent="\xff" * 5000, Range="bytes=" + "0-0," * 900)
        row = self.rows()
        self.assertEqual(len(row.user_agent), 255)
        self.assertEqual(len(row.range_request), 255)

    def test_attachment_that_is_being_deleted(self):
        """The row neither waits for the other transaction nor gets lost."""
        attachment = self.make_cloud_file(b"content", public=True)
        with self.other_transaction() as env:
            env.cr.execute(
                "SELECT id FROM ir_attachment WHERE id = %s FOR UPDATE",
                (attachment.id,),
            )
            self.assertEqual(self.get(attachment).content, b"content")
            row = self.rows()
        self.assertFalse(row.attachment_id)
        self.assertEqual(row.file_name, "note.txt")

    def test_deleting_is_not_held_up_by_rows(self):
        attachment = self.make_cloud_file(b"content", public=True)
        self.get(attachment)
        row = self.rows()
        attachment.unlink()
        self.cr.commit()
        self.assertFalse(row.attachment_id)
        self.assertEqual(row.file_name, "note.txt")

    def test_download_survives_a_log_that_can_not_be_written(self):
        attachment = self.make_cloud_file(b"content", public=True)
        self.cr.execute(
            "ALTER TABLE cloud_storage_access_log ADD CONSTRAINT full_up CHECK (false)"
        )
        self.addCleanup(self._allow_rows)
        self.cr.commit()
        answer = self.ask(self.new_session(), PATH % attachment.id, logged=False)
        self.assertEqual((answer.status_code, answer.content), (200, b"content"))

    def _allow_rows(self):
        self._settle()
        self.cr.execute("ALTER TABLE cloud_storage_access_log DROP CONSTRAINT full_up")
        self.cr.commit()

    # -- refused -----------------------------------------------------------------------

    def test_a_refused_request_notes_nothing_of_the_file(self):
        """Who may not read a file learns nothing by the log, not even that it exists."""
        user = self.make_user("user", "cloud_storage.group_cloud_storage_user")
        secret = self.env["ir.config_parameter"].search([], limit=1)
        private = self.make_cloud_file(
            b"content", name="salary.txt", model=secret._name, res_id=secret.id
        )
        local = self.make_attachment(b"here", name="here.txt", public=True)
        self.cr.commit()
        session = self.new_session(user)
        known = []
        for number in (private.id, 2**31 - 1, local.id):
            self.cr.execute("DELETE FROM cloud_storage_access_log")
            self.cr.commit()
            self.logged = 0
            for method in ("GET", "HEAD"):
                answer = self.ask(
                    session, PATH % number, method, headers={"Range": "bytes=0-1"}
                )
                self.assertEqual(answer.status_code, 404)
            rows = self.rows().with_user(user)
            fields = ["file_name", "attachment_id", "http_status", "requests"]
            fields += ["range_request", "bytes_served", "duration_ms", "display_name"]
            known.append([dict(row, id=0) for row in rows.read(fields)])
        self.assertEqual(known[0], known[1])
        self.assertEqual(known[1], known[2])
        self.assertFalse(known[0][0]["file_name"] or known[0][0]["attachment_id"])

    def test_requests_of_strangers_are_counted_not_kept(self):
        private = self.make_cloud_file(b"content")
        session = self.new_session()
        for number in range(200):
            path = PATH % (private.id if number % 2 else 10**6 + number)
            self.assertEqual(super().ask(session, path).status_code, 404)
        rows = self.rows()
        self.assertLessEqual(len(rows), 5)  # minutes, and requests that overlapped
        self.assertEqual(sum(rows.mapped("requests")), 200)
        self.assertEqual(set(rows.mapped("http_status")), {404})
        self.assertFalse(any(rows.mapped("file_name") + rows.mapped("ip_address")))

    def test_many_strangers_at_once(self):
        self.make_cloud_file(b"content")
        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(self._knock, range(8)))
        self.assertEqual(answers, [[404] * 15] * 8)
        rows = self.rows()
        self.assertEqual(sum(rows.mapped("requests")), 120)
        self.assertLess(len(rows), 60)

    def _knock(self, _number):
        session = self.new_session()
        path = PATH % 10**6
        ask = super().ask
        return [ask(session, path).status_code for _time in range(15)]

    def test_what_fails_for_strangers_is_counted(self):
        public = self.make_cloud_file(b"content", public=True)
        for _time in range(3):
            self.assertEqual(self.get(public, Range="bytes=99-").status_code, 416)
        rows = self.rows()
        self.assertEqual(rows.mapped("http_status"), [416])
        self.assertEqual(rows.requests, 3)

    def test_each_user_is_counted_alone(self):
        private = self.make_cloud_file(b"content", res_model="res.users", res_id=1)
        users = self.env["res.users"]
        for name in ("one", "two"):
            user = self.make_user(name, "base.group_portal")
            users |= user
            self.cr.commit()
            session = self.new_session(user)
            for _time in range(3):
                self.ask(session, PATH % private.id)
        rows = self.rows()
        self.assertEqual(rows.user_id, users)
        self.assertEqual(sum(rows.mapped("requests")), 6)

    # -- pages -------------------------------------------------------------------------

    def make_rows(self, **columns):
        """Rows of which each has another duration: 1 to 100 ms."""
        for duration in range(1, 101):
            access_log.insert(
                self.cr,
                dict(
                    {
                        "file_name": "a.pdf",
                        "http_status": 200,
                        "bytes_served": 1000,
                        "cache_hit": duration % 4 != 0,
                        "duration_ms": duration,
                    },
                    **columns
                ),
            )
        self.logged += 100
        self.cr.commit()

    def test_pages_open(self):
        self.make_rows()
        self.make_rows(file_name="b.pdf", bytes_served=5, cache_hit=False)
        action = self.env.ref("cloud_storage.cloud_storage_access_log_action")
        views = [(False, mode) for mode in action.view_mode.split(",")]
        found = self.env[action.res_model].load_views(views + [(False, "search")])
        self.assertEqual(len(found["fields_views"]), len(views) + 1)
        groups = self.env[action.res_model].read_group(
            [], ["bytes_served", "duration_ms", "requests"], ["file_name"]
        )
        self.assertEqual(
            [
                (g["file_name"], g["bytes_served"], g["duration_ms"], g["requests"])
                for g in groups
            ],
            [("a.pdf", 100000, 50.5, 100), ("b.pdf", 500, 50.5, 100)],
        )

    def test_who_may_look(self):
        stranger = self.make_user("stranger", "base.group_user")
        user = self.make_user("user", "cloud_storage.group_cloud_storage_user")
        manager = self.make_user("boss", "cloud_storage.group_cloud_storage_manager")
        self.make_rows(user_id=stranger.id)
        self.make_rows(user_id=user.id)
        log = self.env["cloud_storage.access.log"]
        # what others open is not their business
        self.assertEqual(log.with_user(user).search_count([]), 100)
        self.assertEqual(log.with_user(manager).search_count([]), 200)
        with self.assertRaises(AccessError):
            log.with_user(stranger).search_count([])
        rows = log.with_user(manager).search([])
        with self.assertRaises(AccessError):
            rows.write({"file_name": "x"})

    def test_retention(self):
        self.make_rows()
        self.cr.execute(
            "UPDATE cloud_storage_access_log SET access_date = now() at time zone 'UTC'"
            " - interval '31 days' WHERE duration_ms <= 60"
        )
        self.env["cloud_storage.access.log"]._gc_access_logs()
        self.cr.commit()
        self.assertEqual(self.env["cloud_storage.access.log"].search_count([]), 40)
        self.logged = 40

    def test_long_file_is_logged_after_its_end(self):
        content = make_content(3 * MB)
        attachment = self.make_cloud_file(content, public=True)
        answer = self.get(attachment, stream=True)
        answer.raw.read(1000)
        self.assertEqual(len(answer.raw.read()), 3 * MB - 1000)
        row = self.rows()
        self.assertEqual(row.bytes_served, 3 * MB)
        self.assertGreaterEqual(row.duration_ms, 0)

from ..drive.retry import RateLimiter
from ..engine.account.rate_limit import BURST, SharedBucket, limits_of
from .common import CloudCase
from .odoo_process import OdooShell

RATE = 25
FILES = 220
UPLOAD = "files.upload.multipart"
SYNC = """
report(env["cloud_storage.sync.service"].manual_sync(%d)["synced"])
"""


class TestPace(CloudCase):
    """Requests per second hold for an account, over all its threads and processes."""

    def test_rate_over_all_threads(self):
        waits = []
        limiter = RateLimiter(rate=10, burst=5, clock=lambda: 0.0)
        for _i in range(25):
            waits.append(limiter.reserve())
        self.assertEqual(waits[:5], [0] * 5)
        self.assertAlmostEqual(waits[-1], 2.0)

    def test_configured_rate_reaches_the_pacer(self):
        self.config.requests_per_second = 3
        self.make_attachment()
        self.sync()
        limiter = limits_of(self.auth).writes
        self.assertEqual((limiter.full_rate, limiter.burst), (3.0, 100))

    def test_configured_rate_holds_for_every_kind_of_run(self):
        self.config.requests_per_second = 3
        self.config.action_reconcile()
        self.env["cloud_storage.sync.service"].automatic_sync()
        limiter = limits_of(self.auth).writes
        self.assertEqual(limiter.full_rate, 3.0)

    def test_two_processes(self):
        self.config.requests_per_second = RATE
        self.make_attachments(FILES)
        shells = [OdooShell(SYNC % self.config.id) for _i in range(2)]
        synced = [shell.finish() for shell in shells]
        self.assertEqual(sum(synced), FILES)
        self.assertGreater(min(synced), 0, "one process did it all")
        times = sorted(request["time"] for request in self.emulator.requests())
        pace = (len(times) - BURST) / (times[-1] - times[0])
        self.assertLess(pace / RATE, 1.25)

    # -- the tokens ----------------------------------------------------------------------

    def other_process(self, rate=10, burst=BURST):
        """A limiter as another process has one."""
        bucket = SharedBucket(self.cr.dbname, self.auth.id)
        return RateLimiter(rate=rate, burst=burst, bucket=bucket)

    def test_tokens_are_shared(self):
        one, two = self.other_process(burst=20), self.other_process(burst=20)
        waits = [limiter.reserve() for _i in range(30) for limiter in (one, two)]
        self.assertEqual(waits[:20], [0] * 20)
        alone = RateLimiter(rate=10, burst=20, clock=lambda: 0.0)
        expected = [alone.reserve() for _i in range(60)][-1]
        self.assertLess(waits[-1], expected * 1.1)
        self.assertGreater(waits[-1], expected * 0.5, "each had tokens of its own")

    def test_refusal_is_heard_by_all(self):
        one, two = self.other_process(), self.other_process()
        one.reserve()
        one.slow_down(retry_after=50)
        self.assertGreater(two.reserve(), 40)
        self.assertLess(two.reserve(), 60)

    def test_reading_does_not_wait_behind_a_run(self):
        limits_of(self.auth).writes.slow_down(retry_after=50)
        self.assertEqual(limits_of(self.auth).reads.reserve(), 0)

    def test_without_the_database_each_goes_on_by_itself(self):
        limiter = RateLimiter(10, burst=5, bucket=SharedBucket("no such database", 1))
        waits = [limiter.reserve() for _i in range(20)]
        self.assertEqual(waits[:4], [0] * 4)
        self.assertGreater(waits[-1], 1)
        limiter.slow_down(retry_after=50)
        self.assertGreater(limiter.reserve(), 40)

    def test_clock_that_was_set_back(self):
        self.cr.execute(
            "INSERT INTO cloud_storage_pace (auth_id, paid_until) VALUES (%s,"
            " extract(epoch FROM now()) + 1000000)",
            (self.auth.id,),
        )
        self.cr.commit()
        self.assertLess(self.other_process().reserve(), 1000)

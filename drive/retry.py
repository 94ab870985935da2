"""When to call, when to call again, when to give up.

Clock, sleep and randomness are injected, so tests need neither time nor luck. The
algorithm is "exponential backoff with full jitter" as Google's guides ask for; the limiter
is a token bucket whose rate halves when Drive says so and recovers by itself.
"""

import logging
import math
import random
import threading
import time

from .errors import CircuitOpenError, DriveError, RateLimitError, TransientError

_logger = logging.getLogger(__name__)

DEFAULT_RATE = 10.0  # requests per second in the long run
MIN_RATE = 0.5  # requests per second the limiter never goes below
RECOVERY = 1.05  # factor by which each success raises a lowered rate
MAX_TRIES = 6
BASE_DELAY = 1.0  # seconds
MAX_DELAY = 64.0  # seconds
LOOK_SECONDS = 0.25  # how often it is asked whether to go on waiting
BREAKER_THRESHOLD = 12  # consecutive failed calls over all threads
BREAKER_COOLDOWN = 60.0  # seconds


class Bucket:
    """Where tokens come from; this one belongs to a process.

    It is kept as the time until which the tokens that were taken are paid for ("generic
    cell rate algorithm"), a form that another process could read as well.

    :param clock: monotonic seconds
    """

    def __init__(self, clock=time.monotonic):
        self._clock = clock
        self._paid_until = -math.inf

    def block(self, rate):
        """How many tokens are worth taking at once."""
        return 1

    def take(self, count, rate, burst):
        """Take tokens, on credit when there are none.

        :return: seconds from now until what was taken before is paid; as far below zero
            as there are tokens in the bucket
        """
        now = self._clock()
        begin = max(self._paid_until, now - burst / rate)
        self._paid_until = begin + count / rate
        return begin - now

    def empty(self, seconds=0.0):
        """Be without tokens, and without new ones for some seconds."""
        self._paid_until = max(self._paid_until, self._clock() + seconds)


class RateLimiter:
    """Tells the threads of an account how long to wait before a request.

    :param float rate: requests per second in the long run
    :param int burst: requests that may go at once after a quiet time
    :param clock: monotonic seconds
    :param Bucket bucket: shared with other processes, if it is not of this one
    """

    def __init__(self, rate=DEFAULT_RATE, burst=100, clock=time.monotonic, bucket=None):
        self.full_rate = self.rate = max(float(rate), MIN_RATE)
        self.burst = max(1, burst)
        self._clock = clock
        self._bucket = bucket or Bucket(clock)
        self._lock = threading.Lock()
        self._left = 0  # tokens that were taken and not handed out
        self._paid_until = 0.0  # by the clock, for those that were

    def reserve(self):
        """Hand out a token, on credit when there is none.

        :return: seconds to wait before the request may go
        """
        with self._lock:
            now = self._clock()
            if not self._left:
                self._left = self._bucket.block(self.rate)
                debt = self._bucket.take(self._left, self.rate, self.burst)
                self._paid_until = now + debt
            self._left -= 1
            self._paid_until += 1 / self.rate
            return max(0.0, round(self._paid_until - now, 6))

    def slow_down(self, retry_after=None):
        """Halve the rate, empty the bucket and obey ``retry_after`` (seconds)."""
        with self._lock:
            self.rate = max(MIN_RATE, self.rate / 2)
            self._left = 0
            self._bucket.empty(retry_after or 0.0)

    def speed_up(self):
        """Recover a little after a success."""
        if self.rate < self.full_rate:
            with self._lock:
                self.rate = min(self.full_rate, self.rate * RECOVERY)


class CircuitBreaker:
    """Opens after ``threshold`` consecutive failures, lets one try through later.

    :param int threshold: failed calls in a row, over all threads
    :param float cooldown: seconds it stays open
    """

    def __init__(
        self,
        threshold=BREAKER_THRESHOLD,
        cooldown=BREAKER_COOLDOWN,
        clock=time.monotonic,
    ):
        self.threshold, self.cooldown = threshold, cooldown
        self._clock = clock
        self._lock = threading.Lock()
        self.failures = 0
        self._opened_at = None

    def check(self):
        """Raise :class:`CircuitOpenError` while open."""
        with self._lock:
            if self._opened_at is None:
                return
            if self._clock() - self._opened_at >= self.cooldown:
                self._opened_at = self._clock()  # half open: one try, others wait
                return
        raise CircuitOpenError(
            "Google Drive failed %d times in a row" % self.failures,
            retry_after=self.cooldown,
        )

    def success(self):
        """Close again."""
        if self.failures:
            with self._lock:
                self.failures, self._opened_at = 0, None

    def failure(self):
        """Count one more failure."""
        with self._lock:
            self.failures += 1
            if self.failures >= self.threshold and self._opened_at is None:
                self._opened_at = self._clock()
                _logger.warning("Drive failed %d times in a row", self.failures)


class Retrier:
    """Calls a function until it answers, within the rate limit and bounded.

    :param RateLimiter limiter: shared by all threads of an account
    :param CircuitBreaker breaker: likewise
    :param int tries: calls in all
    :param should_stop: called around each wait, and for each block that is read; raises to
        give up early. It is there as ``check`` for whoever else takes his time, and
        ``can_stop`` tells whether it was given
    :param sleep: waits that many seconds
    """

    def __init__(
        self,
        limiter=None,
        breaker=None,
        tries=MAX_TRIES,
        should_stop=None,
        sleep=time.sleep,
        rand=random.random,
    ):
        self.limiter = limiter or RateLimiter()
        self.breaker = breaker or CircuitBreaker()
        self.tries = max(1, tries)
        self.can_stop = should_stop is not None
        self.check = should_stop or (lambda: None)
        self._sleep, self._rand = sleep, rand

    def call(self, func):
        """Return what ``func()`` returns.

        :raises DriveError: the last error once tries run out, a permanent one at once
        """
        for attempt in range(self.tries):
            self._pause(self.limiter.reserve())
            self.breaker.check()
            try:
                result = func()
            except DriveError as err:
                self._note(err)
                if not err.retryable or attempt + 1 == self.tries:
                    raise
                self._wait(attempt, err)
            else:
                self.breaker.success()
                self.limiter.speed_up()
                return result

    def _note(self, err):
        if isinstance(err, RateLimitError):
            self.limiter.slow_down(err.retry_after)
        if isinstance(err, TransientError):
            self.breaker.failure()
        elif err.status is not None:
            self.breaker.success()  # Drive answered: it is up

    def _wait(self, attempt, err):
        delay = self._rand() * min(MAX_DELAY, BASE_DELAY * 2**attempt)
        _logger.debug("try %d failed (%s), next in %.1f s", attempt + 1, err, delay)
        self._pause(max(delay, err.retry_after or 0.0))

    def _pause(self, seconds):
        """Wait, in steps where there is somebody to ask whether to go on."""
        self.check()
        while seconds > 0:
            step = min(seconds, LOOK_SECONDS) if self.can_stop else seconds
            self._sleep(step)
            seconds -= step
            self.check()

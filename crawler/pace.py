"""How often a host may be asked: a pace that follows how it bears being asked. Pure: no clock of its own, no I/O."""

import math
import random
import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

TROUBLES: Final = (429, 500, 502, 503, 504, 520, 521, 522, 523, 524)  # of a host, which may pass; 52x are Cloudflare's
MAX_RETRY_AFTER: Final = 3600.0  # seconds; a longer Retry-After is cut to this within a run
MAX_SLOW: Final = 30.0  # seconds between requests that a host in trouble is slowed down to, at most
PARKED: Final = 5  # troubles in a row after which a host is parked: asked now and then, to see whether it is back
GIVEN_UP: Final = 9  # and after which it is given up for this run: in two minutes, or 25 seconds on this machine
_FIRST_REST: Final = 0.5  # seconds after the first trouble; doubled with each one more
_FIRST_SLOW: Final = 0.25  # seconds between requests after the first trouble, where there was no delay before
_RECOVERY: Final = 0.5  # what a good answer leaves of the slowness
_FAST_ENOUGH: Final = 0.05  # seconds; what is less is no slowness
_SMOOTH: Final = 0.25  # how much the newest response time counts


class Pace(NamedTuple):
    """How a host may be used, as set and as known from before: requests at once, and seconds from the end of one to
    the start of the next."""

    slots: int
    delay: float
    adapts: bool = False
    """Whether the delay is at least the time that the host takes to answer."""
    care: float = 1.0
    """How much troubles count: all seconds that follow from them are multiplied by it."""
    slow: float = 0.0
    """Seconds between requests to which an earlier run had to slow down."""
    rest: float = 0.0
    """Seconds that it has to be left alone yet: a Retry-After from an earlier run."""


class Answer(NamedTuple):
    """How a host bore a request."""

    seconds: float | None = None
    """That the answer took; None when there was none, which says nothing of the host unless it was in trouble."""
    trouble: str = ""
    """Why it was none, by its reason (`http-503`, `timeout`), when that says something of the host and may pass."""
    rest: float = 0.0
    """Seconds that Retry-After asks for."""
    is_ours: bool = False
    """Whether the trouble is that of this machine, so that it says nothing of the host."""


class Tempo:
    """The pace of one host at present. Touched under the frontier's lock only; times are the frontier's clock.

    A trouble lets the whole host rest, twice as long with each one more, and makes it slower afterwards; good answers
    make it faster again. Requests that were under way when a trouble came are part of it, and count no second time. Nor
    does a URL that fails again though the host has answered others well since: that is the URL's own.
    """

    __slots__ = (
        "_floor", "_good_at", "_pace", "_smooth", "_troubled_at", "asked_until", "delay", "slow", "trouble", "troubles",
    )  # fmt: skip

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._floor = pace.delay
        self._smooth = 0.0  # response time
        self._troubled_at = self._good_at = -math.inf
        self.slow = min(pace.slow, MAX_SLOW * pace.care)
        """Seconds between requests to which troubles have slowed it down; 0 when there is nothing to remember."""
        self.delay = max(pace.delay, self.slow)
        """Seconds from the end of a request to the start of the next."""
        self.asked_until = -math.inf
        """When the longest Retry-After of all ends."""
        self.troubles = 0
        """In a row."""
        self.trouble = ""
        """The last one."""

    @property
    def is_parked(self) -> bool:
        return self.troubles >= PARKED

    @property
    def is_given_up(self) -> bool:
        return self.troubles >= GIVEN_UP

    def keep(self, delay: float) -> None:
        """Keeps a delay that robots.txt asks for, if it is longer."""
        self._floor = max(self._floor, delay)
        self._settle()

    def hear(self, answer: Answer, began: float, now: float, failed_at: float = math.inf) -> float:
        """Takes an answer in, to a request that began then; returns for how many seconds the host rests now.

        `failed_at` is when that URL met its first trouble.
        """
        if answer.is_ours:
            return max(self.delay, _FIRST_REST * self._pace.care)
        if answer.trouble:
            return self._suffer(answer, began, now, failed_at)
        if answer.seconds is None or began < self._troubled_at:
            return self.delay
        self.troubles, self._good_at = 0, now
        if self.slow or self._pace.adapts:
            self.slow *= _RECOVERY
            if self.slow <= max(self._floor, _FAST_ENOUGH):
                self.slow = 0.0
            self._smooth += (answer.seconds - self._smooth) * (_SMOOTH if self._smooth else 1.0)
            self._settle()
        return self.delay

    def _suffer(self, answer: Answer, began: float, now: float, failed_at: float) -> float:
        self.asked_until = max(self.asked_until, now + answer.rest)
        if began < self._troubled_at:
            return max(self.delay, answer.rest)
        care = self._pace.care
        if failed_at < self._good_at:
            return max(self.delay, answer.rest, _FIRST_REST * care)
        self._troubled_at = now
        self.troubles += 1
        self.trouble = answer.trouble
        self.slow = min(MAX_SLOW * care, max(2 * self.slow, 2 * self._floor, _FIRST_SLOW * care))
        self._settle()
        backoff = _FIRST_REST * care * 2.0 ** (self.troubles - 1)
        # A little longer by chance, so that hosts that went down together are not met by a chorus.
        return max(self.delay, answer.rest, backoff * random.uniform(1, 1.25))  # noqa: S311 - no secret

    def _settle(self) -> None:
        smooth = min(self._smooth, MAX_SLOW) if self._pace.adapts else 0.0
        self.delay = max(self._floor, self.slow, smooth)


def retry_after(written: str, date: str = "") -> float:
    """Seconds that a Retry-After asks for, as a number or as a date (RFC 9110 §10.2.3); 0 when it asks for none.

    A date is held against the `date` that the answer carries, so that it does not matter whose clock is wrong.
    """
    numbers = [part.strip() for part in written.split(",")]  # several such headers: the longest counts
    if all(number.isascii() and number.isdigit() for number in numbers):
        return min(max(map(float, numbers)), MAX_RETRY_AFTER)
    written = written.strip()
    then, now = _time(written), _time(date)
    if then is None:
        return 0.0
    return min(max(then - (time.time() if now is None else now), 0.0), MAX_RETRY_AFTER)


def _time(written: str) -> float | None:
    """Seconds since the epoch of a date as HTTP writes it, in any of its three forms; all of them mean UTC."""
    try:
        time_ = parsedate_to_datetime(written)
        return (time_ if time_.tzinfo else time_.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError, IndexError):
        return None

"""What to fetch next, and when. All of it decided under one lock; nothing is fetched, stored or called back here.

A host that is used up to its limit, rests between two requests or after a trouble, or has not answered for robots.txt
yet is not on offer: politeness follows from the structure (Mercator's back queues, BUbiNG's workbench), and there is no
rate-limit code in the fetchers. A host's first task is its robots.txt, and so is one a day later.
"""

import heapq
import itertools
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from crawler.pace import PARKED, Answer, Pace, Tempo
from crawler.robots import Rules
from crawler.stages import Account, Stage
from crawler.store import HostPace, Queued
from crawler.urls import host as host_of
from crawler.urls import origin

WINDOW: Final = 10_000  # URLs in memory at most; the rest waits in the store
HOST_SHARE: Final = 250  # URLs of one host in memory, about: so that the window always holds many hosts


class Task(NamedTuple):
    """What a fetcher takes: a URL with its host's rules, or, with `url.id` 0, a robots.txt to read first."""

    url: Queued
    host: str
    rules: Rules | None
    attempts: int
    began: float = 0.0
    """When it was taken, by the frontier's clock."""
    failed_at: float = math.inf
    """When it met its first trouble."""
    delay: float = 0.0
    """Seconds that its host rests between two requests at present."""

    @property
    def is_robots(self) -> bool:
        return self.url.id == 0


class Permit(NamedTuple):
    """What a robots.txt says to us."""

    rules: Rules
    delay: float = 0.0
    """Seconds between two requests that it asks for."""
    lasts: float = math.inf
    """Seconds until it has to be asked for again."""


class Returned(NamedTuple):
    """What follows from a task that was given back."""

    again: bool
    """Whether it waits to be tried again: then what came of it is not final."""
    pace: HostPace | None
    """A pace of the host's that is worth to be remembered beyond this run."""


class _Host:
    """One host: its URLs by depth, who uses it, when it may be used again. Touched under the frontier's lock only."""

    __slots__ = (
        "again", "asked", "asking", "in_use", "last", "name", "offered_at", "queue", "ready_at", "rested_at", "rules",
        "slots", "tempo", "vain_since",
    )  # fmt: skip

    def __init__(self, name: str, pace: Pace, now: float) -> None:
        self.name = name
        self.slots = pace.slots
        self.tempo = Tempo(pace)
        self.queue: list[tuple[int, int, Queued]] = []  # depth, id, URL
        self.again: deque[Task] = deque()  # what met a trouble: its turn comes last
        self.last = 0  # the greatest depth that was put into the queue
        self.in_use = 0
        self.rested_at = now + pace.rest if pace.rest else 0.0  # when it has rested from what ended
        self.ready_at = self.rested_at
        self.rules: dict[str, tuple[Rules, float]] = {}  # and until when, by origin: http and https have their own
        self.asking = False  # for robots.txt; nothing else is taken from this host meanwhile
        self.asked = 0  # times in vain
        self.vain_since = 0.0
        self.offered_at: float | None = None  # for when it stands in one of the two heaps: 0 for now

    def rules_for(self, url: str, now: float) -> Rules | None:
        """None when its robots.txt has to be asked for first."""
        if self.tempo.is_given_up:
            detail = f"its host was given up for this run, after {self.tempo.troubles} troubles in a row"
            return Rules.from_reply(None, detail=detail, code=self.tempo.trouble)
        rules, until = self.rules.get(origin(url), (None, 0.0))
        return rules if now < until else None

    @property
    def next_url(self) -> Queued | None:
        """The nearest to a seed; what met a trouble comes behind all others. None when nothing waits.

        Of a parked host it is one from the other end: where a whole part of a site fails, another part tells whether
        the host is back.
        """
        if self.queue:
            return self.queue[-1 if self.tempo.is_parked else 0][2]
        return self.again[0].url if self.again else None

    def goes_on(self, number: int, now: float) -> bool:
        """Whether so many URLs wait, and nothing but a free slot is waited for between them."""
        return len(self.queue) >= number and not self.tempo.delay and self.ready_at <= now

    def take_task(self, rules: Rules, now: float) -> Task:
        """Takes the next URL out."""
        if not self.queue:
            return self.again.popleft()._replace(rules=rules, began=now, delay=self.tempo.delay)
        url = (self.queue.pop() if self.tempo.is_parked else heapq.heappop(self.queue))[2]
        return Task(url, self.name, rules, 0, now, delay=self.tempo.delay)


class Frontier:
    """The URLs that wait in memory, and the count of all that wait in the store.

    Rule 2, take and give back: who takes a task gives it back, in `finally`, and until then it holds one of its
    host's slots. Rule 3: every method decides under the lock and returns; the caller does the I/O.
    The crawl is over when nothing waits and nothing is in flight. Both are counted, so that is exact.
    """

    def __init__(
        self,
        pace: Callable[[str], Pace],
        *,
        waiting: int = 0,
        max_pages: int = 0,
        retries: int = 2,
        window: int = WINDOW,
        host_share: int = HOST_SHARE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`waiting` URLs are queued in the store; at most `max_pages` pages are fetched, 0 for no limit.

        A URL that meets a trouble that may pass is tried `retries` times more.
        `pace` gives each host its pace; it is called under the lock and must be a pure function.
        """
        self._pace, self._clock = pace, clock
        self._window, self._host_share = window, host_share
        self._pages_left = max_pages or None
        self._retries = retries
        self._heard_at = -math.inf  # when any host gave a good answer last
        self._changed = threading.Condition()
        self._hosts: dict[str, _Host] = {}
        self._ready: list[tuple[int, int, _Host]] = []  # depth of its nearest URL, turn, host
        self._resting: list[tuple[float, int, _Host]] = []  # when it may be used, turn, host
        self._turns = itertools.count()
        self._held: set[int] = set()  # ids of URLs that wait in memory or are in flight
        self._in_flight = 0
        self._unsettled = waiting
        self._starving = False  # somebody asked and got nothing since the last refill
        self._closed = False

    def take(self, account: Account | None = None) -> Task | None:
        """The next task. Blocks until a host is ready; None when the crawl is over or the frontier is closed.

        The caller's account learns what it waited for.
        """
        account = account or Account()
        with self._changed:
            while not self._closed:
                if self._unsettled <= 0 or self._pages_left == 0:
                    self._closed = True
                    break
                now = self._clock()
                self._wake(now)
                if (task := self._next(now)) is not None:
                    if self._ready:  # who takes wakes the next, if there is more
                        self._changed.notify()
                    return task
                self._starving = True
                with account(self._lack()):
                    self._changed.wait(self._until_next(now))
            self._changed.notify_all()
            return None

    def give_back(self, task: Task, answer: Answer | None = None, permit: Permit | None = None) -> Returned:
        """Frees the slot that the task held. Its host rests from now on, if anything was requested, as it bore that.

        `answer` is None when nothing was requested. `permit` is what a robots task brought: the URLs of that origin are
        on offer from then on. A task that met a trouble waits to be tried again, unless it was tried often enough.
        Wakes nobody: the caller comes to take next, and needs no other thread to do what it can do itself.
        """
        with self._changed:
            now = self._clock()
            host = self._hosts[task.host]
            host.in_use -= 1
            if task.is_robots:
                host.asking = False
                if permit is not None:
                    host.tempo.keep(permit.delay)
            again, pace = False, None
            if answer is not None:
                pace = self._hear(host, task, answer, now)
                again = bool(answer.trouble) and self._may_try_again(host, task, permit)
            if again:
                self._put_back(host, task, now)
            elif permit is not None:
                host.asked = 0
                host.rules[origin(task.url.url)] = permit.rules, now + permit.lasts
            host.ready_at = max(host.ready_at if host.in_use else 0.0, host.rested_at)
            self._offer(host, now)
            return Returned(again, pace)

    def settle(self, ids: Iterable[int], found: Iterable[Queued], found_count: int, pages: int) -> None:
        """URLs that a commit took out of the ring, and those that it found: `found` of `found_count` in all."""
        with self._changed:
            backlog = self._unsettled > len(self._held)
            settled = [id_ for id_ in ids if id_ in self._held]
            self._held.difference_update(settled)
            self._in_flight -= len(settled)
            self._unsettled += found_count - len(settled)
            if self._pages_left is not None:
                self._pages_left = max(0, self._pages_left - pages)
            if backlog:  # none may overtake those that wait in the store, which are behind all that wait here
                found = [url for url in found if self._goes_before(url)]
            self._add(found, share=2 * self._host_share if backlog else None)
            self._changed.notify_all()

    def refill(self, urls: Iterable[Queued]) -> None:
        """URLs that waited in the store. Raises RuntimeError when there should be some and are none."""
        with self._changed:
            self._starving, held = False, len(self._held)
            self._add(urls, share=self._window)
            if not self._held and self._unsettled > 0:
                raise RuntimeError(f"the store says that {self._unsettled} URLs wait, and gives none")
            if len(self._held) > held:  # else who waits would wake, find nothing, and ask for more again
                self._changed.notify_all()

    def wants(self) -> tuple[list[int], list[str], int, int] | None:
        """What to ask the store for: ids held already, hosts that hold their share, room in all and for a host.

        None when nothing is wanted: the window is filled well enough, or nothing waits in the store.
        """
        with self._changed:
            room = self._window - len(self._held)
            waiting = len(self._held) - self._in_flight
            low = waiting < self._host_share // 2 or self._starving
            if self._closed or room <= 0 or not low or self._unsettled <= len(self._held):
                return None
            hosts, most = self._hosts.values(), self._host_share // 2
            full = [host.name for host in hosts if len(host.queue) + len(host.again) > most]
            return list(self._held), full, room, self._host_share

    def have_plenty(self, hosts: Iterable[str], number: int) -> bool:
        """Whether each of these hosts has so many URLs that may be taken at once, before any in flight is settled."""
        with self._changed:
            left = math.inf if self._pages_left is None else self._pages_left - self._in_flight
            now, known = self._clock(), self._hosts
            return left >= number and all(name in known and known[name].goes_on(number, now) for name in hosts)

    def waits_for(self) -> tuple[str, float, str] | None:
        """The host that comes next while all rest, for how many seconds yet, and the trouble that it is in, if any.

        None while there is something to do.
        """
        with self._changed:
            if self._in_flight or self._ready or not self._resting:
                return None
            host = self._resting[0][2]
            return host.name, host.ready_at - self._clock(), host.tempo.trouble if host.tempo.troubles else ""

    def close(self) -> None:
        """Nothing is handed out any more; who waits in `take` gets None."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        """URLs that are not settled: in memory, in flight or in the store."""
        with self._changed:
            return max(0, self._unsettled)

    def __repr__(self) -> str:
        with self._changed:
            waiting = len(self._held) - self._in_flight
            return (
                f"<Frontier {waiting} waiting, {self._in_flight} in flight, {self._unsettled - len(self._held)} stored>"
            )

    # What follows is called under the lock.

    def _add(self, urls: Iterable[Queued], share: int | None = None) -> None:
        share, now = share or self._host_share, self._clock()
        for url in urls:
            if url.id in self._held or len(self._held) >= self._window:
                continue
            name = host_of(url.url)
            host = self._hosts.get(name)
            if host is None:
                host = self._hosts[name] = _Host(name, self._pace(name), now)
            if len(host.queue) < share:
                self._held.add(url.id)
                heapq.heappush(host.queue, (url.depth, url.id, url))
                host.last = max(host.last, url.depth)
                self._offer(host, now)

    def _goes_before(self, url: Queued) -> bool:
        """Whether the URL's turn is before that of another one of its host in memory."""
        host = self._hosts.get(host_of(url.url))
        return host is not None and bool(host.queue) and url.depth < host.last

    def _offer(self, host: _Host, now: float) -> None:
        """Puts the host on offer if it has a URL and a free slot: now, or when it has rested.

        `now` is the caller's: two readings of the clock in one decision could disagree for ever.
        """
        if host.asking or host.in_use >= host.slots or (url := host.next_url) is None:
            return
        ready_at = host.ready_at if host.ready_at > now else 0.0
        if host.offered_at is not None and host.offered_at <= ready_at:
            return  # when it is taken from there, it is seen that it rests longer
        host.offered_at = ready_at
        if ready_at:
            heapq.heappush(self._resting, (ready_at, next(self._turns), host))
        else:
            heapq.heappush(self._ready, (url.depth, next(self._turns), host))

    def _hear(self, host: _Host, task: Task, answer: Answer, now: float) -> HostPace | None:
        """Lets the host rest as the answer wants it; what is to be remembered of that, if it is news."""
        slow = host.tempo.slow
        host.rested_at = max(host.rested_at, now + host.tempo.hear(answer, task.began, now, task.failed_at))
        if host.tempo.is_given_up:
            host.rested_at = now  # nothing more is requested
        if answer.trouble and not answer.is_ours:
            return HostPace(origin(task.url.url), host.tempo.slow, max(0.0, host.tempo.asked_until - now))
        if answer.seconds is not None:
            self._heard_at = now
        return HostPace(origin(task.url.url), 0.0, 0.0) if slow and not host.tempo.slow else None

    def _may_try_again(self, host: _Host, task: Task, permit: Permit | None) -> bool:
        if not task.is_robots:
            return task.attempts < self._retries and not host.tempo.is_given_up
        if permit is not None and not permit.rules.reason:  # an older copy does as well
            return False
        if not task.attempts:
            host.vain_since = task.began
        # While nobody answers any more, though somebody did, it may be our own network that is gone.
        nobody = -math.inf < self._heard_at < host.vain_since
        return task.attempts < self._retries or (nobody and host.tempo.troubles <= PARKED)

    def _put_back(self, host: _Host, task: Task, now: float) -> None:
        if task.is_robots:
            host.asked = task.attempts + 1
        else:
            self._in_flight -= 1
            host.again.append(task._replace(attempts=task.attempts + 1, failed_at=min(task.failed_at, now)))

    def _wake(self, now: float) -> None:
        """Moves what has rested long enough to where it can be taken."""
        while self._resting and self._resting[0][0] <= now:
            time_, _, host = heapq.heappop(self._resting)
            if host.offered_at == time_:  # else it was put on offer for a sooner time meanwhile
                host.offered_at = None
                self._offer(host, now)

    def _next(self, now: float) -> Task | None:
        if self._pages_left is not None and self._in_flight >= self._pages_left:
            return None  # each of those in flight may be a page
        while self._ready:
            host = heapq.heappop(self._ready)[2]
            host.offered_at = None
            url = host.next_url
            if url is None or host.ready_at > now or host.in_use >= host.slots:  # changed since it was put on offer
                self._offer(host, now)
                continue
            rules = host.rules_for(url.url, now)
            host.in_use += 1
            host.ready_at = max(host.ready_at, now + host.tempo.delay)
            if rules is None:
                host.asking = True
                robots = Queued(0, origin(url.url) + "/robots.txt", url.depth, 0)
                return Task(robots, host.name, None, host.asked, now)
            task = host.take_task(rules, now)
            self._in_flight += 1
            self._offer(host, now)
            return task
        return None

    def _lack(self) -> Stage:
        """What is waited for when nothing is on offer: work, the rest of hosts, or whoever has them in use."""
        if self._ready or len(self._held) <= self._in_flight:  # what is ready may be a page too many
            return "idle"
        return "delay" if self._resting else "per_host"

    def _until_next(self, now: float) -> float | None:
        """Seconds until something rested may be used; None when only another thread can bring work."""
        return max(0.0, self._resting[0][0] - now) if self._resting else None

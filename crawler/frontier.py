"""What to fetch next, and when. All of it decided under one lock; nothing is fetched, stored or called back here.

A host that is used up to its limit, rests between two requests, or has not answered for robots.txt yet is not on
offer: politeness follows from the structure (Mercator's back queues, BUbiNG's workbench), and there is no rate-limit
code in the fetchers. A host's first task is its robots.txt.
"""

import heapq
import itertools
import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from crawler.robots import Rules
from crawler.store import Queued
from crawler.urls import host as host_of
from crawler.urls import origin

WINDOW: Final = 10_000  # URLs in memory at most; the rest waits in the store
HOST_SHARE: Final = 250  # URLs of one host in memory, about: so that the window always holds many hosts


class Pace(NamedTuple):
    """How a host may be used: requests at once, and seconds from the end of one to the start of the next."""

    slots: int
    delay: float


class Task(NamedTuple):
    """What a fetcher takes: a URL with its host's rules, or, with `url.id` 0, a robots.txt to read first."""

    url: Queued
    host: str
    rules: Rules | None
    attempts: int

    @property
    def is_robots(self) -> bool:
        return self.url.id == 0


class _Host:
    """One host: its URLs by depth, who uses it, when it may be used again. Touched under the frontier's lock only."""

    __slots__ = (
        "asked",
        "asking",
        "delay",
        "in_use",
        "last",
        "name",
        "offered",
        "queue",
        "ready_at",
        "rested_at",
        "rules",
        "slots",
    )

    def __init__(self, name: str, pace: Pace) -> None:
        self.name = name
        self.slots, self.delay = pace
        self.queue: list[tuple[int, int, Queued, int]] = []  # depth, id, URL, attempts before
        self.last = 0  # the greatest depth that was put into the queue
        self.in_use = 0
        self.ready_at = 0.0
        self.rested_at = 0.0  # when it has rested from the last request that ended
        self.rules: dict[str, Rules] = {}  # by origin: http and https have a robots.txt each
        self.asking = False  # for robots.txt; nothing else is taken from this host meanwhile
        self.asked = 0  # times in vain
        self.offered = False  # stands in one of the two heaps


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
        window: int = WINDOW,
        host_share: int = HOST_SHARE,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`waiting` URLs are queued in the store; at most `max_pages` pages are fetched, 0 for no limit.

        `pace` gives each host its pace; it is called under the lock and must be a pure function.
        """
        self._pace, self._clock = pace, clock
        self._window, self._host_share = window, host_share
        self._pages_left = max_pages or None
        self._changed = threading.Condition()
        self._hosts: dict[str, _Host] = {}
        self._ready: list[tuple[int, int, _Host]] = []  # depth of its nearest URL, turn, host
        self._resting: list[tuple[float, int, _Host]] = []  # when it may be used, turn, host
        self._delayed: list[tuple[float, int, Task]] = []  # when it may be tried again, turn, task
        self._turns = itertools.count()
        self._held: set[int] = set()  # ids of URLs that wait in memory or are in flight
        self._in_flight = 0
        self._unsettled = waiting
        self._starving = False  # somebody asked and got nothing since the last refill
        self._closed = False

    def take(self) -> Task | None:
        """The next task. Blocks until a host is ready; None when the crawl is over or the frontier is closed."""
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
                self._changed.wait(self._until_next(now))
            self._changed.notify_all()
            return None

    def give_back(self, task: Task, *, requested: bool = True) -> None:
        """Frees the slot that the task held. Its host rests from now on for its delay, if anything was requested.

        Wakes nobody: the caller comes to take next, and needs no other thread to do what it can do itself.
        """
        with self._changed:
            now = self._clock()
            host = self._hosts[task.host]
            host.in_use -= 1
            if requested:
                host.rested_at = max(host.rested_at, now + host.delay)
            host.ready_at = max(host.ready_at if requested or host.in_use else 0.0, host.rested_at)
            self._offer(host, now)

    def admit(self, task: Task, rules: Rules, agent: str) -> None:
        """The rules that a robots task brought; the URLs of that origin are on offer from then on."""
        with self._changed:
            host = self._hosts[task.host]
            host.rules[origin(task.url.url)] = rules
            host.delay = max(host.delay, rules.delay(agent))
            host.asking, host.asked = False, 0

    def postpone(self, task: Task, seconds: float) -> None:
        """A task to be tried again after some seconds: it waits, and is in flight no longer."""
        with self._changed:
            if not task.is_robots:
                self._in_flight -= 1
            again = task._replace(attempts=task.attempts + 1)
            heapq.heappush(self._delayed, (self._clock() + seconds, next(self._turns), again))
            self._changed.notify()

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
            self._starving = False
            self._add(urls, share=self._window)
            if not self._held and self._unsettled > 0:
                raise RuntimeError(f"the store says that {self._unsettled} URLs wait, and gives none")
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
            full = [host.name for host in self._hosts.values() if len(host.queue) > self._host_share // 2]
            return list(self._held), full, room, self._host_share

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
                host = self._hosts[name] = _Host(name, self._pace(name))
            if len(host.queue) < share:
                self._held.add(url.id)
                heapq.heappush(host.queue, (url.depth, url.id, url, 0))
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
        if host.offered or host.asking or not host.queue or host.in_use >= host.slots:
            return
        host.offered = True
        if host.ready_at > now:
            heapq.heappush(self._resting, (host.ready_at, next(self._turns), host))
        else:
            heapq.heappush(self._ready, (host.queue[0][0], next(self._turns), host))

    def _wake(self, now: float) -> None:
        """Moves what has rested long enough to where it can be taken."""
        while self._delayed and self._delayed[0][0] <= now:
            task = heapq.heappop(self._delayed)[2]
            host = self._hosts[task.host]
            if task.is_robots:
                host.asking, host.asked = False, task.attempts
            else:
                heapq.heappush(host.queue, (task.url.depth, task.url.id, task.url, task.attempts))
            self._offer(host, now)
        while self._resting and self._resting[0][0] <= now:
            host = heapq.heappop(self._resting)[2]
            host.offered = False
            self._offer(host, now)

    def _next(self, now: float) -> Task | None:
        if self._pages_left is not None and self._in_flight >= self._pages_left:
            return None  # each of those in flight may be a page
        while self._ready:
            host = heapq.heappop(self._ready)[2]
            host.offered = False
            if host.ready_at > now or host.in_use >= host.slots:  # changed since it was put on offer
                self._offer(host, now)
                continue
            host.in_use += 1
            host.ready_at = max(host.ready_at, now + host.delay)
            url = host.queue[0][2]
            rules = host.rules.get(origin(url.url))
            if rules is None:
                host.asking = True
                robots = Queued(0, origin(url.url) + "/robots.txt", url.depth, 0)
                return Task(robots, host.name, None, host.asked)
            _, _, url, attempts = heapq.heappop(host.queue)
            self._in_flight += 1
            self._offer(host, now)
            return Task(url, host.name, rules, attempts)
        return None

    def _until_next(self, now: float) -> float | None:
        """Seconds until something rested may be used; None when only another thread can bring work."""
        due = [heap[0][0] for heap in (self._resting, self._delayed) if heap]
        return max(0.0, min(due) - now) if due else None

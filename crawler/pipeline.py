"""The ring: threads, the queue, and the order in which they stop.

take()                      put()                    one transaction a batch
Frontier ──────► fetcher threads ──────► queue.Queue ──────► indexer threads ──────► Store
   ▲                                                              │
   └────────────────── URLs that the transaction found ───────────┘
"""

import queue
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from crawler.access import Access
from crawler.addresses import is_loopback
from crawler.config import Config
from crawler.errors import UsageError
from crawler.frontier import HOST_SHARE, Frontier
from crawler.machine import cores, has_gil
from crawler.outlinks import Outlinks
from crawler.pace import Pace
from crawler.probe import Probes
from crawler.readers import MOST_READERS, Readers
from crawler.report import Progress, Report, Tally
from crawler.stages import Account, Stage, bound, total
from crawler.store import HostPace, Outcome, Revisit, RobotsReply, Store, open_store
from crawler.traps import Traps
from crawler.urls import host, hostname, origin
from crawler.visit import Visitor
from crawler.workers import Worker, join

QUEUE_BOUND: Final = 64  # documents between fetchers and indexers: memory is bounded by this, not by luck
BATCH: Final = 64  # outcomes in one transaction at most
_FEW: Final = 16  # items that are worth a wait; a crawl that waited for more went no faster
DEFAULT_DELAY: Final = 1.0  # seconds between requests to a host that is not this machine
OWN_CARE: Final = 0.2  # how much less this very machine rests when it is in trouble
_ROOM: Final = 4 * HOST_SHARE  # new URLs that a transaction hands back at most
_USUAL: Final = {"traps": True, "sitemaps": True, "drop_tracking": False}
_MOMENT: Final = 0.2  # seconds that a document waits for others to be stored with it
_TICK: Final = 0.2  # seconds between two looks of the main thread at the clock, the keyboard and the progress

Item = Outcome | RobotsReply | HostPace
_Queue = queue.Queue[Item | None]  # None is the end mark, one for each indexer


@dataclass(slots=True)
class Ring:
    """What the threads of one crawl share."""

    config: Config
    frontier: Frontier
    store: Store
    traps: Traps
    readers: Readers
    queue: _Queue = field(default_factory=lambda: queue.Queue(QUEUE_BOUND))
    tally: Tally = field(default_factory=Tally)
    writing: threading.Lock = field(default_factory=threading.Lock)
    abandoned: threading.Event = field(default_factory=threading.Event)
    accounts: list[Account] = field(default_factory=list)
    error: BaseException | None = None

    def account(self, outermost: Stage) -> Account:
        """One for a thread that the main thread is about to make."""
        self.accounts.append(Account(outermost))
        return self.accounts[-1]

    def fail(self, error: BaseException) -> None:
        """Notes the first error that ends the crawl; nothing is taken any more."""
        self.error = self.error or error
        self.frontier.close()


def fetch_loop(ring: Ring, account: Account, visitor: Visitor) -> None:
    """A producer: takes, fetches, parses, puts. Ends when the frontier has no more."""
    frontier = ring.frontier
    while (task := frontier.take(account)) is not None:
        item: Item | None = None
        answer, permit = None, None
        try:
            if task.is_robots:
                home = origin(task.url.url)
                with account("put"):  # the indexers may be writing
                    known = ring.store.hosts.robots(home)
                permit, item, answer = visitor.robots(home, known)
            else:
                item, answer = visitor.visit(task)
        finally:
            again, pace = frontier.give_back(task, answer, permit)  # rule 2: whoever takes gives back
        for what in (pace, None if again else item):
            if what is not None and not ring.abandoned.is_set():
                _put(ring.queue, account, what)


def _put(items: _Queue, account: Account, item: Item) -> None:
    """Blocks while the queue is full: fetchers go no faster than indexers."""
    try:
        items.put_nowait(item)
    except queue.Full:
        with account("put"):
            items.put(item)


def index_loop(ring: Ring, account: Account) -> None:
    """A consumer: drains the queue into the store, a batch in one transaction, until its end mark comes.

    Rule 4: an error of the writer closes the frontier, and the loop goes on emptying the queue until the end mark,
    so that no fetcher blocks in put for ever. The main thread raises the error.
    """
    ended = False
    while not ended:
        try:
            batch, ended = _batch(ring)
            if ring.error is None and batch:
                _store(ring, account, batch)
        except BaseException as error:  # noqa: BLE001 - handed to the main thread, which raises it
            ring.fail(error)


def _batch(ring: Ring) -> tuple[list[Item], bool]:
    """What is in the queue, at least one item and at most BATCH; whether the end mark came. Blocks for the first.

    A few items cost little more to store than one. So a few are waited for, a moment at most, while the hosts that they
    are of have enough to be asked for without what these bring; and no more than a few, for a rare page that these lead
    to comes next.
    """
    batch: list[Item] = []
    hosts: set[str] = set()
    item = ring.queue.get()
    until = time.monotonic() + _MOMENT
    while item is not None:
        batch.append(item)
        if len(batch) == BATCH:
            return batch, False
        if isinstance(item, Outcome):
            hosts.add(host(item.url))
        try:
            left = until - time.monotonic()
            waits = len(batch) < _FEW and ring.queue.empty() and left > 0 and ring.frontier.have_plenty(hosts, _FEW)
            item = ring.queue.get(timeout=left) if waits else ring.queue.get_nowait()
        except queue.Empty:
            return batch, False
    return batch, True


def _store(ring: Ring, account: Account, batch: list[Item]) -> None:
    """Rule 1: a batch is one transaction. Then the frontier learns what left the ring and what came."""
    outcomes = [item for item in batch if isinstance(item, Outcome)]
    news = [item for item in batch if not isinstance(item, Outcome)]
    # What the store says and what the frontier learns must not be overtaken by another indexer's, or a URL that was
    # read as waiting could be handed out after it is done. SQLite has one writer anyway.
    with ring.writing, account("commit"):
        urls, found, changes = ring.store.commit(outcomes, news, _ROOM)
        pages = sum(outcome.page is not None or outcome.unchanged for outcome in outcomes)
        ring.frontier.settle([outcome.id for outcome in outcomes], urls, found, pages)
        refill(ring)
    ring.tally.add(outcomes, changes)


def refill(ring: Ring) -> None:
    """Fills the frontier's window from the store, if it is low."""
    if (wanted := ring.frontier.wants()) is not None:
        ring.frontier.refill(ring.store.queued(*wanted))


def crawl(
    config: Config,
    *,
    revisit: Revisit | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    interrupts: Callable[[], int] | None = None,
) -> Report:
    """Crawls from the seeds of the configuration into its index file, and returns when the crawl is over.

    Blocks. A crawl that was interrupted or killed goes on where it was. `revisit` asks again for what was fetched
    before, as `crawler.update` does. `on_progress` is called in this thread a few times a second. The first Ctrl-C (or
    the first count of `interrupts`, for a program with signal handlers of its own) takes no more URLs and finishes
    those under way; the second gives those up, and still saves what is queued; the third is raised as
    KeyboardInterrupt.
    Raises UsageError without seeds, IndexFileError when the file cannot be used, and whatever else ends a crawl; then
    all threads are joined and what was committed is safe.
    """
    if not config.seeds:
        raise no_seed()
    access = Access(config)
    store = open_store(Path(config.db), durable=config.durable)
    try:
        guesses = tuple(origin(seed) + "/sitemap.xml" for seed in config.seeds)
        sitemaps = tuple(dict.fromkeys(guesses)) if config.sitemaps and config.depth else ()
        resumed = store.begin(_rules(config), config.seeds, fresh=config.fresh, revisit=revisit, sitemaps=sitemaps)
        before = store.totals(config.seeds)
        access.trust(before.named)
        pace = pace_of(config, store.hosts.paces())
        frontier = Frontier(pace, waiting=before.queued, max_pages=config.max_pages, retries=config.retries)
        ring = Ring(config, frontier, store, Traps(before.traps if config.traps else ()), Readers(_readers(config)))
        stop = _Stop(interrupts)
        started = time.monotonic()
        if before.queued:
            _turn(ring, access, stop, on_progress, started)
        after = store.totals(config.seeds)
        seconds = time.monotonic() - started
        report = Report.of(ring.tally.progress(), after, seconds, resumed=resumed, interrupted=stop.count > 0)
        stages = total(ring.accounts)
        report = replace(report, stages=stages, bound=bound(stages, seconds, ring.readers.computing))
        if not report.interrupted:
            report = _finish(ring, stop, report)
            after = store.totals(config.seeds)  # pages that were not reached again are gone now
            report = replace(
                report, pages=after.pages, reasons=after.reasons, skipped=after.skipped, duplicates=after.duplicates
            )
        return replace(report, stages=total(ring.accounts))  # the end is one, too
    finally:
        store.close()


def no_seed() -> UsageError:
    return UsageError("no seed", "say where to begin: crawl --seed https://example.org/ --depth 2")


def _turn(
    ring: Ring, access: Access, stop: "_Stop", on_progress: Callable[[Progress], None] | None, started: float
) -> None:
    """Runs the ring until it is empty or stopped. Rule 5: it stops in the order of the data.

    The frontier closes, the fetchers are joined, each indexer gets one end mark behind the last document, and is
    joined. Joined, never waited for by sleeping; the main thread's joins are short so that Ctrl-C gets through.
    """
    config = ring.config
    outlinks, probes = Outlinks(config), Probes()
    visitors = [
        Visitor(config, outlinks, access, ring.traps, probes, ring.readers, ring.account("parse"))
        for _ in range(config.threads)
    ]
    fetchers = [_worker("fetch", n, fetch_loop, ring, one.account, one) for n, one in enumerate(visitors, 1)]
    indexers = [_worker("index", n, index_loop, ring, ring.account("get")) for n in range(1, config.indexers + 1)]

    def tick() -> None:
        if on_progress is not None:
            seconds = time.monotonic() - started
            waits = _waits(ring.frontier)
            on_progress(replace(ring.tally.progress(), queued=len(ring.frontier), seconds=seconds, waits=waits))
        if ring.writing.acquire(blocking=False):  # who holds it fills the window himself; and while all hosts in it
            try:  # rest, for minutes perhaps, nobody commits
                refill(ring)
            finally:
                ring.writing.release()
        if config.max_time and time.monotonic() - started >= config.max_time:
            ring.frontier.close()
        if stop.count >= 1:
            ring.frontier.close()
        if stop.count >= 2 and not ring.abandoned.is_set():
            ring.abandoned.set()
            for visitor in visitors:
                visitor.abort()
        if stop.count >= 3:
            raise KeyboardInterrupt

    running: list[Worker] = []
    try:
        refill(ring)
        for worker in indexers + fetchers:
            worker.start()
            running.append(worker)
        join(fetchers, stop, tick, _TICK)
    except BaseException as error:
        ring.abandoned.set()
        for visitor in visitors:
            visitor.abort()
        ring.fail(error)
        raise
    finally:
        ring.frontier.close()
        for worker in running:
            if worker in fetchers:
                worker.over.wait()
        writing = [worker for worker in running if worker in indexers]
        for _ in writing:
            ring.queue.put(None)
        try:
            join(writing, stop, tick, _TICK)
        finally:
            for visitor in visitors:
                visitor.close()
            ring.readers.close()
    if ring.error is not None:
        raise ring.error


def _waits(frontier: Frontier) -> str:
    """What a crawl waits for, when that is longer than the common delay between two requests."""
    host, seconds, trouble = frontier.waits_for() or ("", 0.0, "")
    return f"{seconds:.0f} s for {host}{f' ({trouble})' if trouble else ''}" if seconds > 2 * DEFAULT_DELAY else ""


def _finish(ring: Ring, stop: "_Stop", report: Report) -> Report:
    """Ends the crawl in the store, in a thread, so that Ctrl-C gets through; the next run makes up for it."""

    def tick() -> None:
        if stop.count:
            ring.store.interrupt()

    def finish(ring: Ring, _: Account) -> None:
        ring.store.finish(report.as_dict(), complete=not report.queued)

    worker = _worker("finish", 1, finish, ring, ring.account("finish"))
    worker.start()
    join([worker], stop, tick, _TICK)
    if stop.count:
        return replace(report, interrupted=True)
    if ring.error is not None:
        raise ring.error
    return report


class _Stop:
    """How often the user asked to stop: by Ctrl-C, caught inside `with`, or as counted by the caller's handlers."""

    def __init__(self, interrupts: Callable[[], int] | None) -> None:
        self._counted = interrupts
        self._caught = 0

    @property
    def count(self) -> int:
        return self._caught + (self._counted() if self._counted else 0)

    def __enter__(self) -> None: ...

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, KeyboardInterrupt) and self.count < 3:
            self._caught += 1
            return self.count < 3
        return False


def _worker(kind: str, number: int, loop: Callable[..., None], ring: Ring, account: Account, *args: Any) -> Worker:
    def work() -> None:
        with account:
            loop(ring, account, *args)

    return Worker(f"{kind}-{number}", work, ring.fail)


def _rules(config: Config) -> dict[str, Any]:
    """What the verdict on a URL depends on; kept with the crawl, to know whether the next one is the same, and for an
    update. What is as by default is left out, but for the first few.
    """
    unusual = {name: value for name, value in _USUAL.items() if getattr(config, name) is not value}
    return {
        "seeds": list(config.seeds),
        "depth": config.depth,
        "scope": config.scope,
        "include": list(config.include),
        "exclude": list(config.exclude),
    } | {name: not value for name, value in unusual.items()}


def _readers(config: Config) -> int:
    """How many processes may read for the fetchers: by default one a core, where threads cannot use more than one."""
    if config.readers != "auto":
        return config.readers
    some = min(config.threads, cores(), MOST_READERS)
    return some if some > 1 and has_gil() else 0


def pace_of(config: Config, known: Mapping[str, HostPace] | None = None) -> Callable[[str], Pace]:
    """One request at a time and a second between two, but on this very machine as fast as it goes; or as set.

    `known` are the hosts that earlier runs had to slow down for.
    """

    def pace(name: str) -> Pace:
        own = is_loopback(hostname(f"http://{name}/"))
        slots = (cores() if own else 1) if config.per_host == "auto" else config.per_host
        delay = (0.0 if own else DEFAULT_DELAY) if config.delay == "auto" else config.delay
        slow = known.get(name) if known else None
        made = Pace(slots, delay, config.delay == "auto" and not own, OWN_CARE if own else 1.0)
        return made._replace(slow=slow.slow, rest=slow.rest) if slow else made

    return pace

"""How far a crawl is, and what it came to: the numbers that the ring keeps and the faces show."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from crawler.stages import Bound, Spent, Stage
from crawler.store import Outcome, Totals
from crawler.urls import host

_SITEMAPS = ("sitemap", "no-sitemap")  # what is asked to know what to fetch is not counted as fetched


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a crawl is; for a face to show."""

    pages: int = 0
    fetched: int = 0
    failed: int = 0
    skipped: int = 0
    queued: int = 0
    bytes: int = 0
    seconds: float = 0.0
    host: str = ""
    """The host of the last page."""
    waits: str = ""
    """What the crawl waits for, while all hosts rest: `118 s for example.org (http-503)`."""
    new: int = 0
    changed: int = 0
    gone: int = 0
    same: int = 0
    listed: int = 0
    """URLs that sitemaps listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a crawl came to. Counts are of the whole index; `fetched`, `bytes` and `seconds` are of this run."""

    pages: int
    failed: int
    skipped: int
    queued: int
    gone: int
    reasons: dict[str, int]
    fetched: int
    indexed: int
    """Pages indexed in this run."""
    bytes: int
    failures: int = 0
    """URLs that failed in this run."""
    duplicates: int = 0
    """URLs that show the very same as a page that is indexed under another URL."""
    changes: dict[str, int] = field(default_factory=dict)
    """How many pages this run found to be `new`, `changed`, `gone` or the `same` as before."""
    listed: int = 0
    """URLs that sitemaps listed in this run."""
    seconds: float
    interrupted: bool
    resumed: bool
    seeds: dict[str, str]
    """What became of each seed: a state, or a state, a reason and its detail: `failed: timeout: …`."""
    stages: Mapping[Stage, Spent] = field(default_factory=dict)
    """Where the time of this run's threads went."""
    bound: Bound = ""
    """What bounded this run; empty when nothing was left to fetch."""

    @property
    def no_seed_fetched(self) -> bool:
        """Whether every seed failed, or was refused by robots.txt."""
        return all(fate.startswith(("failed", "skipped: robots", "skipped: private")) for fate in self.seeds.values())

    @classmethod
    def of(cls, run: Progress, totals: Totals, seconds: float, *, resumed: bool, interrupted: bool) -> Self:
        """The report on a run that took so many seconds and left these totals."""
        return cls(
            pages=totals.pages,
            failed=totals.failed,
            skipped=totals.skipped,
            queued=totals.queued,
            gone=totals.gone,
            reasons=totals.reasons,
            fetched=run.fetched,
            indexed=run.pages,
            bytes=run.bytes,
            failures=run.failed,
            duplicates=totals.duplicates,
            changes={"new": run.new, "changed": run.changed, "gone": run.gone, "same": run.same},
            listed=run.listed,
            seconds=round(seconds, 3),
            interrupted=interrupted,
            resumed=resumed,
            seeds=totals.seeds,
        )

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; a contract."""
        return asdict(self)


class Tally:
    """Counts that indexers add to and the main thread reads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._progress = Progress()

    def add(self, outcomes: Iterable[Outcome], changes: Mapping[str, int]) -> None:
        some = list(outcomes)
        with self._lock:
            now = self._progress
            self._progress = replace(
                now,
                pages=now.pages + sum(o.page is not None for o in some),
                fetched=now.fetched + sum(o.status is not None and o.reason not in _SITEMAPS for o in some),
                failed=now.failed + sum(o.state == "failed" for o in some),
                skipped=now.skipped + sum(o.state == "skipped" for o in some),
                listed=now.listed + sum(e.rel == "listed" for o in some if o.reason == "sitemap" for e in o.edges),
                bytes=now.bytes + sum(o.size for o in some),
                host=host(some[-1].url) if some else now.host,
                **{verdict: getattr(now, verdict) + count for verdict, count in changes.items()},
            )

    def progress(self) -> Progress:
        with self._lock:
            return self._progress

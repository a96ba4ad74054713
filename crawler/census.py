"""How an index stands: what is in it, what still waits, and where it hurts. Read-only, and at ease beside a crawl."""

import json
import shlex
import shutil
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from crawler.store.owner import running
from crawler.store.schema import connect_reader, failure

_FEW: Final = 10  # hosts in each list

# Everything that is asked of all URLs, in one look through them.
_URLS = """
SELECT host, state, coalesce(reason, ''), count(*), count(same_as), coalesce(sum(due_at <= :now), 0),
    min(iif(due_at > :now, due_at, NULL)), sum(iif(status IS NOT NULL, 1, 0)),
    sum(iif(status IS NOT NULL, seconds, 0.0)), max(iif(status IS NOT NULL, seconds, 0.0))
FROM urls GROUP BY 1, 2, 3
"""
_QUEUED = "SELECT host, depth, count(*) FROM urls WHERE state = 'queued' GROUP BY 1, 2"
_PAGES = "SELECT count(*), coalesce(sum(similar_to <> id), 0) FROM pages"
_CRAWL = "SELECT started_at, finished_at, rules FROM crawls ORDER BY id DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class Waiting:
    """URLs of a host that wait, and how many of them at each depth."""

    host: str
    queued: int
    depths: dict[str, int]
    """By depth; `?` for those without one."""


@dataclass(frozen=True, slots=True)
class Speed:
    """How long the last answers of a host took, in seconds."""

    host: str
    answers: int
    mean: float
    longest: float


@dataclass(frozen=True, slots=True)
class Failing:
    """URLs of a host that failed, and why."""

    host: str
    failed: int
    reasons: dict[str, int]


@dataclass(frozen=True, slots=True)
class LastCrawl:
    """The crawl that was started last; times are ISO 8601, UTC."""

    started_at: str
    finished_at: str | None
    """None while it is not finished."""
    process: int | None
    """That of the crawl that runs now; 0 when it does not say, None when none runs."""
    rules: dict[str, Any]
    go_on: str
    """The command that goes on with it; empty when it is finished."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How an index stands. Lists of hosts hold ten at most, the most important first."""

    db: str
    states: dict[str, int]
    """URLs by state."""
    reasons: dict[str, int]
    """URLs that are not in the index, by reason, the most frequent first."""
    pages: int
    sections: int
    duplicates: int
    """URLs that show the very same as a page."""
    similar: int
    """Pages that are nearly the same as another one that stands for them."""
    queued: tuple[Waiting, ...]
    slowest: tuple[Speed, ...]
    failing: tuple[Failing, ...]
    crawl: LastCrawl | None
    due: int
    """URLs that should be looked at again by now."""
    next_due_at: str | None
    """When the next one will be, after now."""
    file_size: int
    """Bytes, that of the write-ahead log included."""
    disk_free: int
    """Bytes."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; a contract."""
        return asdict(self)


def status(*, db: str | Path = "crawl.db") -> Status:
    """How an index stands. Raises IndexFileError when there is no index to read."""
    path = Path(db)
    connection = connect_reader(path)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    try:
        connection.execute("BEGIN")  # one snapshot for all statements, whatever a crawl commits meanwhile
        rows = connection.execute(_URLS, {"now": now}).fetchall()
        queued = connection.execute(_QUEUED).fetchall()
        pages, similar = connection.execute(_PAGES).fetchone()
        (sections,) = connection.execute("SELECT count(*) FROM sections").fetchone()
        crawl = connection.execute(_CRAWL).fetchone()
        last = _last_crawl(crawl, path) if crawl else None
    except (sqlite3.Error, UnicodeDecodeError, ValueError) as error:
        raise failure(db, error, "read") from error
    finally:
        connection.close()
    reasons = _counted((row[2], row[3]) for row in rows if row[1] in ("failed", "skipped", "gone"))
    return Status(
        db=str(db),
        states=_counted((row[1], row[3]) for row in rows),
        reasons=reasons,
        pages=pages,
        sections=sections,
        duplicates=sum(row[4] for row in rows),
        similar=similar,
        queued=_waiting(queued),
        slowest=_slowest(rows),
        failing=_failing(rows),
        crawl=last,
        due=sum(row[5] for row in rows),
        next_due_at=min((row[6] for row in rows if row[6]), default=None),
        file_size=size_of(path),
        disk_free=shutil.disk_usage(path.absolute().parent).free,
    )


def size_of(path: Path) -> int:
    """Bytes of an index file and of the write-ahead log beside it."""
    beside = path.with_name(path.name + "-wal")
    return path.stat().st_size + (beside.stat().st_size if beside.exists() else 0)


def _counted(pairs: Iterable[tuple[str, int]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for name, count in pairs:
        counts[name] += count
    return dict(counts.most_common())


def _by_host(rows: Iterable[tuple[Any, ...]]) -> dict[str, list[tuple[Any, ...]]]:
    hosts: dict[str, list[tuple[Any, ...]]] = {}
    for host, *rest in rows:
        hosts.setdefault(host, []).append(tuple(rest))
    return hosts


def _waiting(rows: list[tuple[Any, ...]]) -> tuple[Waiting, ...]:
    hosts = (
        Waiting(host, sum(count for _, count in depths), {"?" if d is None else str(d): count for d, count in depths})
        for host, depths in _by_host(rows).items()
    )
    return tuple(sorted(hosts, key=lambda waiting: -waiting.queued)[:_FEW])


def _slowest(rows: list[tuple[Any, ...]]) -> tuple[Speed, ...]:
    hosts = []
    for host, some in _by_host(rows).items():
        answers, seconds = sum(row[6] for row in some), sum(row[7] for row in some)
        if answers:
            hosts.append(Speed(host, answers, round(seconds / answers, 3), round(max(row[8] for row in some), 3)))
    return tuple(sorted(hosts, key=lambda speed: -speed.mean)[:_FEW])


def _failing(rows: list[tuple[Any, ...]]) -> tuple[Failing, ...]:
    failed = _by_host((row[0], row[2], row[3]) for row in rows if row[1] == "failed")
    hosts = (Failing(host, sum(count for _, count in some), _counted(some)) for host, some in failed.items())
    return tuple(sorted(hosts, key=lambda failing: -failing.failed)[:_FEW])


def _last_crawl(row: tuple[Any, ...], path: Path) -> LastCrawl:
    started_at, finished_at, written = row
    rules = json.loads(written)
    return LastCrawl(started_at, finished_at, running(path), rules, "" if finished_at else _command(rules, path))


def _command(rules: dict[str, Any], path: Path) -> str:
    """The command line that these rules came from, in its shortest form."""
    more = [] if str(path) == "crawl.db" else ["--db", str(path)]
    if rules.get("update"):
        return shlex.join(["crawl", "update", *more])
    words = ["crawl", *(word for seed in rules["seeds"] for word in ("--seed", seed)), "--depth", str(rules["depth"])]
    words += ["--scope", rules["scope"]] if rules["scope"] != "host" else []
    words += [word for flag in ("include", "exclude") for glob in rules[flag] for word in (f"--{flag}", glob)]
    words += ["--drop-tracking"] if rules.get("drop_tracking") else []
    words += [] if rules.get("sitemaps", True) else ["--no-sitemaps"]
    return shlex.join([*words, *(["--fresh"] if rules.get("fresh") else []), *more])

"""How an index stands: counts, hosts, the last crawl."""

import json
import shlex
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from crawler import IndexFileError, Report, status
from crawler.cli import main
from crawler.store.owner import own
from crawler.store.schema import connect_writer
from crawler.views import status as shown
from tests.site import Site

Run = Callable[..., Report]


def test_a_finished_crawl(site: Site, run: Run, db: Path) -> None:
    """Counts by state and reason, the rules, what is due."""
    site.page("/", links=["/a", "/missing", "http://other.invalid/"])
    site.page("/a")
    run()
    now = status(db=db)
    assert now.states == {"done": 2, "failed": 1, "skipped": 1}
    assert now.reasons == {"http-404": 1, "scope": 1}
    assert (now.pages, now.sections, now.duplicates, now.queued) == (2, 2, 0, ())
    assert now.crawl is not None
    assert (now.crawl.go_on, now.crawl.process) == ("", None)
    assert now.crawl.finished_at
    assert now.crawl.rules["seeds"] == [site.url()]
    assert [(speed.host, speed.answers) for speed in now.slowest] == [(site.host, 3)]
    assert [(failing.host, failing.reasons) for failing in now.failing] == [(site.host, {"http-404": 1})]
    assert now.due or now.next_due_at
    assert now.file_size >= db.stat().st_size
    assert now.disk_free > 0
    assert json.loads(json.dumps(now.as_dict()))["pages"] == 2
    assert "2 in 2 sections" in shown(now)


def test_an_unfinished_crawl_and_how_to_go_on(site: Site, run: Run, db: Path) -> None:
    """What waits by host and depth, and a command that goes on."""
    site.page("/", links=["/a", "/b"])
    run(max_pages=1, depth=7, exclude=("/old *",), scope="any")
    now = status(db=db)
    assert now.crawl is not None
    assert now.crawl.finished_at is None
    assert [(waiting.host, waiting.queued, waiting.depths) for waiting in now.queued] == [(site.host, 2, {"1": 2})]
    words = shlex.split(now.crawl.go_on)
    assert words == [
        "crawl",
        "--seed",
        site.url(),
        "--depth",
        "7",
        "--scope",
        "any",
        "--exclude",
        "/old *",
        "--no-sitemaps",
        "--db",
        str(db),
    ]
    assert main.commands["crawl"].make_context("crawl", words[1:]).params["depth"] == 7
    assert "is not finished" in shown(now)
    with own(db.resolve()):
        assert status(db=db).crawl.process  # type: ignore[union-attr]
        assert "runs now" in shown(status(db=db))


def test_a_million_urls_take_moments(db: Path) -> None:
    """A look or two through all URLs, at most ten hosts of each kind: a tenth of a million is far below a second."""
    connect_writer(db).close()
    with closing(sqlite3.connect(db)) as connection:
        connection.execute(
            """
            WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 100000)
            INSERT INTO urls(url, host, depth, state, reason, status, seconds, due_at)
            SELECT 'http://h' || (n % 500) || '/' || n, 'h' || (n % 500), n % 7,
                iif(n % 3, 'queued', 'failed'), iif(n % 3, '', 'timeout'), iif(n % 3, NULL, 500), n % 500,
                '2099-01-01T00:00:00Z' FROM n
            """
        )
        connection.commit()
    began = time.monotonic()
    now = status(db=db)
    assert time.monotonic() - began < 2
    assert len(now.queued) == len(now.slowest) == len(now.failing) == 10
    assert now.slowest[0].mean == now.slowest[0].longest == 499
    assert (now.due, now.next_due_at, now.crawl) == (0, "2099-01-01T00:00:00Z", None)
    assert sum(now.states.values()) == 100_000


def test_no_index(db: Path) -> None:
    """Without an index there is no status."""
    with pytest.raises(IndexFileError, match="no index yet"):
        status(db=db)

"""Manners towards real servers: what they see of the pace, and of robots.txt from one run to the next."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from crawler import Config, Report, crawl, update, why
from crawler.plan import preview
from tests.site import Site
from tests.test_pipeline import indexed, rows, states
from tests.wire import Script, Wire

Run = Callable[..., Report]
COMMAND = [sys.executable, "-m", "crawler"]


def change(db: Path, statement: str, *values: Any) -> None:
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        connection.execute(statement, values)


def ago(**age: float) -> str:
    return (datetime.now(UTC) - timedelta(**age)).strftime("%Y-%m-%dT%H:%M:%SZ")


def star(site: Site, count: int, prefix: str = "/") -> None:
    """A page that links to so many others."""
    site.page("/", links=[f"{prefix}{number}" for number in range(1, count + 1)])
    for number in range(1, count + 1):
        site.page(f"{prefix}{number}")


# Pace


@pytest.mark.parametrize(
    ("status", "asks", "least"),
    [
        pytest.param(429, lambda: "2", 1.95, id="seconds"),
        pytest.param(503, lambda: formatdate(time.time() + 3, usegmt=True), 1.9, id="date"),
        pytest.param(429, lambda: "-5", 0.1, id="negative"),
        pytest.param(502, lambda: "soon", 0.1, id="no time at all"),
    ],
)
def test_no_request_reaches_a_host_while_it_rests(
    site: Site, db: Path, run: Run, status: int, asks: Callable[[], str], least: float
) -> None:
    """After a 429 or 5xx the whole host is left alone for as long as it asks, whatever the threads and slots."""
    star(site, 30)
    site.latency = 0.01
    site.first("/5", status, Retry_After=asks())
    run(threads=8, per_host=4)
    trouble = site.requests("/5")[0]
    later = [seen.began - trouble.ended for seen in site.seen if seen.began > trouble.ended]
    assert [gap for gap in later if 0.05 < gap < least] == []  # 0.05: what was under way when the answer came
    assert len([gap for gap in later if gap >= least]) > 10
    assert len(indexed(db, site)) == 31


def test_an_hour_is_the_most_that_a_run_waits_and_the_next_run_waits_for_the_rest_of_it(
    site: Site, db: Path, run: Run
) -> None:
    """A Retry-After of thirty years is kept for an hour, and that hour does not end with the run."""
    star(site, 3)
    site.first("/1", 503, Retry_After="1000000000")
    run(max_time=1, per_host=1)
    (until,) = rows(db, "SELECT rests_until FROM hosts")
    assert 3500 < (datetime.fromisoformat(until) - datetime.now(UTC)).total_seconds() <= 3602
    asked = len(site.seen)
    waits: list[str] = []
    report = run(max_time=1, on_progress=lambda now: waits.append(now.waits))
    assert (len(site.seen), report.queued) == (asked, 3)
    assert any(f" s for {site.host}" in text for text in waits)
    change(db, "UPDATE hosts SET rests_until = ?", ago(days=-2))  # by a clock that was two days ahead
    assert run().pages == 4


def test_a_host_s_rest_survives_a_kill(site: Site, db: Path, tmp_path: Path) -> None:
    """After kill -9 the next run leaves the host alone for as long as it had asked for."""
    star(site, 3)
    site.first("/1", 429, Retry_After="4")
    command = [*COMMAND, "--seed", site.url(), "--db", str(db), "-q"]
    process = subprocess.Popen(command, cwd=tmp_path)
    try:
        until = time.monotonic() + 20  # against a hang
        while not (db.exists() and _rests(db)):
            assert time.monotonic() < until
            threading.Event().wait(0.05)
    finally:
        process.kill()
        process.wait()
    trouble = site.requests("/1")[0]
    subprocess.run(command, cwd=tmp_path, check=True, timeout=60)
    assert min(seen.began for seen in site.seen if seen.began > trouble.ended + 0.05) - trouble.ended >= 3.9
    assert len(indexed(db, site)) == 4


def _rests(db: Path) -> list[Any]:
    try:
        return rows(db, "SELECT 1 FROM hosts WHERE rests_until IS NOT NULL")
    except sqlite3.OperationalError:  # not made yet
        return []


def test_a_network_that_is_gone_for_a_while_costs_no_url(site: Site, db: Path, run: Run) -> None:
    """A site that stops listening in the middle of a crawl is waited for, and then crawled to its end."""
    star(site, 300)
    site.latency = 0.01
    away: list[threading.Timer] = []

    def leave(now: Any) -> None:
        if now.pages > 20 and not away:
            site.leave()
            away.append(threading.Timer(2.5, site.come_back))
            away[0].start()

    report = run(on_progress=leave)
    away[0].join()
    assert (report.failed, report.queued, report.pages) == (0, 0, 301)


def test_a_host_that_rests_holds_up_no_other(site: Site, db: Path) -> None:
    """All URLs of other hosts are fetched while one rests, those too that wait in the store behind its many."""
    other = Site()
    star(site, 600)
    star(other, 300, "/b")
    site.first("/1", 429, Retry_After="4")
    seeds = (site.url(), other.url())
    crawl(Config(seeds=seeds, db=str(db), per_host=1, threads=2, max_time=5, sitemaps=False))
    other.close()
    trouble = site.requests("/1")[0]
    assert len([seen for seen in other.seen if seen.ended < trouble.ended + 4]) == 302


def test_a_stopped_crawl_makes_no_burst_when_it_goes_on(site: Site, db: Path, tmp_path: Path) -> None:
    """After SIGSTOP and SIGCONT the delay is kept as before: nothing is made up for."""
    star(site, 8)
    command = [*COMMAND, "--seed", site.url(), "--db", str(db), "-q", "--no-sitemaps"]
    command += ["--delay", "0.3", "--per-host", "3"]
    process = subprocess.Popen(command, cwd=tmp_path)
    until = time.monotonic() + 20  # against a hang
    while len(site.seen) < 4:
        assert time.monotonic() < until
        threading.Event().wait(0.02)
    os.kill(process.pid, signal.SIGSTOP)
    threading.Event().wait(1.5)
    os.kill(process.pid, signal.SIGCONT)
    assert process.wait(30) == 0
    began = sorted(seen.began for seen in site.seen)
    assert len(began) == 10
    assert min(after - before for before, after in pairwise(began)) > 0.25


def test_a_host_that_is_not_this_machine_is_asked_as_often_as_it_answers(db: Path) -> None:
    """Without a delay that is set, the pause is as long as the answers take, and never shorter than a second."""
    site = Site("0.0.0.0")  # which leads here, and is no name of this machine
    star(site, 1)
    site.latency = 1.25
    crawl(Config(seeds=(site.url(),), db=str(db), sitemaps=False))
    site.close()
    began = sorted(site.seen, key=lambda seen: seen.began)
    gaps = [after.began - before.ended for before, after in pairwise(began)]
    assert len(gaps) == 2
    assert min(gaps) > 1.2


# robots.txt from one run to the next


@pytest.fixture
def half(site: Site, run: Run) -> Run:
    """A crawl of `/`, `/a` and `/b` that was stopped after the first of them; the run that goes on."""
    site.robots("User-agent: *\nDisallow: /b\n")
    site.page("/", links=["/a", "/b"])
    site.page("/a")
    site.page("/b")
    run(max_pages=1, per_host=1)
    return run


def test_robots_txt_is_kept_for_a_day(site: Site, db: Path, half: Run) -> None:
    """The next run, and the one after that, go by the copy in the file, Crawl-delay and all."""
    site.robots("User-agent: *\nDisallow: /\n")
    half()
    assert states(db, site) == {"/": "done", "/a": "done", "/b": "skipped robots"}
    assert len(site.requests("/robots.txt")) == 1


@pytest.mark.parametrize("age", [{"hours": 25}, {"hours": -24}], ids=["old", "from the future"])
def test_an_older_robots_txt_is_asked_for_again(site: Site, db: Path, half: Run, age: dict[str, float]) -> None:
    """What waits is judged by what it says now; a copy of a time to come, by a clock that was wrong, is none."""
    change(db, "UPDATE hosts SET robots_at = ?", ago(**age))
    site.robots("User-agent: *\nDisallow: /a\n")
    half()
    assert states(db, site) == {"/": "done", "/a": "skipped robots", "/b": "done"}
    assert len(site.requests("/robots.txt")) == 2


def test_fresh_asks_for_robots_txt_again(site: Site, db: Path, half: Run) -> None:
    """--fresh fetches everything again, and that is a part of it."""
    site.robots("User-agent: *\nDisallow:\n")
    half(fresh=True)
    assert indexed(db, site) == {"/", "/a", "/b"}


@pytest.mark.parametrize("failure", [503, 429, None])
def test_an_older_copy_serves_while_robots_txt_cannot_be_had(
    site: Site, db: Path, half: Run, failure: int | None
) -> None:
    """A copy of last week is still obeyed when its server has errors; that it is, is told."""
    change(db, "UPDATE hosts SET robots_at = ?", ago(days=7))
    if failure:
        site.robots("", failure)
    else:
        site.hold("/robots.txt")
    half(timeout=1.0)
    assert states(db, site) == {"/": "done", "/a": "done", "/b": "skipped robots"}
    told = why(site.url("/b"), db=db).robots
    assert told.allowed is False
    assert "line 2: Disallow: /b" in told.rule
    assert "in vain" in told.rule
    assert rows(db, "SELECT robots_at FROM hosts") == [ago(days=7)] or "still in use" in told.rule


def test_a_copy_of_more_than_a_month_serves_no_more(site: Site, db: Path, half: Run) -> None:
    """Then everything is refused, for a passing reason that names the age of the copy."""
    change(db, "UPDATE hosts SET robots_at = ?", ago(days=31))
    site.robots("", 500)
    half(retries=0)
    assert states(db, site)["/a"] == "failed robots-unreachable"
    assert "too old" in why(site.url("/a"), db=db).detail


def test_what_failed_is_not_kept(site: Site, db: Path, run: Run) -> None:
    """A robots.txt that could not be had is asked for by the next run, without waiting for a day."""
    site.page("/")
    site.robots("", 500)
    run(retries=0)
    site.robots("User-agent: *\nDisallow:\n")
    run()
    assert indexed(db, site) == {"/"}


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        pytest.param(b"", "connect-error", id="closes without a byte"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\nUser-agent: *", "truncated", id="cut"),
        pytest.param(lambda connection: connection.recv(1), "timeout", id="never answers"),
    ],
)
def test_a_robots_txt_that_never_comes_refuses_all(db: Path, script: Script | bytes, reason: str) -> None:
    """Without an answer nothing may be fetched (RFC 9309 §2.3.1.4): no page is asked for, and the reason is told."""
    wire = Wire(script)
    report = crawl(Config(seeds=(wire.url,), db=str(db), timeout=0.3))
    wire.close()
    assert report.no_seed_fetched
    assert rows(db, "SELECT state, reason FROM urls") == [("failed", reason)]
    assert len(wire.requests) >= 3
    assert all(request.startswith(b"GET /robots.txt ") for request in wire.requests)


def test_six_redirects_are_no_robots_txt(site: Site, db: Path, run: Run) -> None:
    """More than five redirects mean that there is none (RFC 9309 §2.3.1.2), and that is told."""
    site.page("/")
    site.redirect("/robots.txt", "/r1")
    for number in range(1, 7):
        site.redirect(f"/r{number}", f"/r{number + 1}")
    site.raw("/r7", b"User-agent: *\nDisallow: /\n", Content_Type="text/plain")
    run()
    assert indexed(db, site) == {"/"}
    assert "more than 5 times" in why(site.url(), db=db).robots.rule


def test_rules_of_another_host_hold_for_the_one_that_was_asked(site: Site, db: Path, run: Run) -> None:
    """Redirects are followed across hosts, and the rules are those of the first (RFC 9309 §2.3.1.2)."""
    other = Site()
    other.page("/a")
    other.raw("/rules", b"User-agent: *\nDisallow: /a\n", Content_Type="text/plain")
    site.redirect("/robots.txt", other.url("/rules"))
    site.page("/", links=["/a", other.url("/a")])
    site.page("/a")
    run(scope="any", allow_private=True)
    other.close()
    assert states(db, site)["/a"] == "skipped robots"
    assert rows(db, f"SELECT state FROM urls WHERE url = '{other.url('/a')}'") == ["done"]


def test_a_huge_robots_txt_is_read_as_far_as_it_goes(site: Site, db: Path, run: Run) -> None:
    """Of 10 MiB the first 500 KiB hold, and that there was more is told."""
    site.page("/", links=["/early", "/late"])
    site.page("/late")
    site.robots("User-agent: *\nDisallow: /early\n" + "# and so on\n" * 900_000 + "Disallow: /late\n")
    run()
    assert states(db, site) == {"/": "done", "/early": "skipped robots", "/late": "done"}
    assert "longer than 500 KiB" in why(site.url("/late"), db=db).robots.rule


@pytest.mark.parametrize(
    "body",
    [
        pytest.param("User-agent: *\nDisallow: /b\n".encode("utf-16"), id="UTF-16"),
        pytest.param(b"\xef\xbb\xbfUser-agent: *\rDisallow: /b\r", id="mark and CR"),
        pytest.param(b"\xff\0\x01\nUser-agent: *\nDisallow: /b\n\xc3\x28", id="bad UTF-8"),
    ],
)
def test_rules_in_any_bytes_are_obeyed_and_kept(site: Site, db: Path, run: Run, body: bytes) -> None:
    """Whatever bytes it is made of, it says the same now and when it is read from the file."""
    site.page("/", links=["/a", "/b"])
    site.page("/a")
    site.page("/b")
    site.raw("/robots.txt", body)
    run(max_pages=1, per_host=1)
    run()
    assert states(db, site) == {"/": "done", "/a": "done", "/b": "skipped robots"}


def test_strict_and_usage(site: Site, db: Path, run: Run) -> None:
    """robots_strict takes a 403 for a refusal; obey_usage leaves out what is not for search; both are options."""
    site.page("/", links=["/papers/1"])
    site.page("/papers/1")
    site.robots("", 403)
    assert run(robots_strict=True).no_seed_fetched
    assert states(db, site) == {"/": "skipped robots"}
    assert why(site.url(), db=db, strict=True).robots.allowed is False
    site.robots("User-agent: *\nContent-Usage: /papers/ search=n\nContent-Usage: / train-ai=n\n")
    run(fresh=True, obey_usage=True)
    assert states(db, site) == {"/": "done", "/papers/1": "skipped usage"}
    assert rows(db, "SELECT usage FROM hosts") == ["/papers/ search=n\n/ train-ai=n"]
    run()
    assert indexed(db, site) == {"/", "/papers/1"}


# Before the first page


def test_a_preview_tells_the_pace_and_how_long_it_takes(site: Site) -> None:
    """What robots.txt says, the pace that follows, and what that comes to; sitemaps that it names are counted."""
    site.robots("User-agent: *\nCrawl-delay: 60\nDisallow: /secret\nContent-Usage: / train-ai=n\n")
    site.page("/")
    entries = "".join(f"<url><loc>{site.url(f'/{number}')}</loc></url>" for number in range(7))
    site.raw("/s.xml", f"<urlset>{entries}</urlset>".encode(), Content_Type="application/xml")
    asked = preview(Config(seeds=(site.url("/secret"), site.url())))["seeds"]
    assert [len(asked), len(site.requests("/robots.txt"))] == [2, 1]
    made = asked[0]
    assert (made["robots"], made["delay"], made["pages_per_minute"]) == ("refused by robots.txt", 30.0, 2.0)
    assert made["notes"] == "its Crawl-delay of 60 s is kept as 30 s"
    assert made["usage"] == ["/ train-ai=n"]
    assert site.paths == []
    named = f"Sitemap: {site.url('/s.xml')}\nSitemap: {site.url('/secret/s.xml')}\nSitemap: https://e.invalid/s.xml\n"
    site.robots(f"User-agent: *\nDisallow: /secret\n{named}")
    made = preview(Config(seeds=(site.url(),)))["seeds"][0]
    assert (made["sitemap_urls"], made["more_sitemaps"], made["pages_per_minute"]) == (7, False, None)
    assert site.paths == ["/s.xml"]


@pytest.mark.parametrize(
    "row",
    ["delay = 1e9", "delay = 9e999", "delay = 'abc'", "robots_status = 'abc'", "robots_at = x'00ff'", "robots_txt = 7"],
)
def test_what_a_file_says_of_a_host_is_held_to_what_we_would_write(site: Site, db: Path, run: Run, row: str) -> None:
    """A file that somebody else wrote into neither stops a crawl nor slows it down without end."""
    site.page("/", links=["/a"])
    site.page("/a")
    run()
    with closing(sqlite3.connect(db)) as connection, connection:
        connection.execute(f"UPDATE hosts SET {row}")
    report = update(Config(db=str(db), sitemaps=False, max_time=20), before="9999")
    assert (report.fetched, report.queued) == (2, 0)


def test_a_robots_txt_behind_slow_redirects_has_one_deadline(serve: Callable[..., Wire], run: Run) -> None:
    """Each hop gets what is left of the time, not the whole of it again."""

    def talk(connection: socket.socket) -> None:
        threading.Event().wait(0.4)
        number = len(wire.requests)
        connection.sendall(f"HTTP/1.1 302 F\r\nLocation: /r{number}\r\nContent-Length: 0\r\n\r\n".encode())

    wire = serve(talk)
    run(seeds=(wire.url,), timeout=1.0, retries=0)
    assert len(wire.requests) <= 4

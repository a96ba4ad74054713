"""The ring: its five rules, its end, its interruption, and which pages it reaches."""

import os
import random
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from queue import Queue
from typing import Any

import pytest

from crawler import Config, IndexFileError, Report, UsageError, crawl, search
from crawler.pipeline import QUEUE_BOUND
from crawler.store.sqlite import SqliteStore
from tests.site import Site

Run = Callable[..., Report]


def rows(db: Path, sql: str) -> list[Any]:
    with closing(sqlite3.connect(db)) as connection, connection:
        found = connection.execute(sql).fetchall()
    return [row[0] if len(row) == 1 else row for row in found]


def indexed(db: Path, site: Site) -> set[str]:
    return {url.removeprefix(site.url("")) for url in rows(db, "SELECT url FROM pages")}


def states(db: Path, site: Site) -> dict[str, str]:
    found = rows(db, "SELECT url, state || iif(reason = '', '', ' ' || reason) FROM urls")
    return {url.removeprefix(site.url("")): state for url, state in found}


def web(site: Site, pages: int, links: int, seed: int) -> dict[str, list[str]]:
    """A random site: its pages and their links."""
    chance = random.Random(seed)
    paths = ["/", *(f"/{number}" for number in range(1, pages))]
    graph = {path: chance.sample(paths, links) for path in paths}
    for path, targets in graph.items():
        site.page(path, links=targets)
    return graph


def breadth_first(graph: dict[str, list[str]], depth: int) -> set[str]:
    reached, wave = {"/"}, {"/"}
    for _ in range(depth):
        wave = {target for path in wave for target in graph[path]} - reached
        reached |= wave
    return reached


# Which pages


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 50])
@pytest.mark.parametrize(("threads", "indexers"), [(1, 1), (4, 1), (8, 3)])
def test_depth_reaches_what_a_breadth_first_walk_reaches(
    site: Site, db: Path, run: Run, depth: int, threads: int, indexers: int
) -> None:
    """Whichever thread is faster, a depth reaches the same pages, each fetched once."""
    graph = web(site, pages=60, links=2, seed=depth)
    report = run(depth=depth, threads=threads, per_host=threads, indexers=indexers)
    assert indexed(db, site) == breadth_first(graph, depth)
    assert sorted(site.paths) == sorted(breadth_first(graph, depth))
    assert report.pages == len(site.paths)


def test_a_url_found_again_nearer_to_a_seed_takes_the_smaller_depth(site: Site, db: Path, run: Run) -> None:
    """A slow short way still counts: what lies behind a page is reached by its smallest depth, done or not."""
    site.page("/", links=["/long/1", "/short"])
    site.page("/long/1", links=["/long/2"])
    site.page("/long/2", links=["/target"])
    site.page("/short", links=["/target"])
    site.page("/target", links=["/behind"])
    site.page("/behind", links=["/too/far"])
    site.page("/too/far")
    gate = site.hold("/short")  # answers only after the long way led to /target, at depth 3

    def open_gate(_: Any) -> None:
        if site.requests("/target"):
            gate.set()

    run(depth=3, threads=4, per_host=4, on_progress=open_gate)
    assert indexed(db, site) == {"/", "/long/1", "/long/2", "/short", "/target", "/behind"}
    depths = dict(rows(db, "SELECT url, depth FROM urls"))
    assert depths[site.url("/target")] == 2
    assert depths[site.url("/behind")] == 3
    assert states(db, site)["/too/far"] == "skipped depth"


def test_pages_are_fetched_breadth_first(site: Site, run: Run) -> None:
    """A single thread fetches a level before the next."""
    graph = web(site, pages=40, links=3, seed=7)
    run(threads=1)
    level = {path: depth for depth in range(40, -1, -1) for path in breadth_first(graph, depth)}
    reached = [level[path] for path in site.paths]
    assert reached == sorted(reached)


def test_every_url_keeps_its_verdict(site: Site, db: Path, run: Run) -> None:
    """What was not indexed is in the file with the reason."""
    site.robots("User-agent: *\nDisallow: /private\n")
    site.page("/", links=["/gone", "/private/x", "http://other.invalid/", "/a", "/image", "/hidden", "/blank"])
    site.page("/a", links=["/b"])
    site.raw("/image", b"\x89PNG", Content_Type="image/png")
    site.page("/hidden", head='<meta name="robots" content="noindex">', links=["/seen"])
    site.page("/seen")
    site.raw("/blank", b"  ", Content_Type="text/html")
    report = run(depth=1)
    assert states(db, site) == {
        "/": "done",
        "/a": "done",
        "/b": "skipped depth",
        "/blank": "skipped empty",
        "/gone": "failed http-404",
        "/hidden": "skipped noindex",
        "/image": "skipped content-type",
        "/private/x": "skipped robots",
        "/seen": "skipped depth",
        "http://other.invalid/": "skipped scope",
    }
    assert "/private/x" not in site.paths
    assert report.reasons["http-404"] == 1
    assert (report.pages, report.failed, report.skipped, report.queued) == (2, 1, 7, 0)


def test_nofollow_links_are_known_but_not_followed(site: Site, db: Path, run: Run) -> None:
    """rel=nofollow gives no depth and no visit, until a link without it leads to the same page."""
    site.page("/", body='<a rel="nofollow" href="/a">a</a> <a rel="nofollow" href="/b">b</a>', links=["/c"])
    site.page("/a")
    site.page("/b", links=["/d"])
    site.page("/c", links=["/b"])
    site.page("/d")
    run(depth=2)
    assert indexed(db, site) == {"/", "/c", "/b"}
    assert states(db, site)["/a"] == "skipped nofollow"
    assert states(db, site)["/d"] == "skipped depth"  # /b is at depth 2 by way of /c, not at 1


def test_redirects_add_no_hop_and_go_round_the_ring(site: Site, db: Path, run: Run) -> None:
    """A redirect's target is judged, fetched once, and indexed under its own URL at the same depth."""
    site.page("/", links=["/old", "/older", "/out"])
    site.redirect("/old", "/new")
    site.redirect("/older", "/old", 302)
    site.redirect("/out", "http://other.invalid/", 307)
    site.page("/new", links=["/next"])
    site.page("/next")
    run(depth=2)
    assert indexed(db, site) == {"/", "/new", "/next"}
    assert states(db, site)["/old"] == "done redirect"
    assert states(db, site)["http://other.invalid/"] == "skipped scope"
    assert len(site.requests("/new")) == 1


@pytest.mark.parametrize("target", ["", "http://[", "file:///etc/passwd", "javascript:1", "/loop"])
def test_a_redirect_to_nowhere_fails_that_url(site: Site, db: Path, run: Run, target: str) -> None:
    """A Location that is no http URL, or the URL itself, costs the URL and nothing else."""
    site.page("/", links=["/loop"])
    site.redirect("/loop", target)
    run()
    assert states(db, site) == {"/": "done", "/loop": "failed bad-redirect"}


def test_redirect_loops_and_chains_end(site: Site, db: Path, run: Run) -> None:
    """A circle is found by the unique URL, an endless chain after ten redirects."""
    site.page("/", links=["/circle/1", "/chain/0"])
    site.redirect("/circle/1", "/circle/2")
    site.redirect("/circle/2", "/circle/1")
    for number in range(30):
        site.redirect(f"/chain/{number}", f"/chain/{number + 1}")
    run()
    assert len(site.requests("/circle/1")) == 1
    assert states(db, site)["/chain/11"] == "skipped redirects"
    assert "/chain/11" not in site.paths


# Rule 1: one transaction


def test_a_commit_that_fails_leaves_nothing_of_its_batch(site: Site, db: Path, run: Run) -> None:
    """A page, its index rows, its links and the state of its URL become visible together or not at all."""
    site.page("/", links=["/a"])
    run(depth=0)
    with sqlite3.connect(db) as connection:  # the last statement of a batch now fails
        connection.execute(
            "CREATE TRIGGER broken BEFORE INSERT ON links BEGIN SELECT RAISE(ABORT, 'broken on purpose'); END"
        )
    connection.close()
    with pytest.raises(IndexFileError, match="broken on purpose"):
        run(depth=0, fresh=True)
    assert rows(db, "SELECT state FROM urls") == ["queued", "skipped"]  # as `begin` left them
    assert rows(db, "SELECT count(*) FROM pages") == [1]
    assert search("This", db=db).total == 1
    with sqlite3.connect(db) as connection:
        connection.execute("DROP TRIGGER broken")
    connection.close()
    assert run(depth=0, fresh=True).pages == 1


# Rule 2: take and give back


@pytest.mark.parametrize("per_host", [1, 2, 3])
def test_a_host_never_serves_more_requests_at_once_than_its_slots(site: Site, run: Run, per_host: int) -> None:
    """per_host bounds the requests in flight to a host, however many threads there are."""
    web(site, pages=40, links=4, seed=1)
    site.latency = 0.01
    run(threads=8, per_host=per_host)
    assert site.most_at_once == per_host


def test_delay_is_kept_between_requests_to_a_host(site: Site, run: Run) -> None:
    """The next request to a host begins a delay after the end of the one before, robots.txt included."""
    site.page("/", links=["/a", "/b"])
    site.page("/a")
    site.page("/b")
    run(threads=4, delay=0.3, per_host=1)
    seen = sorted(site.seen, key=lambda request: request.began)
    assert len(seen) == 4
    gaps = [after.began - before.ended for before, after in pairwise(seen)]
    assert min(gaps) > 0.25


def test_crawl_delay_of_robots_is_kept(site: Site, run: Run) -> None:
    """A Crawl-delay longer than our own is kept, on this machine too."""
    site.robots("User-agent: *\nCrawl-delay: 0.4\n")
    site.page("/", links=["/a"])
    site.page("/a")
    run()
    seen = sorted(site.seen, key=lambda request: request.began)
    gaps = [after.began - before.ended for before, after in pairwise(seen)]
    assert len(gaps) == 2
    assert min(gaps) > 0.35


# Rule 4: guard the item, not the loop


def test_a_page_that_breaks_the_parser_costs_that_page(
    site: Site, db: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception that nobody foresaw fails its URL, and the thread goes on."""
    import crawler.reading

    parse = crawler.reading.parse

    def fragile(body: bytes, url: str, *args: Any, **kwargs: Any) -> Any:
        if url.endswith("/bad"):
            raise MemoryError("no room for this page")
        return parse(body, url, *args, **kwargs)

    monkeypatch.setattr(crawler.reading, "parse", fragile)
    site.page("/", links=["/bad", "/good"])
    site.page("/bad")
    site.page("/good")
    run(threads=1)
    assert indexed(db, site) == {"/", "/good"}
    assert states(db, site)["/bad"] == "failed internal-error"
    assert rows(db, "SELECT status FROM urls WHERE url LIKE '%/bad'") == [200]  # it has answered


def test_a_page_that_is_cut_before_its_text_says_so(site: Site, db: Path, run: Run) -> None:
    """It has text, which the parser does not come to."""
    many = b" ".join(b"attribute%d" % number for number in range(8_000))
    site.raw("/", b"<!doctype html><title>cut</title><p " + many + b">words", Content_Type="text/html")
    run()
    assert states(db, site)["/"] == "skipped empty"
    (detail,) = rows(db, "SELECT detail FROM urls WHERE reason = 'empty'")
    assert "what the parser could take apart" in detail


def test_a_writer_that_fails_stops_the_crawl_and_blocks_nobody(
    site: Site, db: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the queue full and the writer dead, fetchers still end, and the error is raised in the main thread."""
    web(site, pages=4 * QUEUE_BOUND, links=8, seed=3)
    commit, calls = SqliteStore.commit, []

    def failing(self: SqliteStore, *args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        if len(calls) > 3:
            raise IndexFileError("the disk is full")
        return commit(self, *args, **kwargs)

    monkeypatch.setattr(SqliteStore, "commit", failing)
    with pytest.raises(IndexFileError, match="the disk is full"):
        run(threads=8, per_host=8, indexers=2)
    monkeypatch.undo()
    assert run().pages == len(set(site.paths))


def test_a_progress_callback_that_raises_ends_the_crawl_in_order(site: Site, run: Run) -> None:
    """An exception from the caller's callback is raised after all threads are joined."""
    site.page("/", links=["/slow"])
    site.page("/slow")
    site.hold("/slow")

    def fails(_: Any) -> None:
        raise ValueError("from the callback")

    with pytest.raises(ValueError, match="from the callback"):
        run(on_progress=fails)


# Rule 5: the end


def test_a_crawl_ends_by_itself_however_often_it_runs(site: Site, tmp_path: Path) -> None:
    """The end is counted, not guessed: many small crawls with many threads all end with all pages."""
    graph = web(site, pages=12, links=2, seed=11)
    for number in range(20):
        report = crawl(
            Config(
                seeds=(site.url("/"),),
                db=str(tmp_path / f"{number}.db"),
                depth=50,
                threads=8,
                per_host=8,
                indexers=2,
            )
        )
        assert report.pages == len(breadth_first(graph, 50))
        assert report.queued == 0


def test_a_crawl_that_stops_at_its_limit_knows_what_links_call_its_pages(site: Site, db: Path, run: Run) -> None:
    """What is worked out at the end of a crawl is worked out when a limit ends a run, and the crawl goes on later."""
    site.raw("/", b"<h1>Home</h1><a href=/a>ranking trick</a> <a href=/b>other</a>", **{"Content-Type": "text/html"})
    site.page("/a")
    site.page("/b")
    assert run(max_pages=2, threads=1).queued == 1
    assert site.url("/a") in [hit.url for hit in search("ranking trick", db=db).results]
    assert rows(db, "SELECT finished_at FROM crawls") == [None]
    assert run().resumed


def test_max_pages_is_never_exceeded_and_the_rest_stays_queued(site: Site, db: Path, run: Run) -> None:
    """A run indexes at most so many pages; the next run goes on."""
    web(site, pages=30, links=4, seed=5)
    report = run(max_pages=10, threads=8, per_host=8)
    assert report.pages == 10
    assert len(site.paths) == 10
    assert report.queued > 0
    assert run(max_pages=10, threads=8, per_host=8).pages == 20
    assert run().pages == 30
    assert len(site.paths) == 30


def test_max_time_ends_a_crawl(site: Site, run: Run) -> None:
    """A run that has had its time stops taking URLs and keeps the rest queued."""
    for number in range(1000):
        site.page("/" if not number else f"/{number}", links=[f"/{number + 1}"])
    report = run(max_time=0.5, depth=2000, delay=0.05)
    assert 0 < report.pages < 1000
    assert report.queued > 0


# Interrupting and going on


def test_one_interrupt_finishes_what_is_under_way_and_the_next_run_goes_on(site: Site, db: Path, run: Run) -> None:
    """The first Ctrl-C takes no more; nothing is lost and nothing is fetched twice."""
    graph = web(site, pages=80, links=3, seed=9)
    report = run(interrupts=lambda: int(len(site.paths) >= 20), delay=0.005)
    assert report.interrupted
    assert report.queued > 0
    assert report.pages == len(site.paths)
    again = run()
    assert again.resumed
    assert indexed(db, site) == breadth_first(graph, 50)
    assert sorted(site.paths) == sorted(set(site.paths))


def test_a_second_interrupt_gives_up_requests_under_way_and_keeps_their_urls(site: Site, db: Path, run: Run) -> None:
    """The second Ctrl-C ends at once, even while a server does not answer; the URL stays queued."""
    site.page("/", links=["/stuck", "/a"])
    site.page("/stuck")
    site.page("/a")
    gate = site.hold("/stuck")
    stuck = threading.Event()

    def presses() -> int:
        if {"/", "/a"} <= set(site.paths):
            stuck.set()
        return 2 if stuck.is_set() else 0

    report = run(interrupts=presses, threads=2, per_host=2)
    assert not gate.is_set()
    assert report.interrupted
    assert states(db, site) == {"/": "done", "/a": "done", "/stuck": "queued"}
    gate.set()
    assert run().pages == 3


def test_ctrl_c_in_a_program_that_uses_the_library_is_an_interrupt(site: Site, db: Path, run: Run) -> None:
    """KeyboardInterrupt in the calling thread ends the crawl in order, with a report."""
    web(site, pages=50, links=3, seed=2)
    pressed = []

    def press(_: Any) -> None:
        if site.paths and not pressed:
            pressed.append(True)
            os.kill(os.getpid(), signal.SIGINT)

    report = run(on_progress=press, delay=0.05)
    assert report.interrupted
    assert report.queued > 0
    assert report.pages == len(site.paths)


def test_ctrl_c_in_a_program_finishes_what_is_under_way(site: Site, db: Path, run: Run) -> None:
    """Python takes a thread for ended when an interrupt comes while it is joined; the crawl must not."""
    site.page("/", links=["/slow"])
    site.page("/slow", "a treasure")
    gate = site.hold("/slow")
    at_work = threading.current_thread()
    assert at_work is threading.main_thread()

    def press() -> None:
        while "/slow" not in site.asked:
            gate.wait(0.01)
        os.kill(os.getpid(), signal.SIGINT)
        gate.wait(1.0)  # the crawl has every occasion to end too early
        gate.set()

    presses = threading.Thread(target=press)
    presses.start()
    report = run(threads=1)
    presses.join()
    assert report.interrupted
    assert indexed(db, site) == {"/", "/slow"}


# Again, with the same or other rules


def test_a_finished_crawl_started_again_fetches_nothing(site: Site, run: Run) -> None:
    """The same command after the end asks for no page."""
    web(site, pages=10, links=2, seed=4)
    first = run()
    fetched = len(site.paths)
    again = run()
    assert len(site.paths) == fetched
    assert again.pages == first.pages
    assert (again.fetched, again.queued) == (0, 0)


def test_what_failed_for_a_passing_reason_is_tried_again_by_the_next_crawl(site: Site, db: Path, run: Run) -> None:
    """A page that answered 503 is fetched by the next crawl; one that answered 404 is not."""
    site.page("/", links=["/busy", "/missing"])
    site.page("/busy")
    site.first("/busy", 503)
    run(retries=0)
    assert states(db, site)["/busy"] == "failed http-503"
    run(retries=0)
    assert indexed(db, site) == {"/", "/busy"}
    assert len(site.requests("/missing")) == 1


def test_transient_failures_are_retried_within_a_crawl(site: Site, db: Path, run: Run) -> None:
    """Two 503 and then a page: indexed, with three attempts on record."""
    site.page("/", links=["/busy"])
    site.page("/busy")
    site.first("/busy", 503, 500)
    run(retries=2)
    assert indexed(db, site) == {"/", "/busy"}
    assert rows(db, "SELECT attempts FROM urls WHERE url LIKE '%/busy'") == [3]


def test_retry_after_is_honoured(site: Site, run: Run) -> None:
    """A 429 with Retry-After: 1 is tried again a second later, not sooner."""
    site.page("/", links=["/busy"])
    site.page("/busy")
    site.first("/busy", 429, Retry_After="1")
    run()
    first, second = site.requests("/busy")
    assert second.began - first.ended >= 0.95


def test_a_greater_depth_goes_on_from_the_smaller(site: Site, db: Path, run: Run) -> None:
    """Depth 1 and then depth 3 gives what depth 3 gives, without fetching a page twice."""
    graph = web(site, pages=60, links=2, seed=8)
    run(depth=1)
    run(depth=3)
    assert indexed(db, site) == breadth_first(graph, 3)
    assert sorted(site.paths) == sorted(set(site.paths))


def test_other_rules_judge_anew_what_was_not_fetched(site: Site, db: Path, run: Run) -> None:
    """A URL that was excluded is fetched when it is excluded no longer."""
    site.page("/", links=["/a", "/b"])
    site.page("/a")
    site.page("/b")
    run(exclude=("/b",))
    assert states(db, site)["/b"] == "skipped exclude"
    run()
    assert indexed(db, site) == {"/", "/a", "/b"}


def test_fresh_fetches_everything_again_and_drops_what_is_no_longer_reached(site: Site, db: Path, run: Run) -> None:
    """After --fresh the index holds the new texts, and not the pages that nothing links to any more."""
    site.page("/", "firsttext", links=["/a", "/old"])
    site.page("/a")
    site.page("/old", "oldtext")
    run()
    site.page("/", "secondtext", links=["/a"])
    run(fresh=True)
    assert indexed(db, site) == {"/", "/a"}
    assert search("firsttext", db=db).total == 0
    assert search("oldtext", db=db).total == 0
    assert search("secondtext", db=db).total == 1
    assert len(site.requests("/a")) == 2


def test_a_fresh_crawl_that_fails_keeps_the_index(site: Site, db: Path, run: Run) -> None:
    """When the site does not answer, --fresh loses nothing."""
    site.page("/", "keepthis")
    run()
    site.raw("/", status=500)
    run(fresh=True, retries=0)
    assert search("keepthis", db=db).total == 1


def test_a_second_seed_adds_to_the_same_index(site: Site, db: Path, run: Run) -> None:
    """Two crawls into one file make one index."""
    site.page("/one", "onetext")
    site.page("/two", "twotext")
    run("/one")
    run("/two")
    assert indexed(db, site) == {"/one", "/two"}


def test_no_seed_is_a_usage_error_before_anything_is_written(tmp_path: Path) -> None:
    """Without a seed nothing happens on disk."""
    with pytest.raises(UsageError, match="no seed"):
        crawl(Config(db=str(tmp_path / "x.db")))
    assert list(tmp_path.iterdir()) == []


# Robots


@pytest.mark.parametrize(
    ("status", "crawled"), [(404, True), (403, True), (410, True), (500, False), (503, False), (429, False)]
)
def test_robots_by_status(site: Site, db: Path, run: Run, status: int, crawled: bool) -> None:
    """4xx allows everything, a server error or 429 refuses everything (RFC 9309 §2.3.1)."""
    site.robots("User-agent: *\nDisallow: /\n", status)
    site.page("/")
    report = run(retries=0)
    assert indexed(db, site) == ({"/"} if crawled else set())
    assert report.no_seed_fetched is not crawled


def test_robots_is_asked_for_once_a_host_and_first(site: Site, run: Run) -> None:
    """robots.txt is a host's first URL, whatever the number of threads."""
    web(site, pages=30, links=4, seed=6)
    run(threads=8, per_host=8)
    assert len(site.requests("/robots.txt")) == 1
    assert site.seen[0].path == "/robots.txt"


def test_robots_that_fails_at_first_is_asked_again(site: Site, db: Path, run: Run) -> None:
    """A robots.txt that answers 503 and then its rules does not cost the crawl."""
    site.first("/robots.txt", 503)
    site.page("/")
    run(retries=2)
    assert indexed(db, site) == {"/"}


def test_robots_redirects_are_followed(site: Site, db: Path, run: Run) -> None:
    """Up to five redirects lead to the rules, which hold for the host that was asked (RFC 9309 §2.3.1.2)."""
    site.redirect("/robots.txt", "/r1")
    for number in range(1, 5):
        site.redirect(f"/r{number}", f"/r{number + 1}")
    site.raw("/r5", b"User-agent: *\nDisallow: /secret\n", Content_Type="text/plain")
    site.page("/", links=["/secret"])
    site.page("/secret")
    run()
    assert indexed(db, site) == {"/"}


def test_robots_can_be_switched_off_for_servers_of_ones_own(site: Site, db: Path, run: Run) -> None:
    """obey_robots=false neither asks for robots.txt nor obeys it."""
    site.robots("User-agent: *\nDisallow: /\n")
    site.page("/")
    run(obey_robots=False)
    assert indexed(db, site) == {"/"}
    assert site.requests("/robots.txt") == []


# Headers, fields, addresses


def test_own_headers_go_to_the_seeds_origin_only(site: Site, db: Path, run: Run) -> None:
    """Another port is another origin: it never sees the header, not even after a redirect."""
    other = Site()
    try:
        other.page("/x")
        site.page("/", links=[other.url("/x"), "/to-other"])
        site.redirect("/to-other", other.url("/x"))
        run(scope="any", headers={"Authorization": "Bearer secret"}, allow_private=True)
        assert site.requests("/")[0].headers["Authorization"] == "Bearer secret"
        assert "Authorization" not in other.requests("/x")[0].headers
        assert "Authorization" not in other.requests("/robots.txt")[0].headers
    finally:
        other.close()


def test_fields_of_your_own_are_stored_with_the_pages_of_their_site(site: Site, db: Path, run: Run) -> None:
    """Selectors pick values from the pages of the site they are written for, and from no other."""
    from crawler.fields import Selector

    other = Site()
    try:
        other.page("/", body='<b class="price">9</b>')
        site.page(
            "/",
            "product",
            body='<p class="price"> 12.50 </p><i class="tag">a</i><i class="tag">b</i>',
            head='<meta name="author" content="Ada">',
            links=[other.url("/")],
        )
        selectors = {
            "price": Selector.parse(".price"),
            "author": Selector.parse("meta[name=author]@content"),
            "tags": Selector.parse(".tag", many=True),
            "none": Selector.parse(".missing"),
        }
        run(scope="any", sites={site.host: selectors}, allow_private=True)
        hit = next(hit for hit in search("product", db=db).results)
        assert hit.fields == {"price": "12.50", "author": "Ada", "tags": ["a", "b"], "none": None}
        assert rows(db, f"SELECT fields FROM pages WHERE site = '{other.host}'") == [None]
    finally:
        other.close()


def test_links_do_not_lead_to_private_addresses(site: Site, db: Path, run: Run) -> None:
    """A page that names another loopback address gets no connection there, unless it is allowed."""
    inside = Site("127.0.0.2")
    try:
        inside.page("/secret", "secret")
        site.page("/", links=[inside.url("/secret")])
        run(scope="any")
        assert inside.seen == []
        assert states(db, site)[inside.url("/secret")] == "skipped private-address"
        run(scope="any", allow_private=True)
        assert inside.paths == ["/secret"]
    finally:
        inside.close()


def test_environment_and_netrc_do_not_leak_into_requests(
    site: Site, db: Path, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither proxy variables nor ~/.netrc have any effect on a request."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9/")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9/")
    site.page("/")
    run()
    assert indexed(db, site) == {"/"}
    assert "Authorization" not in site.requests("/")[0].headers


def test_an_indexer_that_fails_between_two_batches_blocks_nobody(
    site: Site, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error outside the writing, as for want of memory, ends the crawl too, while fetchers wait to put more."""
    import crawler.pipeline

    web(site, pages=3 * QUEUE_BOUND, links=6, seed=12)
    batch = crawler.pipeline._batch
    calls: list[int] = []

    def failing(ring: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise MemoryError
        return batch(ring)

    monkeypatch.setattr(crawler.pipeline, "_batch", failing)
    with pytest.raises(MemoryError):
        run(threads=8, per_host=8)


def test_a_batch_waits_for_more_while_fetchers_have_plenty_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """And not where they may need what it brings, as at both ends of a crawl."""
    import crawler.pipeline

    class Supply:
        plenty = False

        def have_plenty(self, *_: object) -> bool:
            return self.plenty

    class Watched(Queue[Any]):
        has_waited = False

        def get(self, block: bool = True, timeout: float | None = None) -> Any:
            self.has_waited |= timeout is not None
            return super().get(block, timeout)

    class Few:
        queue = Watched()
        frontier = Supply()

    monkeypatch.setattr(crawler.pipeline, "_MOMENT", 20.0)
    Few.queue.put("one")
    assert crawler.pipeline._batch(Few) == (["one"], False)  # type: ignore[arg-type]
    assert not Few.queue.has_waited
    Few.frontier.plenty = True
    Few.queue.put("two")
    rest = threading.Timer(0.2, lambda: [Few.queue.put(item) for item in ("three", None)])
    rest.start()
    assert crawler.pipeline._batch(Few) == (["two", "three"], True)  # type: ignore[arg-type]
    rest.join()
    Few.queue.has_waited = False
    enough = list(range(crawler.pipeline._FEW))
    for item in enough:
        Few.queue.put(item)
    assert crawler.pipeline._batch(Few) == (enough, False)  # type: ignore[arg-type]
    assert not Few.queue.has_waited  # what a rare page leads to is not held up for a full batch


def test_the_queue_never_grows_beyond_its_bound(site: Site, run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Fetchers wait for a slow indexer: documents in memory are bounded."""
    import crawler.pipeline

    web(site, pages=3 * QUEUE_BOUND, links=6, seed=12)
    sizes: list[int] = []
    batch = crawler.pipeline._batch

    def watched(ring: Any) -> Any:
        sizes.append(ring.queue.qsize())
        return batch(ring)

    monkeypatch.setattr(crawler.pipeline, "_batch", watched)
    run(threads=8, per_host=8)
    assert max(sizes) <= QUEUE_BOUND
    assert len(sizes) > 1


def test_a_small_crawl_does_not_slow_down_a_greater_one(site: Site, db: Path, run: Run) -> None:
    """No statistics of a small file are left behind that would mislead the planner when the file has grown."""
    web(site, pages=5, links=2, seed=1)
    run(depth=0)
    run(depth=9)
    assert rows(db, "SELECT count(*) FROM sqlite_master WHERE name LIKE 'sqlite_stat%'") == [0]


def test_the_end_of_a_crawl_can_be_interrupted_and_is_made_up_for(
    site: Site, db: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the link texts are gathered ends the run; the next one gathers them without fetching anything."""
    import crawler.store.sql

    site.page("/", body='<a href="/a#part">wonderful</a>')
    site.page("/a", body='<h2 id="part">Part</h2><p>x')
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
    texts = crawler.store.sql.LINK_TEXTS
    monkeypatch.setattr(crawler.store.sql, "LINK_TEXTS", endless)
    pressed: set[str] = set()

    def press() -> int:
        pressed.update(thread.name for thread in threading.enumerate() if thread.name == "crawler-finish-1")
        return len(pressed)

    assert run(interrupts=press).interrupted
    monkeypatch.setattr(crawler.store.sql, "LINK_TEXTS", texts)
    again = run()
    assert (again.interrupted, again.fetched) == (False, 0)
    assert site.url("/a#part") in [hit.href for hit in search("wonderful", db=db).results]


@pytest.mark.parametrize("fragment", ["a&#10;b", "a\tb", "a&#5;b", 'a"b', "a\\b", "a'b", "a b", "%41", "[1]"])
def test_no_id_of_a_page_can_spoil_the_end_of_a_crawl(site: Site, db: Path, run: Run, fragment: str) -> None:
    """Whatever stands in an id, the crawl is finished and the page found."""
    site.page("/", body=f'<h2 id="{fragment}">Zebra</h2>stripes')
    assert run().queued == 0
    assert rows(db, "SELECT count(*) FROM crawls WHERE finished_at IS NULL") == [0]
    assert search("zebra", db=db).total == 1


def test_a_page_of_many_headings_and_a_long_title_stays_small(site: Site, db: Path, run: Run) -> None:
    """The title is cut and the sections are bounded: the index does not grow by their product."""
    site.page("/", title="word " * 5000, body="<h2>a</h2>x" * 20_000 + "<p>lastword")
    run()
    assert rows(db, "SELECT max(length(title)) FROM sections")[0] <= 300
    assert rows(db, "SELECT count(*) FROM sections")[0] <= 5001
    assert search("lastword", db=db).total == 1


def test_searching_while_pages_are_replaced_always_works(site: Site, db: Path, run: Run) -> None:
    """A search sees one state of the index, however fast a crawl replaces its pages."""
    web(site, pages=40, links=4, seed=13)
    run()
    errors: list[Exception] = []
    over = threading.Event()

    def searching() -> None:
        while not over.is_set():
            try:
                assert search("this", db=db, limit=40).total > 0
            except Exception as error:  # noqa: BLE001 - whatever it is, it is a failure
                errors.append(error)

    threads = [threading.Thread(target=searching) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(3):
        run(fresh=True)
    over.set()
    for thread in threads:
        thread.join()
    assert errors == []


def test_fresh_leaves_other_sites_alone(site: Site, db: Path, run: Run) -> None:
    """--fresh of one site's seed neither fetches nor drops the pages of another in the same file."""
    other = Site()
    try:
        other.page("/", "elsewhere")
        crawl(Config(seeds=(other.url("/"),), db=str(db), sitemaps=False))
        site.page("/", "here")
        run(fresh=True)
        assert search("elsewhere", db=db).total == 1
        assert len(other.paths) == 1
    finally:
        other.close()


@pytest.mark.parametrize("status", [403, 500])
def test_fresh_drops_nothing_while_its_seed_fails(site: Site, db: Path, run: Run, status: int) -> None:
    """A seed that is refused or broken says nothing about the pages behind it."""
    site.page("/", links=["/a"])
    site.page("/a", "keepme")
    run()
    site.raw("/", status=status)
    assert run(fresh=True, retries=0).pages == 2
    assert search("keepme", db=db).total == 1

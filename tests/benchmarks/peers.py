"""Our crawl against Scrapy and crawlee-python: the same site, the same work, in turns, in one run. By hand.

Measures what a user waits and pays for: wall clock time, CPU time and peak memory of a whole child process,
from the start of its interpreter to its exit. Every contender does the same work: it obeys robots.txt, fetches
from one host and port, takes title, text (without scripts and styles) and links with their anchor texts from
each HTML page, and puts all of it into one SQLite file, the pages into an FTS5 table (porter unicode61; WAL,
synchronous=NORMAL, up to 64 pages a transaction).

Each peer comes in two forms. The first is written as its documentation shows, with its own means and much concurrency;
fragments are cut before a request is made, or it would fetch a page once for each. The second is tuned as far as we
know how, past what its users write: links by a loop over the lxml tree instead of its own means, text by a compiled
XPath, pages straight from the callback into the index, a set of URLs seen instead of its own duplicate filter.

scrapy         LinkExtractor, xpath(), an item pipeline
crawlee        enqueue_links, xpath()
scrapy-tuned, crawlee-tuned    not run unless asked for

Ours runs as a user would run it, and does more than the peers: sections, links to other hosts, the state of each
URL, a crawl that can be resumed. It also indexes plain text, which the peers leave out.

    python -m venv peers && peers/bin/pip install scrapy 'crawlee[parsel]'
    python tests/benchmarks/peers.py http://localhost:8000/index.html --ours python --peers peers/bin/python

Serve the site from this machine, by a server that is faster than any crawler (nginx, not http.server), and mind
that it takes its share of the cores. On a busy machine trust the ratios, which are of neighbours in time, more
than the rest. Exit code 1: a contender failed, or the page counts differ by more than 1 %, and then the
numbers mean nothing.
"""

import argparse
import json
import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

CONTENDERS = ("ours", "scrapy", "crawlee", "scrapy-tuned", "crawlee-tuned")  # in the order in which they take turns
BY_DEFAULT = ("ours", "scrapy", "crawlee")
PACKAGES = {
    "ours": ("crawler", "selectolax", "requests", "urllib3"),
    "scrapy": ("Scrapy", "Twisted", "parsel", "lxml"),
    "crawlee": ("crawlee", "impit", "parsel", "lxml"),
    "scrapy-tuned": (),
    "crawlee-tuned": (),
}
SCRAPY_CONCURRENCY = 32
CRAWLEE_CONCURRENCY = 16
PAGES_PER_TRANSACTION = 64  # as ours at most
TOLERATED_DIFFERENCE = 0.01  # between the page counts of one round
# All that a child gets of the environment: no CRAWL_*, no CRAWLEE_*, no *_proxy.
ENVIRONMENT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
TEXT_XPATH = "//body//text()[not(parent::script or parent::style)]"


class Run(NamedTuple):
    """What one child process came to."""

    pages: int
    wall_seconds: float
    cpu_seconds: float
    peak_mb: float

    @property
    def pages_per_second(self) -> float:
        return self.pages / self.wall_seconds

    @property
    def cpu_ms_per_page(self) -> float:
        return 1000 * self.cpu_seconds / self.pages


def main() -> int:
    arguments = parsed_arguments()
    if arguments.child:
        pages = CHILDREN[arguments.child](arguments.seed, arguments.db)
        print(json.dumps({"pages": pages}))
        return 0

    interpreters = {name: arguments.ours if name == "ours" else arguments.peers for name in arguments.only}
    print(f"{arguments.seed}, {arguments.rounds} rounds, {cores()} cores")
    for name, python in interpreters.items():
        print(f"{name}: {versions(python, PACKAGES[name])}")

    rounds = []
    for number in range(1, arguments.rounds + 1):
        runs = {}
        for name, python in interpreters.items():
            runs[name] = run = measured(name, python, arguments.seed, arguments.timeout)
            print(f"round {number}: {name}: {run.pages} pages in {run.wall_seconds:.2f} s", file=sys.stderr)
        rounds.append(runs)

    print(*table(rounds), sep="\n")
    print(*ratios(rounds), sep="\n")
    disagreements = list(differing_page_counts(rounds))
    if disagreements:
        print("\n!!! NOT THE SAME WORK: THE NUMBERS ABOVE MEAN NOTHING", *disagreements, sep="\n!!! ")
    return 1 if disagreements else 0


def parsed_arguments() -> argparse.Namespace:
    summary = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(description=summary)
    option = parser.add_argument
    option("seed", metavar="SEED", help="where every crawl begins")
    option("--ours", metavar="PYTHON", default=sys.executable, help="has crawler  [default: this one]")
    option("--peers", metavar="PYTHON", help="has scrapy and crawlee[parsel]")
    option("--rounds", type=int, default=3, metavar="N", help="[default: 3]")
    option("--only", type=contenders, default=BY_DEFAULT, metavar="NAMES", help=f"some of {','.join(CONTENDERS)}")
    option("--timeout", type=float, default=600.0, metavar="SECONDS", help="of one run  [default: 600]")
    option("--child", choices=CHILDREN, help=argparse.SUPPRESS)  # this very file, in the peers' interpreter
    option("--db", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error("--rounds is at least 1")
    if not arguments.child and arguments.peers is None and set(arguments.only) != {"ours"}:
        parser.error("--peers is needed: the interpreter that has scrapy and crawlee[parsel]")
    return arguments


def contenders(text: str) -> tuple[str, ...]:
    """The names in a list with commas, in the order in which they take turns."""
    names = set(text.split(","))
    if unknown := names - set(CONTENDERS):
        raise argparse.ArgumentTypeError(f"no contender {', '.join(sorted(unknown))}")
    return tuple(name for name in CONTENDERS if name in names)


# The controlling process.


def measured(name: str, python: str, seed: str, timeout: float) -> Run:
    """Runs a contender in a folder of its own, where it finds no config.toml and no index of before."""
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        db = str(Path(folder, "index.db"))
        if name == "ours":
            command = [python, "-m", "crawler", "--seed", seed, "--depth", "50", "--db", db, "-q", "--json"]
        else:
            command = [python, str(Path(__file__).resolve()), seed, "--child", name, "--db", db]
        output, errors = Path(folder, "output"), Path(folder, "errors")
        with output.open("wb") as stdout, errors.open("wb") as stderr:
            started = time.perf_counter()
            process = subprocess.Popen(command, stdout=stdout, stderr=stderr, cwd=folder, env=environment())
            deadline = threading.Timer(timeout, process.kill)
            deadline.start()
            try:
                _, status, usage = os.wait4(process.pid, 0)  # the usage of this child and its own children
                wall_seconds = time.perf_counter() - started
                process.returncode = os.waitstatus_to_exitcode(status)
            finally:
                deadline.cancel()
                process.kill()  # does nothing once it has ended, nor does the wait
                process.wait()
        if process.returncode != 0:
            complaint = errors.read_text(errors="replace")[-4000:]
            raise SystemExit(f"{name}: exit code {process.returncode} after {wall_seconds:.0f} s\n{complaint}")
        pages = json.loads(output.read_text())["pages"]
        if not pages:
            raise SystemExit(f"{name}: no page of {seed} was indexed")
    # The kernel counts from the fork on, so that no peak is below that of this process, which imports little.
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(pages, wall_seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * unit / 1e6)


def environment() -> dict[str, str]:
    return {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}


def versions(python: str, packages: Iterable[str]) -> str:
    """The versions of an interpreter, its SQLite and its packages."""
    program = (
        "import platform, sqlite3, sys; from importlib.metadata import version; "
        "print(f'Python {platform.python_version()}', f'SQLite {sqlite3.sqlite_version}', "
        "*(f'{name} {version(name)}' for name in sys.argv[1:]), sep=', ')"
    )
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        command = [python, "-c", program, *packages]
        done = subprocess.run(command, cwd=folder, env=environment(), capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{python}: {done.stderr}")
    return done.stdout.strip()


def cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def table(rounds: list[dict[str, Run]]) -> Iterable[str]:
    """Medians over the rounds, one line a contender; of the memory the highest."""
    yield f"\n{'contender':12} {'pages':>6} {'pages/s':>8} {'CPU ms/page':>12} {'peak MB':>8}"
    for name in rounds[0]:
        runs = [runs[name] for runs in rounds]
        yield (
            f"{name:12} {runs[-1].pages:6} {median(run.pages_per_second for run in runs):8.1f} "
            f"{median(run.cpu_ms_per_page for run in runs):12.2f} {max(run.peak_mb for run in runs):8.0f}"
        )


def ratios(rounds: list[dict[str, Run]]) -> Iterable[str]:
    """How many times the pages/s of each peer ours has, round by round."""
    if "ours" not in rounds[0] or len(rounds[0]) == 1:
        return
    yield f"\n{'pages/s':17} {'median':>7} {'min':>7} {'max':>7}   each round"
    for name in rounds[0]:
        if name != "ours":
            each = [runs["ours"].pages_per_second / runs[name].pages_per_second for runs in rounds]
            listed = " ".join(f"{ratio:.2f}" for ratio in each)
            yield f"{f'ours/{name}':17} {median(each):7.2f} {min(each):7.2f} {max(each):7.2f}   {listed}"


def differing_page_counts(rounds: list[dict[str, Run]]) -> Iterable[str]:
    """A line for each round whose page counts are further apart than tolerated."""
    for number, runs in enumerate(rounds, 1):
        counts = [run.pages for run in runs.values()]
        if max(counts) - min(counts) > TOLERATED_DIFFERENCE * max(counts):
            yield f"round {number}: " + ", ".join(f"{name} {run.pages} pages" for name, run in runs.items())


# The peers, each in a child process of its own. Their packages are imported there only.


class PageIndex:
    """Where the peers put their pages and links."""

    def __init__(self, path: str) -> None:
        self.pages = 0
        self._connection = sqlite3.connect(path)
        self._connection.executescript("""
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = NORMAL;
            CREATE VIRTUAL TABLE page USING fts5(url UNINDEXED, title, text, tokenize = 'porter unicode61');
            CREATE TABLE link (source TEXT NOT NULL, target TEXT NOT NULL, text TEXT NOT NULL);
        """)

    def add(self, url: str, title: str, text: str, links: Iterable[tuple[str, str]]) -> None:
        """Adds a page and its links, each a target and an anchor text."""
        self._connection.execute("INSERT INTO page VALUES (?, ?, ?)", (url, title, text))
        self._connection.executemany("INSERT INTO link VALUES (?, ?, ?)", ((url, *link) for link in links))
        self.pages += 1
        if self.pages % PAGES_PER_TRANSACTION == 0:
            self._connection.commit()

    def close(self) -> None:
        self._connection.commit()
        self._connection.close()


def without_fragment(url: str) -> str:
    return url.partition("#")[0]


def crawl_with_scrapy(seed: str, db: str, *, tuned: bool = False) -> int:
    """Crawls with Scrapy into an index file; the number of pages in it."""
    import scrapy
    from lxml.etree import XPath
    from scrapy.crawler import CrawlerProcess
    from scrapy.http import HtmlResponse, Response
    from scrapy.linkextractors import LinkExtractor

    index = PageIndex(db)
    texts = XPath(TEXT_XPATH, smart_strings=False)
    site = urlsplit(seed)[:2]
    seen = {without_fragment(seed)}
    # Without process_value a page is asked for once for each fragment; a domain here has to have its port.
    extractor = LinkExtractor(allow_domains=[site[1]], process_value=without_fragment)

    class IndexPipeline:
        def process_item(self, item: dict[str, Any]) -> dict[str, Any]:
            index.add(item["url"], item["title"], item["text"], item["links"])
            return item

    class SiteSpider(scrapy.Spider):
        name = "site"
        allowed_domains = (urlsplit(seed).hostname,)

        async def start(self) -> AsyncIterator[scrapy.Request]:
            yield scrapy.Request(seed)  # start_urls would not count as seen: the seed would be fetched twice

        def parse(self, response: Response) -> Iterable[scrapy.Request | dict[str, Any]]:
            if isinstance(response, HtmlResponse):
                yield from self.parse_tuned(response) if tuned else self.parse_as_documented(response)

        def parse_as_documented(self, response: HtmlResponse) -> Iterable[scrapy.Request | dict[str, Any]]:
            links = extractor.extract_links(response)
            yield {
                "url": response.url,
                "title": response.xpath("//title/text()").get(""),
                "text": " ".join(response.xpath(TEXT_XPATH).getall()),
                "links": [(link.url, link.text) for link in links],
            }
            for link in links:
                yield scrapy.Request(link.url)

        def parse_tuned(self, response: HtmlResponse) -> Iterable[scrapy.Request]:
            root = response.selector.root
            links = links_of(root, response.url, site)
            index.add(response.url, root.findtext(".//title") or "", " ".join(texts(root)), links)
            for target, _ in links:
                if target not in seen:  # spares the fingerprint by which Scrapy would find out
                    seen.add(target)
                    yield scrapy.Request(target)

    process = CrawlerProcess(
        {
            "ROBOTSTXT_OBEY": True,
            "CONCURRENT_REQUESTS": SCRAPY_CONCURRENCY,
            "CONCURRENT_REQUESTS_PER_DOMAIN": SCRAPY_CONCURRENCY,
            "DOWNLOAD_DELAY": 0,
            "COOKIES_ENABLED": False,
            "RETRY_ENABLED": False,
            "TELNETCONSOLE_ENABLED": False,
            "LOG_LEVEL": "ERROR",
            "ITEM_PIPELINES": {IndexPipeline: 1},
        }
    )
    process.crawl(SiteSpider)
    process.start()
    index.close()
    return index.pages


def crawl_with_crawlee(seed: str, db: str, *, tuned: bool = False) -> int:
    """Crawls with crawlee-python into an index file; the number of pages in it."""
    import asyncio
    import logging

    from crawlee import ConcurrencySettings, Request
    from crawlee.crawlers import ParselCrawler, ParselCrawlingContext
    from crawlee.http_clients import ImpitHttpClient
    from crawlee.statistics import Statistics
    from crawlee.storage_clients import MemoryStorageClient
    from lxml.etree import XPath

    index = PageIndex(db)
    texts = XPath(TEXT_XPATH, smart_strings=False)
    site = urlsplit(seed)[:2]
    seen = {without_fragment(seed)}

    def request_for(url: str) -> Request:
        return Request.from_url(url, unique_key=url)  # the key that it makes itself is all in lower case

    async def handle(context: ParselCrawlingContext) -> None:
        root = context.selector.root
        url = context.request.loaded_url or context.request.url
        if url != context.request.url:  # redirected
            if url in seen or urlsplit(url)[:2] != site:
                return
            seen.add(url)
        if "html" not in context.http_response.headers.get("content-type", "html"):
            return
        if not tuned:
            title = context.selector.xpath("//title/text()").get() or ""
            text = " ".join(context.selector.xpath(TEXT_XPATH).getall())
            links = [(target, "") for target in context.selector.css("a::attr(href)").getall()]
            index.add(url, title, text, links)
            await context.enqueue_links(strategy="same-origin")
            return
        links = links_of(root, url, site)
        index.add(url, root.findtext(".//title") or "", " ".join(texts(root)), links)
        found = [target for target in dict(links) if target not in seen]
        seen.update(found)
        await context.add_requests([request_for(target) for target in found])

    # Everything that it can go without is off: sessions, cookies, retries, logs, state on disk, autoscaling.
    logging.disable(logging.CRITICAL)
    crawler = ParselCrawler(
        request_handler=handle,
        respect_robots_txt_file=True,
        http_client=ImpitHttpClient(persist_cookies_per_session=False, browser=None),
        concurrency_settings=ConcurrencySettings(
            min_concurrency=CRAWLEE_CONCURRENCY,
            desired_concurrency=CRAWLEE_CONCURRENCY,
            max_concurrency=CRAWLEE_CONCURRENCY,
        ),
        storage_client=MemoryStorageClient(),
        statistics=Statistics.with_default_state(persistence_enabled=False),
        use_session_pool=False,
        max_request_retries=0,
        configure_logging=False,
    )
    asyncio.run(crawler.run([request_for(seed)]))
    index.close()
    return index.pages


def links_of(root: Any, url: str, site: tuple[str, str]) -> list[tuple[str, str]]:
    """The distinct links of a page to its own site: targets without fragment, and anchor texts."""
    base = urljoin(url, next(iter(root.xpath("//base/@href")), ""))
    targets: dict[str, str] = {}  # by reference, for most references are there several times; empty: elsewhere
    links: dict[tuple[str, str], None] = {}
    for anchor in root.iter("a", "area"):
        reference = without_fragment(anchor.get("href", "").strip())
        if not reference:
            continue
        if reference not in targets:
            try:
                target = urljoin(base, reference)
                targets[reference] = target if urlsplit(target)[:2] == site else ""
            except ValueError:
                targets[reference] = ""
        if target := targets[reference]:
            links[target, " ".join("".join(anchor.itertext()).split())] = None
    return list(links)


CHILDREN: dict[str, Callable[[str, str], int]] = {
    "scrapy": crawl_with_scrapy,
    "crawlee": crawl_with_crawlee,
    "scrapy-tuned": partial(crawl_with_scrapy, tuned=True),
    "crawlee-tuned": partial(crawl_with_crawlee, tuned=True),
}


if __name__ == "__main__":
    sys.exit(main())

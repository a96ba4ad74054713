"""What each contender of `peers.py` does, in a process of its own: a crawl of one site into one SQLite file.

Ours alone is not here, as it runs as a user would run it. All others put title, text (without scripts and styles) and
links with their anchor texts of each HTML page into the same two tables, 64 pages a transaction.

scrapy     LinkExtractor, xpath(), an item pipeline: as its documentation shows. Of the links that differ in their
           fragments it keeps one, a tenth of what the others write of the Python documentation
crawlee    enqueue_links, xpath(): as its documentation shows
scrapy-tuned, crawlee-tuned
           As far as we know how, past what their users write: links by a loop over the lxml tree instead of their own
           means, text by a compiled XPath, pages straight from the callback into the index, a set of URLs seen instead
           of their own duplicate filters.
spider     spider-rs fetches, obeys robots.txt and finds what to fetch in Rust; it takes out neither text nor anchor
           texts. Each page comes through Node.js (`spider.js`) and a pipe into a Python process, which takes them out
           as the floor does. On its way to Node.js a page may get lost, and all after it.
floor      What the work costs with nothing around it: no robots.txt, no frontier, nothing to decide. The pages of a
           list, one after the other on one connection that is kept (http.client), parsed by Lexbor; links as they are
           written, not resolved.

This file is run by the interpreter that has the contender: `PYTHON contenders.py NAME SEED DB`; the floor gets a file
with a URL a line in place of the seed. It prints the number of pages as JSON.
"""

import json
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

SCRAPY_CONCURRENCY = 32
CRAWLEE_CONCURRENCY = 16
PAGES_PER_TRANSACTION = 64  # as ours at most
TEXT_XPATH = "//body//text()[not(parent::script or parent::style)]"


class PageIndex:
    """Where the contenders put their pages and links."""

    def __init__(self, path: str) -> None:
        self.pages = 0
        self._waiting: list[tuple[str, str, str]] = []
        self._waiting_links: list[tuple[str, str, str]] = []
        self._connection = sqlite3.connect(path)
        self._connection.executescript("""
            PRAGMA journal_mode = WAL;
            PRAGMA synchronous = NORMAL;
            CREATE VIRTUAL TABLE page USING fts5(url UNINDEXED, title, text, tokenize = 'porter unicode61');
            CREATE TABLE link (source TEXT NOT NULL, target TEXT NOT NULL, text TEXT NOT NULL);
        """)

    def add(self, url: str, title: str, text: str, links: Iterable[tuple[str, str]]) -> None:
        """Adds a page and its links, each a target and an anchor text."""
        self._waiting.append((url, title, text))
        self._waiting_links += ((url, *link) for link in links)
        self.pages += 1
        if len(self._waiting) == PAGES_PER_TRANSACTION:
            self._store()

    def close(self) -> None:
        self._store()
        self._connection.close()

    def _store(self) -> None:
        self._connection.executemany("INSERT INTO page VALUES (?, ?, ?)", self._waiting)
        self._connection.executemany("INSERT INTO link VALUES (?, ?, ?)", self._waiting_links)
        self._connection.commit()
        self._waiting, self._waiting_links = [], []


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
            links = [(a.attrib["href"], a.xpath("string()").get("")) for a in context.selector.css("a[href]")]
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


def go_to_the_floor(list_of_urls: str, db: str) -> int:
    """Fetches the URLs in a file, one after the other, into an index file; the number of pages in it."""
    from http.client import HTTPConnection

    index = PageIndex(db)
    urls = Path(list_of_urls).read_text().split()
    connection = HTTPConnection(urlsplit(urls[0]).netloc)
    for url in urls:
        connection.request("GET", urlsplit(url)._replace(scheme="", netloc="").geturl())
        answer = connection.getresponse()
        body = answer.read()
        if answer.status == 200 and "html" in answer.headers["Content-Type"]:
            index.add(url, *parts_of(body))
    connection.close()
    index.close()
    return index.pages


def crawl_with_spider(seed: str, db: str) -> int:
    """Crawls with spider-rs into an index file; the number of pages in it.

    Of each page it writes a line, the URL and the number of bytes as JSON, and the bytes.
    """
    index = PageIndex(db)
    with subprocess.Popen(["node", Path(__file__).with_name("spider.js"), seed], stdout=subprocess.PIPE) as node:
        assert node.stdout is not None
        while head := node.stdout.readline():
            url, size = json.loads(head)
            index.add(url, *parts_of(node.stdout.read(size)))
    if node.returncode:
        raise SystemExit(f"spider.js: exit code {node.returncode}")
    index.close()
    return index.pages


def parts_of(body: bytes) -> tuple[str, str, list[tuple[str, str]]]:
    """Title, text and links of a page, by Lexbor."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(body, options=1)  # without mutation events, as ours
    title = tree.css_first("title")
    links = [(node.attributes["href"] or "", node.text()) for node in tree.css("a[href]")]
    tree.strip_tags(["script", "style"])
    return title.text() if title else "", tree.body.text(separator=" ") if tree.body else "", links


CHILDREN: dict[str, Callable[[str, str], int]] = {
    "floor": go_to_the_floor,
    "scrapy": crawl_with_scrapy,
    "crawlee": crawl_with_crawlee,
    "spider": crawl_with_spider,
    "scrapy-tuned": partial(crawl_with_scrapy, tuned=True),
    "crawlee-tuned": partial(crawl_with_crawlee, tuned=True),
}


if __name__ == "__main__":
    _, name, where, path = sys.argv
    print(json.dumps({"pages": CHILDREN[name](where, path)}))

"""An independent judge of a real site: fetched with urllib, parsed with BeautifulSoup, walked breadth first.

Nothing of the crawler is used here. What the judge says is what the crawler is held against: which pages a depth
reaches, and of each page the title, the links and the words.
"""

import re
import urllib.error
import urllib.request
import warnings
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from urllib.parse import quote, urljoin, urlsplit, urlunsplit

from bs4 import BeautifulSoup, NavigableString, Tag, XMLParsedAsHTMLWarning
from bs4.element import PreformattedString

# Elements whose text reads on without a gap; every other one begins and ends words.
_READ_ON = {
    "a", "abbr", "b", "cite", "del", "dfn", "em", "font", "i", "ins", "label", "mark", "q", "s", "small", "span",
    "strong", "u", "var", "wbr",
}  # fmt: skip
_WITHOUT_WORDS = {"script", "style", "template", "noscript"}


@dataclass(frozen=True, slots=True)
class Judged:
    """What the judge found at a URL."""

    url: str
    is_page: bool
    title: str = ""
    links: tuple[str, ...] = ()
    """Absolute URLs without fragments, same host or not."""
    words: Counter[str] | None = None
    redirect: str = ""


def fetch(url: str) -> tuple[int, str, bytes, str]:
    """`(status, content type, body, location)`; redirects are not followed."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args: object) -> None:
            return None

    opener = urllib.request.build_opener(Stay)
    try:
        with opener.open(url, timeout=60) as reply:
            return reply.status, reply.headers.get_content_type(), reply.read(), ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code, "", b"", error.headers.get("Location", "")


def judge(url: str) -> Judged:
    """Fetches a URL and says what is there."""
    status, kind, body, location = fetch(url)
    if location:
        return Judged(url, False, redirect=_key(urljoin(url, location)))
    if status != 200 or kind != "text/html" or not body.strip():
        return Judged(url, False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XMLParsedAsHTMLWarning)
        soup = BeautifulSoup(body, "html.parser")
    return Judged(url, True, _title(soup), tuple(_links(soup, url)), Counter(_words(soup)))


def _title(soup: BeautifulSoup) -> str:
    return " ".join(soup.title.get_text().split()) if soup.title else ""


def _links(soup: BeautifulSoup, url: str) -> list[str]:
    base = soup.find("base", href=True)
    home = urljoin(url, str(base["href"])) if isinstance(base, Tag) else url
    found: dict[str, None] = {}
    for node in soup.find_all(["a", "area", "frame", "iframe"]):
        reference = node.get("href") or node.get("src")
        # Browsers read a backslash as a slash (WHATWG URL, special schemes); urllib does not.
        if reference and (key := _key(urljoin(home, str(reference).strip().replace("\\", "/")))):
            found[key] = None
    return list(found)


def _key(url: str) -> str:
    """The URL as a browser would write it, without fragment; empty when it is not http."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        return ""
    path = quote(parts.path or "/", safe="/!$&'()*+,;=:@-._~%|[]^")
    query = quote(parts.query, safe="/?!$&()*+,;=:@-._~%|[]^`{}")
    return urlunsplit((parts.scheme, parts.netloc.lower(), path, query, ""))


def _words(soup: BeautifulSoup) -> list[str]:
    """The words of the body in order, scripts and styles left out."""
    parts: list[str] = []
    stack: list[object] = [soup.body or soup]
    while stack:
        node = stack.pop()
        if isinstance(node, str) and not isinstance(node, NavigableString):
            parts.append(node)
        elif isinstance(node, PreformattedString):
            continue  # a comment, a doctype
        elif isinstance(node, NavigableString):
            parts.append(str(node))
        elif isinstance(node, Tag) and node.name not in _WITHOUT_WORDS:
            gap = "" if node.name in _READ_ON else " "
            stack.append(gap)
            stack.extend(reversed(node.contents))
            stack.append(gap)
    return re.findall(r"\w+", "".join(parts))


class Walk:
    """A breadth-first walk of everything that a seed leads to on its own host. Judges each URL once."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self.found: dict[str, Judged] = {}
        host = urlsplit(seed).netloc
        # Two processes, started afresh: parsing is all that takes time, and forking from threads is unsafe.
        with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
            wave = [seed]
            while wave:
                self.found |= {judged.url: judged for judged in pool.map(judge, wave, chunksize=8)}
                targets = {
                    target
                    for url in wave
                    for target in (*self.found[url].links, self.found[url].redirect)
                    if target and urlsplit(target).netloc == host
                }
                wave = sorted(targets - set(self.found))

    def pages(self, depth: int) -> set[str]:
        """The pages within so many hops; a redirect adds none."""
        reached: dict[str, int] = {}
        wave = [(self.seed, 0)]
        while wave:
            url, hops = wave.pop(0)
            if url in reached or url not in self.found:
                continue
            reached[url] = hops
            if self.found[url].redirect:
                wave.insert(0, (self.found[url].redirect, hops))
            if hops < depth:
                wave += [(target, hops + 1) for target in self.found[url].links]
        return {url for url in reached if self.found[url].is_page}

"""What a document leads to: pages, sitemaps and feeds become edges, each with the verdict on its target."""

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final

from crawler.config import Config
from crawler.page import Link, Page
from crawler.shapes import repetition, without_session
from crawler.sitemap import Sitemap
from crawler.store import Edge
from crawler.urls import Scope, is_front, normalize, origin, same_site, without_tracking

MAX_REDIRECT_CHAIN: Final = 10
# A canonical URL or a meta refresh counts as so many redirects of a chain: there is room for one of them.
PAGE_REDIRECT: Final = 6
MAX_NESTING: Final = 3  # of sitemaps: robots.txt, an index, another one in it


class Outlinks:
    """The edges of what one crawl fetches, for all its threads. A URL is judged once, however many pages link to it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._scope = Scope(config.scope, config.seeds, config.include, config.exclude)
        self._judged = lru_cache(maxsize=8192)(self._judge)

    def verdict(self, url: str) -> str | None:
        """Why a URL is not to be fetched; None when it is."""
        return self._judged(url)[1]

    def _judge(self, url: str) -> tuple[str, str | None]:
        """The URL without the id of a session, and without what tracks visitors if so set, and the verdict on it."""
        if self._config.drop_tracking:
            url = without_tracking(url)
        if not self._config.traps:
            return url, self._scope.verdict(url)
        url = without_session(url)
        return url, self._scope.verdict(url) or ("trap-repeat" if repetition(url) else None)

    def of_page(self, page: Page, redirects: int, *, follow: bool) -> Iterator[Edge]:
        """The edges of a page that so many redirects led to; `follow` is False when it asks for that.

        The canonical URL is another name of the page, so it adds no hop; one at another site is not believed. Nor do
        the feeds that a front page or a seed names: what they list is as near as what it links to itself. The feeds of
        other pages repeat these, or hold the comments on one page.
        """
        canonical = page.canonical
        if canonical and canonical != page.url and same_site(canonical, page.url):
            if redirects + PAGE_REDIRECT <= MAX_REDIRECT_CHAIN:
                yield Edge(canonical, self.verdict(canonical), 0, rel="canonical")
            else:
                yield Edge(canonical, self.verdict(canonical) or "redirects", None, rel="canonical")
        if page.feeds and self._config.feeds and (is_front(page.url) or page.url in self._config.seeds):
            for feed in page.feeds:
                yield self._edge(feed, 0, follow=follow, rel="alternate")
        believes, judged = not self._config.follow_nofollow, self._judged
        for url, fragment, text, rel in page.links:
            url, refused = judged(url)
            if follow and not (rel and believes and "nofollow" in rel.split()):
                yield Edge(url, refused, 1, fragment, text, rel)
            else:
                yield Edge(url, refused or "nofollow", None, fragment, text, rel)

    def of_feed(self, entries: Iterable[Link], *, follow: bool) -> Iterator[Edge]:
        """The edges of a feed: its entries are a hop away, as if it were a page."""
        for url, fragment, text, rel in entries:
            yield self._edge(url, 1, fragment, text, rel, follow=follow)

    def of_robots(self, home: str, sitemaps: Iterable[str]) -> tuple[Edge, ...]:
        """The sitemaps that the robots.txt of an origin names, and which may speak for it."""
        found = dict.fromkeys(normalize(url, home + "/") for url in sitemaps)
        return tuple(Edge(url, self._of_sitemaps(url), 0, text=home, rel="sitemap") for url in found if url)

    def of_sitemap(self, sitemap: Sitemap, url: str, speaks_for: str, nesting: int, *, follow: bool) -> Iterator[Edge]:
        """The edges of a sitemap: what it lists is a hop away, what it says of other sites is not believed.

        `speaks_for` is the origin whose robots.txt named it: for that it may speak, too
        (https://www.sitemaps.org/protocol.html#sitemaps_cross_submits).
        """
        for one in sitemap.sitemaps:
            refused = self._of_sitemaps(one) or ("sitemap-nesting" if nesting >= MAX_NESTING else None)
            yield Edge(
                one, refused, None if refused or not follow else 0, text=speaks_for or origin(url), rel="sitemap"
            )
        for target, _ in sitemap.pages:
            if same_site(target, url) or (speaks_for and same_site(target, speaks_for + "/")):
                yield self._edge(target, 1, rel="listed", follow=follow)
            else:
                yield Edge(target, self.verdict(target) or "foreign-sitemap", None, rel="listed")

    def _of_sitemaps(self, url: str) -> str | None:
        """The verdict on a sitemap: at a seed's site it is read whatever pages are wanted."""
        return None if any(same_site(url, seed) for seed in self._config.seeds) else self.verdict(url)

    def _edge(
        self, url: str, hops: int, fragment: str = "", text: str = "", rel: str = "", *, follow: bool = True
    ) -> Edge:
        url, refused = self._judged(url)
        if follow:
            return Edge(url, refused, hops, fragment, text, rel)
        return Edge(url, refused or "nofollow", None, fragment, text, rel)

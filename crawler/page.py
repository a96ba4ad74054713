"""A document's bytes and headers become a `Page`. Pure: no I/O, no state, nothing shared between threads.

Lexbor, through selectolax, builds the tree as a browser does; Python touches the links and little else.
"""

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from crawler import charset
from crawler.directives import directives, wishes
from crawler.errors import CrawlerError
from crawler.languages import code, uniform
from crawler.sections import MARKS, MAX_TITLE, Section, cut_into_sections, words_of
from crawler.tree import numbers_of, tree_of
from crawler.urls import MAX_URL, normalize

MAX_LINKS = 10_000  # URLs that a page links to; what comes after is dropped, which ends link farms
MAX_LINK_TEXT = 200  # characters
_MAX_DESCRIPTION = 1_000
_MAX_FEEDS = 10
_MAX_LINK_WORDS = 2_000_000  # characters of all link texts of a page; nested links repeat each other's

_FEED_LINKS = ", ".join(
    f'link[rel~="alternate"][type="application/{kind}+xml"][href]' for kind in ("rss", "atom", "rdf")
)
_EMPTY_COMMENT = re.compile(rb"!(?=-- -->)")  # looks for a rare character first: ten times as fast as for the whole
_SEAM = chr(MARKS[0])  # between two texts in a link
# What stands on lines of its own: its words are apart from those beside it.
_PARTING = numbers_of(
    *("article", "blockquote", "br", "dd", "div", "dl", "dt", "figcaption", "figure", "footer", "h1", "h2", "h3", "h4"),
    *("h5", "h6", "header", "hr", "li", "ol", "p", "pre", "section", "table", "td", "th", "tr", "ul"),
)
_LANGUAGE = "content-language"  # the pragma that stands for the header of that name
_PERMALINKS = frozenset("¶#§🔗⚓")  # texts of links from a heading to itself
_REFRESH = re.compile(r"""([\d.\s]{1,20}+)(?:[;,]\s{0,8})?+(?:url\s{0,8}=\s{0,8})?["']?([^"']{1,2083})""", re.I)


class ParseError(CrawlerError):
    """A document that the parser refuses; costs this one page."""


# Tuples, not dataclasses: a page makes hundreds of these, and a frozen dataclass takes five times as long to make.
class Link(NamedTuple):
    """An outlink: where it points, its fragment without `#`, its anchor text, and its rel in lower case."""

    url: str
    fragment: str
    text: str
    rel: str


class Page(NamedTuple):
    """What a document says, cleaned and cut into sections."""

    url: str
    title: str
    sections: tuple[Section, ...]
    links: tuple[Link, ...] = ()
    description: str = ""
    lang: str = ""
    """The primary language subtag in lower case: `en`; as declared, or empty."""
    canonical: str = ""
    robots: frozenset[str] = frozenset()
    """Directives of meta robots that hold for us, in lower case: `noindex`, `nofollow`, `none` …"""
    encoding: str = "utf-8"
    usage: str = ""
    """What it says of other uses than search: `tdm-reservation: 1; noai`."""
    broken_canonical: str = ""
    """What stands in place of a canonical URL and is none."""
    refresh: str = ""
    """Where its meta refresh leads at once, without any time to read it; empty when there is none."""
    feeds: tuple[str, ...] = ()
    """The feeds that it names in its head."""
    cut: bool = False
    """Whether this is only the beginning of the document, because the rest would have taken too long."""

    @property
    def text(self) -> str:
        """Headings and texts of all sections, in order."""
        return "\n".join(part for section in self.sections for part in (section.heading, section.text) if part)


def parse(
    body: bytes, url: str, content_type: str = "text/html", *, agent: str = "crawler", clean: bool = True
) -> Page:
    """The page in the bytes of an HTML or plain text document.

    `url` is where it was fetched, normalised; `content_type` the value of the HTTP header; `agent` our product
    token, for robots directives by name. `clean=False` keeps navigation and the like in the text.
    Raises ParseError when the parser refuses the document.
    """
    if content_type.partition(";")[0].strip().lower() == "text/plain":
        text, encoding = charset.decode(body, content_type)
        return _plain(text, url, encoding)
    encoding = charset.encoding_of(body, content_type)
    if encoding != "utf-8":  # Lexbor reads UTF-8
        body = body.decode(encoding, "replace").encode("utf-8", "replace")
    if any(mark in body for mark in MARKS):
        body = body.translate(None, MARKS)
    if _EMPTY_COMMENT.search(body):  # React puts these inside words; any other comment ends a word
        body = body.replace(b"<!-- -->", b"")
    try:
        tree, cut = tree_of(body.removeprefix(b"\xef\xbb\xbf"))
    except (SelectolaxError, RuntimeError, ValueError) as error:
        raise ParseError(f"{url}: not parsed: {error}") from error
    page = _from_tree(tree, url, encoding, agent, clean)
    return page._replace(cut=True) if cut else page


def _plain(text: str, url: str, encoding: str) -> Page:
    text = text.replace("\0", " ")
    words = words_of(text)
    first_line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    title = words_of(first_line[:100]) or _name_of(url)
    return Page(url, title, (Section(0, "", "", words),) if words else (), encoding=encoding)


def _from_tree(tree: LexborHTMLParser, url: str, encoding: str, agent: str, clean: bool) -> Page:
    metas, refresh, at_once = _metas(tree, agent.lower())
    base = _base(tree, url)
    links, permalinks = _links(tree, base, refresh)
    original = tree.head.css_first("link[rel=canonical][href]") if tree.head is not None else None
    named = (original.attributes.get("href") or "") if original else ""
    canonical = (normalize(named, base) or "") if named else ""
    root = tree.root
    lang = (root.attributes.get("lang") or root.attributes.get("xml:lang") or "") if root is not None else ""
    lang = code(lang) or code(metas.get(_LANGUAGE, ""))
    title_node = tree.css_first("head > title") or tree.css_first("title")
    title = words_of(title_node.text()) if title_node else ""

    markup = tree.raw_html
    sections = cut_into_sections(tree, permalinks, clean)
    if clean and not sections:  # everything was navigation: then that is what the page is
        tree = LexborHTMLParser(markup, options=1)
        sections = cut_into_sections(tree, (), clean=False)
    first_heading = next((section.heading for section in sections if section.heading), "")
    robots = directives(metas.get("robots", "")) | directives(metas.get(agent.lower(), ""))
    return Page(
        url=url,
        title=(title or metas.get("og:title", "") or first_heading or _name_of(url))[:MAX_TITLE],
        sections=sections,
        links=links,
        description=(metas.get("description", "") or metas.get("og:description", ""))[:_MAX_DESCRIPTION],
        lang=lang,
        canonical=canonical,
        broken_canonical="" if canonical else words_of(named)[:MAX_LINK_TEXT],
        robots=robots,
        encoding=encoding,
        usage=wishes(robots, metas),
        refresh=(normalize(refresh, base) or "") if at_once else "",
        feeds=_feeds(tree, base),
    )


def _feeds(tree: LexborHTMLParser, base: str) -> tuple[str, ...]:
    """What `<link rel=alternate>` offers as RSS or Atom."""
    nodes = tree.head.css(_FEED_LINKS) if tree.head is not None else ()
    found = (normalize(node.attributes.get("href") or "", base) for node in nodes)
    return tuple(dict.fromkeys(filter(None, found)))[:_MAX_FEEDS]


def _metas(tree: LexborHTMLParser, agent: str) -> tuple[dict[str, str], str, bool]:
    """`<meta>` by name or property, the URL of a meta refresh, and whether that leads there at once.

    Of each name the first counts, but for robots and the agent (lower case): what they ask for adds up.
    """
    found: dict[str, str] = {}
    refresh, at_once = "", False
    for node in tree.head.css("meta[content]") if tree.head is not None else ():
        attrs = node.attributes
        content = attrs.get("content") or ""
        pragma = (attrs.get("http-equiv") or "").lower()
        if pragma == "refresh":
            match = _REFRESH.match(content.strip())
            seconds, refresh = (match[1].strip(), match[2].strip()) if match else ("", "")
            is_for_all = node.parent is None or node.parent.tag != "noscript"
            # Whole seconds count (HTML, shared declarative refresh steps).
            at_once = seconds != "" and is_for_all and not seconds.partition(".")[0].strip("0")
        elif name := (attrs.get("name") or attrs.get("property") or pragma * (pragma == _LANGUAGE)).lower():
            if name in found and name in ("robots", agent):
                found[name] += f", {words_of(content)}"
            else:
                found.setdefault(name, words_of(content))
    return found, refresh, at_once


def _base(tree: LexborHTMLParser, url: str) -> str:
    """What relative links are relative to: the first valid `<base href>`, or the page's own URL."""
    for node in tree.head.css("base[href]") if tree.head is not None else ():
        if base := normalize(node.attributes.get("href") or "", url):
            return base
    return url


def _links(tree: LexborHTMLParser, base: str, refresh: str) -> tuple[tuple[Link, ...], list[LexborNode]]:
    """All distinct outlinks in document order, and the permalink nodes (`¶`) that are no words of the page.

    At most MAX_LINKS URLs, and as many links; beyond that only the first link to each URL.
    """
    found: dict[tuple[str, str, str], Link | None] = {}  # as written: reference, text and rel; None if it is none
    permalinks = []
    targets: set[str] = set()
    budget = _MAX_LINK_WORDS
    folder = base.partition("?")[0].rpartition("/")[0] + "/"
    for node in tree.css("a[href], area[href], frame[src], iframe[src]"):
        attrs = node.attributes
        reference = attrs.get("href") or attrs.get("src") or ""
        words = node.text(True, _SEAM) if budget > 0 else ""
        budget -= len(words)
        key = reference, words[:MAX_TITLE], attrs.get("rel") or ""
        if key in found:
            continue
        found[key] = None
        if _SEAM in words:
            inner = node.css("*")
            budget -= len(inner)
            words = words.replace(_SEAM, " " if any(one.tag_id in _PARTING for one in inner) else "")
        text = " ".join(uniform(words[:MAX_TITLE]).split())
        path, _, fragment = reference.strip().partition("#")
        if len(path) > MAX_URL:
            target = None
        elif path:
            target = _resolved(path, base if path[0] == "?" else folder)
        elif text in _PERMALINKS or (not text and words.strip()):  # the latter: an icon font
            permalinks.append(node)
            del found[key]  # there may be more of them
            continue
        else:
            target = base if fragment else None
        if target is not None and (len(found) <= MAX_LINKS or target not in targets):
            targets.add(target)
            # Fragments are kept as ids are written: percent-decoded.
            fragment = unquote(fragment) if "%" in fragment else fragment
            found[key] = Link(target, fragment, text[:MAX_LINK_TEXT], key[2].lower())
            if len(targets) >= MAX_LINKS:
                break
    if refresh and (refreshed := normalize(refresh, base)):
        found[refresh, "", "refresh"] = Link(refreshed, "", "", "refresh")
    return tuple(dict.fromkeys(filter(None, found.values()))), permalinks


# Pages of a folder mostly link to the same places, by the same words.
_resolved = lru_cache(maxsize=8192)(normalize)


def _name_of(url: str) -> str:
    """A name for a page without a title: the last part of its path, or its host."""
    return url.rstrip("/").rpartition("/")[2]

"""A document's bytes and headers become a `Page`. Pure: no I/O, no state, nothing shared between threads.

Lexbor, through selectolax, builds the tree as a browser does. Python touches only section starts, lead terms and
links: marks are put into the tree where sections and terms begin and end, C walks the tree once to give the text,
and the text is cut at the marks.
"""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote

from selectolax.lexbor import LexborHTMLParser, LexborNode, SelectolaxError

from crawler import charset
from crawler.errors import CrawlerError
from crawler.urls import normalize

MAX_LINKS = 10_000  # URLs that a page links to; what comes after is dropped, which ends link farms
MAX_LINK_TEXT = 200  # characters
_MAX_TERM = 100  # characters of a lead term; longer ones are sentences
_MAX_WORD = 200  # characters; what is longer is data, not a word, and is cut out

# Control characters, which HTML does not allow in a document, and ASCII, so that a text does not get wider by them.
_START, _HEADING_END, _TERM, _TERM_END = "\x01", "\x02", "\x03", "\x04"

# A walk of the whole tree costs a tenth of the parsing, and each selector tried on each element adds to it: hence few
# walks, long lists, and attribute selectors bound to the tags that carry them.
_NO_TEXT = "script, style, template, noscript"
_CHROME = (
    "iframe, object, svg, select, datalist, nav, header, footer, "
    ":is(div, ul, section, aside, form):is([role], [hidden], [data-nosnippet], [data-pagefind-ignore], .nosearch, "
    ".footer, #footer, .sphinxsidebar, .navbar, .breadcrumbs)"
)
_KEPT_ROLES = {"main", "article", "document", "region", "note", "list", "table", "tabpanel", "presentation", "none"}
_SECTIONING = {
    "article",
    "main",
    "section",
    "aside",
    "nav",
    "td",
}  # a header in one of these is that part's own
# What these hold reads on without a gap; every other element keeps its words apart from its neighbours'.
_INLINE = ":is(a, span, em, strong, b, i, u, s, abbr, cite, del, dfn, font, ins, label, mark, q, small, var, wbr)"
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_STARTS = (*_HEADINGS, "dt[id]", "a[name]", "a[id]:not([href])")
_ITEM_LEVEL = 7  # of sections that start at a definition list entry or a named anchor, below every heading
_TERMS = {"code", "b", "strong"}
_LEAD_TERMS = (
    ":is(p, td, li, dd) > :is(code, b, strong):first-of-type",
    ":is(p, td, li, dd) > a:first-of-type > code:first-child",
)
_MARKED = ", ".join((*_STARTS, *_LEAD_TERMS))
_PERMALINKS = frozenset("¶#§🔗⚓")  # texts of links from a heading to itself
_GENERATED_ID = re.compile(r"(?:id|index|footnote|fn|ref|cite)?[-_:.]?[\d.:_-]+", re.I)
_REFRESH = re.compile(r"""[\d.\s]{1,20}+(?:[;,]\s{0,8})?+(?:url\s{0,8}=\s{0,8})?["']?([^"']{1,2083})""", re.I)


class ParseError(CrawlerError):
    """A document that the parser refuses; costs this one page."""


# Tuples, not dataclasses: a page makes hundreds of these, and a frozen dataclass takes five times as long to make.
class Section(NamedTuple):
    """A part of a page that a search hit can open at."""

    level: int
    """0 before the first heading, 1 to 6 as h1 to h6, 7 for a definition list entry or a named anchor."""
    anchor: str
    """The fragment that opens it, without `#`; empty for the top of the page."""
    heading: str
    text: str
    ids: tuple[str, ...] = ()
    """All fragments that lead here, the anchor among them."""
    terms: tuple[str, ...] = ()
    """Lead terms: the first code or bold words of its paragraphs, cells and items."""


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
    """The primary language subtag in lower case, as declared: `en`; empty when nothing is declared."""
    canonical: str = ""
    robots: frozenset[str] = frozenset()
    """Directives of meta robots that hold for us, in lower case: `noindex`, `nofollow`, `none` …"""
    encoding: str = "utf-8"

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
    encoding = charset.encoding_of(body, content_type)
    if content_type.partition(";")[0].strip().lower() == "text/plain":
        return _plain(body.decode(encoding, "replace").removeprefix("\ufeff"), url, encoding)
    if encoding != "utf-8":  # Lexbor reads UTF-8
        body = body.decode(encoding, "replace").encode("utf-8", "replace")
    body = body.replace(b"<!-- -->", b"")  # React puts these inside words; any other comment ends a word
    try:
        # WO_EVENTS (1): no mutation events, which only serve scripts and cost time.
        tree = LexborHTMLParser(body.removeprefix(b"\xef\xbb\xbf"), options=1)
    except (SelectolaxError, RuntimeError, ValueError) as error:
        raise ParseError(f"{url}: not parsed: {error}") from error
    return _from_tree(tree, url, encoding, agent, clean)


def _plain(text: str, url: str, encoding: str) -> Page:
    words = _unmarked(_words(text.replace("\0", " ").replace(_START, "")))
    first_line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    title = first_line[:100].replace("\0", " ") or _name_of(url)
    return Page(url, title, (Section(0, "", "", words),) if words else (), encoding=encoding)


def _from_tree(tree: LexborHTMLParser, url: str, encoding: str, agent: str, clean: bool) -> Page:
    metas, refresh = _metas(tree)
    base = _base(tree, url)
    links, permalinks = _links(tree, base, refresh)
    canonical = tree.css_first("link[rel=canonical][href]")
    root = tree.root
    lang = (root.attrs.get("lang") or root.attrs.get("xml:lang") or "") if root is not None else ""
    title_node = tree.css_first("head > title") or tree.css_first("title")
    title = _words(title_node.text()) if title_node else ""

    markup = tree.raw_html
    sections = _sections(tree, permalinks, clean)
    if clean and not sections:  # everything was navigation: then that is what the page is
        tree = LexborHTMLParser(markup, options=1)
        sections = _sections(tree, (), clean=False)
    first_heading = next((section.heading for section in sections if section.heading), "")
    return Page(
        url=url,
        title=title or metas.get("og:title", "") or first_heading or _name_of(url),
        sections=sections,
        links=links,
        description=metas.get("description", "") or metas.get("og:description", ""),
        lang=re.split("[-_]", lang.strip().lower(), maxsplit=1)[0][:8],
        canonical=(normalize(canonical.attrs.get("href") or "", base) or "") if canonical else "",
        robots=directives(metas.get("robots", "")) | directives(metas.get(agent.lower(), "")),
        encoding=encoding,
    )


def directives(value: str) -> frozenset[str]:
    """The directives in the value of meta robots or X-Robots-Tag: `NoIndex, follow` is {noindex, follow}."""
    found = frozenset(part for part in re.split(r"[,\s]+", value.lower()) if part)
    return found | {"noindex", "nofollow"} if "none" in found else found


def _metas(tree: LexborHTMLParser) -> tuple[dict[str, str], str]:
    """`<meta>` by name or property, the first of each, and the URL of a meta refresh."""
    found: dict[str, str] = {}
    refresh = ""
    for node in tree.head.css("meta[content]") if tree.head is not None else ():
        attrs = node.attrs
        content = attrs.get("content") or ""
        if (attrs.get("http-equiv") or "").lower() == "refresh":
            match = _REFRESH.match(content.strip())
            refresh = match[1].strip() if match else ""
        elif name := attrs.get("name") or attrs.get("property"):
            found.setdefault(name.lower(), _words(content))
    return found, refresh


def _base(tree: LexborHTMLParser, url: str) -> str:
    """What relative links are relative to: the first valid `<base href>`, or the page's own URL."""
    for node in tree.head.css("base[href]") if tree.head is not None else ():
        if base := normalize(node.attrs.get("href") or "", url):
            return base
    return url


def _links(tree: LexborHTMLParser, base: str, refresh: str) -> tuple[tuple[Link, ...], list[LexborNode]]:
    """All distinct outlinks in document order, and the permalink nodes (`¶`) that are no words of the page.

    At most MAX_LINKS URLs, and as many links; beyond that only the first link to each URL.
    """
    found: dict[tuple[str, str, str], Link | None] = {}  # as written: reference, text and rel; None if it is none
    permalinks = []
    targets: set[str] = set()
    folder = base.partition("?")[0].rpartition("/")[0] + "/"
    for node in tree.css("a[href], area[href], frame[src], iframe[src]"):
        attrs = node.attrs
        reference = attrs.get("href") or attrs.get("src") or ""
        key = reference, node.text(), attrs.get("rel") or ""
        if key in found:
            continue
        found[key] = None
        text = " ".join(key[1].split())
        path, _, fragment = reference.strip().partition("#")
        if path:
            target = _resolved(path, base if path[0] == "?" else folder)
        elif text in _PERMALINKS or (len(text) == 1 and not text.isprintable()):  # the latter: an icon font
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


def _sections(tree: LexborHTMLParser, permalinks: Iterable[LexborNode], clean: bool) -> tuple[Section, ...]:
    body = tree.body
    if body is None:
        return ()
    for node in permalinks:
        node.decompose()
    for node in body.css(f"{_NO_TEXT}, {_CHROME}" if clean else _NO_TEXT):
        if node.tag in ("header", "footer"):
            if _is_of_the_whole_page(node):
                node.decompose()
        elif (node.attrs.get("role") or "navigation").lower() not in _KEPT_ROLES:
            node.decompose()
    starts = _mark(body)
    for node in body.css(_INLINE):
        node.unwrap(delete_empty=True)
    body.merge_text_nodes()
    # One space between two text nodes: after the unwrapping, a text node ends where a word may end.
    text = _words(body.text(separator=" "))
    return tuple(_cut([(0, ("",)), *starts], text.split(_START)))


def _is_of_the_whole_page(node: LexborNode) -> bool:
    """Whether a header or footer belongs to the page as a whole and does not hold its title."""
    parent = node.parent
    while parent is not None and parent.tag not in _SECTIONING:
        parent = parent.parent
    return parent is None and node.css_first("h1") is None


def _mark(body: LexborNode) -> list[tuple[int, tuple[str, ...]]]:
    """Puts marks at section starts and lead terms; level and fragments of each start, in document order."""
    starts: list[tuple[int, tuple[str, ...]]] = []
    has_title = False
    for node in body.css(_MARKED):
        tag = node.tag
        if tag in _TERMS:
            if (first := node.first_child) is not None:  # inside, where they do not part or join any words
                first.insert_before(_TERM)
                node.insert_child(_TERM_END)
            continue
        if tag == "a":
            attrs = node.attrs
            fragment = attrs.get("id") or attrs.get("name") or ""
            if not fragment or _GENERATED_ID.fullmatch(fragment) or _inside_start(node):
                continue
            node.insert_before(_START)
            starts.append((_ITEM_LEVEL, (fragment,)))
            continue
        if tag == "dt":
            level, fragments = _ITEM_LEVEL, list(_fragments_in(node))
        else:
            level, fragments = int((tag or "h1")[1]), list(_fragments_of_heading(node))
            if level == 1 and not has_title:  # the page's own heading opens the page, not a place on it
                has_title = True
                fragments.insert(0, "")
        node.insert_before(_START)
        node.insert_after(_HEADING_END)
        starts.append((level, tuple(dict.fromkeys(fragments))))
    return starts


def _inside_start(node: LexborNode) -> bool:
    parent = node.parent
    return parent is not None and (parent.tag in _HEADINGS or parent.tag == "dt" or _is_start(parent.parent))


def _is_start(node: LexborNode | None) -> bool:
    return node is not None and (node.tag in _HEADINGS or node.tag == "dt")


def _fragments_in(node: LexborNode) -> Iterator[str]:
    """The node's own id, then the ids and names of anchors inside it."""
    if own := node.attrs.get("id"):
        yield own
    for inner in node.css("a[id], a[name], span[id]"):
        attrs = inner.attrs
        if fragment := attrs.get("id") or attrs.get("name"):
            yield fragment


def _fragments_of_heading(heading: LexborNode) -> Iterator[str]:
    """Fragments that lead to a heading, the best first: its own, those right before it, its section's."""
    yield from _fragments_in(heading)
    before = heading.prev
    while before is not None and (before.tag in ("a", "span") or _is_blank(before)):
        if before.is_element_node:
            attrs = before.attrs
            if not before.text().strip() and (fragment := attrs.get("id") or attrs.get("name")):
                yield fragment
        before = before.prev
    parent = heading.parent
    is_first = before is None and parent is not None and parent.tag in ("section", "div", "article", "header")
    if is_first and parent is not None and (fragment := parent.attrs.get("id")):
        yield fragment


def _is_blank(node: LexborNode) -> bool:
    """Whether a node is a text without words; our own marks are none."""
    return node.is_text_node and not (node.text_content or "").strip(_START + " \t\r\n")


def _cut(starts: list[tuple[int, tuple[str, ...]]], parts: list[str]) -> Iterator[Section]:
    """Sections from their starts and the text that follows each start's mark.

    A start with neither heading nor text gives its fragments to the next one: an anchor before a heading.
    """
    passed_on: tuple[str, ...] = ()
    for (level, fragments), part in zip(starts, parts, strict=False):  # a page with marks of its own: cut short
        raw_heading, ended, text = part.partition(_HEADING_END)
        if not ended:
            raw_heading, text = "", part
        terms = tuple(dict.fromkeys(_terms(text))) if _TERM in text else ()
        heading, text = _unmarked(raw_heading), _unmarked(text)
        if not heading and not text:
            passed_on += fragments
            continue
        # The page's top wins, then a heading's own fragment, then an anchor passed on to it.
        ids = tuple(dict.fromkeys((*fragments, *passed_on)))
        anchor = "" if "" in fragments else next((name for name in ids if name), "")
        passed_on = ()
        yield Section(level, anchor, heading, text, tuple(name for name in ids if name), terms)


def _terms(text: str) -> Iterator[str]:
    """The marked lead terms in a text that are short enough to be terms."""
    for piece in text.split(_TERM)[1:]:
        term, ended, _ = piece.partition(_TERM_END)
        if ended and 0 < len(term) <= _MAX_TERM:
            yield term.strip()


def _unmarked(text: str) -> str:
    """The text, of single spaces, without marks."""
    for mark in (_TERM, _TERM_END, _HEADING_END):  # str.translate takes ten times as long
        if mark in text:
            text = text.replace(mark, "")
    if "  " in text:  # a mark stood between two spaces
        text = " ".join(text.split())
    return text.strip()


def _words(text: str) -> str:
    """The text with single spaces between its words, without what is too long to be a word."""
    words = text.split()
    if words and max(map(len, words)) > _MAX_WORD:
        words = [word for word in words if len(word) <= _MAX_WORD]
    return " ".join(words)


def _name_of(url: str) -> str:
    """A name for a page without a title: the last part of its path, or its host."""
    return url.rstrip("/").rpartition("/")[2]

"""The body of a document is cleaned, and cut into sections. Pure.

Python touches only section starts and lead terms: marks are put into the tree where they begin and end, C walks the
tree once to give the text, and the text is cut at the marks.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

MAX_SECTIONS = 5_000  # of a page; what comes after belongs to the last one
MAX_TITLE = 300  # characters of a title
_MAX_HEADING = 1_000  # characters; long, for the signatures of functions
_MAX_TERM = 100  # characters of a lead term; longer ones are sentences
_MAX_INNER = 20_000  # elements that are looked at within all headings of a page
_MAX_CLIMB = 64  # elements that are looked at on the way up from a page header or footer
_MAX_WORD = 200  # characters; what is longer is data, not a word, and is cut out
_PIECE = _MAX_WORD // 2

# Control characters, which HTML does not allow in a document, and ASCII, so that a text does not get wider by them.
_START, _HEADING_END, _TERM, _TERM_END = "\x01", "\x02", "\x03", "\x04"
MARKS = b"\x01\x02\x03\x04"

# A walk of the whole tree costs a tenth of the parsing, and each selector tried on each element adds to it: hence few
# walks, long lists, and attribute selectors bound to the tags that carry them.
_NO_TEXT = "script, style, template, noscript"
_CHROME = (
    "iframe, object, svg, select, datalist, nav, header, footer, "
    ":is(div, ul, section, aside, form):is([role], [hidden], [data-nosnippet], [data-pagefind-ignore], .nosearch, "
    ".footer, #footer, .sphinxsidebar, .navbar, .breadcrumbs)"
)
_CHROME_ROLES = {"navigation", "banner", "contentinfo", "search"}
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
_GENERATED_ID = re.compile(r"(?:id|index|footnote|fn|ref|cite)?[-_:.]?[\d.:_-]+", re.I)


# A tuple, not a dataclass: a page makes hundreds, and a frozen dataclass takes five times as long to make.
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


def cut_into_sections(tree: LexborHTMLParser, permalinks: Iterable[LexborNode], clean: bool) -> tuple[Section, ...]:
    body = tree.body
    if body is None:
        return ()
    for node in permalinks:
        node.decompose()
    for node in body.css(f":is({_NO_TEXT}, {_CHROME})" if clean else _NO_TEXT):  # in :is() a sixth faster
        if node.tag in ("header", "footer"):
            if _is_of_the_whole_page(node):
                node.decompose()
            continue
        attrs = node.attributes
        if (role := attrs.get("role")) is None or "hidden" in attrs or role.lower() in _CHROME_ROLES:
            node.decompose()
    starts = _mark(body)
    for node in body.css(_INLINE):
        node.unwrap(delete_empty=True)
    body.merge_text_nodes()
    # One space between two text nodes: after the unwrapping, a text node ends where a word may end.
    text = words_of(body.text(separator=" "))
    return tuple(_cut([(0, ("",)), *starts], text.split(_START)))


def _is_of_the_whole_page(node: LexborNode) -> bool:
    """Whether a header or footer belongs to the page as a whole and does not hold its title."""
    parent = node.parent
    for _ in range(_MAX_CLIMB):
        if parent is None:
            return node.css_first("h1") is None
        if parent.tag in _SECTIONING:
            break
        parent = parent.parent
    return False


def _mark(body: LexborNode) -> list[tuple[int, tuple[str, ...]]]:
    """Puts marks at section starts and lead terms; level and fragments of each start, in document order."""
    starts: list[tuple[int, tuple[str, ...]]] = []
    has_title = False
    inner_left = _MAX_INNER
    for node in body.css(_MARKED):
        tag = node.tag
        if tag in _TERMS:
            if (first := node.first_child) is not None:  # inside, where they do not part or join any words
                first.insert_before(_TERM)
                node.insert_child(_TERM_END)
            continue
        if tag == "a":
            attrs = node.attributes
            fragment = attrs.get("id") or attrs.get("name") or ""
            if not _is_name(fragment) or _GENERATED_ID.fullmatch(fragment) or _inside_start(node):
                continue
            if len(starts) >= MAX_SECTIONS:
                continue
            node.insert_before(_START)
            starts.append((_ITEM_LEVEL, (fragment,)))
            continue
        if len(starts) >= MAX_SECTIONS:
            continue
        inner = node.css("a[id], a[name], span[id]") if inner_left > 0 else []
        inner_left -= len(inner)
        if tag == "dt":
            level, fragments = _ITEM_LEVEL, [*_fragments_in(node, inner)]
        else:
            level, fragments = int((tag or "h1")[1]), [*_fragments_in(node, inner), *_fragments_around(node)]
            if level == 1 and not has_title:  # the page's own heading opens the page, not a place on it
                has_title = True
                fragments.insert(0, "")
        node.insert_before(_START)
        node.insert_after(_HEADING_END)
        starts.append((level, tuple(name for name in dict.fromkeys(fragments) if not name or _is_name(name))))
    return starts


def _inside_start(node: LexborNode) -> bool:
    parent = node.parent
    return parent is not None and (parent.tag in _HEADINGS or parent.tag == "dt" or _is_start(parent.parent))


def _is_start(node: LexborNode | None) -> bool:
    return node is not None and (node.tag in _HEADINGS or node.tag == "dt")


def _is_name(fragment: str) -> bool:
    """Whether an id can be used: not empty, one word of printable characters, and no longer than a name."""
    return 0 < len(fragment) <= _MAX_WORD and fragment.isprintable() and " " not in fragment


def _fragments_in(node: LexborNode, inner: list[LexborNode]) -> Iterator[str]:
    """The node's own id, then the ids and names of the anchors inside it."""
    if own := node.attributes.get("id"):
        yield own
    for anchor in inner:
        attrs = anchor.attributes
        if fragment := attrs.get("id") or attrs.get("name"):
            yield fragment


def _fragments_around(heading: LexborNode) -> Iterator[str]:
    """Fragments that lead to a heading from outside, the best first: those right before it, its section's."""
    before = heading.prev
    while before is not None and (before.tag in ("a", "span") or _is_blank(before)):
        if before.is_element_node:
            attrs = before.attributes
            if not before.text().strip() and (fragment := attrs.get("id") or attrs.get("name")):
                yield fragment
        before = before.prev
    parent = heading.parent
    is_first = before is None and parent is not None and parent.tag in ("section", "div", "article", "header")
    if is_first and parent is not None and (fragment := parent.attributes.get("id")):
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
        heading, text = without_marks(raw_heading), without_marks(text)
        if len(heading) > _MAX_HEADING:  # no name any more: its end is text
            cut = heading.rfind(" ", 0, _MAX_HEADING) + 1 or _MAX_HEADING
            heading, text = heading[:cut].rstrip(), f"{heading[cut:]} {text}".rstrip()
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


def without_marks(text: str) -> str:
    """The text, of single spaces, without marks."""
    for mark in (_TERM, _TERM_END, _HEADING_END):  # str.translate takes ten times as long
        if mark in text:
            text = text.replace(mark, "")
    if "  " in text:  # a mark stood between two spaces
        text = " ".join(text.split())
    return text.strip()


def words_of(text: str) -> str:
    """The text with single spaces between its words, without what is too long to be a word."""
    spaced = " ".join(text.split())
    # A longer word would fill one of these pieces; to look at each word would take longer than to find all words.
    if any(" " not in spaced[at : at + _PIECE] for at in range(0, len(spaced) - _PIECE, _PIECE)):
        return " ".join(word for word in spaced.split(" ") if len(word) <= _MAX_WORD)
    return spaced

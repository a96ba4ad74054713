"""The body of a document is cleaned, and cut into sections. Pure.

Python touches only what starts a section, leads a paragraph or is no text: marks are put into the tree where sections
start, C walks the tree once to give the text, and the text is cut at the marks.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from selectolax.lexbor import LexborHTMLParser, LexborNode

from crawler.languages import BREAK, spaced, uniform
from crawler.tree import numbers_of

MAX_SECTIONS = 5_000  # of a page; what comes after belongs to the last one
MAX_TITLE = 300  # characters of a title
_MAX_HEADING = 1_000  # characters; long, for the signatures of functions
_MAX_TERM = 100  # characters of a lead term; longer ones are sentences
_MAX_TERM_WORDS = 1_000_000  # characters that are looked at for lead terms, which may hold each other
_MAX_CLIMB = 64  # levels that are looked at from an element up
_MAX_INNER = 100  # nodes that are looked at in an element that may be empty
_MAX_WRAPPERS = 5  # around a heading, of which one may name its section
_MAX_WORD = 200  # characters; what is longer is data, not a word, and is cut out
_PIECE = _MAX_WORD // 2

# Control characters, which HTML does not allow in a document, and ASCII, so that a text does not get wider by them.
_START, _HEADING_END = "\x01", "\x02"
MARKS = b"\x01\x02"
_BLANK = _START + " \t\r\n"

_NO_TEXT = frozenset({"script", "style", "template", "noscript"})
_CHROME = frozenset({"iframe", "object", "svg", "select", "datalist", "nav"})
_ENDS = frozenset({"header", "footer"})
_BLOCKS = frozenset({"div", "ul", "section", "aside", "form"})  # chrome if their attributes say so
_CHROME_ROLES = frozenset({"navigation", "banner", "contentinfo", "search"})
_CHROME_ATTRIBUTES = frozenset({"hidden", "data-nosnippet", "data-pagefind-ignore"})
_CHROME_CLASSES = frozenset({"nosearch", "footer", "sphinxsidebar", "navbar", "breadcrumbs"})
# A header in one of these is that part's own.
_SECTIONING = frozenset({"article", "main", "section", "aside", "nav", "td"})
# What these hold reads on without a gap; every other element keeps its words apart from its neighbours'.
_INLINE = frozenset(
    {"a", "abbr", "b", "cite", "del", "dfn", "em", "font", "i", "ins", "label", "mark", "q", "s", "small", "span",
     "strong", "u", "var", "wbr"}
)  # fmt: skip
_WRAPPERS = frozenset({"section", "div", "article", "header", "hgroup"})  # what may begin with a heading
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_ITEM_LEVEL = 7  # of sections that start at a definition list entry or a named anchor, below every heading
_TERMS = frozenset({"code", "b", "strong"})
_LED = frozenset({"p", "td", "li", "dd"})  # what a lead term leads
_OPENING = _HEADINGS | {"dt"}
_STARTS = _OPENING | {"a"}
_SPECIAL = _TERMS | _STARTS | _NO_TEXT | _CHROME | _ENDS | _BLOCKS
_NAMES = {number: name for name in sorted(_SPECIAL) for number in numbers_of(name)}
_INLINE_NUMBERS, _LED_NUMBERS, _OPENING_NUMBERS, _UNSEEN_NUMBERS, _ANCHOR_NUMBERS, _LINK, _LINE_END = (
    numbers_of(*names) for names in (_INLINE, _LED, _OPENING, _NO_TEXT, ("a", "span"), ("a",), ("br",))
)
_NO_WORD = re.compile(r"[\W_]+")
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
    """Lead terms: the code or bold words that its paragraphs, cells and items begin with."""


def cut_into_sections(tree: LexborHTMLParser, permalinks: Iterable[LexborNode], clean: bool) -> tuple[Section, ...]:
    body = tree.body
    if body is None:
        return ()
    for node in permalinks:
        node.decompose()
    starts = _mark(body, clean)
    body.merge_text_nodes()
    # One space between two text nodes: after the unwrapping, a text node ends where a word may end.
    return tuple(_cut(starts, body.text(separator=" ").split(_START)))


class _Start(NamedTuple):
    """Where a section starts: what is known of it before its text is."""

    level: int
    fragments: tuple[str, ...]
    """All that lead here, the best first; an empty one is the top of the page."""
    terms: list[str]


def _mark(body: LexborNode, clean: bool) -> list[_Start]:
    """Takes away what is no text, puts marks where sections start, and unwraps what is inline.

    Gives the starts in document order, the first of them that of the page. One walk over all elements does it all: each
    selector is a walk of its own, which costs a tenth of the parsing whatever it finds.
    """
    starts = [_Start(0, ("",), [])]
    unwanted: list[LexborNode] = []
    inline: list[LexborNode] = []
    inside, alone = _anchors(body)
    names, inline_numbers = _NAMES, _INLINE_NUMBERS
    has_title = False
    term_budget = _MAX_TERM_WORDS
    resume_at = None  # the element behind one that goes: those inside it are not looked at
    for node in body.css("*"):
        if resume_at is not None:
            if node.mem_id != resume_at:
                continue
            resume_at = None
        number = node.tag_id
        if number in inline_numbers:
            inline.append(node)
        if (tag := names.get(number)) is None:
            continue
        if tag in _TERMS:
            if term_budget > 0 and _is_lead(node, tag):
                _part_lines(node)
                term = node.text_lexbor()
                term_budget -= len(term)
                starts[-1].terms.append(term)
        elif tag not in _STARTS:
            if tag in _NO_TEXT or (clean and _is_chrome(node, tag)):
                unwanted.append(node)
                if (resume_at := _id_behind(node)) is None:
                    break
        elif len(starts) > MAX_SECTIONS:
            continue
        elif tag == "a":
            if fragment := alone.get(node.mem_id):
                node.insert_before(_START)
                starts.append(_Start(_ITEM_LEVEL, (fragment,), []))
        elif tag in _HEADINGS or node.id:
            start = _opened_by(node, tag, inside.get(node.mem_id, ()))
            if start.level == 1 and not has_title:  # the page's own heading opens the page, not a place on it
                has_title, start = True, start._replace(fragments=("", *start.fragments))
            node.insert_before(_START)
            node.insert_after(_HEADING_END)
            starts.append(start)
    for node in unwanted:
        if node.tag_id not in _UNSEEN_NUMBERS:  # those are nowhere to be seen
            node.insert_before(" ")  # what stands before and behind it is not one word
        node.decompose()
    for node in inline:
        node.unwrap(True)  # and takes away what is empty
    return starts


def _opened_by(node: LexborNode, tag: str, inside: Iterable[str]) -> _Start:
    """The start that a heading or a definition is, with the fragments that lead to it, those `inside` it among them."""
    fragments = [node.id or "", *inside]
    if tag in _HEADINGS:
        fragments += _fragments_around(node)
    level = int(tag[1]) if tag in _HEADINGS else _ITEM_LEVEL
    return _Start(level, tuple(dict.fromkeys(filter(_is_name, fragments))), [])


def _is_chrome(node: LexborNode, tag: str) -> bool:
    """Whether an element is around the content: navigation, what is hidden, a header or footer of the whole page."""
    if tag in _ENDS:
        return _is_of_the_whole_page(node)
    attrs = node.attributes
    if (role := attrs.get("role")) is not None:
        return role.lower() in _CHROME_ROLES or "hidden" in attrs
    return (
        tag in _CHROME
        or not _CHROME_ATTRIBUTES.isdisjoint(attrs)
        or attrs.get("id") == "footer"
        or not _CHROME_CLASSES.isdisjoint((attrs.get("class") or "").split())
    )


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


def _id_behind(node: LexborNode) -> int | None:
    """The `mem_id` of the element that comes after a node and all that is in it; None at the end of the document."""
    outer: LexborNode | None = node
    while outer is not None:
        behind = outer.next
        while behind is not None and not behind.is_element_node:
            behind = behind.next
        if behind is not None:
            return behind.mem_id
        outer = outer.parent
    return None


def _is_lead(node: LexborNode, tag: str) -> bool:
    """Whether a node begins a paragraph, cell or item, alone or as the beginning of a link.

    Where words stand before it, it is mentioned: a release note names what a manual defines.
    """
    parent = node.parent
    if parent is not None and tag == "code" and parent.tag_id in _LINK and _begins(node):
        node, parent = parent, parent.parent
    return parent is not None and parent.tag_id in _LED_NUMBERS and _begins(node)


def _begins(node: LexborNode) -> bool:
    """Whether no words stand before a node in its parent."""
    before = node.prev
    for _ in range(_MAX_CLIMB):
        if before is None:
            return True
        if _has_words(before):
            return False
        before = before.prev
    return False


def _has_words(node: LexborNode) -> bool:
    """Whether words stand in a node, or so many others that it would take long to tell; our own marks are none."""
    if (words := node.text_content) is not None:
        return bool(words.strip(_BLANK))
    if node.first_child is None:
        return False
    inner = [*islice(node.traverse(include_text=True), _MAX_INNER)]
    return len(inner) == _MAX_INNER or any((one.text_content or "").strip(_BLANK) for one in inner)


def _part_lines(term: LexborNode) -> None:
    """Puts a space where a line ends within a lead term, and a word with it."""
    child = term.first_child
    while child is not None:
        if child.tag_id in _LINE_END:
            child.insert_before(" ")
        child = child.next


def _anchors(body: LexborNode) -> tuple[dict[int, list[str]], dict[int, str]]:
    """The fragments inside each heading and definition, and those of the anchors that stand alone; by `mem_id`."""
    inside: dict[int, list[str]] = {}
    alone: dict[int, str] = {}
    for node in body.css("[id], [name]"):  # half the time of a selector that names elements
        if (number := node.tag_id) not in _ANCHOR_NUMBERS:
            continue
        attrs = node.attributes
        fragment = attrs.get("id") or attrs.get("name") or ""
        outer = node.parent
        for _ in range(_MAX_CLIMB):
            if outer is None or outer.tag_id in _OPENING_NUMBERS:
                break
            outer = outer.parent
        if outer is not None and outer.tag_id in _OPENING_NUMBERS:
            inside.setdefault(outer.mem_id, []).append(fragment)
        elif number in _LINK and ("name" in attrs or "href" not in attrs) and _is_given(fragment):
            alone[node.mem_id] = fragment
    return inside, alone


def _is_name(fragment: str) -> bool:
    """Whether an id can be used: not empty, one word of printable characters, and no longer than a name."""
    return 0 < len(fragment) <= _MAX_WORD and fragment.isprintable() and " " not in fragment


def _is_given(fragment: str) -> bool:
    """Whether a person may have given the name, rather than a program."""
    return _is_name(fragment) and not _GENERATED_ID.fullmatch(fragment)


def _fragments_around(heading: LexborNode) -> Iterator[str]:
    """Fragments that lead to a heading from outside, the best first: those right before it, its section's."""
    before = heading.prev
    while before is not None and (before.tag in ("a", "span") or _is_blank(before)):
        if before.is_element_node:
            attrs = before.attributes
            if not _has_words(before) and (fragment := attrs.get("id") or attrs.get("name")):
                yield fragment
        before = before.prev
    # The nearest named element that begins with the heading: DocBook wraps it three times before there is a name.
    outer = heading.parent
    for _ in range(_MAX_WRAPPERS):
        if before is not None or outer is None or outer.tag not in _WRAPPERS:
            return
        if fragment := outer.id:
            yield fragment
            return
        before = outer.prev
        while before is not None and _is_blank(before):
            before = before.prev
        outer = outer.parent


def _is_blank(node: LexborNode) -> bool:
    """Whether a node is a text without words."""
    return node.is_text_node and not _has_words(node)


def _cut(starts: list[_Start], parts: list[str]) -> Iterator[Section]:
    """Sections from their starts and the text that follows each start's mark.

    A start with neither heading nor text gives its fragments to the next one: an anchor before a heading.
    """
    passed_on: tuple[str, ...] = ()
    for (level, fragments, found), part in zip(starts, parts, strict=False):  # a page with marks of its own: cut short
        before, ended, after = part.partition(_HEADING_END)
        heading, text = (words_of(before), words_of(after)) if ended else ("", words_of(before))
        if len(heading) > _MAX_HEADING:  # no name any more: its end is text
            cut = heading.rfind(" ", 0, _MAX_HEADING) + 1 or _MAX_HEADING
            heading, text = heading[:cut].rstrip(), f"{heading[cut:]} {text}".rstrip()
        if not heading and not text:
            passed_on += fragments
            continue
        # The page's top wins, then a heading's own fragment, then an anchor passed on to it.
        ids = tuple(dict.fromkeys((*fragments, *passed_on))) if passed_on else fragments
        anchor = "" if "" in fragments else _best(ids, heading)
        passed_on = ()
        known = dict.fromkeys(" ".join(uniform(term).split()) for term in found) if found else ()
        terms = tuple(term for term in known if 0 < len(term) <= _MAX_TERM and term.isprintable()) if known else ()
        yield Section(level, anchor, heading, text, tuple(filter(None, ids)), terms)


def _best(ids: Sequence[str], heading: str) -> str:
    """The fragment to open a section at: a name that a person gave it lasts longer than one made from its heading."""
    names = [name for name in ids if name]
    if len(names) > 1:
        slug = _letters(heading)
        names.sort(key=lambda name: not _is_given(name) or _letters(name) == slug)
    return names[0] if names else ""


def _letters(text: str) -> str:
    """What a heading and the name that a program made of it have in common: no numbering, no signs, no capitals."""
    return _NO_WORD.sub("", text).lower().lstrip("0123456789")


def words_of(text: str) -> str:
    """The text with single spaces between its words, without what is too long to be a word, and without marks."""
    words = " ".join(uniform(text).split())
    for mark in (_START, _HEADING_END):  # of a hostile page
        if mark in words:
            words = " ".join(words.replace(mark, "").split())
    # A longer word would fill one of these pieces; to look at each word would take longer than to find all words.
    pieces = range(0, len(words) - _PIECE, _PIECE)
    if pieces and any(" " not in words[at : at + _PIECE] for at in pieces):
        return " ".join(filter(None, map(_shortened, words.split(" "))))
    return words


def _shortened(word: str) -> str:
    """What stands between two spaces, without what is too long to be a word; in Chinese that may be a sentence."""
    if len(word) <= _MAX_WORD:
        return word
    return "".join(part for part in spaced(word).split(BREAK) if len(part) <= _MAX_WORD)

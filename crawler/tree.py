"""The tree of a document, also of one that was made to be slow to take apart. Pure.

A parser that follows the standard needs time that grows with the square of how deep elements stand in each other, of
the attributes of one element, and of the formatting elements that a block leaves open: the next block holds them all
again (HTML §13.2.4.3), so that 30 kB become 2 GB. No parse can be stopped, so it is looked at before, and a document
that may be one of these is parsed by beginnings, each four times as long as the last. What is only long takes four
times the time then, on whatever machine; where it takes far more, and more than a moment, the beginning before is all
there is.
"""

import re
import time
from typing import Final

from selectolax.lexbor import LexborHTMLParser

_FEW: Final = 2_000  # tags that can do no harm in whatever order: they make a million elements at most
_MANY: Final = 30_000  # tags; as many that stand in each other take a second
_LONG: Final = 512 * 1024  # bytes; as many of attributes of one element take some seconds, if nothing tells of them
_WINDOW: Final = 16 * 1024  # bytes without a tag: a script, a text, or the attributes of one element
_FIRST: Final = 64 * 1024  # bytes of the first beginning
_DEEP: Final = 4_000  # elements in each other; every end tag that has no start tag looks through all of them
_MOMENT: Final = 0.5  # seconds of CPU; a dense page of 5 MB takes as long
_GROWTH: Final = 4  # times the length of the beginning before
_STEEP: Final = 6.0  # times as long for that: 4 where time grows with the length, 16 where with its square
_MOST_ATTRIBUTES: Final = 5_000  # of an element; of so many, a tenth of a second
_FEW_HIDDEN: Final = 50
_COPIES: Final = 2_000_000  # elements that formatting may add

# Start tags of the elements that are opened again, with attributes: of those without there are three at most of each.
_FORMATTING: Final = re.compile(rb"<(?:b|big|code|em|font|i|s|small|strike|strong|tt|u)(?=[\s/])", re.IGNORECASE)
# All of these and a few more, such as style, in half the time.
_MAYBE_FORMATTING: Final = re.compile(
    rb"<[bcefistuBCEFISTU](?:|[mMtT]|[iI][gG]|[oO][dDnN][eEtT]|[mMtT][a-zA-Z]{3,4})[\s/][^>]*"
)
# A start tag, as HTML §13.2.5.32 reads attributes, to its end or to a value that does not end; and one attribute.
_NAME_AND_VALUE: Final = rb"""=?[^\s/>=]++(?:\s*+=\s*+(?:"[^"]*+"|'[^']*+'|[^\s"'>][^\s>]*+|\Z)|(?!\s*+=))"""
_TAG: Final = re.compile(rb"<\w+(?:[\s/]++|" + _NAME_AND_VALUE + rb")*+")
_ATTRIBUTE: Final = re.compile(_NAME_AND_VALUE)

_create: Final = LexborHTMLParser("").create_node


def numbers_of(*names: str) -> frozenset[int]:
    """Lexbor's numbers of these elements' names, the same in every tree: a name is a new string at every node."""
    return frozenset(_create(name).tag_id for name in names)


def tree_of(body: bytes) -> tuple[LexborHTMLParser, bool]:
    """The tree of an HTML document in UTF-8, and whether it is that of its beginning only, as the rest takes too long.

    Raises what the parser raises: SelectolaxError, RuntimeError or ValueError.
    """
    tags = body.count(b"<") if len(body) > 3 * _FEW else 0
    if tags > _FEW:
        body = _without_copies(body, tags)
    if tags > _MANY or len(body) > _LONG or (len(body) > _FIRST and _has_long_gap(body)):
        beginning = _before_attributes(body)
        tree, is_cut = _by_beginnings(beginning)
        return tree, is_cut or len(beginning) < len(body)
    return _parsed(body), False


def _parsed(body: bytes) -> LexborHTMLParser:
    return LexborHTMLParser(body, options=1)  # WO_EVENTS: no mutation events, which only serve scripts and cost time


def _before_attributes(body: bytes) -> bytes:
    """The document to where an element has too many attributes: each is held against all others, at the tag's end."""
    for tag in _TAG.finditer(body):
        if tag.end() - tag.start() > _WINDOW and len(_ATTRIBUTE.findall(tag[0])) > _MOST_ATTRIBUTES:
            return body[: tag.start()]
    return body


def _by_beginnings(body: bytes) -> tuple[LexborHTMLParser, bool]:
    tree, size, before = None, _FIRST, 0.0
    while True:
        started = time.thread_time()
        longer = _parsed(body[:size])
        spent = time.thread_time() - started
        if spent > max(_MOMENT, _STEEP * before):
            return (longer, size < len(body)) if tree is None else (tree, True)
        if size >= len(body):
            return longer, False
        if _is_deep(longer):
            return longer, True
        tree, before, size = longer, spent, _GROWTH * size


def _is_deep(tree: LexborHTMLParser) -> bool:
    """Whether too many elements stand in each other at the end of the document."""
    node = tree.root
    for _ in range(_DEEP):
        if node is None:
            return False
        node = node.last_child
    return True


def _has_long_gap(body: bytes) -> bool:
    return any(body.find(b"<", at, at + _WINDOW) < 0 for at in range(0, len(body) - _WINDOW, _WINDOW))


def _without_copies(body: bytes, tags: int) -> bytes:
    """The document, in which formatting elements are plain ones if there are too many different ones of them.

    What the last few tags may do is known, so that only what stands before them is looked at.
    """
    end = len(body) * (tags - _FEW) // tags
    if body.count(b"<", end) > 1.5 * _FEW:
        end = len(body)
    seen = _MAYBE_FORMATTING.findall(body, 0, end)
    different = set(seen)
    # A > in a quoted value makes different tags look the same.
    cut_short = {tag for tag in different if not _TAG.fullmatch(tag)}
    if (cut_short and sum(tag in cut_short for tag in seen) > _FEW_HIDDEN) or 3 * len(different) * tags > _COPIES:
        return _FORMATTING.sub(b"<span", body)
    return body

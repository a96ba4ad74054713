"""XML as a stream of small elements, for documents from strangers. No I/O here.

Expat reads it, and a document type ends the reading: where entities come from, and neither a sitemap nor a feed needs
one. So no entity is ever expanded, and no file or address is ever opened.
"""

from collections.abc import Iterator
from contextlib import suppress
from typing import Final, NamedTuple
from xml.parsers.expat import ExpatError, ParserCreate

# Bytes read at a time: the reader may have had enough. Less would be slow for an element without end, of which expat
# begins again with every piece.
_CHUNK: Final = 1024 * 1024
_HEAD: Final = 64 * 1024  # bytes in which the outermost element begins
_MAX_TEXT: Final = 4_096  # characters of one element
_MAX_ELEMENTS: Final = 2_000_000  # ten times what a sitemap of fifty thousand URLs holds
_DEEPEST: Final = 64


class Element(NamedTuple):
    """An element that has ended. Names are in lower case, without prefix."""

    path: tuple[str, ...]
    """Its own name at the end, and before it those of all that it stands in."""
    text: str
    """What stands directly in it, at most `_MAX_TEXT` characters."""
    attributes: dict[str, str]


class _Refused(Exception):  # noqa: N818 - ends the reading, and nothing else
    """A document type, or more than anybody means."""


def elements(body: bytes) -> Iterator[Element]:
    """The elements of an XML document in the order in which they end; of broken XML those before the fault."""
    open_ones: list[tuple[str, dict[str, str], list[str]]] = []
    ended: list[Element] = []
    count = 0

    def start(name: str, attributes: dict[str, str]) -> None:
        nonlocal count
        count += 1
        if count > _MAX_ELEMENTS or len(open_ones) >= _DEEPEST:
            raise _Refused
        open_ones.append((_local(name), attributes, []))

    def text(data: str) -> None:
        if open_ones:
            open_ones[-1][2].append(data[:_MAX_TEXT])

    def end(_: str) -> None:
        path = tuple(name for name, _, _ in open_ones)
        _, attributes, texts = open_ones.pop()
        ended.append(Element(path, "".join(texts)[:_MAX_TEXT], attributes))

    def refuse(*_: object) -> None:
        raise _Refused

    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = refuse
    for position in range(0, len(body) + 1, _CHUNK):
        fault = True
        with suppress(ExpatError, _Refused, ValueError, LookupError):  # the last: it names no encoding
            parser.Parse(body[position : position + _CHUNK], position + _CHUNK > len(body))
            fault = False
        yield from ended
        ended.clear()
        if fault:
            return


def root(body: bytes) -> str:
    """The name of the outermost element, in lower case; empty when there is none, or a document type before it."""
    found = ""

    def start(name: str, _: object) -> None:
        nonlocal found
        found = _local(name)
        raise _Refused

    def refuse(*_: object) -> None:
        raise _Refused

    parser = ParserCreate()
    parser.StartElementHandler, parser.StartDoctypeDeclHandler = start, refuse
    with suppress(ExpatError, _Refused, ValueError, LookupError):  # the last: it names no encoding
        parser.Parse(body[:_HEAD])
    return found


def _local(name: str) -> str:
    return name.rpartition(":")[2].lower()

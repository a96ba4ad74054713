"""Sitemaps (https://www.sitemaps.org/protocol.html): bytes become URLs, and when they last changed. No I/O here."""

import zlib
from contextlib import suppress
from datetime import UTC, datetime, time
from typing import Final, NamedTuple
from xml.parsers.expat import ExpatError, ParserCreate

from crawler.urls import normalize

MAX_ENTRIES: Final = 50_000  # of a sitemap, by the protocol
_MAX_TEXT: Final = 4_096  # characters of one element
_GZIP: Final = b"\x1f\x8b"


class Sitemap(NamedTuple):
    """What a sitemap, or an index of sitemaps, says."""

    pages: tuple[tuple[str, str], ...] = ()
    """Normalised URLs, each with the time of its last change (ISO 8601, UTC), empty when it is not told."""
    sitemaps: tuple[str, ...] = ()
    """Normalised URLs of more sitemaps."""


class _Refused(Exception):  # noqa: N818 - ends the parsing, and nothing else
    """A document type: where entities come from, and no sitemap needs one."""


def parse_sitemap(body: bytes, url: str, max_size: int) -> Sitemap:
    """What the XML in the bytes says, which may be compressed by gzip; of broken XML what stands before the fault.

    `url` is where it was fetched; at most `max_size` bytes are unpacked. A document type ends the reading: no entity
    is ever expanded. Never raises.
    """
    if body.startswith(_GZIP):
        try:
            body = zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, max_size)
        except zlib.error:
            return Sitemap()
    pages: list[tuple[str, str]] = []
    sitemaps: list[str] = []
    path: list[str] = []
    entry: dict[str, str] = {}

    def start(name: str, _: object) -> None:
        path.append(name.rpartition(":")[2].lower())
        if len(path) == 2:
            entry.clear()

    def text(data: str) -> None:
        if len(path) == 3 and len(entry.get(path[2], "")) < _MAX_TEXT:
            entry[path[2]] = entry.get(path[2], "") + data

    def end(_: str) -> None:
        kind = path.pop()
        if len(path) == 1 and (location := normalize(entry.get("loc", ""), url)):
            if kind == "sitemap":
                sitemaps.append(location)
            elif kind == "url":
                pages.append((location, _time(entry.get("lastmod", ""))))
        if len(pages) + len(sitemaps) >= MAX_ENTRIES:
            raise _Refused

    def refuse(*_: object) -> None:
        raise _Refused

    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.StartDoctypeDeclHandler = refuse
    with suppress(ExpatError, _Refused, ValueError):  # what was read until then is what it says
        parser.Parse(body, True)
    return Sitemap(tuple(pages), tuple(sitemaps))


def _time(written: str) -> str:
    """A W3C date or time in ISO 8601, UTC; a date alone may mean any time of that day, so its end. Empty for others."""
    written = written.strip()
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return ""
    if len(written) == 10:
        moment = datetime.combine(moment, time.max)
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError):
        return ""

"""Sitemaps (https://www.sitemaps.org/protocol.html): bytes become URLs, and when they last changed. No I/O here."""

import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, time
from itertools import islice
from typing import Final, NamedTuple

from crawler.elements import elements
from crawler.urls import normalize

MAX_ENTRIES: Final = 50_000  # of a sitemap, by the protocol
MAX_BYTES: Final = 10 * 1024 * 1024  # of a sitemap without compression; 50,000 entries of 200 bytes each
ROOTS: Final = frozenset({"urlset", "sitemapindex"})
_GZIP: Final = b"\x1f\x8b"


class Sitemap(NamedTuple):
    """What a sitemap, or an index of sitemaps, says."""

    pages: tuple[tuple[str, str], ...] = ()
    """Normalised URLs, each with the time of its last change (ISO 8601, UTC), empty when it is not told."""
    sitemaps: tuple[str, ...] = ()
    """Normalised URLs of more sitemaps."""


def parse_sitemap(body: bytes, url: str, max_size: int = MAX_BYTES) -> Sitemap:
    """What the XML, or the URLs one a line, in the bytes say, which may be compressed by gzip.

    `url` is where it was fetched; at most `max_size` bytes are unpacked. Of what is broken or too long, what stands
    before that counts. Never raises.
    """
    pages: list[tuple[str, str]] = []
    sitemaps: list[str] = []
    for kind, location, changed in islice(_entries(unpacked(body, max_size)), MAX_ENTRIES):
        if (normal := normalize(location, url)) is None:
            continue
        if kind == "sitemap":
            sitemaps.append(normal)
        else:
            pages.append((normal, changed))
    return Sitemap(tuple(pages), tuple(dict.fromkeys(sitemaps)))


def unpacked(body: bytes, max_size: int = MAX_BYTES) -> bytes:
    """The bytes, or what gzip made them of, up to a size; nothing when that is broken."""
    if not body.startswith(_GZIP):
        return body
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, max_size)
    except zlib.error:
        return b""


def _entries(body: bytes) -> Iterator[tuple[str, str, str]]:
    """`(kind, location, last change)`; the kind is `url` or `sitemap`."""
    head = body[:1000].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith((b"http://", b"https://")):
        for line in body.removeprefix(b"\xef\xbb\xbf").splitlines():
            if line.strip().startswith((b"http://", b"https://")):
                yield "url", line.decode("utf-8", "replace").strip(), ""
        return
    location = changed = ""
    for path, text, _ in elements(body):
        if len(path) == 3 and path[2] == "loc":
            location = text
        elif len(path) == 3 and path[2] == "lastmod":
            changed = text
        elif len(path) == 2:
            if path[1] in ("url", "sitemap") and location:
                yield path[1], location, _time(changed)
            location = changed = ""


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

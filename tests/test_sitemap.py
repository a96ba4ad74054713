"""Sitemaps: what they say of pages, and what no sitemap can do to us."""

import gzip
from pathlib import Path

import pytest

from crawler.elements import root
from crawler.sitemap import MAX_ENTRIES, Sitemap, parse_sitemap

HOME = "https://h.test/sitemap.xml"
SPACE = 'xmlns="http://www.sitemaps.org/schemas/sitemap/0.9"'


def read(xml: str | bytes, max_size: int = 10_000_000) -> Sitemap:
    return parse_sitemap(xml if isinstance(xml, bytes) else xml.encode(), HOME, max_size)


def urls(*entries: tuple[str, str]) -> str:
    rows = "".join(f"<url><loc>{loc}</loc><lastmod>{lastmod}</lastmod></url>" for loc, lastmod in entries)
    return f"<?xml version='1.0' encoding='UTF-8'?><urlset {SPACE}>{rows}</urlset>"


@pytest.mark.parametrize(
    ("lastmod", "time"),
    [
        ("2026-11-01", "2026-11-01T23:59:59Z"),
        ("2026-11-01T10:00:00Z", "2026-11-01T10:00:00Z"),
        ("2026-11-01T10:00:00+02:00", "2026-11-01T08:00:00Z"),
        (" 2026-11-01T10:00:00.5+00:00\n", "2026-11-01T10:00:00Z"),
        ("yesterday", ""),
        ("", ""),
        ("0001-01-01T00:00:00+14:00", ""),
    ],
)
def test_times(lastmod: str, time: str) -> None:
    """A time in UTC; of a day alone its end, for the page may have changed at any time of it."""
    assert read(urls(("https://h.test/a", lastmod))).pages == (("https://h.test/a", time),)


def test_urls_are_normalised_and_what_is_none_is_left_out() -> None:
    """Locations are resolved as links are; entities in them are those of XML."""
    found = read(urls(("https://H.test/a b?x=1&amp;y=2#f", ""), ("mailto:x@h.test", ""), ("/relative", "")))
    assert [page for page, _ in found.pages] == ["https://h.test/a%20b?x=1&y=2", "https://h.test/relative"]


def test_an_index_of_sitemaps() -> None:
    """A sitemap may name more of them."""
    xml = f"<s:sitemapindex xmlns:s='x'><s:sitemap {SPACE}><s:loc>/two.xml.gz</s:loc></s:sitemap></s:sitemapindex>"
    assert read(xml) == Sitemap((), ("https://h.test/two.xml.gz",))


def test_gzip_is_unpacked_to_its_limit() -> None:
    """A compressed sitemap is read, and one that would fill the memory is cut."""
    assert len(read(gzip.compress(urls(("/a", "")).encode())).pages) == 1
    bomb = gzip.compress(b"<urlset>" + b" " * 50_000_000)
    assert read(bomb, max_size=1000) == Sitemap()


def test_no_entity_is_expanded(tmp_path: Path) -> None:
    """A document type ends the reading: neither a file nor a billion laughs comes out of a sitemap."""
    secret = tmp_path / "secret"
    secret.write_text("https://h.test/secret")
    for inside in (f'<!ENTITY x SYSTEM "{secret.as_uri()}">', '<!ENTITY x "https://h.test/laugh">'):
        xml = f"<!DOCTYPE urlset [{inside}]><urlset><url><loc>&x;</loc></url></urlset>"
        assert read(xml) == Sitemap()


@pytest.mark.parametrize(
    "xml", [b"", b"\0", b"<", b"<html><p>not one", b"\x1f\x8b broken", b"<a>" * 100_000, b"\xff" * 99]
)
def test_anything_is_taken(xml: bytes) -> None:
    """What is no sitemap says nothing, and raises nothing."""
    assert read(xml) == Sitemap()


def test_broken_xml_says_what_stands_before_the_fault() -> None:
    """A sitemap that was cut off is read as far as it goes."""
    assert len(read(urls(("/a", ""), ("/b", "")).partition("<loc>/b")[0]).pages) == 1


def test_a_sitemap_without_end_is_cut() -> None:
    """No more entries are taken than the protocol allows."""
    assert len(read(urls(*[("/a", "")] * (MAX_ENTRIES + 10))).pages) == MAX_ENTRIES


@pytest.mark.parametrize("encoding", ["base64", "no-such-encoding", "x" * 60_000])
def test_an_encoding_that_is_none_says_nothing(encoding: str) -> None:
    """XML that names an encoding which there is not is broken XML, and raises nothing."""
    body = f"<?xml version='1.0' encoding='{encoding}'?><urlset/>".encode()
    assert parse_sitemap(body, "http://a.example/s.xml").pages == ()
    assert root(body) == ""

"""Filters, asked of a real SQLite file."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from crawler.filters import where
from crawler.query import Filter, parse_query
from crawler.store.schema import connect_writer

PAGES = {
    # name: URL, site, title, language, media type, fetched
    "front": ("https://a.test/", "a.test", "Welcome", "en", "text/html", "2025-01-01T00:00:00Z"),
    "docs": (
        "https://docs.a.test/x",
        "docs.a.test",
        "Release notes 2.0",
        "en",
        "text/html; charset=utf-8",
        "2025-03-01T09:00:00Z",
    ),
    "port": (
        "http://a.test:8080/docs/Install.html",
        "a.test:8080",
        "Installation",
        "de",
        "Application/XHTML+XML",
        "2025-03-31T23:59:59Z",
    ),
    "notes": ("http://b.test/docs/install.txt", "b.test", "notes", "", "text/plain", "2025-04-01T00:00:00Z"),
    "other": ("http://xa.test/100%25_a?id=7&x=*", "xa.test", "Ärger mit Cafés", "de", "", "2026-01-01T00:00:00Z"),
    "address": ("http://[::1]:8080/%C3%BCber/docs2", "[::1]:8080", "Привет, МИР 100%", None, None, None),
    "paper": (
        "http://c.test/paper?as=docs/install",
        "c.test",
        "A Paper_1",
        "fr",
        "application/pdf",
        "2024-12-31T23:59:59Z",
    ),
    "picture": ("http://c.test/a'c?\\b", "c.test", "日本語の文書", "ja", "image/svg+xml", "2025-01-01T00:00:00Z"),
}
ALL = set(PAGES)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = connect_writer(tmp_path / "crawl.db")
    for number, (url, site, title, lang, media_type, at) in enumerate(PAGES.values(), 1):
        connection.execute(
            "INSERT INTO urls(id, url, host, depth, state, content_type) VALUES (?, ?, ?, 0, 'done', ?)",
            (number, url, site, media_type),
        )
        connection.execute(
            "INSERT INTO pages(id, url, site, title, lang, fetched_at) VALUES (?, ?, ?, ?, ?, ?)",
            (number, url, site, title, lang, at),
        )
    yield connection
    connection.close()


def found(index: sqlite3.Connection, query: str) -> set[str]:
    """The pages that pass the filters of a query."""
    filters = parse_query(query).filters
    assert filters, f"{query!r} holds no filter"
    condition, values = where(filters)
    names = list(PAGES)
    return {names[number - 1] for (number,) in index.execute(f"SELECT id FROM pages WHERE {condition}", values)}


@pytest.mark.parametrize(
    ("query", "pages"),
    [
        ("site:a.test", {"front", "docs", "port"}),
        ("site:A.TEST:8080", {"port"}),
        ("site:docs.a.test", {"docs"}),
        ("site:test", ALL - {"address"}),
        ("site:a", set()),
        ("site:[::1]", {"address"}),
        ("site:_.test", set()),
        ("-site:a.test", ALL - {"front", "docs", "port"}),
    ],
)
def test_site(index: sqlite3.Connection, query: str, pages: set[str]) -> None:
    """A host with those below it, on any port or on the one told; no part of a name, no wildcard."""
    assert found(index, query) == pages


@pytest.mark.parametrize(
    ("query", "pages"),
    [
        ("path:/docs", {"port", "notes"}),
        ("path:/DOCS/i", {"port", "notes"}),
        ("path:docs", {"port", "notes", "address", "paper"}),
        ("path:*docs2", {"address"}),
        ("path:/docs/*.html", {"port"}),
        ("path:/docs/*", {"port", "notes"}),
        ("path:install.???", {"notes"}),
        ("path:ins*html", {"port"}),
        ("path:/?", {"docs"}),
        ("path:/", ALL),
        ("path:a.test", set()),
        ("path:über", {"address"}),
        ("path:100%25_a", {"other"}),
        ("path:100_", set()),
        ("path:1%a", set()),
        ("path:id=7", {"other"}),
        ("path:\\b", {"picture"}),
        ("path:a'c", {"picture"}),
        ("-path:docs", {"front", "docs", "other", "picture"}),
    ],
)
def test_path(index: sqlite3.Connection, query: str, pages: set[str]) -> None:
    """How the path begins, a part of it, or a glob; what is special to SQL is text."""
    assert found(index, query) == pages


@pytest.mark.parametrize(
    ("query", "pages"),
    [
        ("title:notes", {"docs", "notes"}),
        ('title:"NOTES release"', {"docs"}),
        ("title:install", {"port"}),
        ("title:ärger", {"other"}),
        ("title:CAFÉ", {"other"}),
        ("title:cafe", set()),
        ("title:привет", {"address"}),
        ("title:мир", {"address"}),
        ("title:文書", {"picture"}),
        ("title:100%", {"address"}),
        ("title:r_1", {"paper"}),
        ("title:a_er", set()),
        ('title:"2.0\'"', set()),
        ("-title:notes", ALL - {"docs", "notes"}),
    ],
)
def test_title(index: sqlite3.Connection, query: str, pages: set[str]) -> None:
    """All words, in any order and any case of any alphabet; accents as they are."""
    assert found(index, query) == pages


@pytest.mark.parametrize(
    ("query", "pages"),
    [
        ("lang:de", {"port", "other"}),
        ("lang:en-GB", {"front", "docs"}),
        ("-lang:de", ALL - {"port", "other"}),
        ("type:html", {"front", "docs", "port", "other", "address"}),
        ("type:xhtml", {"front", "docs", "port", "other", "address"}),
        ("type:text", {"notes"}),
        ("type:plain", {"notes"}),
        ("type:text/plain", {"notes"}),
        ("type:pdf", {"paper"}),
        ("type:application", {"port", "paper"}),
        ("type:image", {"picture"}),
        ("type:svg+xml", {"picture"}),
        ("type:xml", set()),
        ("type:_df", set()),
        ("-type:html", {"notes", "paper", "picture"}),
    ],
)
def test_language_and_type(index: sqlite3.Connection, query: str, pages: set[str]) -> None:
    """As told; a page that tells no language is in none, one that tells no type is HTML."""
    assert found(index, query) == pages


@pytest.mark.parametrize(
    ("query", "pages"),
    [
        ("before:2025", {"paper"}),
        ("after:2025-03", {"docs", "port", "notes", "other"}),
        ("after:2025-03 before:2025-04", {"docs", "port"}),
        ("before:2025-04-01T02:00+02:00 after:2025-03-31", {"port"}),
        ("-after:2025-03", {"front", "paper", "picture", "address"}),
    ],
)
def test_dates(index: sqlite3.Connection, query: str, pages: set[str]) -> None:
    """`before` is before it begins, `after` from then on; no date is neither."""
    assert found(index, query) == pages


@pytest.mark.parametrize(
    ("query", "pages"),
    [
        ("site:b.test site:c.test", {"notes", "paper", "picture"}),
        ("site:b.test site:c.test lang:fr", {"paper"}),
        ("lang:de lang:fr -site:c.test", {"port", "other"}),
        ("-lang:de -lang:en", {"notes", "address", "paper", "picture"}),
        ("lang:de -lang:de", set()),
        ("type:text type:pdf", {"notes", "paper"}),
    ],
)
def test_several_filters(index: sqlite3.Connection, query: str, pages: set[str]) -> None:
    """Of one name one must hold, of different names each, and of the excluded ones none."""
    assert found(index, query) == pages


def test_no_filters_are_no_condition() -> None:
    """There is nothing to add to a statement."""
    assert where(()) == ("", {})


def test_nothing_typed_stands_in_the_statement() -> None:
    """Values are parameters, each with a name of its own."""
    filters = [
        Filter(name, "zebra'", excluded)
        for name in ("site", "path", "title", "lang", "type", "before", "after")
        for excluded in (False, True)
    ]
    condition, values = where(filters)
    assert "zebra" not in condition
    assert set(values) == {f"filter_{number}" for number in range(len(filters))}
    assert all("zebra" in value for value in values.values())
    assert all(f":{name}" in condition for name in values)


def test_the_longest_filters_are_carried_out(index: sqlite3.Connection) -> None:
    """No limit of SQLite is met: depth of an expression, length of a pattern, number of parameters."""
    letters = [letter for letter in map(chr, range(0xE0, 0x590)) if letter.islower() and letter.upper() != letter]
    words = [" ".join(letters[shift : shift + 150]) for shift in range(64)]
    assert found(index, " ".join(f'title:"{some}"' for some in words)) == set()
    assert found(index, "path:" + "%" * 2000) == set()
    assert found(index, "site:" + "_." * 120) == set()
    assert (
        found(index, "-path:/a-long-path-*? " * 30 + " ".join(f"site:s{number}.test" for number in range(60))) == set()
    )

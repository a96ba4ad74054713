"""Feeds: the links of their entries, and what no feed can do to us."""

from pathlib import Path

import pytest

from crawler.elements import root
from crawler.feed import parse_feed

HOME = "https://h.test/blog/feed"


@pytest.mark.parametrize(
    ("xml", "kind", "entries"),
    [
        (
            "<?xml version='1.0'?><rss><channel><link>/</link><title>Blog</title>"
            "<item><title>A &amp; B</title><link> /a </link><guid>x</guid></item>"
            "<item><guid>https://h.test/b</guid></item><item><guid isPermaLink='false'>/c</guid></item>"
            "<item><link>mailto:x@h.test</link></item></channel></rss>",
            "rss",
            [("https://h.test/a", "A & B"), ("https://h.test/b", "")],
        ),
        (
            "<feed xmlns='http://www.w3.org/2005/Atom'><link href='/'/><entry><title>T</title>"
            "<link rel='self' href='/x'/><link href='post'/><content><div><link href='/z'/></div></content></entry>"
            "<entry><link rel='alternate' href='/y'/><title>U</title></entry></feed>",
            "feed",
            [("https://h.test/blog/post", "T"), ("https://h.test/y", "U")],
        ),
        (
            "<rdf:RDF xmlns:rdf='r' xmlns='s'><channel/><item><title>T</title><link>/q</link></item></rdf:RDF>",
            "rdf",
            [("https://h.test/q", "T")],
        ),
        ("<rss><channel><item><link>/a</link></item><item><link>/b</li", "rss", [("https://h.test/a", "")]),
        ("", "", []),
        ("<html><body>none", "html", []),
    ],
    ids=["rss", "atom", "rdf", "broken", "empty", "html"],
)
def test_entries(xml: str, kind: str, entries: list[tuple[str, str]]) -> None:
    """The pages that a feed lists, with their titles; what its entries say of themselves or hold is no link."""
    assert root(xml.encode()) == kind
    assert [(link.url, link.text) for link in parse_feed(xml.encode(), HOME)] == entries


def test_no_entity_is_expanded(tmp_path: Path) -> None:
    """A document type ends the reading, here too."""
    secret = tmp_path / "secret"
    secret.write_text("https://h.test/secret")
    xml = f"<!DOCTYPE rss [<!ENTITY x SYSTEM '{secret.as_uri()}'>]><rss><item><link>&x;</link></item></rss>".encode()
    assert parse_feed(xml, HOME) == ()
    assert root(xml) == ""

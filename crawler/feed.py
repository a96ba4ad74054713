"""Feeds become links: RSS (https://www.rssboard.org/rss-specification), RDF (RSS 1.0), Atom (RFC 4287). No I/O here."""

from typing import Final

from crawler.elements import elements
from crawler.page import MAX_LINK_TEXT, MAX_LINKS, Link
from crawler.sections import words_of
from crawler.urls import normalize

ROOTS: Final = frozenset({"rss", "rdf", "feed"})
_ENTRIES: Final = frozenset({"item", "entry"})


def parse_feed(body: bytes, url: str) -> tuple[Link, ...]:
    """The pages that the entries of a feed link to, each with its title; `url` is where it was fetched. Never raises.

    Of an Atom entry the alternate link counts, of an RSS item its link, or else a guid that is said to be one.
    """
    found: dict[str, Link] = {}
    title = link = guid = ""
    for path, text, attributes in elements(body):
        inside = len(path) > 1 and path[-2] in _ENTRIES
        if path[-1] in _ENTRIES:
            if target := normalize(link or guid, url) if link or guid else None:
                found.setdefault(target, Link(target, "", words_of(title)[:MAX_LINK_TEXT], ""))
            title = link = guid = ""
            if len(found) >= MAX_LINKS:
                break
        elif inside and path[-1] == "title":
            title = title or text
        elif inside and path[-1] == "link" and attributes.get("rel", "alternate") == "alternate":
            link = link or attributes.get("href", "") or text.strip()
        elif inside and path[-1] == "guid" and attributes.get("isPermaLink", "true") == "true":
            guid = text.strip()
    return tuple(found.values())

"""A document is read: from the bytes of a reply to a page, and to what the page is known by.

Pure, and what goes in and comes out is plain values, so that it can be done wherever there is a core to do it.
"""

from collections.abc import Mapping
from typing import NamedTuple

from crawler import fields
from crawler.fingerprint import digest, sketch
from crawler.languages import guess
from crawler.page import Page, parse


class Document(NamedTuple):
    """What is to be read."""

    url: str
    """Where it was fetched, normalised."""
    content_type: str
    agent: str
    """Our product token, for robots directives by name."""
    body: bytes
    lang: str = ""
    """The language that its headers declare, for a page that declares none."""
    picked: Mapping[str, fields.Selector] | None = None
    """Fields of the user's own."""


class Reading(NamedTuple):
    """What came of it."""

    page: Page
    """In the language that it or its headers declare, or else that its words are of."""
    body_hash: str
    text_hash: str
    """Of the page's main text."""
    sketch: int | None
    """Of the same."""
    values: dict[str, fields.Value] | None = None
    """Of the fields."""


def read(document: Document) -> Reading:
    """Raises ParseError when the parser refuses the document."""
    url, content_type, agent, body, lang, picked = document
    page = parse(body, url, content_type, agent=agent)
    text = page.text
    if not page.lang:
        page = page._replace(lang=lang or guess(text))
    values = fields.extract(body, page.encoding, picked) if picked else None
    return Reading(page, digest(body), digest(text.encode()), sketch(text), values)

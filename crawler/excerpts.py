"""What the index holds of a page, to be read without the network."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote

from crawler.languages import plain
from crawler.store.schema import connect_reader, failure
from crawler.story import normalized

_PAGE: Final = """
SELECT pages.id, pages.url, pages.title, pages.fetched_at FROM urls
JOIN pages ON pages.id = coalesce(urls.same_as, urls.id) WHERE urls.url = ?
"""
_SECTIONS: Final = 'SELECT level, anchor, ids, heading, text FROM sections WHERE page = ? ORDER BY "order"'


@dataclass(frozen=True, slots=True)
class Excerpt:
    """A page, or a section of it."""

    url: str
    title: str
    fetched_at: str
    """ISO 8601, UTC."""
    parts: tuple[tuple[str, str], ...]
    """Headings and texts, in order; a heading may be empty. Empty where the page has no section at the fragment."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; a contract."""
        sections = [{"heading": heading, "text": text} for heading, text in self.parts]
        return {"url": self.url, "title": self.title, "fetched_at": self.fetched_at, "sections": sections}


def excerpt(
    href: str, *, db: str | Path = "crawl.db", whole: bool = False, section: int | None = None
) -> Excerpt | None:
    """The page at an address, or its section at the fragment with what stands below it; None when it is not indexed.

    `section` is the place on the page, from 0, of one that has no fragment. Raises UsageError for what is no URL,
    IndexFileError when there is no index to read.
    """
    address, _, fragment = href.partition("#")
    known_as = normalized(address)
    connection = connect_reader(Path(db))
    try:
        page = connection.execute(_PAGE, (known_as,)).fetchone()
        if page is None:
            return None
        rows = connection.execute(_SECTIONS, (page[0],)).fetchall()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise failure(db, error, "read") from error
    finally:
        connection.close()
    if whole:
        chosen = rows
    elif fragment:
        place = _place(rows, unquote(fragment))
        chosen = [] if place is None else _below(rows, place)
    else:
        chosen = _below(rows, section)
    parts = tuple((plain(heading or ""), plain(text or "")) for *_, heading, text in chosen)
    return Excerpt(page[1], page[2], page[3] or "", parts)


_Row = tuple[int, str, str, str, str]


def _place(rows: list[_Row], fragment: str) -> int | None:
    """Of the section that a fragment opens."""
    return next((place for place, row in enumerate(rows) if fragment in (row[1], *(row[2] or "").split())), None)


def _below(rows: list[_Row], first: int | None) -> list[_Row]:
    """The section at a place, and those of deeper levels after it; all where there is none at this place."""
    if first is None or not 0 <= first < len(rows):
        return rows
    level = rows[first][0]
    last = next((place for place in range(first + 1, len(rows)) if rows[place][0] <= level), len(rows))
    return rows[first:last]

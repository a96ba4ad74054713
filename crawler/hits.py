"""A query and an index file become ranked hits. Read-only, and at ease beside a running crawl.

Sections are what is ranked, pages are what is shown: a page's hit opens at its best section.
"""

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from crawler.errors import IndexFileError, UsageError
from crawler.query import parse_query
from crawler.store.schema import FTS_COLUMNS, connect_reader

# Private-use characters around the matching words of a snippet; a face puts its own highlight in their place.
MARK, MARK_END = "\ue000", "\ue001"

_CANDIDATES = 300  # sections ranked before they are grouped by page
_SNIPPET_WORDS = 28
_MORE_SECTIONS = 3

# ORDER BY rank LIMIT stands alone: a join beside it would sort every match.
_RANKED = """
WITH ranked AS MATERIALIZED (
    SELECT rowid AS section, rank FROM sections_fts WHERE sections_fts MATCH :match {filter}
    ORDER BY rank LIMIT :candidates)
SELECT ranked.section, -ranked.rank, sections.page, sections.anchor
FROM ranked JOIN sections ON sections.id = ranked.section
ORDER BY ranked.rank, sections."order"
"""
_TOTAL = """
SELECT count(DISTINCT page) FROM sections
WHERE id IN (SELECT rowid FROM sections_fts WHERE sections_fts MATCH :match {filter})
"""
_FILTER = """
AND rowid IN (SELECT sections.id FROM pages JOIN sections ON sections.page = pages.id
    WHERE (:site IS NULL OR pages.site = :site OR pages.site LIKE '%.' || :site)
    AND (:lang IS NULL OR pages.lang = :lang) AND (:since IS NULL OR pages.fetched_at >= :since))
"""
# The heading shown is the section's own, or that of the nearest section before it.
_SHOWN = f"""
SELECT sections.id, pages.url, pages.title, pages.site, pages.lang, pages.fetched_at, pages.fields,
    (SELECT heading FROM sections AS above WHERE above.page = sections.page AND above."order" <= sections."order"
        AND heading <> '' ORDER BY "order" DESC LIMIT 1),
    (SELECT snippet(sections_fts, {FTS_COLUMNS.index("text")}, '{MARK}', '{MARK_END}', ' … ', {_SNIPPET_WORDS})
        FROM sections_fts WHERE sections_fts MATCH :match AND rowid = sections.id)
FROM json_each(:sections) JOIN sections ON sections.id = json_each.value JOIN pages ON pages.id = sections.page
"""


@dataclass(frozen=True, slots=True)
class Hit:
    """A page that matches, seen at its best section."""

    rank: int
    """1 for the best."""
    url: str
    href: str
    """The page at the anchor of its best section: what to open."""
    title: str
    heading: str
    snippet: str
    """Text of the section around the matching words, which stand between MARK and MARK_END. Not escaped."""
    score: float
    """Of the best section, by bm25; higher is better, comparable within one search only."""
    site: str
    lang: str
    fetched_at: str
    """ISO 8601, UTC."""
    fields: dict[str, Any] | None = None
    also: tuple[str, ...] = ()
    """Anchors of up to three more sections of the page that match."""

    @property
    def plain_snippet(self) -> str:
        return self.snippet.replace(MARK, "").replace(MARK_END, "")


@dataclass(frozen=True, slots=True)
class Results:
    """What a search found."""

    query: str
    total: int
    """Pages that match, shown or not."""
    took_ms: float
    results: tuple[Hit, ...] = field(default_factory=tuple)
    match: str = ""
    """The FTS5 expression that the query became; empty when it held no word."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; a contract."""
        names = ("rank", "url", "href", "title", "heading", "score", "site", "lang", "fetched_at")
        hits = []
        for hit in self.results:
            row = {name: getattr(hit, name) for name in names} | {"snippet": hit.plain_snippet}
            hits.append(row | ({"fields": hit.fields} if hit.fields is not None else {}))
        return {"query": self.query, "total": self.total, "took_ms": self.took_ms, "results": hits}


def search(
    query: str,
    *,
    db: str | Path = "crawl.db",
    limit: int = 10,
    site: str | None = None,
    lang: str | None = None,
    since: str | None = None,
) -> Results:
    """The pages of the index that match, the best first.

    `site` is a host (its subdomains count), `lang` a language code, `since` an ISO 8601 date or time from which on a
    page must have been fetched. Raises IndexFileError when there is no index to read, UsageError for a limit below 1.
    Any query is taken: what holds no word finds nothing.
    """
    if limit < 1:
        raise UsageError(f"limit is {limit}", "give a number from 1")
    started = time.perf_counter()
    match = parse_query(query).match
    connection = connect_reader(Path(db))
    try:
        total, hits = _hits(connection, match, limit, site, lang, since) if match else (0, ())
    except sqlite3.Error as error:
        raise IndexFileError(f"{db}: cannot be searched: {error}") from error
    finally:
        connection.close()
    return Results(query, total, round((time.perf_counter() - started) * 1000, 2), hits, match)


def _hits(
    connection: sqlite3.Connection,
    match: str,
    limit: int,
    site: str | None,
    lang: str | None,
    since: str | None,
) -> tuple[int, tuple[Hit, ...]]:
    values = {"match": match, "site": site, "lang": lang, "since": since}
    only = _FILTER if site or lang or since else ""
    total = int(connection.execute(_TOTAL.format(filter=only), values).fetchone()[0])
    wanted = min(limit, total)
    candidates = max(_CANDIDATES, 10 * limit)
    pages: dict[int, list[tuple[int, float, str]]] = {}
    while total and not pages:
        rows = connection.execute(_RANKED.format(filter=only), values | {"candidates": candidates}).fetchall()
        for section, score, page, anchor in rows:
            pages.setdefault(page, []).append((section, score, anchor))
        if len(pages) < wanted and len(rows) == candidates:  # few pages with many sections each: look further down
            pages, candidates = {}, candidates * 8
    best = list(pages.values())[:limit]
    order = json.dumps([sections[0][0] for sections in best])
    shown = {row[0]: row[1:] for row in connection.execute(_SHOWN, {"match": match, "sections": order})}
    return total, tuple(_hit(rank, sections, shown[sections[0][0]]) for rank, sections in enumerate(best, 1))


def _hit(rank: int, sections: Sequence[tuple[int, float, str]], row: tuple[Any, ...]) -> Hit:
    url, title, site, lang, fetched_at, fields, heading, snippet = row
    _, score, anchor = sections[0]
    return Hit(
        rank=rank,
        url=url,
        href=f"{url}#{quote(anchor, safe=_FRAGMENT)}" if anchor else url,
        title=title,
        heading=heading or "",
        snippet=snippet or "",
        score=round(score, 4),
        site=site,
        lang=lang,
        fetched_at=fetched_at,
        fields=json.loads(fields) if fields else None,
        also=tuple(dict.fromkeys(other for _, _, other in sections[1:] if other and other != anchor))[:_MORE_SECTIONS],
    )


_FRAGMENT = "!$&'()*+,;=:@/?-._~%"  # what a fragment may hold as it is (RFC 3986 §3.5), and % of what is encoded

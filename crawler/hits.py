"""A query and an index file become ranked hits. Read-only, and at ease beside a running crawl.

Sections are what is ranked, pages are what is shown: a page's hit opens at its best section.
"""

import json
import re
import sqlite3
import time
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from crawler.errors import UsageError
from crawler.query import Query, parse_query
from crawler.ranking import Ranking
from crawler.store.schema import FTS_COLUMNS, connect_reader, failure

# Private-use characters around the matching words of a snippet; a face puts its own highlight in their place.
MARK, MARK_END = "\ue000", "\ue001"

_WORDS = re.compile(r"[^\W_]+")
_Row = tuple[int, float, int, str, str, str, int]  # section, score, page, anchor, title, heading, group
_CANDIDATES = 300  # sections ranked before they are grouped by page
_NEARLY = 0.95  # of the best score of pages that are alike; above it the one that stands for them is shown
_WHOLE = 1.25  # times the score of a section that holds every word of the query
_SNIPPET_WORDS = 28
_MORE_SECTIONS = 3

# ORDER BY rank LIMIT stands alone: a join beside it would sort every match.
_RANKED = """
WITH ranked AS MATERIALIZED (
    SELECT rowid AS section, rank FROM sections_fts WHERE sections_fts MATCH :match {filter}
    ORDER BY rank LIMIT :candidates)
SELECT ranked.section, -ranked.rank, sections.page, sections.anchor, sections.title, sections.heading,
    coalesce(pages.similar_to, pages.id)
FROM ranked CROSS JOIN sections ON sections.id = ranked.section CROSS JOIN pages ON pages.id = sections.page
ORDER BY ranked.rank, sections."order"
"""
# Pages that bear the query as their title are always among the candidates, however long they are.
_NAMED = """
SELECT sections.id, 0.0, sections.page, sections.anchor, sections.title, sections.heading,
    coalesce(pages.similar_to, pages.id)
FROM pages JOIN sections ON sections.page = pages.id AND sections."order" = 0
WHERE pages.title = :text COLLATE NOCASE {named_filter} LIMIT 200
"""
# Sections that links call by words of the query, and how well those links match.
_CALLED = """
WITH called AS MATERIALIZED (
    SELECT rowid AS section, rank FROM called_fts WHERE called_fts MATCH :match {called_filter}
    ORDER BY rank LIMIT :candidates)
SELECT sections.id, -called.rank, sections.page, sections.anchor, sections.title, sections.heading,
    coalesce(pages.similar_to, pages.id)
FROM called CROSS JOIN sections ON sections.id = called.section CROSS JOIN pages ON pages.id = sections.page
"""
_WHOLE_QUERY = "SELECT rowid FROM sections_fts WHERE sections_fts MATCH :match LIMIT 20000"
_TOTAL = """
SELECT count(DISTINCT page) FROM sections
WHERE id IN (SELECT rowid FROM sections_fts WHERE sections_fts MATCH :match {filter}
    UNION ALL SELECT rowid FROM called_fts WHERE called_fts MATCH :match {called_filter})
"""
_FILTER = """
AND {table} IN (SELECT sections.id FROM pages JOIN sections ON sections.page = pages.id
    WHERE (:site IS NULL OR pages.site = :site OR pages.site LIKE '%.' || :site
        OR pages.site LIKE :site || ':%' OR pages.site LIKE '%.' || :site || ':%')
    AND (:lang IS NULL OR pages.lang = :lang) AND (:since IS NULL OR pages.fetched_at >= :since))
"""
# The heading shown is the section's own, or that of the nearest section before it.
_SHOWN = f"""
SELECT sections.id, pages.url, pages.title, pages.site, pages.lang, pages.fetched_at, pages.fields,
    (SELECT count(*) FROM pages AS alike WHERE alike.similar_to = pages.similar_to AND alike.id <> pages.id)
        + (SELECT count(*) FROM urls WHERE same_as = pages.id),
    (SELECT heading FROM sections AS above WHERE above.page = sections.page AND above."order" <= sections."order"
        AND heading <> '' ORDER BY "order" DESC LIMIT 1),
    coalesce((SELECT snippet(sections_fts, {FTS_COLUMNS.index("text")}, '{MARK}', '{MARK_END}', ' … ', {_SNIPPET_WORDS})
        FROM sections_fts WHERE sections_fts MATCH :match AND rowid = sections.id), substr(sections.text, 1, 200))
FROM json_each(:sections) CROSS JOIN sections ON sections.id = json_each.value
CROSS JOIN pages ON pages.id = sections.page
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
    """Of the best section: bm25, times 1 to 3 for a name like the query. Comparable within one search only."""
    site: str
    lang: str
    fetched_at: str
    """ISO 8601, UTC."""
    fields: dict[str, Any] | None = None
    also: tuple[str, ...] = ()
    """Anchors of up to three more sections of the page that match."""

    similar: int = 0
    """How many other pages are alike or the very same; a search shows one of them."""

    @property
    def plain_snippet(self) -> str:
        return self.snippet.replace(MARK, "").replace(MARK_END, "").strip()


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
            fields = {"fields": hit.fields} if hit.fields is not None else {}
            hits.append(row | fields | ({"similar": hit.similar} if hit.similar else {}))
        return {"query": self.query, "total": self.total, "took_ms": self.took_ms, "results": hits}


def search(
    query: str,
    *,
    db: str | Path = "crawl.db",
    limit: int = 10,
    site: str | None = None,
    lang: str | None = None,
    since: str | None = None,
    ranking: Ranking | None = None,
) -> Results:
    """The pages of the index that match, the best first.

    `site` is a host, with a port or on any (its subdomains count), `lang` a language code, `since` an ISO 8601 date or
    time from which on a page must have been fetched, `ranking` what counts how much, where that is not the default.
    Raises IndexFileError when there is no index to read, UsageError for a limit below 1.
    Any query is taken: what holds no word finds nothing.
    """
    if limit < 1:
        raise UsageError(f"limit is {limit}", "give a number from 1")
    started = time.perf_counter()
    parsed = parse_query(query)
    site = site and _bare(site).rpartition("@")[2].split("/", 1)[0]
    lang = lang and _bare(lang).replace("_", "-").partition("-")[0]
    connection = connect_reader(Path(db))
    try:
        connection.execute("BEGIN")  # one snapshot for all statements, whatever a crawl commits meanwhile
        total, hits = (
            _hits(connection, parsed, limit, site, lang, since, ranking or Ranking()) if parsed.match else (0, ())
        )
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise failure(db, error, "searched") from error
    finally:
        connection.close()
    return Results(query, total, round((time.perf_counter() - started) * 1000, 2), hits, parsed.match)


def _bare(written: str) -> str:
    """A filter as people type or paste it: in any case, perhaps with a scheme."""
    text = written.encode("utf-8", "replace").decode().strip().lower()
    return text.partition("://")[2] or text


def _hits(
    connection: sqlite3.Connection,
    query: Query,
    limit: int,
    site: str | None,
    lang: str | None,
    since: str | None,
    ranking: Ranking,
) -> tuple[int, tuple[Hit, ...]]:
    match = query.match
    values = {
        "match": match,
        "text": query.text.strip().encode("utf-8", "replace").decode(),
        "site": site,
        "lang": lang,
        "since": since,
    }
    filters = {
        name: _FILTER.format(table=table) if site or lang or since else ""
        for name, table in (
            ("filter", "sections_fts.rowid"),
            ("called_filter", "called_fts.rowid"),
            ("named_filter", "sections.id"),
        )
    }
    total = int(connection.execute(_TOTAL.format(**filters), values).fetchone()[0])
    wanted = min(limit, total)
    candidates = max(_CANDIDATES, 10 * limit)
    whole = {row[0] for row in connection.execute(_WHOLE_QUERY, {"match": query.match_all})} if total else set()
    ranked: dict[int, list[tuple[int, float, str]]] = {}
    while total and not ranked:
        found = [
            connection.execute(statement.format(**filters), values | {"candidates": candidates}).fetchall()
            for statement in (_RANKED, _NAMED, _CALLED)
        ]
        ranked = _by_page(found[0], found[1], found[2], whole, query, ranking)
        if len(ranked) < wanted and len(found[0]) >= candidates:
            ranked, candidates = {}, candidates * 8  # few pages with many sections each: look further down
    best = list(ranked.values())[:limit]
    order = json.dumps([sections[0][0] for sections in best])
    shown = {row[0]: row[1:] for row in connection.execute(_SHOWN, {"match": match, "sections": order})}
    return total, tuple(_hit(rank, sections, shown[sections[0][0]]) for rank, sections in enumerate(best, 1))


def _by_page(
    own: Sequence[_Row],
    named: Sequence[_Row],
    called: Sequence[_Row],
    whole: Set[int],
    query: Query,
    ranking: Ranking,
) -> dict[int, list[tuple[int, float, str]]]:
    """`(section, score, anchor)` of each page's sections, the best page and the best section first.

    A section's score is that of its own words and that of what links call it, times how nearly the query is its name,
    and more if it is in `whole`: it holds every word of the query. A page of exactly that name comes before all others:
    bm25 alone would sink a long one.
    """
    scores = {row[0]: row[1] for row in own}
    for row in called:
        scores[row[0]] = scores.get(row[0], 0.0) + ranking.links * row[1]
    best = max(scores.values(), default=0.0)
    for row in named:
        scores[row[0]] = scores.get(row[0], 0.0) + best
    asked = _names(query.text)
    rows = {row[0]: row for row in (*own, *named, *called)}
    for section, row in rows.items():
        scores[section] *= _nearness(asked, row[4], row[5]) * (_WHOLE if section in whole else 1.0)
    groups: dict[int, dict[int, list[tuple[int, float, str]]]] = {}
    for section in sorted(scores, key=lambda section: -scores[section]):
        _, _, page, anchor, _, _, group = rows[section]
        groups.setdefault(group, {}).setdefault(page, []).append((section, scores[section], anchor))
    pages = {}
    for group, alike in groups.items():  # the page that stands for those like it, unless another matches better
        first = next(iter(alike))
        page = group if group in alike and alike[group][0][1] >= _NEARLY * alike[first][0][1] else first
        pages[page] = alike[page]
    return pages


def _nearness(asked: frozenset[str], title: str, heading: str) -> float:
    """1 to 3: how nearly the query is the name of the page or of the section, by Dice's coefficient of their words.

    To the eighth power, so that only a name that is nearly the whole query counts for much.
    """
    defined = heading.partition("(")[0]  # of `print(*objects, sep=' ')` the name
    names = (_names(title), _names(heading), _names(defined))
    return 1 + 2 * max(2 * len(asked & name) / (len(asked) + len(name) or 1) for name in names) ** 8


def _names(text: str) -> frozenset[str]:
    return frozenset(_WORDS.findall(text.lower()))


def _hit(rank: int, sections: Sequence[tuple[int, float, str]], row: tuple[Any, ...]) -> Hit:
    url, title, site, lang, fetched_at, fields, similar, heading, snippet = row
    _, score, anchor = sections[0]
    return Hit(
        rank=rank,
        url=url,
        href=f"{url}#{quote(anchor, safe=_FRAGMENT)}" if anchor else url,
        title=title,
        heading=heading or "",
        snippet=(snippet or "").strip(),
        score=round(score, 4),
        site=site,
        lang=lang,
        fetched_at=fetched_at,
        fields=json.loads(fields) if fields else None,
        similar=similar,
        also=tuple(dict.fromkeys(other for _, _, other in sections[1:] if other and other != anchor))[:_MORE_SECTIONS],
    )


_FRAGMENT = "!$&'()*+,;=:@/?-._~%"  # what a fragment may hold as it is (RFC 3986 §3.5), and % of what is encoded

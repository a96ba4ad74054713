"""What full text finds for a query: the sections that may be hits, with what ranking needs to know of them.

bm25 costs a microsecond or two for each row that matches, and SQLite ranks all of them before it gives the first. So
a search ranks at most so many rows, whatever the size of the index: rare words find candidates and common ones do not,
beyond the budget the rows nearest to the seeds count, and sections that have the words in their names always do.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, chain, repeat
from typing import Final, NamedTuple
from urllib.parse import quote

from crawler.matches import NAME_COLUMNS, Wanted, any_of
from crawler.pool import Pool
from crawler.ranking import Names
from crawler.urls import name_in

_DEPTHS: Final = (100, 800, 6_400)  # candidates of each kind: further down, where those before are few pages
_ROWS: Final = 1_500  # that are ranked at a time, at least
_ROWS_A_CANDIDATE: Final = 5
_COMMON: Final = 20_000  # rows; a word of more is left out where there are rarer ones
_MOST_COUNTED: Final = 200  # of a query without end, the first
_MOST_EXPRESSIONS: Final = 24  # of a long query, the rarest
_TITLED_PAGES: Final = 200  # that bear the query as their title
_TITLE: Final = 1.5  # times the best score is added to theirs
_FRAGMENT: Final = "!$&'()*+,;=:@/?-._~%"  # what a fragment may hold as it is (RFC 3986 §3.5), and % of what is encoded
_COUNTED: Final = 2_000  # rows whose pages are counted; of more they are estimated
_SAMPLE: Final = 500  # rows that an estimate is made from
_NO_LAST: Final = 1 << 62

Row = tuple[int, float]  # section, bm25 score


class Candidate(NamedTuple):
    """A section that may be a hit."""

    section: int
    score: float
    """bm25 of its own words, and of what links call it."""
    page: int
    url: str
    group: int
    """The page that stands for those that are alike."""
    site: str
    changed_at: str
    """When the text of its page was first seen as it is; ISO 8601, UTC."""
    lang: str
    anchor: str
    names: Names

    @property
    def href(self) -> str:
        """The page at the anchor of the section: what to open."""
        return f"{self.url}#{quote(self.anchor, safe=_FRAGMENT)}" if self.anchor else self.url


_RANKED: Final = """
SELECT rowid, -rank FROM {table} WHERE {table} MATCH :match AND rowid <= :last {filter} ORDER BY {sign}rank LIMIT :limit
"""
_FIRST: Final = "SELECT rowid, 0.0 FROM sections_fts WHERE sections_fts MATCH :match {filter} LIMIT :rows OFFSET :from"
_OPENINGS: Final = """
SELECT sections.id, 0.0 FROM pages CROSS JOIN sections ON sections.page = pages.id AND sections."order" = 0
WHERE {condition} ORDER BY {order} LIMIT :rows OFFSET :from
"""
_LAST: Final = "SELECT rowid FROM {table} WHERE {table} MATCH :match {filter} LIMIT 1 OFFSET :rows"
_COUNT: Final = "SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {table} MATCH :match LIMIT :rows)"
# Of pages that are called `queue`, `queue — A synchronized queue class` or `Queue | Documentation` the openings, and of
# that at a pasted address.
_TITLED: Final = """
SELECT sections.id FROM pages
CROSS JOIN sections ON sections.page = pages.id AND sections."order" = 0
WHERE +({condition}) AND (pages.url = :text OR pages.title = :text COLLATE NOCASE
    OR (pages.title > :text || ' ' COLLATE NOCASE AND pages.title < :text || '!' COLLATE NOCASE
        AND substr(pages.title, length(:text) + 2, 2) IN ('— ', '– ', '- ', '| ', '· ')))
LIMIT :most
"""
_PAGES: Final = """
SELECT DISTINCT page FROM sections WHERE id IN (
    SELECT rowid FROM sections_fts WHERE sections_fts MATCH :match AND rowid <= :last {filter}
    UNION ALL SELECT rowid FROM called_fts WHERE called_fts MATCH :called AND rowid <= :last {called_filter})
"""
_GROUPS: Final = """
SELECT count(DISTINCT coalesce(similar_to, id)) FROM pages WHERE id IN (SELECT value FROM json_each(?))
"""
_ALL: Final = "SELECT id FROM pages WHERE {condition}"
_DESCRIBED: Final = """
SELECT sections.id, sections.page, pages.url, coalesce(pages.similar_to, pages.id), pages.site, pages.changed_at,
    pages.lang,
    sections."order", sections.anchor, sections.title, sections.heading, sections.ids, sections.terms,
    coalesce(called.links, ''),
    (SELECT max("order") FROM sections AS other WHERE other.page = pages.id) + 1
FROM json_each(:sections) CROSS JOIN sections ON sections.id = json_each.value
CROSS JOIN pages ON pages.id = sections.page LEFT JOIN called ON called.section = sections.id
"""
_MAIN_LANGUAGE: Final = """
SELECT lang FROM (SELECT lang FROM pages ORDER BY id LIMIT 1000) GROUP BY lang ORDER BY count(*) DESC, lang LIMIT 1
"""
_LANGUAGES: Final = """
WITH RECURSIVE spoken(lang) AS (SELECT min(lang) FROM pages WHERE lang > ''
    UNION ALL SELECT (SELECT min(lang) FROM pages WHERE lang > spoken.lang) FROM spoken WHERE spoken.lang IS NOT NULL)
SELECT lang FROM spoken WHERE lang NOT IN ('', 'en')
"""


def main_language(connection: sqlite3.Connection) -> str:
    """That of most of the pages that are nearest to the seeds."""
    found = connection.execute(_MAIN_LANGUAGE).fetchone()
    return str(found[0] or "") if found else ""


def languages(connection: sqlite3.Connection) -> list[str]:
    """The languages of the pages but English, each found by the index from the one before."""
    return [row[0] for row in connection.execute(_LANGUAGES)]


class Finder:
    """Finds the candidates of one query in an open index, among the pages of a pool."""

    def __init__(self, connection: sqlite3.Connection, wanted: Wanted, pool: Pool) -> None:
        self._connection = connection
        self._pool = pool
        self.wanted = wanted

    def blocks(self, text: str, links: float, *, newest: bool = False) -> Iterator[list[Candidate]]:
        """The candidates, those first that are likelier hits. A block may hold again what one before it held.

        `text` is what the query looks for, as it was typed, `links` the weight of what links call a section. How deep a
        block reaches depends on nothing but the query: so results can be walked through, page by page. Who wants the
        `newest` gets the deepest block at once, to choose from. Where there are filters alone, pages come from the
        seeds outwards, or the newest first.
        """
        if self._pool.is_empty or not (self.wanted.any or self._pool.is_narrowed):
            return
        if not self.wanted.any:
            order = "changed_at DESC, pages.id" if newest else "pages.id"
            yield from self._in_turn(_OPENINGS.format(condition=self._pool.condition, order=order), {})
            return
        for depth in _DEPTHS[-1:] if newest else _DEPTHS:
            yield self._described(scores := self._found(depth, text, links))
            if len(scores) < depth:
                break
        # The rest has common words only.
        yield from self._in_turn(*self._first(self.wanted.any))

    def first(self, match: str, rows: int) -> list[Candidate]:
        """The first candidates that match, unranked: those nearest to the seeds."""
        return self._described(self._first_rows(match, rows))

    def is_held(self, expression: str) -> bool:
        """Whether any section of the index matches, or is called so by links."""
        return any(self._count(expression, 1, table) for table in ("sections_fts", "called_fts"))

    def total(self) -> tuple[int, bool]:
        """How many pages match, alike ones as one, and whether that is an estimate, from those nearest to the seeds."""
        if not self.wanted.any:
            rows = self._connection.execute(_ALL.format(condition=self._pool.condition), self._pool.values)
            return self._groups(page for (page,) in rows), False
        match, called = self._pool.match(self.wanted.any), self._pool.match(self.wanted.any, "called_fts")
        is_estimate = self._last("sections_fts", match, _COUNTED) != _NO_LAST
        last = self._last("sections_fts", match, _SAMPLE) if is_estimate else _NO_LAST
        values = self._pool.values | {"match": match, "called": called, "last": last}
        filters = {"filter": self._pool.filter("sections_fts"), "called_filter": self._pool.filter("called_fts")}
        rows = self._connection.execute(_PAGES.format(**filters), values)
        groups = self._groups(page for (page,) in rows)
        if not is_estimate:
            return groups, False
        (end,) = self._connection.execute("SELECT max(id) FROM sections").fetchone()
        return round(groups * end / last), True

    def _groups(self, pages: Iterable[int]) -> int:
        """How many pages there are among these without what is excluded, alike ones as one."""
        rest = json.dumps(list(self._pool.without_excluded(pages)))
        return int(self._connection.execute(_GROUPS, (rest,)).fetchone()[0])

    def _found(self, depth: int, text: str, links: float) -> dict[int, float]:
        """The scores of sections, at most so many of each kind of candidates."""
        budget = max(_ROWS, depth * _ROWS_A_CANDIDATE)
        counts = {one: self._count(one, _COMMON) for one in self.wanted.some[:_MOST_COUNTED]}
        held = sorted(filter(counts.get, counts), key=lambda one: counts[one])
        telling = [one for one in held if counts[one] < _COMMON][:_MOST_EXPRESSIONS]
        # To find words side by side takes a look at all rows of the rarest, and costs bm25 as much again.
        if self.wanted.whole and len(telling) == len(held) > 0 and counts[held[0]] <= budget:
            counts[self.wanted.whole] = self._count(self.wanted.whole, budget)
            telling = [self.wanted.whole] * bool(counts[self.wanted.whole]) + telling
        scores: dict[int, float] = {}
        for section, score in self._own(telling, counts, depth, budget) if telling else self._common(held, depth):
            scores[section] = max(score, scores.get(section, 0.0))
        match = any_of(telling) if telling or not held else self.wanted.every
        for section, score in self._ranked("called_fts", match or self.wanted.any, depth, budget) if links else ():
            scores[section] = scores.get(section, 0.0) + links * score
        values = self._pool.values | {"text": text, "most": _TITLED_PAGES}
        best = _TITLE * max(scores.values(), default=1.0)  # a long page of exactly that name would sink by bm25 alone
        for (section,) in self._connection.execute(_TITLED.format(condition=self._pool.condition), values).fetchall():
            scores[section] = scores.get(section, 0.0) + best
        return scores

    def _own(self, telling: Sequence[str], counts: Mapping[str, int], depth: int, budget: int) -> Iterator[Row]:
        """What matches by the words of the sections themselves."""
        sums = accumulate(counts[one] for one in telling)
        rare = [one for one, rows in zip(telling, sums, strict=True) if rows <= budget]
        match = any_of(telling)
        if len(rare) == len(telling):
            yield from self._ranked("sections_fts", match, depth, budget)
        elif any(counts[one] for one in rare):
            yield from self._ranked("sections_fts", f"{any_of(rare)} AND {match}", depth, budget)
        else:
            yield from self._ranked("sections_fts", match, depth, budget)
            yield from self._ranked("sections_fts", f"{NAME_COLUMNS} : {match}", depth, budget)

    def _common(self, held: Sequence[str], depth: int) -> Iterator[Row]:
        """Where all words are common, names decide, among the rows nearest to the seeds.

        bm25 counts all rows of every word, whatever the budget, and has next to nothing to say of such words.
        """
        every = self.wanted.every
        for match in (f"{NAME_COLUMNS} : {every}", every, *held[:1]) if held else ():
            yield from self._first_rows(match, depth).items()

    def _ranked(self, table: str, match: str, depth: int, budget: int) -> list[Row]:
        match = self._pool.match(match, table)
        filtered = self._pool.filter(table)
        # Where rows are filtered, those only are ranked that are let through; else full text sorts best by itself.
        statement = _RANKED.format(table=table, filter=filtered, sign="+" if filtered else "")
        values = {"match": match, "limit": depth, "last": self._last(table, match, budget)}
        return self._connection.execute(statement, self._pool.values | values).fetchall()

    def _last(self, table: str, match: str, rows: int) -> int:
        """The row up to which there are so many matches."""
        values = self._pool.values | {"match": match, "rows": rows}
        statement = _LAST.format(table=table, filter=self._pool.filter(table))
        row = self._connection.execute(statement, values).fetchone()
        return int(row[0]) if row else _NO_LAST

    def _first(self, match: str) -> tuple[str, dict[str, str]]:
        """The statement for the rows that match, in their order, and its parameters."""
        return _FIRST.format(filter=self._pool.filter("sections_fts")), {"match": self._pool.match(match)}

    def _first_rows(self, match: str, rows: int) -> dict[int, float]:
        statement, values = self._first(match)
        return dict(self._connection.execute(statement, self._pool.values | values | {"rows": rows, "from": 0}))

    def _in_turn(self, statement: str, values: Mapping[str, str]) -> Iterator[list[Candidate]]:
        """The rows of a statement in their order, block after block."""
        start = 0
        for rows in chain(_DEPTHS, repeat(_DEPTHS[-1])):
            found = dict(
                self._connection.execute(statement, {**self._pool.values, **values, "rows": rows, "from": start})
            )
            yield self._described(found)
            if len(found) < rows:
                return
            start += rows

    def _count(self, match: str, most: int, table: str = "sections_fts") -> int:
        """How many rows match, in the whole index; counted up to `most`."""
        values = {"match": match, "rows": most}
        return int(self._connection.execute(_COUNT.format(table=table), values).fetchone()[0])

    def _described(self, scores: Mapping[int, float]) -> list[Candidate]:
        """The candidates in the order of their scores, best first; without pages that hold what is excluded."""
        rows = self._connection.execute(_DESCRIBED, {"sections": json.dumps(list(scores))}).fetchall()
        pages = self._pool.without_excluded(row[1] for row in rows)
        found = []
        for section, page, url, group, site, changed_at, lang, order, anchor, *names, size in rows:
            if page in pages:
                title, heading, ids, terms, links = (name or "" for name in names)
                called = Names(title, heading, ids, terms, links, order == 0, name_in(url), size)
                found.append(
                    Candidate(section, scores[section], page, url, group, site, changed_at, lang, anchor, called)
                )
        return sorted(found, key=lambda one: (-one.score, one.section))

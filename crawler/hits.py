"""A query and an index file become ranked hits. Read-only, and at ease beside a running crawl.

Sections are what is ranked, pages are what is shown: a page's hit opens at its best section.
"""

import json
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, Final, NamedTuple, Self, get_args

from crawler.candidates import Candidate, Finder, languages, main_language
from crawler.errors import UsageError
from crawler.filters import where
from crawler.languages import plain, uniform
from crawler.matches import MANY_ENDS, Sought, Wanted, quoted, wanted
from crawler.paging import Seen, Shown, Sort, paged
from crawler.pool import Pool
from crawler.query import VALUES, Filter, Query, mended, parse_filter, parse_query, telling, without_filters
from crawler.ranking import Asked, Ranking
from crawler.results import Hit, Results
from crawler.snippets import LONGEST, Highlighter
from crawler.store.schema import connect_reader, failure
from crawler.typeahead import Completion, complete
from crawler.urls import normalize
from crawler.vocabulary import completions, suggest, weights

_MOST: Final = 10_000  # hits on a page, and pages of hits
_RERANKED: Final = 50  # of the best, by what they are called and how exactly they match
_MENDED: Final = 5  # unknown words, for which a word of the index is looked for
_PART: Final = re.compile(r"[^\W_]+")
_SAME: Final = 160  # characters that two sections begin with that say the same
_NEARLY_SAME: Final = 0.7  # of the score of the best of them; what is less has another name
_A_LITTLE: Final = 0.001
_MORE_SECTIONS: Final = 3

_FILTERS: Final = {"site": ("site", "host"), "lang": ("lang", "language"), "since": ("after", "date")}

_RANKING: Final = Ranking()

# The heading shown is the section's own, or that of the nearest section before it.
_SHOWN: Final = f"""
SELECT sections.id, sections."order", pages.url, pages.title, pages.site, pages.lang, pages.fetched_at, pages.fields,
    (SELECT count(*) FROM pages AS alike WHERE alike.similar_to = pages.similar_to AND alike.id <> pages.id)
        + (SELECT count(*) FROM urls WHERE same_as = pages.id),
    (SELECT heading FROM sections AS above WHERE above.page = sections.page AND above."order" <= sections."order"
        AND heading <> '' ORDER BY "order" DESC LIMIT 1),
    substr(sections.text, 1, {LONGEST}), pages.description,
    (SELECT substr(text, 1, {LONGEST}) FROM sections AS behind WHERE behind.page = sections.page
        AND behind."order" BETWEEN sections."order" + 1 AND sections."order" + 3 AND length(text) > 80 LIMIT 1)
FROM json_each(:sections) CROSS JOIN sections ON sections.id = json_each.value
CROSS JOIN pages ON pages.id = sections.page
"""
_TEXTS: Final = f"""
SELECT id, substr(text, 1, {LONGEST}) FROM sections WHERE id IN (SELECT value FROM json_each(?))
"""


class Index:
    """An index file, open to be searched as often as one likes, by one thread at a time.

        with Index("docs.db") as index:
            for hit in index.search("bounded queue").results: ...

    Raises IndexFileError when there is no index to read, and later when what is read turns out to be damaged.
    """

    def __init__(self, db: str | Path = "crawl.db") -> None:
        self._path = Path(db)
        self._connection = connect_reader(self._path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._connection.close()

    def search(
        self,
        query: str,
        *,
        limit: int = 10,
        page: int = 1,
        site: str | None = None,
        lang: str | None = None,
        since: str | None = None,
        sort: Sort = "rank",
        ranking: Ranking = _RANKING,
    ) -> Results:
        """The pages that match, the best first, `limit` of them a `page` of results.

        Any query is taken (`crawler.query` has its language); what holds no word finds nothing. `site`, `lang` and
        `since` are its filters `site:`, `lang:` and `after:`. What is required and not held by any page, or not by any
        page together, is no longer required, and `relaxed` says so. Raises UsageError for a limit or a page that is not
        from 1 to 10,000 and for a filter without meaning.
        """
        started = time.perf_counter()
        parsed = telling(parse_query(uniform(query)))
        filters = (*parsed.filters, *_filters(limit=limit, page=page, site=site, lang=lang, since=since, sort=sort))
        with self._snapshot() as connection:
            spoken = [one.value for one in filters if one.name == "lang" and not one.excluded] or languages(connection)
            sought = wanted(parsed, spoken, lambda prefix: completions(connection, prefix, MANY_ENDS))
            found = _find(connection, sought, filters, parsed, ranking.links, sort)
            main = main_language(connection)
            pages = paged((_ranked(connection, some, parsed, ranking, main) for some in found.blocks), limit, sort)
            shown = next(islice(pages, page - 1, None), Shown((), 0, ""))
            hits = tuple(_hits(connection, shown.pages, Highlighter(parsed), shown.rank))
            more = next(pages, None) is not None
            total, is_estimate = found.finder.total() if more or page > 1 else (len(hits), False)
            if hits:
                total, is_estimate = (max(total, hits[-1].rank), is_estimate) if more else (hits[-1].rank, False)
            unfiltered = 0 if hits or not filters or not sought.any else _total(connection, sought)
            unknown, suggestion = _unknown(connection, found.finder, sought, query)
        return Results(
            query=query,
            total=total,
            took_ms=round((time.perf_counter() - started) * 1000, 2),
            results=hits,
            match=sought.any,
            is_estimate=is_estimate,
            page=page,
            unknown=unknown,
            suggestion=suggestion,
            relaxed=found.relaxed,
            more=more,
            crowded=shown.crowded,
            unfiltered=unfiltered,
        )

    def complete(self, text: str, *, limit: int = 8) -> Completion:
        """What a query that is being typed may become, at most `limit` queries and places; for every key."""
        with self._snapshot() as connection:
            return complete(connection, uniform(text), limit)

    @contextmanager
    def _snapshot(self) -> Iterator[sqlite3.Connection]:
        """One state of the file for all statements, whatever a crawl commits meanwhile; SQLite's errors as ours."""
        try:
            self._connection.execute("BEGIN")
            try:
                yield self._connection
            finally:
                self._connection.execute("ROLLBACK")
        except (sqlite3.Error, UnicodeDecodeError) as error:
            raise failure(self._path, error, "searched") from error


def search(query: str, *, db: str | Path = "crawl.db", **options: Any) -> Results:
    """What `Index(db).search(query, …)` finds: for one search of a file."""
    tuple(_filters(**options))  # what is asked wrongly is wrong with or without an index
    with Index(db) as index:
        return index.search(query, **options)


def _filters(**asked: Any) -> Iterator[Filter]:
    """The filters among the options of a search. Raises UsageError for an option without meaning."""
    for name, value in asked.items():
        if name in ("limit", "page") and not (isinstance(value, int) and 1 <= value <= _MOST):
            raise UsageError(f"{name} is {value!r}", f"give a number from 1 to {_MOST}")
        if name == "sort" and value not in get_args(Sort):
            raise UsageError(f"sort is {value!r}", f"give one of {', '.join(get_args(Sort))}")
        if name in _FILTERS and value is not None:
            filter_name, what = _FILTERS[name]
            parsed = parse_filter(filter_name, value)
            if parsed is None:
                raise UsageError(f"--{name} {value!r} is no {what}", f"give {VALUES[filter_name]}")
            yield parsed


class _Found(NamedTuple):
    blocks: Iterator[list[Candidate]]
    finder: Finder
    relaxed: tuple[str, ...]


def _find(
    connection: sqlite3.Connection, sought: Wanted, filters: Sequence[Filter], query: Query, links: float, sort: Sort
) -> _Found:
    """The candidates; of what is required only what can be had, if need be."""
    condition, values = where(filters)
    text = without_filters(query.text).encode("utf-8", "replace").decode()
    if "://" in text:
        text = normalize(text.partition("#")[0]) or text

    def attempt(relaxed: Sequence[Sought]) -> tuple[bool, _Found]:
        some = sought.relaxed(relaxed)
        for exact in (False, True):
            pool = Pool(connection, some, condition, values, exact=exact)
            finder = Finder(connection, some, pool)
            blocks = finder.blocks(text, links, newest=sort == "newest")
            if (first := next((block for block in blocks if block), [])) or not pool.every:
                break  # else the words may stand in different sections of a page that filters leave
        return bool(first), _Found(chain([first], blocks), finder, tuple(one.text for one in relaxed))

    has_hits, found = attempt(())
    if has_hits or not sought.required:
        return found
    missing = [one for one in sought.required if not found.finder.is_held(one.expression)]
    for relaxed in (missing, sought.required):
        has_hits, some = attempt(relaxed) if relaxed else (False, found)
        if has_hits:
            return some
    return found  # it is the filters that leave nothing


def _total(connection: sqlite3.Connection, sought: Wanted) -> int:
    """How many pages would match without filters."""
    return Finder(connection, sought, Pool(connection, sought)).total()[0]


def _ranked(
    connection: sqlite3.Connection, candidates: Sequence[Candidate], query: Query, ranking: Ranking, main: str
) -> list[Seen]:
    """The candidates with their final scores, the best first. `main` is the language of most pages."""
    if not candidates:
        return []
    top = max(one.score for one in candidates) or 1.0
    near = candidates[:_RERANKED]
    asked = Asked([term.text for group in query.groups for term in group], ranking)
    names = {one.section: asked.names(one.names) for one in near}
    weight = weights(connection, asked.tokens.union(*(name.tokens for some in names.values() for name in some)))
    texts = dict(connection.execute(_TEXTS, (json.dumps(list(names)),)).fetchall())
    scores = {one.section: one.score / top for one in candidates}
    signs = {one.section: f"text {scores[one.section]:.2f}" for one in candidates}
    for one in near:
        words = plain(" ".join((*one.names[:5], texts[one.section] or "")))
        parts = {
            "names": asked.bonus(names[one.section], weight),
            "exact": asked.exactness(words, weight),
            "focus": -asked.focus(one.names),
            "language": ranking.language if one.lang == main else 0.0,
        }
        scores[one.section] += sum(parts.values())
        signs[one.section] += "".join(f" · {name} {part:.2f}" for name, part in parts.items() if abs(part) >= 0.005)
    _settle(near, texts, scores)
    seen = [Seen(scores[one.section], one, signs[one.section]) for one in candidates]
    return sorted(seen, key=lambda one: (-one.score, one.candidate.section))


def _settle(near: Sequence[Candidate], texts: Mapping[int, str], scores: dict[int, float]) -> None:
    """Of sections that say the same, the one on the page with the fewest others comes first: that page is about it."""
    alike: dict[str, list[Candidate]] = {}
    for one in near:
        if len(beginning := texts[one.section][:_SAME]) == _SAME:
            alike.setdefault(beginning, []).append(one)
    for same in alike.values():
        best = max(same, key=lambda one: scores[one.section])
        about = min(same, key=lambda one: (one.names.sections, -scores[one.section]))
        if about.names.sections < best.names.sections and scores[about.section] >= _NEARLY_SAME * scores[best.section]:
            scores[about.section] = scores[best.section] + _A_LITTLE


def _hits(
    connection: sqlite3.Connection, pages: Sequence[Sequence[Seen]], highlighter: Highlighter, first: int
) -> Iterator[Hit]:
    order = json.dumps([sections[0].candidate.section for sections in pages])
    rows = {row[0]: row[1:] for row in connection.execute(_SHOWN, {"sections": order})}
    for rank, (best, *others) in enumerate(pages, first):
        section, url, title, site, lang, fetched_at, fields, similar, heading, text, about, behind = rows[
            best.candidate.section
        ]
        anchor = best.candidate.anchor
        also = dict.fromkeys(one.candidate.anchor for one in others if one.candidate.anchor not in ("", anchor))
        yield Hit(
            rank=rank,
            url=url,
            href=best.candidate.href,
            title=title,
            heading=plain(heading or ""),
            snippet=highlighter.snippet(text or "", lang or "", about or "", behind or ""),
            score=round(best.score, 4),
            site=site,
            lang=lang or "",
            fetched_at=fetched_at,
            fields=json.loads(fields) if fields else None,
            also=tuple(also)[:_MORE_SECTIONS],
            similar=similar,
            signs=best.signs,
            section=section,
        )


def _unknown(connection: sqlite3.Connection, finder: Finder, sought: Wanted, text: str) -> tuple[tuple[str, ...], str]:
    """The words that no page holds, and the query with words of the index in their place, if there are such."""
    words = [one for one in (*sought.required, *sought.words) if one.is_word]
    unknown, slips = list[str](), list[str]()
    for one in words:
        if "://" in one.text or finder.is_held(one.expression):
            continue
        parts = _PART.findall(one.text)
        wrong = [part for part in parts if not finder.is_held(quoted(part))] if len(parts) > 1 else [one.text]
        if wrong:  # of code whose parts are known there is nothing to tell: they find pages
            unknown.append(one.text)
            slips += wrong
    better = {word: found for word in slips[:_MENDED] if (found := suggest(connection, word))}
    if not better:
        return tuple(unknown), ""
    return tuple(unknown), mended(text, better)

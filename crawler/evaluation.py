"""How well an index answers: searches whose right answers are known, and what they came to. Read-only."""

import random
import sqlite3
import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import ceil, log2
from operator import mul
from pathlib import Path
from statistics import fmean, median
from typing import Any, Final
from urllib.parse import unquote

from crawler.errors import UsageError
from crawler.hits import Index
from crawler.judgements import Item
from crawler.ranking import Ranking
from crawler.store.schema import connect_reader, failure

DEPTH: Final = 10  # hits of a search that count
_ROUNDS: Final = 10_000  # of the randomisation test: its least p is a ten-thousandth

_PAGE = "SELECT pages.url FROM urls JOIN pages ON pages.id = coalesce(urls.same_as, urls.id) WHERE urls.url = ?"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one query."""

    query: str
    rank: int | None
    """Of the first hit that answers; None when none of the first ten does."""
    ndcg: float
    at_anchor: bool | None
    """Whether that hit opened where it should; None when nothing was said of where, or there is no such hit."""
    expected: tuple[str, ...]
    """The pages that answer, the best first."""
    first: str
    """What came first: the address that it opens; empty when nothing was found."""
    indexed: bool
    """Whether any page that answers is in the index."""
    ms: float

    @property
    def reciprocal_rank(self) -> float:
        return 1 / self.rank if self.rank else 0.0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """How well an index answered. Measures are means over the queries, from 0 to 1, of the first ten hits of each."""

    items: int
    """Queries that were asked; what is not in the index counts as a miss."""
    pages: int
    """Pages that answer any of them."""
    success_at_1: float
    """How often the first hit answers."""
    success_at_10: float
    mrr_at_10: float
    """1 / rank of the first hit that answers, 0 without one."""
    ndcg_at_10: float
    """Normalised discounted cumulative gain, with the grade as gain and 1 / log2(1 + rank) as discount."""
    mrr_by_page: float
    """The mean over the pages of the mean of their queries: a page with many queries weighs no more than another."""
    anchored: int
    """Hits that answer and of which it is said where they should open."""
    at_anchor: float | None
    """How often those open there; None when there is none."""
    median_ms: float
    """Of a search in the open index."""
    p95_ms: float
    missing_pages: int
    """Expected pages that are not in the index, nor stand there as the duplicate of another."""
    missing_items: int
    """Queries of which no expected page is in the index."""
    outcomes: tuple[Outcome, ...]

    @property
    def misses(self) -> tuple[Outcome, ...]:
        """The queries that another page came first for, or none."""
        return tuple(outcome for outcome in self.outcomes if outcome.rank != 1)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; a contract. Of the outcomes it holds the misses."""
        measures = asdict(self)
        del measures["outcomes"]
        misses = [
            {name: getattr(miss, name) for name in ("query", "rank", "expected", "first", "indexed")}
            for miss in self.misses
        ]
        return {name: _rounded(value) for name, value in measures.items()} | {"misses": misses}


@dataclass(frozen=True, slots=True)
class Comparison:
    """The same queries answered twice, by two indexes or by two rankings."""

    one: Evaluation
    other: Evaluation
    significance: Mapping[str, float]
    """Of each measure that every query has: how likely so large a difference is if both are equally good."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; a contract."""
        return {
            "one": self.one.as_dict(),
            "other": self.other.as_dict(),
            "difference": {name: _rounded(self.difference(name)) for name in MEASURES},
            "significance": {name: _rounded(value) for name, value in self.significance.items()},
        }

    def difference(self, measure: str) -> float | None:
        """By how much `one` is above `other`; None where one of them has no such figure."""
        one, other = getattr(self.one, measure), getattr(self.other, measure)
        return None if one is None or other is None else one - other


MEASURES: Final = (
    "success_at_1", "success_at_10", "mrr_at_10", "ndcg_at_10", "mrr_by_page", "at_anchor", "median_ms", "p95_ms",
)  # fmt: skip


def evaluate(items: Iterable[Item], *, db: str | Path = "crawl.db", ranking: Ranking | None = None) -> Evaluation:
    """Searches the index for each query, and measures how well the hits answer.

    A page answers when it is one of those expected, or stands for one that has the very same body; that it is like one
    is not enough. `ranking` is that of `search`. Raises IndexFileError when there is no index to read, UsageError
    without items.
    """
    asked = tuple(items)
    if not asked:
        raise UsageError("there is nothing to evaluate", "give at least one query and a page that answers it")
    pages = _indexed(asked, db)
    with Index(db) as index:
        outcomes = tuple(_outcome(item, pages, index, ranking or Ranking()) for item in asked)
    by_page: dict[str, list[float]] = defaultdict(list)
    for outcome in outcomes:
        for url in outcome.expected:
            by_page[url].append(outcome.reciprocal_rank)
    took = sorted(outcome.ms for outcome in outcomes)
    anchored = [outcome.at_anchor for outcome in outcomes if outcome.at_anchor is not None]
    return Evaluation(
        items=len(outcomes),
        pages=len(by_page),
        success_at_1=fmean(outcome.rank == 1 for outcome in outcomes),
        success_at_10=fmean(outcome.rank is not None for outcome in outcomes),
        mrr_at_10=fmean(outcome.reciprocal_rank for outcome in outcomes),
        ndcg_at_10=fmean(outcome.ndcg for outcome in outcomes),
        mrr_by_page=fmean(map(fmean, by_page.values())),
        anchored=len(anchored),
        at_anchor=fmean(anchored) if anchored else None,
        median_ms=median(took),
        p95_ms=took[ceil(0.95 * len(took)) - 1],
        missing_pages=sum(page is None for page in pages.values()),
        missing_items=sum(not outcome.indexed for outcome in outcomes),
        outcomes=outcomes,
    )


def compare(one: Evaluation, other: Evaluation) -> Comparison:
    """Two evaluations of the same items, side by side."""
    measured = [
        {
            "success_at_1": [float(outcome.rank == 1) for outcome in side.outcomes],
            "success_at_10": [float(outcome.rank is not None) for outcome in side.outcomes],
            "mrr_at_10": [outcome.reciprocal_rank for outcome in side.outcomes],
            "ndcg_at_10": [outcome.ndcg for outcome in side.outcomes],
        }
        for side in (one, other)
    ]
    return Comparison(one, other, {name: significance(measured[0][name], measured[1][name]) for name in measured[0]})


def significance(one: Sequence[float], other: Sequence[float]) -> float:
    """Fisher's randomisation test of paired figures, two-sided: p, from 1 / 10,001 to 1.

    If both were equally good, each difference could as well have the other sign: p is the share of 10,000 random signs
    that come to a sum as far from 0 as the one that was seen (Smucker, Allan, Carterette: A comparison of statistical
    significance tests for information retrieval evaluation, CIKM 2007). The same figures give the same p.
    """
    differences = [a - b for a, b in zip(one, other, strict=True) if a != b]
    seen = abs(sum(differences)) - 1e-9  # sums of the same numbers in another order differ by less
    chance = random.Random(1)  # noqa: S311 - no secret, and the same at every run
    signs = (chance.choices((-1, 1), k=len(differences)) for _ in range(_ROUNDS))
    as_far = [abs(sum(map(mul, differences, some))) >= seen for some in signs]
    return (1 + as_far.count(True)) / (1 + _ROUNDS)


def _indexed(items: Sequence[Item], db: str | Path) -> dict[str, str | None]:
    """Of each expected URL the page that shows it, None where the index has none."""
    connection = connect_reader(Path(db))
    try:
        urls = {target.url for item in items for target in item.targets}
        return {url: next((page for (page,) in connection.execute(_PAGE, (url,))), None) for url in urls}
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise failure(db, error, "read") from error
    finally:
        connection.close()


def _outcome(item: Item, pages: Mapping[str, str | None], index: Index, ranking: Ranking) -> Outcome:
    started = time.perf_counter()
    hits = index.search(item.query, limit=DEPTH, ranking=ranking).results
    ms = 1000 * (time.perf_counter() - started)
    grades: dict[str, float] = {}
    anchors: dict[str, set[str]] = defaultdict(set)
    for target in item.targets:
        page = pages[target.url] or target.url
        grades[page] = max(grades.get(page, 0.0), target.grade)
        anchors[page] |= {target.anchor} - {""}
    right = next((hit for hit in hits if hit.url in grades), None)
    opened_at = unquote(right.href.partition("#")[2]) if right else ""
    best = sorted(grades, key=lambda page: -grades[page])
    return Outcome(
        query=item.query,
        rank=right.rank if right else None,
        ndcg=_gain(grades.get(hit.url, 0.0) for hit in hits) / _gain(grades[page] for page in best[:DEPTH]),
        at_anchor=opened_at in anchors[right.url] if right and anchors[right.url] else None,
        expected=tuple(best),
        first=hits[0].href if hits else "",
        indexed=any(pages[target.url] for target in item.targets),
        ms=ms,
    )


def _gain(grades: Iterable[float]) -> float:
    """Discounted cumulative gain of grades in the order of the hits.

    Järvelin, Kekäläinen: Cumulated gain-based evaluation of IR techniques, ACM TOIS 20 (2002); with the discount as
    trec_eval has it, so that the second hit counts less than the first.
    """
    return sum(grade / log2(1 + rank) for rank, grade in enumerate(grades, 1))


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value

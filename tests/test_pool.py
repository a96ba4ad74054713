"""Requirements, exclusions and filters, however many rows they leave: the same hits as by looking at every page."""

from collections.abc import Iterator

import pytest

from crawler import Index
from crawler.page import Page, Section
from crawler.store import Outcome
from crawler.store.sqlite import SqliteStore

WORDS = ("gnu", "zebra", "lion")
PAGES = 60


def held(number: int) -> list[set[str]]:
    """The words of each section of a page: three sections, in which each word stands by a pattern of its own."""
    return [{word for place, word in enumerate(WORDS, 2) if (number + part) % (place + 1) == 0} for part in range(3)]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Index]:
    db = tmp_path_factory.mktemp("pool") / "crawl.db"
    store = SqliteStore(db)
    urls = [f"http://h.test/{'even' if number % 2 == 0 else 'odd'}/{number}" for number in range(PAGES)]
    store.begin({"seeds": urls, "depth": 1, "scope": "any", "include": [], "exclude": []}, urls)
    outcomes = []
    for queued in store.queued([], [], 10_000, 10_000):
        number = int(queued.url.rpartition("/")[2])
        sections = tuple(
            Section(2, f"s{part}", "", " ".join([f"word{number}x{part}", *sorted(words)]))
            for part, words in enumerate(held(number))
        )
        page = Page(queued.url, f"Page {number}", sections, lang="en")
        outcomes.append(
            Outcome(id=queued.id, url=queued.url, state="done", page=page, fetched_at="2026-01-01T00:00:00Z")
        )
    store.commit(outcomes)
    store.close()
    with Index(db) as opened:
        yield opened


def numbers(index: Index, query: str) -> set[int]:
    """The pages that a query finds, walked through, and none of them twice."""
    found: list[int] = []
    page, more = 1, True
    while more:
        results = index.search(query, page=page, limit=7)
        found += [int(hit.url.rpartition("/")[2]) for hit in results.results]
        page, more = page + 1, results.more
        assert results.total == len(found) or more or results.is_estimate
    assert len(found) == len(set(found))
    return set(found)


@pytest.mark.parametrize(
    "limits",
    [{}, {"_FEW_ROWS": 2, "_MANY_ROWS": 10_000}, {"_FEW_PAGES": 3}, {"_COMMON": 2}, {"_COMMON": 2, "_FEW_PAGES": 3}],
    ids=str,
)
def test_pages_are_those_that_hold_what_they_must(
    index: Index, limits: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whether words are rare or common, and whatever is listed or looked up row by row."""
    for name, limit in limits.items():
        monkeypatch.setattr(f"crawler.pool.{name}", limit)
    monkeypatch.setattr("crawler.candidates._DEPTHS", (5, 20, 80))
    pages = {number: set().union(*held(number)) for number in range(PAGES)}
    assert numbers(index, "+gnu +lion") == {number for number, words in pages.items() if {"gnu", "lion"} <= words}
    assert numbers(index, "+gnu +zebra +lion") == {number for number, words in pages.items() if len(words) == 3}
    assert numbers(index, "zebra -lion") == {
        number for number, words in pages.items() if words in ({"zebra"}, {"zebra", "gnu"})
    }
    assert numbers(index, "zebra path:/even/") == {n for n, words in pages.items() if "zebra" in words and n % 2 == 0}
    assert numbers(index, "+gnu +lion -path:/even/") == {
        number for number, words in pages.items() if {"gnu", "lion"} <= words and number % 2
    }
    assert numbers(index, "path:/odd/") == set(range(1, PAGES, 2))
    assert numbers(index, "zebra path:/nowhere/") == set()


def test_where_very_many_sections_hold_all_of_it(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then those are the hits: pages that hold the words in different sections are not looked for."""
    monkeypatch.setattr("crawler.pool._FEW_ROWS", 2)
    monkeypatch.setattr("crawler.pool._MANY_ROWS", 2)
    together = {number for number in range(PAGES) if any({"gnu", "lion"} <= words for words in held(number))}
    assert numbers(index, "+gnu +lion") == together
    pages = {number: set().union(*held(number)) for number in range(PAGES)}
    assert numbers(index, "+gnu +lion path:/even/") == {
        number for number, words in pages.items() if {"gnu", "lion"} <= words and number % 2 == 0
    }
    monkeypatch.setattr("crawler.pool._FEW_PAGES", 2)
    assert numbers(index, "+gnu +lion path:/even/") == {number for number in together if number % 2 == 0}
    # One page holds both, in two sections, and filters leave no other: it is found for all that.
    apart = next(number for number, words in pages.items() if {"gnu", "lion"} <= words and number not in together)
    for limit in (2, 0):  # listed, and looked up row by row
        monkeypatch.setattr("crawler.pool._FEW_PAGES", limit)
        results = index.search(f"+gnu +lion path:*/{apart}")
        assert ([hit.title for hit in results.results], results.relaxed) == ([f"Page {apart}"], ())

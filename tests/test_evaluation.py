"""Measures of a search, worked out by hand on a small site; and `crawl eval`."""

import json
from collections.abc import Callable
from math import log2
from pathlib import Path
from typing import Any

import pytest

from crawler import IndexFileError, Item, Report, UsageError, evaluate
from crawler.cli import run as command
from crawler.evaluation import compare, significance
from crawler.judgements import Target
from crawler.ranking import Ranking
from tests.site import Site

Said = tuple[int, str, str]


@pytest.fixture
def index(site: Site, db: Path, run: Callable[..., Report]) -> Path:
    """Pages of which it is plain what comes first: the one whose title is the query, then the one that names it."""
    body = "<p>Long before, all had seen animals; among them was one zebra.</p><h2 id='far%20away'>Llama</h2><p>x</p>"
    paths = ("/zebra", "/other", "/lion", "/twin", "/lioness")
    site.page("/", "".join(f"<a href='{path}'>{number}</a> " for number, path in enumerate(paths)), title="Front")
    site.page("/zebra", "zebra zebra", title="Zebra")
    site.page("/other", body, title="Other")
    site.page("/lion", "<h2 id='mane'>Mane</h2><p>mane and mane</p>", title="Lion")
    for path in ("/twin", "/lioness"):
        site.page(path, "a lioness", title="Lioness", links=[])
    run()
    return db


@pytest.fixture
def item(site: Site) -> Callable[..., Item]:
    """A query and the paths that answer it, with grades or without."""

    def made(query: str, *paths: str, **grades: float) -> Item:
        targets = [(path, 1.0) for path in paths] + [(f"/{name}", grade) for name, grade in grades.items()]
        parts = ((*path.partition("#")[::2], grade) for path, grade in targets)
        return Item(query, tuple(Target(site.url(path), anchor, grade) for path, anchor, grade in parts))

    return made


def test_measures(index: Path, item: Callable[..., Item]) -> None:
    """A right page first, one second, and none: each measure as it is worked out by hand."""
    found = evaluate([item("lion", "/lion"), item("zebra", "/other"), item("unicorn", "/zebra")], db=index)
    assert [outcome.rank for outcome in found.outcomes] == [1, 2, None]
    assert (found.items, found.pages) == (3, 3)
    assert (found.success_at_1, found.success_at_10) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert found.mrr_at_10 == pytest.approx((1 + 1 / 2) / 3)
    assert found.ndcg_at_10 == pytest.approx((1 + 1 / log2(3)) / 3)
    assert 0 < found.median_ms <= found.p95_ms
    assert found.p95_ms == max(outcome.ms for outcome in found.outcomes)


def test_pages_weigh_the_same(index: Path, item: Callable[..., Item]) -> None:
    """Three queries for one page and one for another: a mean of two, and a query counts for each of its pages."""
    items = [item("lion", "/lion"), item("mane", "/lion"), item("lion mane", "/lion"), item("zebra", "/other")]
    assert evaluate(items, db=index).mrr_by_page == pytest.approx((1 + 1 / 2) / 2)
    both = evaluate([item("zebra", "/zebra", "/other"), item("unicorn", "/other")], db=index)
    assert both.mrr_by_page == pytest.approx((1 + (1 + 0) / 2) / 2)


def test_grades(index: Path, item: Callable[..., Item]) -> None:
    """The gain of a hit is its grade, and the best order has 1."""
    assert evaluate([item("zebra", zebra=3, other=1)], db=index).ndcg_at_10 == pytest.approx(1)
    turned = evaluate([item("zebra", zebra=1, other=3)], db=index)
    assert turned.ndcg_at_10 == pytest.approx((1 + 3 / log2(3)) / (3 + 1 / log2(3)))
    assert turned.success_at_1 == 1
    assert turned.outcomes[0].expected[0].endswith("/other")


def test_where_hits_open(index: Path, item: Callable[..., Item]) -> None:
    """Of right hits that should open at an anchor; encoded or not, it is the same one."""
    items = [
        item("mane", "/lion#mane"),
        item("lion", "/lion#tail"),
        item("lion", "/lion"),
        item("unicorn", "/lion#mane"),
    ]
    found = evaluate(items, db=index)
    assert [outcome.at_anchor for outcome in found.outcomes] == [True, False, None, None]
    assert (found.anchored, found.at_anchor) == (2, 0.5)
    assert evaluate([item("llama", "/other#far away")], db=index).at_anchor == 1
    assert evaluate([item("lion", "/lion")], db=index).at_anchor is None


def test_a_duplicate_counts_as_the_page_that_stands_for_it(index: Path, item: Callable[..., Item]) -> None:
    """Whichever of the two URLs is expected, or both, it is one page."""
    for paths in (["/twin"], ["/lioness"], ["/twin", "/lioness"]):
        found = evaluate([item("lioness", *paths)], db=index)
        assert (found.pages, found.missing_pages, found.success_at_1, found.ndcg_at_10) == (1, 0, 1, 1)


def test_what_is_not_in_the_index(index: Path, item: Callable[..., Item]) -> None:
    """Pages are counted once, a query without any is a miss, and one that has another is asked as ever."""
    found = evaluate([item("lion", "/no"), item("zebra", "/no", "/zebra"), item("mane", "/lion")], db=index)
    assert (found.missing_pages, found.missing_items) == (1, 1)
    assert [outcome.rank for outcome in found.outcomes] == [None, 1, 1]
    assert found.outcomes[1].ndcg == pytest.approx(1 / (1 + 1 / log2(3)))
    assert [(miss.query, miss.indexed) for miss in found.misses] == [("lion", False)]


def test_nothing_to_evaluate(index: Path, tmp_path: Path, item: Callable[..., Item]) -> None:
    """No items, or no index."""
    with pytest.raises(UsageError, match="nothing to evaluate"):
        evaluate([], db=index)
    with pytest.raises(IndexFileError, match="no index yet"):
        evaluate([item("lion", "/lion")], db=tmp_path / "none.db")


def test_the_ranking_is_that_of_the_search(site: Site, tmp_path: Path, run: Callable[..., Report]) -> None:
    """A page that only a link calls by a word is first as long as the ranking lets anything count beside the text."""
    others = "".join(f"<a href='/{number}'>animal {number}</a> " for number in range(20))
    site.page("/", f"<a href='/x'>walrus</a> <a href='/y'>tusks</a> {others}")
    site.page("/x", "large and grey")
    site.page("/y", "of a walrus")
    for number in range(20):
        site.page(f"/{number}", f"text {number}")
    path = tmp_path / "links.db"
    run(db=str(path))
    items = [Item("walrus", (Target(site.url("/x")),))]
    assert evaluate(items, db=path).success_at_1 == 1
    assert evaluate(items, db=path, ranking=Ranking(*[0.0] * len(Ranking._fields))).success_at_1 == 0


def test_significance() -> None:
    """1 for the same figures; a half for a pair that agrees, as of four signs two are as far; small for many."""
    assert significance([1, 0.5], [1, 0.5]) == 1
    assert significance([1, 1], [0, 0]) == pytest.approx(0.5, abs=0.02)
    assert significance([1, 0], [0, 1]) == 1
    assert significance([1] * 20, [0] * 20) == pytest.approx(1 / 10_001, abs=3e-4)
    assert significance([0] * 20, [1] * 20) == significance([1] * 20, [0] * 20)


def test_comparison(index: Path, item: Callable[..., Item]) -> None:
    """The difference is what the first is above the other; nothing where one has no figure."""
    one, other = evaluate([item("lion", "/lion#mane")], db=index), evaluate([item("lion", "/zebra")], db=index)
    made = compare(one, other)
    assert (made.difference("mrr_at_10"), compare(other, one).difference("mrr_at_10")) == (1, -1)
    assert made.difference("at_anchor") is None
    assert made.significance["mrr_at_10"] == 1  # one query proves nothing
    assert set(made.as_dict()) == {"one", "other", "difference", "significance"}


@pytest.fixture
def say(index: Path, site: Site, capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> Callable[..., Said]:
    """Runs `crawl eval` on items, by default one first, one second and one nowhere; exit code, output, messages."""
    monkeypatch.chdir(index.parent)
    three = f"lion\t{site.url('/lion')}\nzebra\t{site.url('/other')}\nunicorn\t{site.url('/no')}\n"

    def called(*args: str, text: str = three) -> Said:
        Path("items.tsv").write_text(text)
        capsys.readouterr()
        code = command(["eval", "items.tsv", *args])
        return code, *capsys.readouterr()

    return called


def test_the_command_prints_a_measure_a_line(say: Callable[..., Said]) -> None:
    """On standard output, with what is missing."""
    code, out, err = say()
    assert (code, err) == (0, "")
    rows = dict(line.split("  ", 1) for line in out.splitlines())
    figures = {name: text.strip() for name, text in rows.items()}
    assert figures["queries"] == "3, for 3 pages"
    assert (figures["success@1"], figures["success@10"], figures["MRR@10"]) == ("0.333", "0.667", "0.500")
    assert figures["at the anchor"] == "-"
    assert figures["missing"] == "1 expected page not in the index; 1 query without any counts as a miss"


def test_misses(say: Callable[..., Said], site: Site) -> None:
    """The queries that something else was first for, with the rank, what it was, and what was right."""
    _, out, _ = say("--misses")
    zebra, unicorn = out.split("\n\n")[1:]
    assert [line.split() for line in zebra.splitlines()] == [
        ["query", "zebra"], ["rank", "2"], ["first", site.url("/zebra")], ["right", site.url("/other")],
    ]  # fmt: skip
    assert ["rank", "not", "indexed"] in [line.split() for line in unicorn.splitlines()]
    assert "query" not in say("--misses", text=f"lion\t{site.url('/lion')}\n")[1].replace("queries", "")
    assert "rank   -" in say("--misses", text=f"unicorn\t{site.url('/lion')}\n")[1]


def test_json(say: Callable[..., Said], site: Site) -> None:
    """The same figures and the misses for programs."""
    code, out, _ = say("--json", "--misses")
    found = json.loads(out)
    assert (code, found["items"], found["mrr_at_10"], found["missing_items"]) == (0, 3, 0.5, 1)
    assert found["misses"][0] == {
        "query": "zebra", "rank": 2, "expected": [site.url("/other")], "first": site.url("/zebra"), "indexed": True,
    }  # fmt: skip


def test_beside_another_index(say: Callable[..., Said], run: Callable[..., Report], site: Site) -> None:
    """Both in columns, with the difference and its significance, and what is missing there."""
    run("/lion", db="small.db")
    code, out, _ = say("--compare", "small.db")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert ["here", "there", "difference", "p"] in lines
    assert ["success@10", "0.667", "0.333", "+0.333", "1.0000"] in lines
    assert any(line[:3] == ["there", "2", "expected"] for line in lines)
    compared = json.loads(say("--compare", "small.db", "--json")[1])
    assert (compared["one"]["success_at_10"], compared["other"]["success_at_10"]) == (0.6667, 0.3333)
    assert compared["difference"]["success_at_10"] == 0.3333


def test_beside_another_ranking(say: Callable[..., Said], monkeypatch: Any) -> None:
    """Settings of either side, by name; without --compare they are of the same index."""
    asked = []

    def remembered(items: Any, *, db: str, ranking: Ranking) -> Any:
        asked.append((db, ranking.links))
        return evaluate(items, db=db)

    monkeypatch.setattr("crawler.evaluation.evaluate", remembered)
    assert say("--set", "links=2", "--compare-set", " links = 0.5")[0] == 0
    assert asked == [("crawl.db", 2.0), ("crawl.db", 0.5)]


def test_nothing_found(say: Callable[..., Said]) -> None:
    """When no right page is found at all, the exit code is 1."""
    code, out, _ = say(text="unicorn\thttp://h.test/\n")
    assert code == 1
    assert "MRR@10          0.000" in out


@pytest.mark.parametrize(
    ("args", "told"),
    [
        (["--set", "links"], "'' is not a number"),
        (["--set", "links=x"], "'x' is not a number"),
        (["--set", "links=nan"], "'nan' is not a number"),
        (["--compare-set", "links=inf"], "--compare-set 'links=inf': 'inf' is not a number"),
        (["--compare-set", "nonsense=1"], "the ranking has no setting 'nonsense'"),
    ],
    ids=str,
)
def test_settings_that_are_none(say: Callable[..., Said], args: list[str], told: str) -> None:
    """One line, a hint with all names, exit 2, and nothing is searched."""
    code, out, err = say(*args)
    assert (code, out) == (2, "")
    assert told in err.splitlines()[0]
    assert err.splitlines()[1] == f"hint: names: {', '.join(Ranking._fields)}; for example {Ranking._fields[0]}=0.5"


def test_files_that_are_none(say: Callable[..., Said], capsys: pytest.CaptureFixture[str]) -> None:
    """A broken line, an empty file, a missing one, none given: exit 2. A missing index: 3."""
    assert say(text="lion\n")[::2] == (2, "error: items.tsv:1: names no page that answers\nhint: " + _hint())
    assert say(text="")[0] == command(["eval", "none.tsv"]) == command(["eval"]) == 2
    assert say("--db", "none.db")[0] == say("--compare", "none.db")[0] == 3


def _hint() -> str:
    return 'give a query and its URLs, tab-separated, or JSON: {"query": "…", "urls": ["…"]}\n'


def test_nothing_of_a_file_acts_on_the_terminal(say: Callable[..., Said]) -> None:
    """Queries and URLs are shown without control characters."""
    _, out, _ = say("--misses", text="uni\x1b[2Jcorn\u202e\thttp://h.test/\n")
    assert "corn" in out
    assert not {"\x1b", "\u202e"} & set(out)
    assert "\x1b" not in say(text="x\thttp\x1b[2J://h.test/\n")[2]

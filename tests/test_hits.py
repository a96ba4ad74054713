"""Searching an index file: what is found, in which order, where it opens, and that nothing is ever written."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from crawler import Index, UsageError, search
from crawler.languages import uniform
from crawler.page import Page, Section
from crawler.results import MARK, MARK_END
from crawler.store import Edge, Outcome
from crawler.store.sqlite import SqliteStore

Add = Callable[..., int]


@pytest.fixture
def add(db: Path) -> Iterator[Add]:
    """Adds a page to the index: a path, a title, and sections as (anchor, heading, text)."""
    store = SqliteStore(db)
    store.begin({"seeds": [], "depth": 9, "scope": "any", "include": [], "exclude": []}, [])

    def page(
        url: str, title: str, *sections: tuple[str, str, str], lang: str = "en", at: str = "2026-01-01T00:00:00Z"
    ) -> int:
        store.begin({"seeds": [url], "depth": 9, "scope": "any", "include": [], "exclude": []}, [url])
        (queued,) = [one for one in store.queued([], [], 10_000, 10_000) if one.url == url]
        made = tuple(
            Section(min(order, 6), anchor, heading, text, (anchor,) if anchor else ("top",))
            for order, (anchor, heading, text) in enumerate(sections)
        )
        document = Page(url, title, made, lang=lang)
        store.commit([Outcome(id=queued.id, url=url, state="done", page=document, fetched_at=at)])
        return queued.id

    page.store = store  # type: ignore[attr-defined]
    yield page
    store.close()


def hrefs(db: Path, query: str, **more: str) -> list[str]:
    return [hit.href for hit in search(query, db=db, **more).results]  # type: ignore[arg-type]


def test_a_page_is_one_hit_and_opens_at_its_best_section(add: Add, db: Path) -> None:
    """Sections of a page are grouped; the anchor is that of the best, the others are named."""
    add(
        "http://h.test/p",
        "Guide",
        ("", "Guide", "all about fishing"),
        ("zebra", "Zebra", "the zebra zebra"),
        ("more", "More", "one zebra among many other animals that live in the plains of the south"),
    )
    (hit,) = search("zebra", db=db).results
    assert (hit.href, hit.url, hit.heading) == ("http://h.test/p#zebra", "http://h.test/p", "Zebra")
    assert hit.also == ("more",)
    assert hit.snippet == f"the {MARK}zebra{MARK_END} {MARK}zebra{MARK_END}"
    assert hit.plain_snippet == "the zebra zebra"


def test_a_section_without_heading_shows_the_one_above_it(add: Add, db: Path) -> None:
    """A named anchor in running text is shown under the heading that it stands below."""
    add("http://h.test/p", "P", ("", "P", "x"), ("h", "Above", "y"), ("here", "", "the zebra"))
    (hit,) = search("zebra", db=db).results
    assert (hit.href, hit.heading) == ("http://h.test/p#here", "Above")


def test_a_page_of_exactly_that_name_comes_first_however_long_it_is(add: Add, db: Path) -> None:
    """A page whose title is the query is first, though others use the words more densely."""
    add("http://h.test/a", "Bounded queue tips", ("", "Bounded queue tips", "bounded queue bounded queue"))
    add("http://h.test/b", "Bounded Queue", ("", "", "words " * 5000 + "bounded queue"))
    assert hrefs(db, "bounded queue")[0] == "http://h.test/b"


def test_a_title_is_found_as_it_stands(add: Add, db: Path) -> None:
    """With its dash, among pages of other titles that have the same words, and beside a filter."""
    for number in range(5):
        add(f"http://h.test/{number}", f"Index {number}", ("", "", "index python documentation " * 9))
    add("http://h.test/index", "Index — Python documentation", ("", "", "words " * 900))
    assert hrefs(db, "Index — Python documentation lang:en")[0] == "http://h.test/index"


def test_what_links_call_a_section_finds_it(add: Add, db: Path) -> None:
    """A section is found by words that stand only in links to it, once the crawl has ended."""
    add("http://h.test/p", "P", ("", "P", "x"), ("f", "Function", "y"))
    source = add("http://h.test/q", "Q", ("", "Q", "z"))
    edges = (Edge("http://h.test/p", None, 1, "f", "ranking trick"),)
    page = Page("http://h.test/q", "Q", (Section(1, "", "Q", "z"),))
    add.store.commit([Outcome(id=source, url="http://h.test/q", state="done", page=page, edges=edges)])  # type: ignore[attr-defined]
    assert hrefs(db, "ranking trick") == []
    add.store.finish({})  # type: ignore[attr-defined]
    assert hrefs(db, "ranking trick") == ["http://h.test/p#f"]
    assert search("ranking trick", db=db).total == 1


def test_what_links_call_a_page_without_any_anchor_finds_it(add: Add, db: Path) -> None:
    """A link without fragment calls the page's first section, whether or not that has an id."""
    target = add("http://h.test/p", "P")
    page = Page("http://h.test/p", "P", (Section(1, "", "P", "x"),))
    add.store.commit([Outcome(id=target, url="http://h.test/p", state="done", page=page)])  # type: ignore[attr-defined]
    source = add("http://h.test/q", "Q", ("", "Q", "z"))
    edges = (Edge("http://h.test/p", None, 1, "", "ranking trick"),)
    page = Page("http://h.test/q", "Q", (Section(1, "", "Q", "z"),))
    add.store.commit([Outcome(id=source, url="http://h.test/q", state="done", page=page, edges=edges)])  # type: ignore[attr-defined]
    add.store.finish({})  # type: ignore[attr-defined]
    assert hrefs(db, "ranking trick") == ["http://h.test/p"]


def test_filters(add: Add, db: Path) -> None:
    """Site (with subdomains), language and date narrow the hits and the total."""
    add("http://a.test/1", "One", ("", "One", "zebra"), lang="en", at="2026-01-01T00:00:00Z")
    add("http://docs.a.test/2", "Two", ("", "Two", "zebra"), lang="fr", at="2026-02-01T00:00:00Z")
    add("http://b.test/3", "Three", ("", "Three", "zebra"), lang="fr", at="2026-03-01T00:00:00Z")
    assert len(hrefs(db, "zebra")) == 3
    assert set(hrefs(db, "zebra", site="a.test")) == {"http://a.test/1", "http://docs.a.test/2"}
    assert set(hrefs(db, "zebra", lang="fr")) == {"http://docs.a.test/2", "http://b.test/3"}
    assert hrefs(db, "zebra", since="2026-02-15") == ["http://b.test/3"]
    assert search("zebra", db=db, lang="fr", site="b.test").total == 1
    assert search("Three", db=db, lang="en").total == 0


def test_many_sections_of_one_page_do_not_hide_the_other_pages(add: Add, db: Path) -> None:
    """As many pages come back as are asked for and there are, even behind a page with hundreds of sections."""
    add("http://h.test/big", "Big", *((f"s{n}", f"Zebra {n}", "zebra") for n in range(800)))
    for number in range(5):
        add(f"http://h.test/{number}", f"Page {number}", ("", f"Page {number}", "words " * 200 + "zebra"))
    results = search("zebra", db=db, limit=6)
    assert results.total == 6
    assert len(results.results) == 6
    assert [hit.rank for hit in results.results] == [1, 2, 3, 4, 5, 6]


def test_anchors_are_encoded_in_the_address(add: Add, db: Path) -> None:
    """An id with spaces or quotes becomes a fragment that a browser understands."""
    add("http://h.test/p", "P", ("", "P", "x"), ('a "b" <é>', "Odd", "zebra"))
    assert hrefs(db, "zebra") == ["http://h.test/p#a%20%22b%22%20%3C%C3%A9%3E"]


def test_english_stems_and_accents_match(add: Add, db: Path) -> None:
    """`crawling` finds `crawler crawls`, `cafe` finds `café`."""
    add("http://h.test/p", "P", ("", "P", "it crawls to the café"))
    assert len(hrefs(db, "crawling")) == 1
    assert len(hrefs(db, "cafe")) == 1


def test_a_query_without_words_finds_nothing_and_raises_nothing(add: Add, db: Path) -> None:
    """`*` and an emoji are valid queries with no hit."""
    add("http://h.test/p", "P", ("", "P", "x"))
    for query in ("*", "🦓", "", "((", '""'):
        results = search(query, db=db)
        assert (results.query, results.total, results.results, results.match) == (query, 0, (), "")


def test_the_limit_must_be_positive(add: Add, db: Path) -> None:
    """Zero hits cannot be asked for."""
    with pytest.raises(UsageError, match="limit is 0"):
        search("x", db=db, limit=0)


def test_searching_writes_nothing(add: Add, db: Path) -> None:
    """The file is byte for byte the same after a search, and no file appears beside it."""
    add("http://h.test/p", "P", ("", "P", "zebra"))
    add.store.close()  # type: ignore[attr-defined]
    before = {path.name: path.read_bytes() for path in db.parent.iterdir()}
    assert search("zebra", db=db).total == 1
    after = {path.name: path.read_bytes() for path in db.parent.iterdir() if not path.name.endswith(("-shm", "-wal"))}
    assert after == before


@pytest.mark.parametrize("written", ["a.test", "A.test", "a.test:8080", "http://a.test:8080/docs"])
def test_a_site_is_taken_as_people_write_it(add: Add, db: Path, written: str) -> None:
    """With its port or without, in any case, or pasted whole."""
    add("http://a.test:8080/1", "One", ("", "One", "zebra"))
    add("http://b.test:8080/2", "Two", ("", "Two", "zebra"))
    assert hrefs(db, "zebra", site=written) == ["http://a.test:8080/1"]


def test_a_language_is_taken_as_people_write_it(add: Add, db: Path) -> None:
    """In capitals, or with a region."""
    add("http://a.test/1", "One", ("", "One", "zebra"), lang="en")
    assert hrefs(db, "zebra", lang="EN") == hrefs(db, "zebra", lang="en-US") == ["http://a.test/1"]


def test_required_words_may_stand_in_different_sections_of_a_page(add: Add, db: Path) -> None:
    """A page holds what any of its sections holds; one that holds only part is not found."""
    add("http://h.test/both", "P", ("", "P", "a green zebra"), ("x", "X", "and lions"))
    add("http://h.test/one", "Q", ("", "Q", "a green zebra and a blue one"))
    assert [hit.url for hit in search('"green zebra" +lions', db=db).results] == ["http://h.test/both"]


def test_an_excluded_word_excludes_the_page(add: Add, db: Path) -> None:
    """In whichever section it stands, or if only links call the page so."""
    add("http://h.test/both", "P", ("", "P", "zebra"), ("x", "X", "and lions"))
    add("http://h.test/one", "Q", ("", "Q", "zebra"))
    results = search("zebra -lions", db=db)
    assert ([hit.url for hit in results.results], results.total) == (["http://h.test/one"], 1)


def test_what_nothing_satisfies_is_relaxed_and_said(add: Add, db: Path) -> None:
    """First what no page holds is no longer required, then what no page holds together."""
    add("http://h.test/a", "A", ("", "A", "green zebra"))
    add("http://h.test/b", "B", ("", "B", "brown bear"))
    nowhere = search('"green zebra" "purple cow"', db=db)
    assert ([hit.url for hit in nowhere.results], nowhere.relaxed) == (["http://h.test/a"], ("purple cow",))
    apart = search('"green zebra" "brown bear"', db=db)
    assert {hit.url for hit in apart.results} == {"http://h.test/a", "http://h.test/b"}
    assert apart.relaxed == ("green zebra", "brown bear")
    assert search('"green zebra"', db=db).relaxed == ()


def test_filters_are_never_relaxed(add: Add, db: Path) -> None:
    """Nothing from elsewhere is shown, whatever is required."""
    add("http://a.test/", "A", ("", "A", "green zebra"))
    assert search('"green zebra" site:b.test', db=db).results == ()


def test_a_filter_that_leaves_nothing_is_no_reason_to_relax(add: Add, db: Path) -> None:
    """Pages that hold it all are there, elsewhere: it is said how many."""
    add("http://a.test/", "A", ("", "A", "green zebra and lions"))
    results = search("+zebra +lions site:b.test", db=db)
    assert (results.results, results.relaxed, results.unfiltered) == ((), (), 1)
    assert results.as_dict()["unfiltered"] == 1


def test_the_words_of_a_phrase_that_no_page_holds_are_tried(add: Add, db: Path) -> None:
    """And what was asked is told as it was typed."""
    add("http://h.test/a", "A", ("", "A", "a zebra that is green"))
    results = search('"green zebra"', db=db)
    assert ([hit.url for hit in results.results], results.relaxed) == (["http://h.test/a"], ("green zebra",))
    assert search("zebra +qqz*", db=db).relaxed == ("qqz*",)
    assert search("green AND qqz*", db=db).relaxed == ("qqz*",)


def test_filters_alone_list_what_they_leave(add: Add, db: Path) -> None:
    """From the seeds outwards, or the newest first; a page that is alike is one with the other."""
    for number in range(3):
        add(f"http://a.test/{number}", f"P{number}", ("", "P", f"zebra {number}"), at=f"202{number}-01-01T00:00:00Z")
    add("http://b.test/", "B", ("", "B", "zebra"))
    results = search("site:a.test", db=db)
    assert ([hit.url[-1] for hit in results.results], results.total) == (["0", "1", "2"], 3)
    assert [url[-1] for url in hrefs(db, "site:a.test", sort="newest")] == ["2", "1", "0"]
    assert hrefs(db, "title:B -site:a.test") == ["http://b.test/"]


def test_a_page_is_found_by_its_address(add: Add, db: Path) -> None:
    """Though no text of it says the name, nor any link."""
    add("http://h.test/docs/loadext.html", "Extensions", ("", "Extensions", "at run time"), ("x", "More", "else"))
    assert hrefs(db, "loadext") == ["http://h.test/docs/loadext.html"]


def test_icons_and_joiners_are_no_letters(add: Add, db: Path) -> None:
    """What a font shows as an icon, and what is not seen at all, parts or joins no word."""
    add("http://h.test/a", "A", ("", uniform("\uf015Marmot"), uniform("emu\ufe0f lla\ufeffma \uf002lynx")))
    for query in ("marmot", "emu", "llama", "lynx"):
        assert len(hrefs(db, query)) == 1, query


def test_one_identifier_that_is_required(add: Add, db: Path) -> None:
    """Its parts find pages beside it, and none in its place."""
    add("http://h.test/a", "A", ("", "A", "call getUserName here"))
    add("http://h.test/b", "B", ("", "B", "get the user a name"))
    assert hrefs(db, "+getUserName") == ["http://h.test/a"]
    assert len(hrefs(db, "getUserName")) == 2


def test_an_exclusion_beside_a_filter(add: Add, db: Path) -> None:
    """It takes pages from those that the filter leaves."""
    add("http://h.test/a", "A", ("", "A", "zebra"))
    add("http://h.test/b", "B", ("", "B", "lion"))
    results = search("lang:en -zebra", db=db)
    assert ([hit.url for hit in results.results], results.total) == (["http://h.test/b"], 1)
    add("http://h.test/c", "C", ("", "C", "gnu"))
    assert search("lang:en -zebra", db=db, limit=1).total == 2


def test_a_pasted_address_finds_its_page(add: Add, db: Path) -> None:
    """Though no text holds it; one that is not indexed is no word that a page could hold."""
    for number in range(5):
        add(f"http://h.test/docs/{number}.html", "A", ("", "A", "http h.test docs b.html " * (9 + number)))
    add("http://h.test/docs/b.html", "B", ("", "B", "other text, which a long page has " * 90))
    results = search("http://h.test/docs/b.html", db=db)
    assert (results.results[0].url, results.unknown) == ("http://h.test/docs/b.html", ())
    for other in ("HTTP://h.test/docs/x/../b.html", "http://h.test/docs/b.html#part"):
        assert hrefs(db, other)[0] == "http://h.test/docs/b.html"


def test_words_with_signs(add: Add, db: Path) -> None:
    """C++ is another word than C, and where nobody writes of it, that is said and C is found."""
    add("http://h.test/c", "C", ("", "C", "written in C, include files"))
    add("http://h.test/cpp", "Cpp", ("", "Cpp", "long ago it was written in a language called C++, with #include"))
    assert [hrefs(db, query)[0] for query in ("C++", "#include", "C")] == [
        "http://h.test/cpp",
        "http://h.test/cpp",
        "http://h.test/c",
    ]
    assert hrefs(db, "+C++ +written") == ["http://h.test/cpp"]
    assert search("C#", db=db).unknown == ("C#",)
    assert len(hrefs(db, "C#")) == 2


def test_a_page_called_so_comes_before_sections_called_so(add: Add, db: Path) -> None:
    """What stands before a dash is the name of a page; pages that only begin like it are others."""
    for year in range(3):
        add(f"http://h.test/news{year}", f"News {year}", ("", "News", "x"), ("q", "queue", "the queue changed, queue"))
    add(
        "http://h.test/queue", "queue — A queue class — Manual", ("", "queue — A queue class", "words " * 500 + "queue")
    )
    add("http://h.test/queues", "queues: on them", ("", "queues", "a queue"))
    assert hrefs(db, "queue")[0] == "http://h.test/queue"


def test_stems_of_one_language_are_no_words_of_another(add: Add, db: Path) -> None:
    """What Snowball leaves of a word in French is an English word that nobody asked for."""
    add("http://h.test/fr", "F", ("", "F", "il faut ouvrir les tables"), lang="fr")
    add("http://h.test/en", "E", ("", "E", "ouvr is no word, ouvr ouvr"))
    assert hrefs(db, "ouvrirent") == ["http://h.test/fr"]


def test_of_translations_that_match_alike_the_main_language_comes_first(add: Add, db: Path) -> None:
    """It is that of most pages, wherever in the crawl they came."""
    add("http://h.test/ja/port", "ServerName", ("", "ServerName", "one name"), lang="ja")
    for number in range(3):
        add(f"http://h.test/en/{number}", f"Other {number}", ("", "Other", "words"))
    add("http://h.test/en/port", "ServerName", ("", "ServerName", "one name"))
    assert hrefs(db, "ServerName") == ["http://h.test/en/port", "http://h.test/ja/port"]


def test_a_word_that_no_page_holds_is_named_and_mended(add: Add, db: Path) -> None:
    """The suggestion is the whole query, with a word of the index in its place."""
    add("http://h.test/a", "A", ("", "A", "an elephant and a zebra"))
    add.store.finish({})  # type: ignore[attr-defined]
    results = search("elephnat zebra", db=db)
    assert (results.unknown, results.suggestion) == (("elephnat",), "elephant zebra")
    assert len(results.results) == 1
    assert search("xqzwv", db=db).suggestion == ""
    code = search("zebra.elephnat", db=db)
    assert (code.unknown, code.suggestion) == (("zebra.elephnat",), "zebra.elephant")
    assert search("zebra.elephant", db=db).unknown == ()
    assert search("elephnat xelephnatxx", db=db).suggestion == "elephant xelephnatxx"
    assert search("elephant", db=db).unknown == ()


def test_several_sites_are_shown_twice_at_most_and_the_rest_comes_later(add: Add, db: Path) -> None:
    """No site fills a page of results while others match; nothing is lost, and ranks go on."""
    for number in range(5):
        add(f"http://a.test/{number}", "Zebra", ("", f"Zebra {number}", "zebra zebra zebra"))
    add("http://b.test/", "Other", ("", "Other", "many words and one zebra"))
    first, second, third = (search("zebra", db=db, page=number) for number in (1, 2, 3))
    assert [hit.site for hit in first.results] == ["a.test", "a.test", "b.test"]
    assert [hit.site for hit in second.results] == ["a.test"] * 3
    assert [hit.rank for page in (first, second) for hit in page.results] == [1, 2, 3, 4, 5, 6]
    assert len({hit.url for page in (first, second) for hit in page.results}) == 6
    assert [page.more for page in (first, second, third)] == [True, False, False]
    assert [page.total for page in (first, second, third)] == [6, 6, 6]
    assert len(search("zebra site:a.test", db=db).results) == 5
    assert len(search("zebra", db=db, limit=30).results) == 6
    assert first.as_dict()["crowded"] == "a.test"


def test_pages_of_results_go_on_where_the_one_before_ended(add: Add, db: Path) -> None:
    """Ten hits in pages of four, each once, ranked from 1 to 10."""
    for number in range(10):
        add(f"http://a.test/{number}", f"Page {number}", ("", f"Page {number}", "zebra " * (number + 1)))
    pages = [search("zebra", db=db, limit=4, page=number).results for number in (1, 2, 3, 4)]
    assert [len(hits) for hits in pages] == [4, 4, 2, 0]
    assert [hit.rank for hits in pages for hit in hits] == list(range(1, 11))
    assert [hit.url for hits in pages for hit in hits] == hrefs(db, "zebra")
    for wrong in ({"page": 0}, {"limit": 2.5}, {"page": "1"}, {"sort": "oldest"}):
        with pytest.raises(UsageError, match=f"{next(iter(wrong))} is "):
            search("zebra", db=db, **wrong)


def test_the_newest_first(add: Add, db: Path) -> None:
    """By when the text of a page was first seen as it is."""
    for year in (2024, 2026, 2025):
        add(f"http://a.test/{year}", f"P{year}", ("", "P", "zebra"), at=f"{year}-01-01T00:00:00Z")
    assert [url[-4:] for url in hrefs(db, "zebra", sort="newest")] == ["2026", "2025", "2024"]
    for number in range(150):
        add(
            f"http://b.test/{number}",
            f"B{number}",
            ("", "B", f"tapir {number}"),
            at=f"20{number % 20:02}-01-01T00:00:00Z",
        )
    add("http://b.test/new", "New", ("", "B", "tapir and more words of another kind"), at="2026-11-01T00:00:00Z")
    assert hrefs(db, "tapir", sort="newest")[0] == "http://b.test/new"
    add("http://c.test/", "C", ("", "C", "tapir"), at="2020-01-01T00:00:00Z")
    dates = [hit.fetched_at for hit in search("tapir", db=db, sort="newest", limit=40).results]
    assert dates == sorted(dates, reverse=True)
    add("http://a.test/2027", "Other", ("", "Other", "words " * 300 + "zebra"), at="2027-01-01T00:00:00Z")
    assert hrefs(db, "zebra p2024", sort="newest")[0] == "http://a.test/2024"


def test_the_exact_form_of_a_word_comes_before_another(add: Add, db: Path) -> None:
    """Whatever the stemmer makes of them."""
    add("http://h.test/other", "A", ("", "A", "the universe is wide"))
    add("http://h.test/exact", "B", ("", "B", "a wide university"))
    assert hrefs(db, "university") == ["http://h.test/exact", "http://h.test/other"]


def test_common_words_do_not_make_a_search_slow_or_blind(add: Add, db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the budget of rows, names decide: the page of that name is found behind all the others, and counted."""
    monkeypatch.setattr("crawler.candidates._COMMON", 50)
    monkeypatch.setattr("crawler.candidates._COUNTED", 60)
    monkeypatch.setattr("crawler.candidates._SAMPLE", 20)
    monkeypatch.setattr("crawler.candidates._DEPTHS", (10, 80))
    sections = [(f"s{number}", "", "a zebra in the plains") for number in range(2)]
    for number in range(40):
        add(f"http://h.test/{number}", f"Page {number}", *sections)
    add("http://h.test/name", "Animals", ("", "Animals", "x"), ("z", "The zebra", "a zebra"))
    results = search("zebra", db=db)
    assert results.results[0].href == "http://h.test/name#z"
    assert results.is_estimate
    assert 30 <= results.total <= 50
    assert search("the zebra", db=db).results[0].href == "http://h.test/name#z"


def test_an_index_is_searched_again_and_again(add: Add, db: Path) -> None:
    """One opening serves many searches, and sees what a crawl commits in between."""
    add("http://h.test/a", "A", ("", "A", "zebra"))
    with Index(db) as index:
        assert index.search("zebra").total == 1
        add("http://h.test/b", "B", ("", "B", "zebra"))
        assert index.search("zebra").total == 2


def test_a_query_that_is_being_typed(add: Add, db: Path) -> None:
    """The last word goes on as words of the index do, the most frequent first; places are where names match."""
    add("http://h.test/a", "Guide", ("", "Guide", "bounded bounded"), ("q", "Bounded queue", "x"))
    add("http://h.test/b", "Other", ("", "Other", "the bounds of a queue"), ("b", "Bounded box", "bounded"))
    add.store.finish({})  # type: ignore[attr-defined]
    with Index(db) as index:
        assert index.complete("boun").queries[0] == "bounded"
        typed = index.complete("Bounded qu")
        assert typed.queries == ("Bounded queue",)
        assert [place.href for place in typed.places] == ["http://h.test/a#q"]
        assert index.complete("bounded b").places[0].href == "http://h.test/b#b"
        assert index.complete("").queries == index.complete("xqz").queries == ()
        assert len(index.complete("b", limit=1).queries) == 1
        add("http://h.test/c", "Code", ("", "os.path.join(a)", "x"), ("p", "os.PathLike", "y"), ("j", "安全階層", "z"))
        assert index.complete("see OS.pa").queries == ()
        add("http://h.test/d", "Lists", ("", "List comprehension", "compare compare"), ("k", "Compare", "compared"))
        add.store.finish({})  # type: ignore[attr-defined]
        assert index.complete("list comp", limit=1).queries == ("list comprehension",)
        assert index.complete("comp", limit=1).queries == ("compare",)
        assert index.complete("OS.pa").queries == ("os.path", "os.pathlike")
        assert index.complete("os.path.").queries == ("os.path.join",)
        assert index.complete("安").queries == ("安全階層",)
        for odd in ("\ud800", "a\0b", '"', "*", "%", "日", "x" * 5000, "a " * 5000):
            assert index.complete(odd).queries == (), odd


def test_of_sections_that_say_the_same_the_page_about_it_comes_first(add: Add, db: Path) -> None:
    """A page of its own before the page of all of them, though the latter was found first."""
    text = (
        "The zebra sleeps for a number of milliseconds, which is rounded up to whole seconds where it cannot be less. "
    )
    add(
        "http://h.test/all",
        "All",
        *((f"s{number}", f"Animal {number}", "x") for number in range(20)),
        ("z", "Zebra", text * 2),
    )
    add("http://h.test/one", "Sleep", ("", "Zebra", text * 3))
    assert hrefs(db, "zebra") == ["http://h.test/one", "http://h.test/all#z"]


def test_pages_with_common_words_only_come_last(add: Add, db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A rare word finds its page first, and the others follow as far as they are asked for."""
    monkeypatch.setattr("crawler.candidates._ROWS", 10)
    monkeypatch.setattr("crawler.candidates._ROWS_A_CANDIDATE", 0)
    for number in range(30):
        add(f"http://h.test/{number}", f"Page {number}", ("", f"Page {number}", "a lion in the plains"))
    add("http://h.test/rare", "Other", ("", "Other", "a lion and a zebra"))
    results = search("zebra lion", db=db, limit=20)
    assert results.results[0].url == "http://h.test/rare"
    assert (len(results.results), results.total) == (20, 31)

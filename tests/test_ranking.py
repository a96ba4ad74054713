"""What names and exact words are worth, beside what full text finds."""

import pytest

from crawler.ranking import Asked, Names, Ranking, tokens

PLAIN = Names(title="", heading="", ids="", terms="", links="", opens_page=False, path="", sections=1)
RANKING = Ranking()


def bonus(query: str, names: Names, ranking: Ranking = RANKING, **rare: float) -> float:
    asked = Asked(query.split(), ranking)
    like = asked.names(names)
    weight = dict.fromkeys(asked.tokens.union(*(name.tokens for name in like)), 1.0) | rare
    return asked.bonus(like, weight)


@pytest.mark.parametrize(
    "names",
    [
        PLAIN._replace(heading="Bounded queue"),
        PLAIN._replace(heading="5.1.2. Bounded queue"),
        PLAIN._replace(heading="bounded.queue(size, *, block=True)"),
        PLAIN._replace(ids="x bounded_queue"),
        PLAIN._replace(title="Bounded Queue", opens_page=True),
    ],
    ids=["heading", "numbered heading", "signature", "id", "title of the page it opens"],
)
def test_what_bears_the_name_of_the_query_is_worth_most(names: Names) -> None:
    """Headings without numbers or parameters, ids, the title: any of them may be the name."""
    assert bonus("bounded queue", names) == pytest.approx(RANKING.names)


def test_a_name_that_is_only_nearly_the_query_is_worth_less() -> None:
    """By Dice's coefficient, squared: two of three words in common with a name of three."""
    assert bonus("a b c", PLAIN._replace(heading="a b d")) == pytest.approx(RANKING.names * (2 / 3) ** 2)
    assert bonus("a b c", PLAIN._replace(heading="d e f")) == 0


def test_rare_words_count_for_more() -> None:
    """That the common word is missing costs little, that the rare one is missing much."""
    without_common = bonus("the queue", PLAIN._replace(heading="queue"), queue=9.0)
    without_rare = bonus("the queue", PLAIN._replace(heading="the"), queue=9.0)
    assert without_common > 0.8 * RANKING.names > 0.1 * RANKING.names > without_rare


def test_a_term_and_a_title_of_another_section_are_less_of_a_name() -> None:
    """What a paragraph begins with, and what the page is called, where the section is not its first."""
    assert bonus("queue", PLAIN._replace(terms="get() · queue")) == pytest.approx(RANKING.names * RANKING.terms)
    assert bonus("queue", PLAIN._replace(title="Queue")) == pytest.approx(RANKING.names * RANKING.titles)


def test_another_kind_of_name_that_agrees_counts_beyond_the_best() -> None:
    """Of two sections of the same name, the one that links call so comes first; not if links are to be left out."""
    called = PLAIN._replace(heading="Queue", links="other · queue")
    assert bonus("queue", called) == pytest.approx(RANKING.names * (1 + RANKING.agreed))
    assert bonus("queue", called, RANKING._replace(links=0)) == pytest.approx(RANKING.names)


def test_another_form_of_a_word_is_a_little_less() -> None:
    """The exact form ranks first."""
    exact, other = (bonus("queue", PLAIN._replace(heading=one)) for one in ("Queue", "Queues"))
    assert exact > other > 0.7 * exact


def test_exact_words_in_the_text() -> None:
    """A word counts as it was typed, in any case, not within another one; of several by their weight."""
    asked = Asked(["os.path", "join"], RANKING)
    weight = {"os": 1.0, "path": 3.0, "join": 1.0}
    assert asked.exactness("Use OS.PATH to join", weight) == pytest.approx(RANKING.exact)
    assert asked.exactness("use os.path, joined", weight) == pytest.approx(RANKING.exact * 0.75)
    assert asked.exactness("os path joins", weight) == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("version_3_8_1", {"version", "3.8.1"}),
        ("SQLite 3.8.1", {"sqlite", "3.8.1"}),
        ("Café-Bar", {"cafe", "bar"}),
        ("__init__()", {"init"}),
        ("", set()),
    ],
)
def test_tokens(name: str, expected: set[str]) -> None:
    """Version numbers are one word, however they are written; accents and case make no difference."""
    assert tokens(name) == expected


def test_the_address_of_a_page_is_a_name_of_it() -> None:
    """Its last part, for the section that opens it; for another one it says less."""
    opening = PLAIN._replace(path="blob_open", opens_page=True)
    assert bonus("blob_open", opening) == pytest.approx(RANKING.names * RANKING.paths)
    assert bonus("blob_open", opening._replace(opens_page=False)) < bonus("blob_open", opening)


def test_a_page_about_much_else_is_a_little_less() -> None:
    """By the logarithm of its sections; a page of one section loses nothing."""
    asked = Asked(["queue"], RANKING)
    assert asked.focus(PLAIN) == 0
    assert 0 < asked.focus(PLAIN._replace(sections=10)) < asked.focus(PLAIN._replace(sections=1000)) < 0.2

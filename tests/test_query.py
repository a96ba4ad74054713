"""What a person types, searched in a real FTS5 table."""

import random
import sqlite3
from collections.abc import Iterator

import pytest

from crawler.query import MAX_WORDS, parse_query

ROWS = {
    1: "the pane pid of tmux",
    2: "pid one of many",
    3: "a producer waits",
    4: "a producer and a consumer wait",
    5: "a consumer and then a producer",
    6: "the user of the machine",
    7: "getUserName returns text",
    8: "cats and dogs",
    9: "cats only",
    10: "Café in Köln, 日本語 and C++",
    11: "don't panic",
    12: "nothing of interest at all",
    13: "nor here, where rain falls",
}


@pytest.fixture
def index() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE rows USING fts5(text, tokenize = 'porter unicode61 remove_diacritics 2')")
    connection.executemany("INSERT INTO rows(rowid, text) VALUES (?, ?)", ROWS.items())
    yield connection
    connection.close()


def found(index: sqlite3.Connection, query: str) -> list[int]:
    """The rows that the query matches, the best first."""
    match = parse_query(query).match
    assert match, f"{query!r} holds no word"
    return [row for (row,) in index.execute("SELECT rowid FROM rows WHERE rows MATCH ? ORDER BY rank", (match,))]


HOSTILE = {
    "quote": '"',
    "quote in a word": 'a"b',
    "odd quotes": 'a "b c" "d',
    "empty quotes": '"" a ""',
    "quotes in a row": '"' * 1000,
    "parenthesis": "(",
    "AND": "AND",
    "OR": "a OR",
    "NOT": "NOT x",
    "NEAR": "NEAR(",
    "NEAR of two": "NEAR(a b, 5)",
    "star": "*",
    "prefix": "a*",
    "caret": "^a",
    "column": "col:x",
    "columns": "{a b} : c",
    "minus": "-x",
    "minus a column": "- col : x",
    "plus": "a + b",
    "hyphen": "a-b",
    "C++": "C++",
    "apostrophe": "don't",
    "at": "@x",
    "semicolon": "x'; DROP TABLE rows; --",
    "empty": "",
    "spaces": " \t\n ",
    "no-break space": "\u00a0a\u00a0b\u2003",
    "NUL": "a\0b",
    "only NUL": "\0",
    "emoji": "😀",
    "emoji in a word": "a😀b",
    "CJK": "日本語 文字",
    "combining": "\u0300a\u0300",
    "a number that is no digit": "½ ①",
    "right to left": "\u202eabc",
    "lone surrogate": "\ud800",
    "surrogate in a word": "a\udc00b",
    "10,000 words": " ".join(f"word{number}" for number in range(10_000)),
    "10,000 identifiers": " ".join(f"getUserName{number}_of_it" for number in range(10_000)),
    "1,000 phrases": " ".join(f'"phrase {number}"' for number in range(1000)),
    "5,000 parentheses": "(" * 5000,
    "a long word": "x" * 100_000,
    "a long identifier": "a_B" * 5000,
    "a long phrase": '"' + "x " * 10_000 + '"',
    "backslash": "\\",
    "percent": "100%",
    "underscores": "__init__ _",
}


@pytest.mark.parametrize("query", HOSTILE.values(), ids=HOSTILE)
def test_no_query_is_a_syntax_error(index: sqlite3.Connection, query: str) -> None:
    """Whatever is typed, SQLite carries it out or there is nothing to carry out."""
    match = parse_query(query).match
    if match:
        index.execute("SELECT rowid FROM rows WHERE rows MATCH ? ORDER BY rank", (match,)).fetchall()
    else:
        assert not any(map(str.isalnum, query))


def test_no_mixture_is_a_syntax_error(index: sqlite3.Connection) -> None:
    """Neither does any mixture of what is special to FTS5 or to Unicode raise."""
    chance = random.Random(5)
    scraps = [*"\"aB_-( \0\ud800é日9*:😀'{}+^,.\n½", " AND ", " OR ", " NOT ", "NEAR(", "\u00ad"]
    for _ in range(2000):
        match = parse_query("".join(chance.choices(scraps, k=20))).match
        if match:
            index.execute("SELECT rowid FROM rows WHERE rows MATCH ?", (match,)).fetchall()


@pytest.mark.parametrize(
    "query",
    ["", "   ", '"', '""', '" "', "(((", "*", "-", "_", "😀", "\0", "\ud800", "...", "+-*/"],
    ids=ascii,
)
def test_a_query_without_words_is_empty(query: str) -> None:
    """What holds no letter and no digit looks for nothing."""
    parsed = parse_query(query)
    assert (parsed.match, parsed.words, parsed.phrases) == ("", (), ())


def test_what_was_typed_is_kept() -> None:
    """A query knows its text, its words and its phrases, each once."""
    parsed = parse_query('tmux "pane  pid" tmux C++ "pane pid"')
    assert parsed.text == 'tmux "pane  pid" tmux C++ "pane pid"'
    assert (parsed.words, parsed.phrases) == (("tmux", "C++"), ("pane pid",))


def test_any_word_may_match(index: sqlite3.Connection) -> None:
    """A row need not hold all words."""
    assert sorted(found(index, "tmux dogs zebra")) == [1, 8]


def test_rows_with_more_of_the_words_rank_first(index: sqlite3.Connection) -> None:
    """A row that holds both words comes before one that holds one of them."""
    assert found(index, "producer consumer")[2:] == [3]
    assert set(found(index, "producer consumer")[:2]) == {4, 5}


def test_rows_with_the_words_as_typed_rank_first(index: sqlite3.Connection) -> None:
    """Of rows that hold the same words, the one that holds them side by side comes first."""
    index.execute("INSERT INTO rows(rowid, text) VALUES (20, 'consumer a producer and a')")
    index.execute("INSERT INTO rows(rowid, text) VALUES (21, 'producer consumer and a a')")
    assert found(index, "producer consumer")[0] == 21


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        pytest.param('"pane pid"', [1], id="the words in order"),
        pytest.param('"pid pane"', [], id="the words in another order"),
        pytest.param('"producer waits" consumer', [3], id="a word beside a phrase cannot replace it"),
        pytest.param('"consumer" producer', [4, 5], id="a phrase of one word"),
        pytest.param('"producer" "consumer"', [4, 5], id="all phrases"),
        pytest.param('"cats" "tmux"', [], id="phrases that no row holds together"),
        pytest.param('"cats and dogs', [8], id="a phrase that is not closed"),
        pytest.param('"cats" zebra', [8, 9], id="a word that no row holds"),
    ],
)
def test_phrases_are_required(index: sqlite3.Connection, query: str, rows: list[int]) -> None:
    """A row without the quoted phrases is not found, whatever else it holds."""
    assert sorted(found(index, query)) == rows


def test_words_beside_a_phrase_rank(index: sqlite3.Connection) -> None:
    """Among the rows with the phrase, those with the other words come first."""
    assert found(index, '"cats" dogs') == [8, 9]


def test_operators_of_fts5_are_words(index: sqlite3.Connection) -> None:
    """Nothing that a person types excludes rows or combines words."""
    assert {8, 9} <= set(found(index, "cats NOT dogs"))
    assert {8, 9} <= set(found(index, "cats AND dogs"))
    assert {8, 9} <= set(found(index, "cats -dogs"))
    assert {8, 9} <= set(found(index, "text:cats"))


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        pytest.param("pane_pid", {1, 2}, id="snake case"),
        pytest.param("getUserName", {6, 7}, id="camel case"),
        pytest.param("HTTPUser", {6}, id="capitals before a word"),
        pytest.param("user2", {6}, id="digits"),
        pytest.param("cats.dogs", {8, 9}, id="dots"),
        pytest.param("rain-coat", {13}, id="hyphen"),
        pytest.param("Köln", {10}, id="letters beyond ASCII"),
        pytest.param("koln", {10}, id="without diacritics"),
        pytest.param("日本語", {10}, id="CJK"),
        pytest.param("c++", {10}, id="signs around"),
        pytest.param("DON'T", {11}, id="apostrophe"),
        pytest.param("waiting", {3, 4}, id="another form of a word"),
    ],
)
def test_words_find_rows(index: sqlite3.Connection, query: str, rows: set[int]) -> None:
    """A word finds itself and its parts, in any case and form."""
    assert rows <= set(found(index, query))


def test_an_identifier_ranks_above_its_parts(index: sqlite3.Connection) -> None:
    """The row that holds the whole identifier comes before the one that holds a part."""
    assert found(index, "pane_pid") == [1, 2]
    assert found(index, "getUserName")[0] == 7


def test_a_long_query_is_cut() -> None:
    """The first MAX_WORDS words and phrases of a query count."""
    parsed = parse_query(" ".join(f'word{number} "phrase {number}"' for number in range(MAX_WORDS)))
    assert len(parsed.words) + len(parsed.phrases) == MAX_WORDS
    assert parsed.words[0] == "word0"

"""A parsed query as full-text expressions, carried out by a real FTS5 table."""

import sqlite3
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crawler.languages import spaced, stems
from crawler.matches import MANY_ENDS, wanted
from crawler.query import parse_query
from crawler.store.fulltext import INDEXES

ROWS = {
    1: "the pane pid of tmux",
    2: "pid one of many",
    3: "a producer waits",
    4: "a producer and a consumer wait",
    5: "getUserName returns text",
    6: "the user of the machine",
    7: "cats and dogs",
    8: "Café in Köln, C++",
    9: "安装软件包",
    10: "软件",
}


@pytest.fixture(scope="module")
def index() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE TABLE sections(id INTEGER PRIMARY KEY, title, heading, ids, terms, text, forms)")
    connection.execute(INDEXES[0])
    for number, text in ROWS.items():
        connection.execute("INSERT INTO sections_fts(rowid, text) VALUES (?, ?)", (number, spaced(text)))
    yield connection
    connection.close()


def found(index: sqlite3.Connection, match: str) -> set[int]:
    return {row for (row,) in index.execute("SELECT rowid FROM sections_fts WHERE sections_fts MATCH ?", (match,))}


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("tmux dogs zebra", {1, 7}),
        ("pane_pid", {1, 2}),
        ("getUserName", {5, 6}),
        ("machine OR tmux", {1, 6}),
        ("produc*", {3, 4}),
        ("waiting", {3, 4}),
        ("koln", {8}),
        ("c++", {8}),
        ("软件", {9, 10}),
        ("安装包软件", {9, 10}),
        ('"consumer"', {4}),
    ],
)
def test_any_of_what_is_looked_for(index: sqlite3.Connection, query: str, rows: set[int]) -> None:
    """Words, identifiers and their parts, beginnings, other forms, pairs of characters; all that may match."""
    assert found(index, wanted(parse_query(query), ()).any) == rows


def test_a_prefix_of_many_words_stands_for_the_most_frequent(index: sqlite3.Connection) -> None:
    """One of few words is left to full text, which finds all of them."""
    many = ["producer", "consumer", *(f"word{number}" for number in range(MANY_ENDS))]
    assert found(index, wanted(parse_query("p*"), (), lambda _: many).any) == {3, 4}
    assert found(index, wanted(parse_query("p*"), (), lambda _: many[:5]).any) == {1, 2, 3, 4}


def test_every_word_and_alternatives(index: sqlite3.Connection) -> None:
    """A group of alternatives is one of what must be held."""
    assert found(index, wanted(parse_query("producer wait"), ()).every) == {3, 4}
    assert found(index, wanted(parse_query("user OR pid many"), ()).every) == {2}


def test_stems_of_the_languages_of_the_index(index: sqlite3.Connection) -> None:
    """A word is looked for in its other forms in each language that there is; a phrase is not.

    What a stem is in one language is a word in another, which the query does not mean.
    """
    index.execute("INSERT INTO sections_fts(rowid, forms) VALUES (20, ?)", (stems("cheval", "fr"),))
    index.execute("INSERT INTO sections_fts(rowid, text, forms) VALUES (21, 'cheval', ?)", (stems("cheval", "nl"),))
    try:
        assert found(index, wanted(parse_query("chevaux"), ("fr", "de")).any) == {20}
        assert 20 not in found(index, wanted(parse_query('"chevaux"'), ("fr", "de")).any)
        assert 20 not in found(index, wanted(parse_query("chevaux"), ()).any)
    finally:
        for row, text, lang in ((20, None, "fr"), (21, "cheval", "nl")):
            index.execute(
                "INSERT INTO sections_fts(sections_fts, rowid, text, forms) VALUES ('delete', ?, ?, ?)",
                (row, text, stems("cheval", lang)),
            )


def test_what_is_required_and_excluded_stands_apart() -> None:
    """It is for pages to hold or not, not for rows; relaxed, what was required may match."""
    sought = wanted(parse_query('"pane pid" +tmux user -dogs'), ())
    assert [one.text for one in sought.required] == ["pane pid", "tmux"]
    assert [one.text for one in sought.words] == ["user"]
    assert sought.excluded == ('"dogs"',)
    relaxed = sought.relaxed(sought.required[:1])
    assert [one.text for one in relaxed.required] == ["tmux"]
    assert [one.text for one in relaxed.words] == ["pane pid", "pane", "pid", "user"]


@given(st.text(alphabet="ab \"'*-+:()^{}|.,_NEARORAND\u200b\u0300日é", max_size=40))
def test_no_query_is_a_syntax_error(text: str) -> None:
    """Whatever is typed, SQLite carries it out, or there is nothing to carry out."""
    connection = sqlite3.connect(":memory:")
    connection.execute("CREATE VIRTUAL TABLE rows USING fts5(text, forms, tokenize = 'porter unicode61')")
    sought = wanted(parse_query(text), ("fr",))
    for match in (sought.any, sought.every, *sought.excluded, *sought.some):
        if match:
            connection.execute("SELECT rowid FROM rows WHERE rows MATCH ?", (match,)).fetchall()
    connection.close()


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("getUserName", ("get", "User", "Name")),
        ("HTTPResponse2", ("HTTP", "Response", "2")),
        ("sécurité", ()),
        ("École_supérieure", ("École", "supérieure")),
        ("über", ()),
    ],
)
def test_parts_of_a_word(word: str, parts: tuple[str, ...]) -> None:
    """Case, digits and underscores part it; letters with accents do not."""
    assert wanted(parse_query(word), ()).words[0].parts == tuple(f'"{part}"' for part in parts)

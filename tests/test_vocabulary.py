"""Words of an index that are like the one typed, from a real SQLite file."""

import random
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from crawler.vocabulary import completions, folded, suggest

WORDS = {  # as an index has them, with the number of sections
    "database": 900, "databases": 300, "data": 800, "base": 500, "full": 100, "text": 700, "search": 400, "window": 50,
    "table": 600, "label": 200, "cable": 100, "stable": 650, "receive": 90, "the": 1000, "then": 400, "ten": 30,
    "no": 9, "utf": 3, "utf8": 70, "environment": 80, "environments": 20, "over": 300, "flow": 200, "queue": 60,
    "deque": 70, "uberraschung": 5, "straße": 3, "поиск": 40, "запрос": 30, "αναζητησησ": 10, "खोज": 10, "वाक्य": 6,
}  # fmt: skip

Index = Callable[[Mapping[str, int]], sqlite3.Connection]


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    """Makes the index of some words, and of a text in which words stand side by side."""
    connection = sqlite3.connect(tmp_path / "crawl.db")

    def make(words: Mapping[str, int]) -> sqlite3.Connection:
        connection.execute("CREATE TABLE words (word TEXT PRIMARY KEY, sections INTEGER NOT NULL) WITHOUT ROWID")
        connection.execute("CREATE INDEX words_by_sections ON words(sections DESC)")
        connection.executemany("INSERT INTO words VALUES (?, ?)", words.items())
        connection.execute("CREATE VIRTUAL TABLE sections_fts USING fts5(text)")
        connection.execute("INSERT INTO sections_fts VALUES ('a full text search; flow over the data table')")
        return connection

    yield make
    connection.close()


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("databse", "database"),
        ("dattabase", "database"),
        ("databaes", "database"),
        ("dataBXse", "database"),
        ("atabase", "database"),
        ("windwo", "window"),
        ("teh", "the"),
        ("recieve", "receive"),
        ("enviromnet", "environment"),
        ("environmint", "environment"),
        ("Überaschung", "uberraschung"),
        ("strsaße", "straße"),
        ("поисск", "поиск"),
        ("ЗАПРСО", "запрос"),
        ("Αναζητηση", "αναζητησησ"),
        ("खेज", "खोज"),
        ("वाकय", "वाक्य"),
        ("qeue", "queue"),
    ],
)
def test_a_slip_is_found(index: Index, typed: str, meant: str) -> None:
    """A letter too many, too few or wrong, or two in each other's place; two such slips in a long word."""
    assert suggest(index(WORDS), typed) == meant


@pytest.mark.parametrize(
    "typed",
    ["database", "DATABASE", "Überraschung", "no", "na", "xx", "", " ", "zz", "utf9", "utf", "12345", "t4ble", "tab-le",
     "zebra", "dtbs", "wnidwo", "x" * 41, "x" * 20_000, "\0abc", "日本語", "a b c", "'\"*"],
    ids=lambda typed: ascii(typed[:20]),
)  # fmt: skip
def test_nothing_is_suggested(index: Index, typed: str) -> None:
    """Not for a word that is there, for fewer than three letters, for anything with digits or signs, nor from afar."""
    assert suggest(index(WORDS), typed) is None


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("tible", "table"),  # before `stable`, which is two slips away
        ("lable", "label"),  # before `table`, which begins with another letter and is in more sections
        ("xable", "table"),  # which is in more sections than `cable`
        ("tden", "then"),  # in more sections than `ten`
    ],
)
def test_the_nearest_most_frequent_word_is_meant(index: Index, typed: str, meant: str) -> None:
    """Fewest slips, then the same first letter, then most sections."""
    assert suggest(index(WORDS), typed) == meant


def test_two_slips_want_seven_letters(index: Index) -> None:
    """A short word at two slips is another word."""
    connection = index({"search": 10, "searches": 5})
    assert suggest(connection, "saerhc") is None
    assert suggest(connection, "saerhces") == "searches"
    assert suggest(connection, "xaerches") is None  # a first letter of two


def test_two_slips_lead_to_a_frequent_word(index: Index) -> None:
    """Not to one that is rarer than twenty thousand others, and one slip leads to any."""
    connection = index({"searches": 1} | {f"z{number:05}": 2 for number in range(20_000)})
    assert suggest(connection, "saerhces") is None
    assert suggest(connection, "serches") == "searches"
    connection.execute("UPDATE words SET sections = 3 WHERE word = 'searches'")
    assert suggest(connection, "saerhces") == "searches"


@cache
def slips(one: str, other: str) -> int:
    """Slips between two words, as Damerau's distance is defined."""
    if not one or not other:
        return len(one) + len(other)
    ways = [slips(one[1:], other) + 1, slips(one, other[1:]) + 1, slips(one[1:], other[1:]) + (one[0] != other[0])]
    if len(one) > 1 and len(other) > 1 and (one[0], one[1]) == (other[1], other[0]):
        ways.append(slips(one[2:], other[2:]) + 1)
    return min(ways)


def test_suggestions_are_those_of_the_definition(index: Index) -> None:
    """Against every word of a random vocabulary: none nearer, none more frequent, none missed."""
    chance = random.Random(7)
    words = {"".join(chance.choices("abcd", k=chance.randint(3, 10))): number for number in range(300)}
    connection = index(words)
    suggested = 0
    for _ in range(600):
        typed = "".join(chance.choices("abcd", k=chance.randint(3, 10)))
        if typed in words:
            continue
        allowed = 2 if len(typed) >= 7 else 1
        near = [
            (distance, word[0] != typed[0], -sections, word)
            for word, sections in words.items()
            if (distance := slips(typed, word)) <= allowed and (distance == 1 or word[0] == typed[0])
        ]
        expected = min(near)[3] if near else None
        assert suggest(connection, typed) == expected, typed
        suggested += expected is not None
    assert suggested > 100


def test_two_words_written_as_one_are_parted(index: Index) -> None:
    """Where the index holds both, side by side."""
    connection = index(WORDS)
    assert suggest(connection, "fulltext") == "full text"
    assert suggest(connection, "FlowOver") == "flow over"
    assert suggest(connection, "overflow") is None
    assert suggest(connection, "thexyz") is None


def test_a_word_is_parted_into_the_more_frequent_two(index: Index) -> None:
    """The rarer of the two counts."""
    connection = index({"foo": 900, "barbaz": 2, "foobar": 4, "baz": 3})
    connection.execute("INSERT INTO sections_fts VALUES ('foo barbaz, foobar baz')")
    assert suggest(connection, "foobarbaz") == "foobar baz"


def test_one_word_written_as_two_is_joined(index: Index) -> None:
    """Where the index holds it, and the two never side by side."""
    connection = index({**WORDS, "fulltext": 1})
    assert suggest(connection, "Data  Base") == "database"
    assert suggest(connection, "full text") is None
    assert suggest(connection, "over flow") is None


@pytest.mark.parametrize(
    ("typed", "limit", "words"),
    [
        ("data", 10, ["database", "data", "databases"]),
        ("DATAB", 10, ["database", "databases"]),
        ("t", 3, ["the", "text", "table"]),
        ("t", 10, ["the", "text", "table", "then", "ten"]),
        ("стр", 10, []),
        ("ПО", 10, ["поиск"]),
        ("Über", 10, ["uberraschung"]),
        ("%", 10, []),
        ("", 10, []),
        ("t", 0, []),
        ("\U0010ffff", 10, []),
    ],
)
def test_completions(index: Index, typed: str, limit: int, words: list[str]) -> None:
    """The words that begin so, those in most sections first."""
    assert completions(index(WORDS), typed, limit) == words


def test_completions_among_many_words(index: Index) -> None:
    """Where thousands begin so, these are the same."""
    rare = {f"t{number:05}": 1 + number % 7 for number in range(12_000)}
    connection = index({**WORDS, **rare})
    assert completions(connection, "t", 6) == ["the", "text", "table", "then", "ten", "t00006"]
    assert completions(connection, "t0", 2) == ["t00006", "t00013"]
    assert completions(connection, "ta", 2) == ["table"]


BLOCKS = ((0x41, 0x1BF), (0x1CD, 0x1DD), (0x386, 0x3CF), (0x400, 0x482), (0x1E00, 0x1E9A), (0x1EA0, 0x1EF9))


def test_folded_as_the_tokenizer_does(tmp_path: Path) -> None:
    """Latin, Greek and Cyrillic letters, alone and with marks, are as FTS5 has them."""
    connection = sqlite3.connect(tmp_path / "letters.db")
    connection.execute(
        "CREATE VIRTUAL TABLE texts USING fts5(text, tokenize = "
        "\"unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'\")"
    )
    connection.execute("CREATE VIRTUAL TABLE terms USING fts5vocab(texts, instance)")
    letters = [
        letter
        for start, end in (
            (0x41, 0x1BF),
            (0x1CD, 0x1DD),
            (0x386, 0x3CF),
            (0x400, 0x482),
            (0x1E00, 0x1E9A),
            (0x1EA0, 0x1EF9),
        )
        for letter in map(chr, range(start, end))
        if letter.isalpha() and letter not in "µſ"  # compatibility characters, in hardly a text
    ]
    letters += ["e\u0301", "o\u0308\u0323", "и\u0306"]
    connection.executemany("INSERT INTO texts(rowid, text) VALUES (?, ?)", enumerate(f"x{one}x" for one in letters))
    tokens = connection.execute("SELECT term FROM terms ORDER BY doc").fetchall()
    connection.close()
    assert [folded(f"x{one}x") for one in letters] == [token for (token,) in tokens]

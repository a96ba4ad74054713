"""The full-text indexes of an index file: what they index, how, and what keeps them at one with it."""

import sqlite3
from typing import Final

from crawler.forms import forms
from crawler.languages import is_word, spaced

FTS_COLUMNS: Final = ("title", "heading", "ids", "terms", "text", "forms")
# bm25 weights in the order of FTS_COLUMNS, kept in the file so that sqlite-utils and Datasette rank as we do.
FTS_WEIGHTS: Final = (2.0, 5.0, 3.0, 3.0, 1.0, 0.5)
RANK: Final = f"bm25({', '.join(map(str, FTS_WEIGHTS))})"
CALLED_COLUMNS: Final = ("links", "forms")
# The indexes, and the tables that they index.
FULL_TEXT: Final = {"sections_fts": "sections", "called_fts": "called", "words_fts": "sections"}
WITHOUT_SIZES: Final = frozenset({"words_fts"})

# Marks are parts of words: without them, the vowels of Hindi would end its words.
_WORDS: Final = "unicode61 remove_diacritics 2 categories ''L* N* Co Mn Mc''"
_WORD_COLUMNS: Final = ("title", "heading", "ids", "text")  # lead terms stand in the text, too

INDEXES: Final = (
    # As sqlite-utils writes it, which looks for the index of a table by these very words.
    f'CREATE VIRTUAL TABLE "sections_fts" USING FTS5 ({", ".join(FTS_COLUMNS)}, '
    f"tokenize='porter {_WORDS}', content=\"sections\", content_rowid='id')",
    # What links call a section is a table and an index of its own: kept with the sections, every one that gains a text
    # would have to be written and indexed anew.
    "CREATE VIRTUAL TABLE called_fts USING fts5"
    f"({', '.join(CALLED_COLUMNS)}, content='called', content_rowid='section', tokenize='porter {_WORDS}')",
    # Words as they are written, and in which sections: the table `words` is counted from it. No place within a section
    # is kept, and it is a twentieth of the file.
    f"CREATE VIRTUAL TABLE words_fts USING fts5({', '.join(_WORD_COLUMNS)}, content='sections', content_rowid='id', "
    f"detail=none, columnsize=0, tokenize='{_WORDS}')",
)
RANKED: Final = (
    f"INSERT INTO sections_fts(sections_fts, rank) VALUES ('rank', '{RANK}')",
    "INSERT INTO called_fts(called_fts, rank) VALUES ('rank', 'bm25(1.0, 0.5)')",
)


def rebuild(index: str) -> str:
    """The statement that makes one of the indexes anew from its table."""
    return f"INSERT INTO {index}({index}) VALUES ('rebuild')"


def _insert(index: str, columns: tuple[str, ...]) -> str:
    new = ", ".join(f"new.{name}" for name in columns)
    return f"INSERT INTO {index}(rowid, {', '.join(columns)}) VALUES (new.id, {new});"


def _delete(index: str, columns: tuple[str, ...]) -> str:
    old = ", ".join(f"old.{name}" for name in columns)
    return f"INSERT INTO {index}({index}, rowid, {', '.join(columns)}) VALUES ('delete', old.id, {old});"


_ADDED: Final = f"{_insert('sections_fts', FTS_COLUMNS)} {_insert('words_fts', _WORD_COLUMNS)}"
_TAKEN: Final = f"{_delete('sections_fts', FTS_COLUMNS)} {_delete('words_fts', _WORD_COLUMNS)}"
# They keep the indexes at one with their content, whoever writes: as sqlite-utils', but on indexed columns only.
TRIGGERS: Final = {
    "sections_ai": f"CREATE TRIGGER sections_ai AFTER INSERT ON sections BEGIN {_ADDED} END",
    "sections_ad": f"CREATE TRIGGER sections_ad AFTER DELETE ON sections BEGIN {_TAKEN} END",
    "sections_au": f"CREATE TRIGGER sections_au AFTER UPDATE OF {', '.join(FTS_COLUMNS)} ON sections "
    f"BEGIN {_TAKEN} {_ADDED} END",
}

# What a person might misspell, or begin to type: words as the index has them, and how many sections hold them. A word
# of a single section is as likely a slip as a word, but where there are few sections at all.
WORDS: Final = (
    "CREATE TABLE words (word TEXT PRIMARY KEY, sections INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE INDEX words_by_sections ON words(sections DESC)",
)
_FEW: Final = 5_000  # sections
# Whether they are to be counted after so many sections came: it takes seconds for every million that there are.
WORTH_COUNTING: Final = """
SELECT count(*) < 50000 OR :came * 100 >= count(*) OR NOT EXISTS (SELECT 1 FROM words) FROM sections
"""
COUNT_WORDS: Final = (
    "CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, words_fts, row)",
    "DELETE FROM words",
    f"""
INSERT INTO words SELECT term, doc FROM temp.vocabulary
WHERE doc > (SELECT count(*) >= {_FEW} FROM sections) AND is_word(term)
""",
    "DROP TABLE temp.vocabulary",
)


def prepare(connection: sqlite3.Connection) -> None:
    """Gives a connection the functions that statements about full text call."""
    connection.create_function("forms", 2, lambda text, lang: forms(text or "", lang or ""), deterministic=True)
    connection.create_function("spaced", 1, lambda text: spaced(text or ""), deterministic=True)
    connection.create_function("is_word", 1, is_word, deterministic=True)

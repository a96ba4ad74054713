"""How an index file of an older schema becomes one of the present: a step for each version, each in one transaction."""

import sqlite3
from collections.abc import Callable
from typing import Final

from crawler.fingerprint import digest, sketch
from crawler.forms import forms
from crawler.languages import guess, spaced, uniform
from crawler.store.fulltext import COUNT_WORDS, FULL_TEXT, INDEXES, RANKED, TRIGGERS, WORDS, rebuild

_AS_INDEXED: Final = """
(SELECT group_concat(part, char(10)) FROM (SELECT iif(heading = '', text, iif(text = '', heading,
    heading || char(10) || text)) AS part FROM sections WHERE sections.page = pages.id ORDER BY "order"))
"""
# A page's text as `crawler.page.Page.text` gives it: headings and texts, a line each, and not spaced.
TEXT_OF_PAGE: Final = f"replace({_AS_INDEXED}, char(0x200B), '')"

# Two sketches of which at most three bins of sixteen differ have one quarter in common. Only pages that stand for their
# group are looked up, so a site of ten thousand pages that are all alike costs no more than any other.
QUARTERS: Final = tuple(f"(sketch >> {shift}) & 0xFFFF" for shift in (48, 32, 16, 0))
ALIKE_INDEXES: Final = tuple(
    f"CREATE INDEX pages_alike_{number} ON pages({quarter}) WHERE similar_to = id"
    for number, quarter in enumerate(QUARTERS, 1)
)
SIMILAR_INDEX: Final = "CREATE INDEX pages_by_similar ON pages(similar_to)"
# Holds only what waits, so it stays as small as the queue. Of many of one shape, the later ones wait longer.
QUEUED_INDEX: Final = "CREATE INDEX urls_queued ON urls(host, depth + crowd, id) WHERE state = 'queued'"
LANG_INDEX: Final = "CREATE INDEX pages_by_lang ON pages(lang)"
ALIAS_INDEX: Final = "CREATE INDEX urls_same_as ON urls(same_as) WHERE same_as IS NOT NULL"


def _to_2(run: Callable[..., sqlite3.Cursor]) -> None:
    """Visits, duplicates, previous texts."""
    for table, column in (
        ("urls", "same_as INTEGER"),
        ("urls", "visits INTEGER NOT NULL DEFAULT 0"),
        ("urls", "changes INTEGER NOT NULL DEFAULT 0"),
        ("urls", "due_at TEXT"),
        ("pages", "changed_at TEXT"),
        ("pages", "body_hash TEXT"),
        ("pages", "text_hash TEXT"),
        ("pages", "sketch INTEGER"),
        ("pages", "similar_to INTEGER"),
    ):
        run(f"ALTER TABLE {table} ADD COLUMN {column}")
    run("CREATE TABLE versions (page INTEGER PRIMARY KEY, fetched_at TEXT, text BLOB)")
    run("CREATE INDEX pages_by_body ON pages(body_hash)")
    for statement in (ALIAS_INDEX, SIMILAR_INDEX, *ALIKE_INDEXES):
        run(statement)
    run("UPDATE urls SET visits = 1, due_at = fetched_at WHERE status IS NOT NULL")
    run("UPDATE pages SET changed_at = fetched_at")
    run(f"UPDATE pages SET text_hash = digest({TEXT_OF_PAGE}), sketch = sketch({TEXT_OF_PAGE})")


def _to_3(run: Callable[..., sqlite3.Cursor]) -> None:
    """What hosts say and how they bear being asked; sitemaps, turns by shape, what pages say of other uses; sketches of
    shorter beginnings."""
    for table, column in (
        ("hosts", "usage TEXT"),
        ("hosts", "delay REAL"),
        ("hosts", "rests_until TEXT"),
        ("urls", "sitemap TEXT"),
        ("urls", "crowd INTEGER NOT NULL DEFAULT 0"),
        ("pages", "usage TEXT"),
    ):
        run(f"ALTER TABLE {table} ADD COLUMN {column}")
    run("DROP INDEX urls_queued")
    run(QUEUED_INDEX)
    run(f"UPDATE pages SET sketch = sketch({TEXT_OF_PAGE}), similar_to = NULL")


def _from_3(run: Callable[..., sqlite3.Cursor]) -> None:
    """Search in every language: texts are spaced, other forms of words stand beside them, and words are counted."""
    _drop_indexes(run)
    _add_forms(run)
    for statement in (LANG_INDEX, *WORDS):
        run(statement)
    run(
        f"UPDATE pages SET text_hash = digest(uniform({_AS_INDEXED})), sketch = sketch(uniform({_AS_INDEXED})) "
        f"WHERE text_hash = digest({_AS_INDEXED}) AND {_AS_INDEXED} <> uniform({_AS_INDEXED})"
    )
    _index_anew(run)


def _from_4(run: Callable[..., sqlite3.Cursor]) -> None:
    """The forms of words, which were stems: with the language that they are of, and with the signs of words."""
    _drop_indexes(run)
    run("ALTER TABLE sections DROP COLUMN stems")
    _add_forms(run)
    _index_anew(run)


def _drop_indexes(run: Callable[..., sqlite3.Cursor]) -> None:
    for trigger in TRIGGERS:
        run(f"DROP TRIGGER IF EXISTS {trigger}")
    for index in FULL_TEXT:
        run(f"DROP TABLE IF EXISTS {index}")


def _add_forms(run: Callable[..., sqlite3.Cursor]) -> None:
    for table in ("sections", "called"):
        run(f"ALTER TABLE {table} ADD COLUMN forms TEXT")


def _index_anew(run: Callable[..., sqlite3.Cursor]) -> None:
    _take_apart(run)
    for statement in (*INDEXES, *TRIGGERS.values(), *RANKED, *map(rebuild, FULL_TEXT), *COUNT_WORDS):
        run(statement)


def take_apart(connection: sqlite3.Connection) -> None:
    """Languages, stems and spaces between characters for rows that came from an older schema; others stay."""
    _add_functions(connection)
    _take_apart(connection.execute)


def _take_apart(run: Callable[..., sqlite3.Cursor]) -> None:
    run("UPDATE pages SET title = uniform(title) WHERE title <> uniform(title)")
    run(f"UPDATE pages SET lang = guess({TEXT_OF_PAGE}) WHERE coalesce(lang, '') = ''")
    run(
        "UPDATE sections SET forms = forms_of(pages.title, heading, text, lang, iif(\"order\", '', pages.url)) "
        "FROM pages WHERE pages.id = sections.page AND sections.forms IS NULL"
    )
    run(
        "UPDATE called SET forms = forms_of(links, '', '', lang, '') FROM sections, pages "
        "WHERE sections.id = called.section AND pages.id = sections.page AND called.forms IS NULL"
    )
    for table, columns in (("sections", ("title", "heading", "terms", "text")), ("called", ("links",))):
        values = ", ".join(f"{column} = as_indexed({column})" for column in columns)
        needed = " OR ".join(f"{column} <> as_indexed({column})" for column in columns)
        run(f"UPDATE {table} SET {values} WHERE {needed}")


# By the version that they start from, and which they come to: with the forms of words, the fourth is the fifth.
_STEPS: Final = {1: (_to_2, 2), 2: (_to_3, 3), 3: (_from_3, 5), 4: (_from_4, 5)}


def migrate(connection: sqlite3.Connection, version: int, wanted: int) -> None:
    """Brings the file from its version to the one that is wanted. A kill between two steps leaves a whole file."""
    _add_functions(connection)
    while version < wanted:
        connection.execute("BEGIN IMMEDIATE")
        try:
            step, reached = _STEPS[version]
            step(connection.execute)
            version = reached
            connection.execute(f"PRAGMA user_version = {version}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _forms(title: str, heading: str, text: str, lang: str, url: str) -> str:
    return forms(uniform(f"{title or ''} {heading or ''} {text or ''}"), lang or "", url or "")


def _add_functions(connection: sqlite3.Connection) -> None:
    for name, count, function in (
        ("digest", 1, lambda text: digest((text or "").encode())),
        ("sketch", 1, lambda text: sketch(text or "")),
        ("uniform", 1, lambda text: uniform(text or "")),
        ("as_indexed", 1, lambda text: spaced(uniform(text or ""))),
        ("guess", 1, lambda text: guess(text or "")),
        ("forms_of", 5, _forms),
    ):
        connection.create_function(name, count, function, deterministic=True)

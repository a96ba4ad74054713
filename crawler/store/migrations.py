"""How an index file of an older schema becomes one of the present: a step for each version, each in one transaction."""

import sqlite3
from collections.abc import Callable
from typing import Final

from crawler.fingerprint import digest, sketch

# A page's text as `crawler.page.Page.text` gives it: headings and texts, a line each.
TEXT_OF_PAGE: Final = """
(SELECT group_concat(part, char(10)) FROM (SELECT iif(heading = '', text, iif(text = '', heading,
    heading || char(10) || text)) AS part FROM sections WHERE sections.page = pages.id ORDER BY "order"))
"""

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


_STEPS: Final = {1: _to_2, 2: _to_3}  # by the version that they start from


def migrate(connection: sqlite3.Connection, version: int, wanted: int) -> None:
    """Brings the file from its version to the one that is wanted. A kill between two steps leaves a whole file."""
    connection.create_function("digest", 1, lambda text: digest((text or "").encode()), deterministic=True)
    connection.create_function("sketch", 1, lambda text: sketch(text or ""), deterministic=True)
    while version < wanted:
        connection.execute("BEGIN IMMEDIATE")
        try:
            _STEPS[version](connection.execute)
            version += 1
            connection.execute(f"PRAGMA user_version = {version}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

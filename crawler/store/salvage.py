"""Saves what can be read of a damaged index file into a new one, row by row."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crawler.store import schema
from crawler.store.fulltext import COUNT_WORDS, rebuild
from crawler.store.migrations import take_apart

# Every table, but for the words, which are counted anew, and an index of all its rows, by which it is known how many
# there were.
_TABLES: Final = {
    "urls": "urls_by_url",
    "pages": "pages_by_url",
    "versions": "",
    "sections": "sections_by_page",
    "called": "",
    "links": "links_by_source",
    "hosts": "sqlite_autoindex_hosts_1",
    "crawls": "",
}
_BEYOND: Final = 10_000  # rows that may stand behind the last that can be read, where nothing tells how many there are
_BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Saved:
    """How many rows of a table were saved, and how many were lost (None: some, but nothing tells how many)."""

    saved: int
    lost: int | None


def salvage(damaged: Path, fresh: Path) -> dict[str, Saved]:
    """Makes a new file of all rows that can be read, and indexes them. The damaged file stays as it is.

    Raises sqlite3.Error when nothing at all can be read of it, IndexFileError when the new one cannot be written.
    """
    with (
        closing(sqlite3.connect(damaged.absolute(), isolation_level=None)) as source,
        closing(schema.connect_writer(fresh)) as target,
    ):
        # As lenient as it goes: a part of the schema that cannot be parsed is passed over, a file that was cut is read
        # as far as it goes, and a text that is no text any more is shown with marks in it.
        source.execute("PRAGMA writable_schema = ON")
        source.execute("PRAGMA cell_size_check = ON")
        source.execute("PRAGMA query_only = ON")
        source.text_factory = lambda raw: raw.decode("utf-8", "replace")
        source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        saved = {table: _save(source, target, table) for table in _TABLES}
        take_apart(target)
        for statement in (rebuild("called_fts"), *COUNT_WORDS):
            target.execute(statement)
    return saved


def _save(source: sqlite3.Connection, target: sqlite3.Connection, table: str) -> Saved:
    wanted = [row[1] for row in target.execute(f"PRAGMA table_info({table})")]
    there = {row[1] for row in source.execute(f"PRAGMA table_info({table})")}
    columns = ", ".join(f'"{name}"' for name in wanted if name in there)
    if not columns:
        return Saved(0, None)
    marks = ", ".join("?" * (1 + columns.count('", "') + 1))
    statement = f"INSERT OR IGNORE INTO {table}(rowid, {columns}) VALUES ({marks})"
    gaps, read = [0], 0
    batch: list[tuple[Any, ...]] = []
    target.execute("BEGIN")
    for row in _rows(source, f"SELECT rowid, {columns} FROM {table}", _last(source, table), gaps):
        batch.append(row)
        read += 1
        if len(batch) == _BATCH:
            target.executemany(statement, batch)
            batch.clear()
    target.executemany(statement, batch)
    target.execute("COMMIT")
    (saved,) = target.execute(f"SELECT count(*) FROM {table}").fetchone()
    known = _count(source, table)
    if known is None:
        return Saved(saved, None if gaps[0] else read - saved)
    return Saved(saved, max(known, read) - saved)


def _rows(source: sqlite3.Connection, select: str, end: int, gaps: list[int]) -> Iterator[tuple[Any, ...]]:
    """All rows that can be read, up to a row id. What cannot is come at from both sides, and halved between.

    `gaps` counts the places where something is missing.
    """
    spans = [(1, end)]
    while spans:
        first, last = spans.pop()
        if first > last:
            continue
        low = first - 1
        failed = False
        try:
            for row in source.execute(f"{select} WHERE rowid BETWEEN ? AND ? ORDER BY rowid", (first, last)):
                if row[0] <= low or row[0] > last:  # a damaged page may lead in circles
                    raise sqlite3.DatabaseError("out of order")
                low = row[0]
                yield row
        except sqlite3.Error:
            failed = True
        if not failed:
            continue
        high = last + 1
        try:
            for row in source.execute(f"{select} WHERE rowid BETWEEN ? AND ? ORDER BY rowid DESC", (low + 1, last)):
                if row[0] >= high or row[0] <= low:
                    raise sqlite3.DatabaseError("out of order")
                high = row[0]
                yield row
        except sqlite3.Error:
            gaps[0] += 1
            if high - low > 2:
                middle = (low + high) // 2
                spans += [(middle + 1, high - 1), (low + 1, middle)]


def _last(source: sqlite3.Connection, table: str) -> int:
    """The largest row id that there may be, by whatever can be read of it."""
    index, texts = _TABLES[table], "called" if table == "called" else "sections"
    queries = [f"SELECT max(rowid) FROM {table}"]
    queries += [f"SELECT max(rowid) FROM {table} INDEXED BY {index}"] if index else []
    queries += [f"SELECT max(id) FROM {texts}_fts_docsize"] if table == texts else []
    found = []
    for query in queries:
        with suppress(sqlite3.Error):
            found.append(source.execute(query).fetchone()[0] or 0)
    if not found:
        with suppress(sqlite3.Error):
            found.extend(row[0] for row in source.execute(f"SELECT rowid FROM {table} NOT INDEXED ORDER BY rowid"))
        found.append(max(found, default=0) + _BEYOND)
    return max(found)


def _count(source: sqlite3.Connection, table: str) -> int | None:
    """How many rows there were, by the table or else by an index of it; None when neither can be read."""
    counts = []
    for how in ("NOT INDEXED", f"INDEXED BY {_TABLES[table]}" if _TABLES[table] else ""):
        with suppress(sqlite3.Error):
            if how:
                counts.append(source.execute(f"SELECT count(*) FROM {table} {how}").fetchone()[0])
    return max(counts, default=None)

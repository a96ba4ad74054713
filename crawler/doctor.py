"""Whether an index file is sound: one check after another, each with what is wrong and what to do."""

import platform
import re
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from crawler import __version__
from crawler.census import size_of
from crawler.errors import IndexFileError
from crawler.fingerprint import digest
from crawler.store import fulltext, schema
from crawler.store.migrations import TEXT_OF_PAGE
from crawler.store.owner import own, running

_REPAIR: Final = "crawl doctor --repair"

# What an interrupted or damaged write may leave behind: what it is called, and the rows of it.
ORPHANS: Final = {
    "sections without a page": "sections WHERE page NOT IN (SELECT id FROM pages)",
    "pages without a URL": "pages WHERE id NOT IN (SELECT id FROM urls)",
    "pages without a section": "pages WHERE id NOT IN (SELECT page FROM sections)",
    "pages with another text than was fetched": f"pages WHERE text_hash <> digest({TEXT_OF_PAGE})",
    "links without a source or a target": "links WHERE source NOT IN (SELECT id FROM urls) "
    "OR target NOT IN (SELECT id FROM urls)",
    "URLs done without a page": "urls WHERE state = 'done' AND reason IN ('', 'cut-at-max-size', 'cut-by-parser') "
    "AND same_as IS NULL AND id NOT IN (SELECT id FROM pages)",
    "duplicates of a page that is not there": "urls WHERE same_as IS NOT NULL "
    "AND same_as NOT IN (SELECT id FROM pages)",
    # Of a page that is gone, the earlier text may stay.
    "earlier texts without a URL": "versions WHERE page NOT IN (SELECT id FROM urls)",
}


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at."""

    name: str
    ok: bool
    says: str
    """What was found, in one line."""
    advice: str = ""
    """What to do, when it is not ok."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What the checks of one file found."""

    db: str
    checks: tuple[Check, ...] = field(default_factory=tuple)

    @property
    def sound(self) -> bool:
        return all(check.ok for check in self.checks)

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; a contract."""
        return {"db": self.db, "sound": self.sound, "checks": [asdict(check) for check in self.checks]}


def examine(db: str | Path = "crawl.db") -> Diagnosis:
    """Looks at an index file from all sides. A file of an older schema is brought up to the present one.

    Beside a running crawl what needs the file to itself is left out, and said to be. Raises IndexFileError when there
    is no index at that path, or a file of another program's.
    """
    path = Path(db)
    if not (version := schema.check(path)):
        raise IndexFileError(f"{db}: there is no index yet", "crawl first: crawl --seed URL --depth 2")
    process = running(path)
    if process is not None:
        return Diagnosis(str(db), tuple(_checks(path, version, version, process)))
    with own(path.resolve()):
        return diagnose(path, version)


def diagnose(path: Path, version: int) -> Diagnosis:
    """What `examine` does, for a process that owns the file already."""
    now = version
    if version < schema.VERSION:
        try:
            schema.connect_writer(path).close()
            now = schema.VERSION
        except IndexFileError:
            pass  # the checks say why
    return Diagnosis(str(path), tuple(_checks(path, version, now, None)))


def connect(path: Path) -> sqlite3.Connection:
    """A connection to a file that may be damaged: nothing is looked at before it is asked for."""
    connection = sqlite3.connect(path.absolute(), isolation_level=None)
    connection.execute("PRAGMA cell_size_check = ON")
    connection.execute("PRAGMA busy_timeout = 5000")
    connection.create_function("digest", 1, lambda text: digest((text or "").encode()), deterministic=True)
    fulltext.prepare(connection)
    return connection


def _checks(path: Path, before: int, now: int, process: int | None) -> Iterator[Check]:
    python, sqlite = platform.python_version(), sqlite3.sqlite_version
    yield Check("versions", True, f"crawler {__version__}, Python {python}, SQLite {sqlite}")
    if now < schema.VERSION:
        advice = "wait for the crawl to end" if process is not None else _REPAIR
        yield Check("schema", False, f"{now}, and this crawler's is {schema.VERSION}", advice)
    else:
        yield Check("schema", True, f"{now}" + (f", brought up from {before}" if before < now else ""))
    who = "no crawl is running" if process is None else f"a crawl is running (process {process})"
    yield Check("owner", True, who)
    size, free = size_of(path), shutil.disk_usage(path.absolute().parent).free
    room = f"{size / 1e6:.1f} MB, and {free / 1e6:.1f} MB free on its disk"
    enough = free >= 2 * size
    yield Check("disk", enough, room, "" if enough else "free some space: a repair needs twice the size of the file")
    with closing(connect(path)) as connection:
        yield _guarded("structure", lambda: _structure(connection))
        yield _guarded("schema objects", lambda: _objects(connection))
        for index, table in fulltext.FULL_TEXT.items():
            if process is not None:
                yield Check(index, True, "not looked at while a crawl writes")
            else:
                yield _guarded(index, lambda index=index, table=table: _full_text(connection, index, table))  # type: ignore[misc]
        for what, rows in ORPHANS.items():
            yield _guarded(what, lambda what=what, rows=rows: _none(connection, what, rows))  # type: ignore[misc]


def _guarded(name: str, look: Callable[[], Check]) -> Check:
    """A check that SQLite cannot finish has found something."""
    try:
        return look()
    except (sqlite3.Error, UnicodeDecodeError) as error:
        return Check(name, False, f"cannot be looked at: {error}", _REPAIR)


def _structure(connection: sqlite3.Connection) -> Check:
    complaints = integrity(connection)
    if not complaints:
        return Check("structure", True, "every page, row and index entry is in its place")
    more = f", and {len(complaints) - 1} more complaints" if len(complaints) > 1 else ""
    return Check("structure", False, complaints[0] + more, _REPAIR)


def integrity(connection: sqlite3.Connection) -> list[str]:
    """What SQLite's own check complains of, a line each and a hundred at most. Raises sqlite3.Error."""
    said = [line for (text,) in connection.execute("PRAGMA integrity_check") for line in text.splitlines()]
    return [line for line in said if line != "ok" and not line.startswith("***")]


def _objects(connection: sqlite3.Connection) -> Check:
    wrong = [name for _, name, _ in misplaced(connection)]
    if not wrong:
        return Check("schema objects", True, "every table, index and trigger is there")
    return Check("schema objects", False, f"missing or not as they should be: {', '.join(wrong)}", _REPAIR)


def misplaced(connection: sqlite3.Connection) -> list[tuple[str, str, str]]:
    """Type, name and SQL of all that a new file has, and this one has not, or has differently.

    Tables are told by their names alone: those that were brought up from an older schema are spelt differently.
    """
    query = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid"
    there = {(kind, name): _bare(sql) for kind, name, sql in connection.execute(query)}
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as fresh:
        schema.create(fresh)
        wanted = fresh.execute(query).fetchall()
    return [
        (kind, name, sql)
        for kind, name, sql in wanted
        if (kind, name) not in there or (kind != "table" and there[kind, name] != _bare(sql))
    ]


def _bare(sql: str) -> str:
    return re.sub(r'["\s]', "", sql).lower()


def _full_text(connection: sqlite3.Connection, index: str, table: str) -> Check:
    connection.execute(f"INSERT INTO {index}({index}, rank) VALUES ('integrity-check', 1)")
    (rows,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    counted = "" if index in fulltext.WITHOUT_SIZES else f"{index}_docsize"
    (indexed,) = connection.execute(f"SELECT count(*) FROM {counted or table}").fetchone()
    if rows != indexed:
        return Check(index, False, f"{indexed} of {rows} rows of {table} are indexed", _REPAIR)
    return Check(index, True, f"at one with the {rows} rows of {table}")


def _none(connection: sqlite3.Connection, what: str, rows: str) -> Check:
    (count,) = connection.execute(f"SELECT count(*) FROM {rows}").fetchone()
    return Check(what, not count, str(count) if count else "none", _REPAIR if count else "")

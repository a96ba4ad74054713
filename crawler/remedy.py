"""Repairs an index file: in place where it can be, or row by row into a new file. A copy is made before anything."""

import os
import re
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

from crawler.doctor import ORPHANS, Diagnosis, connect, diagnose, integrity, misplaced
from crawler.errors import IndexFileError
from crawler.store import fulltext, schema
from crawler.store.owner import own
from crawler.store.salvage import Saved, salvage

# What REINDEX mends, and what a rebuilt full-text index does; any other complaint is of the pages of the file.
_MENDABLE: Final = re.compile(r"missing from index|wrong # of entries in index|non-unique entry in index|FTS5")

# As deep as anything that was fetched, so that a crawl does not grow by a repair; a link may bring it nearer.
_DEPTH: Final = "coalesce(depth, (SELECT max(depth) FROM urls WHERE state = 'done'), 0)"
_REQUEUED: Final = f"UPDATE urls SET state = 'queued', reason = '', detail = '', same_as = NULL, depth = {_DEPTH}"
# What becomes of orphans; in this order, for one makes another.
_ADOPTIONS: Final[dict[str, tuple[str, ...]]] = {
    # And is due at once. What cannot be taken in has its URL under another id.
    "pages without a URL": (
        "INSERT OR IGNORE INTO urls(id, url, host, state, reason, found_at, fetched_at, due_at, depth) "
        "SELECT id, url, coalesce(site, ''), 'done', '', fetched_at, fetched_at, fetched_at, "
        "coalesce((SELECT max(depth) FROM urls WHERE state = 'done'), 0) FROM {rows}",
        "DELETE FROM {rows}",
    ),
    "sections without a page": ("DELETE FROM {rows}",),
    "pages without a section": ("DELETE FROM {rows}",),
    # What is left of it can still be found until it is fetched again, which must not be answered "not modified".
    "pages with another text than was fetched": (
        f"UPDATE urls SET state = 'queued', etag = '', last_modified = '', depth = {_DEPTH} "
        "WHERE id IN (SELECT id FROM {rows})",
        "UPDATE pages SET body_hash = NULL, text_hash = NULL {where}",
    ),
    "URLs done without a page": (_REQUEUED + " {where}",),
    "duplicates of a page that is not there": (_REQUEUED + " {where}",),
    "links without a source or a target": ("DELETE FROM {rows}",),
    "earlier texts without a URL": ("DELETE FROM {rows}",),
}


@dataclass(frozen=True, slots=True)
class Repair:
    """What a repair found and did."""

    before: Diagnosis
    after: Diagnosis
    done: tuple[str, ...] = ()
    """A line for each thing that was done; none for a file that was sound."""
    copy: str | None = None
    """The file as it was before."""
    tables: dict[str, Saved] = field(default_factory=dict)
    """By table, the rows that were saved and lost, if the file had to be made anew."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; a contract."""
        tables = {name: asdict(saved) for name, saved in self.tables.items()}
        repair = {"copy": self.copy, "done": list(self.done), "tables": tables, "before": self.before.as_dict()}
        return self.after.as_dict() | {"repair": repair}


def repair(db: str | Path = "crawl.db") -> Repair:
    """Repairs an index file, as far as it can be, and looks at it again.

    Raises IndexFileError when there is none, a crawl is running, the disk has no room, or nothing could be saved; then
    the file is as it was.
    """
    path = Path(db)
    if not (version := schema.check(path)):
        raise IndexFileError(f"{db}: there is no index yet", "crawl first: crawl --seed URL --depth 2")
    path = path.resolve()
    try:
        with own(path):
            return _repaired(path, diagnose(path, version))
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise IndexFileError(f"{db}: cannot be repaired: {error}", "take a copy of it from before") from error


def _repaired(path: Path, before: Diagnosis) -> Repair:
    wrong = {check.name: check for check in before.checks if not check.ok}
    if room := wrong.pop("disk", None):
        raise IndexFileError(f"{path}: no room for a repair: {room.says}", room.advice)
    if not wrong:
        return Repair(before, before)
    copy = _copy(path)
    try:
        done = mend(path)
        after = diagnose(path, schema.VERSION)
        if after.sound:
            return Repair(before, after, tuple(done), str(copy))
    except (sqlite3.Error, UnicodeDecodeError):
        pass  # and was undone: the damage is deeper
    try:
        done, tables = _remade(path)
    except BaseException:
        for file in (copy, copy.with_name(copy.name + "-wal")):
            file.unlink(missing_ok=True)  # of a file that is as it was
        raise
    return Repair(before, diagnose(path, schema.VERSION), tuple(done), str(copy), tables)


def mend(path: Path) -> list[str]:
    """Repairs in one transaction what can be made from what is sound; says what was done.

    Raises sqlite3.Error when the pages of the file are damaged; then nothing was changed.
    """
    with closing(connect(path)) as connection:
        complaints = integrity(connection)
        if any(not _MENDABLE.search(complaint) for complaint in complaints):
            raise sqlite3.DatabaseError(complaints[0])
        run = connection.execute
        run("BEGIN IMMEDIATE")
        try:
            done = _mended(connection, run, complaints)
            run("COMMIT")
        except BaseException:
            if connection.in_transaction:
                run("ROLLBACK")
            raise
    return done


def _mended(connection: sqlite3.Connection, run: Callable[..., sqlite3.Cursor], complaints: list[str]) -> list[str]:
    done = []
    if complaints:
        run("REINDEX")
        done.append("made the indexes anew")
    for kind, name, sql in misplaced(connection):
        if kind != "table":
            run(f"DROP {kind} IF EXISTS {name}")
        elif re.search(r"_fts_\w+$", name):
            continue  # comes with its index
        run(sql)
        done.append(f"made the {kind} {name} anew")
    for index, table in fulltext.FULL_TEXT.items():
        run(fulltext.rebuild(index))
        done.append(f"made {index} anew from {table}")
    # The weights that searches rank by are kept with the index.
    for statement in fulltext.RANKED:
        run(statement)
    for what, statements in _ADOPTIONS.items():
        rows = ORPHANS[what]
        for statement in statements:
            written = statement.format(rows=rows, where=rows.partition(" ")[2])
            if (count := run(written).rowcount) and "body_hash" not in statement:
                verb = "deleted" if statement.startswith("DELETE") else "queued" if "queued" in statement else "took in"
                done.append(f"{verb} {count} {what}")
    for statement in fulltext.COUNT_WORDS:
        run(statement)
    return done


def _remade(path: Path) -> tuple[list[str], dict[str, Saved]]:
    """Puts a new file of all that can be read in the place of a damaged one, which stays beside it."""
    fresh = _free(path, ".salvaged")
    try:
        tables = salvage(path, fresh)
        if not tables["urls"].saved and not tables["pages"].saved:
            raise sqlite3.DatabaseError("neither its pages nor its URLs can be read")
        done = mend(fresh)
    except BaseException:
        fresh.unlink(missing_ok=True)
        raise
    if not diagnose(fresh, schema.VERSION).sound:
        raise IndexFileError(f"{path}: cannot be made sound", f"what could be read of it is in {fresh}")
    shutil.copymode(path, fresh)
    damaged = _free(path, ".damaged")
    os.link(path, damaged)
    # A log that belongs to the damaged file must not be played into the new one.
    for beside in ("-wal", "-shm"):
        if (log := path.with_name(path.name + beside)).exists():
            log.rename(damaged.with_name(damaged.name + beside))
    fresh.replace(path)
    return [f"made the file anew; the damaged one is {damaged}", *done], tables


def _copy(path: Path) -> Path:
    """A copy of the file as it is, beside it. Never over an earlier one."""
    copy = _free(path, ".before-repair")
    try:
        with closing(connect(path)) as source, closing(sqlite3.connect(copy)) as target:
            source.backup(target)
    except sqlite3.Error:  # too damaged for SQLite
        shutil.copyfile(path, copy)
        log = path.with_name(path.name + "-wal")
        if log.exists():
            shutil.copyfile(log, copy.with_name(copy.name + "-wal"))
    return copy


def _free(path: Path, ending: str) -> Path:
    """A name beside the file that nothing has."""
    name, number = path.name + ending, 1
    while (beside := path.with_name(name if number == 1 else f"{name}-{number}")).exists():
        number += 1
    return beside

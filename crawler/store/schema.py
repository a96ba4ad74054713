"""The tables of an index file, and how such a file is opened.

The file is meant to be looked at: with sqlite-utils, Datasette or the sqlite3 shell. Names, not numbers, stand where
a person will look.
"""

import contextlib
import os
import sqlite3
import threading
from pathlib import Path
from typing import Final

from crawler.errors import IndexFileError
from crawler.store.fulltext import CALLED_COLUMNS, FTS_COLUMNS, INDEXES, RANKED, TRIGGERS, WORDS, prepare
from crawler.store.migrations import ALIAS_INDEX, ALIKE_INDEXES, LANG_INDEX, QUEUED_INDEX, SIMILAR_INDEX, migrate

APPLICATION_ID: Final = 0x6372776C  # "crwl", in the header of the file: PRAGMA application_id
VERSION: Final = 5  # of the schema: PRAGMA user_version

_ANOTHER: Final = "give another path with --db"
_OPENING: Final[dict[Path, threading.Lock]] = {}

MINIMUM_SQLITE: Final = (3, 38, 0)  # UPDATE … FROM, ->> on JSON

_PAGE_SIZE: Final = 8192  # bytes; sections are long rows, and a crawl takes a twentieth less than with 4096

_WRITER_PRAGMAS = (
    # Readers go on while the writer writes, and a commit is one append.
    "PRAGMA journal_mode = WAL",
    # A commit waits for no disk; a power cut may take the newest commits, whole, and never the file.
    "PRAGMA synchronous = NORMAL",
    # 64 MiB of pages, so that the indexes of a large frontier stay in memory.
    "PRAGMA cache_size = -65536",
    "PRAGMA foreign_keys = OFF",  # held by the one transaction that writes; checked by `integrity_check` in tests
    "PRAGMA wal_autocheckpoint = 4000",  # pages: fewer, longer checkpoints than the default 1000
    "PRAGMA journal_size_limit = 67108864",
    "PRAGMA busy_timeout = 10000",
)
_READER_PRAGMAS = (
    "PRAGMA query_only = ON",
    "PRAGMA trusted_schema = OFF",  # a file from elsewhere must not run functions of its own
    "PRAGMA cell_size_check = ON",
    "PRAGMA mmap_size = 268435456",
    "PRAGMA cache_size = -32768",  # 32 MiB, of what lies beyond: rows of sections, looked up in no order
    "PRAGMA busy_timeout = 5000",
)


def connect_writer(path: Path, *, durable: bool = False) -> sqlite3.Connection:
    """The one writing connection to the file, which is created with all tables when it is missing or empty.

    `durable` makes every commit wait for the disk. Raises IndexFileError.
    """
    if sqlite3.sqlite_version_info < MINIMUM_SQLITE:
        wanted = ".".join(map(str, MINIMUM_SQLITE))
        raise IndexFileError(
            f"SQLite {sqlite3.sqlite_version} is too old", f"use a Python built with SQLite {wanted} or newer"
        )
    connection: sqlite3.Connection | None = None
    try:
        with _opening(path):
            _checked(path)
            connection = sqlite3.connect(path.absolute(), check_same_thread=False, isolation_level=None)
            version = connection.execute("PRAGMA user_version").fetchone()[0]
        prepare(connection)
        if not version:
            connection.execute(f"PRAGMA page_size = {_PAGE_SIZE}")
            create(connection)
        elif version < VERSION:
            migrate(connection, version, VERSION)
        for pragma in _WRITER_PRAGMAS:
            connection.execute(pragma)
        if durable:
            connection.execute("PRAGMA synchronous = FULL")
    except (sqlite3.Error, UnicodeDecodeError) as error:
        if connection is not None:
            connection.close()
        raise failure(path, error, "written", "check the path and its permissions") from error
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that cannot write, whatever happens. Raises IndexFileError."""
    try:
        with _opening(path):
            version = _checked(path)
            if not version:
                raise IndexFileError(f"{path}: there is no index yet", "crawl first: crawl --seed URL --depth 2")
            if version < VERSION:
                raise IndexFileError(
                    f"{path}: is of schema {version}, from an older crawler", "upgrade it: crawl doctor"
                )
            return _reader(path)
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise failure(path, error, "read") from error


def _reader(path: Path) -> sqlite3.Connection:
    try:
        return _connect_reader(path, "mode=ro")
    except sqlite3.OperationalError as error:
        # Even to be read, a file in WAL mode wants two files beside it. Where nobody may make them and there is no
        # log, there is no writer either, and the file is all there is.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF not in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN):
            raise
        real = path.resolve()
        if _is_there(real.with_name(real.name + "-journal")):
            raise IndexFileError(f"{path}: an upgrade of it was interrupted", "crawl doctor") from error
        if _is_there(log := real.with_name(real.name + "-wal")):
            raise IndexFileError(
                f"{path}: cannot be read: its newest part, {log.name}, can be read by who may write here only",
                "copy both files to a folder that you may write to",
            ) from error
        return _connect_reader(path, "mode=ro&immutable=1")


def _is_there(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0


def _connect_reader(path: Path, options: str) -> sqlite3.Connection:
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?{options}", uri=True, isolation_level=None)
    try:
        for pragma in _READER_PRAGMAS:
            connection.execute(pragma)
        connection.execute("SELECT 1 FROM sections_fts LIMIT 1").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def failure(path: str | Path, error: Exception, what: str, hint: str = "crawl doctor") -> IndexFileError:
    """What SQLite or the decoding of its texts raised, in our words; `what` could not be done: `read`, `written`."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    said = " ".join(str(error).split())[:200]
    if code == sqlite3.SQLITE_FULL:
        return IndexFileError(f"{path}: the disk is full", "free some space and run the same command again")
    if code == sqlite3.SQLITE_READONLY:
        return IndexFileError(f"{path}: cannot be written: {said}", "check the path and its permissions")
    is_garbled = isinstance(error, UnicodeDecodeError) or said.startswith("Could not decode")
    if code == sqlite3.SQLITE_NOTADB:
        return IndexFileError(f"{path}: is not a SQLite file", _ANOTHER)
    if is_garbled or code == sqlite3.SQLITE_CORRUPT:
        told = "a text is garbled" if is_garbled else said
        return IndexFileError(f"{path}: is damaged: {told}", "save what can be saved: crawl doctor --repair")
    return IndexFileError(f"{path}: cannot be {what}: {said}", hint)


def _opening(path: Path) -> threading.Lock:
    """Held while a file is looked at and opened: no thread may close it between another's first lock and its use."""
    with contextlib.suppress(OSError, ValueError):  # what cannot be opened is said in a moment
        path = path.resolve()
    return _OPENING.setdefault(path, threading.Lock())


def check(path: Path) -> int:
    """The version of the schema of an index file, 0 for a path that is free or a file that is empty.

    Raises IndexFileError for anything else, and for a newer schema than this program knows. Changes nothing.
    """
    try:
        with _opening(path):
            return _checked(path)
    except sqlite3.Error as error:
        raise failure(path, error, "read") from error


def _checked(path: Path) -> int:
    """What `check` does, for who holds the lock.

    Looks at the 100 bytes of the SQLite file header (https://sqlite.org/fileformat2.html), unless this process has the
    file open already: whoever closes a file loses all locks that the process has on it (POSIX fcntl), and another
    process would take the log away from under its connections (https://sqlite.org/howtocorrupt.html §2.2).
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise IndexFileError(f"{path}: is not a file", _ANOTHER)
    try:
        if _is_open(path) and path.stat().st_size:
            return _accepted(path, *_told(path))
        with path.open("rb") as file:
            header = file.read(100)
    except FileNotFoundError:
        if not path.parent.is_dir():
            raise IndexFileError(f"{path}: the folder {path.parent} does not exist", _ANOTHER) from None
        return 0
    except IsADirectoryError:
        raise IndexFileError(f"{path}: is a directory", _ANOTHER) from None
    except (OSError, ValueError) as error:
        raise IndexFileError(
            f"{path}: cannot be opened: {getattr(error, 'strerror', None) or error}", _ANOTHER
        ) from error
    if not header:
        return 0
    if len(header) < 100 or not header.startswith(b"SQLite format 3\0"):
        raise IndexFileError(f"{path}: is not a SQLite file", _ANOTHER)
    version = _accepted(path, int.from_bytes(header[60:64], "big"), int.from_bytes(header[68:72], "big"))
    # A newer header may still stand in the log, while somebody reads the older one.
    real = path.resolve()
    return _told(path)[0] if version < VERSION and _is_there(real.with_name(real.name + "-wal")) else version


def _accepted(path: Path, version: int, application: int) -> int:
    """The version of a schema that is ours. Raises IndexFileError for others."""
    if application != APPLICATION_ID:
        raise IndexFileError(f"{path}: is another program's SQLite file", _ANOTHER)
    if version > VERSION:
        raise IndexFileError(f"{path}: is of schema {version}, newer than this crawler's {VERSION}", "upgrade crawler")
    return version


def _is_open(path: Path) -> bool:
    """Whether this process has the file open, or may have: where nothing tells what is open."""
    wanted = os.stat(path)
    try:
        numbers = os.listdir("/dev/fd")
    except OSError:
        return True
    for number in numbers:
        with contextlib.suppress(OSError):
            if os.path.samestat(os.fstat(int(number)), wanted):
                return True
    return False


def _told(path: Path) -> tuple[int, int]:
    """The version of the schema and the program that the file is of, as SQLite reads them. Raises sqlite3.Error."""
    with contextlib.closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        return version, application


def create(connection: sqlite3.Connection) -> None:
    """Makes all tables in one transaction, so that a kill leaves an empty file or a whole schema."""
    from sqlite_utils import Database  # needed this once in the life of a file, and slow to load

    db = Database(connection, execute_plugins=False)
    with db.atomic():
        db.table("urls").create(
            {
                "id": int,
                "url": str,
                "host": str,
                "depth": int,  # hops from the nearest seed; NULL while no followed path leads here
                "state": str,  # queued, done, failed, skipped, gone
                "reason": str,
                "detail": str,
                "status": int,
                "redirects": int,  # in a row, that led here
                "redirect_to": str,
                "found_on": int,  # the URL whose link made the depth what it is; NULL for a seed
                "found_at": str,
                "attempts": int,
                "fetched_at": str,
                "seconds": float,
                "size": int,  # decoded bytes
                "content_type": str,
                "etag": str,
                "last_modified": str,
                "same_as": int,  # the URL whose page has the very same body and stands for both
                "visits": int,  # how often it has answered
                "changes": int,  # how often its text was another one than the time before
                "due_at": str,  # when to look again
                "sitemap": str,  # of a sitemap: the origin that it speaks for; NULL for everything else
                "crowd": int,  # by how many depths its turn is later, for there are many of its shape
            },
            pk="id",
            not_null={"url", "host", "state", "redirects", "visits", "changes", "crowd"},
            defaults={"redirects": 0, "visits": 0, "changes": 0, "crowd": 0},
        )
        db.table("urls").create_index(["url"], unique=True, index_name="urls_by_url")
        db.execute(QUEUED_INDEX)
        db.table("pages").create(
            {
                "id": int,  # that of its URL
                "url": str,
                "title": str,
                "description": str,
                "lang": str,
                "site": str,
                "fetched_at": str,
                "canonical": str,
                "encoding": str,
                "robots": str,
                "fields": str,  # JSON of the fields of your own
                "changed_at": str,  # when its text was first seen as it is
                "body_hash": str,
                "text_hash": str,
                "sketch": int,  # for pages that are alike; NULL for a page of few words
                "similar_to": int,  # the page that stands for those that are alike; NULL while not compared
                "usage": str,  # what it says of other uses than search: headers, metas, directives
            },
            pk="id",
            not_null={"url", "title"},
        )
        db.table("pages").create_index(["url"], unique=True, index_name="pages_by_url")
        db.execute("CREATE INDEX pages_by_title ON pages(title COLLATE NOCASE)")
        db.table("pages").create_index(["body_hash"], index_name="pages_by_body")
        for statement in (LANG_INDEX, ALIAS_INDEX, SIMILAR_INDEX, *ALIKE_INDEXES):
            db.execute(statement)
        # What a page said before its last change, compressed by zlib.
        db.table("versions").create({"page": int, "fetched_at": str, "text": bytes}, pk="page")
        db.table("sections").create(
            {
                "id": int,
                "page": int,
                "order": int,  # 0, 1, 2 … down the page
                "level": int,  # 0 before the first heading, 1-6 as h1-h6, 7 for definitions and named anchors
                "anchor": str,
                **dict.fromkeys(FTS_COLUMNS, str),  # with U+200B around characters of scripts without spaces
            },
            pk="id",
            not_null={"page"},
            foreign_keys=[("page", "pages", "id")],
        )
        db.table("sections").create_index(["page", "order"], index_name="sections_by_page")
        db.table("links").create(
            {
                "id": int,
                "source": int,
                "target": int,
                "fragment": str,
                "text": str,
                "rel": str,
                "hops": int,  # what following it adds to the depth: 1, 0 for a redirect, NULL when not followed
            },
            pk="id",
            foreign_keys=[("source", "urls", "id"), ("target", "urls", "id")],
        )
        db.table("links").create_index(["source"], index_name="links_by_source")
        db.table("hosts").create(
            {
                "origin": str,
                "robots_status": int,
                "robots_detail": str,
                "robots_txt": str,
                "robots_at": str,  # when that came; what the detail tells may be newer
                "usage": str,  # what robots.txt says of the use of pages
                "delay": float,  # seconds between two requests that troubles have slowed it down to; NULL for none
                "rests_until": str,  # as its last Retry-After wants it
            },
            pk="origin",
        )
        db.table("crawls").create(
            {"id": int, "started_at": str, "finished_at": str, "rules": str, "report": str}, pk="id"
        )
        db.table("called").create(
            {"section": int, **dict.fromkeys(CALLED_COLUMNS, str)},
            pk="section",
            foreign_keys=[("section", "sections", "id")],
        )
        for statement in (*WORDS, *INDEXES, *TRIGGERS.values(), *RANKED):
            db.execute(statement)
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute(f"PRAGMA user_version = {VERSION}")

"""The index file: its schema, its one owner, what a commit does, and what a damaged or foreign file gets."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from crawler import Index, IndexFileError, examine, search
from crawler.page import Link, Page, Section
from crawler.store import Edge, HostPace, Outcome, RobotsReply
from crawler.store.schema import APPLICATION_ID, VERSION, connect_writer
from crawler.store.sqlite import SqliteStore

SEED = "http://h.test/"
RULES = {"seeds": [SEED], "depth": 2, "scope": "host", "include": [], "exclude": []}


@pytest.fixture
def store(db: Path) -> Iterator[SqliteStore]:
    """A store with one queued seed, id 1."""
    made = SqliteStore(db)
    made.begin(RULES, [SEED])
    yield made
    made.close()


def outcome(id_: int, url: str, *, text: str = "some text", links: tuple[str, ...] = (), **more: Any) -> Outcome:
    page = Page(url, f"Title of {url}", (Section(1, "", "Heading", text), Section(2, "deep", "Deeper", "below")))
    edges = tuple(Edge(link, None, 1, text=f"to {link}") for link in links)
    return Outcome(**({"id": id_, "url": url, "state": "done", "status": 200, "page": page, "edges": edges} | more))


def one(db: Path, sql: str) -> Any:
    connection = sqlite3.connect(db)
    found = connection.execute(sql).fetchone()
    connection.close()
    return found[0] if found and len(found) == 1 else found


def test_the_schema_is_what_people_query(store: SqliteStore, db: Path) -> None:
    """Tables, marks of the file and the full-text index are as documented, and sqlite-utils recognises them."""
    file = Database(str(db))
    assert {"urls", "pages", "sections", "links", "hosts", "crawls"} <= set(file.table_names())
    assert {"url", "title", "lang", "fetched_at"} <= set(file.table("pages").columns_dict)
    assert {"page", "order", "level", "anchor", "heading", "text", "ids", "terms"} <= set(
        file.table("sections").columns_dict
    )
    assert file.table("sections").detect_fts() == "sections_fts"
    assert file.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
    assert file.execute("PRAGMA user_version").fetchone()[0] == VERSION
    assert file.journal_mode == "wal"
    file.close()


def test_a_commit_hands_back_the_new_urls_and_makes_the_page_searchable(store: SqliteStore, db: Path) -> None:
    """What a page links to comes back once, and its words are found by our search and by sqlite-utils'."""
    handed = store.commit([outcome(1, SEED, text="zebra", links=("http://h.test/a", "http://h.test/a", SEED))])
    assert [(url.url, url.depth) for url in handed.urls] == [("http://h.test/a", 1)]
    assert handed.found == 1
    assert [hit.url for hit in search("zebra", db=db).results] == [SEED]
    file = Database(str(db))
    assert [row["text"] for row in file.table("sections").search("zebra")] == ["zebra"]
    file.close()
    again = store.commit([outcome(2, "http://h.test/a", links=("http://h.test/a", SEED))])
    assert again[:2] == ([], 0)


def test_a_page_of_headings_only_has_empty_texts(store: SqliteStore, db: Path) -> None:
    """Where no page of a batch has a text, the texts are empty and not missing."""
    store.commit([outcome(1, SEED, page=Page(SEED, "Title", (Section(1, "", "Heading", ""),)))])
    assert one(db, "SELECT text FROM sections") == ""


def test_what_is_too_deep_is_kept_and_not_handed_back(store: SqliteStore, db: Path) -> None:
    """Beyond the depth a URL is known, with its reason."""
    store.commit([outcome(1, SEED, links=("http://h.test/1",))])
    store.commit([outcome(2, "http://h.test/1", links=("http://h.test/2",))])
    handed = store.commit([outcome(3, "http://h.test/2", links=("http://h.test/3",))])
    assert handed.urls == []
    assert one(db, "SELECT state, reason, depth FROM urls WHERE url LIKE '%/3'") == ("skipped", "depth", 3)


def test_a_smaller_depth_runs_along_the_links(store: SqliteStore, db: Path) -> None:
    """When a done page turns out to be nearer, so are all pages behind it, and what was too deep is handed back."""
    store.commit([outcome(1, SEED, links=("http://h.test/a", "http://h.test/x"))])
    store.commit([outcome(2, "http://h.test/a", links=("http://h.test/b",))])
    store.commit([outcome(4, "http://h.test/b", links=("http://h.test/c",))])
    assert one(db, "SELECT state FROM urls WHERE url LIKE '%/c'") == "skipped"
    handed = store.commit(
        [outcome(3, "http://h.test/x", links=(), edges=(Edge("http://h.test/b", None, 0, rel="redirect"),))]
    )
    assert [url.url for url in handed.urls] == ["http://h.test/c"]
    assert one(db, "SELECT group_concat(depth) FROM (SELECT depth FROM urls ORDER BY url)") == "0,1,1,2,1"


def test_a_page_that_changed_leaves_no_ghost_in_the_index(store: SqliteStore, db: Path) -> None:
    """After a page is stored again its old words find nothing, and FTS5's own integrity check passes."""
    store.commit([outcome(1, SEED, text="firstword")])
    store.commit([outcome(1, SEED, text="secondword")])
    assert search("firstword", db=db).total == 0
    assert search("secondword", db=db).total == 1
    connection = sqlite3.connect(db)
    connection.execute("INSERT INTO sections_fts(sections_fts, rank) VALUES ('integrity-check', 1)")
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        ({"state": "failed", "reason": "http-503"}, True),
        ({"state": "failed", "reason": "timeout"}, True),
        ({"state": "failed", "reason": "http-404"}, False),
        ({"state": "failed", "reason": "http-410"}, False),
        ({"state": "skipped", "reason": "noindex"}, False),
    ],
)
def test_a_page_stays_while_its_failure_may_pass(
    store: SqliteStore, db: Path, more: dict[str, str], kept: bool
) -> None:
    """A server that is down costs no page; one that says the page is gone, or not to be indexed, does."""
    store.commit([outcome(1, SEED, text="zebra")])
    store.commit([outcome(1, SEED, page=None, **more)])
    assert search("zebra", db=db).total == int(kept)


def test_a_page_that_is_gone_is_known_as_gone(store: SqliteStore, db: Path) -> None:
    """404 on a page that was indexed makes it gone; 404 on a URL that never was a page is a failure."""
    store.commit([outcome(1, SEED)])
    store.commit([outcome(1, SEED, page=None, state="failed", reason="http-404")])
    assert one(db, "SELECT state FROM urls WHERE id = 1") == "gone"


def test_waiting_urls_come_host_by_host_and_nearest_first(store: SqliteStore) -> None:
    """A host with many URLs does not hide the others; what is held, and hosts that are full, are left out."""
    many = tuple(f"http://big.test/{n}" for n in range(50))
    store.commit([outcome(1, SEED, links=(*many, "http://small.test/"))])
    some = store.queued([], [], 10, 3)
    assert [url.url for url in some if "small" in url.url] == ["http://small.test/"]
    assert sum("big" in url.url for url in some) == 3
    held = [url.id for url in some]
    assert not set(held) & {url.id for url in store.queued(held, [], 10, 3)}
    assert all("big" not in url.url for url in store.queued([], ["big.test"], 10, 3))


def test_sections_learn_what_links_call_them(store: SqliteStore, db: Path) -> None:
    """At the end of a crawl a section carries the texts of links that point to it and say something new."""
    store.commit([outcome(1, SEED, links=("http://h.test/a",))])
    page = Page("http://h.test/a", "A", (Section(1, "", "Top", "x"), Section(2, "deep", "Deeper", "y", ids=("deep",))))
    store.commit([Outcome(id=2, url="http://h.test/a", state="done", page=page)])
    store.commit(
        [
            outcome(
                1,
                SEED,
                edges=(
                    Edge("http://h.test/a", None, 1, "deep", "the bm25 function"),
                    Edge("http://h.test/a", None, 1, "deep", "Deeper"),
                ),
            )
        ]
    )
    store.finish({})
    assert (
        one(
            db,
            "SELECT called.links FROM called JOIN sections ON sections.id = section WHERE anchor = 'deep' AND page = 2",
        )
        == "the bm25 function"
    )
    assert search("bm25", db=db).results[0].href == "http://h.test/a#deep"


def test_robots_replies_are_kept_with_their_host(store: SqliteStore, db: Path) -> None:
    """What a host answered for robots.txt is in the file, the newest answer only."""
    store.commit([], [RobotsReply("http://h.test", None, "", "timeout", "2026-01-01T00:00:00Z")])
    store.commit([], [RobotsReply("http://h.test", 200, "User-agent: *", "", "2026-01-02T00:00:00Z")])
    assert one(db, "SELECT origin, robots_status, robots_txt FROM hosts") == (
        "http://h.test",
        200,
        "User-agent: *",
    )


def test_what_is_known_of_hosts_outlives_a_run(store: SqliteStore, db: Path) -> None:
    """A robots.txt comes back as it was kept; a host is as slow, and rests as long, as the slowest of its origins."""
    reply = RobotsReply(
        "https://h.test", 200, "User-agent: *\r\nDisallow: /ツ", "note", "2026-01-02T00:00:00Z", "/ a=n"
    )
    store.commit([], [HostPace("http://h.test", 2.0, 100.0), HostPace("http://h.test", 4.0, 0.0)])
    store.commit([], [HostPace("https://h.test", 1.0, 60.0), reply, HostPace("http://fast.test:81", 0.0, 0.0)])
    store.close()
    again = SqliteStore(db)
    assert again.hosts.robots("https://h.test") == reply
    assert again.hosts.robots("http://h.test") is None  # its pace is known, its robots.txt is not
    paces = again.hosts.paces()
    assert set(paces) == {"h.test"}
    assert paces["h.test"].slow == 4.0
    assert 58 < paces["h.test"].rest <= 62
    again.commit([], [HostPace("http://h.test", 0.0, 0.0), HostPace("https://h.test", 0.0, 0.0)])
    assert again.hosts.paces() == {}
    again.close()


def test_hosts_of_an_older_file_can_be_slow_too(db: Path) -> None:
    """A file of the first schema learns the pace of hosts, and keeps what it knew of their robots.txt."""
    with sqlite3.connect(db) as old:
        old.executescript((Path(__file__).parent / "data" / "schema-1.sql").read_text())
        old.execute("INSERT INTO hosts VALUES ('http://h.test', 200, '', 'User-agent: *', '2026-01-01T00:00:00Z')")
    old.close()
    store = SqliteStore(db)
    store.commit([], [HostPace("http://h.test", 4.0, 0.0)])
    assert store.hosts.paces()["h.test"].slow == 4.0
    known = store.hosts.robots("http://h.test")
    assert known == RobotsReply("http://h.test", 200, "User-agent: *", "", "2026-01-01T00:00:00Z")
    store.close()


def test_hostile_text_does_not_cost_a_batch(store: SqliteStore, db: Path) -> None:
    """Quotes, braces, control characters and every plane of Unicode are stored, with breaks around Han only."""
    text = "\" ' \\ {} [] \x01 \x7f é 漢 🦓 \ufdd0 \U0010ffff end"
    store.commit([outcome(1, SEED, text=text)])
    assert one(db, 'SELECT text FROM sections WHERE page = 1 AND "order" = 0').replace("\u200b", "") == text


def test_one_owner_at_a_time(store: SqliteStore, db: Path) -> None:
    """A second writer is told who holds the file; a reader is not held up."""
    with pytest.raises(IndexFileError, match=rf"another crawl writes to it \(process {os.getpid()}\)"):
        SqliteStore(db)
    assert search("anything", db=db).total == 0


def test_no_lock_is_left_by_a_process_that_was_killed(db: Path) -> None:
    """The kernel frees the lock: after SIGKILL the next crawl opens the file at once."""
    code = (
        "from pathlib import Path; from crawler.store.sqlite import SqliteStore; "
        f"store = SqliteStore(Path({str(db)!r})); print('up', flush=True); input()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline() == "up\n"
    with pytest.raises(IndexFileError, match="another crawl"):
        SqliteStore(db)
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdin.close()
    process.stdout.close()
    SqliteStore(db).close()


def _foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE theirs(x)")
    connection.commit()
    connection.close()


def _newer(path: Path) -> None:
    SqliteStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {VERSION + 1}")
    connection.close()


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (Path.mkdir, "is a directory"),
        (lambda path: path.write_text("hello " * 100), "is not a SQLite file"),
        (lambda path: path.write_text("x"), "is not a SQLite file"),
        (_foreign, "another program's SQLite file"),
        (_newer, "newer than this crawler's"),
    ],
    ids=["directory", "text", "tiny", "foreign", "newer"],
)
def test_a_file_that_is_not_ours_is_refused_and_not_touched(tmp_path: Path, make: Any, complaint: str) -> None:
    """Opening to write and opening to read both refuse, in one line, and leave every byte and no file beside."""
    path = tmp_path / "some.db"
    make(path)
    before = {
        file: file.is_file() and file.read_bytes() for file in tmp_path.iterdir() if not file.name.endswith(".lock")
    }
    for attempt in (lambda: SqliteStore(path), lambda: search("x", db=path)):
        with pytest.raises(IndexFileError, match=complaint):
            attempt()
    after = {
        file: file.is_file() and file.read_bytes() for file in tmp_path.iterdir() if not file.name.endswith(".lock")
    }
    assert after == before


def test_a_missing_or_empty_file_says_that_there_is_no_index_yet(tmp_path: Path) -> None:
    """A search without a crawl says so; an empty file is as good as none."""
    for path in (tmp_path / "none.db", tmp_path / "empty.db"):
        if path.name == "empty.db":
            path.touch()
        with pytest.raises(IndexFileError, match="no index yet"):
            search("x", db=path)
    SqliteStore(tmp_path / "empty.db").close()
    assert search("x", db=tmp_path / "empty.db").total == 0


def test_creating_the_schema_is_all_or_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash while the tables are made leaves a file that the next run takes as new."""
    import crawler.store.schema as schema

    path = tmp_path / "crawl.db"

    monkeypatch.setattr(schema, "RANKED", ("no SQL",))
    with pytest.raises(IndexFileError):
        SqliteStore(path)
    monkeypatch.undo()
    connection = sqlite3.connect(path)
    assert connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
    connection.close()
    SqliteStore(path).close()


def test_links_of_a_page_keep_text_fragment_and_rel(store: SqliteStore, db: Path) -> None:
    """The links table holds an outlink as it stands on the page."""
    link = Link("http://h.test/a", "frag", "the text", "author")
    store.commit([outcome(1, SEED, edges=(Edge(link.url, None, 1, link.fragment, link.text, link.rel),))])
    assert one(db, "SELECT source, fragment, text, rel, hops FROM links") == (
        1,
        "frag",
        "the text",
        "author",
        1,
    )


@pytest.mark.parametrize(("durable", "level"), [(False, 1), (True, 2)])
def test_a_durable_store_waits_for_the_disk(db: Path, durable: bool, level: int) -> None:
    """synchronous is NORMAL, and FULL when a power cut must lose nothing (https://sqlite.org/pragma.html)."""
    connection = connect_writer(db, durable=durable)
    assert connection.execute("PRAGMA synchronous").fetchone() == (level,)
    connection.close()


def test_who_looks_at_a_file_keeps_the_locks_of_who_reads_it(store: SqliteStore, db: Path) -> None:
    """A second opening in a process takes none of SQLite's locks away, and nobody else the log from under the first."""
    other = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM urls').fetchone()"
    log = db.with_name(db.name + "-wal")
    with Index(db):
        search("anything", db=db)
        assert examine(db).db == str(db)
        subprocess.run([sys.executable, "-c", other, str(db)], check=True)
        assert log.exists()
        store.begin({"seeds": ["http://i/"], "depth": 1, "scope": "host", "include": [], "exclude": []}, ["http://i/"])
        with closing(sqlite3.connect(db)) as connection:
            assert connection.execute("SELECT count(*) FROM urls").fetchone() == (2,)  # the seed of before, and this


def test_a_newer_version_in_the_log_counts(db: Path) -> None:
    """While somebody reads, the header of the file itself is of before."""
    connect_writer(db).close()
    with closing(sqlite3.connect(db, isolation_level=None)) as file:
        file.execute("PRAGMA journal_mode = WAL")
        file.execute(f"PRAGMA user_version = {VERSION - 1}")
        file.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        with closing(sqlite3.connect(db, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT count(*) FROM urls").fetchone()
            file.execute(f"PRAGMA user_version = {VERSION}")
            script = (
                "import sys, pathlib; from crawler.store import schema; print(schema.check(pathlib.Path(sys.argv[1])))"
            )
            told = subprocess.run([sys.executable, "-c", script, str(db)], check=True, capture_output=True, text=True)
            assert int(told.stdout) == VERSION


def test_what_comes_after_the_end_is_stored_as_before_it(store: SqliteStore) -> None:
    """The end sorts elsewhere than the commits, and leaves to these what they need."""
    store.commit([outcome(1, SEED)])
    store.finish({})
    handed = store.commit([outcome(1, SEED, text="others", links=("http://h.test/next",))])
    assert [queued.url for queued in handed.urls] == ["http://h.test/next"]

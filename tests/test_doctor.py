"""Doctor and repair, on files that are really damaged."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import pytest

from crawler import Config, IndexFileError, Report, crawl, examine, repair, search, update
from crawler.store import open_store
from crawler.store import salvage as salvaging
from crawler.store.owner import own, running
from crawler.store.schema import VERSION, connect_writer
from tests.site import Site

PAGES = 150
WORDS = "zebra crossing the plains of the south " * 30
SCHEMA_1 = (Path(__file__).parent / "data" / "schema-1.sql").read_text()
Run = Callable[..., Report]


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of a crawled site, large enough for trees of several pages."""
    db = tmp_path_factory.mktemp("sound") / "crawl.db"
    site = Site()
    for number in range(PAGES):
        path = f"/{number}" if number else "/"
        site.page(path, f"{WORDS} word{number} unique{number * 7919}", links=[f"/{number + 1}", f"/{number + 2}"])
    crawl(Config(seeds=(site.url(),), db=str(db), depth=1000))
    site.close()
    return db


@pytest.fixture
def index(sound: Path, db: Path) -> Path:
    """A copy of it, to be damaged."""
    shutil.copyfile(sound, db)
    return db


def change(db: Path, *statements: str) -> None:
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def pages_of(db: Path, name: str, kind: str = "leaf") -> list[int]:
    """The numbers of the pages of a tree."""
    with closing(sqlite3.connect(db)) as connection:
        root = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", (name,)).fetchone()[0]
    data, size = db.read_bytes(), 8192
    found, open_ = [], [root]
    while open_:
        number = open_.pop()
        start = (number - 1) * size
        header = data[start : start + 12]
        if header[0] in (13, 10):
            found += [number] if kind == "leaf" else []
            continue
        cells = int.from_bytes(header[3:5], "big")
        found += [number] if kind != "leaf" else []
        open_.append(int.from_bytes(header[8:12], "big"))
        for cell in range(cells):
            at = start + int.from_bytes(data[start + 12 + 2 * cell :][:2], "big")
            open_.append(int.from_bytes(data[at : at + 4], "big"))
    return sorted(found)


def flip(db: Path, page: int, at: int = 0, length: int = 300) -> None:
    """Flips all bits of a piece of a page."""
    with db.open("r+b") as file:
        file.seek((page - 1) * 8192 + at)
        piece = file.read(length)
        file.seek((page - 1) * 8192 + at)
        file.write(bytes(byte ^ 0xFF for byte in piece))


def wrong(db: Path) -> set[str]:
    return {check.name for check in examine(db).checks if not check.ok}


class Found(NamedTuple):
    pages: int
    zebras: int


def found(db: Path) -> Found:
    with closing(sqlite3.connect(db)) as connection:
        pages = connection.execute("SELECT count(*) FROM pages").fetchone()[0]
    return Found(pages, search("zebra", db=db).total)


WHOLE = Found(PAGES, PAGES)


def test_a_sound_file_is_sound_and_stays_as_it_is(index: Path) -> None:
    """No check fails; a repair of a sound file does nothing and makes no copy."""
    before = index.read_bytes()
    assert examine(index).sound
    made = repair(index)
    assert (made.done, made.copy, made.after.sound) == ((), None, True)
    assert index.read_bytes() == before
    assert not list(index.parent.glob("*.before-repair*"))
    assert json.loads(json.dumps(made.as_dict()))["sound"] is True


def test_flipped_bytes_in_the_tree_of_sections(index: Path) -> None:
    """The file is made anew of all that can be read; the damaged one and a copy stay; lost pages are queued."""
    flip(index, pages_of(index, "sections")[3])
    damaged = index.read_bytes()
    assert "structure" in wrong(index)
    made = repair(index)
    assert made.after.sound, [check for check in made.after.checks if not check.ok]
    assert 0 < made.tables["sections"].lost < PAGES / 2  # type: ignore[operator]
    assert made.tables["sections"].saved + made.tables["sections"].lost == PAGES  # type: ignore[operator]
    assert all(saved.lost == 0 for table, saved in made.tables.items() if table != "sections")
    assert found(index).zebras == made.tables["sections"].saved
    assert index.with_name("crawl.db.damaged").read_bytes() == damaged
    assert index.with_name("crawl.db.before-repair").exists()
    assert not list(index.parent.glob("*.salvaged*"))


def test_several_damaged_pages_and_the_last_one(index: Path) -> None:
    """What stands between two damaged pages is saved too, and a damaged end is no endless search."""
    leaves = pages_of(index, "sections")
    for number in (1, 5, len(leaves) - 1):
        flip(index, leaves[number])
    made = repair(index)
    assert made.after.sound
    assert PAGES / 2 < made.tables["sections"].saved < PAGES


def test_a_damaged_inner_page(index: Path) -> None:
    """An inner page of a tree costs what is below it, and no more of the file."""
    flip(index, pages_of(index, "urls", "inner")[0])
    made = repair(index)
    assert made.after.sound
    assert found(index) == WHOLE
    assert made.tables["pages"].lost == 0


def test_flipped_bytes_in_an_index(index: Path) -> None:
    """No row is lost when only an index is damaged."""
    flip(index, pages_of(index, "urls_by_url")[0])
    assert "structure" in wrong(index)
    made = repair(index)
    assert made.after.sound
    assert all(saved.lost == 0 for saved in made.tables.values())
    assert found(index) == WHOLE


def test_an_index_that_disagrees_with_its_table(index: Path) -> None:
    """Entries that are missing from an index are made anew in place."""
    change(
        index,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = 'CREATE INDEX pages_by_title ON pages(title COLLATE NOCASE) WHERE id < 0' "
        "WHERE name = 'pages_by_title'",
    )
    change(index, "INSERT INTO pages(id, url, title) SELECT 9999, 'http://h/', 'x'", "DELETE FROM pages WHERE id = 9")
    change(
        index,
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET sql = 'CREATE INDEX pages_by_title ON pages(title COLLATE NOCASE)' "
        "WHERE name = 'pages_by_title'",
    )
    assert "structure" in wrong(index)
    made = repair(index)
    assert made.after.sound
    assert "made the indexes anew" in made.done
    assert not made.tables


@pytest.mark.parametrize("place", ["block", "tree"])
def test_a_damaged_full_text_index(index: Path, place: str) -> None:
    """An index is made anew from its content: nothing is lost."""
    if place == "block":
        change(index, "UPDATE sections_fts_data SET block = zeroblob(length(block)) WHERE id > 10")
    else:
        flip(index, pages_of(index, "sections_fts_data")[1])
    assert {"sections_fts", "structure"} & wrong(index)
    made = repair(index)
    assert made.after.sound
    assert found(index) == WHOLE


def test_flipped_bytes_in_the_data_of_the_full_text_index(index: Path) -> None:
    """Bytes flipped within a block leave the tree whole and the index wrong."""
    flip(index, pages_of(index, "sections_fts_data")[1], 4000, 60)
    assert wrong(index)
    assert repair(index).after.sound
    assert found(index) == WHOLE


def test_rows_missing_from_the_sizes_of_documents(index: Path) -> None:
    """Sections that the index does not count are found out, and indexed again in place."""
    change(index, "DELETE FROM sections_fts_docsize WHERE id < 20")
    assert "sections_fts" in wrong(index)
    made = repair(index)
    assert made.after.sound
    assert not made.tables
    assert found(index) == WHOLE


def test_a_file_that_was_cut(index: Path) -> None:
    """The pages before the cut are read as far as they go."""
    with index.open("r+b") as file:
        file.truncate(index.stat().st_size * 3 // 4 // 8192 * 8192 + 100)
    assert "structure" in wrong(index)
    made = repair(index)
    assert made.after.sound
    assert made.tables["sections"].saved > 10
    assert search("zebra", db=index).total == found(index).pages > 0


def test_a_file_of_which_nothing_is_left_is_as_it_was(index: Path) -> None:
    """When no row can be read the file stays, and that is said."""
    data = index.read_bytes()
    index.write_bytes(data[:100] + bytes(len(data) - 100))
    before = index.read_bytes()
    with pytest.raises(IndexFileError):
        repair(index)
    assert index.read_bytes() == before
    assert not list(index.parent.glob("*.salvaged*"))


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("DELETE FROM pages WHERE id = 7", "sections without a page"),
        ("DELETE FROM urls WHERE id = 7", "pages without a URL"),
        ("DELETE FROM sections WHERE page = 7", "pages without a section"),
        ("UPDATE sections SET text = 'other' WHERE page = 7", "pages with another text than was fetched"),
        ("INSERT INTO links(source, target) VALUES (1, 77777)", "links without a source or a target"),
        ("DELETE FROM pages WHERE id = 7", "URLs done without a page"),
        (
            "UPDATE urls SET same_as = 77777, reason = 'duplicate' WHERE id = 7",
            "duplicates of a page that is not there",
        ),
        ("INSERT INTO versions VALUES (77777, '', x'')", "earlier texts without a URL"),
    ],
)
def test_orphans(index: Path, statement: str, name: str) -> None:
    """Each kind is found and put right."""
    change(index, statement)
    assert name in wrong(index)
    made = repair(index)
    assert made.after.sound
    assert any(name in line for line in made.done)


def test_a_lost_page_is_fetched_again(run: Run, site: Site, db: Path) -> None:
    """A URL that is done without a page is queued, and the next crawl brings the page back."""
    site.page("/", links=["/a"])
    site.page("/a", "zebra")
    run()
    change(db, "DELETE FROM pages WHERE url LIKE '%/a'")
    repair(db)
    assert search("zebra", db=db).total == 0
    run()
    assert search("zebra", db=db).total == 1
    assert examine(db).sound


def test_missing_triggers_and_indexes(index: Path) -> None:
    """What a new file has and this one lacks is made, and what was not indexed meanwhile is indexed."""
    change(index, "DROP TRIGGER sections_ai", "DROP INDEX sections_by_page", "DROP TABLE versions")
    change(index, "DROP TRIGGER sections_au", "CREATE TRIGGER sections_au AFTER UPDATE ON sections BEGIN SELECT 1; END")
    change(
        index,
        "INSERT INTO sections(page, \"order\", anchor, title, heading, text) VALUES (7, 99, '', '', '', 'quagga')",
    )
    (said,) = [check.says for check in examine(index).checks if check.name == "schema objects"]
    assert all(name in said for name in ("sections_ai", "sections_au", "sections_by_page", "versions"))
    assert repair(index).after.sound
    assert search("quagga", db=index).total == 1


def test_the_weights_of_a_search_survive_a_repair(index: Path) -> None:
    """The rank that is kept in the file is the same after the index was made anew."""
    rank = "SELECT v FROM sections_fts_config WHERE k = 'rank'"
    with closing(sqlite3.connect(index)) as connection:
        before = connection.execute(rank).fetchone()
    flip(index, pages_of(index, "sections")[3])
    repair(index)
    with closing(sqlite3.connect(index)) as connection:
        assert connection.execute(rank).fetchone() == before != None  # noqa: E711


def test_copies_are_numbered(index: Path) -> None:
    """No repair overwrites the copy of an earlier one."""
    for _ in range(3):
        change(index, "DELETE FROM sections_fts_docsize WHERE id < 20")
        repair(index)
    copies = sorted(path.name for path in index.parent.glob("*before-repair*"))
    assert copies == ["crawl.db.before-repair", "crawl.db.before-repair-2", "crawl.db.before-repair-3"]


def test_a_repair_needs_room(index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a full disk a repair is refused in one line, before anything is written."""
    change(index, "DELETE FROM sections_fts_docsize WHERE id < 20")
    usage = shutil.disk_usage(index.parent)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage._replace(free=1000))
    before = index.read_bytes()
    assert "disk" in wrong(index)
    with pytest.raises(IndexFileError, match="no room for a repair"):
        repair(index)
    assert index.read_bytes() == before


def old(path: Path) -> None:
    """A file of schema 1 with one page."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(SCHEMA_1)
        connection.execute(
            "INSERT INTO urls(id, url, host, depth, state, reason, status, fetched_at) "
            "VALUES (1, 'http://h/', 'h', 0, 'done', '', 200, '2026-01-01T00:00:00Z')"
        )
        connection.execute("INSERT INTO pages(id, url, title, site) VALUES (1, 'http://h/', 'Zebra', 'h')")
        connection.execute(
            "INSERT INTO sections(page, \"order\", anchor, title, heading, text) VALUES (1, 0, '', '', '', 'zebra')"
        )


def test_an_older_schema_is_brought_up(db: Path) -> None:
    """Search refuses a file of schema 1 and names the doctor; after that it is searched."""
    old(db)
    with pytest.raises(IndexFileError, match="is of schema 1") as refused:
        search("zebra", db=db)
    assert "crawl doctor" in refused.value.hint
    diagnosis = examine(db)
    assert diagnosis.sound, diagnosis
    assert any(check.says == f"{VERSION}, brought up from 1" for check in diagnosis.checks)
    assert search("zebra", db=db).total == 1


def test_a_file_that_was_brought_up_is_searched_at_once(db: Path) -> None:
    """The new version stands in the file itself as soon as it is opened to write, not only in its log."""
    old(db)
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")  # as every file that a crawl has written to
    store = open_store(db)
    assert search("zebra", db=db).total == 1
    store.close()


def test_a_crawl_goes_on_in_a_file_that_was_brought_up(run: Run, site: Site, db: Path) -> None:
    """A crawl opens a file of schema 1 as its own: what is new in the schema is there, and in its order."""
    old(db)
    site.page("/", links=["/a"], head="<meta name=robots content=noai>")
    site.page("/a")
    site.raw("/sitemap.xml", b"<urlset><url><loc>/b</loc></url></urlset>")
    site.page("/b")
    assert run(sitemaps=True).pages == 4
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("SELECT usage FROM pages WHERE usage <> ''").fetchall() == [("noai",)]
        plan = connection.execute(
            "EXPLAIN QUERY PLAN SELECT id FROM urls WHERE state = 'queued' AND host = 'h' ORDER BY depth + crowd, id"
        ).fetchall()
    assert [row[3] for row in plan] == ["SEARCH urls USING INDEX urls_queued (host=?)"]  # and nothing is sorted
    assert examine(db).sound


def test_an_older_schema_beside_a_running_crawl_is_left_alone(db: Path) -> None:
    """Who does not own the file changes nothing of it."""
    old(db)
    with own(db.resolve()):
        assert "schema" in wrong(db)
    assert examine(db).sound


def test_beside_a_running_crawl(index: Path) -> None:
    """The doctor says who writes and leaves out what would disturb; a repair is refused."""
    assert running(index) is None
    with own(index.resolve()):
        assert running(index)
        checks = {check.name: check for check in examine(index).checks}
        assert "a crawl is running" in checks["owner"].says
        assert checks["sections_fts"].says == "not looked at while a crawl writes"
        with pytest.raises(IndexFileError, match="another crawl writes to it"):
            repair(index)
    assert running(index) is None


@pytest.mark.parametrize("kind", ["missing", "text", "foreign"])
@pytest.mark.parametrize("look", [examine, repair])
def test_what_is_no_index(db: Path, kind: str, look: Callable[[Path], object]) -> None:
    """No file, a text, another program's database: an error, and nothing is made."""
    if kind == "text":
        db.write_text("no database " * 20)
    elif kind == "foreign":
        change(db, "CREATE TABLE theirs(x)")
    with pytest.raises(IndexFileError):
        look(db)
    assert [path for path in db.parent.iterdir() if path != db] == []


def test_salvage_of_a_whole_file_is_that_file(index: Path, tmp_path: Path) -> None:
    """Every row of every table, and nothing lost."""
    fresh = tmp_path / "fresh.db"
    saved = salvaging.salvage(index, fresh)
    with closing(sqlite3.connect(index)) as old_, closing(sqlite3.connect(fresh)) as new:
        for table, rows in saved.items():
            query = f"SELECT * FROM {table} ORDER BY rowid"
            assert old_.execute(query).fetchall() == new.execute(query).fetchall()
            assert rows.lost == 0
    connect_writer(fresh).close()
    assert examine(fresh).sound


def test_a_text_that_was_lost_in_part_is_fetched_again(run: Run, site: Site, db: Path) -> None:
    """What is left can still be found, and the server is not asked whether it has changed: it has not."""
    site.page("/", "zebra", body="<h2>More</h2><p>quagga</p>", ETag='"1"')
    run()
    change(db, "DELETE FROM sections WHERE text LIKE 'quagga%'")
    assert repair(db).after.sound
    assert (search("zebra", db=db).total, search("quagga", db=db).total) == (1, 0)
    run()
    assert search("quagga", db=db).total == 1
    assert "If-None-Match" not in site.requests("/")[-1].headers
    assert examine(db).sound


def test_a_crawl_goes_on_after_a_repair(run: Run, site: Site, db: Path) -> None:
    """Pages whose URLs were lost are visited again by an update, and URLs whose pages were lost by a crawl."""
    site.page("/", links=["/a", "/b", "/c"])
    for path in ("/a", "/b", "/c"):
        site.page(path)
    run()
    with closing(sqlite3.connect(db, isolation_level=None)) as connection:
        connection.execute("DELETE FROM urls WHERE url LIKE '%/a' OR url LIKE '%/b'")
        connection.execute("DELETE FROM pages WHERE url LIKE '%/c'")
    assert repair(db).after.sound
    site.seen.clear()
    assert update(Config(db=str(db), sitemaps=False), before="9999").pages == 4
    assert sorted(site.paths) == ["/", "/a", "/b", "/c"]
    assert run().queued == 0

"""Several processes and one file: they wait for each other, or say why they do not."""

import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from crawler import IndexFileError, search
from tests.chaos.harness import Content, Lab, content, ended, one_line, until


@contextmanager
def locked(db: Path) -> Iterator[None]:
    """Another program writes to the file."""
    connection = sqlite3.connect(db, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    yield
    connection.execute("ROLLBACK")
    connection.close()


def test_a_lock_that_is_let_go_is_waited_for(lab: Lab, undisturbed: Content) -> None:
    """Another program writes to the file for a moment: the crawl waits, and completes."""
    gate = lab.site.hold("/100")
    process = lab.start()
    until(process, lambda: "/100" in lab.site.asked)
    with locked(lab.db):
        gate.set()
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)  # what it fetched meanwhile cannot be stored
    assert ended(process).returncode == 0
    lab.check()
    assert content(lab.db) == undisturbed


def test_a_lock_that_is_held_for_too_long(lab: Lab, undisturbed: Content) -> None:
    """One line, nothing that was stored is lost, and the next run completes."""
    gate = lab.site.hold("/100")
    process = lab.start(instead={"PRAGMA busy_timeout": "PRAGMA busy_timeout = 200"})
    until(process, lambda: "/100" in lab.site.asked)
    with locked(lab.db):
        gate.set()
        done = ended(process)
    assert "locked" in one_line(done)
    lab.check()
    lab.finish()
    assert content(lab.db) == undisturbed


def test_a_lock_from_the_start(lab: Lab) -> None:
    """A file that another program locks is one line before any request."""
    lab.finish()
    asked = len(lab.site.seen)
    with locked(lab.db):
        done = lab.run(instead={"PRAGMA busy_timeout": "PRAGMA busy_timeout = 200"})
    assert "locked" in one_line(done)
    assert len(lab.site.seen) == asked


def test_a_second_crawl_sends_no_request(lab: Lab, undisturbed: Content) -> None:
    """It names the first and ends; the first is not disturbed, and when it is killed the next one starts at once."""
    gate = lab.site.hold("/100")
    first = lab.start()
    until(first, lambda: "/100" in lab.site.asked)
    second = lab.run()
    assert f"(process {first.pid})" in one_line(second)
    assert lab.of_last_run() == []
    first.kill()
    ended(first)
    gate.set()
    lab.finish()
    assert content(lab.db) == undisturbed


def test_searching_two_hundred_times_beside_a_crawl(lab: Lab) -> None:
    """Never locked, never an error, and only whole commits are seen."""
    process = lab.start(*lab.command, "--delay", "0.005", "--per-host", "1")
    until(process, lambda: lab.db.exists() and len(lab.site.paths) > 5)
    reader = sqlite3.connect(f"{lab.db.as_uri()}?mode=ro", uri=True)
    searches, totals = 0, [0]
    while process.poll() is None or searches < 200:
        try:
            totals.append(search("words", db=lab.db, limit=5).total)
        except IndexFileError as error:
            assert "no index yet" in str(error)  # noqa: PT017 - before the first commit there is none
        done, pages, unindexed = reader.execute(
            "SELECT (SELECT count(*) FROM urls WHERE state = 'done' AND reason = ''), (SELECT count(*) FROM pages), "
            "(SELECT count(*) FROM sections WHERE id NOT IN (SELECT id FROM sections_fts_docsize))"
        ).fetchone()
        assert (pages, unindexed) == (done, 0)
        searches += 1
    reader.close()
    assert ended(process).returncode == 0
    assert totals == sorted(totals)
    assert len(set(totals)) > 2

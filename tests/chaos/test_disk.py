"""A disk that is full, files that may not be written, and files that are damaged: one line, and nothing is lost."""

import random
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.chaos.harness import ROUNDS, SEED, Content, Lab, content, ended, one_line, until

SEARCHES = ["search", "words", "part"]


@pytest.fixture
def small(tmp_path: Path, lab: Lab) -> Iterator[Lab]:
    """The lab on a disk of one megabyte; where nothing may be mounted, on one whose files end at 700 kB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = shutil.which("mount") and _mount("-t", "tmpfs", "-o", "size=1m", "none", str(folder))
    lab = Lab(folder, lab.site, tmp_path)
    lab.limits = {} if mounted else {"file_size": 700_000}
    yield lab
    if mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def _mount(*args: str) -> bool:
    return subprocess.run(["mount", *args], capture_output=True).returncode == 0


def test_a_full_disk_ends_a_crawl_and_some_space_lets_it_go_on(small: Lab, undisturbed: Content) -> None:
    """In the middle of a crawl: one line, what was stored stays and is found; then the same command completes."""
    complaint = one_line(small.run(**small.limits))
    if not small.limits:
        assert "the disk is full" in complaint
    small.check()
    assert small.run(*SEARCHES).returncode == 0
    if not small.limits:
        assert _mount("-o", "remount,size=64m", str(small.folder))
    small.finish()
    assert content(small.db) == undisturbed


def test_a_disk_that_is_full_before_the_start(small: Lab) -> None:
    """One line before any request, and no file that a later crawl could not use."""
    if small.limits:
        small.limits = {"file_size": 1}
    else:
        with pytest.raises(OSError, match="No space"):
            (small.folder / "ballast").write_bytes(bytes(2 << 20))
    complaint = one_line(small.run(**small.limits))
    assert str(small.db) in complaint
    assert small.site.seen == []
    if not small.limits:
        _mount("-o", "remount,size=64m", str(small.folder))
    small.finish()


@pytest.mark.parametrize("pages", [45, 50, 60, 70])
def test_an_index_that_may_not_grow_any_more(lab: Lab, undisturbed: Content, pages: int) -> None:
    """SQLite itself says that the disk is full, in whatever statement."""
    assert "the disk is full" in one_line(lab.run(pragmas=[f"PRAGMA max_page_count = {pages}"]))
    lab.check()
    lab.finish()
    assert content(lab.db) == undisturbed


@pytest.mark.parametrize("size", [1, 100, 30_000, 150_000, 300_000, 450_000])
def test_a_limit_for_the_size_of_files(lab: Lab, undisturbed: Content, size: int) -> None:
    """A write that the kernel refuses is one line, whichever file it is for."""
    one_line(lab.run(file_size=size))
    lab.check()
    lab.finish()
    assert content(lab.db) == undisturbed


def _files(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()}


@pytest.mark.parametrize("what", ["file", "folder", "both"])
def test_what_may_not_be_written_is_searched_and_not_crawled(lab: Lab, what: str) -> None:
    """A crawl says so before any request and changes nothing; a search finds what is there."""
    lab.finish()
    asked = len(lab.site.seen)
    lab.db.with_name("crawl.db.lock").unlink()
    before = _files(lab.folder)
    lab.db.chmod(0o644 if what == "folder" else 0o444)
    lab.folder.chmod(0o755 if what == "file" else 0o555)
    crawled = lab.run(meek=True)
    found = lab.run(*SEARCHES, meek=True)
    lab.folder.chmod(0o755)
    assert "cannot be written" in one_line(crawled)
    assert len(lab.site.seen) == asked
    assert (found.returncode, found.stderr) == (0, "")
    assert len(found.stdout.splitlines()) == 10
    after = _files(lab.folder)
    assert after.pop("crawl.db-wal", b"") == b""
    assert {name: after[name] for name in before} == before
    assert after.keys() - before.keys() <= {"crawl.db.lock", "crawl.db-shm"}


def test_a_read_only_folder_with_a_log_that_nobody_could_bring_in(lab: Lab) -> None:
    """What only the log holds must not be passed over in silence: hits from it, or one line."""
    assert lab.killed(kill_in="CLOSE", kill_at=1)
    lab.db.with_name("crawl.db-shm").unlink()
    lab.folder.chmod(0o555)
    found = lab.run(*SEARCHES, meek=True)
    lab.folder.chmod(0o755)
    if found.returncode:
        one_line(found)
    else:
        assert len(found.stdout.splitlines()) == 10
    assert lab.run(*SEARCHES).returncode == 0


@pytest.mark.parametrize("part", [0.003, 0.1, 0.5, 0.9])
def test_a_truncated_file_is_refused_or_read_as_far_as_it_goes(lab: Lab, part: float) -> None:
    """Neither command shows a traceback, and a crawl that cannot go on leaves every byte."""
    lab.finish()
    whole = lab.db.read_bytes()
    lab.db.write_bytes(whole[: int(len(whole) * part)])
    before = lab.db.read_bytes()
    found = lab.run(*SEARCHES)
    if found.returncode != 0:
        one_line(found)
    one_line(lab.run())
    assert lab.db.read_bytes() == before


def test_flipped_bytes_never_make_a_traceback(lab: Lab) -> None:
    """Wherever bytes of the file are wrong: results, or one line; nothing hangs."""
    print(f"CHAOS_SEED={SEED}")
    chance = random.Random(SEED)
    lab.finish()
    whole = lab.db.read_bytes()
    connection = sqlite3.connect(lab.db)
    index = [page for (page,) in connection.execute("SELECT pageno FROM dbstat WHERE name LIKE '%_fts_%'")]
    connection.close()
    for number in range(ROUNDS):
        spoilt = bytearray(whole)
        pages = index if number % 2 else range(1, len(whole) // 8192 + 1)
        for page in chance.choices(pages, k=12):
            place = max(100, (page - 1) * 8192 + chance.choice([chance.randrange(64), chance.randrange(8192)]))
            spoilt[place : place + 8] = chance.randbytes(8)
        lab.db.write_bytes(spoilt)
        for command in (SEARCHES, [*lab.command, "--fresh"]):
            done = lab.run(*command)
            assert "Traceback" not in done.stderr, done.stderr
            assert done.returncode in (0, 1, 3), done
            if done.returncode == 3:
                one_line(done)
        for beside in lab.folder.glob("crawl.db-*"):
            beside.unlink()


def _replace(lab: Lab) -> None:
    lab.db.rename(lab.db.with_name("moved.db"))
    lab.db.write_bytes(b"something else\n" * 1000)


@pytest.mark.parametrize("what", ["deleted", "renamed", "replaced"])
def test_a_file_that_is_taken_away_under_a_crawl(lab: Lab, what: str) -> None:
    """Noticed at the next commit: nothing is written any more where nobody would find it."""
    gate = lab.site.hold("/100")
    process = lab.start()
    until(process, lambda: "/100" in lab.site.asked)
    deed: dict[str, Any] = {"deleted": lambda: lab.db.unlink(), "replaced": lambda: _replace(lab)}
    deed.get(what, lambda: lab.db.rename(lab.db.with_name("moved.db")))()
    gate.set()
    complaint = one_line(ended(process))
    assert f"{lab.db}: " in complaint
    assert "deleted, renamed or replaced" in complaint
    if what == "replaced":
        assert lab.db.read_bytes() == b"something else\n" * 1000
    else:
        assert not lab.db.exists()
    if what != "deleted":
        lab.db = lab.db.with_name("moved.db")
        lab.check()
        assert lab.run(*SEARCHES, "--db", str(lab.db)).returncode == 0

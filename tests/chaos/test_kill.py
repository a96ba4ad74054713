"""kill -9 at any instant: the file stays whole, and the same command ends as if nothing had happened."""

import random
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest

from crawler.store import open_store
from tests.chaos.harness import ROUNDS, SEED, UNDER_WAY, Content, Lab, content, environment, steps_of
from tests.test_doctor import old

OPEN = "import sys; from crawler.store import open_store; open_store(sys.argv[1]).close()"


def test_kills_at_random_moments(lab: Lab, undisturbed: Content) -> None:
    """Whenever it is killed, nothing is lost, nothing stored is fetched again, and the end is the same."""
    print(f"CHAOS_SEED={SEED}")
    chance = random.Random(SEED)
    began = time.monotonic()
    lab.finish()
    length = time.monotonic() - began
    lab.forget()
    ends = 0
    while len(lab.refetched) < ROUNDS:
        if not lab.killed_after(chance.uniform(0, length)):
            assert content(lab.db) == undisturbed
            lab.forget()
            ends += 1
    lab.finish()
    assert content(lab.db) == undisturbed
    print(f"{len(lab.refetched)} kills, {ends + 1} crawls to the end, fetched again after each: {lab.refetched}")


# Statements that carry a smaller depth on: whether there is one depends on which thread was faster.
SOMETIMES = "temp.(wave|nearer)|UPDATE urls SET depth"


def kind_of(expression: str) -> str:
    """The beginning of the statement that an escaped expression matches."""
    return expression.replace("\\", "")


def test_five_kills_in_a_row(lab: Lab, undisturbed: Content) -> None:
    """Killed five times, each time as soon as it has stored something more, the sixth run ends as the first would."""
    for _ in range(5):
        assert lab.killed(kill_in="COMMIT", kill_at=6)
    lab.finish()
    assert content(lab.db) == undisturbed
    assert len(lab.refetched) == 5


def test_a_kill_at_every_step_of_a_crawl(lab: Lab, undisturbed: Content) -> None:
    """Before each statement that a crawl executes, from its start to the closing of the file, it may be killed."""
    lab.run(steps=str(lab.folder / "steps"))
    steps = steps_of(lab.folder / "steps")
    lab.forget()
    # A commit executes the same statements as the one before; one of each kind, after something has been stored.
    kinds = Counter(step[:34] for step in steps[steps.index("BEGIN IMMEDIATE") :])
    assert {"BEGIN IMMEDIATE", "COMMIT", "CLOSE", "CLOSED"} < kinds.keys()
    assert any(kind.startswith("INSERT INTO sections(") for kind in kinds)
    places = [("BEGIN|COMMIT", number) for number in range(1, 12)]
    places += [(re.escape(kind), min(count, 2)) for kind, count in kinds.items()]
    for expression, number in places:
        print(f"killed before step {number} like {expression}")
        if not lab.killed(kill_in=expression, kill_at=number):  # the crawl was over before it came to this
            assert content(lab.db) == undisturbed
            lab.forget()
            assert lab.killed(kill_in=expression, kill_at=number) or re.search(SOMETIMES, kind_of(expression))
    lab.finish()
    assert content(lab.db) == undisturbed


def test_a_kill_inside_a_commit(lab: Lab, undisturbed: Content) -> None:
    """Killed by the kernel in the middle of a write to the log, a commit is undone as a whole."""
    limit, cuts = 40_000, 0
    while lab.killed(file_size=limit, torn=True, instead={"PRAGMA wal_autocheckpoint": "SELECT 1"}):
        # The log consists of frames of 24 + 8192 bytes: between two of them, in a page, in the head of a frame.
        limit = 32 + limit * 5 // 4 // 8216 * 8216 + (0, 4096, 12)[cuts % 3]
        cuts += 1
    assert cuts > 5
    assert content(lab.db) == undisturbed


def test_a_kill_inside_a_checkpoint(lab: Lab, undisturbed: Content) -> None:
    """Killed in the middle of a write to the file itself, what the log holds makes the file whole again."""
    often = {"PRAGMA wal_autocheckpoint": "PRAGMA wal_autocheckpoint = 1"}
    lab.finish()
    size = lab.db.stat().st_size
    lab.forget()
    torn = 0
    for limit in range(size // 4 + 1000, size, size // 10):
        if lab.killed(file_size=limit, torn=True, instead=often):
            # The limit was reached by the file, not by its log.
            torn += lab.db.stat().st_size == limit
    lab.finish()
    assert torn >= 3
    assert content(lab.db) == undisturbed


def schema_of(db: Path) -> list[tuple[str]]:
    connection = sqlite3.connect(db)
    found = connection.execute("SELECT sql FROM sqlite_master UNION ALL SELECT * FROM pragma_user_version").fetchall()
    connection.close()
    return found


def opened(db: Path, **faults: object) -> int:
    """Opens a store in a process with these faults; its exit code."""
    return subprocess.run([sys.executable, "-c", OPEN, str(db)], env=environment(faults), timeout=60).returncode


def test_a_kill_at_every_step_of_the_first_opening(tmp_path: Path) -> None:
    """Killed while the tables are made, the file is none, empty or complete, and the next run takes it as it is."""
    db, log = tmp_path / "whole.db", tmp_path / "steps"
    assert opened(db, steps=str(log)) == 0
    schema = schema_of(db)
    telling = "CREATE (?!TEMP)|INSERT|PRAGMA (?!table_info)|COMMIT|CLOSE"
    steps = [step for step in steps_of(log) if re.match(telling, step)]
    assert len(steps) > 40
    for number, step in enumerate(steps, 1):
        db = tmp_path / f"{number}.db"
        assert opened(db, kill_in=telling, kill_at=number) == -signal.SIGKILL, step
        open_store(db).close()
        assert schema_of(db) == schema, step


@pytest.mark.parametrize("part", [0.0001, 0.0005, 0.02, 0.04, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99])
def test_a_kill_inside_the_first_commit(tmp_path: Path, part: float) -> None:
    """Killed in the middle of writing the tables, the next run makes them anew."""
    assert opened(tmp_path / "whole.db") == 0
    size = (tmp_path / "whole.db").stat().st_size
    db = tmp_path / "torn.db"
    assert opened(db, file_size=int(size * part), torn=True) == -signal.SIGXFSZ
    open_store(db).close()
    assert schema_of(db) == schema_of(tmp_path / "whole.db")


def dump_of(db: Path) -> list[str]:
    """Everything that the tables of a file hold, and its version."""
    connection = sqlite3.connect(db)
    found = [line for line in connection.iterdump() if not line.startswith('INSERT INTO "sections_fts')]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return [*found, str(version)]


def test_a_kill_at_every_step_of_an_upgrade(tmp_path: Path) -> None:
    """Killed while an older file is brought up to the present schema, the next run does it, and nothing is lost."""
    old(tmp_path / "whole.db")
    log = tmp_path / "steps"
    assert opened(tmp_path / "whole.db", steps=str(log)) == 0
    upgraded = dump_of(tmp_path / "whole.db")
    assert any("zebra" in line for line in upgraded)
    telling = "ALTER|CREATE (?!TEMP)|UPDATE|PRAGMA user_version =|BEGIN|COMMIT"
    steps = [step for step in steps_of(log) if re.match(telling, step)]
    assert len(steps) > 15
    for number, step in enumerate(steps, 1):
        db = tmp_path / f"{number}.db"
        old(db)
        assert opened(db, kill_in=telling, kill_at=number) == -signal.SIGKILL, step
        open_store(db).close()
        assert dump_of(db) == upgraded, step


def test_kills_during_an_update(lab: Lab) -> None:
    """Killed before and after its commits, an update goes on with the same command, and finds what it would have."""
    update = ("update", "--older-than", "0", "--threads", "4", "--per-host", "4")
    lab.finish()
    before = lab.db.read_bytes()
    for number in range(1, 60, 3):
        lab.site.page(f"/{number}", f"changed {number}", links=["/", "/hidden", f"/new/{number}"])
        lab.site.page(f"/new/{number}", f"new {number}")
        lab.site.raw(f"/{number + 1}", status=404)
    assert lab.run(*update).returncode == 0
    updated = content(lab.db)
    assert any("changed 1" in row[-1] for row in updated["sections"])
    for expression, place in [("BEGIN|COMMIT", number) for number in range(1, 14)] + [("UPDATE|INSERT|DELETE", 40)]:
        for file in lab.folder.glob("crawl.db*"):
            file.unlink()
        lab.db.write_bytes(before)
        lab.site.seen.clear()
        assert lab.run(*update, kill_in=expression, kill_at=place).returncode == -signal.SIGKILL, (expression, place)
        assert lab.run(*update).returncode == 0
        assert content(lab.db) == updated, (expression, place)
        paths = Counter(lab.site.paths)
        assert sum(count - 1 for count in paths.values()) <= UNDER_WAY
        assert max(paths.values()) <= 2

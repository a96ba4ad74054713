"""A site, a crawl of it in a process of its own, the faults it meets, and what must hold of the file afterwards."""

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from crawler.pipeline import BATCH, QUEUE_BOUND
from tests.site import Site

ROUNDS = int(os.environ.get("CHAOS_ROUNDS", "10"))
SEED = int(os.environ.get("CHAOS_SEED", "0")) or random.randrange(1, 1 << 30)
THREADS = 4
UNDER_WAY = THREADS + QUEUE_BOUND + BATCH  # what may be fetched and not committed at any instant
COMMAND = [sys.executable, "-m", "crawler"]
FAULTS = Path(__file__).parent / "faults"
STATES = {"queued", "done", "failed", "skipped", "gone"}

Row = tuple[Any, ...]
Content = dict[str, list[Row]]

# What a crawl came to, whatever the order in which it was done.
_CONTENT = {
    "urls": "SELECT url, state, reason, depth, status, redirect_to FROM urls",
    "pages": "SELECT url, title, description, lang, site, canonical, robots FROM pages",
    "sections": 'SELECT pages.url, "order", level, anchor, heading, ids, terms, text FROM sections '
    "JOIN pages ON pages.id = page",
    "links": "SELECT s.url, t.url, fragment, text, rel, hops FROM links JOIN urls s ON s.id = source "
    "JOIN urls t ON t.id = target",
    "called": 'SELECT url, "order", value FROM called JOIN sections ON sections.id = section '
    "JOIN pages ON pages.id = page, json_each('[\"' || replace(called.links, ' · ', '\",\"') || '\"]')",
    "words": "SELECT word, sections FROM words",
    "hosts": "SELECT origin, robots_status, robots_txt FROM hosts",
    "crawls": "SELECT count(*) FROM crawls WHERE finished_at IS NULL",
}
# What there must be none of, at any instant.
_NEVER = {
    "done without its page": "SELECT url FROM urls WHERE state = 'done' AND reason IN ('', 'cut-at-max-size') "
    "AND id NOT IN (SELECT id FROM pages)",
    "a page that is not done": "SELECT pages.url FROM pages JOIN urls USING (id) WHERE state <> 'done'",
    "a page without sections": "SELECT url FROM pages WHERE id NOT IN (SELECT page FROM sections)",
    "a section without its page": "SELECT id FROM sections WHERE page NOT IN (SELECT id FROM pages)",
    "a section that is not indexed": "SELECT id FROM sections EXCEPT SELECT id FROM sections_fts_docsize",
    "an index row without its section": "SELECT id FROM sections_fts_docsize EXCEPT SELECT id FROM sections",
    "a link of what is not done": "SELECT url FROM links JOIN urls ON urls.id = source WHERE state = 'queued'",
    "a link to what is not known": "SELECT id FROM links WHERE target NOT IN (SELECT id FROM urls)",
    "two crawls under way": "SELECT id FROM crawls WHERE finished_at IS NULL LIMIT -1 OFFSET 1",
}


def interlinked(site: Site, count: int = 150, seed: int = 1) -> None:
    """A site of pages that link to each other, with whatever else a crawl meets: every page has a word of its own."""
    site.latency = 0.003  # so that documents arrive one by one, and make many commits
    chance = random.Random(seed)
    paths = ["/", *(f"/{number}" for number in range(1, count))]
    others = ["/moved", "/missing", "/gone", "/private/1", "/image", "/hidden", "/blank", "http://other.invalid/"]
    for number, path in enumerate(paths):
        links = [*chance.sample(paths, 3), *paths[number + 1 : number + 3], *chance.sample(others, 2)]
        called = f'<a href="/{chance.randrange(1, count)}#part">the part of {number}</a>'
        body = f'{called}<h2 id="part">Part {number}</h2><p>{"words of a part " * chance.randrange(60)}'
        site.page(path, f"{word_of(path)} {'and more ' * chance.randrange(80)}", links=links, body=body)
    site.robots("User-agent: *\nDisallow: /private\n")
    site.redirect("/moved", "/moved/on")
    site.redirect("/moved/on", "/1", 302)
    site.raw("/gone", status=410)
    site.raw("/image", b"\x89PNG", Content_Type="image/png")
    site.page("/hidden", head='<meta name="robots" content="noindex">', links=["/2"])
    site.raw("/blank", b" ", Content_Type="text/html")


def word_of(path: str) -> str:
    """The word that the page at this path holds, and no other."""
    return "word" + "".join("abcdefghij"[int(digit)] for digit in path if digit.isdigit()) + "x"


class Lab:
    """A folder with an index file, and the one command that crawls the site into it."""

    _runs = 0

    def __init__(self, folder: Path, site: Site, scratch: Path | None = None) -> None:
        """`scratch` is where copies go, if not into the folder."""
        self.folder = folder
        self._scratch = scratch or folder
        self.site = site
        self.db = folder / "crawl.db"
        self.limits: dict[str, int] = {}
        """Faults that stand for the disk, where it cannot be made small."""
        self.command = ["--seed", site.url(), "--depth", "6", "--threads", str(THREADS), "--per-host", "4"]
        self._last = 0
        self._settled: set[str] = set()
        self._settled_before: dict[int, set[str]] = {}
        self.refetched: list[int] = []
        """How many requests each kill cost, over all crawls."""

    def start(self, *args: str, more: dict[str, Any] | None = None, **faults: Any) -> subprocess.Popen[str]:
        """The crawl, or the command given, in a process of its own that has these faults.

        Each run has a name, which it gives to the server: a killed one's last request may be seen only later.
        """
        Lab._runs += 1
        self._last = Lab._runs
        self._settled_before[Lab._runs] = self._settled
        named = environment(faults) | {"CRAWL_USER_AGENT": f"crawler/{Lab._runs}"}
        settings = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": self.folder}
        return subprocess.Popen([*COMMAND, *(args or self.command)], env=named, **(settings | (more or {})))

    def run(self, *args: str, **faults: Any) -> subprocess.CompletedProcess[str]:
        """As `start`, to the end."""
        return ended(self.start(*args, **faults))

    def killed(self, **faults: Any) -> bool:
        """Runs the crawl into its fault; whether that killed it. All that must hold after a kill is checked."""
        done = self.run(**faults)
        assert "Traceback" not in done.stderr, done.stderr
        again = self.check()
        if done.returncode in (-signal.SIGKILL, -signal.SIGXFSZ):
            self.refetched.append(again)
            return True
        assert done.returncode == 0, done
        return False

    def killed_after(self, seconds: float) -> bool:
        """As `killed`, at an instant."""
        process = self.start()
        with process:
            try:
                process.communicate(timeout=seconds)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
        again = self.check()
        if process.returncode == 0:
            return False
        assert process.returncode == -signal.SIGKILL
        self.refetched.append(again)
        return True

    def finish(self, *args: str) -> None:
        """The same command, undisturbed, ends the crawl."""
        done = self.run(*args)
        assert (done.returncode, done.stdout) == (0, ""), done
        self.check()

    def forget(self) -> None:
        """The next crawl begins in an empty folder."""
        for file in self.folder.glob("crawl.db*"):
            file.unlink()
        self.site.asked.clear()
        self.forget_requests()

    def forget_requests(self) -> None:
        """What fails for a passing reason is asked for again by the next crawl, as it should be."""
        self._settled = set()
        self._settled_before = {}

    def copy(self) -> Path:
        """The file as it is, with its log: SQLite recovers the copy, and the next crawl the original."""
        beside = self._scratch / "copy"
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir()
        for ending in ("", "-wal", "-journal"):
            if (file := self.db.with_name(self.db.name + ending)).exists():
                shutil.copy(file, beside)
        return beside / self.db.name

    def of_last_run(self) -> list[str]:
        """The paths that the last process that was started has asked for."""
        return [seen.path for seen in list(self.site.seen) if seen.headers["User-Agent"] == f"crawler/{self._last}"]

    def check(self) -> int:
        """What must hold of the file, and of what the server saw, whenever a crawl ended: P1, P2, P3 and P5.

        Returns how many URLs were asked for in vain, and will be asked for again.
        """
        asked: dict[int, Counter[str]] = {run: Counter() for run in self._settled_before}
        for seen in list(self.site.seen):
            run = int(seen.headers["User-Agent"].partition("/")[2])
            if run in asked and seen.path != "/robots.txt":
                asked[run][self.site.url(seen.path)] += 1
        for run, urls in asked.items():
            assert urls.keys() & self._settled_before[run] == set(), "fetched again, though it was stored"
            assert max(urls.values(), default=0) <= 1, "fetched twice by one run"
        last = asked[self._last].keys()
        if not self.db.exists() or not self.db.stat().st_size:
            return len(last)
        connection = sqlite3.connect(self.copy())
        try:
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                return len(last)
            whole(connection)
            rows = dict(connection.execute("SELECT url, state FROM urls"))
        finally:
            connection.close()
        assert set(rows.values()) <= STATES
        settled = {url for url, state in rows.items() if state != "queued"}
        assert settled >= self._settled, "lost what was stored"
        again = last - settled
        assert len(again) <= UNDER_WAY
        self._settled = settled
        return len(again)


def environment(faults: dict[str, Any]) -> dict[str, str]:
    path = os.pathsep.join(filter(None, [str(FAULTS), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "CHAOS": json.dumps(faults), "PYTHONDONTWRITEBYTECODE": "1"}


def whole(connection: sqlite3.Connection) -> None:
    """SQLite's own checks pass, pages and index agree, and every page is found by its word."""
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    for index in ("sections_fts", "called_fts"):
        connection.execute(f"INSERT INTO {index}({index}, rank) VALUES ('integrity-check', 1)")
    for what, statement in _NEVER.items():
        assert connection.execute(statement).fetchall() == [], what
    find = (
        "SELECT DISTINCT url FROM sections_fts JOIN sections ON sections.id = sections_fts.rowid "
        "JOIN pages ON pages.id = page WHERE sections_fts MATCH ?"
    )
    for (url,) in connection.execute("SELECT url FROM pages").fetchall():
        word = word_of("/" + url.partition("//")[2].partition("/")[2])
        assert connection.execute(find, (word,)).fetchall() == [(url,)], url


def content(db: Path) -> Content:
    """What the file says, by content: no ids, no times, and whatever the port of the site."""
    connection = sqlite3.connect(db)
    try:
        found = {name: map(_anywhere, connection.execute(sql).fetchall()) for name, sql in _CONTENT.items()}
        return {name: sorted(rows, key=repr) for name, rows in found.items()}
    finally:
        connection.close()


def _anywhere(row: Row) -> Row:
    return tuple(re.sub(r"127\.0\.0\.1:\d+", "site", value) if isinstance(value, str) else value for value in row)


def steps_of(file: Path) -> list[str]:
    """The statements that a process wrote down, and how it closed the file."""
    return file.read_text().splitlines()


def until(process: subprocess.Popen[str], happened: Callable[[], object]) -> None:
    """Returns once it has happened; looks again each time that the process has not ended for a moment."""
    while not happened():
        try:
            process.wait(0.01)
        except subprocess.TimeoutExpired:
            continue
        raise AssertionError(f"ended with {process.returncode} before it happened: {process.communicate()}")


def ended(process: subprocess.Popen[str]) -> subprocess.CompletedProcess[str]:
    """What a process came to, once it has ended."""
    with process:
        out, messages = process.communicate(timeout=60)
    return subprocess.CompletedProcess(process.args, process.returncode, out, messages)


def one_line(done: subprocess.CompletedProcess[str], code: int = 3) -> str:
    """The one line with which a command failed; a hint may follow, and nothing else."""
    assert done.returncode == code, done
    assert done.stdout == ""
    first, *rest = done.stderr.splitlines()
    assert first.startswith("error: "), done.stderr
    assert [line.partition(" ")[0] for line in rest] in ([], ["hint:"]), done.stderr
    return first

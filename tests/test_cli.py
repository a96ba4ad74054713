"""The command as people and scripts call it: in a process of its own, with real signals, files and exit codes."""

import json
import os
import pty
import random
import select
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.site import Site

Crawl = Callable[..., subprocess.CompletedProcess[str]]
COMMAND = [sys.executable, "-m", "crawler"]


@pytest.fixture
def crawl(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Crawl:
    """Runs the command in an empty folder."""
    state = str(tmp_path_factory.mktemp("state"))

    def run(*args: str, **more: Any) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "XDG_STATE_HOME": state, **more.pop("env", {})}
        return subprocess.run(
            [*COMMAND, *args],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            **more,
        )

    return run


def linked(site: Site, count: int) -> None:
    """A site of that many pages, each linking to some others."""
    chance = random.Random(count)
    paths = ["/", *(f"/{number}" for number in range(1, count))]
    for number, path in enumerate(paths):
        site.page(path, links=[*chance.sample(paths, 3), *paths[number + 1 : number + 3]])


def test_crawl_then_search(site: Site, crawl: Crawl, tmp_path: Path) -> None:
    """The two commands of the README: an index in ./crawl.db, and a line a hit when piped."""
    site.page("/", "the quick brown fox", title="Animals", links=["/plants"])
    site.page("/plants", "green things", title="Plants")
    done = crawl("--seed", site.url(), "--depth", "2")
    assert (done.returncode, done.stdout) == (0, "")
    assert "Indexed 2 pages" in done.stderr
    assert "next: crawl search TERM" in done.stderr
    found = crawl("search", "quick", "fox")
    assert found.returncode == 0
    rank, href, title, heading, snippet = found.stdout.rstrip("\n").split("\t")
    assert (rank, href, title, heading) == ("1", site.url(), "Animals", "Animals")
    assert "quick brown fox" in snippet
    assert (tmp_path / "crawl.db").exists()


def test_json_forms(site: Site, crawl: Crawl) -> None:
    """The JSON of a crawl and of a search hold the keys that scripts rely on."""
    site.page("/", "zebra", links=["/missing"])
    report = json.loads(crawl("--seed", site.url(), "--json", "-q").stdout)
    assert {"pages", "failed", "skipped", "queued", "seconds", "bytes", "reasons", "interrupted"} <= set(report)
    assert (report["pages"], report["failed"], report["reasons"]) == (1, 1, {"http-404": 1})
    assert report["interrupted"] is False
    results = json.loads(crawl("search", "zebra", "--json").stdout)
    assert set(results) == {"query", "total", "took_ms", "results"}
    assert set(results["results"][0]) == {
        "rank", "url", "href", "title", "heading", "snippet", "score", "site", "lang", "fetched_at",
    }  # fmt: skip
    assert (results["query"], results["total"], results["results"][0]["lang"]) == ("zebra", 1, "en")


def test_quiet_says_nothing_and_help_shows_examples(site: Site, crawl: Crawl) -> None:
    """-q leaves only errors; every --help ends with examples."""
    site.page("/")
    done = crawl("--seed", site.url(), "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    for args in (["--help"], ["search", "--help"], ["crawl", "--help"], []):
        shown = crawl(*args)
        assert shown.returncode == 0
        assert "Examples:" in shown.stdout


def test_the_hint_leads_to_the_help_of_the_command(crawl: Crawl) -> None:
    """A flag that there is not is looked for where the flags are."""
    for args, hint in (
        (["--treads", "5"], "crawl crawl --help"),
        (["search", "--limt", "3", "x"], "crawl search --help"),
        (["update", "--profile"], "crawl update --help"),
    ):
        assert f"hint: {hint}\n" in crawl(*args).stderr


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["--depth", "2"], "no seed"),
        (["--seed", ""], "is not a URL"),
        (["--seed", "example.org"], "has no scheme"),
        (["--seed", "ftp://example.org/"], "ftp is not crawled"),
        (["--seed", "javascript:alert(1)"], "javascript is not crawled"),
        (["--seed", "http://"], "is not a URL"),
        (["--seed", "http://a b/"], "is not a URL"),
        (["--seed", "http://h/", "--depth", "-1"], "depth is -1"),
        (["--seed", "http://h/", "--depth", "abc"], "'abc' is not a valid integer"),
        (["--seed", "http://h/", "--depth", "1000000000"], "depth is 1000000000"),
        (["--seed", "http://h/", "--threads", "0"], "threads is 0"),
        (["--seed", "http://h/", "--per-host", "some"], "--per-host is 'some'"),
        (["--seed", "http://h/", "--delay", "-1"], "delay is -1"),
        (["--seed", "http://h/", "--delay", "nan"], "delay is nan"),
        (["--seed", "http://h/", "--scope", "galaxy"], "'galaxy' is not one of"),
        (["--seed", "http://h/", "--header", "nocolon"], "has no colon"),
        (["--seed", "http://h/", "--header", "A: b\r\nC: d"], "is not a header"),
        (["--seed", "http://h/", "--nonsense"], "No such option"),
        (["--seed", "http://h/", "extra"], "unexpected extra argument"),
        (["--seed", "http://h/", "--config", "missing.toml"], "missing.toml: no such file"),
        (["serch", "x"], "no command 'serch'"),
        (["https://example.org/"], "no command 'https://example.org/'"),
        (["search"], "nothing to search for"),
        (["search", "   "], "nothing to search for"),
        (["search", "x", "--limit", "0"], "limit is 0"),
        (["search", "x", "--since", "yesterday"], "--since 'yesterday' is no date"),
        (["--seed", "http://h/", "--db", ""], "db is empty"),
    ],
    ids=" ".join,
)
def test_bad_arguments_are_one_line_exit_2_and_nothing_on_disk(
    crawl: Crawl, tmp_path: Path, args: list[str], complaint: str
) -> None:
    """A wrong flag or query says what is wrong and what to do; no file appears and no traceback."""
    done = crawl(*args)
    assert done.returncode == 2
    assert done.stdout == ""
    first, *rest = done.stderr.splitlines()
    assert first.startswith("error: ")
    assert complaint.lower() in first.lower()
    assert all(line.startswith("hint: ") for line in rest)
    assert len(rest) <= 1
    assert list(tmp_path.iterdir()) == []


def test_an_argument_that_is_not_utf_8_is_an_error_not_a_traceback(tmp_path: Path) -> None:
    """Bytes that are no text are refused as any other bad seed."""
    done = subprocess.run([*COMMAND, "--seed", b"http://h/\xff\xfe"], cwd=tmp_path, capture_output=True, timeout=60)
    assert done.returncode in (2, 4)
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"depth = ", "config.toml:1:"),
        (b"depth = 2\ndepth = 3\n", "config.toml:2:"),
        (b"\n\ndeph = 3\n", "config.toml:3: unknown key 'deph'"),
        (b'depth = "deep"\n', "config.toml:1: depth is 'deep'"),
        (b"threads = true\n", "config.toml:1: threads is True"),
        (b"db = '\xff'\n", "config.toml: byte 6 is not UTF-8"),
        (b'[site."h".fields]\nprice = "..bad"\n', "config.toml:2: field 'price'"),
        (b'[site."h"]\nfeelds = 1\n', "config.toml:2: unknown key 'feelds'"),
    ],
    ids=["syntax", "duplicate", "unknown", "type", "boolean", "encoding", "selector", "site"],
)
def test_a_config_that_cannot_be_used_names_file_and_line(
    crawl: Crawl, site: Site, tmp_path: Path, content: bytes, place: str
) -> None:
    """./config.toml with a mistake ends the command before any request."""
    (tmp_path / "config.toml").write_bytes(content)
    done = crawl("--seed", site.url())
    assert done.returncode == 2
    assert place in done.stderr.splitlines()[0]
    assert site.seen == []
    assert [file.name for file in tmp_path.iterdir()] == ["config.toml"]


def test_flag_over_environment_over_file_over_default(crawl: Crawl, site: Site, tmp_path: Path) -> None:
    """Each source wins over the next."""
    site.page("/")
    (tmp_path / "config.toml").write_text(f'db = "file.db"\nseeds = ["{site.url()}"]\n')
    assert crawl("-q", "crawl").returncode == 2  # options stand behind the command
    assert crawl("crawl", "-q").returncode == 0
    assert crawl("crawl", "-q", env={"CRAWL_DB": "environment.db"}).returncode == 0
    assert crawl("crawl", "-q", "--db", "flag.db", env={"CRAWL_DB": "environment.db"}).returncode == 0
    assert {"file.db", "environment.db", "flag.db"} <= {file.name for file in tmp_path.iterdir()}


@pytest.mark.parametrize("name", ["directory", "text", "foreign"])
@pytest.mark.parametrize("args", [["--seed", "http://127.0.0.1:9/"], ["search", "x"]], ids=["crawl", "search"])
def test_a_database_that_is_none_of_ours_is_exit_3_and_untouched(
    crawl: Crawl, tmp_path: Path, name: str, args: list[str]
) -> None:
    """A folder, a text file or another program's database is refused before any request, byte for byte as it was."""
    path = tmp_path / "some.db"
    if name == "directory":
        path.mkdir()
    elif name == "text":
        path.write_text("not a database\n" * 20)
    else:
        with sqlite3.connect(path) as connection:
            connection.execute("CREATE TABLE theirs(x)")
        connection.close()
    before = path.is_file() and path.read_bytes()
    done = crawl(*args, "--db", str(path))
    assert done.returncode == 3
    assert done.stderr.startswith(f"error: {path}: ")
    assert len(done.stderr.splitlines()) == 2
    assert (path.is_file() and path.read_bytes()) == before
    assert list(tmp_path.iterdir()) == [path]


def test_search_before_any_crawl_says_what_to_run(crawl: Crawl, tmp_path: Path) -> None:
    """No index yet: exit 3, a hint, and no file is made."""
    done = crawl("search", "x")
    assert done.returncode == 3
    assert "no index yet" in done.stderr
    assert "hint: crawl first: crawl --seed URL" in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "term",
    [
        '"',
        'a"b',
        "(",
        "AND",
        "NOT x",
        "a OR",
        "*",
        "^a",
        "col:x",
        "--",
        "NEAR(",
        "a-b",
        "C++",
        "don't",
        "@x",
        "🦓",
        "漢字",
    ],
)
def test_any_query_is_taken(crawl: Crawl, site: Site, term: str) -> None:
    """Nothing that a person types makes a search fail: hits or none."""
    site.page("/", "C++ and AND a-b")
    crawl("--seed", site.url(), "-q")
    done = crawl("search", "--json", "--", term)
    assert done.returncode in (0, 1)
    assert json.loads(done.stdout)["query"] == term


def test_nothing_found_and_nothing_indexed_are_exit_1(crawl: Crawl, site: Site) -> None:
    """A search without hits, and a crawl that finished with no page, exit 1."""
    site.raw("/", b"\x89PNG", Content_Type="image/png")
    done = crawl("--seed", site.url())
    assert done.returncode == 1
    assert "1 neither HTML nor text" in done.stderr
    found = crawl("search", "zebra")
    assert (found.returncode, found.stdout) == (1, "")
    assert "no page matches 'zebra'" in found.stderr


@pytest.mark.parametrize("fault", ["refused", "robots", "missing", "host"])
def test_no_seed_fetched_is_exit_4_and_says_why(crawl: Crawl, site: Site, fault: str) -> None:
    """Unreachable, refused by robots.txt or not there: the seed and the reason are named."""
    seed, why = site.url(), ""
    if fault == "refused":
        seed, why = "http://127.0.0.1:9/", "connection refused"
    elif fault == "robots":
        site.robots("User-agent: *\nDisallow: /\n")
        why = "skipped: robots"
    elif fault == "missing":
        why = "http-404"
    else:
        seed, why = "http://no-such-host.invalid/", "no-such-host.invalid"
    done = crawl("--seed", seed, "--json")
    assert done.returncode == 4
    error = next(line for line in done.stderr.splitlines() if line.startswith("error: "))
    assert seed in error
    assert why in error
    assert json.loads(done.stdout)["pages"] == 0
    assert "Traceback" not in done.stderr


def test_a_second_crawl_on_the_same_file_names_the_first(crawl: Crawl, site: Site, tmp_path: Path) -> None:
    """Exit 3 and the process that holds the file; the first crawl is not disturbed."""
    site.page("/", links=["/slow"])
    site.page("/slow")
    gate = site.hold("/slow")
    first = subprocess.Popen([*COMMAND, "--seed", site.url(), "-q"], cwd=tmp_path)
    while not site.requests("/"):
        assert first.poll() is None
        time.sleep(0.01)
    second = crawl("--seed", site.url())
    assert second.returncode == 3
    assert f"another crawl writes to it (process {first.pid})" in second.stderr
    assert crawl("search", "anything").returncode in (0, 1)
    gate.set()
    assert first.wait(30) == 0


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 143)])
def test_a_signal_saves_and_the_same_command_goes_on(
    crawl: Crawl, site: Site, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    """Interrupted: documented exit code, a hint, nothing lost, nothing fetched twice afterwards."""
    linked(site, 60)
    command = ["--seed", site.url(), "--depth", "90", "--delay", "0.01"]
    process = subprocess.Popen([*COMMAND, *command], cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    while len(site.paths) < 15:
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(number)
    _, messages = process.communicate(timeout=30)
    assert process.returncode == code
    assert "the same command goes on from here" in messages
    assert crawl(*command).returncode == 0
    assert sorted(site.paths) == sorted({"/", "/sitemap.xml", *(f"/{n}" for n in range(1, 60))})


@contextmanager
def waiting_crawl(site: Site, folder: Path, *options: str) -> Iterator[tuple["subprocess.Popen[str]", threading.Event]]:
    """A crawl that waits for the second of two pages, which answers once the event is set."""
    site.page("/", links=["/stuck"])
    site.page("/stuck")
    gate, pipe = site.hold("/stuck"), subprocess.PIPE
    process = subprocess.Popen(
        [*COMMAND, "--seed", site.url(), *options], cwd=folder, stdout=pipe, stderr=pipe, text=True
    )
    try:
        while "/stuck" not in site.asked:
            assert process.poll() is None
            time.sleep(0.01)
        yield process, gate
    finally:
        gate.set()
        process.kill()
        process.communicate()


def test_the_first_signal_is_answered_at_once(site: Site, tmp_path: Path) -> None:
    """Who presses Ctrl-C is told what is waited for, while that is not there yet, and that a second one ends it."""
    with waiting_crawl(site, tmp_path, "--timeout", "30") as (process, gate):
        process.send_signal(signal.SIGINT)
        assert process.stderr is not None
        told = next(line for line in process.stderr if "pages/s" not in line)  # but for progress
        gate.set()
        _, messages = process.communicate(timeout=40)
    assert told.startswith("Finishing what is under way")
    assert "Interrupted: indexed 2 pages" in messages
    assert process.returncode == 130


def test_two_signals_end_at_once(site: Site, tmp_path: Path) -> None:
    """A second Ctrl-C gives up a request that does not answer; its URL stays queued."""
    with waiting_crawl(site, tmp_path, "--json", "-q") as (process, _):
        process.send_signal(signal.SIGINT)
        process.send_signal(signal.SIGTERM)  # another one, for two of the same may arrive as one
        out, _messages = process.communicate(timeout=20)
    assert process.returncode == 130
    report = json.loads(out)
    assert (report["interrupted"], report["pages"], report["queued"]) == (True, 1, 1)


def test_kill_9_at_any_moment_and_the_same_command_goes_on(site: Site, tmp_path: Path, crawl: Crawl) -> None:
    """Ten SIGKILLs at random moments: the file stays whole, and the end is that of an undisturbed crawl."""
    linked(site, 120)
    site.latency = 0.005
    command = ["--seed", site.url(), "--depth", "200", "-q"]
    chance = random.Random(4)
    for _ in range(10):
        process = subprocess.Popen([*COMMAND, *command], cwd=tmp_path)
        time.sleep(chance.uniform(0.15, 0.9))
        process.kill()
        process.wait()
    assert crawl(*command).returncode == 0
    with sqlite3.connect(tmp_path / "crawl.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        connection.execute("INSERT INTO sections_fts(sections_fts, rank) VALUES ('integrity-check', 1)")
        assert connection.execute("SELECT count(*) FROM pages").fetchone() == (120,)
        assert connection.execute("SELECT DISTINCT state FROM urls").fetchall() == [("done",)]
    connection.close()


def test_progress_lines_where_there_is_no_terminal_and_a_live_line_on_one(site: Site, tmp_path: Path) -> None:
    """On a terminal one line is redrawn, and gone before the summary."""
    linked(site, 30)
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "--seed", site.url(), "--depth", "50", "--delay", "0.03"],
        cwd=tmp_path,
        stderr=theirs,
        stdout=theirs,
    )
    os.close(theirs)
    shown = b""
    while process.poll() is None or select.select([ours], [], [], 0.1)[0]:
        try:
            shown += os.read(ours, 65536)
        except OSError:
            break
    os.close(ours)
    assert process.wait() == 0
    text = shown.decode()
    assert text.count("\r\x1b[K") >= 3
    assert " queued · 0 failed · " in text
    assert text.rpartition("\r\x1b[K")[2].startswith("Indexed 30 pages")


def test_cards_on_a_terminal_and_none_of_a_pages_escapes(site: Site, tmp_path: Path, crawl: Crawl) -> None:
    """A hit is a card with a linked title; what a page puts into its title cannot reach the terminal."""
    evil = "Evil \x1b]52;c;ZXZpbA==\x07 \u202e title \x9b31m"
    site.page("/", "zebra crossing", title=evil)
    crawl("--seed", site.url(), "-q")
    for color in (True, False):
        ours, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", **({} if color else {"NO_COLOR": "1"})}
        process = subprocess.Popen(
            [*COMMAND, "search", "zebra"], cwd=tmp_path, stdout=theirs, stderr=theirs, env=environment
        )
        assert process.wait(30) == 0
        shown = os.read(ours, 65536).decode()
        os.close(ours)
        os.close(theirs)
        assert "\x1b]52" not in shown
        assert "\u202e" not in shown
        assert "\x9b" not in shown
        assert (f"\x1b]8;;{site.url()}\x1b\\" in shown) is color
        assert ("\x1b" in shown) is color
        assert site.url() in shown
        assert "1 of 1 in " in shown


@pytest.mark.parametrize("stream", ["closed stdout", "full stdout", "closed stderr"])
def test_streams_that_fail(site: Site, tmp_path: Path, crawl: Crawl, stream: str) -> None:
    """`| head` is quiet, a full disk behind stdout is said, and a closed stderr does no harm."""
    for number in range(50):
        site.page(f"/{number}" if number else "/", "zebra " * 50, links=[f"/{number + 1}"])
    crawl("--seed", site.url(), "-q", "--depth", "60")
    search = f"{sys.executable} -m crawler search zebra --limit 50"
    line = {
        "closed stdout": f"{search} | head -n 1; exit ${{PIPESTATUS[0]}}",
        "full stdout": f"{search} > /dev/full",
        "closed stderr": f"{search} 2>&-",
    }[stream]
    done = subprocess.run(["bash", "-c", line], cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert "Traceback" not in done.stderr
    assert done.returncode == (3 if stream == "full stdout" else 0)


def test_a_poor_locale_escapes_instead_of_failing(site: Site, crawl: Crawl) -> None:
    """With an ASCII-only output a hit in another script is escaped, not an error."""
    site.page("/", "zebra", title="漢字 – né")
    crawl("--seed", site.url(), "-q")
    done = crawl("search", "zebra", env={"LC_ALL": "C", "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert done.returncode == 0
    assert "\\u6f22" in done.stdout


def test_dry_run_fetches_no_page_and_writes_nothing(site: Site, crawl: Crawl, tmp_path: Path) -> None:
    """--dry-run says what robots.txt says, the pace that follows and how long a thousand pages take at best."""
    site.robots("User-agent: *\nCrawl-delay: 7\nDisallow: /secret\nContent-Usage: / train-ai=n\n")
    site.page("/")
    done = crawl("--seed", site.url(), "--seed", site.url("/secret"), "--dry-run")
    assert done.returncode == 0
    assert f"{site.url()}: allowed by robots.txt" in done.stdout
    assert f"{site.url('/secret')}: refused by robots.txt" in done.stdout
    assert "7 s between two requests" in done.stdout
    assert "at most 8.57 pages a minute: 1,000 pages take 117 minutes or longer" in done.stdout
    assert "of the use of its pages it says: / train-ai=n" in done.stdout
    assert site.paths == []
    assert list(tmp_path.iterdir()) == []


def test_dry_run_of_this_machine(site: Site, crawl: Crawl) -> None:
    """Where there is no delay, no time is promised; what sitemaps list is told."""
    site.robots(f"Sitemap: {site.url('/s.xml')}\n")
    site.raw("/s.xml", f"<urlset><url><loc>{site.url('/a')}</loc></url></urlset>".encode(), Content_Type="text/xml")
    done = crawl("--seed", site.url(), "--dry-run")
    assert "as fast as it answers" in done.stdout
    assert "its sitemaps list 1 URL\n" in done.stdout
    assert json.loads(crawl("--seed", site.url(), "--dry-run", "--json").stdout)["seeds"][0]["sitemap_urls"] == 1


@pytest.mark.parametrize(
    ("flags", "warned"),
    [
        ([], True),
        (["-q"], False),
        (["--user-agent", "crawler/0.1 (+https://you.example/)"], False),
        (["--user-agent", "crawler/0.1 (you@you.example)"], False),
        (["--header", "From: you@you.example"], False),
    ],
)
def test_who_crawls_strangers_without_a_contact_is_warned(crawl: Crawl, flags: list[str], warned: bool) -> None:
    """Once, on standard error, before the first request; not for sites of this machine, and not with -q."""
    site = Site("0.0.0.0")  # which leads here, and is no name of this machine
    site.page("/")
    done = crawl("--seed", site.url(), "--delay", "0", "--allow-private", *flags)
    own = crawl("--seed", site.url().replace("0.0.0.0", "127.0.0.1"), "--db", "own.db", *flags)
    site.close()
    assert (done.returncode, own.returncode) == (0, 0)
    assert done.stderr.count("warning: who runs the site cannot reach you") == warned
    assert "warning" not in own.stderr


def test_search_works_while_a_crawl_runs(site: Site, tmp_path: Path, crawl: Crawl) -> None:
    """A search beside a running crawl sees whole commits and is never locked out."""
    linked(site, 200)
    process = subprocess.Popen(
        [*COMMAND, "--seed", site.url(), "--depth", "300", "--delay", "0.005", "-q"], cwd=tmp_path
    )
    totals = []
    while process.poll() is None:
        done = crawl("search", "this", "--json")
        if done.returncode != 3:  # before the first commit there is no index
            totals.append(json.loads(done.stdout)["total"])
    assert process.returncode == 0
    assert totals == sorted(totals)
    assert len(totals) > 1


def test_an_update_prints_four_counts(site: Site, crawl: Crawl) -> None:
    """`crawl update` prints what is new, changed, gone and the same, as a line on standard output and as JSON."""
    site.page("/", links=["/a", "/b"])
    site.page("/a")
    site.page("/b")
    crawl("--seed", site.url())
    site.page("/a", "changed")
    site.raw("/b", status=503)
    found = crawl("update", "--older-than", "0")
    assert (found.returncode, found.stdout) == (0, "0 new, 1 changed, 0 gone, 1 same\n")
    assert "1 URL could not be fetched for now" in found.stderr
    site.raw("/b", status=404)
    report = json.loads(crawl("update", "--older-than", "0", "--json").stdout)
    assert [report[verdict] for verdict in ("new", "changed", "gone", "same")] == [0, 0, 1, 2]
    assert "Nothing is due yet" in crawl("update", "--older-than", "7d").stderr


def test_an_update_of_a_site_that_is_down(site: Site, crawl: Crawl) -> None:
    """When no seed can be fetched, an update says so, as a crawl does, and loses nothing."""
    site.page("/", "zebra")
    crawl("--seed", site.url())
    site.raw("/", status=503)
    found = crawl("update", "--older-than", "0")
    assert (found.returncode, found.stdout) == (4, "0 new, 0 changed, 0 gone, 0 same\n")
    assert "1 URL could not be fetched for now" in found.stderr
    assert "error: no seed could be fetched" in found.stderr
    assert "Nothing is due" not in found.stderr
    assert crawl("search", "zebra").returncode == 0


def test_an_update_of_an_empty_file_leaves_it_empty(crawl: Crawl, tmp_path: Path) -> None:
    """An update that is refused writes nothing."""
    (tmp_path / "crawl.db").touch()
    assert crawl("update").returncode == 3
    assert (tmp_path / "crawl.db").stat().st_size == 0


@pytest.mark.parametrize("age", ["-1", "-5d", "", "soon", "7y", "d", "1e999d", "nan", "inf"])
def test_an_age_that_is_none(crawl: Crawl, age: str) -> None:
    """An age that cannot be read is a usage error."""
    found = crawl("update", "--older-than", age)
    assert (found.returncode, found.stdout) == (2, "")
    assert found.stderr.startswith("error: --older-than is")


def test_an_update_without_an_index(crawl: Crawl, tmp_path: Path) -> None:
    """Without an index there is nothing to update, and nothing is made."""
    found = crawl("update")
    assert (found.returncode, found.stderr.splitlines()[0]) == (3, "error: crawl.db: there is nothing to update")
    assert list(tmp_path.iterdir()) == []


def test_seeds_in_the_settings_need_no_argument(site: Site, crawl: Crawl, tmp_path: Path) -> None:
    """`crawl` alone crawls where config.toml says; where nothing does, it shows its help."""
    assert "Usage" in crawl().stdout
    site.page("/")
    (tmp_path / "config.toml").write_text(f'seeds = ["{site.url()}"]\nsitemaps = false\n')
    assert crawl().returncode == 0
    assert (tmp_path / "crawl.db").exists()


def test_a_dry_run_of_what_is_refused_ends_as_the_crawl_would(site: Site, crawl: Crawl) -> None:
    """Exit code 4 when no seed may be fetched; and no sitemap is counted that would not be read."""
    site.robots(f"User-agent: *\nDisallow: /\nSitemap: {site.url('/s.xml')}\n")
    assert crawl("--seed", site.url(), "--dry-run").returncode == 4
    site.robots(f"User-agent: *\nDisallow:\nSitemap: {site.url('/s.xml')}\n")
    site.raw("/s.xml", b"<urlset><url><loc>/a</loc></url></urlset>")
    assert "list 1 URL" in crawl("--seed", site.url(), "--dry-run").stdout
    assert "list 1 URL" not in crawl("--seed", site.url(), "--dry-run", "--no-sitemaps").stdout


def test_a_summary_names_a_seed_that_failed_and_says_where_the_rest_is(site: Site, crawl: Crawl) -> None:
    """A seed that fails beside a good one is not lost in a count."""
    site.page("/")
    done = crawl("--seed", site.url(), "--seed", site.url("/gone"), "--no-sitemaps")
    assert done.returncode == 0
    assert f"warning: seed {site.url('/gone')}: http-404" in done.stderr

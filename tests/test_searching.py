"""Searching from the shell, and going on with what was found: what is printed, remembered, opened and read."""

import json
import os
import pty
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from crawler.recall import Place, last, remember
from tests.site import Site

Crawl = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state" / "crawler" / "last-search.json"


@pytest.fixture
def crawl(tmp_path: Path, state: Path) -> Crawl:
    """Runs the command; what it remembers is in a folder of the test's own."""
    folder = tmp_path / "work"
    folder.mkdir()

    def run(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "crawler", *args],
            cwd=folder,
            env={**os.environ, "XDG_STATE_HOME": str(state.parents[1]), **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture
def animals(site: Site, crawl: Crawl) -> Site:
    """An index of three pages."""
    site.page(
        "/",
        title="Animals",
        links=["/zebra", "/lion"],
        body="<h2 id=all>All of them</h2><p>an animal</p><h3>More</h3><p>deeper</p><h2 id=x>Other</h2><p>else</p>",
    )
    site.page("/zebra", "the zebra is an animal with stripes", title="Zebra")
    site.page("/lion", "the lion is an animal without", title="Lion")
    assert crawl("--seed", site.url(), "-q").returncode == 0
    return site


def test_a_word_that_no_page_holds(animals: Site, crawl: Crawl) -> None:
    """It is named, with a command that finds something; exit code 1, nothing on standard output."""
    done = crawl("search", "stirpes")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        "no page matches 'stirpes'",
        'No page holds "stirpes".',
        "Did you mean: crawl search stripes",
    ]
    other = crawl("search", "zebra", "stirpes")
    assert other.returncode == 0
    assert other.stdout.split("\t")[1] == animals.url("/zebra")
    assert "Did you mean: crawl search zebra stripes" in other.stderr


def test_what_is_not_required_any_more_is_said(animals: Site, crawl: Crawl) -> None:
    """Results that lack what was required are not passed off as right."""
    done = crawl("search", '"zebra"', '"purple cow"')
    assert done.returncode == 0
    assert 'No page holds "purple cow": not required any more.' in done.stderr
    together = crawl("search", '"with stripes"', '"animal without"')
    assert 'No page holds "with stripes" and "animal without" together: not required any more.' in together.stderr


def test_filters_that_leave_nothing(animals: Site, crawl: Crawl) -> None:
    """It is said that there would be hits without them."""
    done = crawl("search", "zebra", "site:elsewhere.test")
    assert done.returncode == 1
    assert "Without its filters, 2 would match: crawl search zebra\n" in done.stderr


def test_pages_of_hits(animals: Site, crawl: Crawl) -> None:
    """Each page of hits goes on where the one before ended; behind the last there is none."""
    pages = [crawl("search", "animal", "--limit", "2", "--page", str(number)) for number in (1, 2, 3)]
    ranks = [line.split("\t")[0] for page in pages for line in page.stdout.splitlines()]
    assert ranks == ["1", "2", "3"]
    assert [page.returncode for page in pages] == [0, 0, 1]
    assert pages[2].stderr == "the hits end before page 3: crawl search animal\n"
    nothing = crawl("search", "wombat", "--page", "2")
    assert (nothing.returncode, nothing.stderr.splitlines()[0]) == (1, "no page matches 'wombat'")


@pytest.mark.parametrize("page", ["0", "-1", "10001", "99999999999999999999"])
def test_a_page_of_hits_that_cannot_be(crawl: Crawl, page: str) -> None:
    """One line and the bounds, exit code 2, however large the number."""
    done = crawl("search", "zebra", "--page", page)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"error: page is {page}\nhint: give a number from 1 to 10000\n"


def test_a_suggestion_can_be_typed_as_it_stands(animals: Site, crawl: Crawl) -> None:
    """It keeps the flags, and words that look like flags stay words."""
    done = crawl("search", "--lang", "en", "--", "-x", "stirpes")
    assert "Did you mean: crawl search --lang en -- -x stripes\n" in done.stderr
    again = crawl("search", "--lang", "en", "--", "-x", "stripes")
    assert animals.url("/zebra") in again.stdout
    phrase = crawl("search", '"purple cow" stirpes')
    assert "Did you mean: crawl search '\"purple cow\" stripes'\n" in phrase.stderr


def test_why_a_hit_is_where_it_is(animals: Site, crawl: Crawl) -> None:
    """--explain shows the expression and what the score is made of, in JSON as well."""
    done = crawl("search", "zebra", "--explain")
    assert 'match: "zebra"' in done.stderr
    assert "text 1.00 · names 1.44" in done.stderr
    (hit, *_) = json.loads(crawl("search", "zebra", "--explain", "--json").stdout)["results"]
    assert hit["signs"].startswith("text 1.00 · names 1.44")


def test_json_of_what_could_not_be_found(animals: Site, crawl: Crawl) -> None:
    """What a person is told, a program is told."""
    found = json.loads(crawl("search", '"purple cow"', "zebra", "stirpes", "--json").stdout)
    assert (found["unknown"], found["relaxed"]) == (["stirpes"], ["purple cow"])
    assert found["suggestion"] == '"purple cow" zebra stripes'


def test_a_value_that_no_filter_has(animals: Site, crawl: Crawl) -> None:
    """It is text, and that is said."""
    done = crawl("search", "zebra", "before:2026-13")
    assert done.returncode == 0
    assert '"before:2026-13" is no filter: that would be YYYY-MM-DD' in done.stderr
    assert "No page that is left holds" in crawl("search", "+zebra", "+lion", "+wombat", "type:html").stderr


def test_filters_alone_are_a_query(animals: Site, crawl: Crawl) -> None:
    """They list pages; where they leave none, that is all there is to say."""
    assert len(crawl("search", "type:html", "title:z").stdout.splitlines()) == 1
    done = crawl("search", "lang:fr")
    assert (done.returncode, done.stderr) == (1, "no page matches 'lang:fr'\n")


def test_open_prints_the_address_of_a_hit_and_starts_the_browser(animals: Site, crawl: Crawl, tmp_path: Path) -> None:
    """The hit of the last search, by its rank; with --print no browser is started."""
    seen = tmp_path / "seen"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {seen}\n')
    browser.chmod(0o755)
    crawl("search", "zebra")
    done = crawl("open", "1", "--print", BROWSER=str(browser))
    assert (done.returncode, done.stdout.strip(), seen.exists()) == (0, animals.url("/zebra"), False)
    assert crawl("open", "1", BROWSER=str(browser)).returncode == 0
    assert seen.read_text() == animals.url("/zebra")


def test_no_such_hit(animals: Site, crawl: Crawl) -> None:
    """Without a search, or beyond what it showed: one line and a hint, exit code 2."""
    none = crawl("open", "1")
    assert (none.returncode, none.stderr) == (
        2,
        "error: there is no search to go back to\nhint: crawl search TERM\n",
    )
    crawl("search", "zebra")
    beyond = crawl("show", "7")
    assert (beyond.returncode, beyond.stderr) == (
        2,
        "error: the last search showed no hit 7\nhint: its hits: 1 to 2\n",
    )


@pytest.mark.parametrize(
    "kept",
    [
        "",
        "{",
        "[]",
        "[" * 100_000,
        '{"db": 1, "hits": 2}',
        '{"db": "x", "hits": {"a": ["http://h/", 0]}}',
        '{"db": "x", "hits": {"1": "http://h/"}}',
        '{"db": "x", "hits": {"1": ["http://h/", Infinity]}}',
    ],
    ids=range(8),
)
def test_a_garbled_memory_is_none(animals: Site, crawl: Crawl, state: Path, kept: str) -> None:
    """Whatever stands in the file, there is no traceback, and the next search replaces it."""
    state.parent.mkdir(parents=True)
    state.write_text(kept)
    done = crawl("open", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: there is no search to go back to")
    crawl("search", "zebra")
    assert crawl("open", "1", "--print").returncode == 0


@pytest.mark.parametrize(
    "href",
    ["javascript:alert(1)", "file:///etc/passwd", "--help", "http://h/\x1b]0;x\x07", "http://h/ -x", "http://h/\n"],
)
def test_only_the_web_is_opened(crawl: Crawl, state: Path, href: str) -> None:
    """An address that somebody put into the file is not run."""
    state.parent.mkdir(parents=True)
    state.write_text(json.dumps({"db": "crawl.db", "hits": {"1": [href, 0]}}))
    done = crawl("open", "1", "--print")
    assert (done.returncode, done.stdout) == (2, "")
    assert "hit 1 is no web address" in done.stderr


def test_the_memory_is_the_users_own_and_never_in_the_way(animals: Site, crawl: Crawl, state: Path) -> None:
    """Nobody else can read it; where it cannot be written, a search goes on as ever."""
    crawl("search", "zebra")
    assert (state.stat().st_mode & 0o777, state.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert [path.name for path in state.parent.iterdir()] == [state.name]
    done = crawl("search", "zebra", XDG_STATE_HOME="/dev/null/nowhere")
    assert (done.returncode, done.stderr) == (0, "")
    away = crawl("search", "zebra", XDG_STATE_HOME="relative", HOME=str(state.parent))
    assert away.returncode == 0
    assert (state.parent / ".local/state/crawler" / state.name).exists()


def test_searches_at_once_leave_one_of_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads meanwhile sees the hits of one search, whole, and no other file is left behind."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    searches = [{rank: Place(f"http://h/{number}", number) for rank in range(1, 300)} for number in range(4)]
    remember("crawl.db", searches[0])

    def write(hits: dict[int, Place]) -> None:
        for _ in range(25):
            remember("crawl.db", hits)

    threads = [threading.Thread(target=write, args=(hits,)) for hits in searches]
    for thread in threads:
        thread.start()
    seen = [last().hits for _ in range(100)]
    for thread in threads:
        thread.join()
    assert all(hits in searches for hits in [*seen, last().hits])
    assert [path.name for path in (tmp_path / "crawler").iterdir()] == ["last-search.json"]


def test_show_reads_the_section_of_a_hit_that_has_no_anchor(site: Site, crawl: Crawl) -> None:
    """A heading without an id is no less of a section; the index that is named wins over the one remembered."""
    site.page("/", body="<h2>Bare</h2><p>wombat here</p><h2>Other</h2><p>gnu there</p>", title="Animals")
    crawl("--seed", site.url(), "-q")
    crawl("search", "wombat")
    shown = crawl("show", "1").stdout
    assert "wombat here" in shown
    assert "gnu there" not in shown
    assert crawl("show", "1", "--db", "other.db").returncode == 3


@pytest.mark.parametrize("what", ["nonsense.html", "9" * 5000, "javascript:alert(1)"], ids=len)
def test_show_of_what_is_no_url(animals: Site, crawl: Crawl, what: str) -> None:
    """One line and a hint, exit code 2."""
    done = crawl("show", what)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is not a URL that could be crawled" in done.stderr
    assert len(done.stderr.splitlines()) == 2


def test_show_reads_a_hit_from_the_index(animals: Site, crawl: Crawl) -> None:
    """Its section with what stands below it, or the whole page; by another name of the index and offline."""
    animals.close()
    crawl("search", "All of them")
    shown = crawl("show", "1").stdout
    assert [word for word in ("an animal", "deeper", "else") if word in shown] == ["an animal", "deeper"]
    assert shown.startswith(f"Animals\n{animals.url()}\n")
    whole = crawl("show", "1", "--whole").stdout
    assert all(word in whole for word in ("an animal", "deeper", "else"))
    data = json.loads(crawl("show", animals.url("/#x"), "--json").stdout)
    assert (data["url"], data["title"]) == (animals.url(), "Animals")
    assert data["sections"] == [{"heading": "Other", "text": "else"}]


def test_show_of_a_section_that_is_not_there(animals: Site, crawl: Crawl) -> None:
    """It is said, with the command that shows the page."""
    done = crawl("show", animals.url("/#nowhere"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{animals.url()} has no section at #nowhere: crawl show {animals.url()}\n"


def test_a_search_that_found_nothing_is_the_last_one(animals: Site, crawl: Crawl) -> None:
    """Nobody wants the hits of the one before it opened."""
    crawl("search", "zebra")
    crawl("search", "xqz")
    done = crawl("open", "1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "the last search found nothing" in done.stderr


def test_a_command_behind_its_options(animals: Site, crawl: Crawl) -> None:
    """It is said how it goes; a value of an option is no command, whatever it is."""
    done = crawl("--db", "x.db", "show", "1")
    assert (done.returncode, done.stderr.splitlines()[1:]) == (2, ["hint: crawl show 1 --db x.db"])
    assert crawl("--db", "show", "--seed", animals.url(), "-q").returncode == 0


def test_a_memory_that_is_no_file(animals: Site, crawl: Crawl, state: Path) -> None:
    """A pipe is not waited for, and what has no end is not read."""
    state.parent.mkdir(parents=True)
    os.mkfifo(state)
    assert crawl("open", "1").returncode == 2
    state.unlink()
    with state.open("wb") as file:
        file.truncate(1 << 40)
    assert crawl("open", "1").returncode == 2


def test_no_browser(animals: Site, crawl: Crawl, tmp_path: Path) -> None:
    """The address is printed all the same, and what to do."""
    crawl("search", "zebra")
    done = crawl("open", "1", BROWSER="/bin/false", PATH=str(tmp_path), DISPLAY="")
    assert (done.returncode, done.stdout) == (1, animals.url("/zebra") + "\n")
    assert "BROWSER names one" in done.stderr


def test_show_of_what_is_not_indexed(animals: Site, crawl: Crawl) -> None:
    """Exit code 1, and the command that says why."""
    done = crawl("show", animals.url("/nowhere"))
    assert (done.returncode, done.stdout) == (1, "")
    assert f"is not in the index; why: crawl why {animals.url('/nowhere')}" in done.stderr


def test_nothing_of_a_page_acts_on_the_terminal(site: Site, crawl: Crawl) -> None:
    """Controls in titles, headings and words are shown as signs, by search, show and its explanations."""
    site.page("/", "zebra \x1b]0;evil\x07 \u202e text", title="Ze\u009bbra\u202e")
    crawl("--seed", site.url(), "-q")
    for done in (crawl("search", "zebra", "--explain"), crawl("show", "1"), crawl("show", "1", "--json")):
        assert done.returncode == 0
        assert not set("\x1b\x07\u009b\u202e") & set(done.stdout + done.stderr)


def test_the_card_and_what_to_do_next(animals: Site, crawl: Crawl, tmp_path: Path) -> None:
    """On a terminal: cards, and a last line that says how to see more and how to open one."""
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [sys.executable, "-m", "crawler", "search", "animal", "--limit", "2", "--explain"],
        cwd=tmp_path / "work",
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path / "state"), "NO_COLOR": "1"},
        stdout=theirs,
        stderr=theirs,
        timeout=60,
    )
    os.close(theirs)
    text = ""
    try:
        while some := os.read(ours, 65536):
            text += some.decode()
    except OSError:  # the other end is closed
        pass
    os.close(ours)
    assert done.returncode == 0
    last = text.rstrip().splitlines()[-1]
    assert last.startswith("2 of 3 in ")
    assert last.endswith(" · next: --page 2 · open: crawl open 1")
    assert "text 1.00" in text


def test_a_dash_may_begin_a_term(animals: Site, crawl: Crawl) -> None:
    """Exclusions and options of other programs are terms; ours are options, and slips of them are explained."""
    left = crawl("search", "animal", "-stripes", "-without", "--limit", "5").stdout.splitlines()
    assert [line.split("\t")[1] for line in left] == [animals.url()]
    assert 'No page holds "--no-cache".' in crawl("search", "--no-cache", "zebra").stderr
    slip = crawl("search", "zebra", "--limt", "3")
    assert (slip.returncode, slip.stdout) == (2, "")
    assert "--limit" in slip.stderr

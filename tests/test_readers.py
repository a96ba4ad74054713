"""Processes that read beside the crawl: the same pages come of it, whatever becomes of the processes."""

import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from crawler import Report, readers
from crawler.fields import Selector
from crawler.machine import cores
from crawler.page import Link, ParseError
from crawler.readers import SHORT, WINDOW, Readers
from crawler.reading import Document, Reading, read
from crawler.sections import Section
from crawler.stages import Account
from tests.site import Site

DOCS = Path("/usr/share/doc/python3.11/html/library")
# A reader that a document ends, as a fault in the parser would; or that does not begin to answer.
DEADLY = """
import os, signal, sys, time
sys.path[:] = {path!r}
from crawler import readers
read = readers.read
def some(document):
    if "deadly" in document.url:
        os.kill(os.getpid(), signal.SIGSEGV)
    if "endless" in document.url:
        time.sleep(600)
    return read(document)
readers.read = some
readers.serve()
"""


def document(name: str = "page", body: bytes = b"", **more: object) -> Document:
    body = body or b"<title>A page</title><h1 id=top>Words</h1><p>" + b"word " * SHORT
    return Document(f"http://example.test/{name}", "text/html", "crawler", body, **more)  # type: ignore[arg-type]


def readers_of(parent: int) -> list[int]:
    """The readers that a process has started, and that are not over."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile
            state, its_parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if int(its_parent) == parent and state != "Z" and is_reader(int(folder.name)):
                found.append(int(folder.name))
    return found


def is_reader(pid: int) -> bool:
    """Whether a process is there, and one of ours: its number may be another's by now."""
    with suppress(OSError):
        return b"readers" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def has_ended(pid: int) -> bool:
    """Whether a reader of another process ends; waits for that."""
    try:
        watched = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return not is_reader(pid) or watched in select.select([watched], [], [], 30)[0]
    finally:
        os.close(watched)


def children() -> list[int]:
    return readers_of(os.getpid())


@pytest.fixture
def eager() -> Iterator[Readers]:
    """Two readers that are needed from the beginning."""
    some = Readers(2)
    some._are_needed = True
    yield some
    some.close()
    assert not children()


@pytest.fixture
def deadly(monkeypatch: pytest.MonkeyPatch, eager: Readers) -> Readers:
    monkeypatch.setattr(readers, "_PROGRAM", DEADLY.format(path=sys.path))
    return eager


def test_a_reader_reads_as_the_crawl_itself_does(eager: Readers) -> None:
    """Of real pages, with all that stands in them, to the types of the values."""
    if not DOCS.exists() and "CI" not in os.environ:
        pytest.skip(f"{DOCS} is not there: apt-get install python3.11-doc")
    for path in sorted(DOCS.glob("[a-c]*.html")):
        one = Document(f"http://example.test/{path.name}", "text/html", "crawler", path.read_bytes(), "en")
        reading = eager.read(one)
        assert reading == read(one)
        assert [type(reading), *{type(part) for part in reading.page.sections}] == [Reading, Section]
        assert {type(part) for part in reading.page.links} == {Link}
    assert len(children()) == 1  # two are not needed for one thread


@pytest.mark.parametrize("content_type", ["text/html; charset=latin-1", "text/plain", "text/html"])
def test_what_comes_with_a_document_goes_with_it(eager: Readers, content_type: str) -> None:
    body = b"<h1>Caf\xe9</h1><p class=price>7</p><p class=tag>a<p class=tag>b" + b" mot" * SHORT
    picked = {"price": Selector(".price"), "tags": Selector(".tag", many=True), "none": Selector(".none")}
    one = document(body=body, lang="fr", picked=picked)._replace(content_type=content_type)
    assert eager.read(one) == read(one)
    assert eager.read(one).page.lang == "fr"
    assert eager.read(one).values == {"price": "7", "tags": ["a", "b " + "mot " * (SHORT - 1) + "mot"], "none": None}


def test_what_is_short_is_read_here_unless_fields_are_picked(eager: Readers) -> None:
    short = document(body=b"<p>short")
    for _ in range(2 * WINDOW):
        assert eager.read(short) == read(short)
    assert not children()
    picking = short._replace(picked={"p": Selector("p")})
    assert eager.read(picking).values == {"p": "short"}
    assert len(children()) == 1


def test_a_megabyte_goes_both_ways(eager: Readers) -> None:
    words = b" ".join(b"w%d" % number for number in range(200_000))
    one = document(body=b"<p>" + words)
    assert eager.read(one).page.sections[0].text == words.decode()


def test_a_reader_that_was_killed_is_replaced(eager: Readers) -> None:
    """By whomever: nothing is lost."""
    one = document()
    for _ in range(3):
        assert eager.read(one) == read(one)
        (pid,) = children()
        os.kill(pid, signal.SIGKILL)


def test_a_document_that_ends_its_reader_costs_that_document(deadly: Readers) -> None:
    with pytest.raises(ParseError, match="/deadly: not parsed: the process that reads it ends"):
        deadly.read(document("deadly"))
    assert deadly.read(document()) == read(document())


def test_a_reader_that_does_not_answer_is_given_up(deadly: Readers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readers, "_PATIENCE", 0.5)
    with pytest.raises(ParseError, match="endless"):
        deadly.read(document("endless"))


def test_reading_is_given_up_from_another_thread(deadly: Readers) -> None:
    """As by a second Ctrl-C: who waits for a reader waits no longer, and no reader is started any more."""
    given_up = threading.Timer(1.0, deadly.abort)
    given_up.start()
    with pytest.raises(ParseError):
        deadly.read(document("endless"))
    given_up.join()
    with pytest.raises(ParseError):
        deadly.read(document())
    assert not children()


def test_an_error_of_the_reader_is_that_of_the_document(eager: Readers) -> None:
    with pytest.raises(RuntimeError, match="SelectorSyntaxError"):
        eager.read(document(picked={"price": Selector("p:::")}))
    pid = children()
    assert eager.read(document()) == read(document())
    assert children() == pid  # it lives


def test_a_reply_that_was_not_read_is_not_that_of_the_next_document(
    eager: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When there is no memory for it, for one: the reader ends with it."""
    content = readers._content
    for _ in range(2):  # both are there now
        eager.read(document())

    def failing(stream: object) -> bytes:
        monkeypatch.setattr(readers, "_content", content)
        raise MemoryError

    monkeypatch.setattr(readers, "_content", failing)
    with pytest.raises(MemoryError):
        eager.read(document())
    for _ in range(2):  # either reader
        assert eager.read(document("other")) == read(document("other"))


def test_where_no_process_can_be_started_the_crawl_reads_itself(
    eager: Readers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    assert eager.read(document()) == read(document())
    assert not children()


@pytest.mark.parametrize("program", ["pass", "import os; os.kill(os.getpid(), 9)", "1/0"])
def test_where_a_process_is_no_reader_the_crawl_reads_itself(
    eager: Readers, monkeypatch: pytest.MonkeyPatch, program: str
) -> None:
    """As in a program whose executable is no Python. It is not tried again."""
    monkeypatch.setattr(readers, "_PROGRAM", program)
    for _ in range(2 * WINDOW):
        assert eager.read(document()) == read(document())
    assert not eager._may_start


@pytest.mark.parametrize("entry", [Path("/nowhere"), b"/nowhere", "\udcff"])
def test_whatever_stands_in_the_path_of_modules_is_no_obstacle(
    eager: Readers, monkeypatch: pytest.MonkeyPatch, entry: object
) -> None:
    monkeypatch.setattr(sys, "path", [entry, *sys.path])
    assert eager.read(document()) == read(document())
    assert children()


def test_a_reader_is_not_led_by_the_environment(
    eager: Readers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Who runs Python so that it loads nothing from there (-I) does not have it loaded by readers."""
    (tmp_path / "sitecustomize.py").write_text(f"open({str(tmp_path / 'loaded')!r}, 'w')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert eager.read(document()) == read(document())
    assert children()
    assert not (tmp_path / "loaded").exists()


def test_nothing_is_started_when_all_is_over(eager: Readers) -> None:
    eager.close()
    with pytest.raises(ParseError):
        eager.read(document())
    assert not children()


def test_the_account_of_the_thread_has_the_cpu_of_the_reader(eager: Readers) -> None:
    account = Account("parse")
    one = document(body=b"<p>word <a href=x>link</a>" * 20_000)
    before = time.thread_time()
    with account:
        eager.read(one, account)
    assert account.spent("parse").cpu_seconds > time.thread_time() - before


def test_readers_are_started_when_one_is_read_at_every_moment_and_not_before() -> None:
    """One thread alone needs none; two that do nothing else do."""

    def reads(one: Document) -> None:
        for _ in range(3 * WINDOW):
            some.read(one)

    def together(one: Document) -> None:
        threads = [threading.Thread(target=reads, args=[one]) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    some = Readers(2)
    try:
        reads(document())
        together(document(body=b"<p>" + b"word " * (SHORT // 6)))  # short ones are no reason
        some.read(document())
        assert not children()
        assert some.computing == 1
        together(document())
        assert children()
        assert some.computing == min(3, cores())
    finally:
        some.close()
    assert not children()


def heavy(site: Site, pages: int = 80) -> None:
    """A site that takes long to parse: threads get in each other's way at once."""
    paths = [f"/{number}" for number in range(pages)]
    site.page("/", links=paths)
    for path in paths:
        links = "".join(f"<li><a href={path}?{one}>link {one} of {path}</a><code>code</code>" for one in range(1_500))
        site.page(path, f"page {path} <ul>{links}</ul>")


@pytest.mark.parametrize("number", [0, 3])
def test_a_crawl_with_readers_comes_to_the_same(
    site: Site, run: Callable[..., Report], number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    heavy(site, 40)
    started: list[object] = []
    start = readers._Reader.start
    monkeypatch.setattr(readers._Reader, "start", lambda one: (started.append(one), start(one))[1])
    report = run(depth=1, readers=number)
    assert (report.pages, report.failed) == (41, 0)
    assert len(set(map(id, started))) <= number
    assert bool(started) is bool(number)
    assert not children()


def test_ctrl_c_and_kill_leave_no_reader_behind(site: Site, tmp_path: Path) -> None:
    """A reader ends with the crawl, however that ends; and a Ctrl-C, which a terminal sends to all, does not end it."""
    heavy(site, 400)
    command = [
        sys.executable,
        "-m",
        "crawler",
        "--seed",
        site.url("/"),
        "--db",
        str(tmp_path / "i.db"),
        "--readers",
        "2",
    ]
    for sign, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, process_group=0) as crawl:
            found: list[int] = []
            while not found:
                assert crawl.poll() is None, "no reader was started"
                found = readers_of(crawl.pid)
            os.killpg(crawl.pid, sign)
            _, said = crawl.communicate(timeout=60)
        assert crawl.returncode == code, said
        assert "Traceback" not in said
        for pid in found:
            assert has_ended(pid), "a reader lives on"

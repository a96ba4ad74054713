"""Hostile pages beside good ones: none costs more than itself, and nothing in them acts on who looks at them."""

import io
import json
import re
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from crawler import Config, Report, crawl, search, why
from crawler.cli import run as run_command
from crawler.doctor import examine
from crawler.page import MAX_LINKS
from tests.site import Site
from tests.test_tree import bombs
from tests.wire import Wire

Run = Callable[..., Report]
COMMAND = [sys.executable, "-m", "crawler"]
HTML = "text/html; charset=utf-8"


def states(db: Path) -> dict[str, tuple[str, str]]:
    """State and reason of every URL, by its path."""
    with closing(sqlite3.connect(db)) as connection:
        rows = connection.execute("SELECT url, state, reason FROM urls").fetchall()
    return {"/" + url.split("/", 3)[3]: (state, reason) for url, state, reason in rows}


def found(db: Path, words: str) -> set[str]:
    return {"/" + hit.url.split("/", 3)[3] for hit in search(words, db=db, limit=100).results}


DONE, CUT, SLOW = ("done", ""), ("done", "cut-at-max-size"), ("done", "cut-by-parser")
NO_TEXT, EMPTY = ("skipped", "content-type"), ("skipped", "empty")
# Path: what is sent, as what, and what becomes of it. The word zebra stands in each that is indexed.
PAGES: dict[str, tuple[bytes, str, tuple[str, str]]] = {
    "/nul": (b"<title>\0</title><p>zebra\0 a\0b <a href='/x\0y'>\0</a>", HTML, DONE),
    "/surrogates": (b"<title>&#xD800;</title><p>zebra &#xDFFF; \xed\xa0\x80 \xf4\x90\x80\x80", HTML, DONE),
    "/json": (b'<script type="application/ld+json">{"a": "\\ud800"}</script><p id="\xed\xa0\x80">zebra', HTML, DONE),
    "/noncharacters": ("<h2 id='\uffff'>zebra \ufdd0\U0010ffff</h2>".encode(), HTML, DONE),
    "/latin": (b"<p>zebra \xff\xfe\x80", HTML, DONE),
    "/three-charsets": (b"\xef\xbb\xbf<meta charset=utf-16><p>zebra \xc3\xa9", "text/html; charset=shift_jis", DONE),
    "/no-such-charset": (b"<p>zebra \xe9", "text/html; charset=klingon", DONE),
    "/utf-7": (b"+ADw-script+AD4-<p>zebra", "text/html; charset=utf-7", DONE),
    "/utf-16": ("\ufeff<p>zebra".encode("utf-16-le") + b"\x00\xd8", "text/html", DONE),
    "/nothing": (b"", HTML, EMPTY),
    "/blank": (b" \r\n\t \n", HTML, EMPTY),
    "/no-title": (b"zebra", HTML, DONE),
    "/no-words": (b"<title>zebra</title><script>zebra()</script>", HTML, EMPTY),
    "/image": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + b"\0" * 99, HTML, NO_TEXT),
    "/film": (b"\0\0\0\x18ftypmp42", "video/mp4", NO_TEXT),
    "/untold": (b"<!doctype html><p>zebra", "application/octet-stream", DONE),
    "/text": (b"zebra <script>\x1b[2J \xff" + b" " * 999 + b"\0", "text/plain", DONE),
    "/binary": (b"zebra \0\x1b[2J \xff", "text/plain", NO_TEXT),
    "/utf-16-untold": ("<p>zebra".encode("utf-16-be"), "text/html; charset=utf-16be", DONE),
    "/fifty-megabytes": (b"<p>zebra " + b"and so on " * 5_000_000, HTML, CUT),
    "/farm": (b"zebra " + b"".join(b"<a href=/%d>x</a> " % n for n in range(100_000)), HTML, DONE),
    "/same-link": (b"zebra " + b"<a href=/good>x</a> " * 400_000, HTML, DONE),
    "/one-word": (b"zebra " + b"x" * 5_000_000 + b" <h2>" + b"y" * 100_000 + b"</h2>", HTML, DONE),
    "/bases": (
        b"<base href='javascript:x'><base href='http://['><base href=/sub/><p>zebra <a href=here>x</a>", HTML, DONE
    ),
    "/references": (b"zebra " + b"".join(b"<a href='%s'>x</a>" % one for one in [
        b"http://[", b"//", b"\\\\", b"http://" + b"a" * 10_240, b"mailto:a@b", b"http://a b", b"http://a%00b/", b"%",
        b"javascript:alert(1)", b"data:text/html,x", b"http://:80", b"http://256.256.256.256/", b"http://xn--a/",
        b"@" * 1_000_000, b"http:\x0b//x", b"\xff\xfe", b"ht\ntp://h\tost\r:80/", b"/ok" + b" " * 3_000,
    ]), HTML, DONE),
    "/long-attribute": (b"<p title='" + b"z" * 5_000_000 + b"'>zebra", HTML, DONE),
    **{f"/bomb-{number}": (b"<p>zebra</p>" + body, HTML, None)  # type: ignore[misc]
       for number, body in enumerate([*bombs(20_000).values()][::4])},
}  # fmt: skip


@pytest.fixture
def hostile(site: Site) -> Site:
    """A site of these pages, and a good one before and after each."""
    for number, (path, (body, content_type, _)) in enumerate(PAGES.items()):
        site.raw(path, body, Content_Type=content_type)
        site.page(f"/good-{number}", f"giraffe number {number}")
    links = [link for number, path in enumerate(PAGES) for link in (path, f"/good-{number}")]
    site.page("/", links=links)
    return site


def test_hostile_pages_cost_no_other_page(hostile: Site, db: Path, run: Run) -> None:
    """Each page is indexed or has its reason, every good page beside them is found, and the index is sound."""
    report = run(depth=1)
    assert report.queued == 0
    became = states(db)
    assert {path: became[path] for path, (*_, state) in PAGES.items() if state} == {
        path: state for path, (*_, state) in PAGES.items() if state
    }
    assert {became[path] for path, (*_, state) in PAGES.items() if not state} <= {DONE, SLOW}
    assert {f"/good-{number}" for number in range(len(PAGES))} <= found(db, "giraffe")
    indexed = {path for path in PAGES if became[path][0] == "done"}
    with closing(sqlite3.connect(db)) as connection:
        hits = connection.execute(
            "SELECT DISTINCT url FROM sections_fts JOIN sections ON sections.id = sections_fts.rowid "
            "JOIN pages ON pages.id = sections.page WHERE sections_fts MATCH 'zebra'"
        ).fetchall()
        texts = connection.execute("SELECT title || heading || text FROM sections").fetchall()
        links = connection.execute(
            "SELECT count(*) FROM links JOIN urls ON urls.id = source WHERE urls.url LIKE '%/farm'"
        ).fetchone()
    assert indexed - {"/" + url.split("/", 3)[3] for (url,) in hits} == set()
    assert [text for (text,) in texts if re.search("[\0-\x08\ud800-\udfff]", text)] == []
    assert links[0] <= MAX_LINKS
    assert ("/sub/here" in became, "/here" in became) == (True, False)
    assert "/ok" in became
    assert examine(db).sound


def test_a_hostile_page_is_explained(hostile: Site, db: Path, run: Run) -> None:
    """What was cut says so."""
    run("/bomb-1", "/fifty-megabytes", depth=0)
    assert "take the rest apart" in why(hostile.url("/bomb-1"), db=db).verdict
    assert "only its beginning" in why(hostile.url("/fifty-megabytes"), db=db).verdict


def test_credentials_in_links_are_neither_sent_nor_kept(site: Site, db: Path, run: Run) -> None:
    """A user name and password in a link, a redirect, a base or a canonical URL reach no server and no file."""
    host = site.host
    site.page(
        "/",
        body=f"<a href='http://ada:secret1@{host}/a'>a</a> <a href='//ada:secret2@{host}/b'>b</a>",
        links=["/c", "/d"],
        head=f"<link rel=canonical href='http://ada:secret3@{host}/canonical'>",
    )
    site.page("/a", "zebra")
    site.page("/b", head=f"<base href='http://ada:secret4@{host}/sub/'>", links=["e"])
    site.redirect("/c", f"http://ada:secret5@{host}/f")
    site.page("/d", head=f"<meta http-equiv=refresh content='0; url=http://ada:secret6@{host}/g'>")
    for path in ("/sub/e", "/f", "/g", "/canonical"):
        site.page(path, "zebra")
    run()
    assert {"/a", "/b", "/sub/e", "/f", "/g", "/canonical"} <= set(site.paths)
    assert not any("Authorization" in seen.headers for seen in site.seen)
    assert b"secret" not in db.read_bytes()


def test_a_seed_with_credentials_is_refused(tmp_path: Path) -> None:
    """Whoever writes a password into a seed is told that it would not be sent."""
    with pytest.raises(Exception, match="user name or password"):
        crawl(Config(seeds=("http://ada:secret@example.org/",), db=str(tmp_path / "crawl.db")))


@pytest.mark.parametrize("drop", [False, True])
def test_tracking_parameters_are_dropped_on_request(site: Site, run: Run, drop: bool) -> None:
    """With drop_tracking, links that differ by where a visitor came from lead to one page; without, to each."""
    site.page("/", links=["/a?id=1&utm_source=x", "/a?id=1&utm_source=y", "/a?id=1"])
    for query in ("id=1", "id=1&utm_source=x", "id=1&utm_source=y"):
        site.page(f"/a?{query}", "zebra")
    run(drop_tracking=drop)
    assert len([path for path in site.paths if path.startswith("/a")]) == (1 if drop else 3)


# A terminal's window title, its clipboard, a cleared screen, a link, C1, bidi, zero width, tags, line ends, our marks.
EVIL = (
    "\x1b]0;owned\x07\x1b]52;c;ZXZpbA==\x07\x1b[2J\x1b]8;;http://evil.example\x1b\\\x9b31m\x9d0;x\x9c\x7f\x08\r"
    "\u202e\u2066\u200b\ufeff\u2028\U000e0041\u061c\ue000\ue001\x85 =HYPERLINK(1)"
)
RAW = re.compile(
    "[\0-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ue000-\uf8ff"
    "\U000e0000-\U000e0fff]"
)
# What is ours: links, bold, colours, the line of progress, and the terminal's own line end.
OWN = re.compile(r"\x1b\]8;;[!-~]*\x1b\\|\x1b\[(?:0|1|1;33|31|32|36)?m|\r\x1b\[K|\r\n")


@pytest.fixture
def evil(site: Site, db: Path, run: Run) -> Site:
    """An index of a site that writes control characters wherever a page or a server can, visited twice."""
    fault = Wire(f"HTTP/1.1 503 {EVIL}\r\nContent-Length: 0\r\nRetry-After: {EVIL}\r\n\r\n".encode())
    for text in ("Zebra one.", "Zebra two."):
        body = f"<h2 id='{EVIL}'>{EVIL} zebra</h2><p>{text} {EVIL} zebra.</p><a href='/x#{EVIL}'>{EVIL}</a>"
        head = f"<meta name=description content='{EVIL}'><link rel=canonical href='/{EVIL}'><base href='/'>"
        site.page("/", title=f"Evil {EVIL} zebra", body=body, head=head, links=["/type", f"/{EVIL}", "/gone", "/to"])
        site.raw("/type", b"x", Content_Type="image/\x1b[2J\x9b31m".encode().decode("latin-1"))
        site.raw("/to", status=302, Location="http://[\x1b]0;x\x07\x9b")
        site.robots(f"User-agent: *\nDisallow: /gone {EVIL.split(chr(13))[0]}\nDisallow: /gone\n# {EVIL}")
        run(depth=1, fresh=True, retries=0, seeds=(site.url(), fault.url))
    fault.close()
    (db.parent / "config.toml").write_text("retries = 0\n")
    return site


COMMANDS = [
    ["search", "zebra"],
    ["search", "zebra", "--explain"],
    ["search", "zebra", "--page", "9"],
    ["open", "1", "--print"],
    ["show", "1"],
    ["show", "/", "--whole"],
    ["show", f"/{EVIL}"],
    ["search", EVIL],
    ["why", "/"],
    ["why", "/type"],
    ["why", "/gone"],
    ["why", "/to"],
    ["why", f"/x{EVIL}"],
    ["status"],
    ["diff", "/"],
    ["doctor"],
    ["--seed", "/", "--depth", "1", "--fresh"],
    ["--seed", "/", "--dry-run"],
    ["update", "--older-than", "0"],
    ["--seed", f"ftp://{EVIL}/"],
    ["--seed", f"http://127.0.0.1:1/{EVIL}", "-v"],
    [f"no{EVIL}"],
    ["search", "zebra", "--since", EVIL],
    ["search", "zebra", "--db", f"{EVIL}.db"],
    ["search", "zebra", "--limit", EVIL],
    ["status", "--config", f"{EVIL}.toml", "-v"],
]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_nothing_from_a_page_acts_on_a_terminal(evil: Site, db: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No command prints a control or invisible character that is not its own: on a terminal, in a pipe, as JSON."""
    monkeypatch.chdir(db.parent)
    monkeypatch.setenv("TERM", "xterm")
    raw: list[tuple[str, list[str], str]] = []
    for command in COMMANDS:
        args = [evil.url(arg) if arg.startswith("/") else arg for arg in command]
        for kind, stream, more in (("pipe", io.StringIO, []), ("json", io.StringIO, ["--json"]), ("tty", Terminal, [])):
            out, err = stream(), stream()
            monkeypatch.setattr(sys, "stdout", out)
            monkeypatch.setattr(sys, "stderr", err)
            run_command([*args, *more])
            shown = out.getvalue() + err.getvalue()
            shown = OWN.sub("", shown) if kind == "tty" else shown
            raw += [(kind, args, ascii(strange)) for strange in RAW.findall(shown)]
            if more and out.getvalue():
                json.loads(out.getvalue())
    assert raw == []


def test_a_line_of_a_pipe_is_a_hit_of_five_cells(evil: Site, db: Path) -> None:
    """No title, heading or snippet can begin a line or a cell of its own."""
    done = subprocess.run([*COMMAND, "search", "zebra"], cwd=db.parent, capture_output=True, text=True, timeout=60)
    lines = done.stdout.rstrip("\n").split("\n")
    assert [line.split("\t")[0] for line in lines] == [str(number + 1) for number in range(len(lines))]
    assert all(len(line.split("\t")) == 5 for line in lines)
    assert len(done.stdout.splitlines()) == len(lines)


def test_json_says_what_the_page_says(evil: Site, db: Path) -> None:
    """What JSON escapes for the terminal's sake is the very text when it is read."""
    done = subprocess.run([*COMMAND, "search", "zebra", "--json"], cwd=db.parent, capture_output=True, timeout=60)
    titles = {hit["title"] for hit in json.loads(done.stdout)["results"]}
    assert titles == {hit.title for hit in search("zebra", db=db).results}
    assert any("\u202e" in title and "\U000e0041" in title for title in titles)


NAUGHTY = [
    "", " ", "\t\n", "\x7f", "\u00a0\u2007\u3000", "\ufeff", "\u202etest\u202c", "\u0301\u0301\u0301",
    "\u0e02\u0e35\u0e48", "\ufdfa" * 50, "\U0001f469\u200d\U0001f467", "\ufb01 \u1e9e \u0130 \u0131",
    "\uff26\uff55\uff4c\uff4c", "\U0010ffff", "\udcff", "null", "None", "NaN", "-1", "1e309", "0x7f", "--", "-", "--x",
    "'; DROP TABLE pages; --", '" OR 1=1 --', "%s%n%x", "{0.__class__}", "${HOME}", "$(id)", "../../etc/passwd",
    "file:///etc/passwd", "<script>alert(1)</script>", "<!--", "&lt;", "http://", "http://[::1", "C:\\con",
    "a" * 20_000, '"' * 5_000, "(" * 5_000, "* " * 5_000, "word " * 10_000, "NEAR(a b, 10)", "a AND NOT b*", "^x:y",
]  # fmt: skip


@pytest.mark.parametrize("text", NAUGHTY, ids=lambda text: ascii(text)[:20])
def test_naughty_strings_are_one_line_or_an_answer(
    text: str, site: Site, db: Path, run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever stands in a query, a URL, a date or a number: an answer, or one line that says what is wrong."""
    site.page("/", "zebra")
    run()
    monkeypatch.chdir(db.parent)
    before = db.read_bytes()
    for args in (
        ["search", "--", text],
        ["why", "--", text],
        ["diff", "--", text],
        ["search", "zebra", f"--site={text}", f"--lang={text}"],
        ["search", "zebra", f"--since={text}"],
        ["search", "zebra", f"--limit={text}"],
        [f"--seed={text}", "--dry-run", "--delay=0"] if not text.startswith("http") else ["search", text + "x"],
        ["--seed", site.url(), f"--scope={text}"],
        ["--seed", site.url(), f"--threads={text}x"],
        ["status", f"--config={text or 'x'}.toml"[:200]],
        [text],
    ):
        code = run_command(args)
        out, err = capsys.readouterr()
        assert code in (0, 1, 2, 3), args
        assert "Traceback" not in err
        if code in (2, 3):
            assert out == ""
            assert [line.split(":")[0] for line in err.splitlines()] in (["error"], ["error", "hint"]), args
    assert db.read_bytes() == before

"""The console, and what is written to it: progress, messages, cards, rows and summaries."""

import io
import re
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from crawler.cards import cards, footer, rows
from crawler.console import Console, printable, size
from crawler.pipeline import Progress, Report
from crawler.results import MARK, MARK_END, Hit, Results
from crawler.summaries import summary

NOW = Progress(pages=20, queued=7, failed=1, bytes=1_500_000, seconds=4.0, host="example.org")
HIGHLIGHT, RESET = "\x1b[1;33m", "\x1b[0m"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True

    @property
    def screen(self) -> list[str]:
        """The lines that a person sees, when a carriage return and an erasure make a line empty."""
        return [line.rpartition("\r\x1b[K")[2] for line in self.getvalue().split("\n")]


class Letters(io.StringIO):
    """A stream that takes its letters one by one, so that two writers at once would mix them."""

    def write(self, text: str) -> int:
        for letter in text:
            super().write(letter)
        return len(text)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time that the console sees: a list of one number, in seconds."""
    now = [1000.0]
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: now[0])
        yield now


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


class TestPrintable:
    @pytest.mark.parametrize(
        "char",
        [
            pytest.param("\x1b", id="ESC"),
            pytest.param("\x9b", id="C1 control sequence"),
            pytest.param("\x9d", id="C1 operating system command"),
            pytest.param("\0", id="NUL"),
            pytest.param("\x07", id="bell"),
            pytest.param("\x08", id="backspace"),
            pytest.param("\x7f", id="delete"),
            pytest.param("\u202e", id="right-to-left override"),
            pytest.param("\u2066", id="isolate"),
            pytest.param("\u200b", id="zero-width space"),
            pytest.param("\ufeff", id="byte order mark"),
            pytest.param("\U000e0041", id="tag"),
            pytest.param("\ud800", id="lone surrogate"),
            pytest.param("\ue000", id="private use"),
        ],
    )
    def test_what_could_act_on_a_terminal_is_replaced(self, char: str) -> None:
        """Control characters and invisible formatting become visible replacement characters."""
        assert printable(f"a{char}b") == "a\ufffdb"

    @pytest.mark.parametrize("char", ["\n", "\r", "\t", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029"], ids=ascii)
    def test_a_text_is_one_line(self, char: str) -> None:
        """Nothing in a text begins a new line or a new cell."""
        shown = printable(f"a{char}b")
        assert shown.splitlines() == [shown]
        assert "\t" not in shown
        assert (shown[0], shown[-1]) == ("a", "b")

    @pytest.mark.parametrize("text", ["", "plain", "Grüße, 日本 — “quoted” 😀", "e\u0301", "א ב"])
    def test_words_are_left_alone(self, text: str) -> None:
        """What is no control character is shown as it is, in any script."""
        assert printable(text) == text


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (50_700_000, "50.7 MB"),
        (2 * 10**9, "2.0 GB"),
        (3 * 10**12, "3.0 TB"),
    ],
)
def test_sizes(count: int, shown: str) -> None:
    """Bytes are told in the unit that a person would use."""
    assert size(count) == shown


class TestProgress:
    def test_without_a_terminal_a_line_comes_every_few_seconds(self, clock: list[float]) -> None:
        """A log gets few lines, each whole, however often the crawl tells how far it is."""
        err = io.StringIO()
        console = Console(io.StringIO(), err)
        console.progress(NOW)
        assert err.getvalue() == ""
        for _ in range(120):
            clock[0] += 0.1
            console.progress(NOW)
        lines = err.getvalue().splitlines()
        assert len(lines) == 2
        assert "\x1b" not in err.getvalue()
        assert "\r" not in err.getvalue()
        for line in lines:
            for part in ("20 pages", "7 queued", "1 failed", "5.0 pages/s", "1.5 MB", "example.org"):
                assert part in line

    def test_on_a_terminal_one_line_is_redrawn(self, wide: None) -> None:
        """Progress takes one line of the terminal, which shows the newest."""
        err = Terminal()
        console = Console(io.StringIO(), err)
        for pages in range(5):
            console.progress(Progress(pages=pages, seconds=1.0))
        assert len(err.screen) == 1
        assert err.screen[0].startswith("4 pages")

    @pytest.mark.parametrize("columns", [20, 40, 80])
    def test_the_live_line_fits_the_terminal(self, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
        """A line that wrapped could not be redrawn, so it is cut."""
        monkeypatch.setenv("COLUMNS", str(columns))
        err = Terminal()
        Console(io.StringIO(), err).progress(Progress(pages=123_456, queued=10**9, host="h" * 200))
        assert 0 < len(err.screen[0]) < columns

    def test_a_message_clears_the_live_line(self, wide: None) -> None:
        """A message stands on a line of its own, without remains of the progress."""
        err = Terminal()
        console = Console(io.StringIO(), err)
        console.progress(NOW)
        console.say("hello")
        console.progress(NOW)
        console.error("broken", "mend it")
        assert err.screen == ["hello", "error: broken", "hint: mend it", ""]

    def test_a_result_clears_the_live_line(self, wide: None) -> None:
        """A result on the same terminal stands on a line of its own too."""
        terminal = Terminal()
        console = Console(terminal, terminal)
        console.progress(NOW)
        console.result("found")
        assert terminal.screen == ["found", ""]

    def test_the_live_line_is_cleared_once(self, wide: None) -> None:
        """Where no progress stands, nothing is cleared."""
        err = Terminal()
        console = Console(io.StringIO(), err)
        console.say("one")
        assert err.getvalue() == "one\n"

    @pytest.mark.parametrize("stream", [io.StringIO, Terminal])
    def test_none_when_quiet(self, clock: list[float], stream: type[io.StringIO]) -> None:
        """A quiet console shows neither progress nor messages."""
        err = stream()
        console = Console(io.StringIO(), err, quiet=True)
        for _ in range(10):
            clock[0] += 60
            console.progress(NOW)
        console.say("hello")
        assert err.getvalue() == ""

    @pytest.mark.parametrize("stream", [io.StringIO, Terminal])
    def test_a_hostile_host_is_shown_harmlessly(self, clock: list[float], stream: type[io.StringIO]) -> None:
        """No name from the network reaches the terminal raw."""
        err = stream()
        console = Console(io.StringIO(), err)
        clock[0] += 60
        console.progress(Progress(host="\x1b]0;owned\x07\u202e\n"))
        assert "\x1b]" not in err.getvalue()
        assert not set(err.getvalue()) & set("\x07\u202e")
        assert err.getvalue().rstrip("\n").count("\n") == 0


class TestMessages:
    def test_errors_are_shown_when_quiet(self) -> None:
        """What went wrong is always told, on standard error."""
        out, err = io.StringIO(), io.StringIO()
        Console(out, err, quiet=True).error("no index", "crawl first")
        assert (out.getvalue(), err.getvalue()) == ("", "error: no index\nhint: crawl first\n")

    def test_an_error_without_a_hint(self) -> None:
        """Without a hint there is no line for it."""
        err = io.StringIO()
        Console(io.StringIO(), err).error("no index")
        assert err.getvalue() == "error: no index\n"

    def test_errors_hold_nothing_raw(self) -> None:
        """What an error quotes from a page cannot act on the terminal, or look like a line of ours."""
        err = io.StringIO()
        Console(io.StringIO(), err).error("bad \x1b[2J\nerror: forged", "see \x9b31m\rthis")
        lines = err.getvalue().splitlines()
        assert [line.split(":")[0] for line in lines] == ["error", "hint"]
        assert not set(err.getvalue()) & set("\x1b\x9b\r")

    def test_results_are_shown_when_quiet(self) -> None:
        """Data goes to standard output, whatever else is told."""
        out, err = io.StringIO(), io.StringIO()
        Console(out, err, quiet=True).result("data")
        assert (out.getvalue(), err.getvalue()) == ("data\n", "")

    def test_concurrent_writers_never_mix_within_a_line(self) -> None:
        """Lines of many threads come out whole, each exactly once."""
        stream = Letters()
        console = Console(stream, stream)
        start = threading.Barrier(6)

        def write(name: int) -> None:
            start.wait()
            for number in range(40):
                (console.say, console.result, console.error)[number % 3](f"thread {name} line {number} {'x' * 40}")

        threads = [threading.Thread(target=write, args=(name,)) for name in range(6)]
        before = sys.getswitchinterval()
        sys.setswitchinterval(1e-6)
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            sys.setswitchinterval(before)
        lines = sorted(line.removeprefix("error: ") for line in stream.getvalue().splitlines())
        assert lines == sorted(f"thread {name} line {number} {'x' * 40}" for name in range(6) for number in range(40))


class TestTerminal:
    @pytest.mark.parametrize(
        ("out", "environ", "has_color"),
        [
            pytest.param(Terminal, {}, True, id="terminal"),
            pytest.param(io.StringIO, {}, False, id="pipe"),
            pytest.param(Terminal, {"NO_COLOR": "1"}, False, id="NO_COLOR"),
            pytest.param(Terminal, {"NO_COLOR": ""}, True, id="NO_COLOR empty"),
            pytest.param(Terminal, {"TERM": "dumb"}, False, id="dumb terminal"),
        ],
    )
    def test_colour(
        self,
        monkeypatch: pytest.MonkeyPatch,
        out: type[io.StringIO],
        environ: dict[str, str],
        has_color: bool,
    ) -> None:
        """Results are coloured on a terminal that can, unless the person asked for none."""
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        assert Console(out(), io.StringIO()).has_color is has_color

    @pytest.mark.parametrize(("columns", "width"), [("80", 80), ("5", 20), ("500", 120)])
    def test_width(self, monkeypatch: pytest.MonkeyPatch, columns: str, width: int) -> None:
        """Text is as wide as the terminal, within what can be read."""
        monkeypatch.setenv("COLUMNS", columns)
        assert Console(io.StringIO(), io.StringIO()).width == width


def ago(**length: float) -> str:
    return (datetime.now(UTC) - timedelta(**length) - timedelta(seconds=20)).isoformat()


def hit(**changes: Any) -> Hit:
    return Hit(
        **{
            "rank": 1,
            "url": "https://example.org/guide",
            "href": "https://example.org/guide#queues",
            "title": "The Guide",
            "heading": "Queues",
            "snippet": f"How a {MARK}producer{MARK_END} hands over.",
            "score": 2.5,
            "site": "example.org",
            "lang": "en",
            "fetched_at": ago(days=2),
            **changes,
        }
    )


def results(*hits: Hit, total: int = 0) -> Results:
    return Results("producer", total or len(hits), 1.5, hits)


def card(width: int = 80, *, color: bool = False, **changes: Any) -> str:
    (only,) = cards(results(hit(**changes)), width, color=color)
    return only


def without_style(text: str) -> str:
    """The text without the escape sequences that a card may hold: a link to its page, bold, highlight and reset."""
    return re.sub(r"\x1b\]8;;[^\x1b\x07]*\x1b\\|\x1b\[1m|\x1b\[1;33m|\x1b\[0m", "", text)


HOSTILE = "\x1b]52;c;ZXZpbA==\x07\x1b[2J\x9b31m\u202eevil\u2066\r\n\x1b]8;;https://evil.example\x1b\\x"


class TestCards:
    def test_a_card(self) -> None:
        """A card tells rank, title, section, language, age, address, and the words around the match."""
        lines = card().splitlines()
        assert lines[0].startswith(" 1  The Guide › Queues ")
        assert lines[0].endswith("en · 2 days ago")
        assert [line.strip() for line in lines[1:3]] == [
            "https://example.org/guide#queues",
            "How a producer hands over.",
        ]

    def test_a_coloured_card(self) -> None:
        """In colour the title is a link to the page and the match is highlighted; the words are the same."""
        fetched_at = ago(days=2)
        coloured = card(color=True, fetched_at=fetched_at)
        assert "\x1b]8;;https://example.org/guide#queues\x1b\\" in coloured
        assert f"{HIGHLIGHT}producer{RESET}" in coloured
        assert without_style(coloured) == card(fetched_at=fetched_at)

    def test_one_card_a_hit(self) -> None:
        """Cards come in the order of the hits."""
        shown = list(cards(results(hit(rank=1, title="First"), hit(rank=2, title="Second")), 80, color=False))
        assert [text.split()[:2] for text in shown] == [["1", "First"], ["2", "Second"]]

    def test_a_heading_that_repeats_the_title_is_left_out(self) -> None:
        """A title is not told twice."""
        assert "›" not in card(title="The Guide to Queues", heading="queues")

    def test_more_sections(self) -> None:
        """Other sections of the page that match are told by their anchors."""
        assert "also: #setup  #teardown" in card(also=("setup", "teardown"))

    @pytest.mark.parametrize(
        ("age", "shown"),
        [
            ({}, "now"),
            ({"minutes": 1}, "1 minute ago"),
            ({"hours": 3}, "3 hours ago"),
            ({"days": 40}, "40 days ago"),
        ],
    )
    def test_age(self, age: dict[str, int], shown: str) -> None:
        """The age of a page is told in its greatest unit."""
        assert card(fetched_at=ago(**age)).splitlines()[0].endswith(f"en · {shown}")

    @pytest.mark.parametrize("fetched_at", ["", "junk", "2024-01-01"])
    def test_an_age_that_is_not_known(self, fetched_at: str) -> None:
        """A time that cannot be read, or has no zone, costs the age and not the card."""
        assert card(fetched_at=fetched_at).splitlines()[0].endswith(" en")

    @pytest.mark.parametrize("color", [False, True])
    @pytest.mark.parametrize("where", ["title", "heading", "snippet", "href", "lang", "also"])
    def test_a_hostile_page_cannot_write_to_the_terminal(self, where: str, color: bool) -> None:
        """No escape sequence, control or bidi character of a page is in its card, whichever part it stands in."""
        shown = card(color=color, **{where: (HOSTILE,) if where == "also" else HOSTILE})
        if color:
            shown = without_style(shown)
        assert not set(shown) & set("\x1b\x07\x9b\r\u202e\u2066\ue000\ue001")
        assert len(shown.splitlines()) == len(card(also=("x",) if where == "also" else ()).splitlines())

    def test_no_escape_without_colour(self) -> None:
        """A card without colour is plain text."""
        assert "\x1b" not in card(color=False)

    @pytest.mark.parametrize("char", ["\ufdd0", "\ufdd1"], ids=ascii)
    @pytest.mark.parametrize("where", ["title", "heading"])
    def test_only_matches_are_highlighted(self, where: str, char: str) -> None:
        """A page cannot switch the highlight on or off outside its snippet."""
        plain = card(color=True, snippet="no match", **{where: "evil"})
        assert card(color=True, snippet="no match", **{where: f"{char}evil"}).count("\x1b") == plain.count("\x1b")

    @pytest.mark.parametrize(
        "snippet",
        [
            pytest.param("word " * 25 + MARK + "marked " * 20 + MARK_END, id="match beyond the last line"),
            pytest.param(MARK + "marked " * 60 + MARK_END, id="match of many lines"),
            pytest.param(f"a page with an icon {MARK} of its own", id="mark of the page's own"),
        ],
    )
    def test_the_highlight_ends_with_the_card(self, snippet: str) -> None:
        """What is written after a card is not highlighted."""
        shown = card(60, color=True, snippet=snippet)
        assert shown.rfind(HIGHLIGHT) <= shown.rfind(RESET)

    @pytest.mark.parametrize("width", [20, 40, 80, 120])
    def test_cards_keep_to_the_width(self, width: int) -> None:
        """No line but the address, which must stay whole, is wider than asked."""
        changes = {
            "title": "The Guide " * 20,
            "heading": "Queues " * 20,
            "snippet": "word " * 100 + "x" * 300,
        }
        lines = card(width, **changes).splitlines()
        assert lines.pop(1).strip() == "https://example.org/guide#queues"
        assert max(map(len, lines)) <= width
        assert len(lines) >= 2

    @pytest.mark.parametrize(
        "title",
        [
            pytest.param("Antidisestablishmentarianism", id="English"),
            pytest.param("日本語の長い題名には空白がないので困ることがある", id="Japanese"),
        ],
    )
    def test_a_title_of_one_long_word_is_cut(self, title: str) -> None:
        """A title that does not fit still begins the card."""
        assert title[:8] in card(40, title=title, heading="").splitlines()[0]

    @pytest.mark.parametrize("color", [False, True])
    def test_a_card_of_a_page_that_says_little(self, color: bool) -> None:
        """A hit without heading, language, time and snippet is still a card."""
        shown = card(20, color=color, title="x", heading="", lang="", fetched_at="", snippet="")
        assert without_style(shown) == " 1  x\n    https://example.org/guide#queues\n"


class TestRows:
    def test_a_row(self) -> None:
        """A row is rank, address, title, heading and plain snippet."""
        (row,) = rows(results(hit()))
        assert row.split("\t") == [
            "1",
            "https://example.org/guide#queues",
            "The Guide",
            "Queues",
            "How a producer hands over.",
        ]

    @pytest.mark.parametrize("where", ["title", "heading", "snippet", "href"])
    @pytest.mark.parametrize("text", ["a\tb", "a\nb", "a\r\nb", "\t\t", "\n", "", "a\v\f\x85b", HOSTILE], ids=ascii)
    def test_a_row_has_five_cells(self, where: str, text: str) -> None:
        """Whatever a page writes, a row is one line of exactly five cells, and plain text."""
        (row,) = rows(results(hit(**{where: text})))
        assert len(row.split("\t")) == 5
        assert row.splitlines() == [row]
        assert not set(row) & set("\x1b\x07\x9b\u202e")


class TestFooter:
    def test_all_shown(self) -> None:
        """When all hits are shown, the footer counts them, and says how to open one."""
        assert footer(results(hit())) == "1 of 1 in 2 ms · open: crawl open 1"

    def test_more(self) -> None:
        """When there are more, the footer tells how to see them, and those of a site that was held back."""
        some = replace(results(hit(rank=11), total=12_345), page=2, more=True, is_estimate=True, crowded="h.test")
        assert footer(some) == (
            "11–11 of about 12,345 in 2 ms · next: --page 3 · more of one site: --site h.test · open: crawl open 11"
        )


def report(**changes: Any) -> Report:
    return Report(
        **{
            "pages": 40,
            "failed": 0,
            "skipped": 0,
            "queued": 0,
            "gone": 0,
            "reasons": {},
            "fetched": 45,
            "indexed": 40,
            "bytes": 2_000_000,
            "seconds": 8.0,
            "interrupted": False,
            "resumed": False,
            "seeds": {},
            **changes,
        }
    )


class TestSummary:
    def test_done(self) -> None:
        """A crawl that is done tells what it indexed and how to search it."""
        assert summary(report(), "crawl.db").splitlines() == [
            "Indexed 40 pages in 8.0 s (5.0 pages/s, 2.0 MB); 40 pages in crawl.db.",
            "next: crawl search TERM",
        ]

    def test_another_file(self) -> None:
        """The next command names the file when it is not the default."""
        assert summary(report(), "docs.db").splitlines()[-1] == "next: crawl search TERM --db docs.db"

    def test_interrupted(self) -> None:
        """A crawl that was interrupted tells what is queued and how to go on."""
        lines = summary(report(interrupted=True, indexed=1, pages=1, queued=1), "crawl.db").splitlines()
        assert lines[0].startswith("Interrupted: indexed 1 page in 8.0 s")
        assert lines[1] == "1 URL still queued: the same command goes on from here."

    def test_nothing_left(self) -> None:
        """A crawl that found nothing to do says so, and how to start over."""
        lines = summary(report(fetched=0, indexed=0, bytes=0, seconds=0.0), "crawl.db").splitlines()
        assert lines[0] == "Nothing was left to fetch: 40 pages in crawl.db."
        assert "--fresh" in lines[1]

    def test_nothing_but_failures(self) -> None:
        """Where all that was left failed, it is not said that nothing was left."""
        nothing = report(fetched=0, indexed=0, failures=3, reasons={"tls-error": 3}, seconds=0.1)
        lines = summary(nothing, "crawl.db").splitlines()
        assert lines[0] == "Nothing could be fetched, 3 URLs failed: 40 pages in crawl.db."
        assert "crawl update" in lines[2]
        assert not any("--fresh" in line for line in lines)

    def test_interrupted_at_the_end(self) -> None:
        """All pages are there, and the next run does what comes after."""
        lines = summary(report(interrupted=True), "crawl.db").splitlines()
        assert "the same command goes on" in lines[1]

    def test_nothing_indexed(self) -> None:
        """A crawl without a page suggests no search."""
        text = summary(report(pages=0, indexed=0, fetched=1, reasons={"robots": 1}), "crawl.db")
        assert "Indexed 0 pages" in text
        assert "next:" not in text

    def test_reasons(self) -> None:
        """Why URLs are not in the index is told in words, in the order of the report."""
        text = summary(report(reasons={"depth": 12, "robots": 3, "http-404": 1}), "crawl.db")
        assert "Not indexed: 12 too deep, 3 refused by robots.txt, 1 http-404." in text

    def test_many_reasons_are_cut(self) -> None:
        """The summary stays short, however many reasons there are."""
        text = summary(report(reasons={f"reason-{number}": 1 for number in range(50)}), "crawl.db")
        assert text.count("reason-") == 8

    def test_a_hostile_reason_is_shown_harmlessly(self) -> None:
        """Nothing from the network reaches the terminal raw, in the summary either."""
        text = summary(report(reasons={HOSTILE: 1}), "crawl.db")
        assert not set(text) & set("\x1b\x07\x9b\r\u202e")
        assert len(text.splitlines()) == 3

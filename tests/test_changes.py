"""What changed in the text of a page."""

import sqlite3
import time
import zlib
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from crawler import IndexFileError, Report, UsageError, diff
from crawler.changes import Change
from crawler.views import change as shown
from tests.site import Site

Run = Callable[..., Report]


@pytest.fixture
def page(site: Site, run: Run, db: Path) -> Callable[..., Change]:
    """Compares a text with an earlier one, of a page that was really crawled."""

    def compare(before: str | bytes, after: str) -> Change:
        site.page("/", after, title="T")
        run()
        packed = before if isinstance(before, bytes) else zlib.compress(before.encode())
        with closing(sqlite3.connect(db)) as connection:
            connection.execute("INSERT INTO versions SELECT id, '2026-01-01T00:00:00Z', ? FROM pages", (packed,))
            connection.commit()
        return diff(site.url(), db=db)

    return compare


def test_a_sentence_that_changed(page: Callable[..., Change], site: Site) -> None:
    """A unified diff, a sentence a line, with the times of both in its head."""
    made = page("T\nOne is here. Two stays! Is it three?", "One is here. Two went! Is it three? Four.")
    head, other, _, *lines = made.lines
    assert head == f"--- {site.url()}\t2026-01-01T00:00:00Z"
    assert other == f"+++ {site.url()}\t{made.after_at}"
    assert lines == [" T", " One is here.", "-Two stays!", "+Two went!", " Is it three?", "+Four."]
    assert made.note == ""
    assert set(made.as_dict()) == {"url", "before_at", "after_at", "lines", "note"}


def test_colours_and_escapes(page: Callable[..., Change]) -> None:
    """Lines are coloured only where that is allowed, and nothing of a page reaches the terminal raw."""
    made = page("T\nOld \x1b[31m text.", "New.")
    plain, colored = "\n".join(shown(made, color=False)), "\n".join(shown(made, color=True))
    assert "\x1b" not in plain
    assert "\x1b[32m+New.\x1b[0m" in colored
    assert "\x1b[31m-Old \ufffd[31m text.\x1b[0m" in colored


def test_no_earlier_text(site: Site, run: Run, db: Path) -> None:
    """A page that never changed, and a URL that is not in the index."""
    site.page("/", links=["/missing"])
    run()
    made = diff(site.url(), db=db)
    assert (made.before_at, made.lines) == (None, ())
    assert made.after_at
    for path in ("/missing", "/never"):
        assert diff(site.url(path), db=db).after_at is None
    with pytest.raises(UsageError):
        diff("example.org", db=db)


def test_a_text_without_end_is_compared_as_sets(page: Callable[..., Change]) -> None:
    """Thousands of lines that all differ, or repeat, take moments; what was left out is said."""
    before = "\n".join(f"{number % 97} before {number % 1009}" for number in range(30_000))
    after = " ".join(f"{number % 89} after {number % 1013}." for number in range(30_000))
    began = time.monotonic()
    made = page(before, after)
    assert time.monotonic() - began < 10
    assert "too much has changed" in made.note
    assert {"-0 before 0", "+0 after 0."} < set(made.lines)


def test_a_text_that_is_too_long_or_a_bomb_is_cut(page: Callable[..., Change]) -> None:
    """No more is unpacked than is compared."""
    made = page(zlib.compress(b"word " * 20_000_000), "One.")
    assert "only the first million characters" in made.note


def test_a_text_that_is_none(page: Callable[..., Change]) -> None:
    """What cannot be unpacked is a damaged file."""
    with pytest.raises(IndexFileError, match="cannot be read"):
        page(b"no zlib", "One.")


def test_a_long_text_with_one_change_is_compared_in_order(page: Callable[..., Change]) -> None:
    """Only what differs counts, not how long the text is."""
    lines = [f"Sentence {number}." for number in range(20_000)]
    made = page("T\n" + "\n".join(lines), " ".join([*lines[:9000], "New.", *lines[9000:]]))
    assert [line for line in made.lines[2:] if line[0] in "+-"] == ["+New."]
    assert made.note == ""

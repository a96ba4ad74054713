"""Hits and excerpts as text: cards for a terminal, tab-separated lines for a pipe."""

import re
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from crawler.console import counted, printable
from crawler.results import MARK, MARK_END, Hit, Results

if TYPE_CHECKING:
    from crawler.excerpts import Excerpt

_MARKS = re.compile(f"([{MARK}{MARK_END}])")


def cards(results: Results, width: int, *, color: bool, explain: bool = False) -> Iterator[str]:
    """A card for each hit, of at most `width` columns; titles are OSC 8 links where colour is allowed."""
    for hit in results.results:
        yield _card(hit, width, color, explain)


def _card(hit: Hit, width: int, color: bool, explain: bool) -> str:
    heading, title = printable(hit.heading), printable(hit.title)
    shows_heading = heading and heading.lower() not in title.lower()
    when = " · ".join(filter(None, (printable(hit.lang), _ago(hit.fetched_at))))
    if len(when) > width - 30:  # no room for both on a narrow terminal
        when = ""
    room = width - 4 - (len(when) + 2 if when else 0)
    if shows_heading:  # what matched is worth more than the end of a long title
        label = _cut(f"{_cut(title, max(8, room - len(heading) - 3))} › {heading}", room)
    else:
        label = _cut(title, room)
    gap = " " * (width - 4 - len(label) - len(when))
    shown = f"\x1b]8;;{printable(hit.href)}\x1b\\\x1b[1m{label}\x1b[0m\x1b]8;;\x1b\\" if color else label
    lines = [f"{hit.rank:2}  {shown}{gap}{when}".rstrip(), f"    {printable(hit.href)}"]
    lines += ["    " + line for line in _highlighted(hit.snippet, width - 4, color)]
    if hit.similar:
        lines.append(f"    {counted(hit.similar, 'similar page')}")
    if hit.also:
        lines.append(_cut("    also: " + "  ".join(f"#{printable(anchor)}" for anchor in hit.also), width))
    if explain:
        lines.append(f"    {hit.score:.2f} = {hit.signs}")
    return "\n".join(lines) + "\n"


def excerpt(found: "Excerpt", width: int) -> str:
    """A page or a section of it, wrapped."""
    lines = [printable(found.title), printable(found.url)]
    for heading, text in found.parts:
        lines += ["", *textwrap.wrap(printable(heading), width), *textwrap.wrap(printable(text), width)]
    return "\n".join(lines)


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else text[: width - 2].rstrip() + " …"


def _highlighted(snippet: str, width: int, color: bool) -> Iterator[str]:
    """At most three lines of the snippet; what matches in bold yellow, and each line ends as it began."""
    on, off = ("\x1b[1;33m", "\x1b[0m") if color else ("", "")
    # Between the marks, which are none of what `printable` lets through.
    plain = "".join(
        mark if part in (MARK, MARK_END) else printable(part) for part in _MARKS.split(snippet) for mark in [part]
    )
    inside = False
    for line in textwrap.wrap(plain, width, break_on_hyphens=False)[:3]:
        begun = on if inside else ""
        if MARK in line or MARK_END in line:
            inside = line.rfind(MARK) > line.rfind(MARK_END)
        yield begun + line.replace(MARK, on).replace(MARK_END, off) + (off if inside else "")


def footer(results: Results) -> str:
    """How many there are, how to see more, and how to open one."""
    hits = results.results
    total = f"about {results.total:,}" if results.is_estimate else str(results.total)
    first, page = hits[0].rank, results.page
    shown = f"{first}–{hits[-1].rank}" if first > 1 else str(len(hits))
    more = f" · next: --page {page + 1}" if results.more else ""
    crowded = f" · more of one site: --site {results.crowded}" if results.crowded else ""
    return f"{shown} of {total} in {results.took_ms:.0f} ms{more}{crowded} · open: crawl open {first}"


def rows(results: Results) -> Iterator[str]:
    """A line a hit: rank, href, title, heading, snippet, separated by tabs."""
    for hit in results.results:
        cells = (str(hit.rank), hit.href, hit.title, hit.heading, hit.plain_snippet)
        yield "\t".join(printable(cell) for cell in cells)


def _ago(time: str) -> str:
    """How long ago an ISO 8601 time was: `2 days ago`."""
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()
    except (ValueError, TypeError):
        return ""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return f"{counted(int(seconds // length), unit)} ago"
    return "now"

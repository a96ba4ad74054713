"""Hits and reports as text: cards for a terminal, tab-separated lines for a pipe, a summary for a crawl."""

import re
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime

from crawler.console import printable, size
from crawler.excerpts import Excerpt
from crawler.reasons import in_short
from crawler.report import Report
from crawler.results import MARK, MARK_END, Hit, Results
from crawler.stages import ENDING, FETCHING, INDEXING
from crawler.store.sql import TRANSIENT

_MOST_REASONS = 8  # in a summary
_MARKS = re.compile(f"([{MARK}{MARK_END}])")
_NOTICED = 0.1  # of the fetchers' time; less is not worth a word of advice
_INSECURE = "Certificates of servers were not verified (--insecure): anybody on the way could have sent these pages."


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
        lines.append(f"    {_count(hit.similar, 'similar page')}")
    if hit.also:
        lines.append(_cut("    also: " + "  ".join(f"#{printable(anchor)}" for anchor in hit.also), width))
    if explain:
        lines.append(f"    {hit.score:.2f} = {hit.signs}")
    return "\n".join(lines) + "\n"


def excerpt(found: Excerpt, width: int) -> str:
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


def summary(report: Report, db: str, *, insecure: bool = False) -> str:
    """What a crawl came to, and what to do next."""
    rate = report.indexed / report.seconds if report.seconds else 0.0
    lines = []
    if not report.fetched and not report.interrupted and report.pages:
        lines.append(f"Nothing was left to fetch: {_count(report.pages, 'page')} in {db}.")
    else:
        done = "Interrupted: indexed" if report.interrupted else "Indexed"
        speed = f"{report.seconds:.1f} s ({rate:.1f} pages/s, {size(report.bytes)})"
        total = f"{_count(report.pages, 'page')} in {db}"
        lines.append(f"{done} {_count(report.indexed, 'page')} in {speed}; {total}.")
    if report.duplicates:
        lines.append(f"{_count(report.duplicates, 'more URL')} with the very same content as one of these.")
    if report.reasons:
        why = [f"{count} {in_short(reason)}" for reason, count in report.reasons.items()]
        rest = ", and more: crawl status" if why[_MOST_REASONS:] else ""
        lines.append("Not indexed: " + ", ".join(why[:_MOST_REASONS]) + rest + ".")
    for seed, fate in report.seeds.items():
        if fate.startswith(("failed", "skipped")):
            lines.append(f"warning: seed {seed}: {fate.partition(': ')[2]}")
    if report.listed:
        lines.append(
            f"Sitemaps listed {_count(report.listed, 'URL')}, a hop from the seed; --no-sitemaps does without."
        )
    if report.queued:
        lines.append(f"{_count(report.queued, 'URL')} still queued: the same command goes on from here.")
    elif not report.fetched and report.pages:
        lines.append("To fetch everything again: the same command with --fresh.")
    if insecure:
        lines.append(_INSECURE)
    if report.pages:
        lines.append(f"next: crawl search TERM{'' if db == 'crawl.db' else f' --db {db}'}")
    return "\n".join(map(printable, lines))


def updated(report: Report, *, insecure: bool = False) -> str:
    """What an update found; the first line is counts alone."""
    changes = report.changes
    lines = [", ".join(f"{changes[verdict]} {verdict}" for verdict in ("new", "changed", "gone", "same"))]
    if report.resumed:
        lines.append("This went on with the update that was interrupted; a new one begins when it is through.")
    if report.queued:
        how = "Interrupted, " if report.interrupted else ""
        lines.append(f"{how}{_count(report.queued, 'URL')} still to visit: the same command goes on from here.")
    elif not report.fetched and not report.no_seed_fetched:
        lines.append("Nothing is due yet. To visit everything again: crawl update --older-than 0")
    in_vain = set(TRANSIENT) - {"robots", "private-address"}  # those were not tried, by a rule
    if failed := sum(report.reasons.get(reason, 0) for reason in in_vain):
        lines.append(f"{_count(failed, 'URL')} could not be fetched for now; what was indexed of them stays.")
    if insecure:
        lines.append(_INSECURE)
    return "\n".join(lines)


def profile(report: Report) -> str:
    """Where the time went, a line a stage: seconds, the share of the time of all threads of its kind, CPU seconds."""
    lines = [f"{'stage':9} {'seconds':>9} {'share':>6} {'CPU':>9}"]
    for who, stages in (("fetchers", FETCHING), ("indexers", INDEXING), ("the end", ENDING)):
        whole = sum(report.stages[stage].seconds for stage in stages) or 1.0
        for stage, what in stages.items():
            spent = report.stages[stage]
            share = _percent(spent.seconds / whole)
            lines.append(f"{stage:9} {spent.seconds:9.2f} {share:>6} {spent.cpu_seconds:9.2f}  {who}: {what}")
    return "\n".join(lines)


def bounds(report: Report) -> str:
    """What the fetchers did with their time, what bounded the crawl, and what would help; empty for no crawl."""
    if not report.bound:
        return ""
    whole = sum(report.stages[stage].seconds for stage in FETCHING)
    shares = {stage: report.stages[stage].seconds / whole for stage in FETCHING}
    most = sorted(FETCHING, key=shares.__getitem__, reverse=True)
    told = ", ".join(f"{_percent(shares[stage])} {FETCHING[stage]}" for stage in most if shares[stage] >= 0.01)
    if report.bound == "cpu":
        verdict = "the CPU; fewer or smaller pages would help (--exclude, --max-size), more --threads would not"
    elif report.bound == "disk":
        verdict = "the disk of the index file; a faster one would help, more --threads would not"
    elif report.bound == "politeness":
        verdict = "politeness; more hosts at once would help, or a shorter --delay where you may"
    elif shares["per_host"] >= _NOTICED:
        verdict = "the latency of servers; a greater --per-host would help, where you may"
    elif shares["idle"] >= _NOTICED:
        verdict = "the latency of servers; there were too few links at a time for more --threads to help"
    else:
        verdict = "the latency of servers; more --threads would help"
    return f"Time: {told}. What bounds it: {verdict}."


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _ago(time: str) -> str:
    """How long ago an ISO 8601 time was: `2 days ago`."""
    try:
        seconds = (datetime.now(UTC) - datetime.fromisoformat(time)).total_seconds()
    except (ValueError, TypeError):
        return ""
    for unit, length in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            return f"{_count(int(seconds // length), unit)} ago"
    return "now"

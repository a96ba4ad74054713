"""The command line: parses arguments, calls the library, prints. Exit codes are those of the errors, and

0 done or hits; 1 finished but nothing found or nothing indexed; 2 bad flag, configuration or query; 3 the index is
missing, locked, damaged or of a newer schema, or its disk is full; 4 no seed could be fetched; 130 and 143
interrupted, state saved.
"""

import gc
import json
import os
import re
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

import click

from crawler import __version__
from crawler.console import Console, ReaderGone, printable
from crawler.errors import CrawlerError, SeedError, UsageError

if TYPE_CHECKING:
    from crawler.config import Config

# DEL, C1 controls, and invisible formatting: zero width, bidi, line and paragraph separators.
_UNSEEN = re.compile("[\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}


class _DefaultToCrawl(click.Group):
    """A group whose default command is the crawl itself: `crawl --seed URL` and `crawl search TERM` both work."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            args = ["--help"]
        elif args[0].startswith("-") and args[0] not in ("--help", "--version", "-h"):
            args = ["crawl", *args]
        elif not args[0].startswith("-") and args[0] not in self.commands:
            close = get_close_matches(args[0], self.commands, 1)
            looks_like_url = "://" in args[0] or "." in args[0]
            hint = f"crawl --seed {args[0]}" if looks_like_url else f"crawl {close[0]}" if close else "crawl --help"
            raise UsageError(f"no command {args[0]!r}", f"did you mean: {hint}" if hint != "crawl --help" else hint)
        return super().parse_args(ctx, args)


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every command has."""
    for option in (
        click.option("--db", metavar="PATH", help="The index file (also CRAWL_DB).  [default: crawl.db]"),
        click.option("--config", "config_file", metavar="FILE", help="Settings.  [default: ./config.toml if there]"),
        click.option("-q", "--quiet", is_flag=True, help="No progress, no summary."),
        click.option("-v", "--verbose", is_flag=True, help="Show the traceback of an error."),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    ):
        command = option(command)
    return command


@click.group(
    cls=_DefaultToCrawl,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="""\b
Examples:
  crawl --seed https://docs.example.org/ --depth 2
  crawl search "bounded queue" --limit 5
  crawl --help, crawl search --help""",
    help="""Crawl sites you care about into one SQLite file, and search it.

    Without a command name, options are those of the crawl: crawl --seed URL --depth 2.""",
)
@click.version_option(__version__, prog_name="crawl")
def main() -> None:
    pass


@main.command(
    "crawl",
    short_help="Crawl from seeds into the index (the default command).",
    epilog="""\b
Examples:
  crawl --seed https://docs.example.org/ --depth 2
  crawl --seed https://example.org/docs/ --scope prefix --exclude '/docs/old/*'
  crawl --seed http://localhost:8000/ --depth 5 --threads 8 --json

Interrupted or killed, the same command goes on where it was.""",
)
@click.option("--seed", "seeds", metavar="URL", multiple=True, help="Where to begin; may be given several times.")
@click.option("--depth", type=int, help="Hops from a seed.  [default: 2]")
@click.option(
    "--scope",
    type=click.Choice(["host", "prefix", "domain", "any"]),
    help="What belongs to the crawl: the seed's host, its folder, its domain, anything.  [default: host]",
)
@click.option(
    "--include",
    metavar="GLOB",
    multiple=True,
    help="Only URLs that match; /docs/* is held against the path, other globs against the URL.",
)
@click.option("--exclude", metavar="GLOB", multiple=True, help="No URLs that match.")
@click.option("--max-pages", type=int, metavar="N", help="Stop after so many pages; 0 for no limit.  [default: 0]")
@click.option("--max-time", type=float, metavar="SECONDS", help="Stop after so long; 0 for no limit.  [default: 0]")
@click.option("--threads", type=int, metavar="N", help="Fetcher threads.  [default: 4]")
@click.option(
    "--per-host",
    metavar="N|auto",
    help="Requests to a host at once.  [default: auto: 1; on this machine one a core]",
)
@click.option("--indexers", type=int, metavar="N", help="Indexer threads.  [default: 1]")
@click.option(
    "--delay",
    metavar="SECONDS|auto",
    help="Between two requests to a host.  [default: auto: 1; on this machine 0]",
)
@click.option("--timeout", type=float, metavar="SECONDS", help="For a whole request.  [default: 60]")
@click.option(
    "--max-size",
    type=int,
    metavar="BYTES",
    help="Of a decoded document; the rest is cut off.  [default: 10485760]",
)
@click.option(
    "--user-agent",
    metavar="TEXT",
    help="Who we say we are; name a contact: 'crawler/0.1 (+https://you.example)'.",
)
@click.option(
    "--header", "headers", metavar="'NAME: VALUE'", multiple=True, help="Sent to the seeds' own origins only."
)
@click.option("--allow-private", is_flag=True, default=None, help="Let links lead to private addresses.")
@click.option("--fresh", is_flag=True, default=None, help="Fetch everything again.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and what robots.txt says; fetch no page.")
@_common
def crawl_command(**flags: Any) -> int:
    """Crawl from the seeds, breadth first, into the index file."""
    from crawler.pipeline import crawl, preview

    console, config = _prepare(flags)
    if flags["dry_run"]:
        plan = preview(config)
        console.result(json.dumps(plan, indent=2) if flags["as_json"] else _plan_text(plan))
        return 0
    # What was imported stays: the collector need not look through it again and again. And pages are many short-lived
    # objects without cycles: looking for cycles after every 700 of them takes a twentieth of the crawl.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    with _interrupts() as interrupts:
        report = crawl(config, on_progress=console.progress, interrupts=interrupts.count)
    from crawler.cards import summary

    console.say(summary(report, config.db))
    if flags["as_json"]:
        console.result(_json(report.as_dict()))
    if report.interrupted:
        return interrupts.exit_code
    if report.no_seed_fetched:
        fates = "; ".join(f"{url} ({fate})" for url, fate in report.seeds.items())
        raise SeedError(f"no seed could be fetched: {fates}", "check the address, and what its robots.txt says")
    return 0 if report.pages else 1


@main.command(
    "search",
    short_help="Search the index.",
    epilog="""\b
Examples:
  crawl search producer consumer
  crawl search '"exact phrase"' --limit 3
  crawl search os.path.join --json | jq -r '.results[].href'""",
)
@click.argument("terms", metavar="TERM...", nargs=-1)
@click.option("--limit", type=int, metavar="N", help="Hits to show.  [default: 10]")
@click.option("--site", metavar="HOST", help="Only pages of this host and its subdomains.")
@click.option("--lang", metavar="CODE", help="Only pages in this language, as they declare it: en.")
@click.option("--since", metavar="DATE", help="Only pages fetched since: 2026-11-22.")
@click.option("--explain", is_flag=True, help="Show the match expression and the scores.")
@_common
def search_command(**flags: Any) -> int:
    """Search the index: any word may match, pages where more match come first; "quoted phrases" are required."""
    from crawler.hits import search

    text = " ".join(flags["terms"])
    if not text.strip():
        raise UsageError("nothing to search for", "crawl search TERM")
    console, config = _prepare(flags)
    results = search(
        text,
        db=config.db,
        limit=config.limit,
        site=flags["site"],
        lang=flags["lang"],
        since=_date(flags["since"]),
    )
    if flags["as_json"]:
        console.result(_json(results.as_dict()))
        return 0 if results.results else 1
    from crawler import cards

    if flags["explain"]:
        console.say(f"match: {results.match or '(no word)'}")
        for hit in results.results:
            console.say(f"{hit.rank:2}  {hit.score:8.3f}  {hit.href}")
    if not results.results:
        console.say(f"no page matches {printable(text)!r}" if results.match else f"{printable(text)!r} holds no word")
        return 1
    if console.is_terminal:
        for card in cards.cards(results, console.width, color=console.has_color):
            console.result(card)
        console.say(cards.footer(results, config.limit))
    else:
        for row in cards.rows(results):
            console.result(row)
    return 0


def run(args: list[str]) -> int:
    """Runs a command line; returns its exit code. Every error is one line on standard error, and a hint."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # LANG=C must not end a search
    verbose = "-v" in args or "--verbose" in args
    try:
        return int(main.main(args=args, prog_name="crawl", standalone_mode=False) or 0)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.ClickException as error:
        return _fail(UsageError(_one_line(error), "crawl --help"))
    except click.Abort:
        return 130
    except ReaderGone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter would complain when it flushes at exit
        return 0
    except CrawlerError as error:
        if verbose:
            traceback.print_exc()
        return _fail(error)
    except OSError as error:
        if verbose:
            traceback.print_exc()
        return _fail(CrawlerError(f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"), 3)


def _fail(error: CrawlerError, code: int | None = None) -> int:
    Console().error(str(error), error.hint)
    return code or error.exit_code


def _one_line(error: click.ClickException) -> str:
    return " ".join(error.format_message().split()).rstrip(".")


def _prepare(flags: dict[str, Any]) -> tuple[Console, "Config"]:
    """The console and the configuration that the flags ask for; flags that were not given are left out."""
    from crawler.config import load

    names = (
        "seeds", "db", "depth", "scope", "include", "exclude", "max_pages", "max_time", "threads", "indexers",
        "timeout", "max_size", "user_agent", "allow_private", "fresh", "limit",
    )  # fmt: skip
    given = {name: flags[name] for name in names if flags.get(name) not in (None, ())}
    for name, number in (("per_host", int), ("delay", float)):
        if flags.get(name) is not None:
            given[name] = _number_or_auto(name, flags[name], number)
    if flags.get("headers"):
        given["headers"] = dict(map(_header, flags["headers"]))
    return Console(quiet=flags["quiet"]), load(given, flags["config_file"])


def _number_or_auto(name: str, text: str, number: Callable[[str], float]) -> float | str:
    if text == "auto":
        return text
    try:
        return number(text)
    except ValueError:
        raise UsageError(f"--{name.replace('_', '-')} is {text!r}", 'give a number or "auto"') from None


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon:
        raise UsageError(f"--header {text!r} has no colon", "--header 'Authorization: Bearer …'")
    return name.strip(), value.strip()


def _date(text: str | None) -> str | None:
    from datetime import datetime

    if text is None:
        return None
    try:
        return datetime.fromisoformat(text).strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        raise UsageError(f"--since {text!r} is no date", "give YYYY-MM-DD") from None


def _json(data: dict[str, Any]) -> str:
    """The data as JSON, in which nothing that a terminal or a person could be misled by stands as it is."""
    text = json.dumps(data, ensure_ascii=False)
    return _UNSEEN.sub(lambda char: f"\\u{ord(char[0]):04x}", text)


def _plan_text(plan: dict[str, Any]) -> str:
    lines = [f"{seed['url']}: {seed['robots']}; {seed['pace']}" for seed in plan["seeds"]]
    lines.append(f"scope {plan['scope']}, depth {plan['depth']}, into {plan['db']}; no page was fetched")
    return "\n".join(map(printable, lines))


class _Interrupts:
    """Counts the signals that ask to stop. The handler only counts: it may run between any two instructions."""

    def __init__(self) -> None:
        self._seen: list[int] = []

    def handle(self, number: int, _frame: object) -> None:
        self._seen.append(number)
        if len(self._seen) >= 3:
            os._exit(self.exit_code)  # the file is whole at every instant

    def count(self) -> int:
        return len(self._seen)

    @property
    def exit_code(self) -> int:
        return _SIGNALS[signal.Signals(self._seen[0])]


@contextmanager
def _interrupts() -> Iterator[_Interrupts]:
    """Signal handlers for the length of a crawl."""
    interrupts = _Interrupts()
    before = {number: signal.signal(number, interrupts.handle) for number in _SIGNALS}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

"""What all commands share: the way from a command line to an exit code, with every error as one line and a hint.

Exit codes are those of the errors, and 0 done or hits; 1 finished but nothing found or nothing indexed; 2 bad flag,
configuration or query; 3 the index is missing, locked, damaged or of a newer schema, or its disk is full; 4 no seed
could be fetched; 130 and 143 interrupted, state saved.
"""

import json
import os
import re
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import click

from crawler.console import Console, ReaderGone, is_unseen
from crawler.errors import CrawlerError, UsageError

if TYPE_CHECKING:
    from crawler.config import Config
    from crawler.report import Progress

_NOT_PLAIN = re.compile("[^ -~]")
_SIGNALS = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGHUP: 143}


class DefaultToCrawl(click.Group):
    """A group whose default command is the crawl itself: `crawl --seed URL` and `crawl search TERM` both work."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if not args:
            args = ["crawl"] if _has_seeds() else ["--help"]
        elif args[0].startswith("-") and args[0] not in ("--help", "--version", "-h"):
            # What follows a word that is no option is no value of one.
            pairs = enumerate(pairwise(args), 1)
            behind = (at for at, (before, arg) in pairs if arg in self.commands and not before.startswith("-"))
            if at := next(behind, 0):
                name, rest = args[at], [*args[at + 1 :], *args[:at]]
                raise UsageError(f"{name!r} comes before its options", shlex.join(["crawl", name, *rest]))
            args = ["crawl", *args]
        elif not args[0].startswith("-") and args[0] not in self.commands:
            close = get_close_matches(args[0], self.commands, 1)
            looks_like_url = "://" in args[0] or "." in args[0]
            hint = f"crawl --seed {args[0]}" if looks_like_url else f"crawl {close[0]}" if close else "crawl --help"
            raise UsageError(f"no command {args[0]!r}", f"did you mean: {hint}" if hint != "crawl --help" else hint)
        return super().parse_args(ctx, args)


def _has_seeds() -> bool:
    """Whether ./config.toml or the environment says where to begin: then `crawl` alone crawls."""
    from crawler.config import load

    return bool(load({}).seeds)


def common(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every command has."""
    for option in (
        click.option("--db", metavar="PATH", help="The index file (also CRAWL_DB).  [default: crawl.db]"),
        click.option("--config", "config_file", metavar="FILE", help="Settings.  [default: ./config.toml if there]"),
        click.option("-q", "--quiet", is_flag=True, help="No progress, no summary, no profile."),
        click.option("-v", "--verbose", is_flag=True, help="Show tracebacks of errors; of a crawl, what bounds it."),
        click.option("--json", "as_json", is_flag=True, help="Print the result as JSON."),
    ):
        command = option(command)
    return command


def reaching(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how servers are reached, and as whom."""
    for option in (
        click.option("--insecure", is_flag=True, default=None, help="Take any certificate of servers, for this run."),
        click.option(
            "--proxy",
            metavar="URL",
            help="Send all requests through a proxy: http://, socks5:// or socks5h://[USER:PASSWORD@]HOST:PORT.",
        ),
        click.option("--cookies", metavar="FILE", help="A cookies.txt, for the hosts that it names."),
        click.option("--auth", metavar="USER:PASSWORD", help="For the seeds' own origins only."),
    ):
        command = option(command)
    return command


def run(main: click.Group, args: list[str]) -> int:
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
        context = getattr(error, "ctx", None)
        return _fail(UsageError(_one_line(error), f"{context.command_path if context else 'crawl'} --help"))
    except click.Abort:
        return 130
    except ReaderGone:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # or the interpreter would complain when it flushes at exit
        return 0
    except CrawlerError as error:
        return _fail(error, verbose)
    except MemoryError:
        return _fail(CrawlerError("out of memory", "what was committed before is safe; give fewer --threads"), verbose)
    except OSError as error:
        what = f"{error.strerror or error}{f': {error.filename}' if error.filename else ''}"
        return _fail(CrawlerError(what), verbose, 3)


def _fail(error: CrawlerError, verbose: bool = False, code: int | None = None) -> int:
    if verbose:
        Console().say(traceback.format_exc())
    Console().error(str(error), error.hint)
    return code or error.exit_code


def _one_line(error: click.ClickException) -> str:
    return " ".join(error.format_message().split()).rstrip(".")


def prepare(flags: dict[str, Any]) -> tuple[Console, "Config"]:
    """The console and the configuration that the flags ask for; flags that were not given are left out."""
    from crawler.config import load

    names = (
        "seeds", "db", "depth", "scope", "include", "exclude", "max_pages", "max_time", "threads", "indexers",
        "timeout", "max_size", "user_agent", "sitemaps", "auth", "cookies", "proxy", "insecure", "allow_private",
        "drop_tracking", "durable", "fresh", "limit",
    )  # fmt: skip
    given = {name: flags[name] for name in names if flags.get(name) not in (None, ())}
    for name, number in (("per_host", int), ("readers", int), ("delay", float)):
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


def as_json(data: dict[str, Any]) -> str:
    """The data as JSON, in which nothing that a terminal or a person could be misled by stands as it is."""
    text = json.dumps(data, ensure_ascii=False)
    return _NOT_PLAIN.sub(lambda char: json.dumps(char[0])[1:-1] if is_unseen(char[0]) else char[0], text)


class Interrupts:
    """Counts the signals that ask to stop. The handler only counts: it may run between any two instructions."""

    def __init__(self) -> None:
        self._seen: list[int] = []

    def handle(self, number: int, _frame: object) -> None:
        self._seen.append(number)
        if len(self._seen) >= 3:
            os._exit(self.exit_code)  # the file is whole at every instant

    def count(self) -> int:
        return len(self._seen)

    def announced(self, console: Console) -> Callable[["Progress"], None]:
        """Shows how far a crawl is, and answers the first of them: what is under way may take until its timeout."""
        is_told = False

        def show(now: "Progress") -> None:
            nonlocal is_told
            if self._seen and not is_told:
                is_told = True
                console.say("Finishing what is under way. Once more, and its answers are not waited for.")
            console.progress(now)

        return show

    @property
    def exit_code(self) -> int:
        return _SIGNALS[signal.Signals(self._seen[0])]


@contextmanager
def counted_interrupts() -> Iterator[Interrupts]:
    """Signal handlers for the length of a crawl."""
    interrupts = Interrupts()
    before = {number: signal.signal(number, interrupts.handle) for number in _SIGNALS}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

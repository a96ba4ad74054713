"""The command line: each command parses its flags, calls the library, prints."""

import shlex
from typing import TYPE_CHECKING, Any

import click

from crawler import __version__, commands, searching
from crawler.console import printable
from crawler.errors import SeedError, UsageError
from crawler.shell import DefaultToCrawl, as_json, common, counted_interrupts, prepare, reaching
from crawler.shell import run as run_command

if TYPE_CHECKING:
    from crawler.config import Config
    from crawler.report import Report


@click.group(
    cls=DefaultToCrawl,
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


_readers = click.option(
    "--readers",
    metavar="N|auto",
    help="Processes that parse long pages once threads get in each other's way.  [default: auto: one a core]",
)


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
@_readers
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
@reaching
@click.option(
    "--no-sitemaps", "sitemaps", flag_value=False, default=None, help="Follow links only; a sitemap adds nothing."
)
@click.option("--allow-private", is_flag=True, default=None, help="Let links lead to private addresses.")
@click.option("--drop-tracking", is_flag=True, default=None, help="Drop utm_…, gclid and the like from links.")
@click.option("--durable", is_flag=True, default=None, help="Wait for the disk at every commit: safe from power cuts.")
@click.option("--fresh", is_flag=True, default=None, help="Fetch everything again.")
@click.option("--profile", is_flag=True, help="Say where the time went, and what bounds the crawl.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and what robots.txt says; fetch no page.")
@common
def crawl_command(**flags: Any) -> int:
    """Crawl from the seeds, breadth first, into the index file."""
    console, config = prepare(flags)
    if flags["dry_run"]:
        from crawler import views
        from crawler.plan import preview

        plan = preview(config)
        console.result(as_json(plan) if flags["as_json"] else views.plan(plan))
        return 0 if any(seed["allowed"] for seed in plan["seeds"]) else SeedError.exit_code
    from crawler.machine import quiet_collector
    from crawler.pipeline import crawl

    if _asks_strangers(config) and not config.names_contact:
        console.say(
            "warning: who runs the site cannot reach you: name a contact, "
            f"--user-agent '{printable(config.user_agent)} (+https://you.example/crawler)'"
        )
    quiet_collector()
    with counted_interrupts() as interrupts:
        report = crawl(config, on_progress=interrupts.announced(console), interrupts=interrupts.count)
    from crawler.summaries import bounds, profile, summary

    if report.fetched or report.interrupted or not report.no_seed_fetched:
        console.say(summary(report, config.db, insecure=config.insecure))
    if flags["profile"]:
        console.say(profile(report))
    if (flags["profile"] or flags["verbose"]) and (line := bounds(report)):
        console.say(line)
    if flags["as_json"]:
        console.result(as_json(report.as_dict()))
    if report.interrupted:
        return interrupts.exit_code
    _check_seeds(report, config.db)
    return 0 if report.pages else 1


@main.command(
    "update",
    short_help="Crawl again what is due: new, changed, gone, same.",
    epilog="""\b
Examples:
  crawl update
  crawl update --older-than 7d --json

Asks servers to send only what has changed. Seeds, depth and scope are those of the last crawl.""",
)
@click.option(
    "--older-than",
    metavar="AGE",
    help="What was last fetched so long ago: 30m, 12h, 7d; 0 for everything.  [default: what is due]",
)
@click.option("--max-pages", type=int, metavar="N", help="Stop after so many pages; 0 for no limit.  [default: 0]")
@click.option("--max-time", type=float, metavar="SECONDS", help="Stop after so long; 0 for no limit.  [default: 0]")
@click.option("--threads", type=int, metavar="N", help="Fetcher threads.  [default: 4]")
@click.option("--per-host", metavar="N|auto", help="Requests to a host at once.  [default: auto]")
@_readers
@click.option("--delay", metavar="SECONDS|auto", help="Between two requests to a host.  [default: auto]")
@reaching
@common
def update_command(**flags: Any) -> int:
    """Crawl again what is due. A page that changed is due sooner the next time, one that did not later."""
    from crawler.machine import quiet_collector
    from crawler.revisit import update

    before = _ago(flags["older_than"])
    console, config = prepare(flags)
    quiet_collector()
    with counted_interrupts() as interrupts:
        report = update(config, before=before, on_progress=interrupts.announced(console), interrupts=interrupts.count)
    from crawler.summaries import bounds, updated

    if flags["as_json"]:
        console.result(as_json(report.as_dict() | report.changes))
        console.say(updated(report, insecure=config.insecure))
    else:
        counts, *rest = updated(report, insecure=config.insecure).split("\n")
        console.result(counts)
        if rest:
            console.say("\n".join(rest))
    if flags["verbose"] and (line := bounds(report)):
        console.say(line)
    if report.interrupted:
        return interrupts.exit_code
    _check_seeds(report, config.db)
    return 0


def _asks_strangers(config: "Config") -> bool:
    from crawler.addresses import is_loopback
    from crawler.urls import hostname

    return not all(is_loopback(hostname(seed)) for seed in config.seeds)


def _check_seeds(report: "Report", db: str) -> None:
    if report.no_seed_fetched:
        fates = "; ".join(f"{url} ({fate})" for url, fate in report.seeds.items())
        why = shlex.join(["crawl", "why", next(iter(report.seeds)), *([] if db == "crawl.db" else ["--db", db])])
        raise SeedError(f"no seed could be fetched: {fates}", f"it says what to do: {why}")


def _ago(age: str | None) -> str | None:
    """The time that was so long ago, in ISO 8601, UTC."""
    from datetime import UTC, datetime, timedelta

    if age is None:
        return None
    units = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
    number, unit = (age[:-1], age[-1:]) if age[-1:] in units else (age, "d")
    try:
        back = timedelta(seconds=float(number) * units[unit])
        then = datetime.now(UTC) - back
        if back < timedelta(0):
            raise ValueError
    except (ValueError, OverflowError):
        raise UsageError(
            f"--older-than is {age!r}, which is no age", "give a number and a unit: 30m, 12h, 7d"
        ) from None
    return then.strftime("%Y-%m-%dT%H:%M:%SZ")


for _command in (*searching.COMMANDS, *commands.COMMANDS):
    main.add_command(_command)


def run(args: list[str]) -> int:
    """Runs a command line; returns its exit code."""
    return run_command(main, args)

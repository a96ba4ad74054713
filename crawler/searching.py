"""The commands that search an index file, and go on with what was found: each parses its flags, calls the library,
prints."""

import os
import shlex
from collections.abc import Iterable
from difflib import get_close_matches
from math import isfinite, nan
from typing import TYPE_CHECKING, Any

import click

from crawler.console import Console, printable
from crawler.errors import UsageError
from crawler.ranking import Ranking
from crawler.shell import as_json, common, prepare

if TYPE_CHECKING:
    from crawler.results import Results

_LONGEST_RANK = 12  # digits; there are no more hits than 10,000 pages of 10,000


class _Query(click.Command):
    """A command whose arguments are a query: what begins with a dash and is no option is part of it."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        takes_value = {
            name: isinstance(option, click.Option) and not option.is_flag
            for option in self.get_params(ctx)
            for name in option.opts
            if name.startswith("-")
        }
        options, terms, rest = list[str](), list[str](), iter(args)
        for arg in rest:
            name = arg.partition("=")[0]
            if arg == "--":
                terms += rest
            elif name in takes_value:
                options += [arg, *([next(rest, "")] if takes_value[name] and "=" not in arg else [])]
            elif get_close_matches(name, takes_value, 1, 0.8) and name.startswith("--"):
                options.append(arg)  # a slip, which the parser explains
            else:
                terms.append(arg)
        return super().parse_args(ctx, [*options, "--", *terms])


@click.command(
    "search",
    cls=_Query,
    short_help="Search the index.",
    epilog="""\b
Examples:
  crawl search producer consumer
  crawl search '"exact phrase" -draft title:queue' --limit 3
  crawl search 'site:docs.example.org lang:en boun*' --page 2
  crawl search os.path.join --json | jq -r '.results[].href'

\b
A query:
  word other       any may match; more of them, closer and exact, rank higher
  "a phrase" +word required        -word -"a phrase"    must not occur
  a OR b           either          begin*               how a word begins
  site:HOST path:/docs/ title:WORD lang:en type:text before:2026 after:2025-03
                   filters; -site:HOST and so on for all others""",
)
@click.argument("terms", metavar="TERM...", nargs=-1)
@click.option("--limit", type=int, metavar="N", help="Hits to show.  [default: 10]")
@click.option("--page", type=int, metavar="N", default=1, help="Which page of hits to show.  [default: 1]")
@click.option(
    "--sort", type=click.Choice(["rank", "newest"]), default="rank", help="What comes first.  [default: rank]"
)
@click.option("--site", metavar="HOST", help="Only pages of this host and its subdomains.")
@click.option("--lang", metavar="CODE", help="Only pages in this language: en.")
@click.option("--since", metavar="DATE", help="Only pages fetched since: 2026-11-22.")
@click.option("--explain", is_flag=True, help="Show the match expression, and what each score is made of.")
@common
def search_command(**flags: Any) -> int:
    """Search the index: any word may match, pages where more match come first; "quoted phrases" are required."""
    from crawler import recall
    from crawler.forms import readable
    from crawler.hits import search

    text = " ".join(flags["terms"])
    if not text.strip():
        raise UsageError("nothing to search for", "crawl search TERM")
    console, config = prepare(flags)
    options = {name: flags[name] for name in ("page", "sort", "site", "lang", "since")}
    results = search(text, db=config.db, limit=config.limit, **options)
    recall.remember(config.db, {hit.rank: recall.Place(hit.href, hit.section) for hit in results.results})
    if flags["explain"]:
        console.say(printable(f"match: {readable(results.match) or '(no word)'}"))
    if flags["as_json"]:
        console.result(as_json(results.as_dict(explain=flags["explain"])))
        return 0 if results.results else 1
    _print(console, results, explain=flags["explain"])
    kept = {name: flags[name] for name in ("site", "lang", "since") if flags[name]}
    kept |= {"db": config.db} if config.db != "crawl.db" else {}
    if flags["page"] > 1 and not results.results:
        first = search(text, db=config.db, limit=config.limit, **options | {"page": 1})
        if first.results:
            console.say(printable(f"the hits end before page {flags['page']}: {_command(text, kept)}"))
            return 1
    for line in _told(results, config.db, kept):
        console.say(printable(line))
    return 0 if results.results else 1


def _print(console: Console, results: "Results", *, explain: bool) -> None:
    from crawler import cards

    if not results.results:
        return
    if console.is_terminal:
        for card in cards.cards(results, console.width, color=console.has_color, explain=explain):
            console.result(card)
        console.say(printable(cards.footer(results)))
        return
    for row in cards.rows(results):
        console.result(row)
    if explain:
        for hit in results.results:
            console.say(printable(f"{hit.rank:2}  {hit.score:.2f} = {hit.signs}  {hit.href}"))


def _told(results: "Results", db: str, flags: dict[str, str]) -> list[str]:
    """What else there is to say of a search: words that are unknown, what was relaxed, why there is nothing.

    `flags` are those that a search in its place has to have, too.
    """
    from crawler.query import misread, parse_query, without_filters

    words = without_filters(results.query)
    lines = [f'No page holds "{word}".' for word in results.unknown]
    if "://" in words and " " not in words and all(hit.url != words for hit in results.results):
        lines.append(f"{words} is not in the index; why: {_shell('why', words, db)}")
    lines += [f'"{token}" is no filter: that would be {value}.' for token, value in misread(results.query)]
    if results.relaxed:
        relaxed = " and ".join(f'"{one}"' for one in results.relaxed)
        has_filters = words != " ".join(results.query.split()) or flags.keys() - {"db"}
        pages = "No page that is left" if has_filters or parse_query(results.query).excluded else "No page"
        lines.append(f"{pages} holds {relaxed}{' together' * (len(results.relaxed) > 1)}: not required any more.")
    if results.suggestion:
        lines.append("Did you mean: " + _command(results.suggestion, flags))
    if results.results:
        return lines
    if not results.match and words:
        return [f"{results.query!r} holds no word"]
    lines.insert(0, f"no page matches {results.query!r}")
    if results.unfiltered:
        unfiltered = _command(words, {name: value for name, value in flags.items() if name == "db"})
        lines.append(f"Without its filters, {results.unfiltered} would match: {unfiltered}")
    elif _is_without_pages(db):
        lines.append("the index holds no page yet; what became of the crawl: crawl status")
    return lines


def _is_without_pages(db: str) -> bool:
    from crawler.census import status

    return not status(db=db).pages


def _shell(command: str, url: str, db: str) -> str:
    """A command that has to do with a URL, as it can be typed."""
    return shlex.join(["crawl", command, url, *(["--db", db] if db != "crawl.db" else [])])


def _command(query: str, flags: dict[str, str]) -> str:
    """A search as it can be typed; behind `--`, `-word` is no flag."""
    words = [query] if '"' in query else query.split()
    options = [part for name, value in flags.items() for part in (f"--{name}", value)]
    end = ["--"] if any(word.startswith("-") for word in words) else []
    return shlex.join(["crawl", "search", *options, *end, *words])


@click.command(
    "open",
    short_help="Open a hit of the last search in the browser.",
    epilog="""\b
Examples:
  crawl open 1
  crawl open 3 --print""",
)
@click.argument("rank", metavar="N", type=int)
@click.option("--print", "only_print", is_flag=True, help="Print the address, and open nothing.")
@common
def open_command(**flags: Any) -> int:
    """Open hit N of the last search in the browser, at the heading that matches; prints its address."""
    import webbrowser

    from crawler import recall

    console, _ = prepare(flags)
    href = recall.last().hit(flags["rank"]).href
    console.result(as_json({"href": href}) if flags["as_json"] else printable(href))
    if flags["only_print"] or webbrowser.open(href):
        return 0
    console.say("no browser could be started; BROWSER names one")
    return 1


@click.command(
    "show",
    short_help="Read a hit of the last search, or a page, from the index.",
    epilog="""\b
Examples:
  crawl show 1
  crawl show 1 --whole
  crawl show https://docs.example.org/queue.html#maxsize""",
)
@click.argument("what", metavar="N|URL")
@click.option("--whole", is_flag=True, help="The whole page, not its section alone.")
@common
def show_command(**flags: Any) -> int:
    """Show the text of hit N of the last search, or of a URL, as the index has it: no network is needed."""
    from crawler import cards, recall
    from crawler.excerpts import excerpt

    console, config = prepare(flags)
    db, href, section = config.db, flags["what"], None
    if href.isdecimal() and len(href) < _LONGEST_RANK:
        last = recall.last()
        db, (href, section) = flags["db"] or last.db, last.hit(int(href))
    found = excerpt(href, db=db, whole=flags["whole"], section=section)
    if found is None:
        console.say(printable(f"{href} is not in the index; why: {_shell('why', href, db)}"))
        return 1
    if flags["as_json"]:
        console.result(as_json(found.as_dict()))
        return 0 if found.parts else 1
    if not found.parts:
        address, _, fragment = href.partition("#")
        console.say(printable(f"{address} has no section at #{fragment}: {_shell('show', address, db)}"))
        return 1
    text = cards.excerpt(found, console.width if console.is_terminal else 100)
    if console.is_terminal and text.count("\n") >= os.get_terminal_size().lines - 1:
        click.echo_via_pager(text)
    else:
        console.result(text)
    return 0


@click.command(
    "eval",
    short_help="How well the index answers queries whose right pages are known.",
    epilog="""\b
Examples:
  crawl eval items.tsv --misses
  crawl eval items.jsonl --db new.db --compare old.db
  crawl eval items.jsonl --compare-set links=0 --json | jq .significance

\b
FILE has a query and its URLs a line, tab-separated, or JSON lines:
  {"query": "bounded queue", "urls": ["https://docs.example.org/queue.html#maxsize"]}
  {"query": "bounded queue", "relevant": {"https://docs.example.org/queue.html": 2}}""",
)
@click.argument("file", metavar="FILE")
@click.option("--misses", is_flag=True, help="List the queries whose right page was not first, and what was.")
@click.option("--set", "settings", metavar="NAME=NUMBER", multiple=True, help="Change a setting of the ranking.")
@click.option("--compare", metavar="PATH", help="Ask another index the same, and show both, side by side.")
@click.option(
    "--compare-set", "other_settings", metavar="NAME=NUMBER", multiple=True, help="As --set, of what is compared."
)
@common
def eval_command(**flags: Any) -> int:
    """Search for every query of FILE (- is standard input), and say how well the first ten hits answer."""
    from crawler import views
    from crawler.evaluation import compare, evaluate
    from crawler.judgements import read_items

    console, config = prepare(flags)
    ranking, other = _ranking("--set", flags["settings"]), _ranking("--compare-set", flags["other_settings"])
    items = read_items(flags["file"])
    found = evaluate(items, db=config.db, ranking=ranking)
    if flags["compare"] or flags["other_settings"]:
        comparison = compare(found, evaluate(items, db=flags["compare"] or config.db, ranking=other))
        text, data = views.comparison(comparison), comparison.as_dict()
    else:
        text, data = views.evaluation(found), found.as_dict()
    console.result(as_json(data) if flags["as_json"] else text)
    if flags["misses"] and found.misses and not flags["as_json"]:
        console.result(views.misses(found))
    return 0 if found.success_at_10 else 1


def _ranking(flag: str, settings: Iterable[str]) -> Ranking:
    """The ranking with these settings, each `NAME=NUMBER`, and the defaults for all others."""
    names = f"names: {', '.join(Ranking._fields)}; for example {Ranking._fields[0]}=0.5"
    values = {}
    for setting in settings:
        name, _, number = (part.strip() for part in setting.partition("="))
        if name not in Ranking._fields:
            raise UsageError(f"{flag} {setting!r}: the ranking has no setting {name!r}", names)
        try:
            values[name] = float(number)
        except ValueError:
            values[name] = nan
        if not isfinite(values[name]):
            raise UsageError(f"{flag} {setting!r}: {number!r} is not a number", names)
    return Ranking(**values)


COMMANDS = (search_command, open_command, show_command, eval_command)

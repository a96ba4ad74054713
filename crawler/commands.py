"""The commands that look into an index file: each parses its flags, calls the library, prints."""

from typing import Any

import click

from crawler.console import printable
from crawler.shell import as_json, common, prepare


@click.command(
    "why",
    short_help="Why a URL is in the index, or not.",
    epilog="""\b
Examples:
  crawl why https://docs.example.org/library/
  crawl why https://docs.example.org/old/page --json | jq .robots""",
)
@click.argument("url", metavar="URL")
@common
def why_command(**flags: Any) -> int:
    """The whole story of a URL: how it was found, what became of it, by which rules, and what to do."""
    from crawler.story import why

    console, config = prepare(flags)
    story = why(flags["url"], db=config.db, agent=config.user_agent, strict=config.robots_strict)
    if flags["as_json"]:
        console.result(as_json(story.as_dict()))
    else:
        from crawler import views

        console.result(views.story(story))
    return 0 if story.seen else 1


@click.command(
    "status",
    short_help="What is in the index, what waits, which hosts are slow or fail.",
    epilog="""\b
Examples:
  crawl status
  crawl status --json | jq .failing""",
)
@common
def status_command(**flags: Any) -> int:
    """How the index stands: counts, what waits, slow and failing hosts, the last crawl and how to go on."""
    from crawler.census import status

    console, config = prepare(flags)
    found = status(db=config.db)
    if flags["as_json"]:
        console.result(as_json(found.as_dict()))
    else:
        from crawler import views

        console.result(views.status(found))
    return 0


@click.command(
    "diff",
    short_help="What changed in the text of a page.",
    epilog="""\b
Examples:
  crawl diff https://docs.example.org/changes.html
  crawl diff https://docs.example.org/changes.html --json | jq -r '.lines[]'""",
)
@click.argument("url", metavar="URL")
@common
def diff_command(**flags: Any) -> int:
    """What changed in the text of a page by the visit that changed it last, a sentence a line."""
    from crawler.changes import diff

    console, config = prepare(flags)
    change = diff(flags["url"], db=config.db)
    if flags["as_json"]:
        console.result(as_json(change.as_dict()))
    elif change.after_at is None:
        console.say(printable(f"{change.url} is not in the index; why: crawl why {change.url}"))
    elif change.before_at is None:
        console.say(printable(f"it has not changed since it was first seen on {change.after_at}"))
    else:
        from crawler import views

        for line in views.change(change, color=console.has_color):
            console.result(line)
        if change.note:
            console.say(change.note)
    return 0 if change.before_at is not None else 1


@click.command(
    "doctor",
    short_help="Whether the index file is sound; repairs it.",
    epilog="""\b
Examples:
  crawl doctor
  crawl doctor --repair

A file of an older crawler is brought up to date. A repair first makes a copy of the file.""",
)
@click.option("--repair", is_flag=True, help="Rebuild what is damaged; nothing is deleted of which there is no copy.")
@common
def doctor_command(**flags: Any) -> int:
    """Look at the index file from all sides: a line for each check, ok or what is wrong and what to do."""
    from crawler import views

    console, config = prepare(flags)
    if flags["repair"]:
        from crawler.remedy import repair

        repaired = repair(config.db)
        diagnosis = repaired.after
        console.result(as_json(repaired.as_dict()) if flags["as_json"] else views.repair(repaired))
    else:
        from crawler.doctor import examine

        diagnosis = examine(config.db)
        console.result(as_json(diagnosis.as_dict()) if flags["as_json"] else views.diagnosis(diagnosis))
    return 0 if diagnosis.sound else 3


COMMANDS = (why_command, status_command, diff_command, doctor_command)

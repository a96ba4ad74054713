"""A second look at what was crawled: what is due, by its own history and by what sitemaps say."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from crawler.access import Access
from crawler.config import Config
from crawler.errors import IndexFileError
from crawler.frontier import Task
from crawler.pipeline import crawl, pace_of
from crawler.report import Progress, Report
from crawler.store import Queued, Revisit, stored_rules
from crawler.urls import Scope, host, normalize, origin
from crawler.visit import Visitor

MAX_SITEMAPS: Final = 50  # of an origin


def update(
    config: Config,
    *,
    before: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    interrupts: Callable[[], int] | None = None,
) -> Report:
    """Crawls again, by the seeds, depth and scope of the last crawl, what is due; or what was last fetched `before`.

    Asks with the validators that servers gave (ETag, Last-Modified). What the sitemaps of the seeds' origins say to
    have changed since is due, too. `before` is a time in ISO 8601, UTC. Everything else is as for `crawl`, and as
    `config` says. Raises IndexFileError when nothing was crawled yet.
    """
    path = Path(config.db)
    rules = stored_rules(path)
    if rules is None:
        raise IndexFileError(f"{path}: there is nothing to update", "crawl first: crawl --seed URL --depth 2")
    seeds, include, exclude = (tuple(rules[name]) for name in ("seeds", "include", "exclude"))
    config = replace(
        config, seeds=seeds, depth=rules["depth"], scope=rules["scope"], include=include, exclude=exclude, fresh=False
    )
    modified = _modified(config, interrupts or (lambda: 0)) if before is None else ()
    return crawl(config, revisit=Revisit(before, modified), on_progress=on_progress, interrupts=interrupts)


def _modified(config: Config, interrupts: Callable[[], int]) -> tuple[tuple[str, str], ...]:
    """URLs with the time of their last change, as the sitemaps of the seeds' origins tell it.

    One request after another, at the pace of each host, and of its own origin only: nobody asked for the robots.txt of
    another. What cannot be fetched or read says nothing.
    """
    scope = Scope(config.scope, config.seeds, config.include, config.exclude)
    visitor = Visitor(config, scope, Access(config))
    found: list[tuple[str, str]] = []
    try:
        for home in dict.fromkeys(map(origin, config.seeds)):
            rules, _, _ = visitor.robots(Task(Queued(0, home + "/robots.txt", 0, 0), host(home + "/"), None, 0))
            delay = max(pace_of(config)(host(home + "/")).delay, rules.delay(config.user_agent))
            waiting = [normalize(url, home + "/") for url in rules.sitemaps] or [home + "/sitemap.xml"]
            asked: set[str] = set()
            while waiting and len(asked) < MAX_SITEMAPS and not interrupts():
                url = waiting.pop(0)
                if url is None or url in asked or origin(url) != home or not rules.allows(config.user_agent, url):
                    continue
                asked.add(url)
                threading.Event().wait(delay)
                sitemap = visitor.sitemap(url)
                found.extend((page, time) for page, time in sitemap.pages if time)
                waiting.extend(sitemap.sitemaps)
    finally:
        visitor.close()
    return tuple(found)

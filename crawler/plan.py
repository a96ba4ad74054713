"""What a crawl would do, before it does it: what robots.txt says of each seed, and the pace that follows."""

import threading
from typing import Any, Final

from crawler.access import Access
from crawler.config import Config
from crawler.pipeline import no_seed, pace_of
from crawler.robots import Rules
from crawler.urls import Scope, host, normalize, origin
from crawler.visit import Visitor

_SITEMAPS: Final = 5  # that are looked into for a seed; where there are more, it is told that there are


def preview(config: Config) -> dict[str, Any]:
    """What a crawl by this configuration would do, as JSON holds it. Blocks.

    Asks for robots.txt and for the sitemaps that it names, at the pace of the host; for no page. Writes nothing. Raises
    UsageError without seeds.
    """
    if not config.seeds:
        raise no_seed()
    scope = Scope(config.scope, config.seeds, config.include, config.exclude)
    visitor = Visitor(config, scope, Access(config))
    try:
        seeds = [_seed(config, visitor, seed) for seed in config.seeds]
    finally:
        visitor.close()
    return {"seeds": seeds, "scope": config.scope, "depth": config.depth, "db": config.db}


def _seed(config: Config, visitor: Visitor, seed: str) -> dict[str, Any]:
    asked = visitor.robots(origin(seed))
    rules, agent = asked.permit.rules, config.user_agent
    slots, least, *_ = pace_of(config)(host(seed))
    delay = max(least, asked.permit.delay)
    allowed = rules.allows(agent, seed)
    listed, more = _listed(visitor, rules, agent, seed, delay) if allowed else (0, False)
    return {
        "url": seed,
        "robots": "allowed by robots.txt" if allowed else rules.reason or "refused by robots.txt",
        "notes": rules.notes(agent),
        "usage": list(rules.usages(agent)),
        "pace": f"{slots} at a time, {delay:g} s between two requests",
        "slots": slots,
        "delay": delay,
        # One request begins a delay after another, however many are under way.
        "pages_per_minute": 60 / delay if delay else None,
        "sitemap_urls": listed,
        "more_sitemaps": more,
    }


def _listed(visitor: Visitor, rules: Rules, agent: str, seed: str, delay: float) -> tuple[int, bool]:
    """How many URLs the sitemaps list that robots.txt names, and whether some were left out."""
    home = origin(seed)
    waiting = [normalize(url, home + "/") for url in rules.sitemaps]
    asked: set[str] = set()
    pages: set[str] = set()
    while waiting and len(asked) < _SITEMAPS:
        url = waiting.pop(0)
        if url is None or url in asked or origin(url) != home or not rules.allows(agent, url):
            continue
        asked.add(url)
        threading.Event().wait(delay)
        sitemap = visitor.sitemap(url)
        pages.update(page for page, _ in sitemap.pages)
        waiting.extend(sitemap.sitemaps)
    return len(pages), bool(waiting)

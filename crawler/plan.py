"""What a crawl would do, before it does it: what robots.txt says of each seed, and the pace that follows."""

import threading
from typing import Any, Final

from crawler.access import Access
from crawler.config import Config
from crawler.frontier import Permit
from crawler.outlinks import Outlinks
from crawler.pipeline import no_seed, pace_of
from crawler.robots import Rules
from crawler.urls import host, normalize, origin
from crawler.visit import Visitor

_SITEMAPS: Final = 5  # of an origin that are looked into; where there are more, it is told that there are
_PATIENCE: Final = 10.0  # seconds of pauses after which no more are looked into


def preview(config: Config) -> dict[str, Any]:
    """What a crawl by this configuration would do, as JSON holds it. Blocks.

    Asks for robots.txt and for the sitemaps that it names, at the pace of the host; for no page. Writes nothing. Raises
    UsageError without seeds.
    """
    if not config.seeds:
        raise no_seed()
    visitor = Visitor(config, Outlinks(config), Access(config))
    try:
        permits = {home: visitor.robots(home).permit for home in dict.fromkeys(map(origin, config.seeds))}
        told = {home: _told(config, visitor, home, permit) for home, permit in permits.items()}
    finally:
        visitor.close()
    seeds = [_verdict(config, seed, permits[origin(seed)].rules) | told[origin(seed)] for seed in config.seeds]
    return {"seeds": seeds, "scope": config.scope, "depth": config.depth, "db": config.db}


def _verdict(config: Config, seed: str, rules: Rules) -> dict[str, Any]:
    allowed = rules.allows(config.user_agent, seed)
    if not config.obey_robots:
        words = "allowed, for robots.txt is not asked for"
    elif allowed:
        words = "allowed by robots.txt" if rules.text else "allowed, for there is no robots.txt"
    else:
        words = f"refused: {rules.reason}" if rules.reason else "refused by robots.txt"
    return {"url": seed, "allowed": allowed, "robots": words}


def _told(config: Config, visitor: Visitor, home: str, permit: Permit) -> dict[str, Any]:
    """What holds for all of an origin."""
    slots, least, *_ = pace_of(config)(host(home + "/"))
    delay = max(least, permit.delay)
    listed, more = _listed(config, visitor, home, permit, delay)
    return {
        "notes": permit.rules.notes(config.user_agent),
        "usage": list(permit.rules.usages(config.user_agent)),
        "pace": f"{delay:g} s between two requests" if delay else f"{slots} at a time",
        "slots": slots,
        "delay": delay,
        # One request begins a delay after another, however many are under way.
        "pages_per_minute": 60 / delay if delay else None,
        "sitemap_urls": listed,
        "more_sitemaps": more,
    }


def _listed(config: Config, visitor: Visitor, home: str, permit: Permit, delay: float) -> tuple[int, bool]:
    """How many URLs the sitemaps list that robots.txt names, and whether some sitemaps were left out."""
    named = permit.rules.sitemaps if config.sitemaps and config.depth else ()
    waiting = [normalize(url, home + "/") for url in named]
    asked: set[str] = set()
    pages: set[str] = set()
    while waiting and len(asked) < _SITEMAPS and len(asked) * delay < _PATIENCE:
        url = waiting.pop(0)
        if url is None or url in asked or origin(url) != home or not permit.rules.allows(config.user_agent, url):
            continue
        asked.add(url)
        threading.Event().wait(delay)
        sitemap = visitor.sitemap(url)
        pages.update(page for page, _ in sitemap.pages)
        waiting.extend(sitemap.sitemaps)
    return len(pages), bool(waiting)

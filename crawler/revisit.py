"""A second look at what was crawled: what is due, by its own history and by what sitemaps say."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from crawler.config import Config
from crawler.errors import IndexFileError
from crawler.pipeline import crawl
from crawler.report import Progress, Report
from crawler.store import Revisit, stored_rules


def update(
    config: Config,
    *,
    before: str | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    interrupts: Callable[[], int] | None = None,
) -> Report:
    """Crawls again, by the seeds, depth and scope of the last crawl, what is due; or what was last fetched `before`.

    Asks with the validators that servers gave (ETag, Last-Modified). Sitemaps are always asked, and what they say to
    have changed since is due, too. `before` is a time in ISO 8601, UTC. Everything else is as for `crawl`, and as
    `config` says. Raises IndexFileError when nothing was crawled yet.
    """
    path = Path(config.db)
    rules = stored_rules(path)
    if rules is None:
        raise IndexFileError(f"{path}: there is nothing to update", "crawl first: crawl --seed URL --depth 2")
    seeds, include, exclude = (tuple(rules[name]) for name in ("seeds", "include", "exclude"))
    config = replace(
        config, seeds=seeds, depth=rules["depth"], scope=rules["scope"], include=include, exclude=exclude, fresh=False,
        **{name: rules[name] for name in ("traps", "sitemaps", "drop_tracking") if name in rules},
    )  # fmt: skip
    return crawl(config, revisit=Revisit(before), on_progress=on_progress, interrupts=interrupts)

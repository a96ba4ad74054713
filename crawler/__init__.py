"""A threaded web crawler with its own full-text search, in one SQLite file.

    from crawler import Config, crawl, search

    report = crawl(Config(seeds=("https://docs.example.org/",), depth=2, db="docs.db"))
    for hit in search("producer consumer", db="docs.db").results:
        print(hit.title, hit.href)

Nothing is imported until it is used, so that a search does not wait for the crawler.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from crawler.config import Config as Config
    from crawler.errors import CrawlerError as CrawlerError
    from crawler.errors import IndexFileError as IndexFileError
    from crawler.errors import SeedError as SeedError
    from crawler.errors import UsageError as UsageError
    from crawler.hits import Hit as Hit
    from crawler.hits import Results as Results
    from crawler.hits import search as search
    from crawler.pipeline import crawl as crawl
    from crawler.pipeline import update as update
    from crawler.report import Progress as Progress
    from crawler.report import Report as Report

_HOME = {
    "Config": "config",
    "CrawlerError": "errors",
    "Hit": "hits",
    "IndexFileError": "errors",
    "Progress": "report",
    "Report": "report",
    "Results": "hits",
    "SeedError": "errors",
    "UsageError": "errors",
    "crawl": "pipeline",
    "search": "hits",
    "update": "pipeline",
}

__all__ = [
    "Config",
    "CrawlerError",
    "Hit",
    "IndexFileError",
    "Progress",
    "Report",
    "Results",
    "SeedError",
    "UsageError",
    "crawl",
    "search",
    "update",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)

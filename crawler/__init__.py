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
    from crawler.census import Status as Status
    from crawler.census import status as status
    from crawler.changes import Change as Change
    from crawler.changes import diff as diff
    from crawler.config import Config as Config
    from crawler.doctor import Diagnosis as Diagnosis
    from crawler.doctor import examine as examine
    from crawler.errors import CrawlerError as CrawlerError
    from crawler.errors import IndexFileError as IndexFileError
    from crawler.errors import SeedError as SeedError
    from crawler.errors import UsageError as UsageError
    from crawler.evaluation import Evaluation as Evaluation
    from crawler.evaluation import evaluate as evaluate
    from crawler.excerpts import Excerpt as Excerpt
    from crawler.excerpts import excerpt as excerpt
    from crawler.hits import Index as Index
    from crawler.hits import search as search
    from crawler.judgements import Item as Item
    from crawler.judgements import read_items as read_items
    from crawler.pipeline import crawl as crawl
    from crawler.remedy import Repair as Repair
    from crawler.remedy import repair as repair
    from crawler.report import Progress as Progress
    from crawler.report import Report as Report
    from crawler.results import Hit as Hit
    from crawler.results import Results as Results
    from crawler.revisit import update as update
    from crawler.story import Story as Story
    from crawler.story import why as why

_HOME = {
    "Change": "changes",
    "Config": "config",
    "CrawlerError": "errors",
    "Diagnosis": "doctor",
    "Evaluation": "evaluation",
    "Excerpt": "excerpts",
    "Hit": "results",
    "Index": "hits",
    "IndexFileError": "errors",
    "Item": "judgements",
    "Progress": "report",
    "Repair": "remedy",
    "Report": "report",
    "Results": "results",
    "SeedError": "errors",
    "Status": "census",
    "Story": "story",
    "UsageError": "errors",
    "crawl": "pipeline",
    "diff": "changes",
    "evaluate": "evaluation",
    "examine": "doctor",
    "excerpt": "excerpts",
    "read_items": "judgements",
    "repair": "remedy",
    "search": "hits",
    "status": "census",
    "update": "revisit",
    "why": "story",
}

__all__ = [
    "Change",
    "Config",
    "CrawlerError",
    "Diagnosis",
    "Evaluation",
    "Excerpt",
    "Hit",
    "Index",
    "IndexFileError",
    "Item",
    "Progress",
    "Repair",
    "Report",
    "Results",
    "SeedError",
    "Status",
    "Story",
    "UsageError",
    "crawl",
    "diff",
    "evaluate",
    "examine",
    "excerpt",
    "read_items",
    "repair",
    "search",
    "status",
    "update",
    "why",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)

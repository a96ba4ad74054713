"""The last search, remembered from one command to the next: `crawl open 1` opens its first hit.

It is kept in the user's state folder (XDG Base Directory Specification), for that user alone. That it cannot be kept
is no reason for a search to fail.
"""

import json
import os
import re
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from crawler.errors import UsageError

_NAME: Final = "last-search.json"
_LARGEST: Final = 64 << 20  # bytes
_WEB: Final = re.compile("https?://[!-~]+")  # as the index has addresses: encoded, without a character that acts


class Place(NamedTuple):
    """Where a hit leads."""

    href: str
    section: int
    """Which section of its page, from 0."""


class Last(NamedTuple):
    """What the last search found."""

    db: str
    """The path of the index, absolute."""
    hits: Mapping[int, Place]
    """By rank."""

    def hit(self, rank: int) -> Place:
        """Where a hit leads. Raises UsageError when there is no such hit, or when it does not lead to the web."""
        if rank not in self.hits:
            if not self.hits:
                raise UsageError("the last search found nothing", "crawl search TERM")
            raise UsageError(f"the last search showed no hit {rank}", f"its hits: {min(self.hits)} to {max(self.hits)}")
        if not _WEB.fullmatch(self.hits[rank].href):
            raise UsageError(f"hit {rank} is no web address", "search again: crawl search TERM")
        return self.hits[rank]


def remember(db: str, hits: Mapping[int, Place]) -> None:
    """Keeps what a search found in place of the one before. A kill leaves the one or the other, whole."""
    path = _path()
    with suppress(OSError, ValueError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made for the user alone, and then moved to its place.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_NAME)
        try:
            with open(handle, "w", encoding="utf-8") as file:
                json.dump({"db": os.path.abspath(db), "hits": hits}, file)
            os.replace(name, path)
        except OSError:
            os.unlink(name)


def last() -> Last:
    """The last search that was remembered. Raises UsageError when there is none."""
    try:
        path = _path()
        if not path.is_file() or path.stat().st_size > _LARGEST:  # a pipe would be waited for, a device has no end
            raise ValueError(path)
        found = json.loads(path.read_text(encoding="utf-8"))
        hits = {int(rank): Place(str(href), int(section)) for rank, (href, section) in found["hits"].items()}
        return Last(str(found["db"]), hits)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError):
        raise UsageError("there is no search to go back to", "crawl search TERM") from None


def _path() -> Path:
    home = os.environ.get("XDG_STATE_HOME", "")
    if not os.path.isabs(home):  # a relative path is to be ignored, the specification says
        home = os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(home) / "crawler" / _NAME

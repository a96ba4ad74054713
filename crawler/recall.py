"""The last search, remembered from one command to the next: `crawl open 1` opens its first hit.

It is kept in the user's state folder (XDG Base Directory Specification), for that user alone. That it cannot be kept
is no reason for a search to fail.
"""

import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple

from crawler.errors import UsageError

_NAME: Final = "last-search.json"
_WEB: Final = ("http://", "https://")


class Last(NamedTuple):
    """What the last search found."""

    db: str
    """The path of the index, absolute."""
    hrefs: Mapping[int, str]
    """By rank."""

    def href(self, rank: int) -> str:
        """Where a hit leads. Raises UsageError when there is no such hit, or when it does not lead to the web."""
        if rank not in self.hrefs:
            known = f"{min(self.hrefs)} to {max(self.hrefs)}" if self.hrefs else "none"
            raise UsageError(f"the last search showed no hit {rank}", f"its hits: {known}")
        href = self.hrefs[rank]
        if not href.startswith(_WEB):
            raise UsageError(f"hit {rank} is no web address", "search again: crawl search TERM")
        return href


def remember(db: str, hrefs: Mapping[int, str]) -> None:
    """Keeps what a search found in place of the one before. A kill leaves the one or the other, whole."""
    path = _path()
    with suppress(OSError, ValueError):
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Made for the user alone, and then moved to its place.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=_NAME)
        with open(handle, "w", encoding="utf-8") as file:
            json.dump({"db": os.path.abspath(db), "hrefs": hrefs}, file)
        os.replace(name, path)


def last() -> Last:
    """The last search that was remembered. Raises UsageError when there is none."""
    try:
        found = json.loads(_path().read_text(encoding="utf-8"))
        return Last(str(found["db"]), {int(rank): str(href) for rank, href in found["hrefs"].items()})
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        raise UsageError("there is no search to go back to", "crawl search TERM") from None


def _path() -> Path:
    home = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return Path(home) / "crawler" / _NAME

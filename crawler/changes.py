"""What changed in the text of a page. Read-only, and at ease beside a running crawl."""

import re
import sqlite3
import zlib
from dataclasses import asdict, dataclass
from difflib import unified_diff
from pathlib import Path
from typing import Any, Final

from crawler.store.migrations import TEXT_OF_PAGE
from crawler.store.schema import connect_reader, failure
from crawler.story import normalized

_LONGEST: Final = 1_000_000  # characters of a text that are compared
_MOST: Final = 4_000_000  # pairs of lines; comparing more of them in order could take minutes

# A text is a few long lines, and a change is to be seen where it is: at its sentence.
_SENTENCE_END = re.compile(r"(?<=[.!?…])\s+|(?<=[。！？])|\n")

_ROW = f"""
SELECT pages.url, versions.fetched_at, versions.text, coalesce(pages.changed_at, pages.fetched_at),
    substr({TEXT_OF_PAGE}, 1, {_LONGEST + 1})
FROM urls JOIN pages ON pages.id = coalesce(urls.same_as, urls.id) LEFT JOIN versions ON versions.page = urls.id
WHERE urls.url = ?
"""


@dataclass(frozen=True, slots=True)
class Change:
    """The last change of a page's text; times are ISO 8601, UTC."""

    url: str
    """Of the page: another one than was asked for, when that stands for both."""
    before_at: str | None
    """When the earlier text was fetched; None when no other text than the present one was ever seen."""
    after_at: str | None
    """When the present text was first seen; None when the URL has no page in the index."""
    lines: tuple[str, ...]
    """A unified diff, a sentence a line, with its two header lines; empty when there is nothing to compare."""
    note: str = ""
    """In which way the comparison is not a whole one; mostly empty."""

    def as_dict(self) -> dict[str, Any]:
        """The JSON form; a contract."""
        return asdict(self)


def diff(url: str, *, db: str | Path = "crawl.db") -> Change:
    """What changed in the text of a page by the visit that changed it last.

    Raises UsageError for what is no URL, IndexFileError when there is no index to read. The first million characters
    of the texts are compared; where both have thousands of lines that differ, not in order but as sets.
    """
    known_as = normalized(url)
    connection = connect_reader(Path(db))
    try:
        row = connection.execute(_ROW, (known_as,)).fetchone()
        before = _unpacked(row[2]) if row and row[2] is not None else None
    except (sqlite3.Error, UnicodeDecodeError, zlib.error) as error:
        raise failure(db, error, "read") from error
    finally:
        connection.close()
    if row is None:
        return Change(known_as, None, None, ())
    page, before_at, _, after_at, after = row
    if before is None:
        return Change(page, None, after_at, ())
    lines, in_order = _compared(_sentences(before), _sentences(after or ""), page, before_at, after_at)
    notes = []
    if max(len(before), len(after or "")) >= _LONGEST:
        notes.append("only the first million characters were compared")
    if not in_order:
        notes.append("too much has changed to compare it in order: what is gone, then what is new")
    return Change(page, before_at, after_at, tuple(lines), "; ".join(notes))


def _unpacked(text: bytes) -> str:
    """At most so much of it as is compared, however much it was made of."""
    return zlib.decompressobj().decompress(text, 4 * _LONGEST).decode("utf-8", "replace")[: _LONGEST + 1]


def _sentences(text: str) -> list[str]:
    return [sentence for sentence in _SENTENCE_END.split(text[:_LONGEST]) if sentence.strip()]


def _compared(old: list[str], new: list[str], url: str, before_at: str, after_at: str) -> tuple[list[str], bool]:
    """The diff, and whether it is one in order."""
    head = _common(old, new)
    tail = _common(old[head:][::-1], new[head:][::-1])
    if (len(old) - head - tail) * (len(new) - head - tail) <= _MOST:
        return list(unified_diff(old, new, url, url, before_at, after_at, lineterm="")), True
    gone, came = dict.fromkeys(old), dict.fromkeys(new)
    lines = [f"--- {url}\t{before_at}", f"+++ {url}\t{after_at}"]
    lines += [f"-{line}" for line in gone if line not in came] + [f"+{line}" for line in came if line not in gone]
    return lines, False


def _common(one: list[str], other: list[str]) -> int:
    """With how many of the same lines both begin."""
    same = (number for number, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    return next(same, min(len(one), len(other)))

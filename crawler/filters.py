"""The filters of a query become a condition in SQL. Pure.

Nothing that a person typed stands in the condition: all values are its parameters.
"""

import json
from collections.abc import Sequence
from typing import Final

from crawler.query import Filter

_PATH: Final = "substr(pages.url, instr(pages.url, '://') + 3 + length(pages.site))"
# What came without a type was found to be HTML.
_TYPE: Final = (
    "(SELECT coalesce(nullif(lower(trim(substr(content_type, 1, instr(content_type || ';', ';') - 1))), ''),"
    " 'text/html') FROM urls WHERE urls.id = pages.id)"
)
_HTML: Final = "IN ('text/html', 'application/xhtml+xml')"
_MAIN_TYPES: Final = ("application", "audio", "font", "image", "message", "model", "multipart", "video")  # IANA's

# `{}` is the parameter.
_CONDITIONS: Final = {
    # A host, with a port or without, has a dot before it and a colon behind it once these are put around it.
    "site": "'.' || pages.site || ':' LIKE {} ESCAPE '\\'",
    "path": f"{_PATH} LIKE {{}} ESCAPE '\\'",
    # No word without one of its forms in the title; SQLite's own lower() knows ASCII only.
    "title": "NOT EXISTS (SELECT 1 FROM json_each({}) AS word WHERE NOT EXISTS"
    " (SELECT 1 FROM json_each(word.value) AS form WHERE instr(lower(pages.title), lower(form.value))))",
    "lang": "pages.lang = {}",
    "type": f"{_TYPE} LIKE {{}} ESCAPE '\\'",
    "before": "pages.fetched_at < {}",
    "after": "pages.fetched_at >= {}",
}
_TYPES: Final = {
    "html": f"{_TYPE} {_HTML}",
    "xhtml": f"{_TYPE} {_HTML}",
    "text": f"{_TYPE} LIKE 'text/%' AND NOT {_TYPE} {_HTML}",
}


def where(filters: Sequence[Filter]) -> tuple[str, dict[str, str]]:
    """The condition on the table `pages` that the filters are, and its named parameters: `filter_0`, `filter_1` …

    Empty when there are none. Filters of one name are alternatives, those of different names must all hold, and
    excluded ones must not hold. The media type of a page is looked up in the table `urls`.

    A `path` with `*` or `?` is a glob for the path and the query of a URL as a whole; without, one that begins with `/`
    is their beginning, any other a part of them. A glob that does not begin with `/` may begin anywhere. In a path and
    in a title, letters match in any case; in a path, ASCII letters only.
    """
    wanted: dict[str, list[str]] = {}
    unwanted: list[str] = []
    values: dict[str, str] = {}
    for number, (name, value, excluded) in enumerate(filters):
        condition = _CONDITIONS[name].format(f":filter_{number}")
        if name == "type" and value in _TYPES:
            condition = _TYPES[value]
        else:
            values[f"filter_{number}"] = _VALUES.get(name, str)(value)
        if excluded:
            unwanted.append(f"({condition}) IS NOT TRUE")  # of a page that tells nothing, it is not so
        else:
            wanted.setdefault(name, []).append(condition)
    alternatives = [f"({' OR '.join(f'({one})' for one in some)})" for some in wanted.values()]
    return " AND ".join(alternatives + unwanted), values


def _like(text: str) -> str:
    """The text as it stands in a pattern of LIKE."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _site(value: str) -> str:
    return f"%.{_like(value)}:%"


def _path(value: str) -> str:
    start = "" if value.startswith("/") else "%"
    end = "" if "*" in value or "?" in value else "%"
    return start + _like(value).replace("*", "%").replace("?", "_") + end


def _title(value: str) -> str:
    """A list of words, each a list of its forms: as typed, small, in capitals, and as a sentence begins."""
    words = dict.fromkeys(value.lower().split())
    return json.dumps([sorted({word, word.upper(), word[:1].upper() + word[1:]}) for word in words])


def _type(value: str) -> str:
    if "/" in value:
        return _like(value)
    return f"{value}/%" if value in _MAIN_TYPES else f"%/{_like(value)}"


_VALUES: Final = {"site": _site, "path": _path, "title": _title, "type": _type}

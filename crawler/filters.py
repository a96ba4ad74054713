"""The filters of a query become a condition in SQL. Pure.

Nothing that a person typed stands in the condition: all values are its parameters.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from crawler.query import Filter

_APOSTROPHE: Final = re.compile(r"(?<=\w)'(?=\w)")
_PATH: Final = "substr(pages.url, instr(pages.url, '://') + 3 + length(pages.site))"
# What came without a type was found to be HTML.
_TYPE: Final = (
    "(SELECT coalesce(nullif(lower(trim(substr(content_type, 1, instr(content_type || ';', ';') - 1))), ''),"
    " 'text/html') FROM urls WHERE urls.id = pages.id)"
)
_HTML: Final = f"{_TYPE} IN ('text/html', 'application/xhtml+xml')"
_TYPES: Final = {"html": _HTML, "xhtml": _HTML, "text": f"{_TYPE} LIKE 'text/%' AND {_TYPE} <> 'text/html'"}
_MAIN_TYPES: Final = ("application", "audio", "font", "image", "message", "model", "multipart", "video")  # IANA's


def where(filters: Sequence[Filter]) -> tuple[str, dict[str, str]]:
    """The condition on the table `pages` that the filters are, and its named parameters: `filter_0`, `filter_1` …

    Empty when there are none. Filters of one name are alternatives, those of different names must all hold, and
    excluded ones must not hold. The media type of a page is looked up in the table `urls`.

    A `path` with `*` or `?` is a glob for the path and the query of a URL as a whole; without, one that begins with `/`
    is their beginning, any other a part of them. A glob that does not begin with `/` may begin anywhere. In a path and
    in a title, letters match in any case; in a path, ASCII letters only.
    """
    values: dict[str, str] = {}

    def parameter(value: str) -> str:
        name = f"filter_{len(values)}"
        values[name] = value
        return f":{name}"

    wanted: dict[str, list[str]] = {}
    unwanted: list[str] = []
    for one in filters:
        condition = f"({_CONDITIONS[one.name](one.value, parameter)})"
        if one.excluded:
            unwanted.append(f"{condition} IS NOT TRUE")  # of a page that tells nothing, it is not so
        else:
            wanted.setdefault(one.name, []).append(condition)
    return " AND ".join([f"({' OR '.join(some)})" for some in wanted.values()] + unwanted), values


_Parameter = Callable[[str], str]  # from a value to what stands for it


def _site(value: str, parameter: _Parameter) -> str:
    # A host, with a port or without, has a dot before it and a colon behind it once these are put around it.
    return f"'.' || pages.site || ':' LIKE {parameter(f'%.{_like(value)}:%')} ESCAPE '\\'"


def _path(value: str, parameter: _Parameter) -> str:
    start = "" if value.startswith("/") else "%"
    end = "" if "*" in value or "?" in value else "%"
    pattern = start + _like(value).replace("*", "%").replace("?", "_") + end
    return f"{_PATH} LIKE {parameter(pattern)} ESCAPE '\\'"


def _title(value: str, parameter: _Parameter) -> str:
    """Every word in one of its forms: small, in capitals, as a sentence begins. SQLite's lower() knows ASCII only."""
    return " AND ".join(
        "(" + " OR ".join(f"instr(lower(pages.title), {parameter(form)})" for form in _forms(word)) + ")"
        for word in dict.fromkeys(_APOSTROPHE.sub(" ", value.lower()).split())  # whichever the title has
    )


def _forms(word: str) -> list[str]:
    forms = (word, word.upper(), word[:1].upper() + word[1:])
    return sorted({form.encode().lower().decode() for form in forms})  # lower() of bytes knows ASCII only, too


def _lang(value: str, parameter: _Parameter) -> str:
    return f"pages.lang = {parameter(value)}"


def _type(value: str, parameter: _Parameter) -> str:
    if value in _TYPES:
        return _TYPES[value]
    pattern = _like(value)
    if "/" not in value:
        pattern = f"{pattern}/%" if value in _MAIN_TYPES else f"%/{pattern}"
    return f"{_TYPE} LIKE {parameter(pattern)} ESCAPE '\\'"


def _before(value: str, parameter: _Parameter) -> str:
    return f"pages.fetched_at < {parameter(value)}"


def _after(value: str, parameter: _Parameter) -> str:
    return f"pages.fetched_at >= {parameter(value)}"


def _like(text: str) -> str:
    """The text as it stands in a pattern of LIKE."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


_CONDITIONS: Final[dict[str, Callable[[str, _Parameter], str]]] = {
    "site": _site,
    "path": _path,
    "title": _title,
    "lang": _lang,
    "type": _type,
    "before": _before,
    "after": _after,
}

"""The shape of a URL: what is left of it when numbers, dates, ids and values may be any. Pure, but for `Crowds`.

A trap, a calendar or a grid of filters, is thousands of URLs of few shapes; so is a forum, which is none. Shapes are
what to be fair among, and what to gather evidence by (`crawler.traps`); they prove nothing by themselves.
"""

import re
from collections.abc import Iterable
from typing import Final

from crawler.urls import host, normalize

# Of so many URLs of one shape, all have their turn in the order of their depth; of so many of one path, whatever their
# parameters; of so many of one folder at the top of a site, whatever they are.
STEP: Final = 4
_STEP_OF_PATH: Final = 8
_STEP_OF_FOLDER: Final = 32
_MOST_SHAPES: Final = 100_000  # that are counted; then those with few URLs are forgotten

_VARIED: Final = re.compile(
    r"(?<![0-9a-z-])(?=[a-f-]{0,40}\d)[0-9a-f-]{8,}|\d+", re.I
)  # a hexadecimal id or a date, or a number
_SLUG: Final = re.compile(r"(?<![^/.])[^-_./]++(?:[-_][^-_./]++){2,}+")  # words-of-a-title
_SESSION: Final = re.compile(
    r";jsessionid=[^?/;]*"
    r"|(?<=[?&])(?:(?:php|j)sess(?:ion)?id|aspsessionid[a-z]{0,16})=[^&]{8,200}(?:&|$)"
    r"|(?<=[?&])(?:(?:zen|osc|s|oscs)id|sess|session_?id)=[0-9a-f]{26,128}(?:&|$)",
    re.I,
)
_REPEATED: Final = 3  # times in a row; Heritrix allows a segment twice, Nutch and BUbiNG give up at the third
_SCATTERED: Final = 5  # times anywhere in a path
_MOST_SEGMENTS: Final = 64  # of a path that are looked at


def shape(url: str) -> str:
    """The host, the path with numbers as `#`, and the names of the query's parameters.

    A path that says something twice is what it says, in any order: relative links in a circle say all there is.
    """
    address, mark, query = url.partition("?")
    name, path = host(url), address.split("/", 3)[3]
    *folders, last = _VARIED.sub("#", path).split("/")
    parts = [*folders, _SLUG.sub("~", last)]
    if len(set(parts)) < len(parts):
        parts = sorted(set(parts) - {""})
    keys = sorted({_VARIED.sub("#", pair.partition("=")[0]) for pair in query.split("&")}) if mark else ()
    return f"{name}/{'/'.join(parts)}{mark}{'&'.join(keys)}"


def path_of(some_shape: str) -> str:
    """A shape without the names of its parameters."""
    return some_shape.partition("?")[0]


def repetition(url: str) -> str:
    """What a path repeats, as relative links in a circle make it grow: `a/b`, three times in a row; else empty.

    Numbers may repeat (dates, tiles of maps), and a name may stand in a path four times if not in a row.
    """
    if url.count("/") < 5:  # the two of https:// and three more
        return ""
    segments = [segment for segment in url.partition("?")[0].split("/")[3:] if segment][:_MOST_SEGMENTS]
    if len(segments) - len(set(segments)) < _REPEATED - 1:
        return ""
    for length in range(1, len(segments) // _REPEATED + 1):
        same = 0
        for place, (one, other) in enumerate(zip(segments, segments[length:], strict=False), 1):
            same = same + 1 if one == other else 0
            unit = segments[place - length : place]
            if same == length * (_REPEATED - 1) and not "".join(unit).isdigit():
                return "/".join(unit)
    often = (one for one in set(segments) if segments.count(one) >= _SCATTERED and not one.isdigit())
    return min(often, default="")


def without_session(url: str) -> str:
    """The URL without the id of a session, which gives one page as many URLs as there are visits."""
    if ";" not in url and "?" not in url:
        return url
    if not _SESSION.search(url):
        return url
    path, mark, query = _SESSION.sub("", url).partition("?")
    query = query.rstrip("&")
    return normalize(f"{path}{mark}{query}" if query else path) or url


class Crowds:
    """How many URLs of each shape were found. Of a crowd the later ones wait longer, so that the rare ones have a turn:
    a page that is one of six is not behind ten thousand of a calendar.
    """

    def __init__(self, known: Iterable[tuple[str, int]] = ()) -> None:
        """`known` are URLs with the crowd that was told of each, from before."""
        self._found: dict[str, int] = {}
        for url, crowd in known:
            name = shape(url)
            self._found[name] = max(self._found.get(name, 0), (crowd + 1) * STEP)

    def add(self, found: Iterable[tuple[int, str]]) -> list[tuple[int, int]]:
        """Counts URLs, given in order with their ids; gives by how many depths the turn of an id is later, if it is."""
        later = []
        for id_, url in found:
            name = shape(url)
            path, mark, _ = name.partition("?")
            crowd = self._count(name) // STEP
            if mark:
                crowd = max(crowd, self._count(path + "?*") // _STEP_OF_PATH)
            if url.count("/") > 3:
                crowd = max(crowd, self._count("/".join(url.split("/", 4)[2:4]) + "/*") // _STEP_OF_FOLDER)
            if crowd:
                later.append((id_, crowd))
        if len(self._found) > _MOST_SHAPES:
            self._found = {name: count for name, count in self._found.items() if count >= STEP}
        return later

    def _count(self, name: str) -> int:
        """How many there were before."""
        before = self._found.get(name, 0)
        self._found[name] = before + 1
        return before

    def __len__(self) -> int:
        return len(self._found)

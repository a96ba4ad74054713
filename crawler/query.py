"""What a person types becomes a query: terms that count, terms that must not occur, filters. Pure.

No text is an error: what is no syntax is text, and what holds neither letter nor digit is left out.

| written | is |
|---|---|
| `word` | a word; any may match, and more rank higher |
| `"a phrase"` | these words in this order, required; “ ” „ « » do, too, and what is left open ends with the query |
| `+word` | required; the sign stands before a letter, a digit or a quote |
| `-word`, `-"a phrase"` | must not occur; before a letter or a quote, where something else is looked for |
| `a OR b` | alternatives, that count as one term; required when one of them is; a bar between blanks does, too |
| `a AND b` | both are required; binds less than `OR` |
| `prefix*` | a word that begins so; the only star, at the end, after a letter, a digit or `_` |
| `site:docs.example.org` | on this host or one below it, on any port if none is told; pasted URLs do |
| `path:/docs/` | the path begins so |
| `path:install` | the path, with its query, holds this |
| `path:*.html` | the path is this as a whole; `*` is any text, `?` any character; without `/` before, its end |
| `title:word`, `title:"release notes"` | the title holds these words, as wholes or as parts |
| `lang:en` | in this language; of `en-GB` the first part counts |
| `type:html`, `type:text` | HTML, XHTML too; text that is none |
| `type:markdown`, `type:text/css` | of this media type: by its second part or as a whole |
| `before:2025`, `before:2025-03-31` | fetched before this year, month, day or time (ISO 8601) began, in UTC |
| `after:2025-03`, `after:2025-03-31T12:00+01:00` | fetched from its beginning on |
| `-site:…`, and so every filter | is not so |

Several filters of one name are alternatives, those of different names must all hold. `OR` and `AND` are in capitals
and stand between terms; at an end, or behind another of them, they are words, beside a filter or an exclusion nothing.
`NOT` is a word. A filter whose name is unknown, or whose value is empty or impossible, is text: `std::sort`, `12:30`,
`before:noon`. What looks like code is one word as it stands: `os.path.join`, `--no-cache`, `C++`, `*args`, `x[0]`; only
punctuation at its end and brackets without their like are taken off. `-x`, of one letter from a to z, is an option and
a word, and so is `-Wall` where nothing else is looked for.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Final, Literal, NamedTuple
from urllib.parse import quote

from crawler.urls import MAX_URL, host, normalize

MAX_TERMS: Final = 64  # and filters and operators of a query; the rest is left out
MAX_LENGTH: Final = 20_000  # characters that are looked at

_QUESTION: Final = range(4, 25)  # words; a longer text tells by itself which of its words tell
_TELLING: Final = 2
_COMMON_WORDS: Final = (
    "a about am an and any are as at be by can could do does for from get how i if in into is it its make me my of on "
    "one or should so that the their them there these this to use using was we what when where which who why will with "
    "without would you your"
)
_COMMON: Final = frozenset(_COMMON_WORDS.split())
VALUES: Final = {
    "site": "a host, as in docs.example.org",
    "lang": "a code, as in en",
    "type": "html, text or a media type",
    "before": "YYYY-MM-DD, or the beginning of it",
    "after": "YYYY-MM-DD, or the beginning of it",
}
"""What the values of filters are that not every text is a value of."""

_SIGNS: Final = str.maketrans(dict.fromkeys("“”„‟«»＂", '"') | {"’": "'", "\0": " "})
_NAME: Final = "site|path|title|lang|type|before|after"
# A quote opens a phrase where a word may begin: not in 19" or r"\d".
_TOKEN: Final = re.compile(rf'(?<!\w)([+-]?)(?:({_NAME}):)?"([^"]*)"?|([^\s"]+)', re.I)
_FILTER: Final = re.compile(rf"([+-]?)({_NAME}):(.+)", re.I)
_OPTION: Final = re.compile("-[a-zA-Z]")  # of a command; nobody excludes a letter
_BRACKETS: Final = ("()", "[]", "{}")
_DATE: Final = re.compile(r"\d{4}(-\d\d(-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?)?)?)?", re.I | re.A)
_LONGEST_TITLE: Final = 300  # characters, at which titles of pages are cut
_REST_OF_DATE: Final = {4: "-01-01", 7: "-01"}  # by the length of what is there


class Term(NamedTuple):
    """What is looked for in the text of a section."""

    text: str
    """Without NUL, lone surrogates and double quotes, with single spaces; of a prefix without its star."""
    kind: Literal["word", "phrase", "prefix"]
    required: bool


class Filter(NamedTuple):
    """What is asked of a page as a whole."""

    name: str
    """site, path, title, lang, type, before or after."""
    value: str
    """In the form that the index file has: `site` a host, perhaps with its port; `path` encoded; `lang` a primary
    subtag; `before` and `after` a time as `2025-03-01T00:00:00Z`; of a title as typed."""
    excluded: bool


class Query(NamedTuple):
    """A parsed query."""

    text: str
    """As typed."""
    groups: tuple[tuple[Term, ...], ...]
    """Terms in their order; a group of more than one holds alternatives: all of them are required, or none."""
    excluded: tuple[Term, ...]
    filters: tuple[Filter, ...]


class _Excluded(NamedTuple):
    term: Term
    otherwise: Term
    """What it is where nothing else is looked for."""


_Operator = Literal["OR", "|", "AND"]
_OPERATORS: Final[dict[str, _Operator]] = {"OR": "OR", "|": "|", "AND": "AND"}
_Item = Term | Filter | _Excluded | _Operator


def parse_query(text: str) -> Query:
    """The query in a text. Never raises."""
    items = list(islice((item for token in _tokens(text) if (item := _item(*token.groups()))), MAX_TERMS))
    if not any(isinstance(item, Term | Filter) for item in items):
        items = [item.otherwise if isinstance(item, _Excluded) else item for item in items]
    return Query(
        text,
        groups=tuple(dict.fromkeys(_groups(items))),
        excluded=tuple(dict.fromkeys(item.term for item in items if isinstance(item, _Excluded))),
        filters=tuple(dict.fromkeys(item for item in items if isinstance(item, Filter))),
    )


def telling(query: Query) -> Query:
    """A question without the words that every question has: `how do I create an index` is `create index`.

    A query of a few words stays as it is, and so does a long one, or one that has no others.
    """
    rest = tuple(group for group in query.groups if not _is_common(group))
    is_question = len(query.groups) in _QUESTION and len(rest) >= _TELLING
    return query._replace(groups=rest) if is_question else query


def _is_common(group: tuple[Term, ...]) -> bool:
    return len(group) == 1 and group[0].kind == "word" and not group[0].required and group[0].text.lower() in _COMMON


def without_filters(text: str) -> str:
    """What is left of a query, as it was typed, without its filters."""
    return " ".join(token[0] for token in _tokens(text) if not isinstance(_item(*token.groups()), Filter))


def mended(text: str, better: Mapping[str, str]) -> str:
    """A query with other words in the place of some, where they are looked for: not in filters and exclusions."""
    pattern = re.compile("|".join(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])" for word in better))
    return " ".join(
        pattern.sub(lambda match: better[match[0]], token[0]) if isinstance(_item(*token.groups()), Term) else token[0]
        for token in _tokens(text)
    )


def misread(text: str) -> list[tuple[str, str]]:
    """What in a query looks like a filter and is text, for its value is impossible; and what a value of it is."""
    found = []
    for token in _tokens(text):
        name = (token[2] or token[0].lstrip("+-").partition(":")[0]).lower()
        is_filter = name in VALUES and ":" in token[0] and "::" not in token[0]
        if is_filter and not isinstance(_item(*token.groups()), Filter):
            found.append((token[0], VALUES[name]))
    return found


def _tokens(text: str) -> Iterator[re.Match[str]]:
    return _TOKEN.finditer(_clean(text[:MAX_LENGTH]))


def parse_filter(name: str, value: str, *, excluded: bool = False) -> Filter | None:
    """A filter by its name and its value as typed; None when there is none of this name, or no such value."""
    normal = _NORMAL.get(name)
    value = " ".join(_clean(value).split())
    if normal is None or not value or value[0] == ":":  # `path::Path` is Rust's
        return None
    wanted = normal(value)
    return Filter(name, wanted, excluded) if wanted else None


def _item(sign: str, name: str, phrase: str | None, bare: str) -> _Item | None:
    """What a token is: between quotes with a sign and the name of a filter before them, or bare. None for nothing."""
    if phrase is None:
        return _bare(bare)
    if name and (found := parse_filter(name.lower(), phrase, excluded=sign == "-")):
        return found
    text = " ".join(f"{name}:{phrase}".split()) if name else " ".join(phrase.split())
    if not any(map(str.isalnum, text)):
        return None
    term = Term(text, "phrase", True)
    return _Excluded(term._replace(required=False), term) if sign == "-" else term


def _bare(token: str) -> _Item | None:
    if token in _OPERATORS:
        return _OPERATORS[token]
    loose = "".join(pair for pair in _BRACKETS if not (pair[0] in token and pair[1] in token))
    token = token.lstrip(loose).rstrip(loose)
    word = token.rstrip(loose + ",;:.?!")
    for written in filter(None, map(_FILTER.fullmatch, (token, word))):
        if found := parse_filter(written[2].lower(), written[3], excluded=written[1] == "-"):
            return found
    if not any(map(str.isalnum, word)):
        return None
    if word[0] == "-" and word[1].isalpha() and not _OPTION.fullmatch(word):
        return _Excluded(_term(word[1:]), Term(word, "word", False))
    if word[0] == "+" and word[1].isalnum():
        return _term(word[1:])._replace(required=True)
    return _term(word)


def _term(word: str) -> Term:
    if word[-1] == "*" and word.count("*") == 1 and (word[-2].isalnum() or word[-2] == "_"):
        return Term(word[:-1], "prefix", False)
    return Term(word, "word", False)


def _groups(items: Sequence[_Item]) -> tuple[tuple[Term, ...], ...]:
    """The terms among the items, those together that an OR joins."""
    groups: list[list[Term]] = []
    before: _Item | None = None
    operator: _Operator | None = None
    for place, item in enumerate(items, 1):
        if isinstance(item, str):
            if before and not operator and place < len(items):
                operator = item
                continue
            if item == "|":
                continue
            item = Term(item, "word", False)
        if isinstance(item, Term):
            joined = operator if isinstance(before, Term) else None
            if joined == "AND":
                item = item._replace(required=True)
                groups[-1].append(groups[-1].pop()._replace(required=True))
            if joined in ("OR", "|"):
                groups[-1].append(item)
            else:
                groups.append([item])
        before, operator = item, None
    return tuple(
        tuple(dict.fromkeys(term._replace(required=any(one.required for one in group)) for term in group))
        for group in groups
    )


def _clean(text: str) -> str:
    """The text without what no file can hold, and with one kind of quote."""
    return text.encode("utf-8", "ignore").decode().translate(_SIGNS)


def _site(value: str) -> str:
    """The host of what was typed or pasted; empty for what is none."""
    scheme, _, rest = value.lower().rpartition("://")
    name = rest.split("/", 1)[0]
    url = normalize(f"{'https' if scheme == 'https' else 'http'}://{name}/") if name else None
    return host(url).strip("*.") if url else ""


def _path(value: str) -> str:
    """A path as URLs have it; empty for one that is longer than any. What is encoded already stays as it is."""
    path = quote(value, safe="/\\%?*:@!$&'()+,;=~-._#[]|^")
    return path if len(path) <= MAX_URL else ""


def _title(value: str) -> str:
    return value if len(value) <= _LONGEST_TITLE else ""


def _lang(value: str) -> str:
    subtag = value.lower().replace("_", "-").partition("-")[0]
    return subtag if re.fullmatch("[a-z]{2,3}", subtag) else ""


def _type(value: str) -> str:
    return value.lower() if re.fullmatch(r"[\w.+-]{1,127}(/[\w.+-]{1,127})?", value, re.A) else ""


def _time(value: str) -> str:
    """The instant at which a year, a month, a day or a minute begins; empty for what the calendar does not have."""
    if not _DATE.fullmatch(value):
        return ""
    try:
        time = datetime.fromisoformat(value.upper() + _REST_OF_DATE.get(len(value), ""))
        time = time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return time.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


_NORMAL: Final[dict[str, Callable[[str], str]]] = {
    "site": _site,
    "path": _path,
    "title": _title,
    "lang": _lang,
    "type": _type,
    "before": _time,
    "after": _time,
}

"""What a query that is still being typed may become, for interfaces that answer at every key.

The last word is taken for the beginning of one. Only names are looked through, of the sections nearest to the seeds: an
answer is wanted before the next key, and the search that follows finds the rest.
"""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from crawler.candidates import Candidate, Finder
from crawler.languages import folded, plain, spaced
from crawler.matches import NAME_COLUMNS, Sought, any_of, quoted, wanted
from crawler.pool import Pool
from crawler.query import parse_query
from crawler.ranking import Asked, Ranking
from crawler.vocabulary import completions, weights

_ROWS: Final = 60  # sections that are looked at
_WORDS: Final = 8  # that the last one may become
_SHORTEST: Final = 2  # letters of a beginning that is looked for behind another word
_LONGEST: Final = 500  # characters that are looked at
_LONGEST_END: Final = 60  # characters of the rest of a name
_LONGEST_RUN: Final = 6  # of a script without spaces: a few words
_LIKELY: Final = 3  # of them, whose names are compared


@dataclass(frozen=True, slots=True)
class Place:
    """A section that what is typed may be the name of."""

    href: str
    title: str
    heading: str


@dataclass(frozen=True, slots=True)
class Completion:
    """What a query may become, and where that leads."""

    queries: tuple[str, ...]
    """The query with its last word complete, the most frequent word first."""
    places: tuple[Place, ...]


def complete(connection: sqlite3.Connection, text: str, limit: int) -> Completion:
    """Completes the last word of a text, and finds what it may be the name of. None for a text without a last word."""
    text = text.encode("utf-8", "ignore").decode().replace("\0", "")[:_LONGEST]
    before, _, last = text.rstrip("*").rpartition(" ")
    last = last.lstrip('"+-')
    typed = folded(before).split()
    ends = [word for word in completions(connection, last, min(limit, _WORDS)) if word not in typed]
    sought = wanted(parse_query(before), ())
    words = [*sought.required, *sought.words]
    if ends:
        # Words, and no prefix: full text would go through a twentieth of all that there are for a single letter.
        words.append(Sought(last, any_of(list(map(quoted, ends)))))
    elif is_name := any(map(str.isalnum, last)) and not _is_word(last):
        words.append(Sought(last, f"{quoted(spaced(last))} *"))
    if not words:
        return Completion((), ())
    sought = sought._replace(words=tuple(words), required=())
    finder = Finder(connection, sought, Pool(connection, sought))
    near = finder.first(f"{NAME_COLUMNS} : {finder.wanted.every}", _ROWS)
    if not ends and is_name:
        ends = _continued(near, last, limit)
    elif typed and len(last) >= _SHORTEST:  # what stands in names behind the word before it comes first
        pair = f"{typed[-1]} {folded(last)}"
        found = _continued(finder.first(f"{NAME_COLUMNS} : {quoted(pair)} *", _ROWS), pair, limit)
        ends = list(dict.fromkeys([*(one.removeprefix(f"{typed[-1]} ") for one in found), *ends]))
    ends = ends[: min(limit, _WORDS)]
    queries = tuple(f"{before} {word}".strip() for word in ends)
    return Completion(queries, tuple(_places(connection, near, queries[:_LIKELY] or (text,), limit)))


def _is_word(text: str) -> bool:
    """Whether it is one of those that the index counts: `os.pa` is none, and neither is a run of Chinese characters."""
    return text.isalnum() and spaced(text) == text


def _continued(near: Iterable[Candidate], beginning: str, limit: int) -> list[str]:
    """How names of sections go on that hold the beginning of a name, the most frequent first."""
    pattern = re.compile(rf"(?<![^\W_]){re.escape(folded(beginning))}\w{{0,{_LONGEST_END}}}")
    if spaced(beginning) != beginning:
        pattern = re.compile(rf"{re.escape(beginning)}\w{{0,{_LONGEST_RUN}}}")
    found: Counter[str] = Counter()
    for one in near:
        found.update({end for name in one.names[:5] for end in pattern.findall(folded(plain(name)))})
    return [end for end, _ in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]]


def _places(
    connection: sqlite3.Connection, near: Sequence[Candidate], queries: Sequence[str], limit: int
) -> Iterator[Place]:
    """The best section of each page, by how nearly it is called what the query may become."""
    ranking = Ranking()
    best: dict[int, tuple[float, Candidate]] = {}
    for query in queries:
        asked = Asked(query.split(), ranking)
        names = {one.section: asked.names(one.names) for one in near}
        weight = weights(connection, asked.tokens.union(*(name.tokens for some in names.values() for name in some)))
        for one in near:
            worth = asked.bonus(names[one.section], weight)
            if one.group not in best or worth > best[one.group][0]:
                best[one.group] = worth, one
    for _, one in sorted(best.values(), key=lambda pair: (-pair[0], pair[1].section))[:limit]:
        yield Place(one.href, plain(one.names.title), plain(one.names.heading))

"""How well a section answers a query, beyond what bm25 says of its words. Pure.

Two stages: full text finds the candidates, here they are put in order. What people look for mostly has a name, and the
section that bears the name is what they want; one that only speaks of it comes after.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Final, NamedTuple

from crawler.forms import signed
from crawler.languages import folded

_TOKEN: Final = re.compile(r"(?:[^\W_]|(?<=\d)[._](?=\d))+(?:\+\+|#(?!\w))?")  # of 3_8_1 and 3.8.1 one word; C++
_NUMBERING: Final = re.compile(r"(?:[A-Z]\.)?(?:\d+\.)+\d*\s+|\d+\s+")  # of 5.1. Indexes
_SIGNED_TOKEN: Final = re.compile(rf"(?:(?<![\w#@$])[#@$])?{_TOKEN.pattern}")
_DASH: Final = re.compile(r"\s+[-–—]\s+")
_ENDING: Final = re.compile(r"(?:ies|ing|ed|es|[sey])$")
_LONGEST_NAME: Final = 20  # words; what is longer is a sentence
_MOST_NAMES: Final = 200  # of a section that are looked at


class Ranking(NamedTuple):
    """What each sign counts for. The best bm25 score of a search is 1."""

    links: float = 1.0
    """For bm25 of what links call a section, beside that of its own words; 0 leaves all that links say out."""
    names: float = 1.2
    """For a section that bears exactly the query as its name; less, the less they have in common."""
    terms: float = 0.6
    """How much of a name a lead term is: code or bold words that a paragraph begins with."""
    titles: float = 0.5
    """How much of a name the title of its page is to a section that does not open the page."""
    paths: float = 0.8
    """How much of a name the last part of an address is."""
    focus: float = 0.02
    """Against every e-fold of the sections of a page: of two sections alike, that of the page about it."""
    language: float = 0.1
    """For a page in the language that most pages are in: of translations alike, that one."""
    agreed: float = 0.2
    """For another kind of name, beyond the best, that is like the query: of links, for a heading, say."""
    exact: float = 0.3
    """For one that holds all words just as they were typed, not another form of them."""
    inflected: float = 0.9
    """How much of a word another form of it is, in a name."""


class Name(NamedTuple):
    """What a section is called that has something in common with the query."""

    tokens: frozenset[str]
    worth: float
    """How much of a name it is; 0 to 1."""
    kind: str
    """heading, title, path, id, term or link."""


class Names(NamedTuple):
    """By what a section can be called."""

    title: str
    """Of its page."""
    heading: str
    ids: str
    """Separated by spaces."""
    terms: str
    """Separated by ` · `, as the links."""
    links: str
    """What links call it, but for what it calls itself."""
    opens_page: bool
    path: str
    """The last part of its page's address, without an ending."""
    sections: int
    """Of its page."""

    def each(self, ranking: Ranking) -> Iterator[tuple[str, float, str]]:
        """Every name, how much of a name it is, and of which kind."""
        heading = _NUMBERING.sub("", self.heading, count=1)
        yield heading, 1.0, "heading"
        yield heading.partition("(")[0], 1.0, "heading"  # of `print(*objects, sep=' ')` the name
        if len(parts := _DASH.split(heading, maxsplit=1)) > 1:  # of `threading — Thread-based parallelism`, too
            yield parts[0], 1.0, "heading"
        yield self.title, 1.0 if self.opens_page else ranking.titles, "title"
        yield self.path, ranking.paths * (1.0 if self.opens_page else ranking.titles), "path"
        for name in self.ids.split(" ")[:_MOST_NAMES]:
            yield name, 1.0, "id"
        for name in self.terms.split(" · ")[:_MOST_NAMES]:
            yield name, ranking.terms, "term"
        for name in self.links.split(" · ")[:_MOST_NAMES] if ranking.links else ():
            yield name, 1.0, "link"


class Asked:
    """The words of a query, to hold names and texts against."""

    def __init__(self, words: Sequence[str], ranking: Ranking) -> None:
        """`words` as they were typed."""
        self._is_signed = any(next(signed(word), "") for word in words)
        self.tokens = tokens(" ".join(words), self._is_signed)
        self._stems = frozenset(map(without_ending, self.tokens))
        self._words = [
            (re.compile(rf"(?<![^\W_]){re.escape(word)}(?![^\W_])"), tokens(word, self._is_signed))
            for word in map(str.lower, words)
        ]
        self._ranking = ranking

    def names(self, names: Names) -> list[Name]:
        """The names that have a word in common with the query, or another form of one."""
        found = []
        for name, worth, kind in names.each(self._ranking):
            its = tokens(name, self._is_signed)
            if len(its) <= _LONGEST_NAME and not (
                self.tokens.isdisjoint(its) and self._stems.isdisjoint(map(without_ending, its))
            ):
                found.append(Name(its, worth, kind))
        return found

    def bonus(self, names: Iterable[Name], weight: Mapping[str, float]) -> float:
        """What the names of a section are worth: the one that is most like the query, by Dice's coefficient squared.

        `weight` is that of each word, its inverse document frequency.
        """
        total = sum(weight[token] for token in self.tokens)
        best: dict[str, float] = {}
        for name in names:
            likeness = 2 * self._common(name.tokens, weight) / (total + sum(weight[one] for one in name.tokens) or 1.0)
            best[name.kind] = max(best.get(name.kind, 0.0), name.worth * likeness**2)
        first, second = (*sorted(best.values(), reverse=True)[:2], 0.0, 0.0)[:2]
        return self._ranking.names * (first + self._ranking.agreed * second)

    def focus(self, names: Names) -> float:
        """What it takes from a section that its page is about much else."""
        return self._ranking.focus * math.log(names.sections)

    def _common(self, others: frozenset[str], weight: Mapping[str, float]) -> float:
        """The weight of the words of the query that a name has; a little less for another form of a word."""
        same = self.tokens & others
        common = sum(weight[token] for token in same)
        if len(same) < len(self.tokens):
            stems = {without_ending(token) for token in others - same}
            common += self._ranking.inflected * sum(
                weight[one] for one in self.tokens - same if without_ending(one) in stems
            )
        return common

    def exactness(self, text: str, weight: Mapping[str, float]) -> float:
        """What it is worth that a text holds words of the query just as they were typed, in any case of letters."""
        weights = [max((weight[token] for token in its), default=0.0) for _, its in self._words]
        lowered = text.lower()
        held = sum(w for (pattern, _), w in zip(self._words, weights, strict=True) if pattern.search(lowered))
        return self._ranking.exact * held / (sum(weights) or 1.0)


@lru_cache(maxsize=4096)
def tokens(text: str, are_signed: bool = False) -> frozenset[str]:
    """The distinct words of a name, folded; `foo_bar` and `foo.bar` are two, a version number is one.

    With the signs before them where that is asked for: `#include`, `$HOME`.
    """
    pattern = _SIGNED_TOKEN if are_signed else _TOKEN
    return frozenset(token.replace("_", ".") for token in pattern.findall(folded(text)))


@lru_cache(maxsize=4096)
def without_ending(token: str) -> str:
    """What is left without an English ending; for other languages nothing is lost but a few more that are alike."""
    stem = _ENDING.sub("", token)
    return stem if len(stem) >= 3 else token

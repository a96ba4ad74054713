"""A parsed query becomes FTS5 match expressions that cannot fail. Pure.

MATCH is a language of its own, in which `C++`, `don't` or `a-b` are syntax errors. So nothing of the query is passed
on but words, each in quotes, joined by operators of ours (https://sqlite.org/fts5.html#full_text_query_syntax).
"""

import re
from collections.abc import Callable, Iterable, Sequence
from typing import Final, NamedTuple

from crawler.forms import signed, stemmed
from crawler.languages import spaced
from crawler.query import Query, Term

_FORMS: Final = "{forms}"
NAME_COLUMNS: Final = "{title heading ids terms}"  # a column filter: where sections have their names

# A small letter is any that is no capital of ASCII: `sécurité` and `École` are one part.
_PARTS: Final = re.compile(r"[A-Z]+(?![^\W\d_A-Z])|[A-Z]?[^\W\d_A-Z]+|\d+")
_MOST_PARTS: Final = 8  # of an identifier; what has more is no name
# Of words that are written without spaces, pieces of so many characters: two Chinese or Japanese ones are mostly a
# word, four Thai or Khmer letters hardly a syllable.
_OF_A_WORD: Final = 2
_OF_A_SYLLABLE: Final = 4
_CJK: Final = "\u2e80"  # where the former begin in Unicode; the latter stand before
_MOST_PIECES: Final = 24
MANY_ENDS: Final = 30  # words; where more begin alike, these stand for all
# Characters of a word or phrase: what is longer takes full text seconds, and its beginning finds it as well.
_LONGEST_TERM: Final = 120
_LONGEST_WHOLE: Final = 16  # words; more of them stand side by side nowhere
_SOFT: Final = "\u200b"  # parts the characters of such a word


Ends = Callable[[str], Sequence[str]]


class Sought(NamedTuple):
    """A word, a phrase, or a group of alternatives."""

    text: str
    """As it was typed."""
    expression: str
    parts: tuple[str, ...] = ()
    """Of an identifier or a compound, expressions too: worth less, and found more often."""
    is_word: bool = False
    """Whether it is one word, which is known or not."""
    loose: tuple["Sought", ...] = ()
    """Of a phrase its words: what may match, too, where it is not required any more."""


class Wanted(NamedTuple):
    """What a query looks for."""

    words: tuple[Sought, ...]
    """What may match."""
    required: tuple[Sought, ...]
    """What a page must hold, in whichever of its sections."""
    excluded: tuple[str, ...]
    """Expressions for what it must not hold."""
    whole: str
    """The words side by side; empty when there is only one."""

    @property
    def some(self) -> list[str]:
        """Expressions for whatever may be looked for: what is required, words, their parts."""
        sought = (*self.required, *self.words)
        return list(dict.fromkeys([one.expression for one in sought] + [part for one in sought for part in one.parts]))

    @property
    def any(self) -> str:
        """Rows that hold any of it; empty when nothing is looked for.

        bm25 counts every phrase of an expression that a row holds: rows with more of them rank higher.
        """
        return any_of([*self.some, self.whole] if self.whole else self.some)

    @property
    def every(self) -> str:
        """Rows that hold all of it."""
        return all_of([one.expression for one in (*self.required, *self.words)])

    def relaxed(self, some: Sequence[Sought]) -> "Wanted":
        """The same, with some of what is required no longer so: it may match."""
        words = [word for one in some for word in (one, *one.loose)]
        return self._replace(
            words=(*words, *self.words), required=tuple(one for one in self.required if one not in some)
        )


def wanted(query: Query, languages: Iterable[str], ends: Ends = lambda _: ()) -> Wanted:
    """What a query looks for in an index of pages in these languages.

    `ends` gives the most frequent words of the index, at most `MANY_ENDS`, that begin with a prefix.
    """
    languages = tuple(languages)

    def forms(term: Term) -> str:
        if term.kind == "prefix" and len(words := ends(term.text)) >= MANY_ENDS:
            # Full text would go through all rows of all words that begin so.
            return any_of([quoted(term.text), *map(quoted, words)])
        return _forms(term, languages)

    def sought(group: Sequence[Term]) -> Sought:
        parts = dict.fromkeys(quoted(part) for term in group for part in _parts(term))
        loose = [Term(word, "word", False) for term in group if term.kind == "phrase" for word in _words(term.text)]
        return Sought(
            text=" OR ".join(term.text + "*" * (term.kind == "prefix") for term in group),
            expression=any_of([forms(term) for term in group]),
            parts=tuple(parts),
            is_word=_is_word(group),
            loose=tuple(sought([word]) for word in loose[:_LONGEST_WHOLE]),
        )

    words, required, plain = list[Sought](), list[Sought](), list[str]()
    for group in query.groups:
        (required if any(term.required for term in group) else words).append(sought(group))
        if _is_word(group):
            plain.append(group[0].text)
    whole = quoted(spaced(" ".join(plain))) if 1 < len(plain) <= _LONGEST_WHOLE else ""
    excluded = tuple(_forms(term, ()) for term in query.excluded)
    return Wanted(tuple(words), tuple(required), excluded, whole)


def _is_word(group: Sequence[Term]) -> bool:
    return len(group) == 1 and group[0].kind == "word"


def _words(phrase: str) -> list[str]:
    """The words of a phrase that hold a letter or a digit."""
    return [word for word in phrase.split() if any(map(str.isalnum, word))]


def _forms(term: Term, languages: Iterable[str]) -> str:
    """A word as it is, or another form of it in one of the languages; a phrase; the beginning of a word."""
    text = term.text
    if len(text) > _LONGEST_TERM:
        text = text[:_LONGEST_TERM].rpartition(" ")[0] or text[:_LONGEST_TERM]
    itself = quoted(spaced(text))
    if term.kind == "prefix":
        return f"{itself} *"
    if term.kind == "word" and (forms := _signed(term)):
        return f"{_FORMS} : {quoted(forms)}"
    if term.kind == "phrase" or (term.text.isascii() and not term.text.isalpha()):
        return itself
    return any_of([itself, *(f"{_FORMS} : {quoted(one)}" for one in stemmed(term.text, languages))])


def _signed(term: Term) -> str:
    """The form of a word that has signs, C++ or #include; empty where it has none, or is more than that."""
    form = next(signed(term.text), "")
    return form if len(form) == len(term.text) else ""


def _parts(term: Term) -> list[str]:
    """Of an identifier its parts: bounded_queue, getUserName; of words without spaces between them its pieces.

    Of a word with signs, the word without.
    """
    if term.kind != "word":
        return []
    if _signed(term):
        return [term.text]
    characters = spaced(term.text).strip(_SOFT).split(_SOFT)
    size = _OF_A_WORD if characters[0] >= _CJK else _OF_A_SYLLABLE
    if len(characters) > size:
        places = range(min(len(characters) - size + 1, _MOST_PIECES))
        return [spaced("".join(characters[place : place + size])) for place in places]
    parts = _PARTS.findall(term.text)
    return parts if 1 < len(parts) <= _MOST_PARTS else []


def any_of(expressions: Sequence[str]) -> str:
    return _joined(" OR ", expressions)


def all_of(expressions: Sequence[str]) -> str:
    return _joined(" AND ", expressions)


def _joined(operator: str, expressions: Sequence[str]) -> str:
    distinct = list(dict.fromkeys(expressions))
    return f"({operator.join(distinct)})" if len(distinct) > 1 else "".join(distinct)


def quoted(phrase: str) -> str:
    return '"' + phrase.replace('"', '""') + '"'

"""What a person types becomes an FTS5 match expression that cannot fail. Pure.

MATCH is a language of its own, in which `C++`, `don't` or `a-b` are syntax errors. So nothing of the query is passed
on but words, each in quotes, joined by operators of ours (https://sqlite.org/fts5.html#full_text_query_syntax).
"""

import re
from typing import NamedTuple

MAX_WORDS = 64  # of a query; the rest is left out
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_a-zA-Z]+")
_PHRASE_OR_WORD = re.compile(r'"([^"]*)"?|([^\s"]+)')


class Query(NamedTuple):
    """A parsed query."""

    text: str
    words: tuple[str, ...]
    phrases: tuple[str, ...]
    """What stood in quotes: required."""

    @property
    def match(self) -> str:
        """The match expression; empty when the query holds no word at all.

        Any word may match, and a row in which more of them match, or the whole query stands as it was typed, ranks
        higher: bm25 counts every phrase of the expression that a row holds. Quoted phrases are required.
        """
        optional = [*self.words]
        for word in self.words:
            parts = _PARTS.findall(word)
            if 1 < len(parts) <= 8:  # an identifier as it is, which is a phrase, and its parts
                optional += parts
        if len(self.words) > 1:
            optional.append(" ".join(self.words))
        anything = " OR ".join(map(_quoted, dict.fromkeys(optional)))
        if not self.phrases:
            return anything
        required = " AND ".join(map(_quoted, self.phrases))
        return f"{required} AND ({required} OR {anything})" if anything else required

    @property
    def match_all(self) -> str:
        """The match expression for rows that hold every word and phrase; empty when there is none."""
        return " AND ".join(map(_quoted, (*self.phrases, *self.words)))


def parse_query(text: str) -> Query:
    """The query in a text. Never raises: what is not a word is left out."""
    words: list[str] = []
    phrases: list[str] = []
    for phrase, word in _PHRASE_OR_WORD.findall(text.replace("\0", " ")[:20_000]):
        token = _clean(phrase or word)
        if not any(map(str.isalnum, token)):
            continue
        if phrase and len(words) + len(phrases) < MAX_WORDS:
            phrases.append(token)
        elif len(words) + len(phrases) < MAX_WORDS:
            words.append(token)
    return Query(text, tuple(dict.fromkeys(words)), tuple(dict.fromkeys(phrases)))


def _clean(token: str) -> str:
    return " ".join(token.encode("utf-8", "ignore").decode().split())


def _quoted(phrase: str) -> str:
    return '"' + phrase.replace('"', '""') + '"'

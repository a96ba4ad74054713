"""The words of an index: how much each tells, what a slip of one was meant to be, and how a beginning goes on.

The words are those of the table `words`, as the index has them: in lower case, Latin letters without diacritics.
"""

import json
import math
import sqlite3
from collections.abc import Iterable
from typing import Final
from unicodedata import category

from crawler.languages import folded, spaced

_SHORTEST: Final = 3  # letters of a word that may hold one slip; a shorter one could be anything
_SHORTEST_FOR_TWO: Final = 7
_LONGEST: Final = 40  # what is longer is no word
_ALPHABETS: Final = 4  # blocks of 128 characters in Unicode
_FREQUENT: Final = 20_000  # words that two slips may lead to: among more of them, any word is near another
_PAIRS: Final = 2  # of words that one is taken apart to, and that are looked for side by side
_MANY: Final = 5_000  # words; fewer are sorted in a moment

_LAST: Final = "\U0010ffff"  # sorts behind every letter

_SECTIONS: Final = "SELECT word, sections FROM json_each(?) CROSS JOIN words ON word = value"
_BESIDE: Final = "SELECT 1 FROM sections_fts WHERE sections_fts MATCH ? LIMIT 1"
_BY_FREQUENCY: Final = """
SELECT word FROM (SELECT word, sections FROM words ORDER BY sections DESC, word LIMIT ?)
WHERE word >= ? AND word < ? AND length(word) BETWEEN ? AND ? ORDER BY sections DESC, word
"""
_COUNT: Final = "SELECT count(*) FROM (SELECT 1 FROM words WHERE word >= ? AND word < ? LIMIT ?)"
_FEW_WORDS: Final = "SELECT word FROM words WHERE word >= ? AND word < ? ORDER BY sections DESC, word LIMIT ?"
# The signs keep SQLite from the order of the words: where many begin so, the first are soon met among the frequent.
_MANY_WORDS: Final = "SELECT word FROM words WHERE +word >= ? AND +word < ? ORDER BY sections DESC, word LIMIT ?"


def weights(connection: sqlite3.Connection, words: Iterable[str]) -> dict[str, float]:
    """How much each word tells: its inverse document frequency as in Lucene's BM25; what is not counted is rare."""
    words = list(words)
    (sections,) = connection.execute("SELECT coalesce(max(id), 0) FROM sections").fetchone()
    known = _known(connection, words)
    return {word: math.log1p(max(0, sections - known.get(word, 1)) / (known.get(word, 1) + 0.5)) for word in words}


def suggest(connection: sqlite3.Connection, word: str) -> str | None:
    """What a word that the index does not hold is a slip of, folded; None when it holds it, or nothing is near.

    A slip is a letter too many, too few, or wrong, or two that changed places (Damerau, 1964). For 3 letters or more, a
    word at one slip is looked for, then two words that were written as one and stand side by side in the index; for 7
    or more, a frequent word at two slips with the same first letter. Of several it is one with the same first letter,
    then the one in the most sections. Two words that nowhere stand side by side, `data base`, may be one word. Nothing
    is suggested for what holds a digit or a sign.
    """
    word = folded(word)
    if len(pair := word.split()) == 2:
        one = "".join(pair)
        return one if one in _known(connection, [one]) and not _beside(connection, word) else None
    if not _SHORTEST <= len(word) <= _LONGEST or not all(map(_is_letter, word)) or word in _known(connection, [word]):
        return None
    if spaced(word) != word or len({ord(letter) & ~127 for letter in word}) > _ALPHABETS:
        return None  # of scripts without spaces no words are known; what is of many alphabets is no word
    if near := _known(connection, _one_slip(word)):
        return min(near, key=lambda other: (other[0] != word[0], -near[other], other))
    found = _taken_apart(connection, word)
    if not found and len(word) >= _SHORTEST_FOR_TWO:
        found = _two_slips(connection, word)
    return found


def completions(connection: sqlite3.Connection, prefix: str, limit: int) -> list[str]:
    """Up to `limit` words that begin with the prefix, folded, those in the most sections first. None for no prefix."""
    prefix = folded(prefix)
    if not prefix or limit < 1:
        return []
    between = (prefix, prefix + _LAST)
    (count,) = connection.execute(_COUNT, (*between, _MANY)).fetchone()
    statement = _FEW_WORDS if count < _MANY else _MANY_WORDS
    return [word for (word,) in connection.execute(statement, (*between, limit))]


def _is_letter(letter: str) -> bool:
    return category(letter)[0] in "LM"  # marks are vowels in Hindi


def _known(connection: sqlite3.Connection, words: Iterable[str]) -> dict[str, int]:
    """Those of the words that the index holds, and in how many sections each."""
    return dict(connection.execute(_SECTIONS, (json.dumps(list(words)),)))


def _beside(connection: sqlite3.Connection, words: str) -> bool:
    return connection.execute(_BESIDE, (f'"{words}"',)).fetchone() is not None


def _one_slip(word: str) -> set[str]:
    """All that is one slip away, by letters of its alphabets (Norvig, How to Write a Spelling Corrector)."""
    cuts = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    letters = _alphabet(word)
    return {
        *(before + after[1:] for before, after in cuts if after),
        *(before + after[1] + after[0] + after[2:] for before, after in cuts if len(after) > 1),
        *(before + letter + after[1:] for before, after in cuts if after for letter in letters),
        *(before + letter + after for before, after in cuts for letter in letters),
    } - {word}


def _alphabet(word: str) -> list[str]:
    """Letters that stand in Unicode near those of the word, in a block of 128: a script has one or a few of them."""
    blocks = {ord(letter) & ~127 for letter in word}
    near = (chr(code) for block in blocks for code in range(block, block + 128))
    return [letter for letter in near if _is_letter(letter) and folded(letter) == letter]


def _taken_apart(connection: sqlite3.Connection, word: str) -> str | None:
    places = range(_SHORTEST, len(word) - _SHORTEST + 1)
    pairs = [(word[:place], word[place:]) for place in places]
    known = _known(connection, {part for pair in pairs for part in pair})
    pairs = [pair for pair in pairs if known.keys() >= {*pair}]
    pairs.sort(key=lambda pair: -min(known[part] for part in pair))
    return next((both for both in map(" ".join, pairs[:_PAIRS]) if _beside(connection, both)), None)


def _two_slips(connection: sqlite3.Connection, word: str) -> str | None:
    first, length, letters = word[0], len(word), {*word}
    for (other,) in connection.execute(_BY_FREQUENCY, (_FREQUENT, first, first + _LAST, length - 2, length + 2)):
        # Two slips bring no more than two letters, and take no more.
        if len(letters.difference(other)) <= 2 and len({*other} - letters) <= 2 and _distance(word, other) <= 2:
            return str(other)
    return None


def _distance(one: str, other: str) -> int:
    """Slips between two words, of which no letter is part of two: their optimal string alignment."""
    before: list[int] = []
    above: list[int] = [*range(len(other) + 1)]
    for line, letter in enumerate(one, 1):
        row = [line]
        for place, expected in enumerate(other, 1):
            cost = min(above[place] + 1, row[-1] + 1, above[place - 1] + int(letter != expected))
            if line > 1 and place > 1 and (letter, one[line - 2]) == (other[place - 2], expected):
                cost = min(cost, before[place - 2] + 1)
            row.append(cost)
        before, above = above, row
    return above[-1]

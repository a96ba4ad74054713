"""The words of a section around what was looked for, with marks where it matches. Pure.

FTS5 has a snippet() of its own, whose time grows with the square of the matches in a row: one long page would stop
every search that finds it.
"""

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Final

from crawler.languages import BREAK, folded, plain, spaced, stem
from crawler.query import Query
from crawler.ranking import without_ending
from crawler.results import MARK, MARK_END

LONGEST: Final = 20_000  # characters of a text that are looked at
_WIDTH: Final = 200  # characters
_BEFORE: Final = 40  # of them before the first match
_MOST_MATCHES: Final = 300
_MOST_RUNS: Final = 200  # pieces of scripts without spaces that are looked for
_WORD: Final = re.compile(r"[^\W_]+")
# What parts the entries of a menu, and stands in no sentence.
_PARTING: Final = re.compile("[|«»·›→↑]")
_ENDING: Final = re.compile(r"[.!?](?=\s|$)|[。！？]")
_SENTENCE: Final = 40  # characters, at least
_BEGINNING: Final = 4_000  # characters of a text in which a sentence is looked for
_BETWEEN: Final = r"[\W_]{1,3}"  # the words of a phrase
_MARKS: Final = str.maketrans("", "", MARK + MARK_END)


class _Folds(dict[int, str]):
    """Of each character what stands for it, one character, so that places in a text stay."""

    def __missing__(self, code: int) -> str:
        one = folded(chr(code))
        self[code] = one if len(one) == 1 else chr(code)
        return self[code]


_FOLDS: Final = _Folds()


class Highlighter:
    """Makes the snippets of one search."""

    def __init__(self, query: Query) -> None:
        terms = [(folded(term.text), term.kind) for group in query.groups for term in group]
        words = dict.fromkeys(
            word for text, _ in terms for word in _WORD.findall(text) if len(word) > 1 or word == text
        )
        self._words = [word for word in words if spaced(word) == word]
        self._prefixes = tuple(text for text, kind in terms if kind == "prefix")
        # What has signs, and what is written without spaces, is looked for as it stands, and first.
        pieces = dict.fromkeys(piece for word in words if spaced(word) != word for piece in _pieces(word))
        self._runs = dict.fromkeys(islice(pieces, _MOST_RUNS))
        self._signed = dict.fromkeys(text for text, kind in terms if kind != "phrase" and not _WORD.fullmatch(text))
        phrases = (" ".join(_WORD.findall(text)) for text, kind in terms if kind == "phrase")
        self._phrases = dict.fromkeys(phrase for phrase in phrases if " " in phrase)

    def snippet(self, text: str, lang: str, about: str = "", behind: str = "") -> str:
        """Some words of a text, where most of what was looked for stands together.

        Where nothing of it does, the first sentence that there is `about` the page, in the text, or `behind` it.
        """
        text = plain(text[:LONGEST]).translate(_MARKS)
        found = list(islice(self._matches(text.translate(_FOLDS), lang), _MOST_MATCHES))
        if not found:
            return next(filter(None, map(_sentence, (about, text, behind))), "") or _shortened(text)
        start = _densest(found) - _BEFORE
        if start + _WIDTH > len(text):
            start = len(text) - _WIDTH
        start = text.find(" ", start, start + _BEFORE) + 1 if start > 0 else 0
        end = start + _WIDTH
        if end < len(text):
            end = max(text.rfind(" ", start, end), end - _BEFORE)
        parts, at = list[str](), start
        for first, last, _ in found:
            if at <= first and last <= end:
                parts += text[at:first], MARK, text[first:last], MARK_END
                at = last
        shown = "".join((*parts, text[at:end])).strip()
        return f"{'… ' if start else ''}{shown}{' …' if end < len(text) else ''}"

    def _matches(self, text: str, lang: str) -> Iterator[tuple[int, int, str]]:
        """Where in a folded text something that was looked for stands: its start, its end, what it is; in order."""
        alone = [rf"{_BETWEEN.join(map(re.escape, one.split()))}(?![^\W_])" for one in self._phrases]
        alone += [rf"{re.escape(one)}(?![^\W_])" for one in self._signed]
        alone += [re.escape(_beginning(word, lang)) + r"[^\W_]*" for word in (*self._words, *self._prefixes)]
        pattern = "|".join([*([rf"(?<![^\W_])(?:{'|'.join(alone)})"] if alone else []), *map(re.escape, self._runs)])
        forms = {_stem(word, lang): word for word in self._words}
        for match in re.finditer(pattern, text) if pattern else ():
            token = match[0]
            is_typed = token in self._signed or token in self._runs or token in self._words
            known = token if is_typed else forms.get(_stem(token, lang))
            if not known and self._phrases and (phrase := " ".join(_WORD.findall(token))) in self._phrases:
                known = phrase
            if known or token.startswith(self._prefixes):
                yield *match.span(), known or token


def _sentence(text: str) -> str:
    """The first sentence of a text, not what stands around it: the names of menus, of pages before and behind."""
    for run in map(str.strip, _PARTING.split(plain(text[:_BEGINNING]).translate(_MARKS))):
        if _ENDING.search(run, _SENTENCE):
            return _shortened(run)
    return ""


def _shortened(text: str) -> str:
    if len(text) <= _WIDTH:
        return text.strip()
    return text[: max(text.rfind(" ", 0, _WIDTH), _WIDTH - _BEFORE)].strip() + " …"


def _pieces(run: str) -> list[str]:
    """Of a script without spaces between words: a run of characters as a whole, then by twos, of which words are."""
    characters = spaced(run).strip(BREAK).split(BREAK)
    return [run, *("".join(characters[at : at + 2]) for at in range(len(characters) - 1))]


@lru_cache(maxsize=4096)
def _stem(word: str, lang: str) -> str:
    found = folded(stem(word, lang))
    return without_ending(word) if found == word else found


def _beginning(word: str, lang: str) -> str:
    """What the forms of a word begin with, more or less."""
    stem_of = _stem(word, lang)
    same = next((at for at, pair in enumerate(zip(word, stem_of, strict=False)) if pair[0] != pair[1]), len(stem_of))
    return word[: max(same, 1)]


def _densest(found: Sequence[tuple[int, int, str]]) -> int:
    """Where the first stretch of text begins in which the most different words are."""
    best, best_count, last = 0, 0, 0
    for first, (start, _, _) in enumerate(found):
        last = max(last, first)
        while last < len(found) and found[last][1] <= start + _WIDTH - _BEFORE:
            last += 1
        # A phrase is worth more than its words apart.
        if (count := sum(1 + 2 * word.count(" ") for word in {word for _, _, word in found[first:last]})) > best_count:
            best, best_count = start, count
    return best
